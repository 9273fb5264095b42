"""The conversation inside the tunnel, without TLS: plaintext in, plaintext out."""

from __future__ import annotations

import pytest

from duoproxy.eap.actions import Accept, Ask, JudgeAnswer, Refuse
from duoproxy.eap.methods.gtc import MAX_ANSWER_BYTES
from duoproxy.eap.methods.inner import (
    InnerConversation,
    InnerDone,
    InnerFailed,
    InnerPhase,
    InnerSettings,
    InnerStep,
    Say,
    decode_inner,
)
from duoproxy.eap.packet import Code, EapPacket
from duoproxy.eap.peap_keys import TunnelKeys, signed_binding
from duoproxy.eap.peap_tlv import BindingSubType, Result, Tlv, binding_tlv, encode_tlvs, result_tlv
from duoproxy.errors import RemoteProtocolError
from duoproxy.secret import Secret
from tests.unit.eap.peap_peer import response

KEYS = TunnelKeys(bytes(range(128)), b"name")
SUCCESS, FAILURE = result_tlv(Result.SUCCESS), result_tlv(Result.FAILURE)
NONCE = bytes(32)


def conversation(version: int = 0, crypto_binding: bool = True) -> InnerConversation:
    settings = InnerSettings("Password: ", crypto_binding, 60)
    return InnerConversation(version, settings, KEYS, lambda count: bytes(count))


def inner(talk: InnerConversation, its_type: int, data: bytes, identifier: int) -> bytes:
    """What a peer of that version sends."""
    packet = response(identifier, its_type, data)
    return packet if talk._version or its_type == 33 else packet[4:]


def asked(version: int = 0, crypto_binding: bool = True) -> InnerConversation:
    """A conversation that asked for the password, in request 2."""
    talk = conversation(version, crypto_binding)
    talk.begin(1)
    talk.receive(inner(talk, 1, b"alice", 1), 2)
    assert talk.phase is InnerPhase.PROPOSED
    return talk


def judging(version: int = 0, crypto_binding: bool = True) -> InnerConversation:
    talk = asked(version, crypto_binding)
    assert talk.receive(inner(talk, 6, b"pencil", 2), 3) == JudgeAnswer("alice", Secret("pencil"))
    return talk


def accepted(version: int = 0, crypto_binding: bool = True) -> InnerConversation:
    """A conversation that said success, in request 4."""
    talk = judging(version, crypto_binding)
    talk.judged(Accept(), 4)
    return talk


def is_end(step: InnerStep, reason: str) -> bool:
    return isinstance(step, InnerFailed) and reason in step.reason


def test_headers_are_taken_off_in_version_0():
    """PEAPv0: Type and Type-Data only, except for the Extensions method."""
    talk = conversation(0)
    assert talk.begin(1).plaintext == b"\x01"
    assert talk.receive(b"\x01alice", 2) == Say(b"\x06Password: ", 60)
    talk.receive(b"\x06pencil", 3)
    assert talk.judged(Refuse(), 4) == Say(bytes.fromhex("0104000b21800300020002"))


def test_headers_stay_in_version_1():
    """PEAPv1: whole packets, and EAP-Success or -Failure at the end."""
    talk = conversation(1)
    assert talk.begin(1).plaintext == bytes.fromhex("0101000501")
    assert talk.receive(response(1, 1, b"alice"), 2) == Say(b"\x01\x02\x00\x0f\x06Password: ", 60)
    talk.receive(response(2, 6, b"pencil"), 3)
    assert talk.judged(Accept(), 4) == Say(bytes.fromhex("03040004"))


def test_header_that_was_left_on_is_recognised():
    """A peer of PEAPv0 may send whole packets: Code 2 and a Length that fits."""
    talk = conversation(0)
    talk.begin(1)
    talk.receive(response(1, 1, b"alice"), 2)
    assert talk.receive(response(2, 6, b"pencil"), 3) == JudgeAnswer("alice", Secret("pencil"))


