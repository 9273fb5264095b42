"""The connection to the API host, between TLS and HTTP: whether it is there, and how much may come over it.

It must not know what is asked, nor how.
"""

from __future__ import annotations

from typing import Any, cast

from OpenSSL import SSL
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IHandshakeListener, IProtocol, ITransport
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer


@implementer(IHandshakeListener)
class Link(Protocol):
    """What stands on top of TLS: waits for the handshake, then hands everything through to HTTP.

    Attributes:
        ready: fires when the handshake is done, that is: when the other side has proven who it is.
        gone: fires when the connection has ended.
        is_open: whether it is there and good.
    """

    def __init__(self) -> None:
        self.ready: Deferred[None] = Deferred(lambda _: self.abort())
        self.gone: Deferred[None] = Deferred()
        self.is_open = False
        self.overflowed = False
        self._http: IProtocol | None = None
        self._allowance = 0

    @property
    def is_closing(self) -> bool:
        """Whether the other side has said goodbye already, or we have, and writes would go nowhere."""
        tls = cast(Any, self.transport)
        return not self.is_open or bool(tls.disconnecting) or bool(tls.transport.disconnecting)

    @property
    def peer_host(self) -> str:
        """The address of the other side; empty while there is no connection."""
        return str(cast(Any, self.transport).getPeer().host) if self.transport is not None else ""

    @property
    def tls_connection(self) -> SSL.Connection:
        """The connection as OpenSSL has it, while it is there."""
        return cast(SSL.Connection, cast(Any, self.transport).getHandle())

    def handshakeCompleted(self) -> None:
        """Source: IHandshakeListener."""
        self.is_open = True
        if not self.ready.called:
            self.ready.callback(None)

    def attach(self, http: IProtocol) -> None:
        """Put HTTP on top, once, while the connection is there."""
        self._http = http
        http.makeConnection(cast(ITransport, self.transport))

    def expect(self, limit_bytes: int) -> None:
        """Let so many octets come until the next call."""
        self._allowance = limit_bytes

    def dataReceived(self, data: bytes) -> None:
        """Hand through; more than was expected ends the connection."""
        self._allowance -= len(data)
        if self._http is None or self._allowance < 0:
            self.overflowed = True
            self.abort()
        else:
            self._http.dataReceived(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Tell whoever waits."""
        self.is_open = False
        if not self.ready.called:
            self.ready.errback(reason)
        if self._http is not None:
            self._http.connectionLost(reason)
        self.gone.callback(None)

    def close(self) -> None:
        """End the connection, on which nothing is under way, with a goodbye."""
        cast(Any, self.transport).loseConnection()

    def abort(self) -> None:
        """End the connection at once, whatever is under way."""
        if self.transport is not None and not self.gone.called:
            cast(Any, self.transport).abortConnection()
