"""The connections to the API host of one section.

Owns how they are opened (name, proxy, TLS verified before anything is sent), how many there are, and which of the idle
ones is taken. It tells an outage from what this machine lacks (descriptors, ports), which others could bring about.
What goes over one of them stands in `duoproxy.net.duo_channel`.
"""

from __future__ import annotations

import errno
import os
from typing import Any, cast

from attrs import frozen
from OpenSSL import SSL
from twisted.internet.defer import CancelledError, Deferred, DeferredList, TimeoutError
from twisted.internet.error import ConnectError, ConnectionClosed, DNSLookupError
from twisted.internet.error import TimeoutError as TCPTimedOut
from twisted.internet.interfaces import IProtocol, IStreamClientEndpoint
from twisted.internet.protocol import Factory
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.python.failure import Failure

from duoproxy.duoapi import sentences
from duoproxy.duoapi.sentences import Clauses
from duoproxy.errors import DuoproxyError
from duoproxy.net.connection_limit import ConnectionLimit
from duoproxy.net.deadlines import Expired, within
from duoproxy.net.duo_channel import Channel, NotSent
from duoproxy.net.duo_link import Link
from duoproxy.net.http_connect import TunnelEndpoint, TunnelRefused
from duoproxy.net.lacking import lacking_here
from duoproxy.net.remembered_address import SEARCH_S, RememberedEndpoint
from duoproxy.net.tls import CertificateRefused, StrictClientTls, TrustRoots, last_openssl_reason
from duoproxy.net.tls_sessions import TlsSessions

MAX_IDLE = 32
HTTPS_PORT = 443


class TooManyOpen(DuoproxyError):
    """As many connections as are allowed are in use.

    Attributes:
        limit: how many.
    """

    def __init__(self, limit: int) -> None:
        super().__init__(f"{limit} connections are in use")
        self.limit = limit


