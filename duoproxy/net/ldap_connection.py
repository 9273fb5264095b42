"""One connection to a directory server: requests out, answers matched to them, every wait with its deadline.

Owns message ids, Abandon, the Notice of Disconnection, the switch to TLS, and the security layer of a SASL bind. It
encodes with ldaptor's message classes and reads with `duoproxy.net.ldap_answers`. It must not know who binds or what
is searched.

What is no LDAP ends the connection, with a sentence to each request that waits.

Source: RFC 4511 §4.1.1 (message ids), §4.4.1, §4.11 (Abandon), §4.14 (StartTLS), §5.1.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Final, cast

from attrs import define, field, frozen
from ldaptor.protocols import pureldap
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionClosed
from twisted.internet.interfaces import IHandshakeListener, IOpenSSLClientConnectionCreator
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.python.failure import Failure
from zope.interface import implementer

from duoproxy.errors import RemoteProtocolError
from duoproxy.ldap.ber import fault
from duoproxy.ldap.framing import MAX_MESSAGE_ID, FramingError, MessageFramer
from duoproxy.ldap.messages import NOTICE_OF_DISCONNECTION, START_TLS, Response, ResultCode
from duoproxy.net import ldap_sentences as sentences
from duoproxy.net.channel_binding import server_end_point
from duoproxy.net.deadlines import Expired, within
from duoproxy.net.ldap_answers import (
    Entry,
    Received,
    Reference,
    Result,
    read_answer,
)
from duoproxy.net.ldap_faults import LdapConnectionLost, LdapFault, LdapNotConnected, LdapTimeout, LdapTooBusy
from duoproxy.net.ldap_layer import SecurityLayer

MAX_MESSAGE_BYTES: Final = 8 * 1024 * 1024
MAX_ANSWER_BYTES: Final = 32 * 1024 * 1024
"""All messages that answer one request."""
MAX_ANSWER_MESSAGES: Final = 10_000
MAX_OUTSTANDING: Final = 256
MAX_ABANDONED: Final = 256
"""Abandoned requests whose answer may still come; beyond, the connection is given up."""
CLOSE_S: Final = 2.0
"""After goodbye, until the connection is broken off."""

_FINAL: Final = {
    pureldap.LDAPBindRequest: Response.BIND,
    pureldap.LDAPSearchRequest: Response.SEARCH_DONE,
    pureldap.LDAPExtendedRequest: Response.EXTENDED,
}
_SEARCH_PARTS: Final = frozenset({Response.SEARCH_ENTRY, Response.SEARCH_REFERENCE})

Controls = Sequence[tuple[bytes, bool, bytes | None]]
"""OID, criticality and value of each control."""


@frozen
class Answers:
    """Everything that came back for one request.

    Attributes:
        result: how it ended.
        entries: what a search found.
        references: where else a search would have to go on; they are not followed.
    """

    result: Result
    entries: tuple[Entry, ...] = ()
    references: tuple[Reference, ...] = ()


@define
class _Pending:
    """A request that waits for its answer."""

    final: Response
    exclusive: bool
    """Nothing else may be under way with it, and it cannot be abandoned: a bind, or StartTLS."""
    switches: bool
    """With its success the octets on the connection become something else; nothing may come behind it."""
    sent_at: float
    whole: Deferred[Answers]
    entries: list[Entry] = field(factory=list)
    references: list[Reference] = field(factory=list)
    octets: int = 0
    messages: int = 0


@implementer(IHandshakeListener)
class LdapConnection(Protocol):
    """A connection to a directory server.

    Attributes:
        ready: fires when requests can be sent; fails with an `LdapFault` when it does not come to that.
        gone: fires when the connection has ended.
        peer: the server, for sentences.
    """

    def __init__(self, reactor: Any, peer: str, *, tls_from_start: bool = False) -> None:
        """Prepare.

        Args:
            reactor: gives time.
            peer: the server, as an administrator calls it.
            tls_from_start: the transport is TLS already (LDAPS), and is ready when its handshake is done.
        """
        self.ready: Deferred[None] = Deferred(lambda _: self.abort())
        self.gone: Deferred[None] = Deferred()
        self.peer = peer
        self._reactor = reactor
        self._over_tls = tls_from_start
        self._handshake: Deferred[None] | None = self.ready if tls_from_start else None
        self._framer = MessageFramer(MAX_MESSAGE_BYTES)
        self._layer: SecurityLayer | None = None
        self._pending: dict[int, _Pending] = {}
        self._abandoned: set[int] = set()
        self._next_id = 1
        self._open = self._switching = self._closing = self._retired = False
        self._fault: LdapFault | None = None
        self._heard_at = self._used_at = float(reactor.seconds())
        self._close_timer: Any = None
        self._take_raw: Callable[[bytes], None] | None = None

    # ── what a pool asks ─────────────────────────────────────────────────────────────────────────────────────────
    @property
    def is_usable(self) -> bool:
        """Whether a further request may be sent."""
        return self._open and not (self._closing or self._retired or self._switching or self._fault)

    @property
    def outstanding(self) -> int:
        """How many requests wait for an answer."""
        return len(self._pending)

    @property
    def idle_since(self) -> float:
        """When the last request began or the last answer came; seconds of the reactor."""
        return max(self._heard_at, self._used_at)

    @property
    def is_over_tls(self) -> bool:
        """Whether TLS protects the connection."""
        return self._over_tls

    @property
    def is_sealed(self) -> bool:
        """Whether a security layer of SASL protects the connection."""
        return self._layer is not None

    @property
    def fault(self) -> LdapFault | None:
        """Why the connection ended; None while it has not."""
        return self._fault

    @property
    def channel_bindings(self) -> bytes | None:
        """What binds an authentication to this TLS connection; None without TLS. Source: RFC 5929 §4."""
        certificate = cast(Any, self.transport).getPeerCertificate() if self._over_tls and self._open else None
        return server_end_point(certificate.to_cryptography()) if certificate is not None else None

    # ── asking ───────────────────────────────────────────────────────────────────────────────────────────────────
    async def request(self, operation: Any, *, controls: Controls | None = None, limit_s: float) -> Answers:
        """Send a request and wait for all of its answer.

        Args:
            operation: an `LDAPBindRequest`, `LDAPSearchRequest` or `LDAPExtendedRequest` of ldaptor's.
            controls: request controls.
            limit_s: seconds; then the request is abandoned (a bind, which cannot be, ends the connection).

        Raises:
            LdapTimeout: no whole answer in time.
            LdapConnectionLost: the connection was gone, or ended, or what came was no LDAP.
            LdapTooBusy: too much is under way on this connection.
        """
        return await self._ask(operation, controls, limit_s, switches=False)

    async def bind(
        self, operation: Any, *, limit_s: float, seals: bool = False, controls: Controls | None = None
    ) -> Result:
        """Send one step of a bind and give its result.

        Args:
            operation: an `LDAPBindRequest` of ldaptor's.
            limit_s: seconds.
            seals: a security layer begins with the success of this step; then `install_security_layer` must follow.
            controls: request controls.

        Raises:
            LdapFault: as `request`.
        """
        return (await self._ask(operation, controls, limit_s, switches=seals)).result

    async def start_tls(self, tls: IOpenSSLClientConnectionCreator, limit_s: float) -> None:
        """Go over to TLS, and wait until the server has proven who it is.

        Args:
            tls: makes the TLS connection, and judges the certificate.
            limit_s: seconds, for question and handshake together.

        Raises:
            LdapNotConnected: the server does not want to, or the handshake failed.
            LdapFault: as `request`.

        Source: RFC 4511 §4.14.
        """
        until = self._reactor.seconds() + limit_s
        answers = await self._ask(pureldap.LDAPExtendedRequest(requestName=START_TLS), None, limit_s, switches=True)
        if answers.result.code != ResultCode.SUCCESS:
            raise LdapNotConnected(*sentences.start_tls_refused(answers.result.code, answers.result.diagnostic))
        handshake: Deferred[None] = Deferred(lambda _: self.abort())
        self._handshake = handshake
        self._switching = False
        self._over_tls, self._open = True, False
        below = cast(Any, self.transport)
        factory = TLSMemoryBIOFactory(tls, True, Factory.forProtocol(lambda: self), clock=self._reactor)
        below.protocol = factory.buildProtocol(None)
        below.protocol.makeConnection(below)
        try:
            await within(self._reactor, until - self._reactor.seconds(), handshake)
        except Expired:
            raise LdapNotConnected(*sentences.handshake_timeout(limit_s)) from None

    def install_security_layer(
        self,
        wrap: Callable[[bytes], bytes],
        unwrap: Callable[[bytes], bytes],
        max_buffer_bytes: int = MAX_MESSAGE_BYTES,
    ) -> None:
        """Sign and seal from here on; follows a `bind` that said so. Source: RFC 4511 §4.2, RFC 4422 §3.7."""
        self._layer = SecurityLayer(wrap, unwrap, max_buffer_bytes)
        self._switching = False

    def hand_over(self, take: Callable[[bytes], None]) -> None:
        """Ask nothing any more, and give every further octet of the server to `take`, as it comes.

        Raises:
            LdapConnectionLost: the connection is gone, or octets came that nobody asked for.
            RuntimeError: a request waits for its answer.
        """
        if not self.is_usable or self._framer.pending_bytes:
            raise self._fault or LdapConnectionLost(*sentences.connection_lost())
        if self._pending or self._layer is not None:
            raise RuntimeError("a connection that is in use cannot be handed over")
        self._take_raw = take

    async def _ask(self, operation: Any, controls: Controls | None, limit_s: float, *, switches: bool) -> Answers:
        pending = self._send(operation, controls, switches)
        try:
            return await within(self._reactor, limit_s, pending.whole)
        except Expired:
            if self._heard_at <= pending.sent_at:  # not a word since: it is probably dead
                self._retired = True
                self._close_when_done()
            raise LdapTimeout(*sentences.no_answer(limit_s)) from None

    def _send(self, operation: Any, controls: Controls | None, switches: bool) -> _Pending:
        final = _FINAL[type(operation)]
        exclusive = final is not Response.SEARCH_DONE
        if self._fault is not None or not self._open or self._closing:
            raise LdapConnectionLost(*sentences.connection_lost())
        if len(self._pending) >= MAX_OUTSTANDING:
            raise LdapTooBusy(*sentences.too_many_outstanding(MAX_OUTSTANDING))
        if self._pending and (exclusive or any(other.exclusive for other in self._pending.values())):
            raise RuntimeError("nothing may be under way together with a bind or StartTLS")
        message_id = self._take_id()
        waiting: Deferred[Answers] = Deferred(lambda _: self._give_up(message_id))
        pending = _Pending(final, exclusive, switches, self._reactor.seconds(), waiting)
        self._pending[message_id] = pending
        self._used_at = pending.sent_at
        self._write(pureldap.LDAPMessage(operation, controls=controls, id=message_id))
        return pending

    def _take_id(self) -> int:
        message_id = self._next_id
        self._next_id += 1
        self._retired = self._retired or self._next_id >= MAX_MESSAGE_ID - 1  # one is left for an Abandon
        return message_id

    def _write(self, message: Any) -> None:
        octets = bytes(message.toWire())
        cast(Any, self.transport).write(self._layer.seal(octets) if self._layer is not None else octets)

    def _give_up(self, message_id: int) -> None:
        """Nobody waits for this answer any more. Source: RFC 4511 §4.11."""
        pending = self._pending.pop(message_id, None)
        if pending is None:
            return
        if pending.exclusive:
            self._break(LdapConnectionLost(*sentences.connection_lost()))
            return
        self._abandoned.add(message_id)
        self._write(pureldap.LDAPMessage(pureldap.LDAPAbandonRequest(id=message_id), id=self._take_id()))
        self._retired = self._retired or len(self._abandoned) > MAX_ABANDONED
        self._close_when_done()

    # ── what comes ───────────────────────────────────────────────────────────────────────────────────────────────
    def connectionMade(self) -> None:
        """Source: twisted.internet.protocol.BaseProtocol; called again when TLS comes in between."""
        no_delay = getattr(self.transport, "setTcpNoDelay", None)
        if no_delay is not None:
            no_delay(True)  # requests are pipelined, and none waits for the acknowledgement of the one before
        if self._handshake is None:
            self._open = True
            self.ready.callback(None)

    def handshakeCompleted(self) -> None:
        """Source: IHandshakeListener."""
        self._open = True
        handshake, self._handshake = self._handshake, None
        if handshake is not None and not handshake.called:
            handshake.callback(None)

    def dataReceived(self, data: bytes) -> None:
        """Cut into messages, and give each to its request."""
        if self._is_broken():
            return
        if self._take_raw is not None:
            self._take_raw(data)
            return
        self._heard_at = self._reactor.seconds()
        try:
            if self._switching:
                raise fault("octets where the connection was about to change")
            if self._layer is None:
                self._take(data)
            else:
                for plain in self._layer.feed(data):
                    self._take(plain)
        except RemoteProtocolError as problem:
            self._break(LdapConnectionLost(*sentences.not_ldap(str(problem))))

    def _take(self, octets: bytes) -> None:
        if self._is_broken():
            return
        broken: FramingError | None = None
        try:
            messages: Sequence[bytes] = self._framer.feed(octets)
        except FramingError as problem:
            messages, broken = problem.messages, problem
        for number, message in enumerate(messages, 1):
            more = number < len(messages) or self._framer.pending_bytes > 0 or broken is not None
            self._receive(message, more)
            if self._is_broken():
                return
        if broken is not None:
            raise broken

    def _receive(self, octets: bytes, more_behind: bool) -> None:
        received = read_answer(octets)
        if received.message_id == 0:
            self._take_unsolicited(received)
            return
        pending = self._pending.get(received.message_id)
        if pending is None:
            self._take_late(received)
            return
        pending.octets += len(octets)
        pending.messages += 1
        if pending.octets > MAX_ANSWER_BYTES or pending.messages > MAX_ANSWER_MESSAGES:
            raise fault("an answer without end")
        self._take_part(received, pending, more_behind)

    def _take_part(self, received: Received, pending: _Pending, more_behind: bool) -> None:
        answer = received.answer
        if received.operation is pending.final and isinstance(answer, Result):
            self._finish(received.message_id, pending, answer, more_behind)
        elif received.operation is Response.INTERMEDIATE:
            return
        elif pending.final is not Response.SEARCH_DONE or received.operation not in _SEARCH_PARTS:
            raise fault(f"a {received.operation.name} response is no answer to what was asked")
        elif isinstance(answer, Entry):
            pending.entries.append(answer)
        elif isinstance(answer, Reference):
            pending.references.append(answer)

    def _finish(self, message_id: int, pending: _Pending, result: Result, more_behind: bool) -> None:
        if pending.switches and result.code == ResultCode.SUCCESS:
            if more_behind:
                raise fault(
                    "octets behind the answer after which the connection changes; somebody may have put them in"
                )
            self._switching = True
        del self._pending[message_id]
        self._used_at = self._heard_at
        pending.whole.callback(Answers(result, tuple(pending.entries), tuple(pending.references)))
        self._close_when_done()

    def _take_late(self, received: Received) -> None:
        """Let the answer to an abandoned request pass; any other belongs to nobody. Source: RFC 4511 §4.11."""
        if received.message_id not in self._abandoned:
            raise fault(f"an answer to message {received.message_id}, which was not asked")
        if received.operation is Response.SEARCH_DONE:
            self._abandoned.discard(received.message_id)

    def _take_unsolicited(self, received: Received) -> None:
        """Source: RFC 4511 §4.4: unknown ones are ignored."""
        answer = received.answer
        if isinstance(answer, Result) and answer.name == NOTICE_OF_DISCONNECTION.decode():
            self._break(LdapConnectionLost(*sentences.disconnected(answer.code, answer.diagnostic)))

    # ── the end ──────────────────────────────────────────────────────────────────────────────────────────────────
    def close(self) -> None:
        """Say goodbye and end the connection; requests that wait fail. Source: RFC 4511 §4.3."""
        if not self._open:
            self.abort()
        elif not self._closing and self._fault is None:
            self._closing = True
            if not self._switching:
                self._write(pureldap.LDAPMessage(pureldap.LDAPUnbindRequest(), id=self._take_id()))
            cast(Any, self.transport).loseConnection()
            self._close_timer = self._reactor.callLater(CLOSE_S, self.abort)

    def abort(self) -> None:
        """End the connection at once, whatever is under way."""
        if self.transport is not None and not self.gone.called:
            cast(Any, self.transport).abortConnection()

    def _close_when_done(self) -> None:
        if self._retired and not self._pending:
            self.close()

    def _is_broken(self) -> bool:
        return self._fault is not None

    def _break(self, fault: LdapFault) -> None:
        """End the connection because of a fault, and tell it to each request."""
        self._fault = self._fault or fault
        self._fail_all(self._fault)
        self.abort()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Tell whoever waits."""
        self._open = False
        if self._close_timer is not None and self._close_timer.active():
            self._close_timer.cancel()
        fault = self._fault or sentences.why_lost(reason.value or ConnectionClosed(), self._handshake is not None)
        self._fault = fault
        handshake, self._handshake = self._handshake, None
        for waiting in (handshake, self.ready):
            if waiting is not None and not waiting.called:
                waiting.errback(fault)
        self._fail_all(fault)
        self.gone.callback(None)

    def _fail_all(self, fault: LdapFault) -> None:
        pending, self._pending = self._pending, {}
        for each in pending.values():
            each.whole.errback(fault)


def whole_seconds(limit_s: float) -> int:
    """Give a time limit as a search request carries it: whole seconds, at least one."""
    return max(1, math.ceil(limit_s))
