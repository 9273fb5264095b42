"""The EAP packet. Source: RFC 3748 §4, §5.3."""

from __future__ import annotations

import pytest

from duoproxy.eap.packet import Code, EapPacket, EapType, decode_eap, encode_eap, read_nak
from duoproxy.errors import Disposition, RemoteProtocolError


def test_response_is_read_and_written():
    """Code, Identifier, Length, Type, Type-Data."""
    octets = b"\x02\x07\x00\x0a\x01alice"
    packet = EapPacket(Code.RESPONSE, 7, EapType.IDENTITY, b"alice")
    assert decode_eap(octets) == packet
    assert encode_eap(packet) == octets


@pytest.mark.parametrize("code", [Code.SUCCESS, Code.FAILURE])
def test_success_and_failure_have_four_octets(code: Code):
    """Success and Failure: four octets, no data. RFC 3748 §4.2."""
    assert encode_eap(EapPacket(code, 9)) == bytes((code, 9, 0, 4))
    assert decode_eap(bytes((code, 9, 0, 4))) == EapPacket(code, 9)


def test_octets_behind_length_are_padding():
    """Octets outside the range of Length are padding of the link. RFC 3748 §4.1."""
    assert decode_eap(b"\x02\x07\x00\x06\x01abc").data == b"a"


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"\x02\x07\x00",
        b"\x02\x07\x00\x03",
        b"\x02\x07\x00\x04",
        b"\x01\x07\x00\x04",
        b"\x02\x07\x00\x09\x01abc",
        b"\x03\x07\x00\x05a",
        b"\x04\x07\x00\x05\x00",
        b"\x00\x07\x00\x05a",
        b"\x05\x07\x00\x05a",
        b"\x02\x07\xff\xff\x01",
    ],
)
def test_malformed_packet_is_to_be_discarded(octets: bytes):
    """Too short, Length that lies, no type, data behind Success, unknown code: discard. RFC 3748 §4."""
    with pytest.raises(RemoteProtocolError) as caught:
        decode_eap(octets)
    assert caught.value.disposition is Disposition.DISCARD
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    "packet",
    [EapPacket(Code.SUCCESS, 1, 1), EapPacket(Code.REQUEST, 1), EapPacket(Code.REQUEST, 1, 1, bytes(65531))],
)
def test_packet_that_cannot_be_written_is_an_error(packet: EapPacket):
    """A type belongs to requests and responses, and Length has two octets."""
    with pytest.raises(ValueError, match="EAP packet"):
        encode_eap(packet)


@pytest.mark.parametrize(
    ("its_type", "data", "wanted"),
    [
        (3, b"\x19", (25,)),
        (3, b"\x15\x0d", (21, 13)),
        (3, b"\x00", (0,)),
        (3, b"", ()),
        (254, bytes.fromhex("00000000000003 fe00000000000019"), (25,)),
        (254, bytes.fromhex("00000000000003 fe00013700000021 fe0000000000000d"), (13,)),
        (254, bytes.fromhex("00000000000003 fe000000"), ()),
        (254, bytes.fromhex("00000000000004"), None),
        (254, b"", None),
        (25, b"\x03", None),
    ],
)
def test_nak_names_the_wanted_types(its_type: int, data: bytes, wanted: tuple[int, ...] | None):
    """A Nak holds the wanted types, an Expanded Nak holds them in eight octets each. RFC 3748 §5.3."""
    assert read_nak(EapPacket(Code.RESPONSE, 1, its_type, data)) == wanted


def test_data_is_not_shown():
    """Type-Data may be a password: no format shows it."""
    assert "pencil" not in repr(EapPacket(Code.RESPONSE, 1, EapType.GTC, b"pencil"))
