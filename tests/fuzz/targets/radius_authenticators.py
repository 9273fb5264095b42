"""The checks with the shared secret: they end for any octets, and nothing is valid that was not signed."""

from __future__ import annotations

from duoproxy.radius.authenticators import (
    MessageAuthenticator,
    check_message_authenticator,
    encode_reply,
    encode_request,
    reply_is_authentic,
)
from duoproxy.radius.packet import AUTHENTICATOR_BYTES, Code, decode_packet
from tests.fuzz.shaping import whole_packet

SECRET = b"a secret that no input has been signed with"
NO_AUTHENTICATOR = bytes(AUTHENTICATOR_BYTES)
COMPUTED = (Code.ACCOUNTING_REQUEST, Code.DISCONNECT_REQUEST, Code.COA_REQUEST)


def target(data: bytes) -> None:
    for authenticator in (None, NO_AUTHENTICATOR):
        assert check_message_authenticator(data, SECRET, authenticator) is not MessageAuthenticator.VALID
    assert not reply_is_authentic(data, NO_AUTHENTICATOR, SECRET)
    packet = whole_packet(data)
    reply = encode_reply(packet.code, packet.identifier, packet.authenticator, packet.attributes, SECRET)
    assert check_message_authenticator(reply, SECRET, packet.authenticator) is MessageAuthenticator.VALID
    assert reply_is_authentic(reply, packet.authenticator, SECRET)
    assert not reply_is_authentic(_with_last_bit_changed(reply), packet.authenticator, SECRET)
    if packet.code in COMPUTED:
        return
    request = encode_request(packet.code, packet.identifier, packet.authenticator, packet.attributes, SECRET)
    assert check_message_authenticator(request, SECRET) is MessageAuthenticator.VALID
    assert decode_packet(request).attributes[1:] == packet.attributes
    assert check_message_authenticator(_with_last_bit_changed(request), SECRET) is not MessageAuthenticator.VALID


def _with_last_bit_changed(octets: bytes) -> bytes:
    return octets[:-1] + bytes((octets[-1] ^ 1,))
