"""TLS as a client: whom to trust, and that the other side is who was asked for.

Owns the roots of trust and the connections of outgoing TLS. The chain is verified by OpenSSL and the name with
service-identity by ourselves, inside the handshake: a peer that is refused receives no octet of what was to be sent.

Source: RFC 9525 (names), RFC 5280 (chains).
"""

from __future__ import annotations

import importlib.util
import ipaddress
import re
from pathlib import Path

from attrs import frozen
from cryptography import x509
from OpenSSL import SSL, crypto
from service_identity.cryptography import extract_patterns
from service_identity.hazmat import DNS_ID, IPAddress_ID, verify_service_identity
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.protocols.tls import TLSMemoryBIOProtocol
from zope.interface import implementer

from duoproxy.errors import DuoproxyError
from duoproxy.net.tls_sessions import TlsSessions

# The package whose CA bundle holds the roots of Duo's own servers; its code is not imported for that.
BUNDLE_PACKAGE = "duo_client"
BUNDLE_FILE = "ca_certs.pem"
MAX_ISSUER_CHARACTERS = 200

_PEM_BLOCK = re.compile(rb"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)


class TrustRootsError(DuoproxyError):
    """A file of CA certificates cannot be used; `str()` is a sentence with cause and remedy."""


class CertificateRefused(SSL.Error):
    """The peer's certificate is not trusted, or is not for the name that was asked for.

    Attributes:
        issuer: who signed the certificate that was refused, as `CN=…, O=…`.
        reason: why, in the words of the verification.
    """

    def __init__(self, issuer: str, reason: str) -> None:
        # The arguments have the form of OpenSSL's own error queue, which readers of SSL.Error expect.
        super().__init__([("certificate", "verify", reason)])
        self.issuer = issuer
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.reason} (issuer: {self.issuer})"


@frozen(eq=False)
class TrustRoots:
    """Whom to trust.

    Attributes:
        system: whether the system's store counts.
        certificates: further roots.
    """

    system: bool
    certificates: tuple[crypto.X509, ...]

    def add_to(self, context: SSL.Context) -> None:
        """Put them into a context."""
        if self.system:
            context.set_default_verify_paths()
        store = context.get_cert_store()
        if store is None:  # pragma: no cover - a context always has one
            raise TrustRootsError("OpenSSL gave a context without a store")
        for certificate in self.certificates:
            store.add_cert(certificate)


def load_trust_roots(ca_certs_file: str | Path | None = None) -> TrustRoots:
    """Give the roots for Duo's service.

    Args:
        ca_certs_file: trust only the certificates (PEM) of this file; None: the system's store, and the CA bundle that
            the `duo_client` package ships.

    Raises:
        TrustRootsError: the file cannot be read or holds no certificate.
    """
    if ca_certs_file is not None:
        return TrustRoots(False, _read_certificates(Path(ca_certs_file)))
    bundle = bundled_ca_file()
    return TrustRoots(True, _read_certificates(bundle) if bundle is not None else ())


def load_directory_roots(ca_certs_file: str | Path | None = None) -> TrustRoots:
    """Give the roots for directories: those of the file, or the system's store alone.

    Args:
        ca_certs_file: trust only the certificates (PEM) of this file; None: the system's store.

    Raises:
        TrustRootsError: the file cannot be read or holds no certificate.
    """
    return TrustRoots(True, ()) if ca_certs_file is None else load_trust_roots(ca_certs_file)


def bundled_ca_file() -> Path | None:
    """Find the CA bundle of the `duo_client` package without importing it; None where it is not installed."""
    spec = importlib.util.find_spec(BUNDLE_PACKAGE)
    folders = spec.submodule_search_locations if spec is not None else None
    for folder in folders or ():
        file = Path(folder) / BUNDLE_FILE
        if file.is_file():
            return file
    return None


def _read_certificates(file: Path) -> tuple[crypto.X509, ...]:
    # OpenSSL reads old roots that stricter parsers refuse (serial number 0); that is its job and no harm here.
    try:
        blocks = _PEM_BLOCK.findall(file.read_bytes())
        certificates = tuple(crypto.load_certificate(crypto.FILETYPE_PEM, block) for block in blocks)
    except OSError as fault:
        raise TrustRootsError(
            f"The CA file {file} cannot be read ({fault.strerror}). Check its path and rights."
        ) from None
    except crypto.Error:
        certificates = ()
    if not certificates:
        raise TrustRootsError(
            f"The CA file {file} holds no certificate that can be read. Write certificates in PEM form into it."
        )
    return certificates


