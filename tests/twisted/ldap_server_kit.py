"""An LDAP listener in memory: clients whose other end is the test, and a directory that is a list of octets."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IPushProducer
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from duoproxy.ldap.framing import MessageFramer
from duoproxy.ldap.relay_policy import RelayPolicy
from duoproxy.net.ldap_bind_attempt import BindAnswer, BindAttempt, BindVerdict
from duoproxy.net.ldap_client import LdapClient
from duoproxy.net.ldap_client_limits import ClientLimits
from duoproxy.net.ldap_relay import RelayReceiver
from duoproxy.net.ldap_server import LdapServer

LIMITS = ClientLimits(unbound_message_bytes=1_000, message_bytes=100_000, idle_s=300.0, network_s=60.0)


class ClientWire(StringTransport):
    """The transport of a client; the test is the client."""

    aborted = False

    def abortConnection(self) -> None:
        self.aborted = True

    def setTcpNoDelay(self, enabled: bool) -> None:
        """There is no TCP here."""

    def setTcpKeepAlive(self, enabled: bool) -> None:
        """There is no TCP here."""


@define(eq=False)
class FakeRelay:
    """A connection to a directory."""

    server: str = "dc1:389"
    sent: bytearray = field(factory=bytearray)
    paused: bool = False
    closed: bytes | None = None
    receiver: RelayReceiver | None = None
    stops: IPushProducer | None = None

    def begin(self, receiver: RelayReceiver, paused_by: IPushProducer) -> None:
        self.receiver, self.stops = receiver, paused_by

    def write(self, octets: bytes) -> None:
        self.sent += octets

    def pause(self) -> None:
        self.paused = True

    def resume(self) -> None:
        self.paused = False

    def close(self, goodbye: bytes) -> None:
        self.closed = goodbye

    def says(self, *octets: bytes) -> None:
        """The directory sends."""
        assert self.receiver is not None
        self.receiver.server_data(b"".join(octets))

    def goes(self) -> None:
        """The directory closes the connection."""
        assert self.receiver is not None
        self.receiver.server_gone("the connection ended")

    def take(self) -> bytes:
        """What was sent since the last call."""
        octets = bytes(self.sent)
        self.sent.clear()
        return octets


Judge = Callable[[BindAttempt], Awaitable[BindVerdict]]


async def accept_everybody(attempt: BindAttempt) -> BindVerdict:
    """Let the directory judge, and nobody else."""
    assert attempt.bind.password is not None
    answer: BindAnswer = await attempt.send(attempt.bind.name, attempt.bind.password)
    return BindVerdict(answer.code == 0, relay=True)


class Listener:
    """A listener with its clients.

    Attributes:
        relays: the connections to the directory, in the order of their opening.
        opening: when set, connections wait for it.
    """

    def __init__(self, *, judge: Judge = accept_everybody, max_connections: int = 8, **policy: bool) -> None:
        self.clock = Clock()
        self.relays: list[FakeRelay] = []
        self.opening: Deferred[FakeRelay] | None = None
        self.fault: Exception | None = None
        self.opened = 0
        self.server = LdapServer(
            section_name="ldap_server_auto",
            reactor=self.clock,
            limits=LIMITS,
            policy=RelayPolicy(**policy),
            max_connections=max_connections,
            answer_limit_s=10.0,
            open_relay=self._open,
            judge=judge,
        )
        self.server.start()

    async def _open(self) -> Any:
        self.opened += 1
        if self.fault is not None:
            raise self.fault
        if self.opening is not None:
            return await self.opening
        self.relays.append(FakeRelay())
        return self.relays[-1]

    @property
    def relay(self) -> FakeRelay:
        """The newest connection to the directory."""
        return self.relays[-1]

    def connect(self, address: str = "10.0.0.5", *, over_tls: bool = False) -> Peer | None:
        """Let a client in; None when there is no room."""
        client = self.server.make_client(address, 50_000, over_tls=over_tls)
        return Peer(client) if client is not None else None

    def client(self) -> Peer:
        """Let a client in."""
        peer = self.connect()
        assert peer is not None
        return peer


class Peer:
    """A client, from its own side."""

    def __init__(self, client: LdapClient) -> None:
        self.protocol = client
        self.wire = ClientWire()
        client.makeConnection(self.wire)

    def says(self, *octets: bytes) -> bytes:
        """Send; give what came back at once."""
        self.protocol.dataReceived(b"".join(octets))
        return self.hears()

    def hears(self) -> bytes:
        """What came since the last call."""
        octets = self.wire.value()
        self.wire.clear()
        return octets

    def messages(self) -> list[bytes]:
        """The same, cut into messages."""
        return MessageFramer(1 << 24).feed(self.hears())

    def leaves(self) -> None:
        """Close the connection."""
        self.protocol.connectionLost(Failure(ConnectionDone()))
