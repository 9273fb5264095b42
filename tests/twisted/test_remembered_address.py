"""The remembered address: no look-up for each connection, and none that is out of date for long."""

from __future__ import annotations

import errno
from typing import Any
from unittest import mock

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import (
    ConnectError,
    ConnectingCancelledError,
    ConnectionRefusedError,
    DNSLookupError,
)
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from duoproxy.net.known_address import LOOK_UP_S, REMEMBERED_S
from duoproxy.net.remembered_address import ANSWER_S, SEARCH_S, RememberedEndpoint

FIRST, SECOND = "192.0.2.1", "192.0.2.2"


class RememberedEndpointTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.reactor = MemoryReactorClock()
        self.endpoint = RememberedEndpoint(self.reactor, "api.example.com", 443)
        self.searches: list[tuple[Any, Deferred[Any]]] = []
        patched = mock.patch("duoproxy.net.remembered_address.HostnameEndpoint")
        patched.start().return_value.connect.side_effect = self._search
        self.addCleanup(patched.stop)

    def _search(self, factory: Any) -> Deferred[Any]:
        found: Deferred[Any] = Deferred()
        self.searches.append((factory, found))
        return found

    def _found(self, address: str) -> None:
        """The search that runs ends at an address."""
        factory, found = self.searches[-1]
        protocol = factory.buildProtocol(None)
        transport = StringTransport(peerAddress=mock.Mock(host=address))
        protocol.makeConnection(transport)
        found.callback(protocol)

    def _connect(self) -> Deferred[Any]:
        return self.endpoint.connect(Factory.forProtocol(Protocol))

    def _known(self) -> None:
        self._connect()
        self._found(FIRST)

    def _attempts(self) -> list[tuple[str, int]]:
        return [(host, port) for host, port, *_ in self.reactor.tcpClients]

    def _attempt_fails(self, fault: Exception) -> None:
        _, _, factory, *_ = self.reactor.tcpClients[-1]
        factory.clientConnectionFailed(mock.Mock(), Failure(fault))

    def test_second_connection_goes_to_the_address_of_the_first(self) -> None:
        """What worked a moment ago is not looked up again."""
        self._known()
        second = self._connect()
        self.assertEqual((self._attempts(), len(self.searches)), ([(FIRST, 443)], 1))
        protocol = self.reactor.tcpClients[-1][2].buildProtocol(None)
        self.assertIs(self.successResultOf(second), protocol)

    def test_one_connection_looks_up_an_old_address_while_others_use_it(self) -> None:
        """After a minute one look-up is made, not one for each of a thousand logins."""
        self._known()
        self.reactor.advance(REMEMBERED_S)
        self._connect()
        self._connect()
        self.assertEqual((self._attempts(), len(self.searches)), ([(FIRST, 443)], 2))
        self._found(SECOND)
        self._connect()
        self.assertEqual(self._attempts()[-1], (SECOND, 443))

    def test_look_up_that_was_given_up_is_made_again(self) -> None:
        """Whoever looked up may have given up."""
        self._known()
        self.reactor.advance(REMEMBERED_S)
        given_up = self._connect()
        given_up.cancel()
        self.failureResultOf(given_up, ConnectingCancelledError, CancelledError)
        self.reactor.advance(LOOK_UP_S)
        self._connect()
        self.assertEqual(len(self.searches), 3)

    def test_address_where_nobody_answers_any_more_is_left(self) -> None:
        """The host is looked up again, in the same attempt; the search is bounded as the attempt is."""
        self._known()
        second = self._connect()
        self.assertEqual(self.reactor.tcpClients[-1][3], ANSWER_S)
        self._attempt_fails(ConnectionRefusedError())
        self.assertNoResult(second)
        self._found(SECOND)
        self.successResultOf(second)
        self._connect()
        self.assertEqual(self._attempts()[-1], (SECOND, 443))

    def test_what_this_machine_lacks_says_nothing_about_the_address(self) -> None:
        """Without descriptors nothing is looked up: the reason is told as it is, and the address stays."""
        self._known()
        second = self._connect()
        self._attempt_fails(ConnectError(errno.EMFILE))
        self.failureResultOf(second, ConnectError)
        self.assertEqual((len(self.searches), self.endpoint.known.address), (1, FIRST))

    def test_last_good_address_serves_while_names_cannot_be_looked_up(self) -> None:
        """An outage of DNS is no outage of the service."""
        self._known()
        self.reactor.advance(REMEMBERED_S)
        later = self._connect()
        self.searches[-1][1].errback(DNSLookupError())
        self.assertEqual(self._attempts(), [(FIRST, 443)])
        self.reactor.tcpClients[-1][2].buildProtocol(None)
        self.successResultOf(later)

    def test_dead_address_without_names_is_reported_as_dead(self) -> None:
        """What is told is why the connection failed, not the look-up that came after."""
        self._known()
        second = self._connect()
        self._attempt_fails(ConnectionRefusedError())
        self.searches[-1][1].errback(DNSLookupError())
        self.failureResultOf(second, ConnectionRefusedError)

    def test_address_of_somebody_else_is_forgotten(self) -> None:
        """The host may have moved: it is looked up."""
        self._known()
        self.endpoint.known.not_proven(FIRST, self.reactor.seconds(), by_somebody_else=True)
        self._connect()
        self.assertEqual((self._attempts(), len(self.searches)), ([], 2))
        self.assertIsNone(self.endpoint.known.address)

    def test_doubted_address_is_looked_up_and_serves_where_that_finds_nothing(self) -> None:
        """It was not found where it was; but nobody says where else it is."""
        self._known()
        self.endpoint.known.not_proven(FIRST, self.reactor.seconds(), by_somebody_else=False)
        self._connect()
        self.assertEqual((self._attempts(), len(self.searches)), ([], 2))
        self.searches[-1][1].errback(ConnectionRefusedError())
        self.assertEqual(self._attempts(), [(FIRST, 443)])

    def test_silent_dns_is_no_outage(self) -> None:
        """A look-up that nobody answers costs one connection a few seconds; then the last good address serves all."""
        self._known()
        self.reactor.advance(REMEMBERED_S)
        later = self._connect()
        self.reactor.advance(SEARCH_S)
        self.assertEqual(self._attempts(), [(FIRST, 443)])
        protocol = self.reactor.tcpClients[-1][2].buildProtocol(None)
        self.assertIs(self.successResultOf(later), protocol)
        self.reactor.advance(REMEMBERED_S - 1)
        self._connect()
        self.assertEqual((len(self._attempts()), len(self.searches)), (2, 2))

    def test_poisoned_dns_leads_nobody_away_for_long(self) -> None:
        """Where somebody else answers, nothing is remembered: the next connection goes where the host was proven."""
        self.endpoint = RememberedEndpoint(self.reactor, "api.example.com", 443, awaits_proof=True)
        self._known()
        self.assertIsNone(self.endpoint.known.address)
        self.endpoint.known.proven(FIRST, self.reactor.seconds())
        self.reactor.advance(REMEMBERED_S)
        self._connect()
        self._found(SECOND)
        self.endpoint.known.not_proven(SECOND, self.reactor.seconds(), by_somebody_else=True)
        self.reactor.advance(REMEMBERED_S - 1)
        self._connect()
        self.assertEqual((self._attempts(), len(self.searches)), ([(FIRST, 443)], 2))

    def test_host_that_moved_is_followed(self) -> None:
        """Its new address is used as soon as it has proven its name there."""
        self.endpoint = RememberedEndpoint(self.reactor, "api.example.com", 443, awaits_proof=True)
        self._known()
        self.endpoint.known.proven(FIRST, self.reactor.seconds())
        self.reactor.advance(REMEMBERED_S)
        self._connect()
        self._found(SECOND)
        self.endpoint.known.proven(SECOND, self.reactor.seconds())
        self._connect()
        self.assertEqual((self._attempts(), len(self.searches)), ([(SECOND, 443)], 2))

    def test_new_address_of_a_host_that_has_left_the_old_one_gets_its_time(self) -> None:
        """Where the host is not any more, nothing better is known: a handshake at the new address may be slow."""
        for leaves in (
            lambda: self._attempt_fails(ConnectionRefusedError()),
            lambda: self.endpoint.known.not_proven(FIRST, self.reactor.seconds(), by_somebody_else=False),
        ):
            self.endpoint = RememberedEndpoint(self.reactor, "api.example.com", 443, awaits_proof=True)
            self._known()
            self.endpoint.known.proven(FIRST, self.reactor.seconds())
            self._connect()
            known = self.endpoint.known
            self.assertEqual((known.has_better(SECOND), known.has_better(FIRST)), (True, False))
            leaves()
            self.assertFalse(known.has_better(SECOND))
            known.proven(FIRST, self.reactor.seconds())
            self.assertTrue(known.has_better(SECOND))

    def test_address_in_some_doubt_serves_others_for_seconds(self) -> None:
        """Then one connection looks up where the host is now."""
        self._known()
        self.endpoint.known.doubt_soon(self.reactor.seconds())
        self._connect()
        self.assertEqual((self._attempts(), len(self.searches)), ([(FIRST, 443)], 1))
        self.reactor.advance(LOOK_UP_S)
        self._connect()
        self.assertEqual((self._attempts(), len(self.searches)), ([(FIRST, 443)], 2))

    def test_lost_ipv6_is_no_lack_of_ports(self) -> None:
        """A host that was known by an IPv6 address is looked up at once when this machine has none of its own left."""
        for speaks, searches in ((True, 1), (False, 2)):
            self.searches.clear()
            self.endpoint = RememberedEndpoint(self.reactor, "api.example.com", 443)
            self._known()
            self._connect().addErrback(lambda _: None)
            with mock.patch("duoproxy.net.lacking._speaks_ipv6", return_value=speaks):
                self._attempt_fails(ConnectError(errno.EADDRNOTAVAIL))
            self.assertEqual(len(self.searches), searches)

    def test_cancelled_attempt_is_given_up(self) -> None:
        """Whoever stops waiting leaves no connection behind, and no look-up."""
        self._known()
        second = self._connect()
        second.cancel()
        self.failureResultOf(second, ConnectingCancelledError, CancelledError)
        self.assertIsNone(self.reactor.tcpClients[-1][2].buildProtocol(None))
        self.assertEqual(len(self.searches), 1)
