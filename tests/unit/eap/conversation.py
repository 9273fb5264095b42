"""A whole conversation between the authenticator and the peer of `peap_peer.py`, as a test drives it."""

from __future__ import annotations

from collections.abc import Callable

from attrs import define, field

from duoproxy.eap.actions import (
    Accept,
    Action,
    Discard,
    Fail,
    JudgeAnswer,
    Judgement,
    Refuse,
    SendRequest,
    Succeed,
)
from duoproxy.eap.authenticator import EapAuthenticator, EapLimits
from duoproxy.eap.methods.peap import PeapSettings, peap_registry
from tests.unit.eap.certificates import tls_context
from tests.unit.eap.peap_peer import PeapPeer, response, unchanged

Judge = Callable[[JudgeAnswer], Judgement]
MTU = 1400
MAX_STEPS = 400


def pencil_only(asked: JudgeAnswer) -> Judgement:
    """Alice's password is pencil."""
    right = asked.identity == "alice" and asked.answer.reveal() == b"pencil"
    return Accept() if right else Refuse()


class CountedBytes:
    """Octets that are never the same, and the same in every run."""

    def __init__(self) -> None:
        self._next = 0

    def __call__(self, count: int) -> bytes:
        self._next += 1
        return self._next.to_bytes(4, "big").rjust(count, b"\x5a")[-count:]


def settings(**changes) -> PeapSettings:
    return PeapSettings(**{"tls": tls_context(), **changes})


def authenticator(limits: EapLimits | None = None, now: float = 0.0, **changes) -> EapAuthenticator:
    random_bytes = CountedBytes()
    return EapAuthenticator(peap_registry(settings(**changes), random_bytes), random_bytes, limits or EapLimits(), now)


@define(eq=False)
class Conversation:
    """One conversation.

    Attributes:
        change: what the network does to each response; it is told the number of the response, from 0.
    """

    peer: PeapPeer = field(factory=PeapPeer)
    server: EapAuthenticator = field(factory=authenticator)
    judge: Judge = pencil_only
    mtu: int = MTU
    change: Callable[[int, bytes], bytes] = lambda number, octets: octets
    sent: list[bytes] = field(factory=list)
    received: list[bytes] = field(factory=list)
    timeouts: list[int | None] = field(factory=list)
    asked: list[JudgeAnswer] = field(factory=list)
    now: float = 0.0

    def run(self) -> Succeed | Fail | Discard:
        """Talk until an end, or until something was discarded."""
        reply = response(7, 1, b"anonymous")
        for _ in range(MAX_STEPS):
            action = self.step(reply)
            if not isinstance(action, SendRequest):
                return action
            reply = self.peer.respond(action.eap)
        raise AssertionError("a conversation without an end")

    def step(self, reply: bytes) -> SendRequest | Succeed | Fail | Discard:
        reply = self.change(len(self.received), reply)
        self.received.append(reply)
        return self._done(only(self.server.receive(reply, self.now, self.mtu)))

    def _done(self, action: Action) -> SendRequest | Succeed | Fail | Discard:
        while isinstance(action, JudgeAnswer):
            self.asked.append(action)
            action = only(self.server.answer_judged(self.judge(action), self.now))
        if isinstance(action, SendRequest):
            self.sent.append(action.eap)
            self.timeouts.append(action.session_timeout_s)
            assert len(action.eap) <= self.mtu
        return action


def only(actions: list[Action]) -> Action:
    assert len(actions) == 1, actions
    return actions[0]


__all__ = ["Conversation", "CountedBytes", "authenticator", "only", "pencil_only", "settings", "unchanged"]
