"""When accounts lock: the policy of the domain, kept for a while, and the fine-grained one of a user."""

from __future__ import annotations

from typing import cast

import pytest
from twisted.internet.task import Clock

from duoproxy.errors import PrimaryUnreachable
from duoproxy.ldap.active_directory import AccountFacts
from duoproxy.ldap.lockout_policy import UNREADABLE, LockoutPolicy
from duoproxy.net.directory_policy import POLICY_LIFE_S, LockoutPolicies
from duoproxy.net.ldap_answers import Result
from duoproxy.net.ldap_directory import Directory
from duoproxy.testing import run_now
from tests.unit.net.fake_directory import BASE_DN, FakeDirectory

PSO = f"CN=Strict,CN=Password Settings Container,CN=System,{BASE_DN}"
HALF_AN_HOUR = -30 * 60 * 10_000_000


def domain(threshold: int = 10) -> FakeDirectory:
    made = FakeDirectory()
    made.entries[0].set("lockoutThreshold", threshold)
    made.entries[0].set("lockOutObservationWindow", HALF_AN_HOUR)
    return made


def policies(directory: FakeDirectory, clock: Clock | None = None, dn: str = BASE_DN) -> LockoutPolicies:
    return LockoutPolicies(cast(Directory, directory), dn, (clock or Clock()).seconds)


def test_the_policy_of_the_domain_is_read_from_its_entry() -> None:
    """lockoutThreshold and lockOutObservationWindow; the window is a negative number of 100 ns."""
    assert run_now(policies(domain()).of(AccountFacts())) == LockoutPolicy(10, 1800.0)


def test_the_policy_of_the_domain_is_read_once_in_a_while() -> None:
    """Ten minutes long the same is taken; then it is read anew."""
    directory, clock = domain(10), Clock()
    asked = policies(directory, clock)
    run_now(asked.of(AccountFacts()))
    directory.entries[0].set("lockoutThreshold", 3)
    clock.advance(POLICY_LIFE_S - 1)
    assert run_now(asked.of(AccountFacts())).threshold == 10
    assert len(directory.searches) == 1
    clock.advance(1)
    assert run_now(asked.of(AccountFacts())).threshold == 3


def test_a_fine_grained_policy_replaces_that_of_the_domain() -> None:
    """Read each time, from the entry that msDS-ResultantPSO names."""
    directory = domain(10)
    directory.add(PSO, msDS__LockoutThreshold=3, msDS__LockoutObservationWindow=HALF_AN_HOUR)
    asked = policies(directory)
    account = AccountFacts(resultant_pso=PSO.encode())
    assert run_now(asked.of(account)) == LockoutPolicy(3, 1800.0)
    assert run_now(asked.of(AccountFacts())).threshold == 10


def test_a_fine_grained_policy_that_cannot_be_read_is_unknown() -> None:
    """That of the domain would be a guess, and could lock the account."""
    assert run_now(policies(domain(10)).of(AccountFacts(resultant_pso=PSO.encode()))) == UNREADABLE


def test_a_domain_that_says_nothing_is_unknown() -> None:
    """As with OpenLDAP, or without the right to read."""
    directory = domain()
    directory.search_result = Result(50)
    assert run_now(policies(directory).of(AccountFacts())) == UNREADABLE
    assert run_now(policies(FakeDirectory()).of(AccountFacts())) == UNREADABLE
    assert run_now(policies(domain(), dn="").of(AccountFacts())) == UNREADABLE


def test_a_directory_that_is_away_is_asked_again_at_the_next_login() -> None:
    """Nothing is remembered of a failure."""
    directory = domain(10)
    asked = policies(directory)
    directory.unreachable = True
    with pytest.raises(PrimaryUnreachable):
        run_now(asked.of(AccountFacts()))
    directory.unreachable = False
    assert run_now(asked.of(AccountFacts())).threshold == 10
