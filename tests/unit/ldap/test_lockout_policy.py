"""When a second password may be tried: badPwdCount + 2 < threshold, and what stands behind these numbers."""

from __future__ import annotations

import pytest

from duoproxy.ldap.active_directory import AccountFacts, unix_s_to_filetime
from duoproxy.ldap.lockout_policy import (
    CLOCK_SKEW_S,
    UNREADABLE,
    LockoutPolicy,
    policy_for,
    read_domain_policy,
    read_pso_policy,
    second_attempt_is_safe,
)

NOW = 1_700_000_000.0
WINDOW_S = 1800.0


def account(bad_pwd_count: int | None, age_s: float = 10.0, lockout_time: int | None = None) -> AccountFacts:
    return AccountFacts(
        lockout_time=lockout_time,
        bad_pwd_count=bad_pwd_count,
        bad_password_time=unix_s_to_filetime(NOW - age_s),
    )


@pytest.mark.parametrize(
    ("count", "threshold", "safe"),
    [
        (0, 3, True),
        (1, 3, False),
        (0, 2, False),
        (0, 1, False),
        (2, 5, True),
        (3, 5, False),
        (7, 10, True),
        (8, 10, False),
    ],
)
def test_two_more_wrong_passwords_stay_below_the_threshold(count, threshold, safe):
    """The whole string is tried only if count + 2 < threshold."""
    assert second_attempt_is_safe(account(count), LockoutPolicy(threshold, WINDOW_S), NOW) is safe


def test_threshold_0_never_locks():
    """lockoutThreshold 0: accounts never lock, whatever the count, and whether or not it can be read."""
    policy = LockoutPolicy(0)
    assert second_attempt_is_safe(account(500), policy, NOW) is True
    assert second_attempt_is_safe(AccountFacts(), policy, NOW) is True


def test_locked_account_gets_no_second_attempt():
    """lockoutTime other than 0: locked (or it was, and the count still stands)."""
    locked = account(0, lockout_time=unix_s_to_filetime(NOW - 5))
    assert second_attempt_is_safe(locked, LockoutPolicy(50, WINDOW_S), NOW) is False
    assert second_attempt_is_safe(locked, UNREADABLE, NOW) is False
    assert second_attempt_is_safe(account(0, lockout_time=0), LockoutPolicy(50, WINDOW_S), NOW) is True


@pytest.mark.parametrize(
    ("facts", "policy"),
    [
        (account(None), LockoutPolicy(5, WINDOW_S)),
        (account(-1), LockoutPolicy(5, WINDOW_S)),
        (account(0), UNREADABLE),
        (account(0), LockoutPolicy(None, WINDOW_S)),
    ],
)
def test_numbers_that_cannot_be_read(facts, policy):
    """Without count or threshold nobody knows; the caller has a rule for that."""
    assert second_attempt_is_safe(facts, policy, NOW) is None


def test_count_begins_anew_after_the_observation_window():
    """The window after the last wrong password sets the count back, but only when no clock of the domain doubts it."""
    policy = LockoutPolicy(3, WINDOW_S)
    for age_s, safe in [
        (WINDOW_S + 1, False),
        (WINDOW_S + CLOCK_SKEW_S, False),
        (WINDOW_S + CLOCK_SKEW_S + 1, True),
        (-1e6, False),
    ]:
        assert second_attempt_is_safe(account(2, age_s), policy, NOW) is safe


def test_window_that_cannot_be_read_sets_nothing_back():
    """Without the window, or without the time of the last wrong password, the count stands as it is."""
    assert second_attempt_is_safe(account(2, 1e7), LockoutPolicy(3), NOW) is False
    assert second_attempt_is_safe(AccountFacts(bad_pwd_count=2), LockoutPolicy(3, WINDOW_S), NOW) is False


def test_expired_window_does_not_help_a_threshold_of_two():
    """Two wrong passwords of one login lock such an account by themselves."""
    assert second_attempt_is_safe(account(0, 1e7), LockoutPolicy(2, WINDOW_S), NOW) is False


def test_policy_of_a_domain():
    """Spans of time stand as negative numbers of 100 ns."""
    entry = {"lockoutThreshold": [b"5"], "lockOutObservationWindow": [b"-18000000000"]}
    assert read_domain_policy(entry) == LockoutPolicy(5, 1800.0)
    assert read_domain_policy({}) == UNREADABLE
    assert read_domain_policy({"lockoutThreshold": [b"-1"], "lockOutObservationWindow": [b"0"]}) == UNREADABLE


def test_fine_grained_policy_replaces_that_of_the_domain():
    """Who has a msDS-ResultantPSO is under that, and under nothing known when it cannot be read."""
    domain = LockoutPolicy(50, WINDOW_S)
    strict = read_pso_policy(
        {
            "msDS-LockoutThreshold": [b"3"],
            "msDS-LockoutObservationWindow": [b"-36000000000"],
            "lockoutThreshold": [b"9"],
        }
    )
    assert strict == LockoutPolicy(3, 3600.0)
    fine = AccountFacts(bad_pwd_count=1, resultant_pso=b"CN=Strict")
    assert policy_for(fine, domain, strict) == strict
    assert policy_for(fine, domain, None) == UNREADABLE
    assert policy_for(AccountFacts(), domain, strict) == domain
