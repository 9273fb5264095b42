"""The lock-out shield: what it refuses, when it forgets, and what cannot make it forget."""

from __future__ import annotations

import pytest

from duoproxy.ldap.lockout_shield import MAX_REFUSALS, MAX_REFUSALS_PER_USER, LockoutShield
from duoproxy.secret import Secret

KEY = bytes(range(32))
SECTION, DN, WRONG = "ad_client", "CN=Alice,DC=corp", Secret("old password")
MARKS = (132223104000000000, 0)


def shield_that_refused_once(at: float = 0.0) -> LockoutShield:
    shield = LockoutShield(KEY)
    shield.note_refusal(SECTION, DN, WRONG, *MARKS, at)
    return shield


class CountingDirectory:
    """A directory that refuses every password and counts, behind a shield, as `[ad_client]` uses it."""

    def __init__(self, shield: LockoutShield) -> None:
        self.shield = shield
        self.counts: dict[str, int] = {}

    def login(self, dn: str, password: str, now: float) -> None:
        secret = Secret(password)
        if not self.shield.refused_before(SECTION, dn, secret, *MARKS, now):
            self.counts[dn] = self.counts.get(dn, 0) + 1
            self.shield.note_refusal(SECTION, dn, secret, *MARKS, now)


def test_same_wrong_password_is_refused_from_memory():
    """The same wrong password again within 60 s is refused without a bind."""
    shield = shield_that_refused_once()
    assert shield.refused_before(SECTION, DN, Secret("old password"), *MARKS, 1.0)
    assert shield.refused_before(SECTION, DN.encode(), WRONG, *MARKS, 59.9)


def test_sixty_seconds_count_from_the_first_refusal():
    """Neither being asked again nor being noted again makes it last longer."""
    shield = shield_that_refused_once(at=100.0)
    assert shield.refused_before(SECTION, DN, WRONG, *MARKS, 159.0)
    shield.note_refusal(SECTION, DN, WRONG, *MARKS, 159.0)
    assert not shield.refused_before(SECTION, DN, WRONG, *MARKS, 160.0)
    assert len(shield) == 0


def test_nothing_else_is_refused():
    """Another password, entry or section is asked of the directory, also when the texts run into each other."""
    shield = shield_that_refused_once()
    assert not shield.refused_before(SECTION, DN, Secret("old passwor"), *MARKS, 1.0)
    assert not shield.refused_before(SECTION, DN + "o", Secret("ld password"), *MARKS, 1.0)
    assert not shield.refused_before("ad_client2", DN, WRONG, *MARKS, 1.0)
    assert not shield.refused_before("ad_client" + DN[:2], DN[2:], WRONG, *MARKS, 1.0)
    assert not LockoutShield(KEY).refused_before(SECTION, DN, WRONG, *MARKS, 1.0)


def test_success_forgets_every_refusal_of_the_entry():
    """After a success the directory counts from 0 again, and so does the shield; others keep theirs."""
    shield = shield_that_refused_once()
    shield.note_refusal(SECTION, DN, Secret("another"), *MARKS, 1.0)
    shield.note_refusal(SECTION, "CN=Bob", WRONG, *MARKS, 1.0)
    shield.note_success(DN)
    shield.note_success("CN=Nobody")
    assert not shield.refused_before(SECTION, DN, WRONG, *MARKS, 2.0)
    assert shield.refused_before(SECTION, "CN=Bob", WRONG, *MARKS, 2.0)
    assert len(shield) == 1


@pytest.mark.parametrize(
    ("pwd_last_set", "lockout_time"), [(132223104000000001, 0), (132223104000000000, 5), (None, 0), (0, 0)]
)
def test_reset_password_works_at_once(pwd_last_set, lockout_time):
    """When pwdLastSet or lockoutTime of the entry has changed, what was refused before it is asked again."""
    shield = shield_that_refused_once()
    assert not shield.refused_before(SECTION, DN, WRONG, pwd_last_set, lockout_time, 1.0)
    assert len(shield) == 0
    shield.note_refusal(SECTION, DN, WRONG, pwd_last_set, lockout_time, 1.0)
    assert shield.refused_before(SECTION, DN, WRONG, pwd_last_set, lockout_time, 60.9)


