"""The EAP packet: header, types, and what a Nak asks for.

Owns the codec and nothing of any method. What is read here came from a stranger: lengths are checked before anything is
cut, and every fault is a `RemoteProtocolError` of disposition DISCARD.

Source: RFC 3748 §4, §5.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence

from attrs import field, frozen

from duoproxy.errors import RemoteProtocolError

HEADER_BYTES = 4
TYPE_BYTES = 1
MAX_EAP_BYTES = 0xFFFF
MAX_NAMED_TYPES = 8
IDENTIFIERS = 256

_EXPANDED_HEADER_BYTES = 7
"""Vendor-Id (3) and Vendor-Type (4), behind the type octet 254."""
_EXPANDED_NAK_ITEM_BYTES = 8


class Code(enum.IntEnum):
    """What a packet is. Source: RFC 3748 §4."""

    REQUEST = 1
    RESPONSE = 2
    SUCCESS = 3
    FAILURE = 4


class EapType(enum.IntEnum):
    """The types that have a name here. Source: the IANA registry of EAP method types."""

    IDENTITY = 1
    NOTIFICATION = 2
    NAK = 3
    GTC = 6
    PEAP = 25
    EXTENSIONS = 33
    EXPANDED = 254


_EXPANDED_NAK_HEADER = bytes((0, 0, 0, 0, 0, 0, EapType.NAK))

NO_METHOD = 0
"""In a Nak: the peer wants none of what we could offer."""


@frozen
class EapPacket:
    """One EAP packet.

    Attributes:
        code: request, response, success or failure.
        identifier: 0..255.
        type: of a request or response; None in Success and Failure.
        data: Type-Data; it may hold a password.
    """

    code: Code
    identifier: int
    type: int | None = None
    data: bytes = field(default=b"", repr=False)


def decode_eap(octets: bytes) -> EapPacket:
    """Read a packet; octets after Length are padding of the link and are left out.

    Raises:
        RemoteProtocolError: DISCARD: shorter than its Length, Length below what its code needs, or an unknown code.

    Source: RFC 3748 §4.
    """
    if len(octets) < HEADER_BYTES:
        raise RemoteProtocolError(f"{len(octets)} octets are no EAP packet; the shortest has {HEADER_BYTES}")
    code, identifier = octets[0], octets[1]
    length = octets[2] << 8 | octets[3]
    if not HEADER_BYTES <= length <= len(octets):
        raise RemoteProtocolError(f"the EAP Length is {length}, but {len(octets)} octets came")
    if code in (Code.SUCCESS, Code.FAILURE):
        if length != HEADER_BYTES:
            raise RemoteProtocolError(f"an EAP packet of code {code} has data")
        return EapPacket(Code(code), identifier)
    if code not in (Code.REQUEST, Code.RESPONSE):
        raise RemoteProtocolError(f"{code} is no code of EAP")
    if length == HEADER_BYTES:
        raise RemoteProtocolError("an EAP request or response has no type")
    return EapPacket(Code(code), identifier, octets[HEADER_BYTES], octets[HEADER_BYTES + TYPE_BYTES : length])


def encode_eap(packet: EapPacket) -> bytes:
    """Write a packet.

    Raises:
        ValueError: it has over 65,535 octets, an Identifier outside 0..255, or a type where its code has none.

    Source: RFC 3748 §4.
    """
    body = b"" if packet.type is None else bytes((packet.type,)) + packet.data
    if (packet.code in (Code.REQUEST, Code.RESPONSE)) == (packet.type is None):
        raise ValueError(f"an EAP packet of code {packet.code} and type {packet.type}")
    size = HEADER_BYTES + len(body)
    if size > MAX_EAP_BYTES:
        raise ValueError(f"an EAP packet of {size} octets; the limit is {MAX_EAP_BYTES}")
    return bytes((packet.code, packet.identifier, size >> 8, size & 0xFF)) + body


def read_nak(packet: EapPacket) -> tuple[int, ...] | None:
    """Give the types that a Nak asks for, or None when the packet is no Nak.

    Types that only an Expanded Nak can name (those of vendors) are left out: none of them is offered here.

    Returns:
        in the peer's order; `NO_METHOD` alone, or nothing, when it wants none of them.

    Source: RFC 3748 §5.3.1, §5.3.2.
    """
    if packet.type == EapType.NAK:
        return tuple(packet.data)
    if packet.type != EapType.EXPANDED or packet.data[:_EXPANDED_HEADER_BYTES] != _EXPANDED_NAK_HEADER:
        return None
    items = packet.data[_EXPANDED_HEADER_BYTES:]
    whole = [items[at : at + _EXPANDED_NAK_ITEM_BYTES] for at in range(0, len(items), _EXPANDED_NAK_ITEM_BYTES)]
    ours = bytes((EapType.EXPANDED, 0, 0, 0, 0, 0, 0))
    return tuple(item[-1] for item in whole if len(item) == _EXPANDED_NAK_ITEM_BYTES and item.startswith(ours))


def spell_types(wanted: Sequence[int]) -> str:
    """Spell what `read_nak` gave, for the log: the first of them."""
    return ", ".join(map(str, wanted[:MAX_NAMED_TYPES])) or "none"
