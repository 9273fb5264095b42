"""`_protected` values: what opens, what does not, and what is said of it."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duoproxy.config.protected import ProtectionFault, ProtectionKey, protect, read_keys, unprotect
from duoproxy.secret import Secret

KEY, OTHER = ProtectionKey(bytes(32)), ProtectionKey(b"\x01" * 32)
NONCE = bytes(range(12))
VALUE = protect(Secret("hunter2"), KEY, NONCE)


@given(st.binary(max_size=200), st.binary(min_size=32, max_size=32), st.binary(min_size=12, max_size=12))
def test_what_was_protected_opens_again(octets: bytes, key: bytes, nonce: bytes) -> None:
    """With its key; the key is found by its id among others."""
    made = ProtectionKey(key)
    text = protect(Secret(octets), made, nonce)
    assert re.fullmatch(r"v1:[0-9a-f]{8}:[A-Za-z0-9_=-]+", text)
    assert unprotect(text, [OTHER, made], "x") == Secret(octets)


def test_a_value_does_not_show_its_secret_or_key() -> None:
    """The same secret looks different each time."""
    assert "hunter2" not in VALUE
    assert protect(Secret("hunter2"), KEY, b"\x07" * 12) != VALUE
    assert KEY.octets.hex() not in repr(KEY)


@pytest.mark.parametrize("at", range(12, len(VALUE)))
def test_a_value_that_was_changed_does_not_open(at: int) -> None:
    """Whatever character it is."""
    changed = VALUE[:at] + ("A" if VALUE[at] != "A" else "B") + VALUE[at + 1 :]
    with pytest.raises(
        ProtectionFault, match=r"it is not complete, or was changed\. Make it again with authproxy_passwd"
    ):
        unprotect(changed, [KEY], "x")


@pytest.mark.parametrize("text", [VALUE[:40], VALUE[:-1] + "!", "v1:", "v1:00000000:", "v1:zz:AAAA"])
def test_what_is_left_of_a_value_does_not_open(text: str) -> None:
    """A line that was cut while it was copied."""
    with pytest.raises(ProtectionFault):
        unprotect(text, [KEY], "x")


def test_a_value_of_another_key_names_the_key() -> None:
    """And says where it was looked for."""
    with pytest.raises(ProtectionFault) as caught:
        unprotect(VALUE, [OTHER], "/etc/protection.key")
    assert str(caught.value) == (
        f"it was made with the key {KEY.id}, which is not in /etc/protection.key. Put the key file back that it was "
        "made with, or make it again: authproxy_passwd."
    )


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (
            "AQAAANCMnd8BFdERjHoAwE",
            "the value is encrypted by the Windows machine that made it and cannot be read here",
        ),
        ("v2:00000000:AAAA", "it was made by another version of duoproxy"),
    ],
)
def test_a_value_of_another_kind_says_so(text: str, what: str) -> None:
    """Windows' own, and those of a newer version."""
    with pytest.raises(ProtectionFault, match=what):
        unprotect(text, [KEY], "x")


def test_keys_are_read_in_their_order() -> None:
    """The first one makes new values; comments and empty lines are none."""
    text = f"# made by authproxy_passwd\n{KEY.line()}\n\n{OTHER.line()}\n"
    assert [key.octets for key in read_keys(text.encode(), "x")] == [KEY.octets, OTHER.octets]


@pytest.mark.parametrize(
    "content", [b"", b"# nothing\n", b"v1:short\n", KEY.line().encode() + b"\nrubbish\n", b"\xff" * 50]
)
def test_what_is_no_key_file_is_refused(content: bytes) -> None:
    """Half a key file may be one of another kind."""
    with pytest.raises(ProtectionFault, match="/k is no key file of authproxy_passwd"):
        read_keys(content, "/k")


def test_more_keys_than_one_rotates_through_are_refused() -> None:
    """The file is bounded."""
    with pytest.raises(ProtectionFault):
        read_keys("\n".join([KEY.line()] * 17).encode(), "x")
