"""Client TLS: the chain and the name are proven inside the handshake, or the peer gets nothing."""

from __future__ import annotations

import datetime
import tempfile
from functools import partial
from pathlib import Path
from typing import Any, cast

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from OpenSSL import SSL
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.trial.unittest import SynchronousTestCase

from duoproxy.net.tls import (
    CertificateRefused,
    StrictClientTls,
    TrustRoots,
    TrustRootsError,
    bundled_ca_file,
    load_directory_roots,
    load_trust_roots,
)
from tests.twisted.https_stand_in import ADDRESS, Authority, ServerTls

AUTHORITY = Authority()
HOST = "api.example.com"


class _Side(Protocol):
    """One side of a connection: what it received, and why it ended."""

    def __init__(self, greeting: bytes = b"") -> None:
        self.received = b""
        self.lost: Deferred[Any] = Deferred()
        self._greeting = greeting

    def connectionMade(self) -> None:
        if self._greeting:
            cast(Any, self.transport).write(self._greeting)

    def dataReceived(self, data: bytes) -> None:
        self.received += data

    def connectionLost(self, reason: Any = None) -> None:
        self.lost.callback(reason.value)


class _Wire(StringTransport):
    """A transport that a test empties into the other side."""

    def abortConnection(self) -> None:
        self.loseConnection()


def _talk(options: ServerTls, client_tls: StrictClientTls) -> tuple[_Side, _Side]:
    """Let a client that speaks first meet a server, until neither has anything to say."""
    clock = Clock()
    client, server = _Side(b"password"), _Side()
    outer = []
    for side, factory in ((client, client_tls), (server, options)):
        wrapped = Factory.forProtocol(partial(_same, side))
        tls = TLSMemoryBIOFactory(factory, side is client, wrapped, clock=clock)
        outer.append((tls.buildProtocol(None), _Wire()))
    for protocol, wire in outer:
        protocol.makeConnection(wire)
    (here, to_there), (there, to_here) = outer
    for _ in range(20):
        clock.advance(0)
        for wire, protocol in ((to_there, there), (to_here, here)):
            octets, _cleared = wire.value(), wire.clear()
            if octets:
                protocol.dataReceived(octets)
    for protocol, wire in outer:
        if wire.disconnecting:
            protocol.connectionLost(connectionDone)
    return client, server


def _same(side: _Side) -> _Side:
    return side


class StrictClientTlsTests(SynchronousTestCase):
    def _refused(self, options: ServerTls, host: str = HOST, roots: TrustRoots | None = None) -> str:
        client, server = _talk(options, StrictClientTls(host, roots or AUTHORITY.roots))
        self.assertEqual(server.received, b"", "the peer got what was to be sent")
        reason = self.successResultOf(client.lost)
        self.assertIsInstance(reason, CertificateRefused)
        return str(reason)

    def _accepted(self, options: ServerTls, host: str = HOST) -> None:
        client, server = _talk(options, StrictClientTls(host, AUTHORITY.roots))
        self.assertEqual(server.received, b"password")
        self.assertNoResult(client.lost)

    def test_certificate_for_the_name_is_accepted(self) -> None:
        """A chain to a trusted root and the right subjectAltName are what is needed."""
        self._accepted(AUTHORITY.server_options(x509.DNSName("other.example.com"), x509.DNSName(HOST)))

    def test_wildcard_of_one_label_is_accepted(self) -> None:
        """RFC 9525 §6.3: a wildcard is the whole left-most label."""
        self._accepted(AUTHORITY.server_options(x509.DNSName("*.example.com")))

    def test_certificate_for_the_address_is_accepted(self) -> None:
        """An address is matched against addresses."""
        self._accepted(AUTHORITY.server_options(ADDRESS), "127.0.0.1")

    def test_certificate_without_subject_alt_name_is_refused(self) -> None:
        """The common name proves nothing; the peer receives no octet."""
        reason = self._refused(AUTHORITY.server_options(common_name=HOST))
        self.assertEqual(
            reason, "it is for no host (no name in subjectAltName), not for api.example.com (issuer: CN=Test CA)"
        )

    def test_certificate_with_only_an_e_mail_name_is_refused(self) -> None:
        """A name of another kind is none."""
        self._refused(AUTHORITY.server_options(x509.RFC822Name("ca@example.com"), common_name=HOST))

    def test_certificate_for_every_name_is_refused(self) -> None:
        """`DNS:*` names no host."""
        reason = self._refused(AUTHORITY.server_options(x509.DNSName("*")))
        self.assertEqual(reason, "it is for *, not for api.example.com (issuer: CN=Test CA)")
        self._refused(AUTHORITY.server_options(x509.DNSName("*")), "localhost")

    def test_certificate_for_another_name_is_refused(self) -> None:
        """Whoever holds some certificate of the same authority is not the API host."""
        self._refused(AUTHORITY.server_options(x509.DNSName("evil.example.com")))
        self._refused(AUTHORITY.server_options(x509.DNSName("*.com")))
        self._refused(AUTHORITY.server_options(ADDRESS))

    def test_address_is_no_name_and_name_is_no_address(self) -> None:
        """A DNS name that spells an address does not stand for it."""
        self._refused(AUTHORITY.server_options(x509.DNSName("127.0.0.1")), "127.0.0.1")

    def test_unknown_authority_is_refused(self) -> None:
        """The reason and the issuer are for the log."""
        stranger = Authority("Gateway CA")
        reason = self._refused(stranger.server_options(x509.DNSName(HOST)))
        self.assertEqual(reason, "the certificate of its issuer is not known (issuer: CN=Gateway CA)")

    def test_issuer_cannot_forge_log_lines(self) -> None:
        """The peer chose the issuer's name: it is shown without control characters, and not without end."""
        stranger = Authority("Gateway\r\n\x1b[2J")
        self.assertIn("issuer: CN=Gateway[2J)", self._refused(stranger.server_options(x509.DNSName(HOST))))

    def test_expired_certificate_is_refused(self) -> None:
        """Time counts too."""
        options = AUTHORITY.server_options(x509.DNSName(HOST), until=datetime.datetime(2021, 1, 1, tzinfo=datetime.UTC))
        self.assertEqual(self._refused(options), "it has expired (issuer: CN=Test CA)")

    def test_old_protocol_is_not_spoken(self) -> None:
        """TLS 1.2 is the least."""
        options = AUTHORITY.server_options(x509.DNSName(HOST))
        options.getContext().set_max_proto_version(SSL.TLS1_1_VERSION)
        client, server = _talk(options, StrictClientTls(HOST, AUTHORITY.roots))
        self.assertEqual(server.received, b"")
        self.assertIsInstance(self.successResultOf(client.lost), SSL.Error)


