"""The LDAP messages that the stand-in directory reads and writes, and the proxy does not: searches and entries.

Filters have a file of their own. Source: RFC 4511 §4.1.11, §4.5.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from attrs import frozen

from duoproxy.ldap.ber import (
    BOOLEAN,
    ENUMERATED,
    INTEGER,
    OCTET_STRING,
    SEQUENCE,
    SET,
    contents_of,
    fault,
    read_element,
    read_elements,
    read_number,
    take_element,
    write_element,
    write_number,
)
from duoproxy.ldap.framing import MessageHead
from duoproxy.ldap.messages import Response
from duoproxy.sandbox.directory_filters import Filter, read_filter

MAX_REQUESTED_ATTRIBUTES: Final = 200


@frozen
class SearchRequest:
    """What somebody looks for.

    Attributes:
        base: a DN.
        scope: 0 this entry, 1 those right below, 2 all from here down.
        size_limit: 0: as many as there are.
        types_only: names of attributes without values.
        wanted: the filter.
        attributes: which ones, in lower case; empty: all.
    """

    base: bytes
    scope: int
    size_limit: int
    types_only: bool
    wanted: Filter
    attributes: tuple[str, ...]


def has_critical_control(octets: bytes, head: MessageHead) -> bool:
    """Tell whether one of the controls of a message has its criticality set. Source: RFC 4511 §4.1.11.

    Raises:
        RemoteProtocolError: CLOSE: they cannot be read.
    """
    return any(
        part[0] == BOOLEAN and contents_of(octets, part) != b"\0"
        for _, at, end in read_elements(octets, head.operation_end, len(octets))
        for _, begin, control_end in read_elements(octets, at, end)
        for part in read_elements(octets, begin, control_end)
    )


def read_search(octets: bytes, head: MessageHead) -> SearchRequest:
    """Read a search. Source: RFC 4511 §4.5.1.

    Raises:
        UnsupportedFilter: the filter is one that this directory does not have.
        RemoteProtocolError: CLOSE: it is none.
    """
    _, at, end = read_element(octets, head.operation_offset, head.operation_end)
    base = take_element(octets, at, end, OCTET_STRING, "the base of a search")
    scope = take_element(octets, base[2], end, ENUMERATED, "the scope of a search")
    aliases = take_element(octets, scope[2], end, ENUMERATED, "derefAliases of a search")
    size_limit = take_element(octets, aliases[2], end, INTEGER, "the size limit of a search")
    time_limit = take_element(octets, size_limit[2], end, INTEGER, "the time limit of a search")
    types_only = take_element(octets, time_limit[2], end, BOOLEAN, "typesOnly of a search")
    wanted = read_element(octets, types_only[2], end)
    names = take_element(octets, wanted[2], end, SEQUENCE, "the attributes of a search")
    search = SearchRequest(
        contents_of(octets, base),
        read_number(octets, scope),
        read_number(octets, size_limit),
        contents_of(octets, types_only) != b"\0",
        read_filter(octets, wanted),
        tuple(contents_of(octets, n).decode("ascii", "replace").lower() for n in read_elements(octets, *names[1:])),
    )
    if not 0 <= search.scope <= 2 or search.size_limit < 0 or len(search.attributes) > MAX_REQUESTED_ATTRIBUTES:
        raise fault("a search that cannot be read")
    return search


def write_entry(message_id: int, dn: str, attributes: Sequence[tuple[str, Sequence[bytes]]]) -> bytes:
    """Write an entry that a search found. Source: RFC 4511 §4.5.2."""
    listed = (
        write_element(
            SEQUENCE,
            write_element(OCTET_STRING, name.encode("ascii")),
            write_element(SET, *(write_element(OCTET_STRING, value) for value in values)),
        )
        for name, values in attributes
    )
    entry = write_element(
        Response.SEARCH_ENTRY, write_element(OCTET_STRING, dn.encode()), write_element(SEQUENCE, *listed)
    )
    return write_element(SEQUENCE, write_number(message_id), entry)
