"""The tunnel through an HTTP proxy, octet by octet."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.error import ConnectionDone, ConnectionRefusedError
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.testing import MemoryReactorClock, StringTransportWithDisconnection
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from duoproxy.net.http_connect import MAX_HEAD_BYTES, TunnelEndpoint, TunnelRefused


class _Inner(Protocol):
    """What runs through the tunnel."""

    def __init__(self) -> None:
        self.received = b""
        self.ended: Any = None

    def dataReceived(self, data: bytes) -> None:
        self.received += data

    def connectionLost(self, reason: Any = None) -> None:
        self.ended = reason.value


class _Transport(StringTransportWithDisconnection):
    aborted = False

    def abortConnection(self) -> None:
        self.aborted = True
        self.loseConnection()


class TunnelTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.reactor = MemoryReactorClock()
        self.inner = _Inner()
        self.transport = _Transport()

    def _connect(self, host: str = "api.example.com") -> Deferred[Any]:
        proxy = TCP4ClientEndpoint(self.reactor, "10.0.0.1", 3128)
        return TunnelEndpoint(proxy, host, 443).connect(Factory.forProtocol(lambda: self.inner))

    def _proxy_accepts(self) -> Any:
        factory: Any = self.reactor.tcpClients[0][2]
        protocol = factory.buildProtocol(None)
        self.transport.protocol = protocol
        protocol.makeConnection(self.transport)
        return protocol

    def test_request_names_the_host_behind_the_proxy(self) -> None:
        """RFC 9110 §9.3.6: CONNECT takes the authority form."""
        self._connect()
        self._proxy_accepts()
        expected = b"CONNECT api.example.com:443 HTTP/1.1\r\nHost: api.example.com:443\r\n\r\n"
        self.assertEqual(self.transport.value(), expected)

    def test_request_brackets_an_ipv6_address(self) -> None:
        """RFC 3986 §3.2.2."""
        self._connect("2001:db8::1")
        self._proxy_accepts()
        self.assertTrue(self.transport.value().startswith(b"CONNECT [2001:db8::1]:443 HTTP/1.1\r\n"))

    def test_open_tunnel_carries_both_directions(self) -> None:
        """After a 2xx everything is the inner protocol's, in any fragmentation of the head."""
        opened = self._connect()
        proxy = self._proxy_accepts()
        for octet in b"HTTP/1.1 200 Connection established\r\nVia: x\r\n\r\n":
            self.assertNoResult(opened)
            proxy.dataReceived(bytes([octet]))
        self.assertIs(self.successResultOf(opened), self.inner)
        proxy.dataReceived(b"from the host")
        self.assertEqual(self.inner.received, b"from the host")
        self.transport.clear()
        assert self.inner.transport is not None
        self.inner.transport.write(b"to the host")
        self.assertEqual(self.transport.value(), b"to the host")
        proxy.connectionLost(Failure(ConnectionDone()))
        self.assertIsInstance(self.inner.ended, ConnectionDone)

    def _refusal(self, answer: bytes) -> str:
        opened = self._connect()
        self._proxy_accepts().dataReceived(answer)
        fault = self.failureResultOf(opened, TunnelRefused)
        self.assertTrue(self.transport.aborted)
        self.assertIsNone(self.inner.transport)
        return str(fault.value)

    def test_refusal_is_given_in_the_proxy_s_words(self) -> None:
        """The status line tells the administrator what to do."""
        self.assertEqual(self._refusal(b"HTTP/1.1 403 Forbidden\r\n\r\n<html>"), "HTTP/1.1 403 Forbidden")

    def test_login_at_the_proxy_is_a_refusal(self) -> None:
        """407 is shown as it is."""
        answer = b"HTTP/1.0 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\n\r\n"
        self.assertEqual(self._refusal(answer), "HTTP/1.0 407 Proxy Authentication Required")

    def test_early_octets_are_a_refusal(self) -> None:
        """Whoever speaks before the tunnel is used is not the host behind it."""
        answer = b"HTTP/1.1 200 OK\r\n\r\n\x16\x03\x03"
        self.assertEqual(self._refusal(answer), "it sent data before the tunnel was used")

    def test_head_without_end_is_a_refusal(self) -> None:
        """16 KiB are the limit."""
        answer = b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * (MAX_HEAD_BYTES // 6)
        self.assertEqual(self._refusal(answer + b"\r\n"), "its answer is longer than 16384 octets")

    def test_answer_that_is_no_http_is_a_refusal(self) -> None:
        """An SSH banner opens no tunnel, and cannot write control characters into the log."""
        self.assertEqual(self._refusal(b"SSH-2.0-x\x1b\r\n\r\n"), "SSH-2.0-x")
        self.setUp()
        self.assertEqual(self._refusal(b"\r\n\r\n"), "an answer that is no HTTP")

    def test_proxy_that_hangs_up_is_a_refusal(self) -> None:
        """No answer is no tunnel."""
        opened = self._connect()
        self._proxy_accepts().connectionLost(Failure(ConnectionDone()))
        fault = self.failureResultOf(opened, TunnelRefused)
        self.assertEqual(str(fault.value), "it closed the connection before it answered")

    def test_proxy_that_cannot_be_reached_is_reported_as_that(self) -> None:
        """The endpoint's own fault comes through."""
        opened = self._connect()
        factory: Any = self.reactor.tcpClients[0][2]
        factory.clientConnectionFailed(None, Failure(ConnectionRefusedError()))
        self.failureResultOf(opened, ConnectionRefusedError)

    def test_cancelled_while_the_proxy_thinks_the_connection_ends(self) -> None:
        """A deadline leaves nothing behind."""
        opened = self._connect()
        self._proxy_accepts()
        opened.cancel()
        self.failureResultOf(opened, CancelledError)
        self.assertTrue(self.transport.aborted)
