"""TLS as a server on TCP: one context for all connections of a listener.

How the context is set up is the business of `duoproxy.tls_server`.

Source: RFC 8446; RFC 9325 §3.1, §3.4.
"""

from __future__ import annotations

from OpenSSL import SSL
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator
from twisted.protocols.tls import TLSMemoryBIOProtocol
from zope.interface import implementer

from duoproxy.tls_server import TlsServerSettings, server_context


@implementer(IOpenSSLServerConnectionCreator)
class ServerTls:
    """Makes the server side of TLS connections, all from one context."""

    def __init__(self, settings: TlsServerSettings) -> None:
        """Load certificate and key.

        Raises:
            TlsContextError: OpenSSL refuses one of the settings.
            ValueError: the chain is empty.
        """
        self._context = server_context(settings)

    def serverConnectionForTLS(self, protocol: TLSMemoryBIOProtocol) -> SSL.Connection:
        """Make one connection. Source: IOpenSSLServerConnectionCreator."""
        connection = SSL.Connection(self._context, None)
        connection.set_accept_state()
        return connection
