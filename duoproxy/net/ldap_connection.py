"""One connection to a directory server: requests out, answers matched to them, every wait with its deadline.

Owns Abandon, the Notice of Disconnection, the switch to TLS, and the security layer of a SASL bind. It encodes with
ldaptor's message classes and reads with `duoproxy.net.ldap_answers`; which answer belongs to which request is the
business of `duoproxy.net.ldap_pending`. It must not know who binds or what is searched.

What is no LDAP ends the connection, with a sentence to each request that waits.

Source: RFC 4511 §4.4.1, §4.11 (Abandon), §4.14 (StartTLS), §5.1.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, cast

from ldaptor.protocols import pureldap
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionClosed
from twisted.internet.interfaces import IHandshakeListener, IOpenSSLClientConnectionCreator, IReactorTime
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.python.failure import Failure
from zope.interface import implementer

from duoproxy.errors import RemoteProtocolError
from duoproxy.ldap.ber import fault
from duoproxy.ldap.framing import FramingError, MessageFramer
from duoproxy.ldap.messages import NOTICE_OF_DISCONNECTION, START_TLS, Response, ResultCode
from duoproxy.net import ldap_sentences as sentences
from duoproxy.net.channel_binding import server_end_point
from duoproxy.net.deadlines import Expired, within
from duoproxy.net.ldap_answers import Received, Result, read_answer
from duoproxy.net.ldap_faults import LdapConnectionLost, LdapFault, LdapNotConnected, LdapTimeout
from duoproxy.net.ldap_layer import SecurityLayer
from duoproxy.net.ldap_pending import Answers, PendingRequest, PendingRequests

MAX_MESSAGE_BYTES: Final = 8 * 1024 * 1024
CLOSE_S: Final = 2.0
"""After goodbye, until the connection is broken off."""

_FINAL: Final = {
    pureldap.LDAPBindRequest: Response.BIND,
    pureldap.LDAPSearchRequest: Response.SEARCH_DONE,
    pureldap.LDAPExtendedRequest: Response.EXTENDED,
}
Controls = Sequence[tuple[bytes, bool, bytes | None]]
"""OID, criticality and value of each control."""


@implementer(IHandshakeListener)
class LdapConnection(Protocol):
    """A connection to a directory server.

    Attributes:
        ready: fires when requests can be sent; fails with an `LdapFault` when it does not come to that.
        gone: fires when the connection has ended.
        peer: the server, for sentences.
    """

    def __init__(self, reactor: IReactorTime, peer: str, *, tls_from_start: bool = False) -> None:
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
        self._pending = PendingRequests()
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

    def _send(self, operation: Any, controls: Controls | None, switches: bool) -> PendingRequest:
        if self._fault is not None or not self._open or self._closing:
            raise LdapConnectionLost(*sentences.connection_lost())
        now = self._reactor.seconds()
        pending = self._pending.add(_FINAL[type(operation)], switches, now, self._give_up)
        self._retire_when_used_up()
        self._used_at = now
        self._write(pureldap.LDAPMessage(operation, controls=controls, id=pending.message_id))
        return pending

    def _retire_when_used_up(self) -> None:
        self._retired = self._retired or self._pending.is_used_up

    def _write(self, message: Any) -> None:
        octets = bytes(message.toWire())
        cast(Any, self.transport).write(self._layer.seal(octets) if self._layer is not None else octets)

    def _give_up(self, message_id: int) -> None:
        """Nobody waits for this answer any more. Source: RFC 4511 §4.11."""
        pending = self._pending.give_up(message_id)
        if pending is None:
            return
        if pending.exclusive:
            self._break(LdapConnectionLost(*sentences.connection_lost()))
            return
        abandon = pureldap.LDAPAbandonRequest(id=message_id)
        self._write(pureldap.LDAPMessage(abandon, id=self._pending.take_id()))
        self._retire_when_used_up()
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
        if self._fault is not None:
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
        pending = self._pending.find(received)
        result = pending.take(received, len(octets)) if pending is not None else None
        if pending is not None and result is not None:
            self._finish(pending, result, more_behind)

    def _finish(self, pending: PendingRequest, result: Result, more_behind: bool) -> None:
        if pending.switches and result.code == ResultCode.SUCCESS:
            if more_behind:
                raise fault(
                    "octets behind the answer after which the connection changes; somebody may have put them in"
                )
            self._switching = True
        self._used_at = self._heard_at
        self._pending.finish(pending, result)
        self._close_when_done()

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
                self._write(pureldap.LDAPMessage(pureldap.LDAPUnbindRequest(), id=self._pending.take_id()))
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
        self._pending.fail_all(self._fault)
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
        self._pending.fail_all(fault)
        self.gone.callback(None)
