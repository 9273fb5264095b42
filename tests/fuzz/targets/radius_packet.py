"""Framing and decoding a RADIUS packet: a value or DISCARD, and encoding gives the same octets back."""

from __future__ import annotations

from duoproxy.errors import Disposition, RemoteProtocolError
from duoproxy.radius.packet import MAX_ATTRIBUTES, MAX_PACKET_BYTES, decode_packet, encode_packet, frame_packet


def target(data: bytes) -> None:
    try:
        framed = frame_packet(data)
    except RemoteProtocolError as error:
        assert error.disposition is Disposition.DISCARD
        assert str(error).isprintable()
        _is_refused_too(data)
        return
    packet = decode_packet(data)
    assert encode_packet(packet) == framed == data[: len(framed)]
    assert decode_packet(framed) == packet
    assert len(framed) <= MAX_PACKET_BYTES
    assert len(packet.attributes) <= MAX_ATTRIBUTES


def _is_refused_too(data: bytes) -> None:
    try:
        decode_packet(data)
    except RemoteProtocolError as error:
        assert error.disposition is Disposition.DISCARD
        return
    raise AssertionError("decode_packet takes what frame_packet refuses")
