"""The LDAP listener: its ports, the clients on them, how many of them, and how they end.

Owns the plain port (with StartTLS where there is a certificate) and the port for LDAPS; a bound on connections with a
fair share for each address; one look at the clock for all of them. One client's connection is
`duoproxy.net.ldap_client`.

Source: RFC 4511 §5; RFC 4513 §3.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IListeningPort
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from duoproxy.ldap.messages import ResultCode
from duoproxy.ldap.relay_policy import RelayPolicy
from duoproxy.net import ldap_server_sentences as sentences
from duoproxy.net.fair_share import FairShare
from duoproxy.net.ldap_bind_attempt import BindAttempt, BindVerdict
from duoproxy.net.ldap_client import LdapClient
from duoproxy.net.ldap_client_limits import ClientLimits
from duoproxy.net.ldap_relay import RelayConnection
from duoproxy.net.log_limit import LimitedLog
from duoproxy.net.server_tls import ServerTls
from duoproxy.net.tcp_listen import listen_tcp, plain_address
from duoproxy.net.tls_records import split_records_factory

MAX_CONNECTIONS: Final = 4_096
"""Of clients, on both ports together, unless the option max_connections says otherwise."""
LOOK_S: Final = 5.0
"""How often the connections are looked through for what takes too long, at least."""
STOPPING: Final = "The authentication proxy is being stopped."

OpenRelay = Callable[[], Awaitable[RelayConnection]]
Judge = Callable[[BindAttempt], Awaitable[BindVerdict]]


class LdapServer:
    """The clients of one section.

    Attributes:
        reactor: time and TCP.
        limits: how much a client may send, and how long it may take.
        policy: what the machine of each connection goes by.
        tls: for LDAPS and StartTLS; None: there is no certificate.
        limited_log: for what clients can provoke.
        answer_limit_s: seconds in which the directory answers a bind.
    """

    def __init__(
        self,
        *,
        section_name: str,
        reactor: Any,
        limits: ClientLimits,
        policy: RelayPolicy,
        max_connections: int,
        answer_limit_s: float,
        open_relay: OpenRelay,
        judge: Judge,
    ) -> None:
        """Prepare; `listen` takes ports, `start` begins to look at the clock.

        Args:
            section_name: for the log.
            reactor: provides IReactorTime and IReactorTCP.
            limits: of each client.
            policy: of each client.
            max_connections: of clients.
            answer_limit_s: seconds in which the directory answers a bind.
            open_relay: opens a connection to the directory.
            judge: judges binds.
        """
        self.reactor = reactor
        self.limits = limits
        self.policy = policy
        self.tls: ServerTls | None = None
        self.answer_limit_s = answer_limit_s
        self._log = Logger(namespace=section_name)
        self.limited_log = LimitedLog(self._log, reactor.seconds)
        self._open_relay = open_relay
        self._judge = judge
        self._share = FairShare(max_connections)
        self._clients: set[LdapClient] = set()
        self._all_left: Deferred[None] | None = None
        self._ports: list[IListeningPort] = []
        self._draining = False
        self._looking = LoopingCall(self._look_at_clock)
        self._looking.clock = reactor

    @property
    def count(self) -> int:
        """How many clients are connected."""
        return len(self._clients)

    @property
    def pending(self) -> int:
        """How many logins are under way."""
        return sum(client.is_binding for client in self._clients)

    @property
    def bound(self) -> int:
        """On how many connections somebody is logged in."""
        return sum(client.is_bound for client in self._clients)

    def listen(self, interface: str, port: int) -> int:
        """Take the port for plain LDAP and StartTLS; give its number.

        Raises:
            ListenError: it cannot be taken.
        """
        return self._listen(interface, port, _Clients(self, over_tls=False))

    def listen_tls(self, interface: str, port: int) -> int:
        """Take the port for LDAPS; give its number.

        Raises:
            ListenError: it cannot be taken.
            RuntimeError: there is no certificate.
        """
        if self.tls is None:
            raise RuntimeError("LDAPS needs a certificate")
        factory = split_records_factory(self.tls, _Clients(self, over_tls=True), self.reactor)
        return self._listen(interface, port, factory)

    def _listen(self, interface: str, port: int, factory: Any) -> int:
        listening = listen_tcp(self.reactor, interface, port, factory)
        self._ports.append(listening)
        return int(getattr(listening.getHost(), "port", port))

    def start(self) -> None:
        """Begin to end what takes too long."""
        shortest_s = min(self.limits.idle_s, self.limits.network_s)
        self._looking.start(min(LOOK_S, shortest_s / 4), now=False)

    def make_client(self, host: str, port: int, *, over_tls: bool) -> LdapClient | None:
        """Let a client in; None when there are too many."""
        address = plain_address(host)
        if not self._share.admit(address):
            limit = self._share.limit
            self.limited_log.warn("share", address, lambda: sentences.ldap_client_too_many(address, limit))
            return None
        client = LdapClient(self, address, port, over_tls=over_tls)
        self._clients.add(client)
        return client

    # ── what clients ask ───────────────────────────────────────────────────────────────────────────────────────
    async def open_relay(self) -> RelayConnection:
        """Open a connection to the directory; raise `PrimaryUnreachable`."""
        return await self._open_relay()

    async def judge(self, attempt: BindAttempt) -> BindVerdict:
        """Judge a bind; while the proxy is being stopped, none begins."""
        if self._draining:
            return BindVerdict(False, code=ResultCode.BUSY, text=STOPPING)
        return await self._judge(attempt)

    def login_failed(self, failure: Failure) -> None:
        """Log a fault of ours."""
        self._log.failure("A fault in duoproxy itself while a bind was judged.", failure=failure)

    def left(self, client: LdapClient) -> None:
        """Forget a client."""
        if client in self._clients:
            self._clients.discard(client)
            self._share.leave(client.address)
        if self._all_left is not None and not self._clients:
            waiting, self._all_left = self._all_left, None
            waiting.callback(None)

    def _look_at_clock(self) -> None:
        now = self.reactor.seconds()
        for client in list(self._clients):
            client.look_at_clock(now)

    # ── the end ────────────────────────────────────────────────────────────────────────────────────────────────
    def drain(self) -> None:
        """Take no further clients and begin no login; who is nobody is sent away, the others go on."""
        self._draining = True
        ports, self._ports = self._ports, []
        for port in ports:
            port.stopListening()
        for client in list(self._clients):
            if not client.is_binding and not client.is_bound:
                client.end(STOPPING)

    async def stop(self) -> None:
        """End logins and connections, and wait until all clients are gone."""
        self.drain()
        clients = list(self._clients)
        for client in clients:
            client.give_up_login()
            client.end(STOPPING)
        if self._clients:
            self._all_left = Deferred()
            await self._all_left
        if self._looking.running:
            self._looking.stop()


class _Clients(Factory):
    """Makes the protocol of each connection of one port."""

    noisy = False

    def __init__(self, server: LdapServer, *, over_tls: bool) -> None:
        self._server = server
        self._over_tls = over_tls

    def buildProtocol(self, addr: Any) -> Protocol | None:
        return self._server.make_client(addr.host, addr.port, over_tls=self._over_tls)
