"""Writing at once: in order, whole, and paused like every other write."""

from __future__ import annotations

import socket
from typing import Any

import pytest
from twisted.internet.error import ConnectionLost
from twisted.internet.protocol import Protocol
from twisted.internet.tcp import Connection
from twisted.internet.testing import MemoryReactor, StringTransport

from duoproxy.net.prompt_write import write_promptly

ROOM = 1 << 22


class Producer:
    """Notes what it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def pauseProducing(self) -> None:
        self.told.append("pause")

    def resumeProducing(self) -> None:
        self.told.append("resume")

    def stopProducing(self) -> None:
        self.told.append("stop")


class Wire:
    """A transport of Twisted's on one end of a pair of sockets; the test is the other end, and the reactor."""

    def __init__(self) -> None:
        own, self.far = socket.socketpair()
        self.far.setblocking(False)
        self.reactor: Any = MemoryReactor()
        self.transport: Any = Connection(own, Protocol(), self.reactor)
        self.transport.connected = 1

    @property
    def waits_for_reactor(self) -> bool:
        return self.transport in self.reactor.getWriters()

    def write(self, octets: bytes) -> None:
        write_promptly(self.transport, octets)

    def arrives(self) -> bytes:
        try:
            return self.far.recv(ROOM)
        except BlockingIOError:
            return b""

    def everything(self) -> bytes:
        """Let the reactor write until nothing waits, and the other end read."""
        got = self.arrives()
        while self.waits_for_reactor:
            assert self.transport.doWrite() is None
            got += self.arrives()
        while more := self.arrives():
            got += more
        return got

    def close(self) -> None:
        self.far.close()
        self.transport.socket.close()


@pytest.fixture
def wire() -> Any:
    wire = Wire()
    yield wire
    wire.close()


def test_octets_leave_without_the_reactor(wire: Wire) -> None:
    """A socket with room takes them in the call itself."""
    wire.write(b"one")
    assert wire.arrives() == b"one"
    assert not wire.waits_for_reactor


def test_what_the_socket_does_not_take_follows_in_order(wire: Wire) -> None:
    """The rest is left to the reactor, and what comes later does not overtake it."""
    large = bytes(range(256)) * (ROOM // 256)
    wire.write(large)
    assert wire.waits_for_reactor
    wire.write(b"behind it")
    assert wire.everything() == large + b"behind it"
    wire.write(b"and on")
    assert wire.arrives() == b"and on"


def test_nothing_overtakes_an_ordinary_write(wire: Wire) -> None:
    """What was written the usual way goes first."""
    wire.transport.write(b"first ")
    wire.write(b"second")
    assert wire.arrives() == b""
    assert wire.everything() == b"first second"


def test_a_full_socket_pauses_the_producer(wire: Wire) -> None:
    """Back-pressure is the transport's own."""
    producer = Producer()
    wire.transport.registerProducer(producer, True)
    wire.write(bytes(ROOM))
    assert producer.told == ["pause"]
    assert len(wire.everything()) == ROOM
    assert producer.told == ["pause", "resume"]


def test_a_lost_connection_is_noticed_by_the_reactor(wire: Wire) -> None:
    """Writing to it raises nothing; the reactor hears of it as it always does."""
    wire.far.close()
    wire.write(b"to nobody")
    assert wire.waits_for_reactor
    assert isinstance(wire.transport.doWrite(), ConnectionLost)


def test_a_closing_transport_takes_octets_the_usual_way(wire: Wire) -> None:
    """After loseConnection the transport decides."""
    wire.transport.loseConnection()
    wire.write(b"late")
    assert wire.arrives() == b""


def test_under_tls_the_tls_layer_writes(wire: Wire) -> None:
    """Octets never pass TLS by."""
    written: list[bytes] = []

    class Layer(Protocol):
        def write(self, octets: bytes) -> None:
            written.append(octets)

    wire.transport.TLS = True
    wire.transport.protocol = Layer()
    wire.write(b"secret")
    assert (written, wire.arrives()) == ([b"secret"], b"")


def test_other_transports_are_written_to() -> None:
    """Whatever is no TCP connection takes octets as always; nothing is nothing."""
    transport = StringTransport()
    write_promptly(transport, b"octets")
    write_promptly(transport, b"")
    assert transport.value() == b"octets"
