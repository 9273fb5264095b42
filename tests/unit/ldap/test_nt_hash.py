"""The NT hash, and the MD4 below it, by the values that their specifications give."""

from __future__ import annotations

import pytest

from duoproxy.ldap.nt_hash import md4, nt_hash
from duoproxy.secret import Secret


@pytest.mark.parametrize(
    ("octets", "digest"),
    [
        (b"", "31d6cfe0d16ae931b73c59d7e0c089c0"),
        (b"a", "bde52cb31de33e46245e05fbdbd6fb24"),
        (b"abc", "a448017aaf21d8525fc10ae87aa6729d"),
        (b"message digest", "d9130a8164549fe818874806e1c7014b"),
        (b"abcdefghijklmnopqrstuvwxyz", "d79e1c308aa5bbcdeea8ed63df412da9"),
        (b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", "043f8582f241db351ce627e153e7f0e4"),
        (8 * b"1234567890", "e33b4ddc9c38f2199c3e7b164fcc0536"),
    ],
)
def test_digests_are_those_of_the_specification(octets: bytes, digest: str) -> None:
    """RFC 1320 §A.5: the test suite; its last two messages fill one block and begin another."""
    assert md4(octets).hex() == digest


def test_password_is_hashed_as_the_specification_shows() -> None:
    """MS-NLMP §4.2.2.1.2: NTOWFv1 of `Password`."""
    assert nt_hash(Secret("Password")).reveal().hex() == "a4f49c406510bdcab6824ee7c30fd852"


def test_hash_is_a_secret() -> None:
    """Whoever has it can log in: it is not to be printed."""
    assert "a4f49c" not in repr(nt_hash(Secret("Password")))


def test_password_that_is_no_text_has_none() -> None:
    """NTLM knows only Unicode."""
    with pytest.raises(UnicodeError):
        nt_hash(Secret(b"\xff\xfe"))
