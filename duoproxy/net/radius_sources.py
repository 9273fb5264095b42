"""The sockets that ask RADIUS servers: source ports, Identifiers, and whose question a datagram answers.

A reply belongs to a question only when its source address and port, our port and its Identifier are those of the
question; whether it is authentic is judged elsewhere. Source: RFC 2865 §2.5, §3; RFC 5080 §2.2.2.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

from duoproxy.net.packet_info import RefusedDatagram
from duoproxy.net.udp import DatagramTransport, Endpoint, open_udp
from duoproxy.radius.packet import HEADER_BYTES, MIN_PACKET_BYTES
from duoproxy.radius.retransmission import IDENTIFIERS_PER_PORT, IdentifierPool, SourceIdentifier

_Key = tuple[int, int, Endpoint, int]


class Question(Protocol):
    """A request that waits for its reply."""

    @property
    def endpoint(self) -> Endpoint:
        """The server that it is sent to."""

    @property
    def octets(self) -> bytes:
        """The request."""

    def reply_received(self, datagram: bytes) -> None:
        """Take a datagram that may be the reply."""

    def refused(self) -> None:
        """Take the news that nothing listens at `endpoint`."""


class SourcePorts:
    """At most `MAX_SOURCE_PORTS` sockets for IPv4 and as many for IPv6, opened when 256 questions fill the others."""

    def __init__(
        self,
        reactor: Any,
        unexpected: Callable[[Endpoint], None],
        open_socket: Callable[[int], DatagramTransport] = open_udp,
    ) -> None:
        """Prepare; nothing is opened yet.

        Args:
            reactor: `IReactorFDSet`.
            unexpected: told of the source of each datagram that answers no question.
            open_socket: makes a socket of an address family.
        """
        self._reactor = reactor
        self._unexpected = unexpected
        self._open_socket = open_socket
        self._pools: dict[int, IdentifierPool] = {}
        self._sockets: dict[tuple[int, int], DatagramTransport] = {}
        self._questions: dict[_Key, Question] = {}

    def take(self, endpoint: Endpoint) -> SourceIdentifier | None:
        """Take an Identifier for a question to `endpoint`, None when all of all ports are taken.

        Raises:
            OSError: a further socket is needed and cannot be had.
        """
        family = _family(endpoint)
        pool = self._pools.setdefault(family, IdentifierPool())
        taken = pool.take()
        if taken is not None and (family, taken.port_index) not in self._sockets:
            try:
                self._open(family, taken.port_index)
            except OSError:
                pool.release(taken)
                raise
        return taken

    def send(self, taken: SourceIdentifier, question: Question) -> bool:
        """Send `question`, for the first time or again, and give what answers it to it until `release`."""
        family = _family(question.endpoint)
        self._questions[family, taken.port_index, question.endpoint, taken.identifier] = question
        transport = self._sockets.get((family, taken.port_index))
        return transport is not None and transport.send(question.octets, question.endpoint)

    def release(self, taken: SourceIdentifier, endpoint: Endpoint) -> None:
        """Give an Identifier back; what comes for it from now on is unexpected."""
        family = _family(endpoint)
        self._questions.pop((family, taken.port_index, endpoint, taken.identifier), None)
        self._pools[family].release(taken)

    def close(self) -> None:
        """Close every socket; questions that wait get nothing any more."""
        for transport in self._sockets.values():
            transport.close()
        self._sockets.clear()
        self._questions.clear()

    def _open(self, family: int, port_index: int) -> None:
        transport = self._open_socket(family)
        self._sockets[family, port_index] = transport
        transport.start_reading(
            self._reactor, partial(self._received, family, port_index), partial(self._refused, family, port_index)
        )

    def _received(self, family: int, port_index: int, datagram: bytes, source: Endpoint, local_host: str) -> None:
        question = None
        if len(datagram) >= MIN_PACKET_BYTES:
            question = self._questions.get((family, port_index, source, datagram[1]))
        if question is None:
            self._unexpected(source)
        else:
            question.reply_received(datagram)

    def _refused(self, family: int, port_index: int, refused: RefusedDatagram) -> None:
        """Tell the questions that an ICMP message is about.

        It quotes our datagram, Request Authenticator included, so that it cannot be forged by whoever does not see it;
        routers that quote less are believed too, for the ports alone are hard to guess and failing over harms nobody.
        """
        quoted = refused.quoted[:HEADER_BYTES]
        for identifier in range(IDENTIFIERS_PER_PORT):
            question = self._questions.get((family, port_index, refused.destination, identifier))
            if question is not None and question.octets.startswith(quoted):
                question.refused()


def _family(endpoint: Endpoint) -> int:
    return socket.AF_INET6 if ":" in endpoint[0] else socket.AF_INET
