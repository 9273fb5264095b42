"""Whether a user belongs to one of the groups that may log in.

Directly, by the primary group (which Active Directory writes into no list), and, where nested groups count, through
groups in groups: by the server's own matching rule where it has it, else by asking for parents level by level.

Source: MS-ADTS §3.1.1.3.4.4.3 (matching rule in chain), §3.1.1.1.2 (SIDs); reference §1.2.
"""

from __future__ import annotations

from collections.abc import Sequence

from duoproxy.errors import RemoteProtocolError
from duoproxy.ldap.active_directory import decode_sid, primary_group_sid
from duoproxy.ldap.messages import ResultCode
from duoproxy.ldap.names import escape_dn_value, parse_dn, same_dn
from duoproxy.net.directory_users import DirectoryUser
from duoproxy.net.ldap_answers import Entry
from duoproxy.net.ldap_directory import Directory, Scope
from duoproxy.net.ldap_filters import IN_CHAIN, any_of, equal, matches_rule, present

ACTIVE_DIRECTORY_OID = b"1.2.840.113556.1.4.800"
MAX_GROUPS_EXPANDED = 1_000
MAX_DEPTH = 20
MAX_GROUPS_PER_QUERY = 50

_MEMBER_ATTRIBUTES = ("member", "uniqueMember")


class GroupCheck:
    """Knows the groups of one section."""

    def __init__(self, directory: Directory, groups: Sequence[str], *, nested: bool) -> None:
        """Prepare.

        Args:
            directory: who is asked.
            groups: DNs; a member of any of them will do.
            nested: whether groups in these groups count.
        """
        self._directory = directory
        self._groups = tuple(groups)
        self._nested = nested
        self._has_rule_in_chain: bool | None = None

    async def admits(self, user: DirectoryUser) -> bool:
        """Whether the user belongs to one of the groups; also when there are none.

        Raises:
            PrimaryUnreachable: no server answered.
        """
        if not self._groups:
            return True
        for group in self._groups:
            if await self._is_direct_member(group, user.entry.dn):
                return True
        primary = _primary_group(user)
        if primary and await self._is_one_of_the_groups(primary):
            return True
        return self._nested and await self._is_nested_member(user.entry.dn, primary)

    async def missing(self) -> list[str]:
        """Name the groups that cannot be found, for the start.

        Raises:
            PrimaryUnreachable: no server answered.
        """
        found = [(group, await self._search(group, Scope.BASE, present("objectClass"))) for group in self._groups]
        return [group for group, entries in found if not entries]

    async def _is_direct_member(self, group: str, dn: bytes) -> bool:
        wanted = any_of(*(equal(attribute, dn) for attribute in _MEMBER_ATTRIBUTES))
        return bool(await self._search(group, Scope.BASE, wanted))

    async def _is_one_of_the_groups(self, sid: bytes) -> bool:
        for group in self._groups:
            if await self._search(group, Scope.BASE, equal("objectSid", sid)):
                return True
        return False

    async def _is_nested_member(self, dn: bytes, primary: bytes) -> bool:
        if await self._server_has_rule_in_chain():
            starts = [dn, *([b"<SID=%s>" % decode_sid(primary).encode()] if primary else [])]
            return any([await self._is_in_chain(start) for start in starts])
        return await self._climbs_to_a_group(dn)

    async def _is_in_chain(self, start: bytes) -> bool:
        wanted = any_of(*(matches_rule("memberOf", IN_CHAIN, group) for group in self._groups))
        return bool(await self._search(start, Scope.BASE, wanted))

    async def _server_has_rule_in_chain(self) -> bool:
        if self._has_rule_in_chain is None:
            found = await self._search(b"", Scope.BASE, present("objectClass"), ("supportedCapabilities",))
            self._has_rule_in_chain = any(
                ACTIVE_DIRECTORY_OID in entry.values("supportedCapabilities") for entry in found
            )
        return self._has_rule_in_chain

    async def _climbs_to_a_group(self, dn: bytes) -> bool:
        """Ask for the parents of groups, level by level; each group once, so that circles end."""
        seen: set[bytes] = {dn}
        level = [dn]
        for _ in range(MAX_DEPTH):
            parents = await self._parents(level)
            level = [parent for parent in dict.fromkeys(parents) if parent not in seen]
            if any(same_dn(parent, group) for parent in level for group in self._groups):
                return True
            seen.update(level)
            if not level or len(seen) > MAX_GROUPS_EXPANDED:
                return False
        return False

    async def _parents(self, members: Sequence[bytes]) -> list[bytes]:
        found: list[bytes] = []
        for begin in range(0, len(members), MAX_GROUPS_PER_QUERY):
            part = members[begin : begin + MAX_GROUPS_PER_QUERY]
            wanted = any_of(*(equal(attribute, dn) for attribute in _MEMBER_ATTRIBUTES for dn in part))
            for base in self._bases():
                found += [entry.dn for entry in await self._search(base, Scope.SUBTREE, wanted)]
        return found

    def _bases(self) -> list[str]:
        """Where groups are looked for: the top of the tree that each security group stands in."""
        return list(dict.fromkeys(top_of_tree(group) for group in self._groups))

    async def _search(
        self, base: bytes | str, scope: Scope, wanted: object, attributes: Sequence[str] = ()
    ) -> tuple[Entry, ...]:
        found = await self._directory.search(base, scope, wanted, attributes, size_limit=MAX_GROUPS_EXPANDED)
        return found.entries if found.result.code == ResultCode.SUCCESS else ()


def _primary_group(user: DirectoryUser) -> bytes:
    """The SID of the user's primary group; empty where there is none."""
    sid, primary_id = user.entry.first("objectSid"), user.account.primary_group_id
    if sid is None or primary_id is None:
        return b""
    try:
        return primary_group_sid(sid, primary_id)
    except RemoteProtocolError:
        return b""


def top_of_tree(dn: str) -> str:
    """The DC= parts at the end of a DN, or its last part where there are none."""
    names = parse_dn(dn) or ()
    count = 0
    for name in reversed(names):
        if name[0][0] != "dc":
            break
        count += 1
    return ",".join(
        "+".join(f"{kind}={escape_dn_value(value)}" for kind, value in name) for name in names[-max(count, 1) :]
    )
