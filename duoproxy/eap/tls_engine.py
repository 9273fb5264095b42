"""TLS as an EAP server, between octets: one context for all conversations, one connection for each.

Owns every call of OpenSSL in this room. Nothing is resumed: no session is kept, since what resumption skips is the
inner method, and with it both factors. (With TLS 1.3 OpenSSL sends tickets all the same; the sessions that they name
are kept nowhere.) Renegotiation is refused.

Source: RFC 5216 §2, RFC 9190 §2, RFC 9427 §2.1, §6.1.
"""

from __future__ import annotations

from collections.abc import Sequence

from attrs import field, frozen
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from OpenSSL import SSL

from duoproxy.errors import DuoproxyError

TLS_1_2 = SSL.TLS1_2_VERSION
TLS_1_3 = SSL.TLS1_3_VERSION
MAX_PLAINTEXT_BYTES = 16 * 1024
READ_BYTES = 16 * 1024

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


class TlsContextError(DuoproxyError):
    """OpenSSL refuses the certificate, the key or the ciphers; `str()` is its reason."""


class TlsFault(DuoproxyError):
    """The connection is over; `str()` is the reason, as OpenSSL spells it.

    Attributes:
        alert: what the peer is to be sent before the end; empty when there is nothing.
    """

    def __init__(self, reason: str, alert: bytes = b"") -> None:
        super().__init__(reason)
        self.alert = alert


@frozen
class TlsServerSettings:
    """What an administrator decides about TLS.

    Attributes:
        chain: the server's certificate first, then those of its issuers.
        key: the private key of the first.
        minimum_version: `TLS_1_2` or `TLS_1_3`.
        cipher_list: for TLS 1.2, as OpenSSL spells it; empty: OpenSSL's own.
    """

    chain: Sequence[x509.Certificate]
    key: PrivateKey = field(repr=False)
    minimum_version: int = TLS_1_2
    cipher_list: str = ""


class TlsServerContext:
    """What all connections share; made once."""

    def __init__(self, settings: TlsServerSettings) -> None:
        """Load certificate and key.

        Raises:
            TlsContextError: OpenSSL refuses one of the settings.
            ValueError: the chain is empty.
        """
        if not settings.chain:
            raise ValueError("a TLS server needs a certificate")
        context = SSL.Context(SSL.TLS_SERVER_METHOD)
        try:
            _configure(context, settings)
        except SSL.Error as error:
            raise TlsContextError(_reason(error)) from None
        self._context = context

    def connect(self) -> TlsConnection:
        """Begin a connection."""
        return TlsConnection(SSL.Connection(self._context, None))


def _configure(context: SSL.Context, settings: TlsServerSettings) -> None:
    context.set_min_proto_version(settings.minimum_version)
    context.set_options(
        SSL.OP_NO_TICKET | SSL.OP_NO_RENEGOTIATION | SSL.OP_NO_COMPRESSION | SSL.OP_CIPHER_SERVER_PREFERENCE
    )
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    context.set_mode(SSL.MODE_RELEASE_BUFFERS)
    if settings.cipher_list:
        context.set_cipher_list(settings.cipher_list.encode("utf-8"))
    context.use_certificate(settings.chain[0])
    for issuer in settings.chain[1:]:
        context.add_extra_chain_cert(issuer)
    context.use_privatekey(settings.key)
    context.check_privatekey()


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
            raise TlsFault(_reason(error), self.drain()) from None

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
            raise TlsFault(_reason(error), self.drain()) from None

    def drain(self) -> bytes:
        """Give everything that is to be sent now."""
        parts: list[bytes] = []
        while True:
            try:
                parts.append(self._connection.bio_read(READ_BYTES))
            except SSL.WantReadError:
                return b"".join(parts)

    def export(self, label: bytes, length: int, context: bytes | None) -> bytes:
        """Derive keying material. No context and an empty one are different things in TLS 1.2.

        Raises:
            TlsFault: OpenSSL refuses.

        Source: RFC 5705 §4.
        """
        try:
            return self._connection.export_keying_material(label, length, context)
        except SSL.Error as error:
            raise TlsFault(_reason(error)) from None

    @property
    def randoms(self) -> bytes:
        """What both sides put into their hellos: of the client, then of the server; 64 octets."""
        client, server = self._connection.client_random(), self._connection.server_random()
        return (client or b"") + (server or b"")


def _reason(error: SSL.Error) -> str:
    """Spell the reasons of OpenSSL's queue: its own words, never the peer's."""
    queue = error.args[0] if error.args else ()
    if not isinstance(queue, list | tuple):
        return str(queue)
    return ", ".join(str(entry[-1]) for entry in queue if entry) or "TLS failed without a reason"
