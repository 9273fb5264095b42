"""What the connectivity tool tries of a directory: each server as the service account, then the groups.

The service account is tried at one server after the other, and at no further one once its password was refused: each
try would count towards its lock-out. What several sections may share stands here; this is no section itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

from attrs import define, frozen

from duoproxy.net.directory_groups import GroupCheck
from duoproxy.net.ldap_directory import Directory
from duoproxy.net.ldap_faults import ServiceBindRefused
from duoproxy.net.ldap_sentences import group_missing
from duoproxy.sections.checks import Check, CheckFinding, CheckLevel

MARGIN_S: Final = 10.0
"""For looking names up, beside the time that each server has."""


@frozen
class TriedDirectory:
    """A directory that is tried.

    Attributes:
        make: makes it; each check starts one of its own and stops it.
        hosts: its servers, as they are named to administrators, in its order.
        base: where users are searched.
        groups: DNs; members of these alone may log in.
        timeout_s: what each server has.
    """

    make: Callable[[], Directory]
    hosts: Sequence[str]
    base: str
    groups: Sequence[str]
    timeout_s: float


def directory_checks(tried: TriedDirectory) -> Sequence[Check]:
    """List what is tried of a directory."""
    trial, limit_s = _Trial(tried), tried.timeout_s + MARGIN_S
    checks = [
        Check(f"directory {host}", partial(trial.try_host, index), limit_s) for index, host in enumerate(tried.hosts)
    ]
    if tried.groups:
        checks.append(Check("groups of security_group_dn", trial.look_for_groups, limit_s))
    return checks


@define
class _Trial:
    """What the checks of one section learn from each other."""

    tried: TriedDirectory
    refused_by: str = ""
    somebody_answered: bool = False

    async def try_host(self, index: int) -> Sequence[CheckFinding]:
        """Connect, go over to TLS, bind, and look at the search base."""
        host = self.tried.hosts[index]
        if self.refused_by:
            what = f"Directory {host} was not tried, because {self.refused_by} refuses the service account"
            return [CheckFinding(CheckLevel.INFO, what, "Each further try would count towards its lock-out")]
        directory = self.tried.make()
        try:
            await directory.start()
            fault = await directory.probe_host(index, self.tried.base)
        finally:
            await directory.stop()
        if fault is None:
            self.somebody_answered = True
            return []
        remedy = fault.remedy
        if isinstance(fault, ServiceBindRefused) and fault.wrong_credentials:
            self.refused_by = host
            remedy = f"Check service_account_username and service_account_password. {remedy[:1].upper()}{remedy[1:]}"
        return [CheckFinding(CheckLevel.ERROR, f"Directory {host}: {fault.cause}", remedy)]

    async def look_for_groups(self) -> Sequence[CheckFinding]:
        """See that each group is there, if there is anybody to ask."""
        if not self.somebody_answered:
            return []
        directory = self.tried.make()
        try:
            await directory.start()
            missing = await GroupCheck(directory, self.tried.groups, nested=False).missing()
        finally:
            await directory.stop()
        return [CheckFinding(CheckLevel.ERROR, *group_missing(group)) for group in missing]
