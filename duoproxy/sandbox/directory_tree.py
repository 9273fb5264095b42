"""The entries of the stand-in directory: where they stand, what they hold, and which of them a search finds.

Knows neither passwords nor the wire. Every search looks at every entry: there are a few dozen.

Source: RFC 4511 §4.5; RFC 4512 §5.1 (root DSE).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from attrs import define, field, frozen

from duoproxy.ldap.messages import ResultCode
from duoproxy.ldap.names import parse_dn, same_dn
from duoproxy.sandbox.directory_filters import Filter, fits

MAX_RESULTS: Final = 1_000

BASE, ONE_LEVEL, SUBTREE = 0, 1, 2

Key = tuple[tuple[tuple[str, str], ...], ...]
"""A DN in the form in which it is compared; the first part is the entry's own."""


def dn_key(dn: str | bytes) -> Key | None:
    """Bring a DN into the form in which it is compared; None when it is no DN."""
    names = parse_dn(dn)
    if names is None:
        return None
    return tuple(tuple(sorted((kind, " ".join(value.casefold().split())) for kind, value in part)) for part in names)


@define
class DirectoryEntry:
    """One entry.

    Attributes:
        dn: its name.
        values: the values of each attribute, by its name in lower case.
        spelled: how the names of attributes are written.
    """

    dn: str
    values: dict[str, tuple[bytes, ...]] = field(factory=dict)
    spelled: dict[str, str] = field(factory=dict)

    def set(self, name: str, *values: str | bytes | int) -> None:
        """Give an attribute these values; none: take it away."""
        octets = tuple(value if isinstance(value, bytes) else str(value).encode() for value in values)
        self.spelled[name.lower()] = name
        self.values[name.lower()] = octets
        if not octets:
            del self.values[name.lower()]

    def integer(self, name: str) -> int:
        """Give the number that an attribute holds; 0 when it is not there."""
        return int(self.values.get(name.lower(), (b"0",))[0])

    def shown(self, wanted: Sequence[str]) -> list[tuple[str, tuple[bytes, ...]]]:
        """Give the attributes that a search asked for (in lower case); all when it named none, or `*`."""
        names = self.values if not wanted or "*" in wanted else [name for name in wanted if name in self.values]
        return [(self.spelled[name], self.values[name]) for name in names]


@frozen
class Search:
    """What a search found.

    Attributes:
        code: the resultCode.
        entries: what is to be sent; also when the limit was reached.
    """

    code: int
    entries: tuple[DirectoryEntry, ...] = ()


class DirectoryTree:
    """All entries."""

    def __init__(self, root_dse: DirectoryEntry, entries: Iterable[DirectoryEntry]) -> None:
        """Make the tree.

        Args:
            root_dse: what a search of the empty DN finds.
            entries: each with a DN of its own.
        """
        self._root_dse = root_dse
        self._entries: dict[Key, DirectoryEntry] = {}
        for entry in entries:
            entry.set("distinguishedName", entry.dn)
            self._entries[dn_key(entry.dn) or ()] = entry

    def __iter__(self) -> Iterator[DirectoryEntry]:
        """Give the entries, the root DSE not among them."""
        return iter(self._entries.values())

    def at(self, dn: str | bytes) -> DirectoryEntry | None:
        """Find an entry by its DN."""
        key = dn_key(dn)
        return self._entries.get(key) if key else None

    def search(self, base: bytes, scope: int, wanted: Filter, size_limit: int) -> Search:
        """Search; the empty DN with the scope of one entry is the root DSE."""
        key = dn_key(base)
        if key is None:
            return Search(ResultCode.INVALID_DN_SYNTAX)
        if not key and scope == BASE:
            found = [self._root_dse] if fits(wanted, self._root_dse.values, self._leads_to) else []
            return Search(ResultCode.SUCCESS, tuple(found))
        if key not in self._entries:
            return Search(ResultCode.NO_SUCH_OBJECT)
        limit = min(size_limit or MAX_RESULTS, MAX_RESULTS)
        found = []
        for each, entry in self._entries.items():
            if not _is_in_scope(each, key, scope) or not fits(wanted, entry.values, self._leads_to):
                continue
            if len(found) == limit:
                return Search(ResultCode.SIZE_LIMIT_EXCEEDED, tuple(found))
            found.append(entry)
        return Search(ResultCode.SUCCESS, tuple(found))

    def _leads_to(self, attribute: str, start: bytes, goal: bytes) -> bool:
        """Whether an attribute leads from one entry to another, over as many entries as there are."""
        seen: set[Key] = set()
        level = [start]
        while level:
            entry = self.at(level.pop())
            key = dn_key(entry.dn) if entry is not None else None
            if entry is None or key is None or key in seen:
                continue
            seen.add(key)
            following = entry.values.get(attribute, ())
            if any(same_dn(dn, goal) for dn in following):
                return True
            level += following
        return False


def _is_in_scope(key: Key, base: Key, scope: int) -> bool:
    depth = len(key) - len(base)
    if depth < 0 or key[depth:] != base:
        return False
    return {BASE: depth == 0, ONE_LEVEL: depth == 1}.get(scope, True)
