"""Reading from a directory when its accounts lock, for the rule of append mode.

The policy of the domain is read once in `POLICY_LIFE_S`; a fine-grained one each time, because it is another for each
user.

Source: MS-ADA1 (lockoutThreshold, lockOutObservationWindow), MS-ADA2 (msDS-ResultantPSO).
"""

from __future__ import annotations

from collections.abc import Callable

from duoproxy.ldap.active_directory import AccountFacts
from duoproxy.ldap.lockout_policy import (
    DOMAIN_POLICY_ATTRIBUTES,
    PSO_POLICY_ATTRIBUTES,
    UNREADABLE,
    LockoutPolicy,
    policy_for,
    read_domain_policy,
    read_pso_policy,
)
from duoproxy.ldap.messages import ResultCode
from duoproxy.net.ldap_answers import Entry
from duoproxy.net.ldap_directory import Directory, Scope
from duoproxy.net.ldap_filters import present

POLICY_LIFE_S = 600.0


class LockoutPolicies:
    """Knows the policy of one domain, and asks for those of single users."""

    def __init__(self, directory: Directory, domain_dn: str, clock: Callable[[], float]) -> None:
        """Prepare.

        Args:
            directory: who is asked.
            domain_dn: the entry of the domain (`DC=example,DC=com`); empty where there is none.
            clock: seconds, monotonic.
        """
        self._directory = directory
        self._domain_dn = domain_dn
        self._clock = clock
        self._domain = UNREADABLE
        self._read_at: float | None = None

    async def of(self, account: AccountFacts) -> LockoutPolicy:
        """Give the policy that holds for an account.

        Raises:
            PrimaryUnreachable: no server answered.
        """
        pso = None
        if account.resultant_pso:
            entry = await self._read(account.resultant_pso, PSO_POLICY_ATTRIBUTES)
            pso = read_pso_policy(entry.attributes) if entry is not None else None
        return policy_for(account, await self._of_the_domain(), pso)

    async def _of_the_domain(self) -> LockoutPolicy:
        now = self._clock()
        if self._domain_dn and (self._read_at is None or now - self._read_at >= POLICY_LIFE_S):
            entry = await self._read(self._domain_dn, DOMAIN_POLICY_ATTRIBUTES)
            self._domain = read_domain_policy(entry.attributes) if entry is not None else UNREADABLE
            self._read_at = now
        return self._domain

    async def _read(self, dn: bytes | str, attributes: tuple[str, ...]) -> Entry | None:
        found = await self._directory.search(dn, Scope.BASE, present("objectClass"), attributes, size_limit=1)
        return found.entries[0] if found.result.code == ResultCode.SUCCESS and found.entries else None
