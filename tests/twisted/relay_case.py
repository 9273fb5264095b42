"""One [radius_server_auto] (or another section with its options) before one [radius_client], datagram by datagram.

Both ends are the test's: a device that carries the State by hand, and servers that answer as scripted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from attrs import define, field

from duoproxy.login.dialogue import DialogueOptions
from duoproxy.login.factors import AppendMode
from duoproxy.login.policy import Failmode, LoginPolicy
from duoproxy.net.udp import Endpoint
from duoproxy.radius.attributes import AttributeId, Type, first, vendor_attribute
from duoproxy.radius.packet import Attribute, Code, Packet, decode_packet
from duoproxy.radius.relay import PassThrough
from duoproxy.secret import Secret
from duoproxy.sections.challenge_login import ChallengeLogins
from duoproxy.sections.login_shell import LoginShellSettings
from duoproxy.sections.radius_client import RadiusClient, RadiusClientSettings
from duoproxy.testing import make_environment
from tests.twisted.listener_case import ListenerCase, start_listener
from tests.twisted.radius_fakes import FakeTransport, signed_reply

FIRST, SECOND = ("10.1.0.1", 1812), ("10.1.0.2", 1812)
UPSTREAM_SECRET = b"of the upstream"
NO_PROMPT = DialogueOptions(factor_prompt=False)
MS_CHALLENGE = vendor_attribute(311, 11, b"c" * 16)
MS_CHAP_2 = vendor_attribute(311, 25, b"\1\0" + b"r" * 48)
CHAP = (int(Type.CHAP_PASSWORD), b"\1" + b"p" * 16)

Script = Callable[[Packet], tuple[int, Sequence[Attribute]] | None]


@define
class Upstream:
    """Servers that answer at once as `script` says; None: with silence."""

    script: Script
    sockets: list[FakeTransport] = field(factory=list)
    requests: list[tuple[Packet, Endpoint]] = field(factory=list)

    def open_socket(self, family: int) -> FakeTransport:
        transport = FakeTransport(40000 + len(self.sockets))
        transport.on_send = lambda octets, destination: self.answer(transport, octets, destination)
        self.sockets.append(transport)
        return transport

    def answer(self, transport: FakeTransport, octets: bytes, destination: Endpoint) -> None:
        request = decode_packet(octets)
        self.requests.append((request, destination))
        answer = self.script(request)
        if answer is not None:
            transport.deliver(signed_reply(answer[0], octets, answer[1], UPSTREAM_SECRET), destination)


class RelayCase(ListenerCase):
    """One listener, one upstream of two servers."""

    def begin(
        self,
        script: Script,
        *,
        dialogue: DialogueOptions = NO_PROMPT,
        policy: LoginPolicy | None = None,
        pass_through: PassThrough = PassThrough(),  # noqa: B008 - frozen
        upstream_passes: Mapping[str, Any] | None = None,
        takes_proofs: bool = True,
        max_open: int = 100,
    ) -> None:
        """Start the sections as their classes would."""
        self.upstream = Upstream(script)
        client_environment = make_environment("radius_client", reactor=self.clock)
        hosts = {number: place[0] for number, place in enumerate((FIRST, SECOND), start=1)}
        secret = {number: Secret(UPSTREAM_SECRET) for number in hosts}
        settings = RadiusClientSettings(
            host=hosts, secret=secret, port=dict.fromkeys(hosts, 1812), retry_wait=1.0, **(upstream_passes or {})
        )
        self.client = RadiusClient(settings, client_environment)
        sources = self.client._upstream._sources
        sources._open_socket = self.upstream.open_socket
        policy = policy or LoginPolicy(failmode=Failmode.SECURE, checks_passwords=True)
        environment = make_environment("radius_server_auto", reactor=self.clock, auth_event=self.events.append)
        passes = pass_through.merge(self.client.pass_through)
        shell = LoginShellSettings(policy, passes, AttributeId(0, 31), "utf-8", "DI", "radius_client", takes_proofs)
        self.logins = ChallengeLogins(shell, dialogue, environment, self.client, self.duo, max_open)
        self.logins.start()
        self.server, self.transport = start_listener(environment, self.logins.handle)


def asks(text: bytes, state: bytes, *more: Attribute) -> tuple[int, Sequence[Attribute]]:
    """An Access-Challenge of the upstream."""
    return int(Code.ACCESS_CHALLENGE), [(Type.REPLY_MESSAGE, text), (Type.STATE, state), *more]


def state_in(request: Packet) -> bytes | None:
    """The State that the upstream got."""
    return first(request.attributes, Type.STATE)


def appending() -> LoginPolicy:
    return LoginPolicy(append=AppendMode(), failmode=Failmode.SECURE, checks_passwords=True)
