"""What a directory answers, as values, read out of whole messages.

Reads by itself what ldaptor's decoder would read: that one writes what it does not know to standard output, drops
referrals, takes time that grows with the square of a message, and goes as deep as a peer wants. An answer of LDAP nests
no deeper than four elements, and each of them is asked for by name here. Elements behind the known ones are ignored.

Source: RFC 4511 §4 (extensibility), §4.1.9 to §4.14, §5.1.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from attrs import evolve, field, frozen

from duoproxy.ldap.ber import (
    ENUMERATED,
    OCTET_STRING,
    SEQUENCE,
    SET,
    Element,
    contents_of,
    fault,
    read_element,
    read_elements,
    read_number,
)
from duoproxy.ldap.framing import peek_message
from duoproxy.ldap.messages import Response

MAX_DIAGNOSTIC_CHARACTERS: Final = 500
MAX_REFERRALS: Final = 16
MAX_CONTROLS: Final = 32
CONTROL_STRINGS: Final = 2
"""The OCTET STRINGs of a control: its OID and its value."""
MAX_ATTRIBUTES: Final = 1_000
MAX_VALUES: Final = 200_000
"""Of one entry; a directory gives the members of a group in ranges of 1,500 or all at once."""

_REFERRAL, _SASL_CREDENTIALS, _RESPONSE_NAME, _RESPONSE_VALUE = 0xA3, 0x87, 0x8A, 0x8B


@frozen
class Result:
    """How an operation ended.

    Attributes:
        code: the resultCode, one of `ResultCode` or another number.
        matched_dn: the part of the name that exists, where there is none of the whole.
        diagnostic: the server's text, printable and bounded.
        referrals: where else to ask (they are not followed).
        sasl_credentials: what the server adds to a bind, or None.
        name: of an extended response: its OID, or empty.
        controls: values of the response controls, by their OIDs.
        objection: of a bind with success: why it lets nobody in, as its controls say; empty: it does.
    """

    code: int
    matched_dn: str = ""
    diagnostic: str = ""
    referrals: tuple[str, ...] = ()
    sasl_credentials: bytes | None = field(default=None, repr=False)
    name: str = ""
    controls: Mapping[str, bytes] = field(factory=dict, repr=False)
    objection: str = ""


@frozen
class Entry:
    """An entry that a search found.

    Attributes:
        dn: its name, in the octets of the server; only these may be sent back to it.
        attributes: the values of each attribute that was asked for and is there; names in lower case.
    """

    dn: bytes
    attributes: Mapping[str, tuple[bytes, ...]] = field(factory=dict)

    @property
    def dn_text(self) -> str:
        """The name for logs, printable."""
        return printable(self.dn)

    def values(self, name: str) -> tuple[bytes, ...]:
        """Give the values of an attribute, none when it is not there; upper and lower case are alike."""
        return self.attributes.get(name.lower(), ())

    def first(self, name: str) -> bytes | None:
        """Give the first value of an attribute, or None."""
        values = self.values(name)
        return values[0] if values else None


@frozen
class Reference:
    """A search that goes on elsewhere: the URIs of a continuation reference."""

    uris: tuple[str, ...]


@frozen
class Intermediate:
    """An intermediate response, which nothing here asks for."""


Answer = Result | Entry | Reference | Intermediate


@frozen
class Received:
    """One message from the server.

    Attributes:
        message_id: which request it belongs to; 0: to none.
        operation: of what kind it is.
        answer: what it says.
    """

    message_id: int
    operation: Response
    answer: Answer


def read_answer(octets: bytes) -> Received:
    """Read one whole message of a server.

    Args:
        octets: as `duoproxy.ldap.framing.MessageFramer` gives them out.

    Raises:
        RemoteProtocolError: CLOSE: it is no answer of LDAP, or has more parts than any.

    Source: RFC 4511 §4.1.1.
    """
    head = peek_message(octets)
    try:
        operation = Response(head.operation_tag)
    except ValueError:
        raise fault(f"0x{head.operation_tag:02x} is no answer of a directory") from None
    _, begin, end = read_element(octets, head.operation_offset, head.operation_end)
    answer = _read(octets, operation, begin, end)
    if isinstance(answer, Result) and head.operation_end < len(octets):
        answer = evolve(answer, controls=_read_controls(octets, head.operation_end))
    return Received(head.message_id, operation, answer)


def _read(octets: bytes, operation: Response, begin: int, end: int) -> Answer:
    if operation is Response.SEARCH_ENTRY:
        return _read_entry(octets, begin, end)
    if operation is Response.SEARCH_REFERENCE:
        return Reference(_read_uris(octets, begin, end))
    if operation is Response.INTERMEDIATE:
        return Intermediate()
    return _read_result(octets, begin, end)


def _read_result(octets: bytes, begin: int, end: int) -> Result:
    """Read an LDAPResult with what bind and extended responses add. Source: RFC 4511 §4.1.9, §4.2.2, §4.12."""
    parts = read_elements(octets, begin, end)
    code = read_number(octets, _next(parts, ENUMERATED, "a result without its code"))
    matched_dn = contents_of(octets, _next(parts, OCTET_STRING, "a result without matchedDN"))
    diagnostic = contents_of(octets, _next(parts, OCTET_STRING, "a result without diagnosticMessage"))
    referrals: tuple[str, ...] = ()
    credentials: bytes | None = None
    name = ""
    for part in parts:
        if part[0] == _REFERRAL:
            referrals = _read_uris(octets, part[1], part[2])
        elif part[0] == _SASL_CREDENTIALS:
            credentials = contents_of(octets, part)
        elif part[0] == _RESPONSE_NAME:
            name = printable(contents_of(octets, part))
    return Result(code, printable(matched_dn), printable(diagnostic), referrals, credentials, name)


def _read_controls(octets: bytes, at: int) -> Mapping[str, bytes]:
    """Read the response controls that have a value, by their OIDs. Source: RFC 4511 §4.1.11."""
    found: dict[str, bytes] = {}
    _, begin, end = read_element(octets, at, len(octets))
    for control in read_elements(octets, begin, end):
        if control[0] != SEQUENCE or len(found) >= MAX_CONTROLS:
            raise fault("controls that cannot be read, or are too many")
        parts = list(read_elements(octets, control[1], control[2]))
        strings = [contents_of(octets, part) for part in parts if part[0] == OCTET_STRING]
        if not parts or parts[0][0] != OCTET_STRING or len(strings) > CONTROL_STRINGS:
            raise fault("a control that cannot be read")
        if len(strings) == CONTROL_STRINGS:
            found[printable(strings[0])] = strings[1]
    return found


def _read_entry(octets: bytes, begin: int, end: int) -> Entry:
    """Read an entry. Source: RFC 4511 §4.5.2."""
    parts = read_elements(octets, begin, end)
    dn = contents_of(octets, _next(parts, OCTET_STRING, "an entry without a name"))
    _, at, attributes_end = _next(parts, SEQUENCE, "an entry without attributes")
    attributes: dict[str, tuple[bytes, ...]] = {}
    left = MAX_VALUES
    for attribute in read_elements(octets, at, attributes_end):
        if attribute[0] != SEQUENCE or len(attributes) >= MAX_ATTRIBUTES:
            raise fault("an entry whose attributes cannot be read, or are too many")
        inner = read_elements(octets, attribute[1], attribute[2])
        name = printable(contents_of(octets, _next(inner, OCTET_STRING, "an attribute without a name"))).lower()
        values = _read_values(octets, _next(inner, SET, "an attribute without values"), left)
        left -= len(values)
        attributes[name] = values
    return Entry(dn, attributes)


def _read_values(octets: bytes, values: Element, left: int) -> tuple[bytes, ...]:
    found: list[bytes] = []
    for value in read_elements(octets, values[1], values[2]):
        if value[0] != OCTET_STRING or len(found) >= left:
            raise fault("an entry whose values cannot be read, or are too many")
        found.append(octets[value[1] : value[2]])
    return tuple(found)


def _read_uris(octets: bytes, begin: int, end: int) -> tuple[str, ...]:
    """Read URIs; those beyond the limit, which nobody follows, are left out."""
    uris: list[str] = []
    for part in read_elements(octets, begin, end):
        if part[0] != OCTET_STRING:
            raise fault("a referral that is no URI")
        uris.append(printable(contents_of(octets, part)))
        if len(uris) == MAX_REFERRALS:
            break
    return tuple(uris)


def printable(octets: bytes) -> str:
    """Decode the server's text for a log: bounded, on one line, without control characters."""
    text = octets[: 4 * MAX_DIAGNOSTIC_CHARACTERS].decode("utf-8", "replace")[:MAX_DIAGNOSTIC_CHARACTERS]
    if text.isprintable():
        return text
    return "".join(mark if mark.isprintable() else " " for mark in text).strip()


def _next(parts: Iterator[Element], tag: int, otherwise: str) -> Element:
    part = next(parts, None)
    if part is None or part[0] != tag:
        raise fault(otherwise)
    return part
