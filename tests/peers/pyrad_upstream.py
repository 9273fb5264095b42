"""A RADIUS server made of pyrad: checks passwords for the proxy, and keeps every datagram for others to judge."""

from __future__ import annotations

import contextlib
import select
import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pyrad import packet as pyrad

from tests.peers.capture import Datagram, Endpoint
from tests.peers.ports import LOOPBACK

MAX_DATAGRAM = 4096


@dataclass
class PyradUpstream:
    """The running server.

    Attributes:
        endpoint: where it listens.
        secret: shared with the proxy.
        dictionary: of pyrad.
        passwords: who may log in.
        reply: attributes of every Access-Accept, by name.
        requests: as pyrad decoded them, with the password that it revealed.
        datagrams: all that went in and out.
        faults: what pyrad did not like.
    """

    endpoint: Endpoint
    secret: bytes
    dictionary: Any
    passwords: Mapping[str, str]
    reply: Sequence[tuple[str, object]]
    requests: list[tuple[Any, str]] = field(default_factory=list)
    datagrams: list[Datagram] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def answer(self, octets: bytes, source: Endpoint) -> bytes | None:
        """Check a request as pyrad can, and answer it."""
        self.datagrams.append(Datagram(source, self.endpoint, octets))
        if octets[0] == pyrad.StatusServer:
            return None  # many servers do not know it
        try:
            request = pyrad.AuthPacket(packet=octets, secret=self.secret, dict=self.dictionary)
            assert request.message_authenticator, "no Message-Authenticator"
            assert request.verify_message_authenticator(), "a Message-Authenticator that does not fit"
            password = request.PwDecrypt(request["User-Password"][0])
        except Exception as fault:  # noqa: BLE001 - a thread: the test looks at the faults
            self.faults.append(repr(fault))
            return None
        self.requests.append((request, password))
        reply = self._reply(request, password)
        self.datagrams.append(Datagram(self.endpoint, source, reply))
        return reply

    def _reply(self, request: Any, password: str) -> bytes:
        reply = request.CreateReply()
        reply.code = pyrad.AccessReject
        if self.passwords.get(request["User-Name"][0]) == password:
            reply.code = pyrad.AccessAccept
            for name, value in self.reply:
                reply.AddAttribute(name, value)
        reply.add_message_authenticator()
        octets: bytes = reply.ReplyPacket()
        return octets


@contextlib.contextmanager
def running_pyrad(
    port: int, secret: bytes, dictionary: Any, passwords: Mapping[str, str], reply: Sequence[tuple[str, object]]
) -> Iterator[PyradUpstream]:
    """Run it on 127.0.0.1:`port`."""
    server = PyradUpstream((LOOPBACK, port), secret, dictionary, passwords, reply)
    wake, woken = socket.socketpair()
    with wake, woken, socket.socket(type=socket.SOCK_DGRAM) as sock:
        sock.bind(server.endpoint)
        thread = threading.Thread(target=_serve, args=(server, sock, woken), daemon=True)
        thread.start()
        try:
            yield server
        finally:
            wake.send(b"x")
            thread.join(10)


def _serve(server: PyradUpstream, sock: socket.socket, woken: socket.socket) -> None:
    while True:
        ready, _, _ = select.select([sock, woken], [], [])
        if woken in ready:
            return
        octets, source = sock.recvfrom(MAX_DATAGRAM)
        reply = server.answer(octets, source)
        if reply is not None:
            sock.sendto(reply, source)
