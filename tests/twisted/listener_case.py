"""A RADIUS listener in memory before the logins of a section, and a device that carries the State by hand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from duoproxy.duoapi.messages import AuthAnswer, AuthQuery
from duoproxy.net.radius_server import Handler, RadiusDevice, RadiusPolicy, RadiusServer
from duoproxy.radius.addresses import parse_address_range
from duoproxy.radius.attributes import Type, all_values
from duoproxy.radius.packet import Attribute, Code, Packet
from duoproxy.secret import Secret
from duoproxy.sections.contracts import Environment
from duoproxy.service.log_text import format_line
from duoproxy.testing import FakeSecondFactor
from tests.twisted.radius_fakes import SECRET, FakeTransport, open_reply, request_octets

DEVICE, OTHER_DEVICE = ("10.0.0.5", 50000), ("10.0.0.6", 50000)
PASSWORD = b"correct horse"


class SlowDuo(FakeSecondFactor):
    """Answers when the test says so."""

    pending: Deferred[AuthAnswer]

    async def authenticate(self, query: AuthQuery) -> AuthAnswer:
        self.asked.append(query)
        self.pending = Deferred()
        return await self.pending


def start_listener(
    environment: Environment,
    handler: Handler,
    *,
    policy: RadiusPolicy = RadiusPolicy(),  # noqa: B008 - frozen
    state_is_ours: bool = True,
    transport: FakeTransport | None = None,
) -> tuple[RadiusServer, FakeTransport]:
    """Start the listener of a section, as its class would, and give its socket too."""
    opened = transport or FakeTransport()
    server = RadiusServer(
        section_name=environment.section_name,
        reactor=environment.reactor,
        devices=[RadiusDevice(parse_address_range("10.0.0.0/24"), Secret(SECRET), "radius_ip_1")],
        policy=policy,
        handler=handler,
        random_bytes=environment.random_bytes,
        dictionary=environment.dictionary,
        state_is_ours=state_is_ours,
        open_socket=lambda interface, port: opened,
    )
    server.bind("", 1812)
    server.start()
    return server, opened


class ListenerCase(SynchronousTestCase):
    """One listener, whose `begin` sets `transport`; and a device."""

    transport: FakeTransport

    def setUp(self) -> None:
        self.clock = Clock()
        self.duo: Any = FakeSecondFactor()
        self.events: list[Mapping[str, object]] = []
        self.identifier = 0
        self.lines = self.enterContext(capturedLogs())

    def send(
        self,
        password: bytes | None,
        state: bytes | None = None,
        *more: Attribute,
        user: bytes = b"alice",
        device: tuple[str, int] = DEVICE,
        authenticator: bytes | None = None,
    ) -> bytes:
        """Send a request with a new Identifier and Authenticator; give its octets."""
        self.identifier += 1
        carried = [*more, *([(int(Type.STATE), state)] if state is not None else [])]
        octets = request_octets(
            self.identifier, attributes=carried, password=password, user=user, authenticator=authenticator
        )
        self.transport.deliver(octets, device)
        return octets

    def answers(self, request: bytes) -> list[Packet]:
        """All replies to a request so far."""
        return [open_reply(sent, request) for sent, _, _ in self.transport.sent if sent[1] == request[1]]

    def ask(self, password: bytes | None, state: bytes | None = None, *more: Attribute, **options: Any) -> Packet:
        """Send a request that is answered at once."""
        [reply] = self.answers(self.send(password, state, *more, **options))
        return reply

    def log(self) -> str:
        return "\n".join(format_line(event) for event in self.lines)

    def causes(self) -> list[str]:
        return [line.partition("cause=")[2].split()[0] for line in self.log().splitlines() if "cause=" in line]


def state_of(reply: Packet) -> bytes:
    """The State of a challenge."""
    assert reply.code == Code.ACCESS_CHALLENGE, reply
    [state] = all_values(reply.attributes, Type.STATE)
    return state


def text_of(reply: Packet) -> str:
    """The Reply-Message of a reply."""
    return b"".join(all_values(reply.attributes, Type.REPLY_MESSAGE)).decode()
