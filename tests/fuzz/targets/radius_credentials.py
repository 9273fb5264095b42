"""The credentials of a request: a value or our error; a proof is whole, and reads the same from its own attributes."""

from __future__ import annotations

from duoproxy.errors import Disposition, RemoteProtocolError
from duoproxy.radius.attributes import AttributeId, Type, all_values
from duoproxy.radius.credentials import (
    MS_CHAP_CHALLENGE,
    PROOFS,
    CredentialKind,
    identifier_of_proof,
    kinds_in,
    read_proof,
)
from duoproxy.radius.ms_chap_error import refusal_of_proof, with_ms_chap_error
from duoproxy.radius.packet import Code, Packet
from tests.fuzz.shaping import first_octet, lenient_attributes

WORDS = (
    b"\x03\x13",
    b"\x3c\x12",
    b"\x1a\x3a\x00\x00\x01\x37\x01\x34",
    b"\x1a\x3a\x00\x00\x01\x37\x19\x34",
    b"\x1a\x4c\x00\x00\x01\x37\x1b\x46",
    b"\x1a\x18\x00\x00\x01\x37\x0b\x12",
    b"\x1a\x10\x00\x00\x01\x37\x06\x0a",
    b"E=648 R=0",
)
AUTHENTICATOR = bytes(range(16))


def target(data: bytes) -> None:
    _, octets = first_octet(data)
    attributes = tuple(lenient_attributes(octets))
    kinds = kinds_in(attributes)
    assert refusal_of_proof(attributes).isprintable()
    refused = with_ms_chap_error((), attributes, bytes)
    assert len(refused) == (identifier_of_proof(attributes) is not None)
    assert with_ms_chap_error(refused, attributes, bytes) == refused
    try:
        proof = read_proof(Packet(Code.ACCESS_REQUEST, 1, AUTHENTICATOR, attributes))
    except RemoteProtocolError as fault:
        assert fault.disposition is Disposition.REJECT
        assert len(kinds) == 1
        return
    if proof is None:
        assert len(kinds) != 1 or kinds[0] in (CredentialKind.PAP, CredentialKind.EAP)
        return
    assert kinds == [proof.kind]
    assert proof.kind in PROOFS
    challenge = AttributeId(0, Type.CHAP_CHALLENGE) if proof.kind is CredentialKind.CHAP else MS_CHAP_CHALLENGE
    assert len(all_values(proof.attributes, challenge)) == 1
    # Nothing of it depends on the packet any more, and nothing else came along.
    again = read_proof(Packet(Code.ACCESS_REQUEST, 2, bytes(16), proof.attributes))
    assert again == proof
    assert again.octets == proof.octets
