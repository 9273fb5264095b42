"""Which sections a file has."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.config.small_catalogue import GOOD, GOOD_CLIENT, GOOD_SERVER, lines_of, load


def test_sections_of_a_kind_are_numbered(tmp_path: Path) -> None:
    """[radius_client2], [radius_client7]: a number without separator; they need not be consecutive."""
    text = GOOD.replace("[radius_client]", "[Radius_Client7]")
    client = load(tmp_path, text).clients[0]
    assert (client.name, client.kind, client.number, client.line) == ("radius_client7", "radius_client", 7, 7)
    assert load(tmp_path, GOOD).clients[0].number is None


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            GOOD + "[ad_client2]\nhost=x\nnonsense\n",
            "error: authproxy.cfg:10 [ad_client2]: is known, but this version does not serve it yet. "
            "Use [radius_client] until then.",
        ),
        (
            GOOD + "[radius_server_eap]\n",
            "error: authproxy.cfg:10 [radius_server_eap]: is known, but this version does not serve it yet. "
            "Take the section out of this file.",
        ),
        (
            GOOD + "[radius_clinet2]\n",
            "error: authproxy.cfg:10 [radius_clinet2]: the section is unknown. Did you mean [radius_client]?",
        ),
        (
            GOOD + "[radius_client02]\n",
            "error: authproxy.cfg:10 [radius_client02]: the section is unknown. Did you mean [radius_client]?",
        ),
        (
            GOOD + "[ad_clint]\n",
            "error: authproxy.cfg:10 [ad_clint]: the section is unknown. Did you mean [ad_client]?",
        ),
        (
            GOOD + "[backup]\nx=1\n",
            "warning: authproxy.cfg:10 [backup]: the section is unknown and ignored. Delete it, or install the "
            "package that brings it.",
        ),
        (
            GOOD + "[main2]\n",
            "error: authproxy.cfg:10 [main2]: there can be only one [main]. Write its options under [main].",
        ),
        (
            GOOD_CLIENT,
            "error: authproxy.cfg: no server section is active in this file, so that nothing would listen. "
            "Write one of: [radius_server_auto].",
        ),
        (
            "[backup]\n",
            "error: authproxy.cfg:1 [backup]: the section is unknown, and there is no server section beside it. "
            "See authproxyctl options for the sections that there are.",
        ),
    ],
)
def test_section_that_cannot_be_served_has_a_sentence(tmp_path: Path, text: str, sentence: str) -> None:
    """Unknown: a warning; an error when near a known name or when no server section is left; planned: an error."""
    told = lines_of(tmp_path, text)
    assert sentence in told
    assert [one for one in told if "nonsense" in one or "host" in one] == []


def test_server_that_names_a_planned_client_is_told_at_the_heading_only(tmp_path: Path) -> None:
    """One fault, one error."""
    told = lines_of(tmp_path, GOOD_SERVER + "client = ad_client\n[ad_client]\n")
    assert len(told) == 1
    assert told[0].startswith("error: authproxy.cfg:8 [ad_client]: is known")
