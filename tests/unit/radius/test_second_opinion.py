"""What an independent implementation (pyrad) writes we read, and it reads what we write."""

from __future__ import annotations

from importlib import resources

import pytest

from duoproxy.radius.attributes import AttributeId, Type, first, vendor_attribute
from duoproxy.radius.authenticators import (
    MessageAuthenticator,
    check_message_authenticator,
    encode_reply,
    encode_request,
    reply_is_authentic,
)
from duoproxy.radius.hiding import decrypt_salted, encrypt_salted, hide_password, reveal_password
from duoproxy.radius.packet import Code, decode_packet

pyrad_packet = pytest.importorskip("pyrad.packet", reason="pyrad is not installed: pip install '.[dev]'")
pyrad_dictionary = pytest.importorskip("pyrad.dictionary")

SECRET = b"testing123"
AUTHENTICATOR = bytes(range(16))
KEY = bytes(range(32))


@pytest.fixture(scope="module")
def dictionary():
    return pyrad_dictionary.Dictionary(str(resources.files("duoproxy.radius") / "dictionary_data" / "dictionary"))


def test_its_parser_reads_our_dictionary_files(dictionary):
    """Our files are in the format that other programs read."""
    assert dictionary.attributes["PaloAlto-Client-Source-IP"].code == 7
    assert dictionary.attributes["MS-MPPE-Recv-Key"].encrypt == 2


def test_its_signed_request_is_valid_and_its_password_is_revealed(dictionary):
    """A request with User-Password and Message-Authenticator of pyrad is read here."""
    request = pyrad_packet.AuthPacket(secret=SECRET, dict=dictionary, authenticator=AUTHENTICATOR, id=9)
    request["User-Name"] = "alice"
    request["User-Password"] = request.PwCrypt("a password of more than sixteen octets")
    request.add_message_authenticator()
    octets = request.RequestPacket()
    assert check_message_authenticator(octets, SECRET) is MessageAuthenticator.VALID
    packet = decode_packet(octets)
    hidden = first(packet.attributes, Type.USER_PASSWORD)
    assert hidden is not None
    assert reveal_password(hidden, SECRET, packet.authenticator) == b"a password of more than sixteen octets"


def test_it_takes_our_request(dictionary):
    """pyrad verifies our Message-Authenticator and reveals our User-Password."""
    hidden = hide_password(b"a password of more than sixteen octets", SECRET, AUTHENTICATOR)
    attributes = [(Type.USER_NAME, b"alice"), (Type.USER_PASSWORD, hidden)]
    octets = encode_request(Code.ACCESS_REQUEST, 9, AUTHENTICATOR, attributes, SECRET)
    request = pyrad_packet.AuthPacket(secret=SECRET, dict=dictionary, packet=octets)
    assert request.verify_message_authenticator()
    assert request.PwDecrypt(request["User-Password"][0]) == "a password of more than sixteen octets"


def test_it_takes_our_reply_with_an_encrypted_key(dictionary):
    """pyrad verifies both authenticators of our reply and decrypts our key."""
    value = encrypt_salted(KEY, SECRET, AUTHENTICATOR, b"\x80\x01")
    octets = encode_reply(Code.ACCESS_ACCEPT, 9, AUTHENTICATOR, [vendor_attribute(311, 17, value)], SECRET)
    request = pyrad_packet.AuthPacket(secret=SECRET, dict=dictionary, authenticator=AUTHENTICATOR, id=9)
    reply = request.CreateReply(packet=octets)
    assert request.VerifyReply(reply, octets, enforce_ma=True)
    reply.authenticator = AUTHENTICATOR
    assert reply.SaltDecrypt(value) == KEY


def test_its_reply_is_authentic_and_its_key_is_decrypted(dictionary):
    """Both authenticators and the salted key of a reply of pyrad are right here."""
    request = pyrad_packet.AuthPacket(secret=SECRET, dict=dictionary, authenticator=AUTHENTICATOR, id=9)
    reply = request.CreateReply()
    reply.code = Code.ACCESS_ACCEPT
    reply["MS-MPPE-Recv-Key"] = KEY
    reply.add_message_authenticator()
    octets = reply.ReplyPacket()
    assert reply_is_authentic(octets, AUTHENTICATOR, SECRET)
    assert check_message_authenticator(octets, SECRET, AUTHENTICATOR) is MessageAuthenticator.VALID
    value = first(decode_packet(octets).attributes, AttributeId(311, 17))
    assert value is not None
    assert decrypt_salted(value, SECRET, AUTHENTICATOR) == KEY
