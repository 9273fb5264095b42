"""The TLVs of PEAP's Extensions method. Source: MS-PEAP §2.2.8.1."""

from __future__ import annotations

import pytest

from duoproxy.eap.peap_tlv import (
    BindingSubType,
    CryptoBinding,
    Result,
    Tlv,
    binding_tlv,
    decode_tlvs,
    encode_tlvs,
    nak_tlv,
    read_binding,
    read_result,
    result_tlv,
    unknown_mandatory,
)
from duoproxy.errors import Disposition, RemoteProtocolError

SUCCESS = bytes.fromhex("800300020001")
BINDING = CryptoBinding(0, 0, 1, bytes(range(32)), bytes(20))


def test_result_is_written_as_peers_know_it():
    """Success is 80 03 00 02 00 01, failure ends in 02; the M bit is set."""
    assert encode_tlvs([result_tlv(Result.SUCCESS)]) == SUCCESS
    assert encode_tlvs([result_tlv(Result.FAILURE)]) == bytes.fromhex("800300020002")


@pytest.mark.parametrize("octets", [SUCCESS, bytes.fromhex("000300020001")])
def test_result_is_read_with_and_without_the_mandatory_bit(octets: bytes):
    """What a TLV means does not depend on its M bit."""
    assert read_result(decode_tlvs(octets)) is Result.SUCCESS


def test_crypto_binding_is_written_and_read():
    """Type 12 without the M bit, 56 octets. MS-PEAP §2.2.8.1.1."""
    octets = encode_tlvs([binding_tlv(BINDING)])
    assert octets[:8] == bytes.fromhex("000c003800000001")
    assert len(octets) == 60
    assert read_binding(decode_tlvs(octets)) == BINDING


def test_refusal_names_the_type():
    """A NAK TLV: Vendor-Id 0 and the type that is not understood."""
    assert encode_tlvs([nak_tlv(99)]) == bytes.fromhex("8004000600000000 0063")


def test_nothing_said_is_none():
    """No Result, no crypto-binding: None, and an unknown optional TLV is ignored."""
    tlvs = decode_tlvs(bytes.fromhex("00630001ff"))
    assert (read_result(tlvs), read_binding(tlvs), unknown_mandatory(tlvs)) == (None, None, None)


def test_unknown_mandatory_tlv_is_found():
    """An unknown TLV with the M bit must be refused."""
    assert unknown_mandatory(decode_tlvs(SUCCESS + bytes.fromhex("80630000"))) == 99


@pytest.mark.parametrize(
    "octets",
    [b"\x80", b"\x80\x03\x00", bytes.fromhex("8003000300 01"), bytes.fromhex("8003ffff"), bytes(4 * 33)],
)
def test_lengths_that_do_not_fit_are_rejected(octets: bytes):
    """Half a header, a value that ends behind the packet, too many: reject."""
    with pytest.raises(RemoteProtocolError) as caught:
        decode_tlvs(octets)
    assert caught.value.disposition is Disposition.REJECT


@pytest.mark.parametrize(
    "value", [b"", b"\x01", b"\x00\x01\x00", b"\x00\x00", b"\x00\x03", b"\x01\x00"], ids=lambda value: value.hex()
)
def test_result_that_is_neither_success_nor_failure_is_rejected(value: bytes):
    """Only success (1) and failure (2) are results."""
    with pytest.raises(RemoteProtocolError):
        read_result([Tlv(3, value)])


def test_two_results_are_rejected():
    """Who says two things says nothing."""
    with pytest.raises(RemoteProtocolError):
        read_result(decode_tlvs(SUCCESS + SUCCESS))


@pytest.mark.parametrize("size", [0, 55, 57])
def test_crypto_binding_of_another_size_is_rejected(size: int):
    """The value has 56 octets."""
    with pytest.raises(RemoteProtocolError):
        read_binding([Tlv(12, bytes(size))])


def test_length_of_a_tlv_has_two_octets():
    """A value of over 255 octets."""
    octets = bytes.fromhex("0063012c") + b"x" * 300
    assert decode_tlvs(octets) == (Tlv(99, b"x" * 300),)
    assert encode_tlvs([Tlv(99, b"x" * 300)]) == octets


def test_answer_to_crypto_binding_is_of_sub_type_1():
    """MS-PEAP §2.2.8.1.1: 0 asks, 1 answers."""
    assert (BindingSubType.REQUEST, BindingSubType.RESPONSE) == (0, 1)
