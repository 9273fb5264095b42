"""The authenticator, with a method that says what the test wants. Source: RFC 3748 §4, RFC 4137."""

from __future__ import annotations

import itertools
import weakref
from typing import Any

import pytest

from duoproxy.eap.actions import (
    Accept,
    Action,
    Discard,
    Fail,
    JudgeAnswer,
    Judgement,
    SendRequest,
    SessionKeys,
    Succeed,
)
from duoproxy.eap.authenticator import EapAuthenticator, EapLimits, Phase
from duoproxy.eap.methods.method import MethodDone, MethodFailed, MethodRequest, MethodStep, Turn
from duoproxy.eap.methods.registry import MethodRegistry
from duoproxy.secret import Secret
from tests.unit.eap.conversation import only
from tests.unit.eap.peap_peer import response

KEYS = SessionKeys(Secret(bytes(64)), Secret(bytes(64)), b"name")
MTU = 1000


class ScriptedMethod:
    """Its responses say what it does."""

    summary = "scripted"

    def __init__(self, name: bytes = b"first") -> None:
        self.name = name
        self.turns: list[Turn] = []

    def begin(self, turn: Turn) -> MethodRequest:
        return MethodRequest(self.name)

    def receive(self, data: bytes, turn: Turn) -> MethodStep:
        self.turns.append(turn)
        steps: dict[bytes, MethodStep] = {
            b"more": MethodRequest(b"more"),
            b"prompt": MethodRequest(b"prompt", 60),
            b"judge": JudgeAnswer("alice", Secret("pencil")),
            b"done": MethodDone(KEYS, "alice"),
            b"failed": MethodFailed("so it was"),
        }
        return steps.get(data, Discard("not understood"))

    def judged(self, judgement: Judgement, turn: Turn) -> MethodStep:
        return MethodDone(KEYS, "alice") if isinstance(judgement, Accept) else MethodFailed("refused")


def machine(**limits: Any) -> EapAuthenticator:
    methods = MethodRegistry({25: ScriptedMethod, 21: lambda: ScriptedMethod(b"other")})
    return EapAuthenticator(methods, lambda count: b"\x30" * count, EapLimits(**limits), 0.0)


def step(talk: EapAuthenticator, octets: bytes, now: float = 0.0) -> Action:
    return only(talk.receive(octets, now, MTU))


def proposed(**limits: Any) -> EapAuthenticator:
    """A machine that proposed type 25 in request 8."""
    talk = machine(**limits)
    assert step(talk, response(7, 1, b"anonymous")) == SendRequest(b"\x01\x08\x00\x0a\x19first")
    return talk


def test_device_that_asks_by_itself():
    """The first packet is an Identity response: a method is proposed, with the next Identifier."""
    talk = proposed()
    assert (talk.outer_identity, talk.phase, talk.finished) == ("anonymous", Phase.PROPOSED, False)


def test_eap_start_is_answered_with_an_identity_request():
    """RFC 3579 §2.1; the Identifier is a random one."""
    talk = machine()
    assert talk.start(0.0) == [SendRequest(b"\x01\x31\x00\x05\x01")]
    assert step(talk, response(0x31, 1, b"bob")) == SendRequest(b"\x01\x32\x00\x0a\x19first")


def test_identifier_goes_round():
    """255 is followed by 0."""
    talk = machine()
    assert step(talk, response(255, 1, b"bob")) == SendRequest(b"\x01\x00\x00\x0a\x19first")


def test_success_has_the_identifier_of_the_last_response():
    """RFC 3748 §4.2."""
    talk = proposed()
    step(talk, response(8, 25, b"more"))
    assert step(talk, response(9, 25, b"done")) == Succeed(b"\x03\x09\x00\x04", KEYS, "alice")
    assert (talk.finished, talk.next_timeout(), talk.summary) == (True, None, "scripted")


def test_the_end_lets_go_of_the_method():
    """Its TLS connection takes tens of kilobytes, and the last reply is kept for half a minute."""
    talk = proposed()
    method = weakref.ref(talk._method)
    assert method() is not None
    step(talk, response(8, 25, b"done"))
    assert method() is None


def test_a_request_that_is_to_be_repeated_is_kept_with_its_time():
    """RFC 3579 §2.2, §2.3: after what is discarded the user gets the same time for the same prompt."""
    talk = proposed()
    prompt = step(talk, response(8, 25, b"prompt"))
    assert isinstance(step(talk, response(9, 25, b"?")), Discard)
    assert SendRequest(talk.last_request, talk.last_timeout_s) == prompt == SendRequest(talk.last_request, 60)
    more = step(talk, response(9, 25, b"more"))
    assert SendRequest(talk.last_request, talk.last_timeout_s) == more == SendRequest(talk.last_request, None)


def test_failure_has_the_identifier_of_the_last_response():
    """RFC 3748 §4.2."""
    assert step(proposed(), response(8, 25, b"failed")) == Fail(b"\x04\x08\x00\x04", "so it was")


