"""What a client section for directories offers to a section that relays LDAP: connections, and who somebody is.

Sections never import each other: this is the narrow door between the two. It is no section itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol, runtime_checkable

from attrs import frozen

from duoproxy.ldap.lockout_policy import second_attempt_is_safe
from duoproxy.ldap.lockout_shield import LockoutShield
from duoproxy.ldap.names import looks_like_dn, split_username
from duoproxy.ldap.refusals import RefusalKind, explain
from duoproxy.net.directory_groups import GroupCheck
from duoproxy.net.directory_policy import LockoutPolicies
from duoproxy.net.directory_users import DirectoryUser, NotFound, UserFinder
from duoproxy.net.ldap_bind_attempt import BindAnswer
from duoproxy.net.ldap_directory import Directory
from duoproxy.net.ldap_relay import RelayConnection
from duoproxy.secret import Secret

DIRECTORY: Final = "directory"
"""What a client section offers that has a `BindDirectory`, in its schema."""
SHIELDED = (
    "the same wrong password was refused less than a minute ago, and is refused from memory so that the account does "
    "not lock; correct the password on the user's devices (lockout_shield)"
)

_OTHER_FORM = r"the name of the bind is neither a DN, nor user@domain, nor DOMAIN\user"


@frozen
class RefusedBind:
    """What a directory's no to a user's bind means.

    Attributes:
        reason: for the log.
        alternative_is_safe: whether another password may be tried now, as `PrimaryOutcome` has it.
    """

    reason: str
    alternative_is_safe: bool | None


class BindDirectory(Protocol):
    """A directory, as a section that relays binds sees it."""

    @property
    def answer_limit_s(self) -> float:
        """Seconds in which a server answers a bind."""

    async def open_relay(self) -> RelayConnection:
        """Open a connection for one client; raise `PrimaryUnreachable`."""

    async def find(self, name: bytes) -> DirectoryUser | NotFound:
        """Find the entry that a bind names; raise `PrimaryUnreachable`."""

    async def why_not(self, user: DirectoryUser) -> str:
        """Say why a user may not log in by this section; empty when they may; raise `PrimaryUnreachable`."""

    def name_of(self, user: DirectoryUser) -> str:
        """Give the user's name, by which Duo knows them; empty when there is no one name."""

    def is_shielded(self, user: DirectoryUser, password: Secret) -> bool:
        """Whether this password is refused without asking the directory."""

    async def refused(self, user: DirectoryUser | None, password: Secret, answer: BindAnswer) -> RefusedBind:
        """Note that the directory refused a password, and say what that means."""

    async def second_is_safe(self, user: DirectoryUser) -> bool | None:
        """Whether another password of this user may be tried without locking the account."""

    def note_success(self, user: DirectoryUser) -> None:
        """Note that the directory took a password."""


@runtime_checkable
class OffersBindDirectory(Protocol):
    """A client section that offers its directory for relayed binds."""

    @property
    def bind_directory(self) -> BindDirectory:
        """The directory."""


class RelayedDirectory:
    """The directory of an [ad_client] as a `BindDirectory`."""

    def __init__(
        self,
        section: str,
        directory: Directory,
        users: UserFinder,
        groups: GroupCheck,
        policies: LockoutPolicies,
        shield: LockoutShield | None,
        timeout_s: float,
        clocks: tuple[Callable[[], float], Callable[[], float]],
    ) -> None:
        """Keep what the section has made.

        Args:
            section: its name.
            directory: its servers.
            users: finds entries.
            groups: who may log in.
            policies: when accounts lock.
            shield: remembers wrong passwords; None: nobody does.
            timeout_s: seconds for each answer of a server.
            clocks: seconds, monotonic; and seconds since 1970, UTC.
        """
        self._section = section
        self._directory = directory
        self._users = users
        self._groups = groups
        self._policies = policies
        self._shield = shield
        self._seconds, self._wall_clock = clocks
        self.answer_limit_s = timeout_s

    async def open_relay(self) -> RelayConnection:
        """Open a connection for one client."""
        return await self._directory.open_relay()

    async def find(self, name: bytes) -> DirectoryUser | NotFound:
        r"""Find the entry of a DN, `alice@example.com` or `CORP\alice`."""
        text = name.decode("utf-8", "surrogateescape")
        if looks_like_dn(text):
            return await self._users.find_dn(name)
        parts = split_username(text)
        if parts.netbios_domain or parts.upn_suffix:
            return await self._users.find(text)
        return NotFound(_OTHER_FORM)

    async def why_not(self, user: DirectoryUser) -> str:
        """Check search_dn, ldap_filter and the groups."""
        reason = await self._users.admits(user)
        if not reason and not await self._groups.admits(user):
            reason = f"{user.entry.dn_text} is in none of the groups of security_group_dn"
        return reason

    def name_of(self, user: DirectoryUser) -> str:
        """Give the username_attribute of the entry."""
        return self._users.name_of(user)

    def is_shielded(self, user: DirectoryUser, password: Secret) -> bool:
        """Ask the lock-out shield."""
        if self._shield is None:
            return False
        account = user.account
        return self._shield.refused_before(
            self._section, user.entry.dn, password, account.pwd_last_set, account.lockout_time, self._seconds()
        )

    async def refused(self, user: DirectoryUser | None, password: Secret, answer: BindAnswer) -> RefusedBind:
        """Tell the lock-out shield, and put the refusal into words."""
        refusal = explain(answer.code, answer.text, answer.server)
        if user is None:
            return RefusedBind(refusal.sentence, alternative_is_safe=False)
        account = user.account
        if self._shield is not None and refusal.is_wrong_password_52e:
            self._shield.note_refusal(
                self._section, user.entry.dn, password, account.pwd_last_set, account.lockout_time, self._seconds()
            )
        wrong = refusal.kind is RefusalKind.WRONG_PASSWORD
        return RefusedBind(refusal.sentence, await self.second_is_safe(user) if wrong else False)

    async def second_is_safe(self, user: DirectoryUser) -> bool | None:
        """Read the lock-out policy."""
        policy = await self._policies.of(user.account)
        return second_attempt_is_safe(user.account, policy, self._wall_clock())

    def note_success(self, user: DirectoryUser) -> None:
        """Tell the lock-out shield."""
        if self._shield is not None:
            self._shield.note_success(user.entry.dn)
