"""TLS as a server on TCP: one context for all connections of a listener.

TLS 1.2 at least, nothing resumed, no renegotiation; a connection that waits for its client keeps no buffers.

Source: RFC 8446; RFC 9325 §3.1, §3.4.
"""

from __future__ import annotations

from OpenSSL import SSL
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator
from twisted.protocols.tls import TLSMemoryBIOProtocol
from zope.interface import implementer

from duoproxy.errors import DuoproxyError
from duoproxy.net.server_certificates import ServerCertificate

TLS_1_2 = SSL.TLS1_2_VERSION
TLS_1_3 = SSL.TLS1_3_VERSION


class CiphersRefused(DuoproxyError):
    """OpenSSL refuses the list of ciphers; `str()` is its reason."""


@implementer(IOpenSSLServerConnectionCreator)
class ServerTls:
    """Makes the server side of TLS connections, all from one context."""

    def __init__(self, certificate: ServerCertificate, minimum_version: int = TLS_1_2, cipher_list: str = "") -> None:
        """Prepare the context.

        Args:
            certificate: what clients are shown, fit for handshakes.
            minimum_version: `TLS_1_2` or `TLS_1_3`.
            cipher_list: for TLS 1.2, as OpenSSL spells it; empty: OpenSSL's own.

        Raises:
            CiphersRefused: OpenSSL knows none of them.
        """
        self._context = context = SSL.Context(SSL.TLS_SERVER_METHOD)
        context.set_min_proto_version(minimum_version)
        context.set_options(
            SSL.OP_NO_TICKET | SSL.OP_NO_RENEGOTIATION | SSL.OP_NO_COMPRESSION | SSL.OP_CIPHER_SERVER_PREFERENCE
        )
        context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
        context.set_mode(SSL.MODE_RELEASE_BUFFERS)
        if cipher_list:
            try:
                context.set_cipher_list(cipher_list.encode("utf-8"))
            except SSL.Error:
                raise CiphersRefused("OpenSSL knows none of these ciphers") from None
        context.use_certificate(certificate.chain[0])
        for issuer in certificate.chain[1:]:
            context.add_extra_chain_cert(issuer)
        context.use_privatekey(certificate.key)

    def serverConnectionForTLS(self, protocol: TLSMemoryBIOProtocol) -> SSL.Connection:
        """Make one connection. Source: IOpenSSLServerConnectionCreator."""
        connection = SSL.Connection(self._context, None)
        connection.set_accept_state()
        return connection
