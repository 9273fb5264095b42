"""An HTTP proxy that opens tunnels to one host, and to nothing else.

Owns who is served, by address and by number; what becomes of one client is the business of `http_tunnel`.

Source: RFC 9110 §9.3.6.
"""

from __future__ import annotations

from typing import Any, Final, cast

from twisted.internet.interfaces import IListeningPort
from twisted.internet.protocol import Factory, Protocol
from twisted.logger import Logger

from duoproxy.net.fair_share import FairShare
from duoproxy.net.http_tunnel import ClientConnection, TunnelRules
from duoproxy.net.log_limit import LimitedLog
from duoproxy.net.tcp_listen import listen_tcp, plain_address

MAX_CONNECTIONS: Final = 1024
"""Connections of clients, in all; each may have one to Duo beside it."""
PENDING_S: Final = 130.0
"""For so long a stop waits for a tunnel in which the client spoke last: Duo lets a user think for 120 s."""


class HttpProxy(Factory):
    """The listener: lets clients in and counts them."""

    noisy = False

    def __init__(self, rules: TunnelRules, reactor: Any) -> None:
        """Prepare; `listen` takes the address.

        Args:
            rules: what is allowed.
            reactor: provides IReactorTCP and IReactorTime.
        """
        self.rules = rules
        self.reactor = reactor
        self.log = Logger(namespace=rules.section_name)
        self.limited_log = LimitedLog(self.log, reactor.seconds)
        self.share = FairShare(MAX_CONNECTIONS)
        self.connections: set[ClientConnection] = set()
        self._port: IListeningPort | None = None

    def listen(self, interface: str, port: int) -> None:
        """Take the address; raise `ListenError` when that cannot be."""
        self._port = listen_tcp(self.reactor, interface, port, self)

    @property
    def port(self) -> int:
        """The port that is listened on."""
        assert self._port is not None
        return int(cast(Any, self._port.getHost()).port)

    @property
    def pending(self) -> int:
        """How many tunnels may have a login in them."""
        now = self.reactor.seconds()
        return sum(connection.has_asked_since(now - PENDING_S) for connection in self.connections)

    def stop_listening(self) -> None:
        """Take no further connections; those that there are go on."""
        if self._port is not None:
            self._port.stopListening()
            self._port = None

    def close(self) -> None:
        """Take no further connections and end those that there are."""
        self.stop_listening()
        for connection in list(self.connections):
            connection.end()

    def buildProtocol(self, addr: Any) -> Protocol | None:
        """Let a client in, or say in the log why not; nothing is read of one that may not use this proxy."""
        address = plain_address(addr.host)
        if not self.rules.may_use(address):
            self.refused(address, "stranger", "its address may not use this proxy; client_ip names those that may")
            return None
        if not (self.share.admit(address) or self._makes_room(address)):
            what = f"it has its share of the {MAX_CONNECTIONS} connections that this proxy serves"
            self.refused(address, "full", what)
            return None
        return ClientConnection(self, address)

    def _makes_room(self, address: str) -> bool:
        """Give `address` a place of the client that has most; of its connections the one that is silent longest ends.

        Who fills this proxy must not keep servers from Duo: with failmode=safe they would let in without it.
        """
        giver = self.share.hand_over(address)
        if giver is None:
            return False
        victim = min((one for one in self.connections if one.holds_place_of(giver)), key=lambda one: one.moved_at)
        victim.give_place_up()
        self.refused(giver, "gave up", "it has most of the connections, and another client needs one")
        return True

    def refused(self, address: str, fact: str, what: str) -> None:
        """Log that a client got no tunnel, once a minute for each client and `fact`.

        What it asked for is no part of the fact: who asks for something else each time must not get a line for each.
        """
        section = self.rules.section_name

        def sentence() -> str:
            return f"[{section}] refused {address}: {what}."

        self.limited_log.warn(fact, address, sentence)
