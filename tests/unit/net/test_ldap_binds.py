"""What must never be sent as a bind."""

from __future__ import annotations

import pytest

from duoproxy.net.ldap_binds import MAX_PASSWORD_BYTES, NtlmCredentials, SimpleCredentials, unusable
from duoproxy.secret import Secret


def simple(password: str | bytes, name: bytes = b"cn=alice") -> SimpleCredentials:
    return SimpleCredentials(name, Secret(password))


def ntlm(password: str | bytes, username: str = "alice", domain: str = "CORP") -> NtlmCredentials:
    return NtlmCredentials(username, domain, Secret(password))


def test_empty_password_is_never_sent() -> None:
    """RFC 4513 §5.1.2: it would be an unauthenticated bind, to which many servers say success."""
    for credentials in (simple(""), ntlm("")):
        assert unusable(credentials) == "the password is empty"


def test_password_that_a_directory_could_cut_to_nothing() -> None:
    """What ends strings in C may hide that a password is wrong, or empty."""
    assert "NUL" in unusable(simple("\0secret"))
    assert "NUL" in unusable(simple("sec\0ret"))


def test_empty_name_is_never_sent() -> None:
    """RFC 4513 §5.1.1: it would be anonymous."""
    assert unusable(simple("secret", b"")) == unusable(ntlm("secret", " ")) == "the name is empty"


def test_endless_password_is_never_sent() -> None:
    """Nor hashed."""
    assert not unusable(simple(MAX_PASSWORD_BYTES * "x"))
    assert "longer than" in unusable(simple((MAX_PASSWORD_BYTES + 1) * "x"))


def test_octets_that_are_no_text() -> None:
    """A simple bind carries any octets; NTLM carries text."""
    assert not unusable(simple(b"\xff\xfe"))
    assert "no Unicode text" in unusable(ntlm(b"\xff\xfe"))
    assert "no Unicode text" in unusable(ntlm("secret", "ali\0ce"))


@pytest.mark.parametrize("password", ["secret", " ", "Päss (word)", "\\"])
def test_everything_else_is_for_the_directory_to_judge(password: str) -> None:
    """Blanks and signs of every kind are passwords."""
    assert not unusable(simple(password))
    assert not unusable(ntlm(password))


def test_credentials_do_not_show_the_password() -> None:
    """Not in a traceback, not in a log."""
    assert "hunter2" not in f"{simple('hunter2')!r} {ntlm('hunter2')}"
