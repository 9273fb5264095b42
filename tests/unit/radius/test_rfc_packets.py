"""The printed packets of RFC 2865 §7 and RFC 5997 §6, octet for octet."""

from __future__ import annotations

import hashlib

import pytest

from duoproxy.errors import RemoteProtocolError
from duoproxy.radius.attributes import Type, first
from duoproxy.radius.authenticators import (
    MessageAuthenticator,
    check_message_authenticator,
    encode_request,
    reply_is_authentic,
)
from duoproxy.radius.hiding import hide_password, reveal_password
from duoproxy.radius.packet import Code, decode_packet, encode_packet, frame_packet
from tests.unit.radius import vectors
from tests.unit.radius.vectors import SECRET


@pytest.mark.parametrize(
    ("request_octets", "user", "password"),
    [
        (vectors.RFC2865_7_1_REQUEST, b"nemo", b"arctangent"),
        (vectors.RFC2865_7_3_REQUEST_1, b"mopsy", b"challenge"),
        (vectors.RFC2865_7_3_REQUEST_2, b"mopsy", b"99101462"),
    ],
    ids=["7.1", "7.3 first", "7.3 second"],
)
def test_rfc_2865_7_password_is_revealed_and_hidden_again(request_octets, user, password):
    """RFC 2865 §7.1, §7.3: the passwords of the examples come out, and go in to the same octets."""
    packet = decode_packet(request_octets)
    hidden = first(packet.attributes, Type.USER_PASSWORD)
    assert first(packet.attributes, Type.USER_NAME) == user
    assert hidden is not None
    assert reveal_password(hidden, SECRET, packet.authenticator) == password
    assert hide_password(password, SECRET, packet.authenticator) == hidden


@pytest.mark.parametrize(
    ("request_octets", "reply_octets"),
    [
        (vectors.RFC2865_7_1_REQUEST, vectors.RFC2865_7_1_ACCEPT),
        (vectors.RFC2865_7_2_REQUEST, vectors.RFC2865_7_2_ACCEPT),
        (vectors.RFC2865_7_3_REQUEST_1, vectors.RFC2865_7_3_CHALLENGE),
        (vectors.RFC2865_7_3_REQUEST_2, vectors.RFC2865_7_3_REJECT),
        (vectors.RFC5997_6_1_REQUEST, vectors.RFC5997_6_1_RESPONSE),
        (vectors.RFC5997_6_2_REQUEST, vectors.RFC5997_6_2_RESPONSE),
        (vectors.RFC5997_6_3_REQUEST, vectors.RFC5997_6_3_RESPONSE),
    ],
    ids=["2865-7.1", "2865-7.2", "2865-7.3-challenge", "2865-7.3-reject", "5997-6.1", "5997-6.2", "5997-6.3"],
)
def test_printed_reply_is_authentic(request_octets, reply_octets):
    """The Response Authenticators of the examples fit their requests, and no other."""
    request_authenticator = decode_packet(request_octets).authenticator
    assert reply_is_authentic(frame_packet(reply_octets), request_authenticator, SECRET)
    assert not reply_is_authentic(frame_packet(reply_octets), request_authenticator, SECRET + b"!")
    assert not reply_is_authentic(frame_packet(reply_octets), bytes(16), SECRET)


@pytest.mark.parametrize(
    "request_octets",
    [vectors.RFC5997_6_1_REQUEST, vectors.RFC5997_6_2_REQUEST, vectors.RFC5997_6_3_REQUEST],
    ids=["6.1", "6.2", "6.3"],
)
def test_rfc_5997_6_status_server_is_signed(request_octets):
    """RFC 5997 §6: the Message-Authenticators of the examples are valid."""
    assert check_message_authenticator(request_octets, SECRET) is MessageAuthenticator.VALID
    assert check_message_authenticator(request_octets, b"wrong") is MessageAuthenticator.INVALID


def test_rfc_5997_6_1_request_is_written_octet_for_octet():
    """RFC 5997 §6.1: a Status-Server with nothing but its Message-Authenticator."""
    authenticator = decode_packet(vectors.RFC5997_6_1_REQUEST).authenticator
    assert encode_request(Code.STATUS_SERVER, 0xDA, authenticator, (), SECRET) == vectors.RFC5997_6_1_REQUEST


def test_rfc_2865_7_2_chap_password():
    """RFC 2865 §7.2: the CHAP-Password fits the password arctangent, with the Request Authenticator as challenge."""
    packet = decode_packet(vectors.RFC2865_7_2_REQUEST)
    chap = first(packet.attributes, Type.CHAP_PASSWORD)
    assert chap is not None
    assert chap[1:] == hashlib.md5(chap[:1] + b"arctangent" + packet.authenticator).digest()


def test_rfc_2865_7_2_framed_routing_is_what_the_octets_say():
    """RFC 2865 §7.2, erratum: the legend prints 0, the signed octets have 2."""
    packet = decode_packet(vectors.RFC2865_7_2_ACCEPT)
    assert first(packet.attributes, Type.FRAMED_ROUTING) == b"\0\0\0\x02"


def test_rfc_2865_7_3_second_request_as_printed_is_malformed():
    """RFC 2865 §7.3, erratum: the printed State has a Length that runs past the packet."""
    with pytest.raises(RemoteProtocolError):
        frame_packet(vectors.RFC2865_7_3_REQUEST_2_AS_PRINTED)


def test_rfc_5997_6_2_response_as_printed_is_no_answer():
    """RFC 5997 §6.2, erratum: with the printed code 2 the authenticator does not fit."""
    authenticator = decode_packet(vectors.RFC5997_6_2_REQUEST).authenticator
    assert not reply_is_authentic(vectors.RFC5997_6_2_RESPONSE_AS_PRINTED, authenticator, SECRET)


@pytest.mark.parametrize(
    "printed",
    [
        vectors.RFC2865_7_1_REQUEST,
        vectors.RFC2865_7_2_ACCEPT,
        vectors.RFC2865_7_3_CHALLENGE,
        vectors.RFC5997_6_3_RESPONSE,
    ],
    ids=["2865-7.1", "2865-7.2", "2865-7.3", "5997-6.3"],
)
def test_printed_packet_is_written_back_octet_for_octet(printed):
    """Encoding what was decoded gives the printed octets."""
    assert encode_packet(decode_packet(printed)) == printed
