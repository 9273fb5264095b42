"""A directory in memory in place of `duoproxy.net.ldap_directory.Directory`: real searches, binds as the test says."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from duoproxy.errors import PrimaryUnreachable
from duoproxy.ldap.active_directory import encode_sid
from duoproxy.ldap.ber import read_element
from duoproxy.net.ldap_answers import Entry, Result
from duoproxy.net.ldap_directory import BindResult, Credentials, Found, Scope, SimpleCredentials
from duoproxy.sandbox.directory_filters import read_filter
from duoproxy.sandbox.directory_tree import DirectoryEntry, DirectoryTree

SERVER = "dc1:389"
BASE_DN = "DC=corp,DC=example"
ALICE = f"CN=Alice Ärmel,CN=Users,{BASE_DN}"
WRONG_PASSWORD = "80090308: LdapErr: DSID-0C090439, comment: AcceptSecurityContext error, data 52e, v4563"


class FakeDirectory:
    """Entries, what was searched, and who bound.

    Attributes:
        searches: base and attributes of each search, in order.
        binds: the credentials of each bind, in order.
        bind_results: what binds are answered, in order; the last one again and again.
        search_result: in place of what the search would find.
        unreachable: every call raises PrimaryUnreachable.
        sentences: what `probe` finds.
    """

    def __init__(self, *, root_dse: dict[str, Any] | None = None) -> None:
        self.entries = [_entry(BASE_DN, objectClass="domain"), _entry(f"CN=Users,{BASE_DN}", objectClass="container")]
        self.root_dse = _entry("", objectClass="top", **(root_dse or {}))
        self.searches: list[tuple[str, tuple[str, ...]]] = []
        self.binds: list[Credentials] = []
        self.bind_results: list[Result | str] = [Result(0)]
        self.search_result: Result | None = None
        self.unreachable = False
        self.sentences: list[str] = []

    def add(self, dn: str, **attributes: Any) -> DirectoryEntry:
        """Add an entry; of an attribute with several values, a list of them."""
        entry = _entry(dn, **attributes)
        self.entries.append(entry)
        return entry

    def add_group(self, name: str, *members: str, **attributes: Any) -> str:
        """Add a group; give its DN."""
        return self.add(f"CN={name},OU=Groups,{BASE_DN}", objectClass="group", member=list(members), **attributes).dn

    async def search(
        self,
        base: bytes | str,
        scope: Scope,
        wanted: Any,
        attributes: Sequence[str] = (),
        *,
        size_limit: int = 0,
    ) -> Found:
        """Search what was added, with the filter that would go over the wire."""
        octets = base.encode() if isinstance(base, str) else base
        self.searches.append((octets.decode(), tuple(attributes)))
        self._require_reachable()
        if self.search_result is not None:
            return Found(self.search_result, (), (), SERVER)
        filter_octets = bytes(wanted.toWire())
        read = read_filter(filter_octets, read_element(filter_octets, 0, len(filter_octets)))
        found = self._tree().search(self._by_sid(octets), int(scope), read, size_limit)
        names = tuple(name.lower() for name in attributes) or ("1.1",)
        entries = [Entry(e.dn.encode(), {n.lower(): v for n, v in e.shown(names)}) for e in found.entries]
        return Found(Result(found.code), tuple(entries), (), SERVER)

    async def bind_user(self, credentials: Credentials) -> BindResult:
        """Answer as the test said."""
        self._require_reachable()
        self.binds.append(credentials)
        result = self.bind_results.pop(0) if len(self.bind_results) > 1 else self.bind_results[0]
        return BindResult(None, "", result) if isinstance(result, str) else BindResult(result, SERVER)

    async def start(self) -> None:
        """Nothing is looked up."""

    async def stop(self) -> None:
        """Nothing is open."""

    async def probe(self, base: str) -> list[str]:
        """Find what the test said."""
        return self.sentences

    def passwords(self) -> list[str]:
        """The passwords that were sent, in order."""
        return [credentials.password.reveal_text() for credentials in self.binds]

    def bound_dns(self) -> list[str]:
        """The names of simple binds, in order."""
        return [each.name.decode() for each in self.binds if isinstance(each, SimpleCredentials)]

    def _require_reachable(self) -> None:
        if self.unreachable:
            raise PrimaryUnreachable(f"directory {SERVER}", "no answer within 10 s")

    def _tree(self) -> DirectoryTree:
        """Put the tree together, with memberOf as a server would compute it."""
        tree = DirectoryTree(self.root_dse, self.entries)
        for entry in self.entries:
            entry.set("memberOf", *[each.dn for each in self.entries if _has_member(each, entry.dn)])
        return tree

    def _by_sid(self, base: bytes) -> bytes:
        if not base.startswith(b"<SID="):
            return base
        sid = encode_sid(base[5:-1].decode())
        return next(entry.dn.encode() for entry in self.entries if entry.values.get("objectsid") == (sid,))


def _entry(dn: str, **attributes: Any) -> DirectoryEntry:
    entry = DirectoryEntry(dn)
    entry.set("objectClass", "top")
    for name, value in attributes.items():
        entry.set(name.replace("__", "-"), *(value if isinstance(value, list) else [value]))
    return entry


def _has_member(group: DirectoryEntry, dn: str) -> bool:
    return dn.encode() in (*group.values.get("member", ()), *group.values.get("uniquemember", ()))
