"""Searches as ldaptor sends them.

Source: RFC 4511 §4.5.1.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Sequence
from typing import Final

from ldaptor.protocols import pureldap

from duoproxy.net.ldap_filters import Filter, present

NO_ATTRIBUTES: Final = ("1.1",)
"""Asks for entries without any of their attributes. Source: RFC 4511 §4.5.1.8."""


class Scope(enum.IntEnum):
    """How deep a search goes. Source: RFC 4511 §4.5.1.2."""

    BASE = 0
    ONE_LEVEL = 1
    SUBTREE = 2


def search_request(
    base: bytes | str,
    scope: Scope,
    wanted: Filter,
    attributes: Sequence[str] = NO_ATTRIBUTES,
    *,
    size_limit: int = 0,
    limit_s: float,
) -> pureldap.LDAPSearchRequest:
    """Make a search.

    Args:
        base: a DN; one that came from the directory in its own octets.
        scope: how deep.
        wanted: as `duoproxy.net.ldap_filters` makes them.
        attributes: which ones to give; none when empty.
        size_limit: how many entries at most; 0: as many as the server gives.
        limit_s: seconds that the server may take; it is told whole ones, and never none, which would mean no limit.
    """
    return pureldap.LDAPSearchRequest(
        baseObject=base.encode("utf-8", "surrogateescape") if isinstance(base, str) else base,
        scope=int(scope),
        sizeLimit=size_limit,
        timeLimit=_whole_seconds(limit_s),
        filter=wanted,
        attributes=list(attributes) or list(NO_ATTRIBUTES),
    )


def existence_request(base: bytes | str, *, limit_s: float) -> pureldap.LDAPSearchRequest:
    """Ask whether an entry is there, within `limit_s` seconds; the root of the server, an empty `base`, always is."""
    return search_request(base, Scope.BASE, present("objectClass"), limit_s=limit_s)


def _whole_seconds(limit_s: float) -> int:
    """Give a time limit as a search request carries it: whole seconds, at least one."""
    return max(1, math.ceil(limit_s))