@implementer(IOpenSSLClientConnectionCreator)
class StrictClientTls:
    """Makes the client side of TLS connections to one host, all from one context.

    A connection that waits for its peer keeps no buffers, so that thousands can wait.
    """

    def __init__(
        self,
        host: str,
        trust_roots: TrustRoots,
        *,
        verify_hostname: bool = True,
        verify: bool = True,
        sessions: TlsSessions | None = None,
    ) -> None:
        """Prepare the context.

        The two switches are for directories, whose administrators may turn them; for Duo they stay on.

        Args:
            host: the DNS name or IP address that the certificate must be for.
            trust_roots: whom to trust.
            verify_hostname: False: a certificate for any host will do, if its chain is trusted.
            verify: False: any certificate at all will do. It keeps listeners out, not impostors.
            sessions: those that may be taken up again, of this object alone; None: each handshake is a full one.
        """
        self._host = host
        self._verify_hostname = verify_hostname
        self._verify_chain = verify
        self._sessions = sessions
        self._identity, self._server_name = _identity_of(host)
        self._context = context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        context.set_min_proto_version(SSL.TLS1_2_VERSION)
        context.set_options(SSL.OP_NO_COMPRESSION | SSL.OP_NO_RENEGOTIATION)
        context.set_mode(SSL.MODE_RELEASE_BUFFERS)
        trust_roots.add_to(context)
        context.set_verify(SSL.VERIFY_PEER, self._verify)

    def clientConnectionForTLS(self, tlsProtocol: TLSMemoryBIOProtocol) -> SSL.Connection:
        """Make one connection. Source: IOpenSSLClientConnectionCreator."""
        connection = SSL.Connection(self._context, None)
        if self._server_name is not None:
            connection.set_tlsext_host_name(self._server_name)
        connection.set_connect_state()
        if self._sessions is not None:
            self._sessions.offer(connection)
        return connection

    def _verify(self, connection: SSL.Connection, certificate: crypto.X509, error: int, depth: int, good: int) -> bool:
        """Judge one certificate of the chain, from the root down; what is raised ends the handshake."""
        if not self._verify_chain:
            return True
        if not good:
            reason = _CHAIN_FAULTS.get(error, f"verification error {error}")
            raise CertificateRefused(_issuer(certificate), reason)
        if depth == 0 and self._verify_hostname:
            self._verify_name(certificate)
            if self._sessions is not None:
                self._sessions.proven(connection)
        return True

    def _verify_name(self, certificate: crypto.X509) -> None:
        try:
            patterns = extract_patterns(certificate.to_cryptography())
            verify_service_identity(patterns, [self._identity], [])
        except Exception:  # noqa: BLE001 - whatever goes wrong here means that the name is not proven
            reason = f"it is {_names(certificate)}, not for {self._host}"
            raise CertificateRefused(_issuer(certificate), reason) from None


# The numbers of OpenSSL's X509_V_ERR_… that an administrator meets.
_CHAIN_FAULTS = {
    2: "the certificate of its issuer is not known",
    9: "it is not valid yet",
    10: "it has expired",
    18: "it is self-signed and not trusted",
    19: "it ends in a self-signed certificate that is not trusted",
    20: "the certificate of its issuer is not known",
    21: "it stands alone, without its chain",
    23: "it is revoked",
    26: "it is not made for a server",
    66: "its key is too short",
    67: "the key of its issuer is too short",
    68: "its signature is too weak",
    79: "its issuer is no certification authority",
}


def _identity_of(host: str) -> tuple[DNS_ID | IPAddress_ID, bytes | None]:
    """Give what the certificate must be for, and the name for Server Name Indication (None for an address)."""
    try:
        return IPAddress_ID(ipaddress.ip_address(host)), None
    except ValueError:
        identity = DNS_ID(host)
        return identity, identity.hostname


def _issuer(certificate: crypto.X509) -> str:
    """Spell who signed a certificate; the peer chose the text, so it is bounded and cannot forge lines."""
    try:
        text = certificate.to_cryptography().issuer.rfc4514_string()
    except ValueError:
        text = ""
    return _printable(text) or "not readable"


def _names(certificate: crypto.X509) -> str:
    """Spell for which hosts a certificate is."""
    try:
        extension = certificate.to_cryptography().extensions.get_extension_for_class(x509.SubjectAlternativeName)
        named = extension.value
        found = [*named.get_values_for_type(x509.DNSName), *map(str, named.get_values_for_type(x509.IPAddress))]
    except (x509.ExtensionNotFound, ValueError):
        found = []
    return f"for {_printable(', '.join(found))}" if found else "for no host (no name in subjectAltName)"


def _printable(text: str) -> str:
    return "".join(mark for mark in text[:MAX_ISSUER_CHARACTERS] if mark.isprintable())


def last_openssl_reason(fault: SSL.Error) -> str:
    """Give the last reason of OpenSSL's error queue, which is the nearest to the connection; else the kind of fault."""
    queue = fault.args[0] if fault.args else None
    if isinstance(queue, list) and queue and len(queue[-1]) == 3:
        return str(queue[-1][2])
    return type(fault).__name__
