"""The RADIUS packet: header, attribute list, and the limits on both.

Owns framing (where a packet ends and whether its attributes fill it exactly) and the codec. It knows no attribute by
name, no secret and no dictionary: a packet here is a code, an identifier, sixteen octets and an ordered list.

Source: RFC 2865 §3, §5.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from functools import cached_property

from attrs import frozen

from duoproxy.errors import RemoteProtocolError

Attribute = tuple[int, bytes]
"""Type (0..255) and value (0..253 octets); a packet keeps their order."""

HEADER_BYTES = 20
AUTHENTICATOR_BYTES = 16
MIN_PACKET_BYTES = HEADER_BYTES
MAX_PACKET_BYTES = 4096
MAX_ATTRIBUTES = 200
MAX_VALUE_BYTES = 253


class Code(enum.IntEnum):
    """The packet codes that have a name here. Source: RFC 2865 §3, RFC 2866 §3, RFC 5176 §2.3, RFC 5997 §3."""

    ACCESS_REQUEST = 1
    ACCESS_ACCEPT = 2
    ACCESS_REJECT = 3
    ACCOUNTING_REQUEST = 4
    ACCOUNTING_RESPONSE = 5
    ACCESS_CHALLENGE = 11
    STATUS_SERVER = 12
    STATUS_CLIENT = 13
    DISCONNECT_REQUEST = 40
    DISCONNECT_ACK = 41
    DISCONNECT_NAK = 42
    COA_REQUEST = 43
    COA_ACK = 44
    COA_NAK = 45
    PROTOCOL_ERROR = 52


@frozen
class Packet:
    """One RADIUS packet.

    Attributes:
        code: 0..255; a `Code` where it has a name.
        identifier: 0..255.
        authenticator: 16 octets: the Request Authenticator of a request, the Response Authenticator of a reply.
        attributes: in the order of the wire.
    """

    code: int
    identifier: int
    authenticator: bytes
    attributes: tuple[Attribute, ...]

    @cached_property
    def firsts(self) -> Mapping[int, bytes]:
        """The first value of each attribute, for whoever looks for several; made once, and without a loop in Python."""
        return dict(reversed(self.attributes))


def frame_packet(datagram: bytes) -> bytes:
    """Cut the padding off a datagram and prove that its attributes fill the packet exactly.

    Raises:
        RemoteProtocolError: DISCARD: shorter than its Length field, Length outside 20..4096, an attribute shorter than
            its own header or longer than the packet, or more than `MAX_ATTRIBUTES`.

    Source: RFC 2865 §3, §5.
    """
    framed = _cut_padding(datagram)
    end = len(framed)
    at = HEADER_BYTES
    count = 0
    while at + 1 < end:
        size = framed[at + 1]
        if size < 2:
            raise RemoteProtocolError(f"an attribute is {size} octets long, its header alone takes 2")
        at += size
        count += 1
    _check_end(at, end, count)
    return framed


def decode_packet(framed: bytes) -> Packet:
    """Read a packet.

    Args:
        framed: what `frame_packet` gave out, or a whole datagram: it is framed here too.

    Raises:
        RemoteProtocolError: DISCARD, as `frame_packet`.

    Source: RFC 2865 §3, §5.
    """
    framed = _cut_padding(framed)
    end = len(framed)
    at = HEADER_BYTES
    attributes: list[Attribute] = []
    append = attributes.append
    while at + 1 < end:
        size = framed[at + 1]
        if size < 2:
            raise RemoteProtocolError(f"an attribute is {size} octets long, its header alone takes 2")
        append((framed[at], framed[at + 2 : at + size]))
        at += size
    _check_end(at, end, len(attributes))
    return Packet(framed[0], framed[1], framed[4:20], tuple(attributes))


def encode_packet(packet: Packet) -> bytes:
    """Write a packet; its authenticator is taken as it is.

    Raises:
        ValueError: a field out of its range, a value over 253 octets, too many attributes, or a packet over 4096.

    Source: RFC 2865 §3, §5.
    """
    if len(packet.authenticator) != AUTHENTICATOR_BYTES:
        raise ValueError("an authenticator has 16 octets")
    body = encode_attributes(packet.attributes)
    return encode_header(packet.code, packet.identifier, len(body)) + packet.authenticator + body


def encode_attributes(attributes: Sequence[Attribute]) -> bytes:
    """Write a list of attributes.

    Raises:
        ValueError: a type outside 0..255, a value over 253 octets, or more than `MAX_ATTRIBUTES`.
    """
    if len(attributes) > MAX_ATTRIBUTES:
        raise ValueError(f"a packet has at most {MAX_ATTRIBUTES} attributes, not {len(attributes)}")
    parts: list[bytes] = []
    for number, value in attributes:
        if len(value) > MAX_VALUE_BYTES:
            raise ValueError(f"attribute {number} has {len(value)} octets; the limit is {MAX_VALUE_BYTES}")
        parts.append(bytes((number, len(value) + 2)))
        parts.append(value)
    return b"".join(parts)


def encode_header(code: int, identifier: int, attribute_bytes: int) -> bytes:
    """Write the four octets before the authenticator, for `attribute_bytes` octets of attributes.

    Raises:
        ValueError: the packet would be over 4096 octets, or a field is out of its range.
    """
    size = HEADER_BYTES + attribute_bytes
    if size > MAX_PACKET_BYTES:
        raise ValueError(f"the packet would have {size} octets; the limit is {MAX_PACKET_BYTES}")
    return bytes((code, identifier, size >> 8, size & 0xFF))


def _cut_padding(datagram: bytes) -> bytes:
    """Octets after Length are padding and no part of the packet. Source: RFC 2865 §3."""
    received = len(datagram)
    if received < MIN_PACKET_BYTES:
        raise RemoteProtocolError(f"{received} octets are no RADIUS packet; the shortest has {MIN_PACKET_BYTES}")
    length = datagram[2] << 8 | datagram[3]
    if not MIN_PACKET_BYTES <= length <= MAX_PACKET_BYTES:
        raise RemoteProtocolError(f"Length is {length}, outside {MIN_PACKET_BYTES} to {MAX_PACKET_BYTES}")
    if received < length:
        raise RemoteProtocolError(f"Length is {length}, but only {received} octets came")
    return datagram if received == length else datagram[:length]


def _check_end(at: int, end: int, count: int) -> None:
    """The last attribute must end where the packet ends."""
    if at != end:
        raise RemoteProtocolError("the attributes do not end where the packet ends")
    if count > MAX_ATTRIBUTES:
        raise RemoteProtocolError(f"{count} attributes; the limit is {MAX_ATTRIBUTES}")
