"""TLS as a server: the one context of a section, whatever carries its octets, EAP or TCP.

TLS 1.2 at least, nothing resumed, no renegotiation, no compression; a connection that waits for its peer keeps no
buffers. It must not know what is spoken inside.

Source: RFC 8446; RFC 9325 §3.1, §3.4; RFC 9190 §2; RFC 9427 §6.1.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

from attrs import field, frozen
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from OpenSSL import SSL

from duoproxy.errors import DuoproxyError

TLS_1_2 = SSL.TLS1_2_VERSION
TLS_1_3 = SSL.TLS1_3_VERSION

_EVERY_CIPHER = b"ALL:COMPLEMENTOFALL:@SECLEVEL=0"
_TRIAL_TURNS = 4
_TRIAL_BYTES = 1 << 20

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


class TlsContextError(DuoproxyError):
    """OpenSSL refuses the certificate, the key or the ciphers; `str()` is its reason."""


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


def server_context(settings: TlsServerSettings) -> SSL.Context:
    """Load certificate and key into a context.

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
        raise TlsContextError(openssl_reason(error)) from None
    return context


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


def handshake_fault(context: SSL.Context, version: int) -> str:
    """Try a handshake in memory with a client that has every cipher and checks nothing.

    OpenSSL looks at some things at the first handshake only: whether clients know the curve of the key, whether a
    cipher goes with it, how strong the keys of the issuers are.

    Args:
        context: of `server_context`.
        version: of TLS, the only one that the client speaks.

    Returns:
        why it failed, as OpenSSL spells it; empty: it did not.
    """
    client, server = _client(version), SSL.Connection(context, None)
    server.set_accept_state()
    done: set[SSL.Connection] = set()
    for _ in range(_TRIAL_TURNS):
        for side, other in ((client, server), (server, client)):
            try:
                side.do_handshake()
                done.add(side)
            except SSL.WantReadError:
                pass
            except SSL.Error as error:
                return openssl_reason(error)
            _carry(side, other)
        if len(done) == 2:
            return ""
    return "it came to no end"


def _client(version: int) -> SSL.Connection:
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.set_min_proto_version(version)
    context.set_max_proto_version(version)
    context.set_cipher_list(_EVERY_CIPHER)
    client = SSL.Connection(context, None)
    client.set_connect_state()
    return client


def _carry(sender: SSL.Connection, receiver: SSL.Connection) -> None:
    with contextlib.suppress(SSL.WantReadError):
        receiver.bio_write(sender.bio_read(_TRIAL_BYTES))


def openssl_reason(error: SSL.Error) -> str:
    """Spell the reasons of OpenSSL's queue: its own words, never the peer's."""
    queue = error.args[0] if error.args else ()
    if not isinstance(queue, list | tuple):
        return str(queue)
    return ", ".join(str(entry[-1]) for entry in queue if entry) or "TLS failed without a reason"
