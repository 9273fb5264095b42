"""Whether one more wrong password could lock an account: the rule of append mode.

In append mode a login may try two passwords. The second is tried only if the account cannot lock even when both are
wrong; what is read for that is the state *before* the first. Three things bound what can be known: badPwdCount is kept
by each domain controller for itself (the one with the role of PDC emulator counts for all), the policy may be
unreadable, and a fine-grained policy (msDS-ResultantPSO) replaces the domain's.

Source: MS-ADA1 to MS-ADA3 and MS-ADLS (the attributes), MS-SAMR §3.1.1.
"""

from __future__ import annotations

from attrs import frozen

from duoproxy.ldap.active_directory import (
    TICKS_PER_SECOND,
    AccountFacts,
    Attributes,
    filetime_to_unix_s,
    read_integer,
)

ATTEMPTS_OF_A_LOGIN = 2
CLOCK_SKEW_S = 300.0
"""How far the clocks of a domain may be apart (Kerberos allows no more)."""

DOMAIN_POLICY_ATTRIBUTES = ("lockoutThreshold", "lockOutObservationWindow")
"""What to read of the domain's own entry (its DC=… name)."""

PSO_POLICY_ATTRIBUTES = ("msDS-LockoutThreshold", "msDS-LockoutObservationWindow")
"""What to read of the entry that msDS-ResultantPSO names."""


@frozen
class LockoutPolicy:
    """When accounts lock; None for what could not be read.

    Attributes:
        threshold: so many wrong passwords lock an account; 0: none ever does.
        observation_window_s: this long after the last wrong password the count begins anew.
    """

    threshold: int | None = None
    observation_window_s: float | None = None


UNREADABLE = LockoutPolicy()


def read_domain_policy(attributes: Attributes) -> LockoutPolicy:
    """Read the policy of a domain from its entry."""
    return _read_policy(attributes, *DOMAIN_POLICY_ATTRIBUTES)


def read_pso_policy(attributes: Attributes) -> LockoutPolicy:
    """Read a fine-grained policy from its entry (a msDS-PasswordSettings)."""
    return _read_policy(attributes, *PSO_POLICY_ATTRIBUTES)


def _read_policy(attributes: Attributes, threshold_name: str, window_name: str) -> LockoutPolicy:
    threshold = read_integer(attributes, threshold_name)
    # Spans of time stand as negative numbers of 100 ns. Source: MS-ADA1 (lockOutObservationWindow).
    window = read_integer(attributes, window_name)
    return LockoutPolicy(
        threshold=threshold if threshold is not None and threshold >= 0 else None,
        observation_window_s=-window / TICKS_PER_SECOND if window is not None and window < 0 else None,
    )


def policy_for(account: AccountFacts, domain: LockoutPolicy, pso: LockoutPolicy | None) -> LockoutPolicy:
    """Choose the policy that holds for an account.

    Args:
        account: as its entry says.
        domain: the policy of the domain.
        pso: what the entry that the account's msDS-ResultantPSO names says; None when it could not be read.
    """
    if not account.resultant_pso:
        return domain
    return pso or UNREADABLE


def second_attempt_is_safe(account: AccountFacts, policy: LockoutPolicy, now: float) -> bool | None:
    """Tell whether a second password may be tried after the first was refused, and the account cannot lock by it.

    Args:
        account: the facts as they were read before the first attempt.
        policy: the one that holds for the account.
        now: seconds since 1970, UTC.

    Returns:
        True: badPwdCount + 2 < the threshold, or accounts never lock; False: it could lock, or was locked already;
        None: the numbers cannot be read.
    """
    if policy.threshold == 0:
        return True
    if account.was_locked:
        return False
    if policy.threshold is None or account.bad_pwd_count is None or account.bad_pwd_count < 0:
        return None
    count = 0 if _count_begins_anew(account, policy, now) else account.bad_pwd_count
    return count + ATTEMPTS_OF_A_LOGIN < policy.threshold


def _count_begins_anew(account: AccountFacts, policy: LockoutPolicy, now: float) -> bool:
    """Tell whether the observation window has passed, whatever the clocks of the domain say within their skew."""
    last = filetime_to_unix_s(account.bad_password_time or 0)
    if last is None or policy.observation_window_s is None:
        return False
    return now - last > policy.observation_window_s + CLOCK_SKEW_S
