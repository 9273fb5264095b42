"""Who really sent a packet. Source: RFC 2865 §3, RFC 3579 §3.2."""

from __future__ import annotations

import hmac

import pytest

from duoproxy.radius.authenticators import (
    MessageAuthenticator,
    check_message_authenticator,
    encode_reply,
    encode_request,
    reply_is_authentic,
)
from duoproxy.radius.packet import Code, Packet, decode_packet, encode_packet

SECRET = b"testing123"
AUTHENTICATOR = bytes(range(16))


def signed(code: int, attributes: list[tuple[int, bytes]], covered_authenticator: bytes) -> bytes:
    """A packet with its Message-Authenticator at the place of the zeros, computed by the book."""
    octets = encode_packet(Packet(code, 9, covered_authenticator, tuple(attributes)))
    digest = hmac.new(SECRET, octets, "md5").digest()
    return octets.replace(b"\x50\x12" + bytes(16), b"\x50\x12" + digest)


def test_request_begins_with_its_message_authenticator():
    """Every request that is written carries a valid Message-Authenticator as its first attribute."""
    octets = encode_request(Code.ACCESS_REQUEST, 5, AUTHENTICATOR, [(1, b"alice"), (33, b"x")], SECRET)
    packet = decode_packet(octets)
    assert [number for number, _ in packet.attributes] == [80, 1, 33]
    assert (packet.code, packet.identifier, packet.authenticator) == (1, 5, AUTHENTICATOR)
    assert check_message_authenticator(octets, SECRET) is MessageAuthenticator.VALID


def test_reply_begins_with_its_message_authenticator_and_is_authentic():
    """A reply's Message-Authenticator is computed first, and its Response Authenticator covers the real one."""
    octets = encode_reply(Code.ACCESS_ACCEPT, 5, AUTHENTICATOR, [(18, b"hello"), (33, b"x")], SECRET)
    assert [number for number, _ in decode_packet(octets).attributes] == [80, 18, 33]
    assert check_message_authenticator(octets, SECRET, AUTHENTICATOR) is MessageAuthenticator.VALID
    assert reply_is_authentic(octets, AUTHENTICATOR, SECRET)


def test_reply_to_another_request_does_not_fit():
    """A reply is checked with the Request Authenticator of its own request."""
    octets = encode_reply(Code.ACCESS_ACCEPT, 5, AUTHENTICATOR, [], SECRET)
    assert check_message_authenticator(octets, SECRET, bytes(16)) is MessageAuthenticator.INVALID
    assert not reply_is_authentic(octets, bytes(16), SECRET)


def test_message_authenticator_may_stand_anywhere_in_a_request():
    """A receiver takes the Message-Authenticator at any place."""
    octets = signed(1, [(1, b"alice"), (80, bytes(16)), (4, b"\x0a\0\0\x01")], AUTHENTICATOR)
    assert check_message_authenticator(octets, SECRET) is MessageAuthenticator.VALID


def test_request_without_it_is_absent_not_invalid():
    """No Message-Authenticator is a fact of its own: the policy of the device decides."""
    octets = encode_packet(Packet(1, 9, AUTHENTICATOR, ((1, b"alice"),)))
    assert check_message_authenticator(octets, SECRET) is MessageAuthenticator.ABSENT


def test_two_message_authenticators_are_invalid():
    """At most one may be there, even if the first is right."""
    once = encode_request(Code.ACCESS_REQUEST, 5, AUTHENTICATOR, [(1, b"alice")], SECRET)
    value = decode_packet(once).attributes[0]
    twice = encode_packet(Packet(1, 5, AUTHENTICATOR, (value, (1, b"alice"), value)))
    assert check_message_authenticator(twice, SECRET) is MessageAuthenticator.INVALID


@pytest.mark.parametrize("size", [0, 15, 17])
def test_message_authenticator_of_another_size_is_invalid(size):
    """Its value has 16 octets, exactly."""
    octets = encode_packet(Packet(1, 9, AUTHENTICATOR, ((80, bytes(size)),)))
    assert check_message_authenticator(octets, SECRET) is MessageAuthenticator.INVALID


def test_one_changed_octet_makes_it_invalid():
    """It covers every octet of the packet."""
    octets = encode_request(Code.ACCESS_REQUEST, 5, AUTHENTICATOR, [(1, b"alice")], SECRET)
    for place in (0, 1, 4, 19, 22, 37, len(octets) - 1):
        changed = bytearray(octets)
        changed[place] ^= 1
        assert check_message_authenticator(bytes(changed), SECRET) is MessageAuthenticator.INVALID, place


def test_accounting_request_is_covered_with_a_zero_authenticator():
    """RFC 5176 §2.3: where the Request Authenticator is computed, sixteen zero octets stand for it."""
    attributes = [(80, bytes(16)), (44, b"session")]
    octets = signed(Code.ACCOUNTING_REQUEST, attributes, bytes(16))
    octets = octets[:4] + AUTHENTICATOR + octets[20:]
    assert check_message_authenticator(octets, SECRET) is MessageAuthenticator.VALID


@pytest.mark.parametrize("octets", [b"\x01\x00\x00\x16" + bytes(16) + b"\x50\x00", b"\x01\x00\x00\x16" + bytes(18)])
def test_check_of_octets_that_do_not_frame_ends(octets):
    """An attribute of length zero ends the search: it is invalid, not an endless loop."""
    assert check_message_authenticator(octets, SECRET) is MessageAuthenticator.INVALID


def test_second_message_authenticator_is_not_written():
    """The one that is written is the only one."""
    for write in (encode_request, encode_reply):
        with pytest.raises(ValueError, match="only here"):
            write(2, 5, AUTHENTICATOR, [(80, bytes(16))], SECRET)


def test_request_authenticator_of_another_size_is_not_written():
    """A Request Authenticator has 16 octets."""
    with pytest.raises(ValueError, match="16 octets"):
        encode_request(1, 5, b"short", [], SECRET)


def test_length_counts_the_message_authenticator():
    """4096 octets are the limit with the Message-Authenticator counted."""
    attributes = [(79, bytes(252))] * 15 + [(79, bytes(246))]
    assert len(encode_reply(2, 5, AUTHENTICATOR, attributes, SECRET)) <= 4096
    with pytest.raises(ValueError, match="the limit is 4096"):
        encode_reply(2, 5, AUTHENTICATOR, [*attributes, (79, bytes(20))], SECRET)
