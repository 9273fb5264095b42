"""An EAP packet: a value or DISCARD, and what was read is written as it came; a Nak names its types."""

from __future__ import annotations

from duoproxy.eap.methods.identity import MAX_SHOWN_CHARACTERS, read_identity, shown_identity
from duoproxy.eap.packet import EapType, decode_eap, encode_eap, read_nak
from duoproxy.errors import Disposition, RemoteProtocolError

WORDS = (b"\x02\x01\x00\x05\x01", b"\x03\x01\x00\x04", b"\x03\x19", b"\xfe\0\0\0\0\0\0\x03", b"\xfe\0\0\0\0\0\0\x19")


def target(data: bytes) -> None:
    try:
        packet = decode_eap(data)
    except RemoteProtocolError as error:
        assert error.disposition is Disposition.DISCARD
        assert str(error).isprintable()
        return
    octets = encode_eap(packet)
    assert data.startswith(octets)
    assert decode_eap(octets) == packet
    wanted = read_nak(packet)
    assert (wanted is not None) >= (packet.type == EapType.NAK)
    assert len(wanted or ()) <= len(packet.data)
    _identity(packet.data)


def _identity(octets: bytes) -> None:
    shown = shown_identity(octets)
    assert shown.isprintable()
    assert len(shown) <= MAX_SHOWN_CHARACTERS
    try:
        name = read_identity(octets)
    except RemoteProtocolError as error:
        assert str(error).isprintable()
        return
    assert name
    assert name.encode("utf-8", "surrogateescape") == octets
