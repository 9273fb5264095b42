"""The few LDAP messages that a proxy reads or writes by itself, between all those that it relays as they are.

Owns: which operation a tag is, what stands in a bind, in the requests that must not be relayed as they are (StartTLS,
Abandon, Cancel) and in a search of the root DSE; another message id in a message, everything else in it unchanged; and
the answers that the proxy gives in its own name. It must not know who may bind.

What is read is bounded by its message, which framing has bounded; nothing here goes deeper than an operation's own
elements.

Source: RFC 4511 §4; RFC 3909; RFC 4532.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from attrs import field, frozen

from duoproxy.ldap.ber import (
    ENUMERATED,
    INTEGER,
    OCTET_STRING,
    SEQUENCE,
    fault,
    read_element,
    read_number,
    take_element,
    write_element,
    write_number,
)
from duoproxy.ldap.framing import MAX_MESSAGE_ID, MessageHead
from duoproxy.secret import Secret

START_TLS: Final = b"1.3.6.1.4.1.1466.20037"
WHO_AM_I: Final = b"1.3.6.1.4.1.4203.1.11.3"
CANCEL: Final = b"1.3.6.1.1.8"
NOTICE_OF_DISCONNECTION: Final = b"1.3.6.1.4.1.1466.20036"
MAX_DIAGNOSTIC_OCTETS: Final = 1024

_SIMPLE, _SASL = 0x80, 0xA3
_REQUEST_NAME, _REQUEST_VALUE, _RESPONSE_NAME, _RESPONSE_VALUE = 0x80, 0x81, 0x8A, 0x8B
_SEARCH_BASE_SCOPE: Final = 0


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


class Response(enum.IntEnum):
    """The operations that a server sends. Source: RFC 4511 §4.2 to §4.13."""

    BIND = 0x61
    SEARCH_ENTRY = 0x64
    SEARCH_DONE = 0x65
    SEARCH_REFERENCE = 0x73
    MODIFY = 0x67
    ADD = 0x69
    DELETE = 0x6B
    MODIFY_DN = 0x6D
    COMPARE = 0x6F
    EXTENDED = 0x78
    INTERMEDIATE = 0x79


FINAL_RESPONSE: Final[Mapping[int, Response]] = MappingProxyType(
    {
        Request.BIND: Response.BIND,
        Request.SEARCH: Response.SEARCH_DONE,
        Request.MODIFY: Response.MODIFY,
        Request.ADD: Response.ADD,
        Request.DELETE: Response.DELETE,
        Request.MODIFY_DN: Response.MODIFY_DN,
        Request.COMPARE: Response.COMPARE,
        Request.EXTENDED: Response.EXTENDED,
    }
)
"""Which response ends which request; unbind and abandon have none."""


class ResultCode(enum.IntEnum):
    """The results that the proxy gives or acts on. Source: RFC 4511 App. A; RFC 3909 §3 (118 to 121)."""

    SUCCESS = 0
    OPERATIONS_ERROR = 1
    PROTOCOL_ERROR = 2
    TIME_LIMIT_EXCEEDED = 3
    SIZE_LIMIT_EXCEEDED = 4
    AUTH_METHOD_NOT_SUPPORTED = 7
    STRONGER_AUTH_REQUIRED = 8
    REFERRAL = 10
    UNAVAILABLE_CRITICAL_EXTENSION = 12
    CONFIDENTIALITY_REQUIRED = 13
    SASL_BIND_IN_PROGRESS = 14
    INAPPROPRIATE_MATCHING = 18
    NO_SUCH_OBJECT = 32
    INVALID_DN_SYNTAX = 34
    INAPPROPRIATE_AUTHENTICATION = 48
    INVALID_CREDENTIALS = 49
    BUSY = 51
    UNAVAILABLE = 52
    UNWILLING_TO_PERFORM = 53
    OTHER = 80
    NO_SUCH_OPERATION = 119


@frozen
class BindRequest:
    """Who a client says that it is.

    Attributes:
        version: of LDAP.
        name: a DN, or another name that the directory takes; as its octets came.
        password: of a simple bind; None for every other kind.
        controls: the controls behind it, with their tag; empty when there are none.
    """

    version: int
    name: bytes
    password: Secret | None
    controls: bytes = field(default=b"", repr=False)

    @property
    def is_anonymous(self) -> bool:
        """Whether it names nobody and has no password. Source: RFC 4513 §5.1.1."""
        return not self.name and self.password is not None and not len(self.password)


def read_bind(octets: bytes, head: MessageHead) -> BindRequest:
    """Read a bind, each of its parts exactly where it belongs and nothing beside.

    Raises:
        RemoteProtocolError: CLOSE: it is none.

    Source: RFC 4511 §4.2.
    """
    _, at, end = read_element(octets, head.operation_offset, head.operation_end)
    version = take_element(octets, at, end, INTEGER, "the version of a bind")
    name = take_element(octets, version[2], end, OCTET_STRING, "the name of a bind")
    tag, begin, credentials_end = read_element(octets, name[2], end)
    if credentials_end != end:
        raise fault("something follows the credentials of a bind")
    password = Secret(octets[begin:credentials_end]) if tag == _SIMPLE else None
    controls = octets[head.operation_end :]
    return BindRequest(read_number(octets, version), octets[name[1] : name[2]], password, controls)


def write_simple_bind(message_id: int, name: bytes, password: Secret, controls: bytes = b"") -> bytes:
    """Write a simple bind of version 3; `controls` with their tag, as they came. Source: RFC 4511 §4.2."""
    operation = write_element(
        Request.BIND,
        write_number(3),
        write_element(OCTET_STRING, name),
        write_element(_SIMPLE, password.reveal()),
    )
    return write_element(SEQUENCE, write_number(message_id), operation, controls)


def read_extended_name(octets: bytes, head: MessageHead) -> bytes:
    """Give the OID of an extended request.

    Raises:
        RemoteProtocolError: CLOSE: it has none.

    Source: RFC 4511 §4.12.
    """
    _, at, end = read_element(octets, head.operation_offset, head.operation_end)
    _, begin, name_end = take_element(octets, at, end, _REQUEST_NAME, "the name of an extended request")
    return octets[begin:name_end]


def read_response_name(octets: bytes, head: MessageHead) -> bytes:
    """Give the OID of an extended response; empty for one without. Source: RFC 4511 §4.12.

    Raises:
        RemoteProtocolError: CLOSE: its elements do not fill it.
    """
    return _read_response_part(octets, head, _RESPONSE_NAME)


def read_response_value(octets: bytes, head: MessageHead) -> bytes:
    """Give the value of an extended response; empty for one without. Source: RFC 4511 §4.12.

    Raises:
        RemoteProtocolError: CLOSE: its elements do not fill it.
    """
    return _read_response_part(octets, head, _RESPONSE_VALUE)


def _read_response_part(octets: bytes, head: MessageHead, wanted: int) -> bytes:
    _, at, end = read_element(octets, head.operation_offset, head.operation_end)
    while at < end:
        tag, begin, at = read_element(octets, at, end)
        if tag == wanted:
            return octets[begin:at]
    return b""


def read_result(octets: bytes, head: MessageHead) -> tuple[int, str]:
    """Give resultCode and diagnosticMessage of a response.

    Raises:
        RemoteProtocolError: CLOSE: it is no LDAPResult.

    Source: RFC 4511 §4.1.9.
    """
    _, at, end = read_element(octets, head.operation_offset, head.operation_end)
    code = take_element(octets, at, end, ENUMERATED, "a resultCode")
    matched = take_element(octets, code[2], end, OCTET_STRING, "a matchedDN")
    said = take_element(octets, matched[2], end, OCTET_STRING, "a diagnosticMessage")
    text = octets[said[1] : min(said[2], said[1] + MAX_DIAGNOSTIC_OCTETS)].decode("utf-8", "replace")
    return read_number(octets, code), text


def read_abandoned(octets: bytes, head: MessageHead) -> int:
    """Give the message id that an Abandon names.

    Raises:
        RemoteProtocolError: CLOSE: it names none.

    Source: RFC 4511 §4.11.
    """
    element = read_element(octets, head.operation_offset, head.operation_end)
    return _checked_id(read_number(octets, element))


def write_abandon(message_id: int, abandoned: int) -> bytes:
    """Write an Abandon. Source: RFC 4511 §4.11."""
    return write_element(SEQUENCE, write_number(message_id), write_number(abandoned, Request.ABANDON))


def write_unbind(message_id: int) -> bytes:
    """Write an Unbind. Source: RFC 4511 §4.3."""
    return write_element(SEQUENCE, write_number(message_id), write_element(Request.UNBIND))


def read_cancelled(octets: bytes, head: MessageHead) -> int:
    """Give the message id that a Cancel names.

    Raises:
        RemoteProtocolError: CLOSE: it names none.

    Source: RFC 3909 §2.1.
    """
    _, at, end = read_element(octets, head.operation_offset, head.operation_end)
    name = take_element(octets, at, end, _REQUEST_NAME, "the name of an extended request")
    _, at, end = take_element(octets, name[2], end, _REQUEST_VALUE, "the value of a Cancel")
    _, at, end = take_element(octets, at, end, SEQUENCE, "the value of a Cancel")
    return _checked_id(read_number(octets, take_element(octets, at, end, INTEGER, "the id in a Cancel")))


def write_cancel(message_id: int, cancelled: int, controls: bytes = b"") -> bytes:
    """Write a Cancel; `controls` as they came. Source: RFC 3909 §2.1."""
    value = write_element(SEQUENCE, write_number(cancelled))
    operation = write_element(
        Request.EXTENDED, write_element(_REQUEST_NAME, CANCEL), write_element(_REQUEST_VALUE, value)
    )
    return write_element(SEQUENCE, write_number(message_id), operation, controls)


def write_who_am_i(message_id: int) -> bytes:
    """Write the question who is bound. Source: RFC 4532 §2.1."""
    operation = write_element(Request.EXTENDED, write_element(_REQUEST_NAME, WHO_AM_I))
    return write_element(SEQUENCE, write_number(message_id), operation)


def asks_root_dse(octets: bytes, head: MessageHead) -> bool:
    """Tell whether a search asks for the root DSE alone: the empty DN, and nothing below it.

    Raises:
        RemoteProtocolError: CLOSE: it is no search.

    Source: RFC 4511 §4.5.1; RFC 4512 §5.1.
    """
    _, at, end = read_element(octets, head.operation_offset, head.operation_end)
    base = take_element(octets, at, end, OCTET_STRING, "the base of a search")
    scope = take_element(octets, base[2], end, ENUMERATED, "the scope of a search")
    return base[1] == base[2] and read_number(octets, scope) == _SEARCH_BASE_SCOPE


def with_message_id(octets: bytes, head: MessageHead, message_id: int) -> bytes:
    """Give a message another id; operation and controls stay as they are, octet for octet.

    The length in front keeps its form (Active Directory writes four octets where one would do) where the new one fits.

    Source: RFC 4511 §4.1.1.
    """
    if message_id == head.message_id:
        return octets
    rest = octets[head.operation_offset :]
    number = write_number(message_id)
    length = len(number) + len(rest)
    long_form = octets[1] & 0x7F if octets[1] >= 0x80 else 0
    if long_form and length < 1 << 8 * long_form:
        return b"".join((bytes((SEQUENCE, octets[1])), length.to_bytes(long_form, "big"), number, rest))
    return write_element(SEQUENCE, number, rest)


def write_result(message_id: int, response: Response, code: int, text: str = "") -> bytes:
    """Write the response that ends a request. Source: RFC 4511 §4.1.9."""
    return write_element(SEQUENCE, write_number(message_id), write_element(response, _result(code, text)))


def write_extended_response(message_id: int, code: int, text: str = "", name: bytes = b"") -> bytes:
    """Write the response to an extended request, with its OID where there is one. Source: RFC 4511 §4.12."""
    named = write_element(_RESPONSE_NAME, name) if name else b""
    return write_element(
        SEQUENCE, write_number(message_id), write_element(Response.EXTENDED, _result(code, text), named)
    )


def write_notice_of_disconnection(code: int, text: str) -> bytes:
    """Write what stands before the end of a connection. Source: RFC 4511 §4.4.1."""
    return write_extended_response(0, code, text, NOTICE_OF_DISCONNECTION)


def _result(code: int, text: str) -> bytes:
    said = text.encode("utf-8", "replace")[:MAX_DIAGNOSTIC_OCTETS].decode("utf-8", "ignore").encode()
    return write_number(code, ENUMERATED) + write_element(OCTET_STRING) + write_element(OCTET_STRING, said)


def _checked_id(message_id: int) -> int:
    if not 0 <= message_id <= MAX_MESSAGE_ID:
        raise fault(f"the LDAP message id {message_id} is outside 0 to {MAX_MESSAGE_ID}")
    return message_id
