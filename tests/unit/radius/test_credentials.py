"""Which credential a request carries, and what a proof needs to be whole. Source: RFC 2865 §5.3, RFC 2548 §2."""

from __future__ import annotations

import pytest

from duoproxy.errors import Disposition, RemoteProtocolError
from duoproxy.radius.attributes import AttributeId, Type, all_values, first, vendor_attribute
from duoproxy.radius.credentials import CredentialKind, RadiusProof, kinds_in, read_proof
from duoproxy.radius.packet import Attribute, Code, Packet

AUTHENTICATOR = bytes(range(16))
CHALLENGE = b"c" * 16
CHAP = (Type.CHAP_PASSWORD, b"p" * 17)
MS_CHALLENGE = vendor_attribute(311, 11, CHALLENGE)
RESPONSES = {
    CredentialKind.MS_CHAP: (1, 50),
    CredentialKind.MS_CHAP_CHANGE_1: (3, 70),
    CredentialKind.MS_CHAP_CHANGE_2: (4, 84),
    CredentialKind.MS_CHAP_2: (25, 50),
    CredentialKind.MS_CHAP_2_CHANGE: (27, 68),
}


def request(*attributes: Attribute) -> Packet:
    return Packet(Code.ACCESS_REQUEST, 1, AUTHENTICATOR, ((Type.USER_NAME, b"alice"), *attributes))


def proof(*attributes: Attribute) -> RadiusProof:
    found = read_proof(request(*attributes))
    assert found is not None
    return found


def fault(*attributes: Attribute) -> str:
    with pytest.raises(RemoteProtocolError) as caught:
        read_proof(request(*attributes))
    assert caught.value.disposition is Disposition.REJECT
    return str(caught.value)


def test_chap_takes_the_request_authenticator_with_it_as_its_challenge() -> None:
    """The next hop has another Request Authenticator, so the challenge becomes an attribute. RFC 2865 §5.3."""
    found = proof(CHAP)
    assert found.kind is CredentialKind.CHAP
    assert found.attributes == (CHAP, (Type.CHAP_CHALLENGE, AUTHENTICATOR))


def test_a_chap_challenge_that_is_there_stays() -> None:
    """RFC 2865 §5.40."""
    assert proof((Type.CHAP_CHALLENGE, CHALLENGE), CHAP).attributes == (CHAP, (Type.CHAP_CHALLENGE, CHALLENGE))


@pytest.mark.parametrize("kind", RESPONSES)
def test_each_kind_of_ms_chap_is_its_response_and_its_challenge(kind: CredentialKind) -> None:
    """RFC 2548 §2.1.3 and following, §2.3.2 and following."""
    number, size = RESPONSES[kind]
    found = proof(MS_CHALLENGE, vendor_attribute(311, number, b"r" * size))
    assert found.kind is kind
    assert first(found.attributes, AttributeId(311, number)) == b"r" * size
    assert first(found.attributes, AttributeId(311, 11)) == CHALLENGE
    assert len(found.attributes) == 2


def test_attributes_in_one_vendor_specific_are_found() -> None:
    """Some devices put challenge and response into one. RFC 2865 §5.26."""
    together = MS_CHALLENGE[1] + bytes((25, 52)) + b"r" * 50
    assert (
        proof((Type.VENDOR_SPECIFIC, together)).octets
        == proof(vendor_attribute(311, 25, b"r" * 50), MS_CHALLENGE).octets
    )


def test_a_change_of_password_takes_the_new_one_in_its_pieces_and_order_with_it() -> None:
    """RFC 2548 §2.1.9: MS-CHAP-NT-Enc-PW is cut into several attributes."""
    pieces = [b"\6\1\0\1" + b"a" * 240, b"\6\1\0\2" + b"b" * 240, b"\6\1\0\3" + b"c" * 36]
    change = vendor_attribute(311, 27, b"r" * 68)
    found = proof(change, *[vendor_attribute(311, 6, piece) for piece in pieces], MS_CHALLENGE)
    assert all_values(found.attributes, AttributeId(311, 6)) == pieces


def test_pap_eap_and_nothing_are_no_proof() -> None:
    """Their readers are others."""
    for attributes in ([], [(Type.USER_PASSWORD, b"x" * 16)], [(Type.EAP_MESSAGE, b"x")] * 2):
        assert read_proof(request(*attributes)) is None


def test_two_credentials_are_none() -> None:
    """RFC 2865 §4.1: a request that could be read in two ways is read in none."""
    both = [CHAP, vendor_attribute(311, 25, b"r" * 50), MS_CHALLENGE]
    assert kinds_in(both) == [CredentialKind.CHAP, CredentialKind.MS_CHAP_2]
    assert read_proof(request(*both)) is None
    assert kinds_in([CHAP, CHAP]) == [CredentialKind.CHAP] * 2
    assert read_proof(request(CHAP, CHAP)) is None
    assert kinds_in([(Type.EAP_MESSAGE, b"x")] * 5) == [CredentialKind.EAP]


def test_other_vendors_with_the_same_numbers_are_no_credential() -> None:
    """Vendor 9, number 25, is not MS-CHAP2-Response; nor is a value that is too short for a vendor."""
    assert kinds_in([vendor_attribute(9, 25, b"r" * 50), (Type.VENDOR_SPECIFIC, b"\0\0")]) == []


def test_a_proof_of_another_size_is_refused_with_both_sizes() -> None:
    """What the upstream would drop is told here."""
    assert fault((Type.CHAP_PASSWORD, b"p" * 16)) == "a CHAP-Password has 17 octets, not 16"
    assert fault(MS_CHALLENGE, vendor_attribute(311, 25, b"r" * 49)) == "an MS-CHAP2-Response has 50 octets, not 49"


def test_ms_chap_needs_exactly_one_challenge() -> None:
    """Only CHAP has another place for it."""
    response = vendor_attribute(311, 1, b"r" * 50)
    assert "needs one challenge beside it, and there are 0" in fault(response)
    assert "there are 2" in fault(response, MS_CHALLENGE, MS_CHALLENGE)
    assert "there are 2" in fault(CHAP, (Type.CHAP_CHALLENGE, b"a"), (Type.CHAP_CHALLENGE, b"a"))


def test_the_octets_of_a_proof_hold_its_challenge() -> None:
    """The same CHAP-Password under another Request Authenticator is another proof, and mostly a wrong one."""
    elsewhere = read_proof(Packet(Code.ACCESS_REQUEST, 1, b"other" + bytes(11), (CHAP,)))
    assert elsewhere is not None
    assert proof(CHAP).octets != elsewhere.octets
    assert proof(CHAP).octets == proof(CHAP, (Type.NAS_PORT, bytes(4))).octets


def test_nothing_of_a_proof_is_printed() -> None:
    """Whoever knows a response can guess the password at leisure."""
    assert "ppp" not in repr(proof(CHAP))
