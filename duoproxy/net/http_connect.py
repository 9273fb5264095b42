"""A tunnel through an HTTP proxy.

Owns the CONNECT request and the judgement of its answer. What runs through the tunnel (TLS to the API host) is made by
the factory that `connect` is given; the proxy sees the name of the host and nothing else.

Source: RFC 9110 §9.3.6.
"""

from __future__ import annotations

import re
from typing import cast

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IProtocol, IProtocolFactory, IStreamClientEndpoint, ITCPTransport
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from duoproxy.errors import DuoproxyError

MAX_HEAD_BYTES = 16 * 1024
MAX_STATUS_LINE_CHARACTERS = 80

_END_OF_HEAD = b"\r\n\r\n"
_OPENED = re.compile(rb"HTTP/1\.[01] 2[0-9][0-9](?: .*)?")


class TunnelRefused(DuoproxyError):
    """The proxy opened no tunnel; `str()` is a clause: its status line, or what was wrong with its answer."""


@implementer(IStreamClientEndpoint)
class TunnelEndpoint:
    """Connects to a host through an HTTP proxy."""

    def __init__(self, proxy: IStreamClientEndpoint, host: str, port: int) -> None:
        """Name both ends.

        Args:
            proxy: leads to the proxy.
            host: name or address behind the proxy.
            port: its port.
        """
        self._proxy = proxy
        self._authority = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        """Open a tunnel; fails with `TunnelRefused`, or as the proxy's endpoint does. Source: IStreamClientEndpoint."""
        tunnel = _Tunnel(self._authority, protocolFactory)
        attempt = self._proxy.connect(Factory.forProtocol(lambda: tunnel))
        # Cancelling reaches whichever of the two is being waited for.
        return attempt.addCallback(lambda _: tunnel.opened)


class _Tunnel(Protocol):
    """The proxy's side of the tunnel: asks for it, then hands everything through."""

    def __init__(self, authority: str, factory: IProtocolFactory) -> None:
        self.opened: Deferred[IProtocol] = Deferred(lambda _: self._abort())
        self._authority = authority
        self._factory = factory
        self._head = bytearray()
        self._inner: IProtocol | None = None
        self._refused = False

    def connectionMade(self) -> None:
        request = f"CONNECT {self._authority} HTTP/1.1\r\nHost: {self._authority}\r\n\r\n"
        self._tcp().write(request.encode("ascii"))

    def dataReceived(self, data: bytes) -> None:
        if self._inner is not None:
            self._inner.dataReceived(data)
        elif not self._refused:
            self._head += data
            self._judge()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self._inner is not None:
            self._inner.connectionLost(reason)
        elif not self._refused:
            self._refuse("it closed the connection before it answered")

    def _judge(self) -> None:
        """Look at what has come of the answer's head; a tunnel is open only when nothing stands behind the head."""
        end = self._head.find(_END_OF_HEAD)
        if end > MAX_HEAD_BYTES or (end < 0 and len(self._head) > MAX_HEAD_BYTES):
            self._refuse(f"its answer is longer than {MAX_HEAD_BYTES} octets")
        elif end >= 0:
            status_line = bytes(self._head[:end]).split(b"\r\n", 1)[0]
            if _OPENED.fullmatch(status_line) is None:
                self._refuse(_shown(status_line))
            elif len(self._head) > end + len(_END_OF_HEAD):
                # The host behind the tunnel cannot speak first in TLS: whoever does is not that host.
                self._refuse("it sent data before the tunnel was used")
            else:
                self._open()

    def _open(self) -> None:
        self._head.clear()
        inner = self._factory.buildProtocol(self._tcp().getPeer())
        if inner is None:
            self._refuse("the tunnel is not wanted any more")
            return
        self._inner = inner
        inner.makeConnection(self._tcp())
        self.opened.callback(inner)

    def _refuse(self, what: str) -> None:
        self._abort()
        self.opened.errback(TunnelRefused(what))

    def _abort(self) -> None:
        self._refused = True
        if self.transport is not None:
            self._tcp().abortConnection()

    def _tcp(self) -> ITCPTransport:
        transport = self.transport
        assert transport is not None
        return cast(ITCPTransport, transport)


def _shown(status_line: bytes) -> str:
    text = status_line[:MAX_STATUS_LINE_CHARACTERS].decode("latin-1")
    return "".join(mark for mark in text if mark.isprintable()) or "an answer that is no HTTP"
