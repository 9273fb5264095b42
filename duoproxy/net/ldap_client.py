"""One client that speaks LDAP to us: its connection, and the connection to the directory behind it.

Owns the octets in both directions, what happens when the client does not read, the going over to TLS, and what is
closed after which time. What the messages mean, and who the client is, is the business of
`duoproxy.ldap.relay`; what becomes of a bind that of `duoproxy.net.ldap_client_login`.

The connection to the directory is opened by the first message that needs it: whoever only knocks costs nothing there.

Source: RFC 4511 §4.2.1, §4.4.1, §4.14, §5.3.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, cast
from typing import Protocol as Interface

from twisted.internet.interfaces import IHandshakeListener, IPushProducer
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from duoproxy.ldap.framing import MessageFramer
from duoproxy.ldap.messages import ResultCode
from duoproxy.ldap.relay import Relay
from duoproxy.ldap.relay_actions import (
    Action,
    BeginTls,
    BindAnswered,
    BindLost,
    DropServer,
    EndClient,
    GiveUpBind,
    JudgeBind,
    ToClient,
    ToServer,
    WhoAnswered,
)
from duoproxy.ldap.relay_policy import RelayPolicy
from duoproxy.ldap.relay_table import Phase
from duoproxy.net import ldap_server_sentences as sentences
from duoproxy.net.ldap_client_limits import ClientTimes, Late
from duoproxy.net.ldap_client_login import ClientLogin, JudgesBinds
from duoproxy.net.ldap_far_side import FarSide
from duoproxy.net.ldap_relay import RelayConnection
from duoproxy.net.log_limit import LimitedLog
from duoproxy.net.prompt_write import write_promptly
from duoproxy.net.reading import Reading
from duoproxy.net.server_tls import ServerTls
from duoproxy.net.tls_records import split_records_factory

_CLIENT_FULL: Final = "client does not read"


class ServesClients(JudgesBinds, Interface):
    """Whoever has clients: what they share."""

    reactor: Any
    policy: RelayPolicy
    tls: ServerTls | None
    limited_log: LimitedLog

    async def open_relay(self) -> RelayConnection:
        """Open a connection to the directory; raise `PrimaryUnreachable`."""

    def left(self, client: LdapClient) -> None:
        """Forget a client."""


@implementer(IHandshakeListener, IPushProducer)
class LdapClient(Protocol):
    """A connection of a client.

    Attributes:
        address: of the client.
        port: of the client.
    """

    def __init__(self, service: ServesClients, address: str, port: int, *, over_tls: bool) -> None:
        """Prepare.

        Args:
            service: what all clients share.
            address: of the client.
            port: of the client.
            over_tls: its transport is TLS from the start.
        """
        self.address = address
        self.port = port
        self._service = service
        self._relay = Relay(service.policy, over_tls=over_tls)
        self._framer = MessageFramer(service.limits.unbound_message_bytes)
        self._server_framer = MessageFramer(service.limits.message_bytes)
        now = float(service.reactor.seconds())
        self._times = ClientTimes(now, now, handshake_at=now if over_tls else None)
        self._is_gone = False
        self._client_reading = Reading(self._pause_client, self._resume_client)
        self._far_side = FarSide(
            service.reactor, service.open_relay, service.limits.network_s, self, self._client_reading
        )
        self._login = ClientLogin(service, address, port, self._relay, self._far_side, self._times, self._perform)

    @property
    def is_binding(self) -> bool:
        """Whether a login of this client is under way."""
        return self._relay.phase is Phase.BINDING

    @property
    def is_bound(self) -> bool:
        """Whether somebody is logged in on it."""
        return self._relay.phase is Phase.BOUND

    @property
    def _tcp(self) -> Any:
        return cast(Any, self.transport)

    # ── the client's side ──────────────────────────────────────────────────────────────────────────────────────
    def connectionMade(self) -> None:
        """Source: twisted.internet.protocol.BaseProtocol; called again when TLS comes in between."""
        for switch in ("setTcpNoDelay", "setTcpKeepAlive"):
            turn = getattr(self.transport, switch, None)
            if turn is not None:
                turn(True)
        self._tcp.registerProducer(self, True)

    def handshakeCompleted(self) -> None:
        """Source: IHandshakeListener."""
        self._times.handshake_at = None

    def dataReceived(self, data: bytes) -> None:
        """Cut into messages, and do what each of them asks for."""
        if self._times.ended_at is not None:
            return
        now = self._service.reactor.seconds()
        if not self._relay.waits_for_server:
            self._times.heard_at = now  # from now on it owes an answer
        data = self._framer.gather(data)
        passed = self._relay.pass_requests(data, self._framer.max_message_bytes)
        if passed:
            self._times.active_at, self._times.partial_at = now, None
            self._far_side.send(data[:passed])
            if passed == len(data):
                return
            data = data[passed:]
        if data:
            self._look_at(data)
        self._times.note_partial(now, is_partial=self._framer.pending_bytes > 0)

    def _look_at(self, data: bytes) -> None:
        messages, broken = self._framer.split(data)
        if messages:
            self._times.active_at, self._times.partial_at = self._service.reactor.seconds(), None
        actions: list[Action] = []
        for number, octets in enumerate(messages, 1):
            actions += self._relay.from_client(octets)
            if actions and isinstance(actions[-1], BeginTls):
                left = sum(map(len, messages[number:])) + self._framer.pending_bytes
                self._discard(left, unframed=bool(broken))
                self._perform(actions)
                return
        if broken:
            actions += self._relay.end(ResultCode.PROTOCOL_ERROR, broken)
        self._perform(actions)

    def _discard(self, count: int, *, unframed: bool) -> None:
        """Throw away what stood behind StartTLS in the clear. Source: RFC 4511 §4.14.1, §5.3."""
        self._framer = MessageFramer(self._framer.max_message_bytes)
        if count or unframed:
            self._service.limited_log.warn(
                "early octets", self.address, lambda: sentences.ldap_client_early_octets(self.address, count)
            )

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Give everything back."""
        self._is_gone = True
        self._times.ended_at = self._times.ended_at or self._service.reactor.seconds()
        self._perform(self._relay.client_lost())
        self._service.left(self)

    # ── what the machine says ──────────────────────────────────────────────────────────────────────────────────
    def _perform(self, actions: list[Action]) -> None:
        to_client: list[bytes] = []
        to_server: list[bytes] = []
        for action in actions:
            if isinstance(action, ToClient):
                to_client.append(action.octets)
            elif isinstance(action, ToServer):
                to_server.append(action.octets)
            else:
                self._write_both(to_client, to_server)
                to_client, to_server = [], []
                _PERFORM[type(action)](self, action)
        self._write_both(to_client, to_server)
        limits = self._service.limits
        self._framer.max_message_bytes = limits.message_bytes if self.is_bound else limits.unbound_message_bytes

    def _write_both(self, to_client: list[bytes], to_server: list[bytes]) -> None:
        if to_server:
            self._far_side.send(b"".join(to_server))
        if to_client:
            self._write(b"".join(to_client))

    def _write(self, octets: bytes) -> None:
        if not self._is_gone:
            write_promptly(self.transport, octets)

    def _begin_tls(self, action: BeginTls) -> None:
        """Go over to TLS, behind what was written so far. Source: RFC 4511 §4.14.1."""
        below, tls = self._tcp, self._service.tls
        if tls is None:
            raise RuntimeError("there is no certificate for TLS")
        below.unregisterProducer()
        self._times.handshake_at = self._service.reactor.seconds()
        factory = split_records_factory(tls, Factory.forProtocol(lambda: self), self._service.reactor)
        below.protocol = factory.buildProtocol(None)
        below.protocol.makeConnection(below)

    def _end_client(self, action: EndClient) -> None:
        if action.fault:
            self._service.limited_log.warn(
                "ended", self.address, lambda: sentences.ldap_client_fault(self.address, action.fault)
            )
        self._times.ended_at = self._service.reactor.seconds()
        if not self._is_gone:
            self._tcp.unregisterProducer()
            self._tcp.loseConnection()

    # ── the directory's side ───────────────────────────────────────────────────────────────────────────────────
    def server_opened(self) -> None:
        """Begin a new stream. Source: `FarSideOwner`."""
        self._times.heard_at = self._service.reactor.seconds()
        self._server_framer = MessageFramer(self._service.limits.message_bytes)

    def server_data(self, data: bytes) -> None:
        """Take octets of the directory. Source: `FarSideOwner`."""
        self._times.heard_at = self._times.active_at = self._service.reactor.seconds()
        data = self._server_framer.gather(data)
        passed = self._relay.pass_answers(data, self._server_framer.max_message_bytes)
        if passed:
            self._write(data[:passed])
            data = data[passed:]
        if data:
            self._look_at_answers(data)

    def _look_at_answers(self, data: bytes) -> None:
        messages, broken = self._server_framer.split(data)
        actions: list[Action] = []
        for octets in messages:
            actions += self._relay.from_server(octets)
        if broken:
            actions += self._relay.server_fault(f"The directory sent what is no LDAP: {broken}.")
        self._perform(actions)

    def server_gone(self, why: str) -> None:
        """Hear that the directory closed the connection. Source: `FarSideOwner`."""
        self._perform(self._relay.server_lost(f"The directory is not there any more: {why}."))

    def server_missing(self, why: str) -> None:
        """Hear that there is no connection to the directory. Source: `FarSideOwner`."""
        tell_login = self._login.withdraw()
        if tell_login is None:
            self._service.limited_log.warn(
                "no directory", self.address, lambda: sentences.ldap_client_no_directory(self.address, why)
            )
        self._perform(self._relay.server_lost("The directory cannot be reached."))
        if tell_login is not None:
            tell_login(why)

    def _drop_server(self, action: DropServer) -> None:
        self._far_side.drop(action.goodbye)

    # ── who does not read stops the other side ─────────────────────────────────────────────────────────────────
    def pauseProducing(self) -> None:
        """The client does not take what was written. Source: IPushProducer."""
        self._far_side.reading.stop(_CLIENT_FULL)
        self._client_reading.stop(_CLIENT_FULL)

    def resumeProducing(self) -> None:
        """The client takes it again. Source: IPushProducer."""
        self._times.active_at = self._service.reactor.seconds()
        self._far_side.reading.go_on(_CLIENT_FULL)
        self._client_reading.go_on(_CLIENT_FULL)

    def stopProducing(self) -> None:
        """The client is gone; `connectionLost` follows. Source: IPushProducer."""

    def _pause_client(self) -> None:
        if not self._is_gone and self._times.ended_at is None:
            self._tcp.pauseProducing()

    def _resume_client(self) -> None:
        if not self._is_gone and self._times.ended_at is None:
            self._tcp.resumeProducing()

    # ── time, and the end ──────────────────────────────────────────────────────────────────────────────────────
    def look_at_clock(self, now: float) -> None:
        """End what takes too long; called now and then (`now`: seconds of the reactor)."""
        late = self._times.what_is_late(
            now,
            self._service.limits,
            is_bound=self.is_bound,
            is_timed=self.is_binding or self._far_side.is_opening,
            owed=self._relay.waits_for_server,
        )
        if late in (Late.LAST_WORDS, Late.HANDSHAKE):
            self.abort()
        elif late is Late.MESSAGE:
            self._perform(self._relay.end(ResultCode.PROTOCOL_ERROR, "A message was begun and not finished in time."))
        elif late is Late.ANSWER:
            unread = self._far_side.reading.is_stopped
            what = "The client has not taken what the directory sent" if unread else "The directory has not answered"
            text = f"{what} for {self._service.limits.network_s:g} s (network_timeout)."
            self._perform(self._relay.end(ResultCode.UNAVAILABLE, text))
        elif late is Late.CLIENT:
            self._perform([*self._relay.client_lost(), EndClient()])

    def end(self, text: str) -> None:
        """End the connection with a Notice of Disconnection."""
        self._perform(self._relay.end(ResultCode.UNAVAILABLE, text))

    def give_up_login(self) -> None:
        """Cancel the login that is under way, so that it comes to its end now."""
        self._login.cancel()

    def abort(self) -> None:
        """Break the connection off."""
        if not self._is_gone:
            self._tcp.abortConnection()


_PERFORM: Final[dict[type, Callable[[LdapClient, Any], None]]] = {
    JudgeBind: lambda client, action: client._login.begin(action),
    BindAnswered: lambda client, action: client._login.answered(action),
    WhoAnswered: lambda client, action: client._login.who_answered(action),
    BindLost: lambda client, action: client._login.lost(action),
    GiveUpBind: lambda client, action: client._login.give_up(action),
    BeginTls: LdapClient._begin_tls,
    DropServer: LdapClient._drop_server,
    EndClient: LdapClient._end_client,
}
