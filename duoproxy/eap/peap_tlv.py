"""The TLVs of PEAP's Extensions method: result, crypto-binding, and the refusal of what is not understood.

Owns the codec. What a result means for a login is the conversation's knowledge, and how a MAC is made the keys'.

Source: MS-PEAP §2.2.8.1; draft-kamath-pppext-peapv0-00 §2 (Result); protocols of both peers that are deployed.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable

from attrs import field, frozen

from duoproxy.errors import Disposition, RemoteProtocolError

MANDATORY = 0x8000
TYPE_MASK = 0x3FFF
HEADER_BYTES = 4
MAX_TLVS = 32
NONCE_BYTES = 32
MAC_BYTES = 20
BINDING_VALUE_BYTES = 4 + NONCE_BYTES + MAC_BYTES


class TlvType(enum.IntEnum):
    """The types that are understood here."""

    RESULT = 3
    NAK = 4
    CRYPTO_BINDING = 12


class Result(enum.IntEnum):
    """How one side says that the conversation ended."""

    SUCCESS = 1
    FAILURE = 2


class BindingSubType(enum.IntEnum):
    """Who sends a crypto-binding TLV."""

    REQUEST = 0
    RESPONSE = 1


@frozen
class Tlv:
    """One TLV.

    Attributes:
        type: 0..16383.
        value: its octets.
        mandatory: a receiver that does not understand it must say so.
    """

    type: int
    value: bytes = field(repr=False)
    mandatory: bool = False


@frozen
class CryptoBinding:
    """The value of a crypto-binding TLV.

    Attributes:
        version: of PEAP.
        received_version: the version that the other side sent.
        sub_type: `BindingSubType`, or another number.
        nonce: 32 octets.
        compound_mac: 20 octets.
    """

    version: int
    received_version: int
    sub_type: int
    nonce: bytes
    compound_mac: bytes


def decode_tlvs(data: bytes) -> tuple[Tlv, ...]:
    """Read the Type-Data of an Extensions packet.

    Raises:
        RemoteProtocolError: REJECT: a length that does not fit, or over `MAX_TLVS`.
    """
    tlvs: list[Tlv] = []
    at = 0
    while at < len(data):
        value_at = at + HEADER_BYTES
        if value_at > len(data):
            raise _reject("a TLV ends inside its header")
        head = int.from_bytes(data[at : at + 2], "big")
        end = value_at + int.from_bytes(data[at + 2 : value_at], "big")
        if end > len(data):
            raise _reject("a TLV is longer than its packet")
        if len(tlvs) == MAX_TLVS:
            raise _reject(f"over {MAX_TLVS} TLVs")
        tlvs.append(Tlv(head & TYPE_MASK, data[value_at:end], bool(head & MANDATORY)))
        at = end
    return tuple(tlvs)


def encode_tlvs(tlvs: Iterable[Tlv]) -> bytes:
    """Write the Type-Data of an Extensions packet."""
    parts: list[bytes] = []
    for tlv in tlvs:
        head = tlv.type | (MANDATORY if tlv.mandatory else 0)
        parts += [head.to_bytes(2, "big"), len(tlv.value).to_bytes(2, "big"), tlv.value]
    return b"".join(parts)


def result_tlv(result: Result) -> Tlv:
    """Make a Result TLV."""
    return Tlv(TlvType.RESULT, result.to_bytes(2, "big"), mandatory=True)


def nak_tlv(refused: int) -> Tlv:
    """Make the TLV that says which mandatory one is not understood; vendors have none here."""
    return Tlv(TlvType.NAK, bytes(4) + refused.to_bytes(2, "big"), mandatory=True)


def binding_tlv(binding: CryptoBinding) -> Tlv:
    """Make a crypto-binding TLV; it is not mandatory. Source: MS-PEAP §2.2.8.1.1."""
    head = bytes((0, binding.version, binding.received_version, binding.sub_type))
    return Tlv(TlvType.CRYPTO_BINDING, head + binding.nonce + binding.compound_mac)


def read_result(tlvs: Iterable[Tlv]) -> Result | None:
    """Give the result that was said, or None when none was.

    Raises:
        RemoteProtocolError: REJECT: there are several, or one that is no result.
    """
    value = _only(tlvs, TlvType.RESULT)
    if value is None:
        return None
    if len(value) != 2 or int.from_bytes(value, "big") not in (Result.SUCCESS, Result.FAILURE):
        raise _reject("a Result TLV that is neither success nor failure")
    return Result(int.from_bytes(value, "big"))


def read_binding(tlvs: Iterable[Tlv]) -> CryptoBinding | None:
    """Give the crypto-binding, or None when there is none.

    Raises:
        RemoteProtocolError: REJECT: there are several, or one of another size.

    Source: MS-PEAP §2.2.8.1.1.
    """
    value = _only(tlvs, TlvType.CRYPTO_BINDING)
    if value is None:
        return None
    if len(value) != BINDING_VALUE_BYTES:
        raise _reject(f"a crypto-binding TLV of {len(value)} octets, not {BINDING_VALUE_BYTES}")
    mac_at = 4 + NONCE_BYTES
    return CryptoBinding(value[1], value[2], value[3], value[4:mac_at], value[mac_at:])


def unknown_mandatory(tlvs: Iterable[Tlv]) -> int | None:
    """Give the first type that must be understood and is not, or None."""
    understood = set(TlvType)
    return next((tlv.type for tlv in tlvs if tlv.mandatory and tlv.type not in understood), None)


def _only(tlvs: Iterable[Tlv], its_type: TlvType) -> bytes | None:
    values = [tlv.value for tlv in tlvs if tlv.type == its_type]
    if len(values) > 1:
        raise _reject(f"several TLVs of type {its_type}")
    return values[0] if values else None


def _reject(what: str) -> RemoteProtocolError:
    return RemoteProtocolError(what, Disposition.REJECT)
