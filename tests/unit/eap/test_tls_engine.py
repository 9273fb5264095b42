"""TLS between octets."""

from __future__ import annotations

import contextlib

import pytest
from OpenSSL import SSL

from duoproxy.eap.tls_engine import (
    MAX_PLAINTEXT_BYTES,
    TlsConnection,
    TlsFault,
    TlsServerContext,
)
from duoproxy.tls_server import TLS_1_3, TlsServerSettings
from tests.unit.eap.certificates import certificate, key, tls_context
from tests.unit.eap.peap_peer import TLS_1_2


def client(version: int = TLS_1_2) -> SSL.Connection:
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.set_max_proto_version(version)
    connection = SSL.Connection(context, None)
    connection.set_connect_state()
    return connection


def flight(peer: SSL.Connection, octets: bytes = b"") -> bytes:
    if octets:
        peer.bio_write(octets)
    with contextlib.suppress(SSL.WantReadError):
        peer.do_handshake()
    try:
        return peer.bio_read(1 << 16)
    except SSL.WantReadError:
        return b""


def connected(version: int = TLS_1_2) -> tuple[TlsConnection, SSL.Connection]:
    server, peer = tls_context().connect(), client(version)
    octets = flight(peer)
    while octets:
        assert server.feed(octets) == b""
        octets = flight(peer, server.drain())
    assert server.established
    return server, peer


@pytest.mark.parametrize(("version", "name"), [(TLS_1_2, "TLSv1.2"), (TLS_1_3, "TLSv1.3")])
def test_text_goes_through(version: int, name: str):
    """After the handshake plaintext goes both ways, and both sides export the same keys."""
    server, peer = connected(version)
    peer.send(b"hello")
    assert server.feed(peer.bio_read(1 << 16)) == b"hello"
    server.write(b"world")
    peer.bio_write(server.drain())
    assert peer.recv(100) == b"world"
    assert server.version == name
    assert server.is_tls_1_3 == (version == TLS_1_3)
    assert server.export(b"label", 40, None) == peer.export_keying_material(b"label", 40, None)
    assert server.randoms == (peer.client_random() or b"") + (peer.server_random() or b"")


def test_half_a_record_says_nothing_yet():
    """What is not whole is kept by OpenSSL."""
    server, peer = connected()
    peer.send(b"hello")
    octets = peer.bio_read(1 << 16)
    assert server.feed(octets[:7]) == b""
    assert server.feed(octets[7:]) == b"hello"


def test_closing_ends_it():
    """close_notify inside an EAP conversation is its end."""
    server, peer = connected()
    peer.shutdown()
    with pytest.raises(TlsFault, match="closed"):
        server.feed(peer.bio_read(1 << 16))


@pytest.mark.parametrize("octets", [b"GET / HTTP/1.1\r\n\r\n", bytes(100), b"\x16\x03\x01\x00\x04\x01\x00\x00\x00"])
def test_what_is_no_tls_is_a_fault(octets: bytes):
    """Anything else than TLS ends the connection, with an alert if there is one."""
    server = tls_context().connect()
    with pytest.raises(TlsFault) as caught:
        server.feed(octets)
    assert caught.value.alert[:1] in (b"", b"\x15")
    assert not server.established


def test_changed_record_is_a_fault_with_an_alert():
    """A record whose MAC does not fit: bad_record_mac."""
    server, peer = connected()
    peer.send(b"hello")
    octets = bytearray(peer.bio_read(1 << 16))
    octets[-1] ^= 1
    with pytest.raises(TlsFault, match="bad record") as caught:
        server.feed(bytes(octets))
    assert caught.value.alert[0] == 0x15


def test_plaintext_is_bounded():
    """No more than the limit is decrypted from one message."""
    server, peer = connected()
    octets = b""
    for _ in range(MAX_PLAINTEXT_BYTES // 10_000 + 1):
        peer.send(bytes(10_000))
        octets += peer.bio_read(1 << 16)
    with pytest.raises(TlsFault, match="over 16384"):
        server.feed(octets)


def test_older_versions_are_refused():
    """The lowest version is the one that was set."""
    only_1_3 = TlsServerContext(TlsServerSettings([certificate("ec")], key("ec"), TLS_1_3)).connect()
    with pytest.raises(TlsFault, match="unsupported protocol") as caught:
        only_1_3.feed(flight(client(TLS_1_2)))
    assert caught.value.alert == bytes.fromhex("15030300020246")


def test_renegotiation_is_refused():
    """A peer cannot begin anew inside the tunnel: it is told so, and nothing comes out of it."""
    server, peer = connected(TLS_1_2)
    peer.renegotiate()
    assert server.feed(flight(peer)) == b""
    with pytest.raises(SSL.Error, match="no renegotiation"):
        flight(peer, server.drain())


def test_cipher_list():
    """`cipher_list` decides what TLS 1.2 agrees on."""
    chosen = TlsServerSettings([certificate("ec")], key("ec"), cipher_list="ECDHE-ECDSA-CHACHA20-POLY1305")
    server, peer = TlsServerContext(chosen).connect(), client()
    octets = flight(peer)
    while octets:
        server.feed(octets)
        octets = flight(peer, server.drain())
    assert peer.get_cipher_name() == "ECDHE-ECDSA-CHACHA20-POLY1305"


def test_connections_share_one_context_that_releases_its_buffers():
    """A conversation that waits holds no buffers of OpenSSL, and neither certificate nor key of its own."""
    context = TlsServerContext(TlsServerSettings([certificate("ec")], key("ec")))
    assert context._context.set_mode(0) & SSL.MODE_RELEASE_BUFFERS
    assert {context.connect()._connection.get_context() for _ in range(2)} == {context._context}
