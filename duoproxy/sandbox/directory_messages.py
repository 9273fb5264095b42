"""LDAP messages as the stand-in directory reads and writes them.

Owns the octets of requests and answers, and shares nothing with the client in `duoproxy.net`, so that the two check
each other. Filters have a file of their own.

Source: RFC 4511 §4.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from typing import Final

from attrs import field, frozen

from duoproxy.ldap.framing import peek_message
from duoproxy.sandbox.ber import (
    BOOLEAN,
    ENUMERATED,
    INTEGER,
    OCTET_STRING,
    SEQUENCE,
    SET,
    close,
    read_elements,
    read_integer,
    take,
    write_element,
)
from duoproxy.sandbox.directory_filters import Filter, read_filter
from duoproxy.secret import Secret

MAX_REQUESTED_ATTRIBUTES: Final = 200

_SIMPLE, _EXTENDED_NAME, _RESPONSE_NAME = 0x80, 0x80, 0x8A
_ENTRY = 0x64
NOTICE_OF_DISCONNECTION: Final = b"1.3.6.1.4.1.1466.20036"


class Request(enum.IntEnum):
    """The operations that a client sends. Source: RFC 4511 §4.2 to §4.12."""

    BIND = 0x60
    UNBIND = 0x42
    SEARCH = 0x63
    MODIFY = 0x66
    ADD = 0x68
    DELETE = 0x4A
    MODIFY_DN = 0x6C
    COMPARE = 0x6E
    ABANDON = 0x50
    EXTENDED = 0x77


ANSWER_TAGS: Final[Mapping[Request, int]] = {
    Request.BIND: 0x61,
    Request.SEARCH: 0x65,
    Request.MODIFY: 0x67,
    Request.ADD: 0x69,
    Request.DELETE: 0x6B,
    Request.MODIFY_DN: 0x6D,
    Request.COMPARE: 0x6F,
    Request.EXTENDED: 0x78,
}
"""Which answer ends which request; unbind and abandon have none."""


@frozen
class BindRequest:
    """Who somebody claims to be.

    Attributes:
        version: 3.
        name: a DN or another name.
        password: None when the bind is not a simple one.
    """

    version: int
    name: bytes
    password: Secret | None


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


@frozen
class Message:
    """One request.

    Attributes:
        message_id: to be repeated in the answer.
        request: of what kind it is.
        has_critical_control: it must not be done without an extension, and there are none here.
        contents: what stands inside, for the functions below.
    """

    message_id: int
    request: Request
    has_critical_control: bool
    contents: memoryview = field(repr=False)


def read_message(octets: bytes) -> Message:
    """Read the outside of one whole message.

    Raises:
        RemoteProtocolError: CLOSE: it is no request of LDAP.
    """
    head = peek_message(octets)
    view = memoryview(octets)
    try:
        request = Request(head.operation_tag)
    except ValueError:
        raise close(f"0x{head.operation_tag:02x} is no request of LDAP") from None
    _, contents = next(read_elements(view[head.operation_offset : head.operation_end]))
    return Message(head.message_id, request, _has_critical(view[head.operation_end :]), contents)


def _has_critical(controls: memoryview) -> bool:
    """Whether one of the controls has its criticality set. Source: RFC 4511 §4.1.11."""
    for _, listed in read_elements(controls):
        for _, control in read_elements(listed):
            if any(tag == BOOLEAN and bytes(value) != b"\0" for tag, value in read_elements(control)):
                return True
    return False


def read_bind(message: Message) -> BindRequest:
    """Read a bind. Source: RFC 4511 §4.2.

    Raises:
        RemoteProtocolError: CLOSE.
    """
    parts = read_elements(message.contents)
    version = read_integer(take(parts, INTEGER))
    name = bytes(take(parts, OCTET_STRING))
    tag, password = next(parts, (0, memoryview(b"")))
    return BindRequest(version, name, Secret(bytes(password)) if tag == _SIMPLE else None)


def read_search(message: Message) -> SearchRequest:
    """Read a search. Source: RFC 4511 §4.5.1.

    Raises:
        UnsupportedFilter: the filter is one that this directory does not have.
        RemoteProtocolError: CLOSE.
    """
    parts = read_elements(message.contents)
    base = bytes(take(parts, OCTET_STRING))
    scope = read_integer(take(parts, ENUMERATED))
    take(parts, ENUMERATED)
    size_limit = read_integer(take(parts, INTEGER))
    take(parts, INTEGER)
    types_only = bytes(take(parts, BOOLEAN)) != b"\0"
    tag, contents = next(parts, (0, memoryview(b"")))
    wanted = read_filter(tag, contents)
    names = [bytes(name) for _, name in read_elements(take(parts, SEQUENCE))]
    if not 0 <= scope <= 2 or size_limit < 0 or len(names) > MAX_REQUESTED_ATTRIBUTES:
        raise close("a search that cannot be read")
    attributes = tuple(name.decode("ascii", "replace").lower() for name in names)
    return SearchRequest(base, scope, size_limit, types_only, wanted, attributes)


def read_extended_name(message: Message) -> bytes:
    """Give the OID of an extended request. Source: RFC 4511 §4.12.

    Raises:
        RemoteProtocolError: CLOSE.
    """
    return bytes(take(read_elements(message.contents), _EXTENDED_NAME))


def write_result(message_id: int, tag: int, code: int, text: str = "", matched_dn: str = "") -> bytes:
    """Write the answer that ends a request. Source: RFC 4511 §4.1.9."""
    return _message(message_id, write_element(tag, _result(code, text, matched_dn)))


def write_entry(message_id: int, dn: str, attributes: Sequence[tuple[str, Sequence[bytes]]]) -> bytes:
    """Write an entry that a search found. Source: RFC 4511 §4.5.2."""
    listed = b"".join(
        write_element(
            SEQUENCE,
            write_element(OCTET_STRING, name.encode("ascii"))
            + write_element(SET, b"".join(write_element(OCTET_STRING, value) for value in values)),
        )
        for name, values in attributes
    )
    return _message(
        message_id, write_element(_ENTRY, write_element(OCTET_STRING, dn.encode()) + write_element(SEQUENCE, listed))
    )


def write_notice_of_disconnection(code: int, text: str) -> bytes:
    """Write what stands before the end of a connection. Source: RFC 4511 §4.4.1."""
    name = write_element(_RESPONSE_NAME, NOTICE_OF_DISCONNECTION)
    return _message(0, write_element(ANSWER_TAGS[Request.EXTENDED], _result(code, text, "") + name))


def _result(code: int, text: str, matched_dn: str) -> bytes:
    texts = write_element(OCTET_STRING, matched_dn.encode()) + write_element(OCTET_STRING, text.encode())
    return write_element(ENUMERATED, bytes((code,))) + texts


def _message(message_id: int, operation: bytes) -> bytes:
    number = message_id.to_bytes(message_id.bit_length() // 8 + 1, "big")
    return write_element(SEQUENCE, write_element(INTEGER, number) + operation)
