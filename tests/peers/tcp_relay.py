"""A hop in front of a directory server that meddles with what it answers, or shows a certificate of its own choice."""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from tests.peers.authority import KeyPair
from tests.peers.ports import LOOPBACK

CHUNK = 65536
POLL_S = 0.1
HANDSHAKE_S = 5.0
START_TLS_DONE = bytes.fromhex("300c02010178070a010004000400")
"""Success, for the first message of a connection. Source: RFC 4511 §4.14."""

Meddle = Callable[[socket.socket, bytes], bool]
"""Makes of what the server sent what the proxy gets; tells whether the connection goes on."""


def honest(client: socket.socket, answer: bytes) -> bool:
    """Pass it on."""
    client.sendall(answer)
    return True


def mute(client: socket.socket, answer: bytes) -> bool:
    """Pass nothing on."""
    return True


def reset_in_message(client: socket.socket, answer: bytes) -> bool:
    """Pass on the beginning of a message, and break the connection off."""
    client.sendall(answer[:5])
    _reset(client)
    return False


def says(octets: bytes) -> Meddle:
    """Say something else instead."""

    def meddle(client: socket.socket, answer: bytes) -> bool:
        client.sendall(octets)
        return True

    return meddle


@dataclass
class TcpRelay:
    """A running hop.

    Attributes:
        addresses: where it listens.
        port: where it listens.
        server_port: of the server on 127.0.0.1.
        meddle: what becomes of answers.
        pair: shows this certificate and takes TLS off; None passes everything on as it comes.
        start_tls: with `pair`: a connection begins with StartTLS.
        accepted: connections so far.
        received: octets so far that the proxy sent, TLS taken off.
    """

    addresses: Sequence[str]
    port: int
    server_port: int
    meddle: Meddle = honest
    pair: KeyPair | None = None
    start_tls: bool = False
    accepted: int = 0
    received: int = 0
    _listeners: list[socket.socket] = field(default_factory=list)
    _clients: list[socket.socket] = field(default_factory=list)
    _ended: threading.Event = field(default_factory=threading.Event)

    def drip(self, client: socket.socket, answer: bytes) -> bool:
        """Pass on one octet a second."""
        for octet in answer:
            client.sendall(bytes([octet]))
            if self._ended.wait(1):
                return False
        return True

    def open(self) -> None:
        """Take connections."""
        self.close()
        for address in self.addresses:
            listener = _bound(address, self.port)
            listener.listen(64)
            self._listeners.append(listener)
            threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def close(self) -> None:
        """Take no connections, and break off those that there are."""
        for listener in self._listeners:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)  # wakes who waits in accept
            listener.close()
        self._listeners.clear()
        self.cut()

    def cut(self) -> None:
        """Break off every connection."""
        for client in self._clients:
            with contextlib.suppress(OSError):
                _reset(client)
                client.shutdown(socket.SHUT_RDWR)
        self._clients.clear()

    def swallow(self) -> None:
        """Answer no attempt to connect, as a firewall that drops packets: the queue of the listener is full."""
        self.close()
        for address in self.addresses:
            listener = _bound(address, self.port)
            listener.listen(0)
            self._listeners.append(listener)
            for _ in range(3):
                filler = socket.socket(listener.family)
                filler.setblocking(False)
                filler.connect_ex((address, self.port))
                self._listeners.append(filler)

    def end(self) -> None:
        """End everything."""
        self._ended.set()
        self.close()

    def _accept(self, listener: socket.socket) -> None:
        while not self._ended.is_set():
            try:
                client, _ = listener.accept()
            except OSError:
                return
            self.accepted += 1
            self._clients.append(client)
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        # Whatever ends a connection here was meant by a test, or by the proxy.
        with contextlib.suppress(OSError, ValueError), client:
            plain = self._without_tls(client)
            with plain, socket.create_connection((LOOPBACK, self.server_port)) as server:
                self._pass(plain, server)

    def _without_tls(self, client: socket.socket) -> socket.socket:
        if self.pair is None:
            return client
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.pair.certificate, self.pair.key)
        client.settimeout(HANDSHAKE_S)
        if self.start_tls:
            client.recv(CHUNK)
            client.sendall(START_TLS_DONE)
        plain = context.wrap_socket(client, server_side=True)
        plain.settimeout(None)
        return plain

    def _pass(self, client: socket.socket, server: socket.socket) -> None:
        while not self._ended.is_set():
            buffered = isinstance(client, ssl.SSLSocket) and client.pending()
            ready, _, _ = select.select([client, server], [], [], 0 if buffered else POLL_S)
            if buffered or client in ready:
                octets = client.recv(CHUNK)
                if not octets:
                    return
                self.received += len(octets)
                server.sendall(octets)
            if server in ready:
                answer = server.recv(CHUNK)
                if not answer or not self.meddle(client, answer):
                    return


@contextlib.contextmanager
def tcp_relay(
    port: int,
    server_port: int,
    addresses: Sequence[str] = (LOOPBACK,),
    *,
    pair: KeyPair | None = None,
    start_tls: bool = False,
) -> Iterator[TcpRelay]:
    """Run a hop in front of the server on `server_port`; the arguments are those of `TcpRelay`."""
    relay = TcpRelay(addresses, port, server_port, pair=pair, start_tls=start_tls)
    relay.open()
    try:
        yield relay
    finally:
        relay.end()


def _bound(address: str, port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((address, port))
    return listener


def _reset(client: socket.socket) -> None:
    """Let the end of a connection be a reset."""
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
