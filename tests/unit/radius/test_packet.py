"""The codec: what frames, what does not, and what is written. Source: RFC 2865 §3, §5."""

from __future__ import annotations

import pytest

from duoproxy.errors import Disposition, RemoteProtocolError
from duoproxy.radius.packet import (
    MAX_ATTRIBUTES,
    MAX_PACKET_BYTES,
    Code,
    Packet,
    decode_packet,
    encode_packet,
    frame_packet,
)

AUTHENTICATOR = bytes(range(16))


def packet_octets(attributes: bytes, length: int | None = None) -> bytes:
    size = 20 + len(attributes) if length is None else length
    return bytes((1, 7)) + size.to_bytes(2, "big") + AUTHENTICATOR + attributes


def test_attributes_keep_the_order_of_the_wire():
    """Attributes are a list in the order of the wire, types mixed as they came."""
    packet = decode_packet(packet_octets(b"\x21\x03a\x01\x03u\x21\x03b"))
    assert packet == Packet(Code.ACCESS_REQUEST, 7, AUTHENTICATOR, ((33, b"a"), (1, b"u"), (33, b"b")))


def test_the_first_value_of_each_attribute_is_found_by_its_number():
    """Where an attribute comes more than once its first value counts, an empty one too."""
    packet = decode_packet(packet_octets(b"\x21\x03a\x01\x02\x21\x03b\x01\x03u"))
    assert packet.firsts == {33: b"a", 1: b""}


def test_octets_after_the_length_are_padding():
    """Octets after Length are ignored and the packet is processed."""
    octets = packet_octets(b"\x01\x03u")
    assert frame_packet(octets + b"padding") == octets
    assert decode_packet(octets + b"\0" * 9) == decode_packet(octets)


def test_empty_attribute_value_is_well_framed():
    """An attribute of length 2 is legal framing; its meaning is for others to judge."""
    assert decode_packet(packet_octets(b"\x01\x02")).attributes == ((1, b""),)


def test_unknown_code_and_type_are_kept():
    """The codec refuses no code and no type: that is for the listener."""
    octets = b"\xfe" + packet_octets(b"\xff\x03x")[1:]
    packet = decode_packet(octets)
    assert (packet.code, packet.attributes) == (254, ((255, b"x"),))


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        bytes(19),
        packet_octets(b"", length=19),
        packet_octets(b"\x01\x03u", length=0),
        packet_octets(bytes(5000), length=4097),
        packet_octets(b"\x01\x03u", length=24),
        packet_octets(b"\x01\x00u"),
        packet_octets(b"\x01\x01u"),
        packet_octets(b"\x01\x04u"),
        packet_octets(b"\x01\x03u\x01"),
    ],
    ids=[
        "empty datagram",
        "shorter than a header",
        "length below 20",
        "length zero",
        "length above 4096",
        "shorter than its length",
        "attribute length zero",
        "attribute length one",
        "attribute past the end",
        "one octet too many",
    ],
)
def test_malformed_packet_is_to_be_discarded(octets):
    """A packet that does not frame exactly is silently discarded, whoever looks at it."""
    for read in (frame_packet, decode_packet):
        with pytest.raises(RemoteProtocolError) as caught:
            read(octets)
        assert caught.value.disposition is Disposition.DISCARD


def test_two_hundred_attributes_are_the_limit():
    """A packet has at most 200 attributes."""
    full = packet_octets(b"\x01\x02" * MAX_ATTRIBUTES)
    assert len(decode_packet(frame_packet(full)).attributes) == 200
    for read in (frame_packet, decode_packet):
        with pytest.raises(RemoteProtocolError, match="201 attributes; the limit is 200"):
            read(packet_octets(b"\x01\x02" * 201))


def test_4096_octets_are_the_limit_of_what_is_written():
    """A packet over 4096 octets is not written."""
    full = [(79, bytes(252))] * 16 + [(79, bytes(10))]
    assert len(encode_packet(Packet(2, 1, AUTHENTICATOR, tuple(full)))) == MAX_PACKET_BYTES
    with pytest.raises(ValueError, match="4097 octets"):
        encode_packet(Packet(2, 1, AUTHENTICATOR, (*full[:-1], (79, bytes(11)))))


@pytest.mark.parametrize(
    "packet",
    [
        Packet(2, 1, AUTHENTICATOR, ((1, bytes(254)),)),
        Packet(2, 1, AUTHENTICATOR, ((256, b""),)),
        Packet(2, 1, AUTHENTICATOR[1:], ()),
        Packet(2, 256, AUTHENTICATOR, ()),
        Packet(2, 1, AUTHENTICATOR, ((1, b""),) * 201),
    ],
    ids=["long value", "type 256", "short authenticator", "identifier 256", "201 attributes"],
)
def test_what_no_packet_can_hold_is_not_written(packet):
    """Writing refuses what reading would refuse."""
    with pytest.raises(ValueError, match=r"."):
        encode_packet(packet)
