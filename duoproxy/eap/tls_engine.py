"""TLS as an EAP server, between octets: one context for all conversations, one connection for each.

Owns every call of OpenSSL in this room; how the context is set up is the business of `duoproxy.tls_server`. Nothing is
resumed: no session is kept, since what resumption skips is the inner method, and with it both factors. (With TLS 1.3
OpenSSL sends tickets all the same; the sessions that they name are kept nowhere.) Renegotiation is refused.

Source: RFC 5216 §2, RFC 9190 §2, RFC 9427 §2.1, §6.1.
"""

from __future__ import annotations

from OpenSSL import SSL

from duoproxy.errors import DuoproxyError
from duoproxy.tls_server import TLS_1_3, TlsServerSettings, openssl_reason, server_context

MAX_PLAINTEXT_BYTES = 16 * 1024
READ_BYTES = 16 * 1024


class TlsFault(DuoproxyError):
    """The connection is over; `str()` is the reason, as OpenSSL spells it.

    Attributes:
        alert: what the peer is to be sent before the end; empty when there is nothing.
    """

    def __init__(self, reason: str, alert: bytes = b"") -> None:
        super().__init__(reason)
        self.alert = alert


class TlsServerContext:
    """What all connections share; made once."""

    def __init__(self, settings: TlsServerSettings) -> None:
        """Load certificate and key.

        Raises:
            TlsContextError: OpenSSL refuses one of the settings.
            ValueError: the chain is empty.
        """
        self._context = server_context(settings)

    def connect(self) -> TlsConnection:
        """Begin a connection."""
        return TlsConnection(SSL.Connection(self._context, None))


class TlsConnection:
    """One connection: ciphertext of the peer in, ciphertext for the peer out."""

    __slots__ = (
        "_connection",
        "established",
    )

    def __init__(self, connection: SSL.Connection) -> None:
        self._connection = connection
        self._connection.set_accept_state()
        self.established = False

    @property
    def version(self) -> str:
        """The version that was agreed on, as `TLSv1.3`."""
        return self._connection.get_protocol_version_name()

    @property
    def is_tls_1_3(self) -> bool:
        """Whether it is TLS 1.3 (or newer)."""
        return self._connection.get_protocol_version() >= TLS_1_3

    def feed(self, ciphertext: bytes) -> bytes:
        """Take a whole message of the peer, and give the plaintext that came with it.

        Raises:
            TlsFault: the peer ended the connection, broke the rules, or sent over `MAX_PLAINTEXT_BYTES`.
        """
        try:
            self._connection.bio_write(ciphertext)
            if not self.established:
                self._connection.do_handshake()
                self.established = True
            return self._read()
        except SSL.WantReadError:
            return b""
        except SSL.ZeroReturnError:
            raise TlsFault("the peer closed the TLS tunnel") from None
        except SSL.Error as error:
            raise TlsFault(openssl_reason(error), self.drain()) from None

    def _read(self) -> bytes:
        parts: list[bytes] = []
        left = MAX_PLAINTEXT_BYTES
        while left > 0:
            try:
                parts.append(self._connection.recv(READ_BYTES))
            except SSL.WantReadError:
                return b"".join(parts)
            left -= len(parts[-1])
        raise TlsFault(f"over {MAX_PLAINTEXT_BYTES} octets in the TLS tunnel")

    def write(self, plaintext: bytes) -> None:
        """Encrypt; `drain` gives out the ciphertext.

        Raises:
            TlsFault: the connection cannot carry it any more.
        """
        try:
            self._connection.sendall(plaintext)
        except SSL.Error as error:
            raise TlsFault(openssl_reason(error), self.drain()) from None

    def drain(self) -> bytes:
        """Give everything that is to be sent now."""
        drained = b""
        try:
            while len(part := self._connection.bio_read(READ_BYTES)) == READ_BYTES:
                drained += part
            return drained + part  # less than was asked for: there is no more
        except SSL.WantReadError:
            return drained

    def export(self, label: bytes, length: int, context: bytes | None) -> bytes:
        """Derive keying material. No context and an empty one are different things in TLS 1.2.

        Raises:
            TlsFault: OpenSSL refuses.

        Source: RFC 5705 §4.
        """
        try:
            return self._connection.export_keying_material(label, length, context)
        except SSL.Error as error:
            raise TlsFault(openssl_reason(error)) from None

    @property
    def randoms(self) -> bytes:
        """What both sides put into their hellos: of the client, then of the server; 64 octets."""
        client, server = self._connection.client_random(), self._connection.server_random()
        return (client or b"") + (server or b"")
