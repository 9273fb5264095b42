"""Two handshakes in a row with the session of the first: is it taken back? The client is Python's own `ssl`."""

from __future__ import annotations

import contextlib
import ssl

from duoproxy.eap.tls_engine import TlsConnection, TlsServerContext

VERSIONS = {"TLSv1.2": ssl.TLSVersion.TLSv1_2, "TLSv1.3": ssl.TLSVersion.TLSv1_3}


def resumed(server: TlsServerContext, version: str) -> bool:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.minimum_version = context.maximum_version = VERSIONS[version]
    first = _handshake(context, server.connect(), None)
    again = _handshake(context, server.connect(), first.session)
    return bool(again.session_reused)


def _handshake(context: ssl.SSLContext, server: TlsConnection, session: ssl.SSLSession | None) -> ssl.SSLObject:
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context.wrap_bio(incoming, outgoing, session=session)
    for _ in range(4):
        with contextlib.suppress(ssl.SSLWantReadError):
            client.do_handshake()
        if octets := outgoing.read():
            server.feed(octets)
        incoming.write(server.drain())
    server.write(b"hello")
    incoming.write(server.drain())
    assert client.read(5) == b"hello"
    return client