def test_success_carries_crypto_binding():
    """The Result TLV and the request for crypto-binding stand in one packet, with its whole header."""
    talk = judging()
    said = talk.judged(Accept(), 4)
    assert isinstance(said, Say)
    assert said.plaintext[:11] == bytes.fromhex("0104004721800300020001")
    assert said.plaintext[11:19] == bytes.fromhex("000c003800000000")


def extensions(*tlvs: Tlv) -> bytes:
    return response(4, 33, encode_tlvs(tlvs))


def binding(sub_type: BindingSubType = BindingSubType.RESPONSE, cmk: bytes = KEYS.compound_keys().cmk) -> Tlv:
    return binding_tlv(signed_binding(cmk, sub_type, NONCE))


def test_keys_are_bound_when_both_sides_sent_crypto_binding():
    """MS-PEAP §3.1.5.7."""
    assert accepted().receive(extensions(SUCCESS, binding()), 5) == InnerDone(KEYS.bound_session_keys(), "alice")


def test_keys_are_the_tunnels_when_the_peer_leaves_it_out():
    """An old peer answers without the binding TLV."""
    assert accepted().receive(extensions(SUCCESS), 5) == InnerDone(KEYS.session_keys(), "alice")


@pytest.mark.parametrize(
    "tlvs",
    [
        [],
        [FAILURE],
        [FAILURE, binding()],
        [binding()],
        [SUCCESS, FAILURE],
        [SUCCESS, SUCCESS],
        [SUCCESS, binding(cmk=bytes(20))],
        [SUCCESS, binding(BindingSubType.REQUEST)],
        [SUCCESS, binding(), binding()],
        [SUCCESS, Tlv(12, b"")],
        [Tlv(3, b"\0\0", True)],
        [Tlv(3, b"\0\1\0", True)],
        [Tlv(99, b"")],
    ],
)
def test_only_a_confirmed_success_is_one(tlvs: list[Tlv]):
    """Failure, no result, another value, a bad binding: the peer's word is needed, and it must fit."""
    assert isinstance(accepted().receive(extensions(*tlvs), 5), InnerFailed)


def test_crypto_binding_that_was_not_asked_for_is_refused():
    """Nobody sent a request, so there is nothing to answer."""
    assert is_end(accepted(crypto_binding=False).receive(extensions(SUCCESS, binding()), 5), "crypto-binding")


def test_unknown_mandatory_tlv_is_refused_inside_the_tunnel():
    """An unknown TLV with the M bit: NAK TLV, and no success, whatever stands beside it."""
    talk = accepted()
    said = talk.receive(extensions(SUCCESS, Tlv(99, b"x", True)), 5)
    assert said == Say(bytes.fromhex("0105001521 80040006000000000063 800300020002"))
    assert is_end(talk.receive(extensions(SUCCESS), 6), "TLV 99")


@pytest.mark.parametrize("answer", [b"", bytes.fromhex("03040004")])
def test_version_1_ends_with_an_empty_packet_or_a_success(answer: bytes):
    """The peer acknowledges the inner EAP-Success by an empty packet or by one of its own."""
    assert accepted(1).receive(answer, 5) == InnerDone(KEYS.session_keys(), "alice")


@pytest.mark.parametrize("version", [0, 1])
@pytest.mark.parametrize("talk", [conversation, asked])
def test_success_of_the_peer_before_ours_proves_nothing(version: int, talk):
    """A Result TLV or an EAP-Success before the decision: the end."""
    for octets in (response(1, 33, encode_tlvs([SUCCESS])), bytes.fromhex("03010004"), b""):
        begun = talk(version)
        if begun.phase is InnerPhase.NEW:
            begun.begin(1)
        begun.receive(octets, 3)
        assert begun.phase in (InnerPhase.ENDED, InnerPhase.FAILURE)
        assert isinstance(begun.receive(extensions(SUCCESS), 4), InnerFailed)