class LackingHere(DuoproxyError):
    """This machine has no room for another connection; that says nothing about the service.

    Attributes:
        reason: in the words of the system.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@frozen
class Route:
    """Where the API host is.

    Attributes:
        host: name or address.
        port: TCP port.
        proxy: address and port of the HTTP proxy on the way, or None.
        section: name of the INI section, for sentences.
    """

    host: str
    port: int
    proxy: tuple[str, int] | None
    section: str

    @property
    def url_host(self) -> str:
        """The host as a URL has it: IPv6 addresses in brackets."""
        return f"[{self.host}]" if ":" in self.host else self.host

    @property
    def authority(self) -> str:
        """Host, and port where it is not 443, as a URL has them."""
        return self.url_host if self.port == HTTPS_PORT else f"{self.url_host}:{self.port}"


def split_api_host(api_host: str) -> tuple[str, int]:
    """Split `api_host` into name and port; without a port it is 443.

    Raises:
        ValueError: the port is not a number from 1 to 65535.
    """
    if api_host.startswith("["):
        host, _, rest = api_host[1:].partition("]")
        port = rest.removeprefix(":")
    elif api_host.count(":") > 1:
        host, port = api_host, ""
    else:
        host, _, port = api_host.partition(":")
    number = int(port) if port else HTTPS_PORT
    if not 0 < number < 65536:
        raise ValueError(f"{number} is no port")
    return host, number


class DuoConnections:
    """Idle connections, and new ones.

    Attributes:
        open_count: connections that are being opened, in use, or idle.
    """

    def __init__(self, reactor: Any, route: Route, trust_roots: TrustRoots, limit: ConnectionLimit) -> None:
        """Prepare; nothing is opened yet.

        Args:
            reactor: gives time, TCP and name resolution.
            route: where to.
            trust_roots: whom to trust.
            limit: how many may be in use at once, here and elsewhere.
        """
        self._reactor = reactor
        self._route = route
        self._sessions = TlsSessions(reactor.seconds)
        tls = StrictClientTls(route.host, trust_roots, sessions=self._sessions)
        links = Factory.forProtocol(Link)
        links.noisy = False
        self._factory = TLSMemoryBIOFactory(tls, True, links, clock=reactor)
        self._address = RememberedEndpoint(reactor, *(route.proxy or (route.host, route.port)), awaits_proof=True)
        self._endpoint = self._route_endpoint()
        self._limit = limit
        limit.join(self)
        self._idle: list[Channel] = []
        self._links: set[Link] = set()
        self._opening = 0
        self._stopped = False

    @property
    def open_count(self) -> int:
        """How many connections there are, those that are being opened included."""
        return self._opening + len(self._links)

    @property
    def in_use_count(self) -> int:
        """How many connections are being opened, or wait for an answer. Source: UsesConnections."""
        return self.open_count - len(self._idle)

    def take_idle(self, max_age_s: float | None = None) -> Channel | None:
        """Give the idle connection that answered last, or None.

        Args:
            max_age_s: only one that answered within so many seconds; None: any.
        """
        self._idle = [channel for channel in self._idle if channel.is_usable]
        if not self._idle:
            return None
        age_s = self._reactor.seconds() - self._idle[-1].answered_at
        if max_age_s is not None and not 0 <= age_s <= max_age_s:
            return None
        return self._idle.pop()

    def give_back(self, channel: Channel) -> None:
        """Keep a connection for the next request; the one that is idle longest gives way beyond `MAX_IDLE`."""
        if self._stopped or not channel.is_usable:
            channel.link.abort()
            return
        if channel.is_new:
            channel.is_new = False
            self._sessions.keep(channel.link.tls_connection)
        self._idle.append(channel)
        if len(self._idle) > MAX_IDLE:
            self._idle.pop(0).link.abort()

    async def connect(self, limit_s: float) -> Channel:
        """Open a new connection, its TLS handshake included.

        Args:
            limit_s: seconds.

        Raises:
            NotSent: it did not come about.
            TooManyOpen: too many are in use already.
            LackingHere: this machine cannot open another one.
        """
        self._require_running()
        if self._limit.is_reached:
            raise TooManyOpen(self._limit.limit)
        self._opening += 1
        try:
            link = await self._open(limit_s)
        finally:
            self._opening -= 1
        self._links.add(link)
        link.gone.addCallback(lambda _: self._links.discard(link))
        try:
            self._require_running()
        except NotSent:
            link.abort()
            raise
        return Channel(self._reactor, link, self._route.authority)

    def _require_running(self) -> None:
        if self._stopped:
            raise NotSent(sentences.stopping(), again=False)

    async def _open(self, limit_s: float) -> Link:
        remembered = self._address.known.address is not None or not self._sessions.is_empty
        self._address.search_s = min(SEARCH_S, limit_s / 3)  # look-up, proof, and then the address that is known
        attempt = self._endpoint.connect(self._factory).addCallback(self._handshake)
        try:
            return await within(self._reactor, limit_s, attempt)
        except CancelledError:
            raise
        except Expired as fault:
            self._sessions.forget()
            _require_room(fault)
            if self._route.proxy is not None:
                # It may be the proxy that says nothing, before anybody could prove anything.
                self._address.known.doubt_soon(self._reactor.seconds())
            raise NotSent(sentences.connect_timeout(limit_s, self._route.port), again=False) from None
        except Exception as fault:
            _require_room(fault)
            self._sessions.forget()
            raise self._not_connected(fault, remembered) from fault

    def _handshake(self, tls: IProtocol) -> Deferred[Link]:
        """Wait until the other side has proven who it is, and note where it was."""
        link, known = cast(Link, cast(Any, tls).wrappedProtocol), self._address.known

        def proven(_: None) -> Link:
            known.proven(link.peer_host, self._reactor.seconds())
            return link

        def not_proven(fault: Failure) -> Failure:
            somebody_else = fault.check(CertificateRefused) is not None
            known.not_proven(link.peer_host, self._reactor.seconds(), by_somebody_else=somebody_else)
            return fault

        ready = link.ready.addCallbacks(proven, not_proven)
        if known.has_better(link.peer_host):
            # Names may have led to somebody who says nothing.
            ready.addTimeout(self._address.search_s, self._reactor)
        return ready

    def _route_endpoint(self) -> IStreamClientEndpoint:
        route = self._route
        return TunnelEndpoint(self._address, route.host, route.port) if route.proxy else self._address

    def _not_connected(self, fault: Exception, remembered: bool) -> NotSent:
        """Put into words why no connection came about; what was remembered may be at fault, and is forgotten now."""
        if isinstance(fault, CertificateRefused):
            clauses = sentences.untrusted_certificate(fault.issuer, fault.reason)
            return NotSent(clauses, again=remembered, certificate=True)
        if isinstance(fault, TunnelRefused):
            self._address.known.doubt()
            return NotSent(sentences.proxy_refused(self._proxy_name(), str(fault)), again=remembered)
        if isinstance(fault, SSL.Error):
            return NotSent(sentences.tls_failure(last_openssl_reason(fault)), again=remembered)
        if isinstance(fault, ConnectionClosed):
            return NotSent(sentences.tls_failure("the other side ended it during the handshake"))
        # Whatever waited in vain for an address that was known has waited at the others as well.
        return NotSent(self._unreachable(fault), again=not isinstance(fault, TCPTimedOut))

    def _unreachable(self, fault: Exception) -> Clauses:
        reason = "name not found" if isinstance(fault, DNSLookupError) else _system_words(fault)
        if self._route.proxy is not None:
            return sentences.proxy_unreachable(self._proxy_name(), reason)
        if isinstance(fault, DNSLookupError):
            return sentences.unknown_host(self._route.section)
        return sentences.no_connection(reason, self._route.port)

    def _proxy_name(self) -> str:
        host, port = self._route.proxy or ("", 0)
        return f"{host}:{port}"

    async def stop(self) -> None:
        """End every connection and wait until all are gone."""
        self._stopped = True
        self._limit.leave(self)
        self._idle.clear()
        links = list(self._links)
        for link in links:
            link.abort()
        await DeferredList([link.gone for link in links])


def _require_room(fault: Exception) -> None:
    """Raise `LackingHere` where a fault may come from what this machine lacks."""
    lacking = lacking_here(fault)
    if lacking is not None:
        raise LackingHere(os.strerror(lacking)) from fault


def _system_words(fault: Exception) -> str:
    if isinstance(fault, TCPTimedOut | TimeoutError):
        return os.strerror(errno.ETIMEDOUT)
    number = fault.osError if isinstance(fault, ConnectError) else None
    return os.strerror(number) if isinstance(number, int) else type(fault).__name__
