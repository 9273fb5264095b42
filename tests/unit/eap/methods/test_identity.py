"""Identities. Source: RFC 3748 §5.1."""

from __future__ import annotations

import pytest

from duoproxy.eap.methods.identity import MAX_SHOWN_CHARACTERS, read_identity, shown_identity
from duoproxy.errors import RemoteProtocolError


@pytest.mark.parametrize("name", ["alice", "CORP\\älice", "alice@example.test", "名" * 84])
def test_name_is_utf_8(name: str):
    """An identity is UTF-8, up to 253 octets."""
    assert read_identity(name.encode()) == name


def test_octets_that_are_no_utf_8_are_kept():
    """A device with another encoding loses nothing: the section's codec can read what came."""
    assert read_identity(b"\xe4lice").encode("utf-8", "surrogateescape").decode("latin-1") == "älice"


@pytest.mark.parametrize("octets", [b"", b"a" * 254, b"alice\0"])
def test_no_name_is_refused(octets: bytes):
    """Empty, over what a User-Name takes, or with a NUL."""
    with pytest.raises(RemoteProtocolError):
        read_identity(octets)


def test_outer_identity_cannot_forge_a_log_line():
    """It is a hint for logs: printable and short, whatever came."""
    shown = shown_identity(b"anonymous\nLogin 1: accepted\xff\x1b[2J" + b"a" * 1000)
    assert shown.isprintable()
    assert shown.startswith("anonymous?Login")
    assert len(shown) == MAX_SHOWN_CHARACTERS