@pytest.mark.parametrize("version", [0, 1])
def test_text_of_a_refusal_is_shown_once(version: int):
    """One more GTC request shows why; whatever is answered, failure is said."""
    talk = judging(version)
    shown = talk.judged(Refuse("Denied."), 3)
    assert isinstance(shown, Say)
    assert shown.plaintext.endswith(b"\x06Denied.")
    said = talk.receive(inner(talk, 6, b"pencil", 3), 4)
    assert isinstance(said, Say)
    assert said.plaintext == bytes.fromhex("04040004" if version else "0104000b21800300020002")
    assert is_end(talk.receive(extensions(SUCCESS, binding()), 5), "refused")


def test_nak_of_gtc_is_a_protected_failure():
    """Nothing but GTC is offered: a peer that wants MS-CHAPv2 is told so inside the tunnel."""
    talk = asked()
    assert talk.receive(b"\x03\x1a", 3) == Say(bytes.fromhex("0103000b21800300020002"))
    assert is_end(talk.receive(b"", 4), "wants: 26")


def test_nak_after_the_first_answer_breaks_the_rules():
    """After an answer of the method a Nak counts for nothing. RFC 3748 §5.3.1."""
    talk = judging()
    talk.judged(Ask("Code: "), 3)
    assert is_end(talk.receive(b"\x03\x1a", 4), "a Nak, while a further prompt was sent")


@pytest.mark.parametrize("identity", [b"", b"a" * 254, b"ali\0ce"])
def test_identity_that_is_no_name_is_a_protected_failure(identity: bytes):
    """Empty, too long, with a NUL."""
    talk = conversation()
    talk.begin(1)
    assert talk.receive(b"\x01" + identity, 2) == Say(bytes.fromhex("0102000b21800300020002"))
    assert isinstance(talk.receive(b"", 3), InnerFailed)


def test_answer_that_is_too_long_is_never_cut():
    """Reject, do not cut."""
    talk = asked()
    said = talk.receive(b"\x06" + b"a" * (MAX_ANSWER_BYTES + 1), 3)
    assert said == Say(bytes.fromhex("0103000b21800300020002"))
    whole = asked().receive(b"\x06" + b"a" * MAX_ANSWER_BYTES, 3)
    assert isinstance(whole, JudgeAnswer)
    assert len(whole.answer) == MAX_ANSWER_BYTES


def test_inner_identifiers_count_in_version_1():
    """An inner response answers the outstanding inner request. RFC 3748 §4.1."""
    talk = conversation(1)
    talk.begin(1)
    assert is_end(talk.receive(response(9, 1, b"alice"), 2), "another request")


def test_long_inner_packet_is_refused():
    """What is kept of an inner packet is bounded."""
    talk = conversation()
    talk.begin(1)
    assert is_end(talk.receive(b"\x01" + bytes(4096), 2), "over 4096")


def test_judgement_that_nobody_asked_for():
    """A judgement outside of judging lets nobody in."""
    for talk in (conversation(), asked(), accepted()):
        assert isinstance(talk.judged(Accept(), 3), InnerFailed)


@pytest.mark.parametrize(
    "octets", [b"\x02", b"\x02\x01\x00\x04", bytes.fromhex("0201000601610000"), bytes.fromhex("00")]
)
def test_inner_packet_of_version_1_is_whole(octets: bytes):
    """Octets behind it, none of its type, no packet at all: an error."""
    with pytest.raises(RemoteProtocolError):
        decode_inner(octets, 1, 1)


def test_commitment_octet_is_no_answer():
    """A lone 0x00 is never taken for inner data."""
    talk = asked()
    assert is_end(talk.receive(b"\0", 3), "something else")


def test_answer_that_looks_like_a_header_is_an_answer():
    """Only Code 2 with its own Length is a header: no password can be taken for one."""
    assert decode_inner(b"\x06\x02\x00\x06\x06\x07", 0, 5) == EapPacket(Code.RESPONSE, 5, 6, b"\x02\x00\x06\x06\x07")
