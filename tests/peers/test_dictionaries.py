"""Names of vendors' attributes: ours beside those that FreeRADIUS ships."""

from __future__ import annotations

from pathlib import Path

import pytest

from duoproxy.radius.dictionary import load_dictionary

THEIRS = Path("/usr/share/freeradius")
VENDORS = (
    "aruba",
    "citrix",
    "cisco",
    "f5",
    "fortinet",
    "juniper",
    "microsoft",
    "mikrotik",
    "netscreen",
    "paloalto",
    "sonicwall",
)


def names_in(vendor: str) -> list[str]:
    """The attributes that our own file of a vendor names."""
    lines = (Path(load_dictionary.__code__.co_filename).parent / "dictionary_data" / f"dictionary.{vendor}").read_text()
    return [line.split()[1] for line in lines.splitlines() if line.startswith("ATTRIBUTE")]


@pytest.mark.needs_peer("freeradius")
@pytest.mark.parametrize("vendor", VENDORS)
def test_a_name_that_both_know_is_the_same_attribute(vendor: str) -> None:
    """A name has the number, the type and the encryption that other RADIUS servers give it."""
    ours = load_dictionary()
    theirs = load_dictionary(THEIRS / f"dictionary.{vendor}")
    names = names_in(vendor)
    assert names
    for name in names:
        mine, other = ours.find(name), theirs.find(name)
        assert mine is not None, name
        assert other is not None, name
        assert (mine.attribute_id, mine.data_type, mine.encrypt) == (
            other.attribute_id,
            other.data_type,
            other.encrypt,
        ), name