@pytest.mark.parametrize("judgement", [Accept(), object()])
def test_judging_is_an_action_with_a_reply(judgement: Any):
    """While an answer is judged everything that comes is discarded; then the method goes on."""
    talk = proposed()
    assert step(talk, response(8, 25, b"judge")) == JudgeAnswer("alice", Secret("pencil"))
    assert isinstance(step(talk, response(8, 25, b"done")), Discard)
    assert (talk.phase, talk.answers) == (Phase.JUDGING, 1)
    end = only(talk.answer_judged(judgement, 1.0))
    assert isinstance(end, Succeed if judgement == Accept() else Fail)
    assert end.eap[1] == 8
    assert isinstance(only(talk.answer_judged(Accept(), 1.0)), Discard)


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"\x02\x08",
        response(7, 25, b"done"),
        response(9, 25, b"done"),
        response(8, 1, b"alice"),
        response(8, 6, b"done"),
        response(8, 2, b""),
        b"\x01" + response(8, 25, b"done")[1:],
        b"\x03\x08\x00\x04",
        b"\x04\x08\x00\x04",
    ],
)
def test_what_answers_nothing_is_discarded(octets: bytes):
    """Malformed, other Identifiers, other types, requests, EAP-Success of the peer: nothing changes. RFC 3748 §4.1."""
    talk = proposed()
    asked = talk.last_request
    assert isinstance(step(talk, octets), Discard)
    assert (talk.phase, talk.last_request) == (Phase.PROPOSED, asked)
    assert isinstance(step(talk, response(8, 25, b"done")), Succeed)


@pytest.mark.parametrize("octets", [response(7, 25, b"done"), response(7, 3, b"\x19"), response(7, 6, b"pencil"), b""])
def test_conversation_begins_with_an_identity(octets: bytes):
    """Before anything was asked only an Identity counts."""
    talk = machine()
    assert isinstance(step(talk, octets), Discard)
    assert talk.phase is Phase.INITIAL


def test_nak_gets_what_it_wants_if_it_is_offered():
    """RFC 3748 §5.3.1: the first of the wanted types that is offered."""
    talk = proposed()
    assert step(talk, response(8, 3, b"\x0d\x15")) == SendRequest(b"\x01\x09\x00\x0a\x15other")
    assert isinstance(step(talk, response(9, 21, b"done")), Succeed)


@pytest.mark.parametrize("wanted", [b"", b"\0", b"\x0d", b"\x19", b"\x0d" * 200])
def test_nak_without_a_type_that_is_offered_ends_it(wanted: bytes):
    """Reject and EAP-Failure; a type that was refused is not proposed again."""
    end = step(proposed(), response(8, 3, wanted))
    assert isinstance(end, Fail)
    assert len(end.reason) < 200


def test_naks_do_not_go_round_for_ever():
    """Each type is proposed once."""
    talk = proposed()
    step(talk, response(8, 3, b"\x15"))
    assert isinstance(step(talk, response(9, 3, b"\x19")), Fail)


def test_nak_after_an_answer_is_discarded():
    """RFC 3748 §4.1: a Nak only answers the first request of a method."""
    talk = proposed()
    step(talk, response(8, 25, b"more"))
    assert isinstance(step(talk, response(9, 3, b"\x15")), Discard)
    assert isinstance(step(talk, response(9, 25, b"done")), Succeed)


def test_response_that_the_method_ignores_leaves_the_nak_open():
    """RFC 4137: what a method ignores changes nothing."""
    talk = proposed()
    assert isinstance(step(talk, response(8, 25, b"?")), Discard)
    assert isinstance(step(talk, response(8, 3, b"\x15")), SendRequest)


def test_rounds_are_bounded():
    """A conversation that does not end is ended."""
    talk = proposed(max_rounds=10)
    for identifier in range(8, 17):
        assert isinstance(step(talk, response(identifier, 25, b"more")), SendRequest)
    assert step(talk, response(17, 25, b"done")) == Fail(b"\x04\x11\x00\x04", "more than 10 rounds")


def test_method_is_told_what_fits():
    """The Identifier of the next request, and the length without header and type."""
    seen: list[Turn] = []

    class Watched(ScriptedMethod):
        def receive(self, data: bytes, turn: Turn) -> MethodStep:
            seen.append(turn)
            return super().receive(data, turn)

    talk = EapAuthenticator(MethodRegistry({25: Watched}), lambda count: bytes(count), EapLimits(), 0.0)
    talk.receive(response(7, 1, b"x"), 0.0, MTU)
    talk.receive(response(8, 25, b"more"), 0.0, 500)
    assert seen == [Turn(9, 495)]


def test_handshake_has_a_deadline():
    """Until the user is asked for something, the whole of it has 60 s, however often the peer says something."""
    talk = proposed()
    for identifier, now in enumerate((10.0, 30.0, 50.0), 8):
        step(talk, response(identifier, 25, b"more"), now)
        assert talk.next_timeout() == 60.0
    assert talk.timeout(59.9) == []
    assert isinstance(only(talk.timeout(60.0)), Fail)
    assert talk.finished
    assert talk.timeout(61.0) == []


def test_user_has_time_for_each_answer():
    """From the first prompt on each answer has 120 s, and all together have ten minutes."""
    talk = proposed()
    step(talk, response(8, 25, b"prompt"), 50.0)
    assert talk.next_timeout() == 170.0
    step(talk, response(9, 25, b"more"), 160.0)
    assert talk.next_timeout() == 280.0
    step(talk, response(10, 25, b"judge"), 270.0)
    assert talk.next_timeout() == 600.0
    assert isinstance(only(talk.timeout(600.0)), Fail)
    assert isinstance(only(talk.answer_judged(Accept(), 601.0)), Discard)


def test_nothing_counts_after_the_end():
    """After success or failure everything is discarded."""
    for last in (b"done", b"failed"):
        talk = proposed()
        step(talk, response(8, 25, last))
        for octets, _ in itertools.product((response(8, 25, b"done"), response(9, 25, b"done"), b""), range(2)):
            assert isinstance(step(talk, octets), Discard)
        assert isinstance(only(talk.start(0.0)), Discard)
