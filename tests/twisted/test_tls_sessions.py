"""TLS sessions that are taken up again: whose name was proven, for how long, and what ends it."""

from __future__ import annotations

import contextlib
import datetime

from cryptography import x509
from OpenSSL import SSL
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from duoproxy.net.tls import CertificateRefused, StrictClientTls
from duoproxy.net.tls_sessions import PROOF_S, TlsSessions
from tests.twisted.https_stand_in import Authority, ServerTls

AUTHORITY = Authority()
HOST = "api.example.com"
ROUNDS = 4


class _Sessions(TlsSessions):
    """Counts full handshakes: those in which chain and name were verified."""

    full = 0

    def proven(self, connection: SSL.Connection) -> None:
        self.full += 1
        super().proven(connection)


class TlsSessionsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.sessions = _Sessions(self.clock.seconds)
        self.tls = StrictClientTls(HOST, AUTHORITY.roots, sessions=self.sessions)
        self.server = AUTHORITY.server_options(x509.DNSName(HOST))
        self.shown: ServerTls | None = None

    def _connect(self, server: ServerTls | None = None) -> SSL.Connection:
        """Make a connection, and let an answer come over it."""
        here = self.tls.clientConnectionForTLS(None)  # type: ignore[arg-type]
        there = SSL.Connection((server or self.server).getContext(), None)
        there.set_accept_state()
        if self.shown is not None:
            there.use_certificate(self.shown.certificate)
            there.use_privatekey(self.shown.key)
        for _ in range(ROUNDS):
            for side, other in ((here, there), (there, here)):
                with contextlib.suppress(SSL.WantReadError):
                    side.do_handshake()
                _carry(side, other)
        there.send(b"answer")
        _carry(there, here)
        self.assertEqual(here.recv(100), b"answer")
        here.shutdown()  # OpenSSL takes up no session whose connection ended without a goodbye
        return here

    def _connect_and_keep(self) -> None:
        self.sessions.keep(self._connect())

    def _now_has(self, other: ServerTls) -> None:
        """The server, with the keys of its tickets, shows another certificate from now on."""
        self.shown = other

    def test_second_connection_takes_up_the_session_of_the_first(self) -> None:
        """What was proven a moment ago is not proven again."""
        self._connect_and_keep()
        self._connect()
        self.assertEqual(self.sessions.full, 1)

    def test_each_ticket_is_used_once(self) -> None:
        """RFC 8446 §C.4: a second connection at the same time makes a full handshake."""
        self._connect_and_keep()
        self._connect()
        self._connect()
        self.assertEqual(self.sessions.full, 2)

    def test_session_goes_on_from_connection_to_connection(self) -> None:
        """Each connection gets a new ticket for the next one."""
        for _ in range(5):
            self._connect_and_keep()
        self.assertEqual(self.sessions.full, 1)

    def test_proof_does_not_get_younger(self) -> None:
        """Sessions that descend from one another end with the handshake from which they all come."""
        for _ in range(4):
            self._connect_and_keep()
            self.clock.advance(PROOF_S / 4)
        self.assertTrue(self.sessions.is_empty)
        self._connect_and_keep()
        self.assertEqual(self.sessions.full, 2)

    def test_young_proof_behind_an_old_one_is_found(self) -> None:
        """Old sessions are dropped, not those that came after them."""
        first = self._connect()
        self.clock.advance(PROOF_S - 1)
        second = self._connect()
        self.sessions.keep(first)
        self.sessions.keep(second)
        self.clock.advance(2)
        self._connect()
        self.assertEqual(self.sessions.full, 2)

    def test_certificate_for_another_name_is_refused_when_the_proof_is_too_old(self) -> None:
        """A session hides what a full handshake would notice for its own life, and no longer."""
        self._connect_and_keep()
        self._now_has(AUTHORITY.server_options(x509.DNSName("evil.example.com")))
        self._connect_and_keep()
        self.assertEqual(self.sessions.full, 1)
        self.clock.advance(PROOF_S)
        with self.assertRaises(CertificateRefused):
            self._connect()

    def test_certificate_that_has_expired_is_refused_when_the_proof_is_too_old(self) -> None:
        """The same for a chain that is not good any more."""
        self._connect_and_keep()
        self._now_has(
            AUTHORITY.server_options(x509.DNSName(HOST), until=datetime.datetime(2021, 1, 1, tzinfo=datetime.UTC))
        )
        self.clock.advance(PROOF_S)
        with self.assertRaises(CertificateRefused):
            self._connect()

    def test_another_server_cannot_take_up_the_session(self) -> None:
        """Who does not hold the secret of the proven handshake makes a full one, and is refused."""
        self._connect_and_keep()
        with self.assertRaises(CertificateRefused):
            self._connect(AUTHORITY.server_options(x509.DNSName("evil.example.com")))

    def test_server_that_forgot_its_tickets_proves_its_name_anew(self) -> None:
        """A full handshake gives a new proof, with a life of its own."""
        self._connect_and_keep()
        self.clock.advance(PROOF_S / 2)
        self.server = AUTHORITY.server_options(x509.DNSName(HOST))
        self._connect_and_keep()
        self.clock.advance(PROOF_S / 2)
        self.assertEqual((self.sessions.full, self.sessions.is_empty), (2, False))

    def test_tls_1_2_is_not_resumed(self) -> None:
        """Its sessions prove less."""
        self.server.context.set_max_proto_version(SSL.TLS1_2_VERSION)
        self._connect_and_keep()
        self.assertTrue(self.sessions.is_empty)

    def test_connection_whose_name_was_not_proven_leaves_no_session(self) -> None:
        """Where verification is switched off, nothing is remembered as verified."""
        for switches in ({"verify": False}, {"verify_hostname": False}):
            self.tls = StrictClientTls(HOST, AUTHORITY.roots, sessions=self.sessions, **switches)
            self._connect_and_keep()
            self.assertTrue(self.sessions.is_empty)

    def test_forgotten_sessions_are_not_offered(self) -> None:
        """After a fault the next connection makes a full handshake."""
        self._connect_and_keep()
        self.sessions.forget()
        self._connect()
        self.assertEqual(self.sessions.full, 2)

    def test_sessions_are_bounded(self) -> None:
        """The oldest give way."""
        small = TlsSessions(self.clock.seconds, limit=2)
        self.tls = StrictClientTls(HOST, AUTHORITY.roots, sessions=small)
        for connection in [self._connect() for _ in range(3)]:
            small.keep(connection)
        self.assertEqual(len(small), 2)

    def test_connection_gives_one_session(self) -> None:
        """Asking twice does not multiply what is kept."""
        connection = self._connect()
        self.sessions.keep(connection)
        self.sessions.keep(connection)
        self.assertEqual(len(self.sessions), 1)


def _carry(side: SSL.Connection, other: SSL.Connection) -> None:
    with contextlib.suppress(SSL.WantReadError):
        other.bio_write(side.bio_read(1 << 16))
