"""What a device computes instead of sending a password."""

from __future__ import annotations

from duoproxy.radius.attributes import AttributeId, Type, all_values, first
from duoproxy.radius.packet import Packet
from duoproxy.secret import Secret
from duoproxy.tools.login_proofs import challenge_response, chap, des, ms_chap_v2

# RFC 2759 §9.2
CHALLENGE = bytes.fromhex("5b5d7c7d7b3f2f3e3c2c602132262628")
PEER_CHALLENGE = bytes.fromhex("21402324255e262a28295f2b3a337c7e")
NT_RESPONSE = bytes.fromhex("82309ecd8d708b5ea08faa3981cd83544233114a3d85d6df")
# RFC 2865 §7.2
FLOPSY_AUTHENTICATOR = bytes.fromhex("2aee86f08d0d55969ca5978e0d3367a2")
FLOPSY_CHAP = bytes.fromhex("16e97557c316185895f293ff6344077275")


def test_rfc_2759_9_2() -> None:
    """NT-Response and Authenticator Response of the example."""
    made = ms_chap_v2("User", Secret("clientPass"), 1, CHALLENGE, PEER_CHALLENGE)
    [response] = all_values(made.attributes, AttributeId(311, 25))
    assert response == b"\1\0" + PEER_CHALLENGE + bytes(8) + NT_RESPONSE
    assert first(made.attributes, AttributeId(311, 11)) == CHALLENGE
    assert made.success == b"\1S=407A5589115FD0D6209F510FE9C04566932CDA56"


def test_the_domain_is_sent_and_not_hashed() -> None:
    """RFC 2759 §8.2: what stands before the backslash is no part of the name."""
    plain = ms_chap_v2("User", Secret("clientPass"), 1, CHALLENGE, PEER_CHALLENGE)
    assert ms_chap_v2("CORP\\User", Secret("clientPass"), 1, CHALLENGE, PEER_CHALLENGE) == plain


def test_rfc_2759_9_3_keys_of_des() -> None:
    """Seven octets of a hash become a key with parity; the cipher agrees with one that ignores parity."""
    hashed = bytes.fromhex("fc156af7edcd6c0edde3337d427f4eac")
    response = challenge_response(bytes(8), hashed)
    assert response == des(hashed[:7], bytes(8)) + des(hashed[7:14], bytes(8)) + des(hashed[14:] + bytes(5), bytes(8))
    assert len(response) == 24


def test_rfc_2865_7_2_chap() -> None:
    """The password behind the example of flopsy is arctangent, its challenge the Request Authenticator."""
    made = chap(Secret("arctangent"), 0x16, FLOPSY_AUTHENTICATOR)
    packet = Packet(1, 1, bytes(16), made)
    assert first(packet.attributes, Type.CHAP_PASSWORD) == FLOPSY_CHAP
    assert first(packet.attributes, Type.CHAP_CHALLENGE) == FLOPSY_AUTHENTICATOR
