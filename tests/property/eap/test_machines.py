"""The machines of EAP: every phase with every input. Only one path leads to success."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from duoproxy.eap.actions import Accept, Ask, Discard, Fail, JudgeAnswer, Judgement, Refuse, SendRequest, Succeed
from duoproxy.eap.authenticator import EapAuthenticator, EapLimits, Input, Phase
from duoproxy.eap.methods.inner import (
    InnerConversation,
    InnerDone,
    InnerFailed,
    InnerInput,
    InnerPhase,
    InnerSettings,
    Say,
)
from duoproxy.eap.methods.method import MethodDone, MethodFailed, MethodRequest
from duoproxy.eap.methods.registry import MethodRegistry
from duoproxy.eap.packet import Code, EapPacket, encode_eap
from duoproxy.eap.peap_keys import TunnelKeys, signed_binding
from duoproxy.eap.peap_tlv import BindingSubType, Result, Tlv, binding_tlv, encode_tlvs, result_tlv
from duoproxy.secret import Secret
from tests.unit.eap.peap_peer import response
from tests.unit.eap.test_authenticator import KEYS, ScriptedMethod

TUNNEL = TunnelKeys(bytes(range(128)), b"name")
CMK = TUNNEL.compound_keys().cmk
SUCCESS, FAILURE = result_tlv(Result.SUCCESS), result_tlv(Result.FAILURE)
GOOD_BINDING = binding_tlv(signed_binding(CMK, BindingSubType.RESPONSE, bytes(32)))
BAD_BINDING = binding_tlv(signed_binding(bytes(20), BindingSubType.RESPONSE, bytes(32)))
JUDGEMENTS = [Accept(), Ask("Code: "), Refuse(), Refuse("Denied.")]


# ── inside the tunnel ──────────────────────────────────────────────────────────────────────────────────────────────


def conversation(version: int) -> InnerConversation:
    return InnerConversation(version, InnerSettings("Password: ", True, 60), TUNNEL, lambda count: bytes(count))


def inner(talk: InnerConversation, its_type: int, data: bytes) -> bytes:
    packet = response(talk._said_identifier, its_type, data)
    return packet if talk._version or its_type == 33 else packet[4:]


def in_phase(phase: InnerPhase, version: int) -> InnerConversation:
    """A conversation that came to a phase by the shortest way."""
    talk = conversation(version)
    if phase is InnerPhase.NEW:
        return talk
    talk.begin(1)
    if phase is InnerPhase.IDENTITY:
        return talk
    talk.receive(inner(talk, 1, b"alice"), 2)
    if phase is InnerPhase.PROPOSED:
        return talk
    talk.receive(inner(talk, 6, b"pencil"), 3)
    judgements: dict[InnerPhase, Judgement] = {
        InnerPhase.PROMPT: Ask("Code: "),
        InnerPhase.REFUSAL: Refuse("Denied."),
        InnerPhase.RESULT: Accept(),
        InnerPhase.SUCCESS: Accept(),
        InnerPhase.FAILURE: Refuse(),
        InnerPhase.ENDED: Refuse(),
    }
    if phase in judgements:
        talk.judged(judgements[phase], 3)
    if phase is InnerPhase.ENDED:
        talk.receive(b"", 4)
    return talk


def inner_inputs(talk: InnerConversation) -> dict[InnerInput, list[bytes]]:
    tlvs: list[list[Tlv]] = [[], [SUCCESS], [SUCCESS, GOOD_BINDING], [SUCCESS, BAD_BINDING], [FAILURE], [SUCCESS] * 2]
    return {
        InnerInput.EMPTY: [b""],
        InnerInput.IDENTITY: [inner(talk, 1, b"alice"), inner(talk, 1, b"")],
        InnerInput.NAK: [inner(talk, 3, b"\x1a"), inner(talk, 3, b"")],
        InnerInput.GTC: [inner(talk, 6, b"pencil"), inner(talk, 6, b"")],
        InnerInput.EXTENSIONS: [inner(talk, 33, encode_tlvs(each)) for each in tlvs],
        InnerInput.EAP_SUCCESS: [encode_eap(EapPacket(Code.SUCCESS, talk._said_identifier))],
        InnerInput.OTHER: [inner(talk, 26, b"x"), b"\0", bytes((1, 2, 0, 5, 6)), bytes((4, 2, 0, 4))],
    }


REACHABLE = [
    (phase, version)
    for phase, version in itertools.product(InnerPhase, (0, 1))
    if (phase, version) not in ((InnerPhase.RESULT, 1), (InnerPhase.SUCCESS, 0))
]
# Where success can come from: the decision was made, it was said, and the peer confirms it.
CONFIRMED = {
    (InnerPhase.RESULT, 0, InnerInput.EXTENSIONS),
    (InnerPhase.SUCCESS, 1, InnerInput.EMPTY),
    (InnerPhase.SUCCESS, 1, InnerInput.EAP_SUCCESS),
}


@pytest.mark.parametrize(("phase", "version"), REACHABLE)
@pytest.mark.parametrize("what", InnerInput)
def test_every_input_in_every_phase_of_the_tunnel(phase: InnerPhase, version: int, what: InnerInput):
    """A step comes out, never an exception; success only from a confirmed decision; failure cannot be talked away."""
    for number in range(len(inner_inputs(conversation(version))[what])):
        talk = in_phase(phase, version)
        assert talk.phase is phase
        step = talk.receive(inner_inputs(talk)[what][number], 5)
        assert isinstance(step, Say | JudgeAnswer | InnerDone | InnerFailed)
        if isinstance(step, InnerDone):
            assert (phase, version, what) in CONFIRMED
        if phase in (InnerPhase.FAILURE, InnerPhase.ENDED):
            assert isinstance(step, InnerFailed)


@pytest.mark.parametrize(("phase", "version"), REACHABLE)
@pytest.mark.parametrize("judgement", JUDGEMENTS, ids=str)
def test_every_judgement_in_every_phase_of_the_tunnel(phase: InnerPhase, version: int, judgement):
    """A judgement counts where one is awaited, and nowhere else."""
    step = in_phase(phase, version).judged(judgement, 5)
    assert isinstance(step, Say if phase is InnerPhase.JUDGING else InnerFailed)


@given(st.data())
@settings(max_examples=200)
def test_no_way_through_the_tunnel_leads_past_the_decision(data):
    """Whatever a peer says in whatever order: success only after Accept, and after it only if the peer agrees."""
    version = data.draw(st.sampled_from([0, 1]))
    talk, accepted = conversation(version), False
    talk.begin(1)
    for identifier in range(2, 10):
        if talk.phase is InnerPhase.JUDGING:
            judgement = data.draw(st.sampled_from(JUDGEMENTS))
            accepted = isinstance(judgement, Accept)
            step = talk.judged(judgement, identifier)
        else:
            what = data.draw(st.sampled_from(list(InnerInput)))
            step = talk.receive(data.draw(st.sampled_from(inner_inputs(talk)[what])), identifier)
        if isinstance(step, InnerDone):
            assert accepted
        if isinstance(step, InnerDone | InnerFailed):
            return


# ── the authenticator ──────────────────────────────────────────────────────────────────────────────────────────────


def authenticator() -> EapAuthenticator:
    methods = MethodRegistry({25: ScriptedMethod, 21: lambda: ScriptedMethod(b"other")})
    return EapAuthenticator(methods, lambda count: bytes(count), EapLimits(), 0.0)


def brought_to(phase: Phase) -> EapAuthenticator:
    talk = authenticator()
    ways: dict[Phase, list[bytes]] = {
        Phase.PROPOSED: [],
        Phase.METHOD: [b"more"],
        Phase.JUDGING: [b"judge"],
        Phase.SUCCEEDED: [b"done"],
        Phase.FAILED: [b"failed"],
    }
    if phase is Phase.IDENTITY:
        talk.start(0.0)
    elif phase is not Phase.INITIAL:
        talk.receive(response(7, 1, b"x"), 0.0, 1000)
        for data in ways[phase]:
            talk.receive(response(8, 25, data), 0.0, 1000)
    return talk


def packets(talk: EapAuthenticator) -> dict[Input, list[bytes]]:
    outstanding = talk._identifier
    return {
        Input.IDENTITY: [response(outstanding, 1, b"alice"), response(outstanding, 1, b"")],
        Input.NAK: [response(outstanding, 3, data) for data in (b"", b"\0", b"\x15", b"\x19")],
        Input.METHOD: [response(outstanding, 25, data) for data in (b"more", b"judge", b"done", b"failed", b"?", b"")],
        Input.OTHER: [response(outstanding, 6, b"pencil"), response(outstanding, 254, b"")],
    }


@pytest.mark.parametrize("phase", Phase)
@pytest.mark.parametrize("what", Input)
def test_every_input_in_every_phase_of_the_authenticator(phase: Phase, what: Input):
    """One action comes out, never an exception; what is in no table changes nothing."""
    for number in range(6):
        talk = brought_to(phase)
        assert talk.phase is phase
        octets = packets(talk).get(what, [])
        if what is Input.START:
            [action] = talk.start(0.0)
        elif number < len(octets):
            [action] = talk.receive(octets[number], 0.0, 1000)
        else:
            continue
        if isinstance(action, Discard):
            assert talk.phase is phase
        if isinstance(action, Succeed):
            assert phase in (Phase.PROPOSED, Phase.METHOD)
            assert what is Input.METHOD
        if phase in (Phase.JUDGING, Phase.SUCCEEDED, Phase.FAILED):
            assert isinstance(action, Discard)
        assert talk.finished == isinstance(action, Succeed | Fail) or talk.phase is phase


@pytest.mark.parametrize("phase", Phase)
@pytest.mark.parametrize("judgement", JUDGEMENTS, ids=str)
def test_every_judgement_in_every_phase_of_the_authenticator(phase: Phase, judgement):
    """A judgement counts while an answer is judged."""
    [action] = brought_to(phase).answer_judged(judgement, 0.0)
    assert isinstance(action, Succeed | Fail if phase is Phase.JUDGING else Discard)


STEPS = [
    MethodRequest(b"more"),
    MethodRequest(b"prompt", 60),
    JudgeAnswer("alice", Secret("pencil")),
    MethodDone(KEYS, "alice"),
    MethodFailed("so it was"),
    Discard("ignored"),
]


class AnyMethod(ScriptedMethod):
    """Does what its next octet says."""

    def receive(self, data, turn):
        return STEPS[data[0] % len(STEPS)] if data else Discard("empty")

    def judged(self, judgement, turn):
        return MethodDone(KEYS, "alice") if isinstance(judgement, Accept) else MethodFailed("refused")


@given(st.data())
@settings(max_examples=80)
def test_a_conversation_has_one_end(data):
    """Any packets, judgements and any passing of time: at most one end, Identifiers that move on, deadlines ahead."""
    limits = EapLimits(max_rounds=30)
    methods = MethodRegistry({25: AnyMethod, 21: AnyMethod})
    talk, now, ends = EapAuthenticator(methods, lambda count: b"\xfe" * count, limits, 0.0), 0.0, 0
    last = -1
    for _ in range(40):
        kind = data.draw(st.sampled_from(["packet", "packet", "packet", "octets", "start", "judged", "time"]))
        if kind == "packet":
            identifier = (talk._identifier + data.draw(st.sampled_from([0, 0, 0, 1, 255]))) % 256
            its_type = data.draw(st.sampled_from([1, 3, 25, 25, 25, 21, 6, 254]))
            octets = response(identifier, its_type, data.draw(st.binary(max_size=3)))
            actions = talk.receive(octets, now, 1000)
        elif kind == "octets":
            actions = talk.receive(data.draw(st.binary(max_size=8)), now, 1000)
        elif kind == "start":
            actions = talk.start(now)
        elif kind == "judged":
            actions = talk.answer_judged(data.draw(st.sampled_from(JUDGEMENTS)), now)
        else:
            now += data.draw(st.sampled_from([1.0, 59.0, 130.0]))
            actions = talk.timeout(now)
        for action in actions:
            ends += isinstance(action, Succeed | Fail)
            if isinstance(action, SendRequest):
                assert action.eap == talk.last_request
                assert action.eap[1] != last
                last = action.eap[1]
        assert ends == talk.finished
        due = talk.next_timeout()
        assert (due is None) == talk.finished
