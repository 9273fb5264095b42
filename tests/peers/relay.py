"""A hop in front of a RADIUS server that meddles: what it sends to the proxy comes from the server's own address.

Nobody can forge a source address on loopback, so whoever is to do it has to stand in the way.
"""

from __future__ import annotations

import contextlib
import select
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from tests.peers.ports import LOOPBACK

MAX_DATAGRAM = 4096


@dataclass(frozen=True)
class Passing:
    """A request that was relayed, with its answer.

    Attributes:
        request: octets.
        reply: octets of the real answer.
        earlier: the answers of earlier requests.
    """

    request: bytes
    reply: bytes
    earlier: tuple[bytes, ...] = ()


Meddle = Callable[[Passing], Iterable[bytes]]


@dataclass
class Relay:
    """A running hop.

    Attributes:
        port: where the proxy sends to.
        meddle: makes of each answer the datagrams that the proxy gets, in order; `honest` until a test sets another.
        passed: what went through.
        stranger: when set, every datagram is sent from a port of its own first: a foreign source.
    """

    port: int
    meddle: Meddle = field(default=lambda passing: [passing.reply])
    passed: list[Passing] = field(default_factory=list)
    stranger: Meddle = field(default=lambda passing: [])


@contextlib.contextmanager
def relay(port: int, server_port: int) -> Iterator[Relay]:
    """Run a hop on 127.0.0.1:`port` in front of the server on `server_port`."""
    running = Relay(port)
    wake, woken = socket.socketpair()
    with (
        wake,
        woken,
        socket.socket(type=socket.SOCK_DGRAM) as inner,
        socket.socket(type=socket.SOCK_DGRAM) as outer,
        socket.socket(type=socket.SOCK_DGRAM) as foreign,
    ):
        inner.bind((LOOPBACK, port))
        outer.connect((LOOPBACK, server_port))
        foreign.bind((LOOPBACK, 0))
        thread = threading.Thread(target=_run, args=(running, inner, outer, foreign, woken), daemon=True)
        thread.start()
        try:
            yield running
        finally:
            wake.send(b"x")
            thread.join(10)


def _run(
    running: Relay, inner: socket.socket, outer: socket.socket, foreign: socket.socket, woken: socket.socket
) -> None:
    asked: dict[int, tuple[bytes, tuple[str, int]]] = {}
    while True:
        ready, _, _ = select.select([inner, outer, woken], [], [])
        if woken in ready:
            return
        if inner in ready:
            request, source = inner.recvfrom(MAX_DATAGRAM)
            asked[request[1]] = (request, source)
            outer.send(request)
        if outer in ready:
            with contextlib.suppress(ConnectionRefusedError):
                reply = outer.recv(MAX_DATAGRAM)
                request, source = asked[reply[1]]
                passing = Passing(request, reply, tuple(one.reply for one in running.passed))
                for datagram in running.stranger(passing):
                    foreign.sendto(datagram, source)
                for datagram in running.meddle(passing):
                    inner.sendto(datagram, source)
                running.passed.append(passing)
