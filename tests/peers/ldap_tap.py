"""A hop in front of an LDAP server that writes down every octet of each connection, in the clear.

It takes TLS off, LDAPS and StartTLS alike, and puts it on again towards the server, so that two of them, one on each
side of a proxy, show what the proxy changed.
"""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from duoproxy.ldap.framing import MessageFramer, peek_message
from duoproxy.ldap.messages import START_TLS, Request, Response, read_bind
from tests.peers.authority import KeyPair
from tests.peers.ports import LOOPBACK, free_port
from tests.peers.server import wait_until

CHUNK = 65_536
POLL_S = 0.05
HANDSHAKE_S = 10.0
LONGEST = 1 << 28
END_S = 10.0


@dataclass
class Recorded:
    """One connection, as far as it has come.

    Attributes:
        requests: octets of the client, TLS taken off.
        replies: octets of the server, TLS taken off.
        over_tls: whether TLS came about.
        ended: whether it is over.
    """

    requests: bytearray = field(default_factory=bytearray)
    replies: bytearray = field(default_factory=bytearray)
    over_tls: bool = False
    ended: bool = False

    def asked(self) -> list[bytes]:
        """The messages of the client."""
        return MessageFramer(LONGEST).feed(bytes(self.requests))

    def answered(self) -> list[bytes]:
        """The messages of the server."""
        return MessageFramer(LONGEST).feed(bytes(self.replies))

    def asked_after_bind(self) -> list[bytes]:
        """The messages of the client behind its (first) bind, but for its goodbye."""
        return [one for one in _behind(self.asked(), Request.BIND) if tag_of(one) != Request.UNBIND]

    def answered_from_bind(self) -> list[bytes]:
        """The messages of the server from its answer to the (first) bind on: what is before is about TLS."""
        return self.answered()[1:] if START_TLS in self.requests else self.answered()

    def answered_after_bind(self) -> list[bytes]:
        """The messages of the server behind its answer to the (first) bind."""
        return _behind(self.answered(), Response.BIND)

    def bind_name(self) -> bytes:
        """Who binds first; empty when nobody does."""
        binds = [(one, peek_message(one)) for one in self.asked() if tag_of(one) == Request.BIND]
        return read_bind(*binds[0]).name if binds else b""


def tag_of(octets: bytes) -> int:
    """Which operation a message is."""
    return peek_message(octets).operation_tag


def _behind(messages: list[bytes], tag: int) -> list[bytes]:
    found = [number for number, one in enumerate(messages) if tag_of(one) == tag]
    return messages[found[0] + 1 :] if found else []


@dataclass
class LdapTap:
    """A running hop.

    Attributes:
        server: address and port of the server behind it.
        pair: what it shows where TLS is spoken; for 127.0.0.1.
        ca_file: who signed that.
        over_tls: whether connections are TLS from their first octet on (LDAPS), on both sides.
        connections: in the order in which they came.
    """

    server: tuple[str, int]
    pair: KeyPair
    ca_file: Path
    over_tls: bool = False
    port: int = field(default_factory=free_port)
    connections: list[Recorded] = field(default_factory=list)
    _ended: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        """Where it is."""
        return f"{'ldaps' if self.over_tls else 'ldap'}://{LOOPBACK}:{self.port}"

    def since(self, first: int) -> list[Recorded]:
        """Wait until the connections from this one on are over; give them."""
        wait_until(lambda: all(one.ended for one in self.connections[first:]), "the end of connections", END_S)
        return self.connections[first:]

    @contextlib.contextmanager
    def running(self) -> Iterator[LdapTap]:
        """Take connections until the block ends."""
        listener = socket.create_server((LOOPBACK, self.port), backlog=64)
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()
        try:
            yield self
        finally:
            self._ended.set()
            listener.close()

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while not self._ended.is_set():
                client, _ = listener.accept()
                record = Recorded()
                self.connections.append(record)
                threading.Thread(target=self._serve, args=(client, record), daemon=True).start()

    def _serve(self, client: socket.socket, record: Recorded) -> None:
        # Whatever ends a connection here is what a client, a server or a test wanted.
        with contextlib.ExitStack() as sides, contextlib.suppress(OSError, ValueError):
            sides.callback(setattr, record, "ended", True)
            sides.enter_context(client)
            server = sides.enter_context(socket.create_connection(self.server))
            for side in (client, server):
                side.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if not self.over_tls:
                first = self._carry(client, server, record.requests)
                if START_TLS not in first:
                    self._pass(client, server, record)
                    return
                self._carry(server, client, record.replies)
            near, far = self._with_tls(client, server, record)
            sides.enter_context(near)
            sides.enter_context(far)
            self._pass(near, far, record)

    def _with_tls(
        self, client: socket.socket, server: socket.socket, record: Recorded
    ) -> tuple[ssl.SSLSocket, ssl.SSLSocket]:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.pair.certificate, self.pair.key)
        onward = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        onward.check_hostname = False  # who the server is has nothing to do with what is looked at here
        onward.verify_mode = ssl.CERT_NONE
        client.settimeout(HANDSHAKE_S)
        near, far = context.wrap_socket(client, server_side=True), onward.wrap_socket(server)
        near.settimeout(None)
        record.over_tls = True
        return near, far

    def _carry(self, from_side: socket.socket, to_side: socket.socket, kept: bytearray) -> bytes:
        octets = from_side.recv(CHUNK)
        kept += octets
        to_side.sendall(octets)
        return octets

    def _pass(self, client: socket.socket, server: socket.socket, record: Recorded) -> None:
        sides = {client: (server, record.requests), server: (client, record.replies)}
        while not self._ended.is_set():
            buffered = [side for side in sides if isinstance(side, ssl.SSLSocket) and side.pending()]
            for side in buffered or select.select(list(sides), [], [], POLL_S)[0]:
                # What can be read may be of TLS's own, such as a ticket, with no octet behind it.
                side.setblocking(False)
                with contextlib.suppress(ssl.SSLWantReadError):
                    octets = side.recv(CHUNK)
                    if not octets:
                        return
                    other, kept = sides[side]
                    kept += octets
                    other.setblocking(True)
                    other.sendall(octets)
