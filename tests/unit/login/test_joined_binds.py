"""join_binds_s: one approval is good for one more bind, and for nobody else's."""

from __future__ import annotations

import pytest

from duoproxy.login import joined_binds as subject
from duoproxy.login.joined_binds import JoinedBinds
from duoproxy.secret import Secret

KEY = bytes(32)
ALICE = (b"cn=alice", Secret("pw"), "10.0.0.5")


def test_approval_is_good_for_one_more_bind() -> None:
    """Reference §10.3: at most one extra bind."""
    joined = JoinedBinds(10, KEY)
    joined.note(*ALICE, 0)
    assert [joined.take(*ALICE, 5), joined.take(*ALICE, 5)] == [True, False]


@pytest.mark.parametrize(
    "other",
    [
        (b"cn=bob", Secret("pw"), "10.0.0.5"),
        (b"cn=alice", Secret("PW"), "10.0.0.5"),
        (b"cn=alice", Secret("pw"), "10.0.0.6"),
        (b"cn=alic", Secret("epw"), "10.0.0.5"),
    ],
)
def test_other_bind_does_not_join(other: tuple[bytes, Secret, str]) -> None:
    """The same DN, password and address, or nothing."""
    joined = JoinedBinds(10, KEY)
    joined.note(*ALICE, 0)
    assert not joined.take(*other, 1)


def test_approval_ends() -> None:
    """After the seconds of the option."""
    joined = JoinedBinds(10, KEY)
    joined.note(*ALICE, 0)
    assert not joined.take(*ALICE, 10)
    assert len(joined) == 0


def test_nothing_is_kept_where_the_option_is_off() -> None:
    """The default."""
    joined = JoinedBinds(0, KEY)
    joined.note(*ALICE, 0)
    assert not joined.take(*ALICE, 0)


def test_approvals_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest goes first."""
    monkeypatch.setattr(subject, "MAX_APPROVALS", 2)
    joined = JoinedBinds(10, KEY)
    for name in (b"a", b"b", b"c"):
        joined.note(name, Secret("pw"), "10.0.0.5", 0)
    assert len(joined) == 2
    assert not joined.take(b"a", Secret("pw"), "10.0.0.5", 1)


def test_short_key_is_refused() -> None:
    """What stands for a password must not be guessed."""
    with pytest.raises(ValueError, match="32"):
        JoinedBinds(1, b"short")
