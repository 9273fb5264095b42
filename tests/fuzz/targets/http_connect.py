"""The answer of an HTTP proxy to CONNECT, in any pieces: a tunnel, or TunnelRefused with a clause for the log."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.testing import MemoryReactorClock, StringTransportWithDisconnection
from twisted.python.failure import Failure

from duoproxy.net.http_connect import TunnelEndpoint, TunnelRefused
from tests.fuzz.shaping import chunks, first_octet

WORDS = (
    *(b"HTTP/1.1 200 OK\r\n\r\n", b"HTTP/1.0 ", b"HTTP/1.1 ", b"407 Proxy Authentication Required", b"\r\n\r\n"),
    *(b"\r\n", b" 299", b"Via: 1.1 x\r\n", b"Content-Length: 5\r\n"),
)
REQUEST = b"CONNECT api.example.com:443 HTTP/1.1\r\nHost: api.example.com:443\r\n\r\n"


class _Inner(Protocol):
    def __init__(self) -> None:
        self.received = b""

    def dataReceived(self, data: bytes) -> None:
        self.received += data


class _Transport(StringTransportWithDisconnection):
    def abortConnection(self) -> None:
        self.loseConnection()


def target(data: bytes) -> None:
    size, answer = first_octet(data)
    inner, transport, reactor = _Inner(), _Transport(), MemoryReactorClock()
    proxy = TCP4ClientEndpoint(reactor, "10.0.0.1", 3128)
    ends: list[Any] = []
    opened: Deferred[Any] = TunnelEndpoint(proxy, "api.example.com", 443).connect(Factory.forProtocol(lambda: inner))
    opened.addBoth(ends.append)
    factory: Any = reactor.tcpClients[0][2]
    protocol = factory.buildProtocol(None)
    transport.protocol = protocol
    protocol.makeConnection(transport)
    _feed(protocol, transport, answer, size)
    if transport.connected:
        transport.loseConnection()
    _judge(ends, inner, transport.value(), answer)


def _feed(protocol: Any, transport: _Transport, answer: bytes, size: int) -> None:
    for piece in chunks(answer, size):
        if not transport.connected:
            return
        protocol.dataReceived(piece)


def _judge(ends: list[Any], inner: _Inner, written: bytes, answer: bytes) -> None:
    assert written == REQUEST
    assert len(ends) == 1
    if isinstance(ends[0], Failure):
        refused = ends[0].check(TunnelRefused)
        assert refused is TunnelRefused
        assert str(ends[0].value).isprintable()
        assert not inner.received
        return
    assert ends[0] is inner
    assert answer.startswith((b"HTTP/1.1 2", b"HTTP/1.0 2"))
    assert answer.partition(b"\r\n\r\n")[2] == inner.received
