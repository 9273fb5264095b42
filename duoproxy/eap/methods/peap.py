"""PEAP: a TLS tunnel in EAP (phase 1), and another EAP conversation inside it (phase 2, `inner.py`).

Owns the version that is agreed on, the order of handshake and phase 2, fragments and alerts. No TLS object exists
before a whole ClientHello came.

Source: draft-josefsson-pppext-eap-tls-eap-05 §2, §3; MS-PEAP §3.1; RFC 5216 §2.1; RFC 9190 §2.1; RFC 9427.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import Final

from attrs import frozen

from duoproxy.eap.actions import Discard, JudgeAnswer, Judgement
from duoproxy.eap.methods.inner import (
    InnerConversation,
    InnerDone,
    InnerFailed,
    InnerSettings,
    InnerStep,
)
from duoproxy.eap.methods.method import MethodDone, MethodFailed, MethodRequest, MethodStep, Turn
from duoproxy.eap.methods.registry import MethodRegistry
from duoproxy.eap.packet import EapType
from duoproxy.eap.peap_keys import derive_tunnel_keys
from duoproxy.eap.tls_engine import TlsConnection, TlsFault, TlsServerContext
from duoproxy.eap.tls_fragments import Fragment, Incoming, Outgoing, decode_fragment, encode_fragment
from duoproxy.errors import RemoteProtocolError

OFFERED_VERSION: Final = 1
MAX_TLS_MESSAGE_BYTES: Final = 16 * 1024
"""No peer is asked for a certificate: its longest message is a ClientHello of a few thousand octets."""
PROMPT_TIMEOUT_S: Final = 60


@frozen(eq=False)
class PeapSettings:
    """What an administrator decides about PEAP, and what all conversations share.

    Attributes:
        tls: certificate, key and versions.
        first_prompt: the text with which the first answer, the password, is asked for.
        crypto_binding: whether PEAPv0 sends a crypto-binding TLV with its result.
        prompt_timeout_s: how long the device should wait for the user's answer to a prompt.
        max_tls_message_bytes: the longest message of the peer that is put together from fragments.
    """

    tls: TlsServerContext
    first_prompt: str = "Password: "
    crypto_binding: bool = True
    prompt_timeout_s: int = PROMPT_TIMEOUT_S
    max_tls_message_bytes: int = MAX_TLS_MESSAGE_BYTES


def peap_registry(settings: PeapSettings, random_bytes: Callable[[int], bytes]) -> MethodRegistry:
    """Offer PEAP and nothing else.

    Args:
        settings: of all conversations.
        random_bytes: as `os.urandom`; for the nonces of crypto-binding.
    """
    return MethodRegistry({EapType.PEAP: lambda: Peap(settings, random_bytes)})


class PeapPhase(enum.Enum):
    """Where PEAP stands."""

    START = "PEAP was proposed"
    HANDSHAKE = "the TLS handshake goes on"
    FINISHED = "the last message of the handshake was sent"
    TUNNEL = "the tunnel stands"
    ALERT = "a TLS alert was sent"
    ENDED = "PEAP is over"


class Peap:
    """One run of PEAP with one peer.

    Attributes:
        phase: where it stands.
    """

    __slots__ = (
        "_agreed",
        "_connection",
        "_incoming",
        "_inner",
        "_outgoing",
        "_random_bytes",
        "_reason",
        "_session_timeout_s",
        "_settings",
        "_version",
        "phase",
    )

    def __init__(self, settings: PeapSettings, random_bytes: Callable[[int], bytes]) -> None:
        self.phase = PeapPhase.START
        self._settings = settings
        self._random_bytes = random_bytes
        self._version = OFFERED_VERSION
        self._agreed = False
        self._outgoing = Outgoing()
        self._incoming = Incoming(settings.max_tls_message_bytes)
        self._connection: TlsConnection | None = None
        self._inner: InnerConversation | None = None
        self._reason = ""
        self._session_timeout_s: int | None = None

    @property
    def summary(self) -> str:
        """What was agreed on so far: `PEAPv0, TLSv1.3`; or why the TLS handshake failed."""
        if self.phase is PeapPhase.START:
            return "PEAP"
        if self.phase is PeapPhase.ALERT:
            return f"PEAPv{self._version}, {self._reason}"
        tls = self._connection.version if self._connection is not None and self._connection.established else "no TLS"
        return f"PEAPv{self._version}, {tls}"

    def begin(self, turn: Turn) -> MethodRequest:
        """Offer the newest version. Source: draft-josefsson-pppext-eap-tls-eap-05 §2.1."""
        return MethodRequest(encode_fragment(Fragment(OFFERED_VERSION, start=True)))

    def receive(self, data: bytes, turn: Turn) -> MethodStep:
        """Take the Type-Data of a response; whatever it is, nothing is raised."""
        try:
            fragment = decode_fragment(data)
        except RemoteProtocolError as error:
            return Discard(str(error))
        if fragment.start:
            return Discard("only a server sends PEAP's start")
        if self._outgoing.pending:
            return self._acknowledged(fragment, turn)
        if not self._agreed and (fault := self._agree(fragment.version)):
            return self._fail(fault)
        try:
            message = self._incoming.add(fragment)
        except RemoteProtocolError as error:
            return self._fail(str(error))
        if message is None:
            return MethodRequest(encode_fragment(Fragment(self._version)))
        return self._message(message, turn)

    def judged(self, judgement: Judgement, turn: Turn) -> MethodStep:
        """Take the reply to the last `JudgeAnswer`."""
        if self._inner is None:
            return self._fail("a judgement before there is a tunnel")
        return self._in_tunnel(self._inner.judged(judgement, turn.identifier), turn)

    def _agree(self, version: int) -> str:
        """Take the version of the peer's first response; it may be lower than ours, never higher.

        Later responses are not held against it: some peers leave the version out of acknowledgements.
        """
        if version > OFFERED_VERSION:
            return f"the peer answers with version {version} of PEAP, but {OFFERED_VERSION} was offered"
        self._version, self._agreed = version, True
        return ""

    def _acknowledged(self, fragment: Fragment, turn: Turn) -> MethodStep:
        """Send the next fragment; who was told that more comes must not send data. Source: RFC 5216 §2.1.5."""
        if fragment.data or fragment.more:
            return Discard("data where an acknowledgement is awaited")
        return self._next_fragment(turn)

    def _message(self, message: bytes, turn: Turn) -> MethodStep:
        """Take a whole TLS message; empty: the peer acknowledges, or has nothing to say."""
        if self.phase is PeapPhase.ALERT:
            return self._fail(self._reason)
        if self.phase is PeapPhase.FINISHED and not message:
            return self._begin_inner(turn)
        if self.phase is PeapPhase.TUNNEL:
            return self._tunnel_message(message, turn)
        if self.phase in (PeapPhase.START, PeapPhase.HANDSHAKE) and message:
            self.phase = PeapPhase.HANDSHAKE
            return self._handshake(message, turn)
        return self._unexpected(message, turn)

    # ── phase 1 ────────────────────────────────────────────────────────────────────────────────────────────────

    def _handshake(self, message: bytes, turn: Turn) -> MethodStep:
        if self._connection is None:
            self._connection = self._settings.tls.connect()
        connection = self._connection
        try:
            plaintext = connection.feed(message)
        except TlsFault as fault:
            return self._tls_fault(fault, turn)
        if plaintext:
            return self._fail("the peer speaks first in the tunnel")
        if connection.established and connection.is_tls_1_3:
            # OpenSSL may have tickets left to send, which nothing here takes back: they go out in the same message.
            return self._begin_inner(turn)
        flight = connection.drain()
        if not flight:
            return self._fail("half a TLS message")
        if connection.established:
            self.phase = PeapPhase.FINISHED
        return self._send(flight, turn)

    def _tls_fault(self, fault: TlsFault, turn: Turn) -> MethodStep:
        """Let the peer know why, and end when it acknowledges. Source: RFC 5216 §2.1.3."""
        self._reason = f"TLS: {fault}"
        if not fault.alert:
            return self._fail(self._reason)
        self.phase = PeapPhase.ALERT
        return self._send(fault.alert, turn)

    def _unexpected(self, message: bytes, turn: Turn) -> MethodStep:
        """What cannot come now: a TLS alert says why, anything else is against the rules."""
        try:
            if self._connection is not None and message:
                self._connection.feed(message)
        except TlsFault as fault:
            return self._fail(f"TLS: {fault}")
        what = "a TLS message" if message else "a packet without data"
        return self._fail(f"{what}, while {self.phase.value}")

    # ── phase 2 ────────────────────────────────────────────────────────────────────────────────────────────────

    def _begin_inner(self, turn: Turn) -> MethodStep:
        connection = self._connection
        if connection is None or not connection.established:
            return self._fail("no tunnel")
        try:
            keys = derive_tunnel_keys(connection.export, is_tls_1_3=connection.is_tls_1_3, randoms=connection.randoms)
        except TlsFault as fault:
            return self._fail(f"TLS: {fault}")
        chosen = self._settings
        settings = InnerSettings(chosen.first_prompt, chosen.crypto_binding, chosen.prompt_timeout_s)
        self._inner = InnerConversation(self._version, settings, keys, self._random_bytes)
        self.phase = PeapPhase.TUNNEL
        return self._in_tunnel(self._inner.begin(turn.identifier), turn)

    def _tunnel_message(self, message: bytes, turn: Turn) -> MethodStep:
        if self._connection is None or self._inner is None:  # pragma: no cover - this phase has both
            return self._fail("no tunnel")
        plaintext = b""
        if message:
            try:
                plaintext = self._connection.feed(message)
            except TlsFault as fault:
                return self._tls_fault(fault, turn)
            if not plaintext:
                return self._fail("a TLS message without anything for the tunnel")
        return self._in_tunnel(self._inner.receive(plaintext, turn.identifier), turn)

    def _in_tunnel(self, step: InnerStep, turn: Turn) -> MethodStep:
        if isinstance(step, JudgeAnswer):
            return step
        if isinstance(step, InnerFailed):
            return self._fail(step.reason)
        if isinstance(step, InnerDone):
            self.phase = PeapPhase.ENDED
            return MethodDone(step.keys, step.identity)
        if self._connection is None:  # pragma: no cover - who speaks inside has a tunnel
            return self._fail("no tunnel")
        try:
            self._connection.write(step.plaintext)
        except TlsFault as fault:
            return self._tls_fault(fault, turn)
        return self._send(self._connection.drain(), turn, step.session_timeout_s)

    # ── what goes out ──────────────────────────────────────────────────────────────────────────────────────────

    def _send(self, message: bytes, turn: Turn, session_timeout_s: int | None = None) -> MethodRequest:
        self._outgoing.load(message)
        self._session_timeout_s = session_timeout_s
        return self._next_fragment(turn)

    def _next_fragment(self, turn: Turn) -> MethodRequest:
        data = self._outgoing.next_fragment(self._version, turn.max_data_bytes)
        # The user reads a prompt when its last fragment came.
        return MethodRequest(data, None if self._outgoing.pending else self._session_timeout_s)

    def _fail(self, reason: str) -> MethodFailed:
        self.phase = PeapPhase.ENDED
        return MethodFailed(reason)
