"""Our HTTP proxy: who is let in, what a tunnel relays, how each end is noticed, and what is logged."""

from __future__ import annotations

from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone, ConnectionRefusedError
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.logger import LogEvent, globalLogPublisher
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from duoproxy.net.connect_requests import OPENED, Authority
from duoproxy.net.http_proxy import MAX_CONNECTIONS, PENDING_S, HttpProxy
from duoproxy.net.http_tunnel import CONNECT_S, IDLE_S, LAST_WORDS_S, REQUEST_S, TunnelRules

DUO = Authority("api-1.duosecurity.com", 443)
CONNECT = b"CONNECT api-1.duosecurity.com:443 HTTP/1.1\r\nHost: api-1.duosecurity.com:443\r\n\r\n"
STRANGER = "203.0.113.9"


class _Tcp(StringTransport):
    """A transport that is lost when it was asked to close and no producer holds it open."""

    protocol: Any = None
    lost = False

    def setTcpNoDelay(self, enabled: bool) -> None:
        pass

    def setTcpKeepAlive(self, enabled: bool) -> None:
        pass

    def loseConnection(self) -> None:
        super().loseConnection()
        if self.producer is None:
            self.lose()

    def unregisterProducer(self) -> None:
        if self.producer is not None:
            super().unregisterProducer()
        if self.disconnecting:
            self.lose()

    def abortConnection(self) -> None:
        self.lose()

    def lose(self) -> None:
        if not self.lost:
            self.lost = True
            self.protocol.connectionLost(Failure(ConnectionDone()))


@implementer(IStreamClientEndpoint)
class _WayOut:
    """Connections to Duo that the test opens, or not."""

    def __init__(self) -> None:
        self.waiting: list[tuple[Any, Deferred[Any]]] = []
        self.cancelled = 0

    def connect(self, protocolFactory: Any) -> Deferred[Any]:
        attempt: Deferred[Any] = Deferred(self._cancel)
        self.waiting.append((protocolFactory, attempt))
        return attempt

    def open(self) -> _Tcp:
        factory, attempt = self.waiting.pop(0)
        tcp = _Tcp()
        tcp.protocol = factory.buildProtocol(None)
        tcp.protocol.makeConnection(tcp)
        attempt.callback(tcp.protocol)
        return tcp

    def _cancel(self, _: Any) -> None:
        self.cancelled += 1


class HttpProxyTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.way_out = _WayOut()
        rules = TunnelRules("http_proxy", DUO, lambda address: address != STRANGER, self.way_out)
        self.proxy = HttpProxy(rules, self.clock)
        self.lines: list[str] = []
        note: Any = self._note
        globalLogPublisher.addObserver(note)
        self.addCleanup(globalLogPublisher.removeObserver, note)

    def _note(self, event: LogEvent) -> None:
        if event.get("log_namespace") == "http_proxy":
            self.lines.append(str(event["log_format"]).format(**event))

    def _client(self, address: str = "10.0.0.1") -> _Tcp | None:
        protocol = self.proxy.buildProtocol(IPv4Address("TCP", address, 5000))
        if protocol is None:
            return None
        tcp = _Tcp()
        tcp.protocol = protocol
        protocol.makeConnection(tcp)
        return tcp

    def _let_in(self, address: str = "10.0.0.1") -> _Tcp:
        client = self._client(address)
        assert client is not None
        return client

    def _tunnel(self) -> tuple[_Tcp, _Tcp]:
        client = self._let_in()
        client.protocol.dataReceived(CONNECT)
        duo = self.way_out.open()
        self.assertEqual(client.value(), OPENED)
        client.clear()
        return client, duo

    def _status(self, client: _Tcp) -> int:
        return int(client.value().split()[1])

    def test_octets_go_through_both_ways(self) -> None:
        """After the 200 everything is relayed as it comes."""
        client, duo = self._tunnel()
        client.protocol.dataReceived(b"\x16\x03hello")
        duo.protocol.dataReceived(b"\x16\x03world")
        self.assertEqual(duo.value(), b"\x16\x03hello")
        self.assertEqual(client.value(), b"\x16\x03world")

    def test_whoever_reads_slowly_slows_the_other_side_down(self) -> None:
        """Each side is the producer of the other: nothing piles up here."""
        client, duo = self._tunnel()
        self.assertIs(client.producer, duo)
        self.assertIs(duo.producer, client)
        self.assertTrue(client.streaming)

    def test_a_stranger_is_not_read(self) -> None:
        """A client that client_ip does not name is closed at once; the log names it, once a minute."""
        self.assertIsNone(self._client(STRANGER))
        self.assertIsNone(self._client(STRANGER))
        line = f"[http_proxy] refused {STRANGER}: its address may not use this proxy; client_ip names those that may."
        self.assertEqual(self.lines, [line])

    def test_another_host_is_refused_and_logged(self) -> None:
        """Everything but the one host is 403, with a line of text, and the end of the connection."""
        client = self._let_in()
        client.protocol.dataReceived(b"CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example\r\n\r\n")
        self.assertEqual(self._status(client), 403)
        self.assertTrue(client.lost)
        self.assertEqual(self.way_out.waiting, [])
        what = "it asked for evil.example:443; only api-1.duosecurity.com:443 is relayed"
        self.assertEqual(self.lines, [f"[http_proxy] refused 10.0.0.1: {what}."])

    def test_who_asks_for_something_else_each_time_gets_one_line(self) -> None:
        """Neither the log nor what is counted for it grows with what a client makes up."""
        for number in range(2000):
            client = self._let_in()
            client.protocol.dataReceived(b"CONNECT evil%d.example:443 HTTP/1.1\r\nHost: evil.example\r\n\r\n" % number)
        self.assertEqual(len(self.lines), 1)
        self.assertEqual(dict(self.proxy.limited_log.counts), {"403": 2000})

    def test_clients_that_fill_it_keep_nobody_from_duo(self) -> None:
        """A server that comes then has a place of the one with most, whose longest silent connection ends."""
        flood: list[_Tcp] = []
        for number in range(20):
            while self.proxy.share.count < MAX_CONNECTIONS and (client := self._client(f"10.0.1.{number}")) is not None:
                flood.append(client)
                self.clock.advance(0.001)
        self.assertEqual((len(flood), self.proxy.share.count), (MAX_CONNECTIONS, MAX_CONNECTIONS))
        for _ in range(10):
            server = self._let_in("10.0.0.9")
            server.protocol.dataReceived(CONNECT)
            self.assertEqual((self.way_out.open().lost, server.value()), (False, OPENED))
        self.assertEqual([number for number, one in enumerate(flood) if one.lost], list(range(10)))
        self.assertEqual(self.proxy.share.count, MAX_CONNECTIONS)
        self.assertEqual(len(self.proxy.connections), MAX_CONNECTIONS)

    def test_octets_while_the_way_opens_are_refused(self) -> None:
        """A client that does not wait for its 200 gets no tunnel, and the way out is given up."""
        client = self._let_in()
        client.protocol.dataReceived(CONNECT)
        client.protocol.dataReceived(b"\x16\x03")
        self.assertEqual(self._status(client), 400)
        self.assertEqual(self.way_out.cancelled, 1)
        self.assertEqual(self.proxy.share.count, 0)

    def test_a_request_that_does_not_come_is_not_waited_for(self) -> None:
        """An open connection without a request costs ten seconds and no more."""
        client = self._let_in()
        client.protocol.dataReceived(CONNECT[:20])
        self.clock.advance(REQUEST_S)
        self.assertEqual(self._status(client), 408)
        self.assertTrue(client.lost)

    def test_duo_that_cannot_be_reached_is_502_with_the_reason(self) -> None:
        """The client and the log learn why there is no tunnel."""
        client = self._let_in()
        client.protocol.dataReceived(CONNECT)
        self.way_out.waiting[0][1].errback(Failure(ConnectionRefusedError()))
        self.assertEqual(self._status(client), 502)
        self.assertIn("cannot be reached (Connection was refused by other side", self.lines[0])

    def test_duo_that_does_not_answer_is_504(self) -> None:
        """The way out has a deadline."""
        client = self._let_in()
        client.protocol.dataReceived(CONNECT)
        self.clock.advance(CONNECT_S)
        self.assertEqual(self._status(client), 504)
        self.assertEqual(self.way_out.cancelled, 1)

    def test_the_end_of_one_side_is_the_end_of_the_other(self) -> None:
        """Both connections go, whoever began; the log has one line with sizes."""
        for who in (0, 1):
            sides = self._tunnel()
            sides[0].protocol.dataReceived(b"12345")
            sides[who].lose()
            self.assertTrue(sides[0].lost and sides[1].lost)
            self.assertEqual(self.proxy.share.count, 0)
            self.assertRegex(self.lines[-1], r"^A tunnel of 10.0.0.1 to .*: 5 octets out, 0 back, 0.0 s\.$")
        self.assertEqual(len(self.lines), 2)
        self.assertEqual([call for call in self.clock.getDelayedCalls() if call.active()], [])

    def test_a_client_that_does_not_take_the_last_octets_is_cut_off(self) -> None:
        """What Duo sent last is delivered, but not waited for without end."""
        client, duo = self._tunnel()
        client.producer = None
        client.loseConnection = lambda: None  # type: ignore[method-assign]
        duo.lose()
        self.assertFalse(client.lost)
        self.clock.advance(LAST_WORDS_S)
        self.assertTrue(client.lost)

    def test_a_tunnel_in_which_nothing_moves_ends(self) -> None:
        """Five minutes without an octet in either direction; an octet begins them anew."""
        client, duo = self._tunnel()
        self.clock.advance(IDLE_S - 1)
        duo.protocol.dataReceived(b"x")
        self.clock.advance(IDLE_S - 1)
        self.assertFalse(client.lost)
        self.clock.advance(1)
        self.assertTrue(client.lost and duo.lost)

    def test_a_client_that_leaves_while_the_way_opens_costs_nothing(self) -> None:
        """The attempt is given up, and a connection that came too late is closed."""
        client = self._let_in()
        client.protocol.dataReceived(CONNECT)
        client.lose()
        self.assertEqual(self.way_out.cancelled, 1)
        self.assertEqual([call for call in self.clock.getDelayedCalls() if call.active()], [])

    def test_one_address_cannot_take_every_connection(self) -> None:
        """Half of what the others leave; the refusal is logged, and others are served."""
        taken = 0
        while self._client("10.0.0.1") is not None:
            taken += 1
        self.assertEqual(taken, MAX_CONNECTIONS // 2)
        self.assertIn("it has its share of the 1024 connections", self.lines[-1])
        self.assertIsNotNone(self._client("10.0.0.2"))

    def test_a_stop_waits_for_tunnels_in_which_a_client_waits(self) -> None:
        """A push may ring for it; a connection that is kept for later has no login in it."""
        client, duo = self._tunnel()
        self._let_in("10.0.0.2")
        self.assertEqual(self.proxy.pending, 0)
        client.protocol.dataReceived(b"push")
        self.assertEqual(self.proxy.pending, 1)
        duo.protocol.dataReceived(b"allow")
        self.assertEqual(self.proxy.pending, 0)
        client.protocol.dataReceived(b"push")
        self.clock.advance(PENDING_S + 1)
        self.assertEqual(self.proxy.pending, 0)

    def test_closing_ends_every_tunnel(self) -> None:
        """A stop leaves nothing open."""
        client, duo = self._tunnel()
        self.proxy.close()
        self.assertTrue(client.lost and duo.lost)

    def test_an_ipv4_client_on_the_common_socket_is_known_by_its_ipv4_address(self) -> None:
        """::ffff:203.0.113.9 is 203.0.113.9."""
        self.assertIsNone(self._client("::ffff:" + STRANGER))

    def test_a_way_that_is_found_before_it_is_connected_is_waited_for(self) -> None:
        """A remembered address gives its protocol before the connection stands; the 200 waits for the connection."""
        client = self._let_in()
        client.protocol.dataReceived(CONNECT)
        factory, attempt = self.way_out.waiting.pop(0)
        duo = _Tcp()
        duo.protocol = factory.buildProtocol(None)
        attempt.callback(duo.protocol)
        self.assertEqual(client.value(), b"")
        duo.protocol.makeConnection(duo)
        self.assertEqual(client.value(), OPENED)

    def test_a_connection_that_comes_when_the_client_has_left_is_closed(self) -> None:
        """Between the two moments the client may go."""
        client = self._let_in()
        client.protocol.dataReceived(CONNECT)
        factory, attempt = self.way_out.waiting.pop(0)
        duo = _Tcp()
        duo.protocol = factory.buildProtocol(None)
        attempt.callback(duo.protocol)
        client.lose()
        duo.protocol.makeConnection(duo)
        self.assertTrue(duo.lost)