def test_refusal_that_was_read_before_a_reset_does_not_outlive_it():
    """Who resets the password between search and bind is not refused: the marks are those before the bind."""
    shield = LockoutShield(KEY)
    shield.note_refusal(SECTION, DN, WRONG, 1, 0, 0.0)
    assert not shield.refused_before(SECTION, DN, WRONG, 2, 0, 0.1)


def test_directory_without_marks():
    """A directory that has neither attribute is shielded all the same."""
    shield = LockoutShield(KEY)
    shield.note_refusal(SECTION, DN, WRONG, None, None, 0.0)
    assert shield.refused_before(SECTION, DN, WRONG, None, None, 1.0)


def test_stranger_cannot_push_out_what_the_owners_phone_repeats():
    """Other wrong passwords for the same user never make the shield forget: a repeated one costs one count a minute."""
    directory = CountingDirectory(LockoutShield(KEY))
    directory.login(DN, "the phone's", 0.0)
    for number in range(50):
        directory.login(DN, f"a stranger's {number}", 1.0 + number)
    strangers = directory.counts[DN] - 1
    for second in range(1, 60):
        directory.login(DN, "the phone's", float(second))
    assert directory.counts[DN] == strangers + 1
    assert len(directory.shield) == MAX_REFUSALS_PER_USER


def test_full_shield_forgets_nothing_early():
    """Whoever fills all of it makes it forget no one: those who were shielded stay so until their 60 s are over."""
    shield = LockoutShield(KEY, max_refusals=1000)
    directory = CountingDirectory(shield)
    directory.login(DN, "the phone's", 0.0)
    for number in range(2000):
        directory.login(f"CN=User {number // 5}", f"a stranger's {number}", 1.0)
    assert len(shield) == 1000
    for second in range(1, 60):
        directory.login(DN, "the phone's", float(second))
    assert directory.counts[DN] == 1


def test_full_shield_learns_again_when_something_has_run_out():
    """What a full shield does not learn costs what it costs without one; as soon as there is room, it learns."""
    shield = LockoutShield(KEY, max_refusals=2)
    directory = CountingDirectory(shield)
    directory.login("CN=One", "x", 0.0)
    directory.login("CN=Two", "x", 30.0)
    directory.login(DN, "y", 31.0)
    directory.login(DN, "y", 32.0)
    assert directory.counts[DN] == 2
    directory.login(DN, "y", 60.0)
    directory.login(DN, "y", 61.0)
    assert directory.counts[DN] == 3
    assert directory.counts["CN=Two"] == 1


def test_five_of_a_user_and_ten_thousand_in_all():
    """The bounds that are documented are the bounds."""
    shield = LockoutShield(KEY)
    for number in range(MAX_REFUSALS + 10):
        shield.note_refusal(SECTION, f"CN={number // 5}", Secret(str(number)), *MARKS, 0.0)
    assert len(shield) == MAX_REFUSALS == 10_000
    assert MAX_REFUSALS_PER_USER == 5
    assert not shield.refused_before(SECTION, DN, WRONG, *MARKS, 60.0)
    assert len(shield) == 0


def test_nothing_of_it_shows_a_password():
    """What is kept of a password is an HMAC under the key: with another key it is another value."""
    first, second = shield_that_refused_once(), LockoutShield(bytes(32))
    second.note_refusal(SECTION, DN, WRONG, *MARKS, 0.0)
    assert not set(first._refusals) & set(second._refusals)
    assert "old password" not in repr(vars(first))


def test_short_key_is_refused():
    """A key that could be guessed is a mistake of ours."""
    with pytest.raises(ValueError, match="at least 32 octets"):
        LockoutShield(b"short")
