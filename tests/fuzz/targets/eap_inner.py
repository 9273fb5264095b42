"""What comes through the tunnel, in any order: a step each time, and success only for who knows the password."""

from __future__ import annotations

from duoproxy.eap.actions import Accept, Ask, JudgeAnswer, Judgement, Refuse
from duoproxy.eap.methods.inner import (
    InnerConversation,
    InnerDone,
    InnerFailed,
    InnerPhase,
    InnerSettings,
    InnerStep,
    Say,
)
from duoproxy.eap.peap_keys import TunnelKeys
from tests.fuzz.shaping import first_octet, messages

KEYS = TunnelKeys(bytes(range(128)), b"name")
WORDS = (
    b"\x06\x01alice",
    b"\x07\x06pencil",
    b"\x02\x06\x32",
    b"\x0b\x02\x04\0\x0b\x21\x80\x03\0\x02\0\x01",
    b"\x04\x03\x04\0\x04",
    b"\x02\x03\x1a",
    b"\x0a\x02\x01\0\x0a\x01alice",
    b"\x0b\x02\x02\0\x0b\x06pencil",
)


def target(data: bytes) -> None:
    chosen, stream = first_octet(data)
    talk = InnerConversation(chosen & 1, InnerSettings("Password: ", bool(chosen & 2), 60), KEYS, bytes)
    talk.begin(1)
    right = False
    for identifier, octets in enumerate(messages(stream), 2):
        step = talk.receive(octets, identifier % 256)
        if isinstance(step, JudgeAnswer):
            judgement = _judge(step, chosen)
            right = isinstance(judgement, Accept)
            step = talk.judged(judgement, identifier % 256)
        _holds(talk, step, right)


def _judge(asked: JudgeAnswer, chosen: int) -> Judgement:
    if (asked.identity, asked.answer.reveal()) == ("alice", b"pencil"):
        return Accept()
    return (Ask("Code: "), Refuse(), Refuse("Denied."))[chosen // 4 % 3]


def _holds(talk: InnerConversation, step: InnerStep, right: bool) -> None:
    assert isinstance(step, Say | InnerDone | InnerFailed)
    if isinstance(step, InnerDone):
        assert right
        assert step.identity == "alice"
        assert len(step.keys.msk) == 64
    if isinstance(step, InnerFailed):
        assert step.reason.isprintable()
        assert talk.phase is InnerPhase.ENDED
