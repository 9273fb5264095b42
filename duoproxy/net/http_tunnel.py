"""One client of the HTTP proxy: its request, the connection to Duo behind it, and everything that goes through.

Owns the octets in both directions, the deadlines of each phase, and how a tunnel ends; `connect_requests` says what may
be asked, `http_proxy` who may ask. What runs through a tunnel (TLS to Duo) is not looked at.

Source: RFC 9110 §9.3.6.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import Any, Final, cast
from typing import Protocol as Interface

from attrs import frozen
from twisted.internet.defer import CancelledError, Deferred, TimeoutError
from twisted.internet.interfaces import IDelayedCall, IStreamClientEndpoint
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure

from duoproxy.net.connect_requests import (
    BAD_GATEWAY,
    BAD_REQUEST,
    GATEWAY_TIMEOUT,
    OPENED,
    REQUEST_TIMEOUT,
    Authority,
    ConnectReader,
    Refusal,
    refusal_octets,
)
from duoproxy.net.fair_share import FairShare

REQUEST_S: Final = 10.0
"""For a client to send its request."""
CONNECT_S: Final = 10.0
"""For the way to Duo to open."""
IDLE_S: Final = 300.0
"""Without an octet in either direction; Duo itself answers a waiting login within 120 s."""
LAST_WORDS_S: Final = 5.0
"""For a refused client to take its answer and go."""


class Phase(enum.Enum):
    """Where a connection stands."""

    REQUEST = enum.auto()
    CONNECTING = enum.auto()
    RELAY = enum.auto()
    CLOSING = enum.auto()


@frozen
class TunnelRules:
    """What a listener allows.

    Attributes:
        section_name: for the log.
        authority: where tunnels lead.
        may_use: whether a client at an address is served.
        way_out: leads to `authority`.
    """

    section_name: str
    authority: Authority
    may_use: Callable[[str], bool]
    way_out: IStreamClientEndpoint


class ServesTunnels(Interface):
    """Whoever has clients: what they share."""

    reactor: Any
    rules: TunnelRules
    log: Logger
    share: FairShare
    connections: set[ClientConnection]

    def refused(self, address: str, fact: str, what: str) -> None:
        """Log that a client got no tunnel."""


class ClientConnection(Protocol):
    """A client of the proxy: its request, then everything else goes through."""

    def __init__(self, proxy: ServesTunnels, address: str) -> None:
        """Wait for the request of a client at `address`."""
        self._proxy = proxy
        self._address = address
        self._phase = Phase.REQUEST
        self._reader = ConnectReader(proxy.rules.authority)
        self._far_side: _FarSide | None = None
        self._way: Deferred[Any] | None = None
        self._deadline: IDelayedCall | None = None
        self._last_octet_s = self._began_s = proxy.reactor.seconds()
        self._up_octets = self._down_octets = 0
        self._spoke_last = False
        self._has_place = True

    @property
    def moved_at(self) -> float:
        """When something was heard last (seconds, monotonic)."""
        moved_at: float = self._last_octet_s
        return moved_at

    def holds_place_of(self, address: str) -> bool:
        """Whether this is one of the connections that `address` is counted for."""
        return self._has_place and self._address == address

    def give_place_up(self) -> None:
        """End at once; the place is somebody else's already."""
        self._has_place = False
        self.end()

    def connectionMade(self) -> None:
        """Begin to count the time."""
        self._proxy.connections.add(self)
        self._tcp().setTcpNoDelay(True)
        self._tcp().setTcpKeepAlive(True)
        late = Refusal(REQUEST_TIMEOUT, f"it sent no complete request within {REQUEST_S:g} s")
        self._deadline = self._proxy.reactor.callLater(REQUEST_S, self._refuse, late)

    def dataReceived(self, data: bytes) -> None:
        """Take octets of the client."""
        if self._phase is Phase.REQUEST:
            judgement = self._reader.receive(data)
            if isinstance(judgement, Refusal):
                self._refuse(judgement)
            elif judgement is not None:
                self._open()
        elif self._phase is Phase.CONNECTING:
            self._refuse(Refusal(BAD_REQUEST, "it sent data before the tunnel was open"))
        elif self._phase is Phase.RELAY and self._far_side is not None:
            self._up_octets += len(data)
            self._spoke_last = True
            self._last_octet_s = self._proxy.reactor.seconds()
            self._far_side.write(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Give everything back."""
        if self._phase is Phase.RELAY:
            self._log_end()
        self._phase = Phase.CLOSING
        self._proxy.connections.discard(self)
        if self._has_place:
            self._proxy.share.leave(self._address)
        self._set_deadline(None)
        if self._way is not None:
            self._way.cancel()
        if self._far_side is not None:
            self._far_side.leave()

    def has_asked_since(self, when: float) -> bool:
        """Whether the client has sent something since `when` (seconds, monotonic) that was not answered."""
        return self._phase is Phase.RELAY and self._spoke_last and self._last_octet_s >= when

    def end(self) -> None:
        """End this connection at once."""
        self._tcp().abortConnection()

    def far_data(self, data: bytes) -> None:
        """Pass on what came from Duo."""
        self._down_octets += len(data)
        self._spoke_last = False
        self._last_octet_s = self._proxy.reactor.seconds()
        self._tcp().write(data)

    def far_lost(self) -> None:
        """Duo closed the connection: what it sent is delivered, then ours ends too."""
        self._far_side = None
        if self._phase is Phase.RELAY:
            self._log_end()
            self._close_politely()

    def _open(self) -> None:
        self._phase = Phase.CONNECTING
        self._set_deadline(None)
        way = self._proxy.rules.way_out.connect(Factory.forProtocol(lambda: _FarSide(self)))
        self._way = way.addTimeout(CONNECT_S, self._proxy.reactor)
        self._way.addCallbacks(self._way_found, self._not_opened)

    def _way_found(self, _: Any) -> None:
        # The far side itself says when it is connected, which may be a moment later.
        self._way = None

    def far_connected(self, far_side: _FarSide) -> None:
        """Open the tunnel: Duo is there."""
        if self._phase is not Phase.CONNECTING:
            far_side.leave()
            return
        self._phase = Phase.RELAY
        self._far_side = far_side
        # Whoever reads slowly slows the other side down: nothing is piled up here.
        self._tcp().registerProducer(far_side.transport, True)
        far_side.take_from(self.transport)
        self._last_octet_s = self._proxy.reactor.seconds()
        self._watch()
        self._tcp().write(OPENED)

    def _not_opened(self, failure: Failure) -> None:
        self._way = None
        if self._phase is not Phase.CONNECTING or failure.check(CancelledError):
            return
        authority = self._proxy.rules.authority
        if failure.check(TimeoutError):
            self._refuse(Refusal(GATEWAY_TIMEOUT, f"{authority} did not answer within {CONNECT_S:g} s"))
        else:
            self._refuse(Refusal(BAD_GATEWAY, f"{authority} cannot be reached ({failure.getErrorMessage()})"))

    def _watch(self) -> None:
        """End a tunnel in which nothing moves."""
        idle_s = self._proxy.reactor.seconds() - self._last_octet_s
        if idle_s >= IDLE_S:
            self.end()
        else:
            self._deadline = self._proxy.reactor.callLater(IDLE_S - idle_s, self._watch)

    def _refuse(self, refusal: Refusal) -> None:
        if self._phase is Phase.CLOSING:
            return
        self._proxy.refused(self._address, str(refusal.status), refusal.what)
        way, self._way = self._way, None
        self._tcp().write(refusal_octets(refusal))
        self._close_politely()
        if way is not None:
            way.cancel()

    def _close_politely(self) -> None:
        was_relay, self._phase = self._phase is Phase.RELAY, Phase.CLOSING
        self._set_deadline(self._proxy.reactor.callLater(LAST_WORDS_S, self.end))
        if was_relay:
            self._tcp().unregisterProducer()
        self._tcp().loseConnection()

    def _set_deadline(self, deadline: IDelayedCall | None) -> None:
        if self._deadline is not None and self._deadline.active():
            self._deadline.cancel()
        self._deadline = deadline

    def _log_end(self) -> None:
        self._proxy.log.info(
            "A tunnel of {address} to {authority} ended: {up} octets out, {down} back, {duration:.1f} s.",
            address=self._address,
            authority=str(self._proxy.rules.authority),
            up=self._up_octets,
            down=self._down_octets,
            duration=self._proxy.reactor.seconds() - self._began_s,
        )

    def _tcp(self) -> Any:
        # ITCPTransport and IConsumer
        return self.transport


class _FarSide(Protocol):
    """The connection to Duo behind one client."""

    def __init__(self, near_side: ClientConnection) -> None:
        self._near_side: ClientConnection | None = near_side
        self._takes = False

    def connectionMade(self) -> None:
        if self._near_side is None:
            self.leave()
        else:
            self._near_side.far_connected(self)

    def dataReceived(self, data: bytes) -> None:
        if self._near_side is not None:
            self._near_side.far_data(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        near_side, self._near_side = self._near_side, None
        if near_side is not None:
            near_side.far_lost()

    def write(self, data: bytes) -> None:
        cast(Any, self.transport).write(data)

    def take_from(self, client: Any) -> None:
        cast(Any, self.transport).registerProducer(client, True)
        self._takes = True

    def leave(self) -> None:
        """The client has gone: what it sent is delivered, then this ends."""
        self._near_side = None
        transport = cast(Any, self.transport)
        if self._takes:
            transport.unregisterProducer()
        transport.loseConnection()
