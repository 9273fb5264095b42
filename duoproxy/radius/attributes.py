"""Attributes: the numbers of those that a login can carry, and how values are found, joined and cut.

Owns the views on an attribute list that need no dictionary and no secret: vendor-specific attributes are looked into on
demand, long values are joined and split. Nothing here changes a list that it was given.

Source: RFC 2865 §5, §5.18, §5.26; RFC 3579 §3.1; numbers from the IANA registry of RADIUS types.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator

from attrs import frozen

from duoproxy.radius.packet import MAX_VALUE_BYTES, Attribute

MAX_TEXT_BYTES = 8 * MAX_VALUE_BYTES
"""A text for the user is cut here: with the rest of a reply it must fit into one packet."""

MAX_VENDOR_VALUE_BYTES = MAX_VALUE_BYTES - 6
VENDOR_ID_BYTES = 4


class Type(enum.IntEnum):
    """Attribute types without a vendor, by their RFC names."""

    USER_NAME = 1
    USER_PASSWORD = 2
    CHAP_PASSWORD = 3
    NAS_IP_ADDRESS = 4
    NAS_PORT = 5
    SERVICE_TYPE = 6
    FRAMED_PROTOCOL = 7
    FRAMED_IP_ADDRESS = 8
    FRAMED_IP_NETMASK = 9
    FRAMED_ROUTING = 10
    FILTER_ID = 11
    FRAMED_MTU = 12
    FRAMED_COMPRESSION = 13
    LOGIN_IP_HOST = 14
    LOGIN_SERVICE = 15
    LOGIN_TCP_PORT = 16
    REPLY_MESSAGE = 18
    CALLBACK_NUMBER = 19
    CALLBACK_ID = 20
    FRAMED_ROUTE = 22
    STATE = 24
    CLASS = 25
    VENDOR_SPECIFIC = 26
    SESSION_TIMEOUT = 27
    IDLE_TIMEOUT = 28
    TERMINATION_ACTION = 29
    CALLED_STATION_ID = 30
    CALLING_STATION_ID = 31
    NAS_IDENTIFIER = 32
    PROXY_STATE = 33
    ACCT_SESSION_ID = 44
    ACCT_MULTI_SESSION_ID = 50
    EVENT_TIMESTAMP = 55
    CHAP_CHALLENGE = 60
    NAS_PORT_TYPE = 61
    PORT_LIMIT = 62
    TUNNEL_TYPE = 64
    TUNNEL_MEDIUM_TYPE = 65
    TUNNEL_CLIENT_ENDPOINT = 66
    TUNNEL_SERVER_ENDPOINT = 67
    TUNNEL_PASSWORD = 69
    ARAP_PASSWORD = 70
    PASSWORD_RETRY = 75
    PROMPT = 76
    CONNECT_INFO = 77
    EAP_MESSAGE = 79
    MESSAGE_AUTHENTICATOR = 80
    TUNNEL_PRIVATE_GROUP_ID = 81
    ACCT_INTERIM_INTERVAL = 85
    NAS_PORT_ID = 87
    FRAMED_POOL = 88
    CHARGEABLE_USER_IDENTITY = 89
    NAS_FILTER_RULE = 92
    NAS_IPV6_ADDRESS = 95
    FRAMED_INTERFACE_ID = 96
    FRAMED_IPV6_PREFIX = 97
    ERROR_CAUSE = 101
    EAP_KEY_NAME = 102
    DELEGATED_IPV6_PREFIX = 123
    OPERATOR_NAME = 126
    FRAMED_IPV6_ADDRESS = 168


@frozen
class AttributeId:
    """What names an attribute: its vendor (0 for none) and its number there."""

    vendor: int
    number: int


def first(attributes: Iterable[Attribute], attribute: AttributeId | int) -> bytes | None:
    """Give the first value of an attribute, or None.

    Args:
        attributes: of one packet.
        attribute: an `AttributeId`, or a `Type` (or number) for one without a vendor.
    """
    if isinstance(attribute, AttributeId):
        if attribute.vendor:
            return next(_vendor_values(attributes, attribute), None)
        attribute = attribute.number
    for number, value in attributes:
        if number == attribute:
            return value
    return None


def all_values(attributes: Iterable[Attribute], attribute: AttributeId | int) -> list[bytes]:
    """Give every value of an attribute, in order; see `first`."""
    if isinstance(attribute, AttributeId):
        if attribute.vendor:
            return list(_vendor_values(attributes, attribute))
        attribute = attribute.number
    return [value for number, value in attributes if number == attribute]


def _vendor_values(attributes: Iterable[Attribute], attribute: AttributeId) -> Iterator[bytes]:
    vendor = attribute.vendor.to_bytes(VENDOR_ID_BYTES, "big")
    for number, value in attributes:
        if number == Type.VENDOR_SPECIFIC and value.startswith(vendor):
            yield from (part for inner, part in vendor_parts(value) or () if inner == attribute.number)


def vendor_of(value: bytes) -> int | None:
    """Give the Vendor-Id in the value of a Vendor-Specific, or None when it is too short to have one.

    Source: RFC 2865 §5.26.
    """
    return int.from_bytes(value[:VENDOR_ID_BYTES], "big") if len(value) > VENDOR_ID_BYTES else None


def vendor_parts(value: bytes, type_octets: int = 1, length_octets: int = 1) -> list[tuple[int, bytes]] | None:
    """Look into the value of a Vendor-Specific.

    Args:
        value: with its Vendor-Id.
        type_octets: size of the vendor's own type field: 1, 2 or 4.
        length_octets: size of the vendor's own length field: 1 or 2; 0 means that one attribute fills the rest.

    Returns:
        number and value of each attribute inside, or None when the inner lengths do not fit: then the value is opaque,
        as some vendors have a format of their own.

    Source: RFC 2865 §5.26.
    """
    header = type_octets + length_octets
    end = len(value)
    at = VENDOR_ID_BYTES
    parts: list[tuple[int, bytes]] = []
    while at < end:
        if at + header > end:
            return None
        size = int.from_bytes(value[at + type_octets : at + header], "big") if length_octets else end - at
        if size < header or at + size > end:
            return None
        parts.append((int.from_bytes(value[at : at + type_octets], "big"), value[at + header : at + size]))
        at += size
    return parts or None


def vendor_attribute(vendor: int, number: int, value: bytes) -> Attribute:
    """Make a Vendor-Specific that holds one attribute in the usual format (one octet type, one octet length).

    Raises:
        ValueError: `value` has more than 247 octets, or a number does not fit its field.

    Source: RFC 2865 §5.26.
    """
    if len(value) > MAX_VENDOR_VALUE_BYTES:
        raise ValueError(f"a vendor attribute takes at most {MAX_VENDOR_VALUE_BYTES} octets, not {len(value)}")
    if not 0 <= vendor < 1 << 32:
        raise ValueError(f"{vendor} is no Vendor-Id")
    head = vendor.to_bytes(VENDOR_ID_BYTES, "big") + bytes((number, len(value) + 2))
    return (Type.VENDOR_SPECIFIC, head + value)


def joined(attributes: Iterable[Attribute], number: int) -> bytes | None:
    """Join the values of a long attribute (EAP-Message, NAS-Filter-Rule) in order; None when there is none.

    A sender must put them side by side; one that does not is read in the same way.

    Source: RFC 3579 §3.1.
    """
    values = [value for each, value in attributes if each == number]
    return b"".join(values) if values else None


def split_long(number: int, value: bytes) -> list[Attribute]:
    """Cut a long value into attributes of at most 253 octets, side by side; an empty one gives none.

    Source: RFC 3579 §3.1.
    """
    return [(number, value[at : at + MAX_VALUE_BYTES]) for at in range(0, len(value), MAX_VALUE_BYTES)]


def text_attributes(number: int, text: str, max_bytes: int = MAX_TEXT_BYTES) -> list[Attribute]:
    """Make attributes of a text (Reply-Message), cut between UTF-8 characters, `max_bytes` octets at most.

    Some devices show each attribute on a line of its own, so a cut falls behind the end of a line where there is one,
    or else behind a blank. An empty text gives none: a text attribute has at least one octet.

    Source: RFC 2865 §5, §5.18.
    """
    octets = text.encode("utf-8", "replace")
    if len(octets) > max_bytes:
        octets = octets[: _character_boundary(octets, max_bytes)]
    attributes: list[Attribute] = []
    at = 0
    while at < len(octets):
        end = _text_boundary(octets, at)
        attributes.append((number, octets[at:end]))
        at = end
    return attributes


def _text_boundary(octets: bytes, begin: int) -> int:
    """The best place to cut within what one attribute takes; in its second half, so that there are not many more."""
    end = begin + MAX_VALUE_BYTES
    if end >= len(octets):
        return len(octets)
    middle = begin + MAX_VALUE_BYTES // 2
    for mark in (b"\n", b" "):
        found = octets.rfind(mark, middle, end)
        if found >= 0:
            return found + 1
    return _character_boundary(octets, end)


def _character_boundary(octets: bytes, at: int) -> int:
    """The last place up to `at` where a UTF-8 character begins (or the end)."""
    if at >= len(octets):
        return len(octets)
    while octets[at] & 0xC0 == 0x80:
        at -= 1
    return at
