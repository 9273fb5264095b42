"""Encrypting a file in place: whatever its secrets are, and however its lines look, it means the same afterwards."""

from __future__ import annotations

import itertools
import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from duoproxy.config.file_kinds import is_clear_text
from duoproxy.config.protected import ProtectionKey, unprotect
from duoproxy.sections.registry import load_registry
from duoproxy.tools.protect_file import Contents, protected_octets, read_contents, rotated_octets

CATALOGUE = load_registry(()).catalogue
KEY, NEXT = ProtectionKey(bytes(32)), ProtectionKey(b"\x01" * 32)

blanks = st.sampled_from(["", " ", "\t", "  "])
secrets = (
    st.text(st.characters(min_codepoint=32, exclude_categories=["Cs", "Cc"]), min_size=1, max_size=60)
    .map(lambda text: text.strip(" \t"))
    .filter(lambda text: text and is_clear_text(text) and text != "REPLACE_THIS")
)
line_ends = st.sampled_from(["\n", "\r\n"])
spellings = st.sampled_from(["radius_secret_{}", "Radius_Secret_{}", "RADIUS_SECRET_{}"])


@given(st.lists(st.tuples(secrets, blanks, blanks, blanks, spellings), min_size=1, max_size=5), line_ends)
def test_every_secret_is_the_same_afterwards(lines: list[tuple[str, str, str, str, str]], end: str) -> None:
    """And with a new key again; what is no secret stays to the octet."""
    counted = itertools.count()
    written = ["# comment = value", "[radius_server_auto]", "ikey = x"]
    for number, (secret, before, around, behind, name) in enumerate(lines, start=1):
        written.append(f"{before}{name.format(number)}{around}={around}{secret}{behind}")
    octets = (end.join(written) + end).encode()
    contents = _read(octets)
    assert [one.value.reveal_text() for one in contents.clear] == [secret for secret, *_ in lines]
    first = protected_octets(contents, KEY, lambda size: next(counted).to_bytes(size, "big"))
    second = rotated_octets(_read(first), [KEY], NEXT, lambda size: next(counted).to_bytes(size, "big"))
    for changed, key in ((first, KEY), (second, NEXT)):
        found = _read(changed)
        opened = [unprotect(one.value.reveal_text(), [key], "x").reveal_text() for one in found.protected]
        assert opened == [secret for secret, *_ in lines]
        assert found.clear == ()
        assert changed.split(end.encode())[:3] == octets.split(end.encode())[:3]
        assert changed.count(b"\n") == octets.count(b"\n")


def _read(octets: bytes) -> Contents:
    with tempfile.NamedTemporaryFile() as file:
        file.write(octets)
        file.flush()
        return read_contents(Path(file.name), CATALOGUE)
