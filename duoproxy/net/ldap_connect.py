"""How a connection to one directory server comes about: name, address, TCP, TLS, and whatever else must work first.

Owns the order in which the addresses of a name are tried, and the deadline of all of it. What stands for "works" is
given (for most connections: the bind of the service account), so that an address behind which a broken server stands
is left for the next one.

Source: RFC 4513 §3.1.
"""

from __future__ import annotations

import enum
from collections.abc import Awaitable, Callable
from typing import Any, Final

from attrs import frozen
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP6ClientEndpoint
from twisted.internet.protocol import Factory
from twisted.protocols.tls import TLSMemoryBIOFactory

from duoproxy.net import ldap_sentences as sentences
from duoproxy.net.deadlines import Expired, within
from duoproxy.net.ldap_connection import LdapConnection
from duoproxy.net.ldap_faults import LdapFault, LdapNotConnected, ServiceBindRefused
from duoproxy.net.tls import StrictClientTls

MAX_ADDRESSES: Final = 8
"""Of one name; further ones are not tried."""


class Transport(enum.Enum):
    """How connections to the directory are protected, as the option `transport` spells it."""

    CLEAR = "clear"
    STARTTLS = "starttls"
    LDAPS = "ldaps"


@frozen
class DirectoryHost:
    """One directory server.

    Attributes:
        host: name or address.
        port: TCP port.
    """

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


Greeting = Callable[[LdapConnection, float], Awaitable[None]]
"""What must succeed on a new connection, within so many seconds; raises `LdapFault`."""


class Connector:
    """Opens connections to one server.

    Attributes:
        server: which.
    """

    def __init__(
        self,
        reactor: Any,
        server: DirectoryHost,
        transport: Transport,
        tls: StrictClientTls | None,
        resolve_all: Callable[[str], Awaitable[tuple[str, ...]]],
    ) -> None:
        """Prepare; nothing is opened yet.

        Args:
            reactor: time and TCP.
            server: where to.
            transport: how it is protected.
            tls: judges the certificate; needed unless the transport is clear.
            resolve_all: gives all addresses of a name, best first.

        Raises:
            ValueError: `tls` is missing.
        """
        if transport is not Transport.CLEAR and tls is None:
            raise ValueError("there is nobody to judge certificates")
        self.server = server
        self._reactor = reactor
        self._transport = transport
        self._tls = tls
        self._resolve_all = resolve_all
        self._good_address: str | None = None

    async def open(self, limit_s: float, greeting: Greeting) -> LdapConnection:
        """Open a connection at the first address where that works; the one that worked last is tried first.

        Args:
            limit_s: seconds; each address gets its share of what is left.
            greeting: what belongs to a connection that works.

        Raises:
            ServiceBindRefused: the server is there, and refuses the account; no further address is tried.
            LdapFault: it works nowhere.
        """
        until = self._reactor.seconds() + limit_s
        addresses = await self._addresses()
        faults: list[tuple[str, LdapFault]] = []
        for position, address in enumerate(addresses):
            share_s = (until - self._reactor.seconds()) / (len(addresses) - position)
            try:
                connection = await self._open_at(address, share_s, greeting)
            except ServiceBindRefused:
                raise
            except LdapFault as fault:
                faults.append((address, fault))
            else:
                self._good_address = address
                return connection
        raise self._nowhere(faults)

    async def _addresses(self) -> list[str]:
        addresses = list((await self._resolve_all(self.server.host))[:MAX_ADDRESSES])
        if self._good_address in addresses:
            addresses.sort(key=lambda address: address != self._good_address)
        return addresses

    def _nowhere(self, faults: list[tuple[str, LdapFault]]) -> LdapFault:
        if not faults:
            return LdapNotConnected(*sentences.name_unknown(self.server.host))
        first = faults[0][1]
        if len(faults) == 1:
            return first
        causes = ", ".join(f"{address}: {fault.cause}" for address, fault in faults)
        return type(first)(f"it works at none of its addresses ({causes})", first.remedy)

    async def _open_at(self, address: str, limit_s: float, greeting: Greeting) -> LdapConnection:
        until = self._reactor.seconds() + limit_s
        connection = await self._connect(address, limit_s)
        worked = False
        try:
            if self._transport is Transport.STARTTLS and self._tls is not None:
                await connection.start_tls(self._tls, until - self._reactor.seconds())
            await greeting(connection, until - self._reactor.seconds())
            worked = True
        finally:
            if not worked:
                connection.close()
        return connection

    async def _connect(self, address: str, limit_s: float) -> LdapConnection:
        secure = self._transport is Transport.LDAPS
        connection = LdapConnection(self._reactor, str(self.server), tls_from_start=secure)
        factory: Any = Factory.forProtocol(lambda: connection)
        factory.noisy = False
        if secure and self._tls is not None:
            factory = TLSMemoryBIOFactory(self._tls, True, factory, clock=self._reactor)
            factory.noisy = False
        kind = TCP6ClientEndpoint if ":" in address else TCP4ClientEndpoint
        endpoint = kind(self._reactor, address, self.server.port, timeout=max(0.1, limit_s) + 1)
        attempt: Deferred[None] = endpoint.connect(factory).addCallback(lambda _: connection.ready)
        try:
            await within(self._reactor, limit_s, attempt)
        except (CancelledError, LdapFault):
            raise
        except Expired:
            raise LdapNotConnected(*self._too_late(connection, limit_s)) from None
        except Exception as fault:
            raise LdapNotConnected(*sentences.no_connection(fault, self.server.port)) from fault
        return connection

    def _too_late(self, connection: LdapConnection, limit_s: float) -> sentences.Clauses:
        if connection.transport is None:
            return sentences.connect_timeout(limit_s, self.server.port)
        return sentences.handshake_timeout(limit_s)