class SwitchTests(SynchronousTestCase):
    """What an administrator may switch off for a directory."""

    def _received(self, options: ServerTls, **switches: Any) -> bytes:
        _, server = _talk(options, StrictClientTls(HOST, AUTHORITY.roots, **switches))
        return server.received

    def test_without_verify_hostname_another_name_will_do(self) -> None:
        """ssl_verify_hostname=false: for directories whose certificate has no usable name."""
        for options in (AUTHORITY.server_options(common_name=HOST), AUTHORITY.server_options(x509.DNSName("dc.test"))):
            self.assertEqual(self._received(options, verify_hostname=False), b"password")

    def test_without_verify_hostname_the_chain_is_still_checked(self) -> None:
        """A certificate of a stranger's authority is refused."""
        stranger = Authority("Gateway CA").server_options(x509.DNSName(HOST))
        self.assertEqual(self._received(stranger, verify_hostname=False), b"")

    def test_without_verify_any_certificate_will_do(self) -> None:
        """ssl_verify=false: what the original does without ssl_ca_certs_file."""
        long_ago = datetime.datetime(2021, 1, 1, tzinfo=datetime.UTC)
        stranger = Authority("Gateway CA")
        for options in (stranger.server_options(x509.DNSName("other")), AUTHORITY.server_options(until=long_ago)):
            self.assertEqual(self._received(options, verify=False), b"password")


class TrustRootsTests(SynchronousTestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.file = Path(folder.name) / "ca.pem"

    def test_own_file_replaces_every_other_trust(self) -> None:
        """With http_ca_certs_file only its certificates count."""
        pem = AUTHORITY.certificate.public_bytes(Encoding.PEM)
        self.file.write_bytes(b"# two of them\n" + pem + Authority("Second").certificate.public_bytes(Encoding.PEM))
        roots = load_trust_roots(self.file)
        self.assertFalse(roots.system)
        self.assertEqual(len(roots.certificates), 2)

    def test_without_a_file_the_system_and_the_vendor_s_bundle_are_trusted(self) -> None:
        """The system's store, plus the CA bundle that the duo_client package ships."""
        roots = load_trust_roots()
        self.assertTrue(roots.system)
        bundle = bundled_ca_file()
        assert bundle is not None
        self.assertEqual(len(roots.certificates), bundle.read_text().count("BEGIN CERTIFICATE"))

    def test_directories_are_not_trusted_by_the_vendor_s_bundle(self) -> None:
        """The roots of Duo's service have no say about a directory: the system's store, or the file."""
        roots = load_directory_roots()
        self.assertEqual((roots.system, roots.certificates), (True, ()))
        self.file.write_bytes(AUTHORITY.certificate.public_bytes(Encoding.PEM))
        from_file = load_directory_roots(self.file)
        self.assertEqual((from_file.system, len(from_file.certificates)), (False, 1))

    def test_system_roots_can_be_loaded_into_a_context(self) -> None:
        """Both sources together give a context that can be used."""
        connection = StrictClientTls(HOST, load_trust_roots()).clientConnectionForTLS(None)  # type: ignore[arg-type]
        self.assertEqual(connection.get_context().get_verify_mode(), SSL.VERIFY_PEER)

    def test_missing_file_is_a_sentence(self) -> None:
        """The file, the reason and the remedy."""
        with self.assertRaises(TrustRootsError) as caught:
            load_trust_roots(self.file)
        self.assertEqual(
            str(caught.exception),
            f"The CA file {self.file} cannot be read (No such file or directory). Check its path and rights.",
        )

    def test_file_without_certificates_is_a_sentence(self) -> None:
        """An empty or damaged file would trust nobody, silently."""
        self.file.write_text("no certificate")
        with self.assertRaises(TrustRootsError) as caught:
            load_trust_roots(self.file)
        self.assertEqual(
            str(caught.exception),
            f"The CA file {self.file} holds no certificate that can be read. Write certificates in PEM form into it.",
        )
