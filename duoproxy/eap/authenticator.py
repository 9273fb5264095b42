"""The EAP authenticator: one conversation with one peer, as the machine of RFC 4137 behind a device (its "backend").

Owns Identifiers, which method runs, Naks, the number of rounds, deadlines, and that there is one end. What a method
says in its requests it does not know. It is fed packets, judgements and time, and says what to do (`eap.actions`).
The device repeats requests to the peer; this machine never does.

Source: RFC 3748 §4, RFC 4137 §5 to §7.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from types import MappingProxyType

from attrs import frozen

from duoproxy.eap.actions import (
    Action,
    Discard,
    Fail,
    JudgeAnswer,
    Judgement,
    SendRequest,
    Succeed,
)
from duoproxy.eap.methods.identity import IDENTITY_REQUEST, shown_identity
from duoproxy.eap.methods.method import Method, MethodDone, MethodFailed, MethodRequest, MethodStep, Turn
from duoproxy.eap.methods.registry import MethodRegistry
from duoproxy.eap.packet import (
    HEADER_BYTES,
    IDENTIFIERS,
    TYPE_BYTES,
    Code,
    EapPacket,
    EapType,
    decode_eap,
    encode_eap,
    read_nak,
    spell_types,
)
from duoproxy.errors import RemoteProtocolError

MAX_ROUNDS = 100
"""Supplicants stop at 50 or 100 requests; a login with small fragments takes about 40."""
HANDSHAKE_S = 60.0
ANSWER_S = 120.0
LIFE_S = 600.0


@frozen
class EapLimits:
    """What a conversation may take.

    Attributes:
        max_rounds: responses in all, good ones and others.
        handshake_s: seconds from the beginning until the user is asked for something.
        answer_s: seconds that the peer may take for each answer from then on.
        life_s: seconds in all, the judging included.
    """

    max_rounds: int = MAX_ROUNDS
    handshake_s: float = HANDSHAKE_S
    answer_s: float = ANSWER_S
    life_s: float = LIFE_S


class Phase(enum.Enum):
    """Where the conversation stands; behind it the states of RFC 4137 (figure 5) that it stands for."""

    INITIAL = "nothing was sent"  # INITIALIZE, PICK_UP_METHOD
    IDENTITY = "the identity was asked for"  # IDLE, method Identity
    PROPOSED = "a method was proposed"  # IDLE, methodState PROPOSED
    METHOD = "the method goes on"  # IDLE, methodState CONTINUE
    JUDGING = "an answer is judged"  # METHOD_RESPONSE, while the method waits for its back end
    SUCCEEDED = "ended with success"  # SUCCESS
    FAILED = "ended with failure"  # FAILURE


class Input(enum.Enum):
    """What can come in."""

    START = "EAP-Start"
    IDENTITY = "an Identity response"
    NAK = "a Nak"
    METHOD = "a response of the method"
    OTHER = "a response of another type"


class EapAuthenticator:
    """One conversation.

    Attributes:
        phase: where it stands.
        outer_identity: what the peer said in the clear: a hint for logs, nothing else.
        last_request: the packet of the last `SendRequest`, to be repeated after a `Discard`; empty before the first.
        last_timeout_s: its `session_timeout_s`.
        answers: how many answers came to be judged.
    """

    __slots__ = (
        "_due",
        "_ends_at",
        "_identifier",
        "_limits",
        "_max_data_bytes",
        "_method",
        "_method_type",
        "_methods",
        "_proposed",
        "_rounds",
        "_summary",
        "_user_was_asked",
        "answers",
        "last_request",
        "last_timeout_s",
        "outer_identity",
        "phase",
    )

    def __init__(
        self, methods: MethodRegistry, random_bytes: Callable[[int], bytes], limits: EapLimits, now: float
    ) -> None:
        """Begin; nothing is said yet.

        Args:
            methods: what is offered.
            random_bytes: as `os.urandom`; for the first Identifier.
            limits: what the conversation may take.
            now: seconds, monotonic.
        """
        self.phase = Phase.INITIAL
        self.outer_identity = ""
        self.last_request = b""
        self.last_timeout_s: int | None = None
        self.answers = 0
        self._methods = methods
        self._limits = limits
        self._ends_at = now + limits.life_s
        self._due = min(self._ends_at, now + limits.handshake_s)
        self._rounds = 0
        self._identifier = random_bytes(1)[0]
        self._method: Method | None = None
        self._method_type = 0
        self._proposed: tuple[int, ...] = ()
        self._summary = ""
        self._max_data_bytes = 0
        self._user_was_asked = False

    @property
    def finished(self) -> bool:
        """Whether it is over."""
        return self.phase in (Phase.SUCCEEDED, Phase.FAILED)

    @property
    def summary(self) -> str:
        """What the method agreed on with the peer, for the log: `PEAPv0, TLSv1.3`; empty before."""
        return self._method.summary if self._method is not None else self._summary

    def start(self, now: float) -> list[Action]:
        """Take an EAP-Start: ask for the identity. Source: RFC 3579 §2.1."""
        return self._take(Input.START, b"", now)

    def receive(self, eap: bytes, now: float, mtu_bytes: int) -> list[Action]:
        """Take a packet of the peer; whatever it is, nothing is raised.

        Args:
            eap: the packet.
            now: seconds, monotonic.
            mtu_bytes: how long the next request may be, its header included.
        """
        if self.finished or self.phase is Phase.JUDGING:
            return [Discard(f"a packet, while {self.phase.value}")]
        self._rounds += 1
        if self._rounds > self._limits.max_rounds:
            return [self._fail(f"more than {self._limits.max_rounds} rounds")]
        self._max_data_bytes = mtu_bytes - HEADER_BYTES - TYPE_BYTES
        try:
            packet = decode_eap(eap)
        except RemoteProtocolError as error:
            return [Discard(str(error))]
        return self._received(packet, now)

    def answer_judged(self, judgement: Judgement, now: float) -> list[Action]:
        """Take the reply to `JudgeAnswer`; where nothing is being judged (any more), it changes nothing."""
        if self.phase is not Phase.JUDGING or self._method is None:
            return [Discard("a judgement, but nothing is being judged")]
        self.phase = Phase.METHOD
        return [self._step(self._method.judged(judgement, self._turn()), now)]

    def next_timeout(self) -> float | None:
        """Give the moment at which the conversation is to be given up, or None when it is over."""
        return None if self.finished else self._due

    def timeout(self, now: float) -> list[Action]:
        """Give the conversation up if it is time."""
        if self.finished or now < self._due:
            return []
        return [self._fail(f"given up, {self.phase.value}")]

    # ── what came in ───────────────────────────────────────────────────────────────────────────────────────────

    def _received(self, packet: EapPacket, now: float) -> list[Action]:
        if packet.code is not Code.RESPONSE:
            return [Discard(f"a peer sends responses, not code {packet.code}")]
        if self.phase is Phase.INITIAL:
            self._identifier = packet.identifier  # the device asked for the identity by itself
        elif packet.identifier != self._identifier:
            return [Discard(f"a response to request {packet.identifier}, not to {self._identifier}")]
        if (wanted := read_nak(packet)) is not None:
            return self._take(Input.NAK, bytes(wanted), now)
        if packet.type == EapType.IDENTITY:
            return self._take(Input.IDENTITY, packet.data, now)
        its_own = self._method is not None and packet.type == self._method_type
        return self._take(Input.METHOD if its_own else Input.OTHER, packet.data, now)

    def _take(self, what: Input, data: bytes, now: float) -> list[Action]:
        transition = _TRANSITIONS.get((self.phase, what))
        if transition is None:
            return [Discard(f"{what.value}, while {self.phase.value}")]
        return [transition(self, data, now)]

    def _ask_identity(self, data: bytes, now: float) -> Action:
        self.phase = Phase.IDENTITY
        return self._request(EapType.IDENTITY, MethodRequest(IDENTITY_REQUEST), now)

    def _identity_came(self, data: bytes, now: float) -> Action:
        self.outer_identity = shown_identity(data)
        return self._propose(self._methods.preferred, now)

    def _nak_came(self, wanted: bytes, now: float) -> Action:
        """Propose what the peer wants instead, or end. Source: RFC 3748 §5.3.1, RFC 3579 §2.6.2."""
        other = self._methods.choose(wanted, self._proposed)
        if other is None:
            its_wish = spell_types(wanted)
            return self._fail(f"the peer refuses EAP type {self._method_type}; the types that it wants: {its_wish}")
        return self._propose(other, now)

    def _propose(self, method_type: int, now: float) -> Action:
        self._proposed += (method_type,)
        self._method_type, self._method = method_type, self._methods.make(method_type)
        self.phase = Phase.PROPOSED
        return self._request(method_type, self._method.begin(self._turn()), now)

    def _method_answered(self, data: bytes, now: float) -> Action:
        if self._method is None:  # pragma: no cover - the phases of this transition have one
            return self._fail("no method runs")
        return self._step(self._method.receive(data, self._turn()), now)

    # ── what goes out ──────────────────────────────────────────────────────────────────────────────────────────

    def _turn(self) -> Turn:
        return Turn((self._identifier + 1) % IDENTIFIERS, self._max_data_bytes)

    def _step(self, step: MethodStep, now: float) -> Action:
        if isinstance(step, Discard):
            return step
        if isinstance(step, MethodFailed):
            return self._fail(step.reason)
        if isinstance(step, MethodDone):
            return self._succeed(step)
        if isinstance(step, JudgeAnswer):
            self.phase = Phase.JUDGING
            self.answers += 1
            self._due = self._ends_at
            return step
        self.phase = Phase.METHOD
        return self._request(self._method_type, step, now)

    def _request(self, its_type: int, request: MethodRequest, now: float) -> SendRequest:
        if request.session_timeout_s is not None or self._user_was_asked:
            self._user_was_asked = True
            self._due = min(self._ends_at, now + self._limits.answer_s)
        self._identifier = (self._identifier + 1) % IDENTIFIERS
        self.last_request = encode_eap(EapPacket(Code.REQUEST, self._identifier, its_type, request.data))
        self.last_timeout_s = request.session_timeout_s
        return SendRequest(self.last_request, request.session_timeout_s)

    def _succeed(self, done: MethodDone) -> Succeed:
        self._end(Phase.SUCCEEDED)
        return Succeed(self._last_packet(Code.SUCCESS), done.keys, done.identity)

    def _fail(self, reason: str) -> Fail:
        self._end(Phase.FAILED)
        return Fail(self._last_packet(Code.FAILURE), reason)

    def _last_packet(self, code: Code) -> bytes:
        """Success and Failure have the Identifier of the last response. Source: RFC 3748 §4.2."""
        return encode_eap(EapPacket(code, self._identifier))

    def _end(self, phase: Phase) -> None:
        """Let go of the method: its TLS connection takes tens of kilobytes."""
        self.phase = phase
        self._summary = self.summary
        self._method = None


_Transition = Callable[[EapAuthenticator, bytes, float], Action]

# What is not here changes nothing and is discarded: RFC 3748 §4.1 (Identifiers, types), §5.3.1 (a Nak only answers the
# first request of a method), RFC 4137 §7 (`ignore`).
_TRANSITIONS: Mapping[tuple[Phase, Input], _Transition] = MappingProxyType(
    {
        (Phase.INITIAL, Input.START): EapAuthenticator._ask_identity,
        (Phase.INITIAL, Input.IDENTITY): EapAuthenticator._identity_came,
        (Phase.IDENTITY, Input.IDENTITY): EapAuthenticator._identity_came,
        (Phase.PROPOSED, Input.NAK): EapAuthenticator._nak_came,
        (Phase.PROPOSED, Input.METHOD): EapAuthenticator._method_answered,
        (Phase.METHOD, Input.METHOD): EapAuthenticator._method_answered,
    }
)
