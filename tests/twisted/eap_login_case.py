"""A listener for PEAP in memory, a device before it and a small PEAP peer; both factors faked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import evolve
from twisted.internet.task import Clock
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from duoproxy.eap.authenticator import EapAuthenticator, EapLimits
from duoproxy.eap.methods.peap import PeapSettings, peap_registry
from duoproxy.login.auto_backoff import AutoBackoff
from duoproxy.login.dialogue import DialogueOptions
from duoproxy.login.policy import LoginPolicy, PrimaryDown
from duoproxy.net.eap_server import EapServer
from duoproxy.radius.attributes import AttributeId, Type, all_values, joined, split_long
from duoproxy.radius.hiding import decrypt_salted
from duoproxy.radius.packet import Attribute, Code, Packet
from duoproxy.radius.relay import PassThrough
from duoproxy.sections.eap_login import SAID_BY_EAP, EapLogin, EapLogins, EapLoginSettings
from duoproxy.sections.login_shell import LoginShellSettings
from duoproxy.service.log_text import format_line
from duoproxy.testing import FakePrimary, FakeSecondFactor, make_environment, repeatable_random
from tests.twisted.listener_case import start_listener
from tests.twisted.radius_fakes import SECRET, FakeTransport, open_reply, request_octets
from tests.unit.eap.certificates import tls_context
from tests.unit.eap.peap_peer import PeapPeer

DEVICE = ("10.0.0.5", 50000)
STATION: tuple[Attribute, ...] = ((31, b"02-00-00-00-00-01"),)
PASSWORD = "correct horse"
IDENTITY = b"\2\x07\0\x0e\1anonymous"
RECV_KEY, SEND_KEY = AttributeId(311, 17), AttributeId(311, 16)
POLICY = LoginPolicy(primary_down=PrimaryDown.REJECT)
UPSTREAM_SECRET = b"of the upstream"
NOTHING_PASSES = PassThrough(never=SAID_BY_EAP)
CONSOLE = DialogueOptions()
MAX_STEPS = 60


class EapLoginCase(SynchronousTestCase):
    """One listener; a device that sends what its supplicant says."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.transport = FakeTransport()
        self.primary: Any = FakePrimary(PASSWORD)
        self.duo = FakeSecondFactor()
        self.events: list[Mapping[str, object]] = []
        self.identifier = 0
        self.delivered: list[bytes] = []
        self.random_bytes = repeatable_random()
        self.station = STATION
        self.begun: list[EapLogin] = []

    def begin(
        self,
        *,
        policy: LoginPolicy = POLICY,
        pass_through: PassThrough = NOTHING_PASSES,
        pw_codec: str = "utf-8",
        dialogue: DialogueOptions = CONSOLE,
        failure_text: bool = True,
        backoff: AutoBackoff | None = None,
    ) -> None:
        """Start the listener."""
        environment = make_environment("radius_server_eap", reactor=self.clock, auth_event=self.events.append)
        # one source for all listeners of a test: a proxy that is started anew gives other States
        environment = evolve(environment, random_bytes=self.random_bytes)
        shell = LoginShellSettings(policy, pass_through, AttributeId(0, 31), pw_codec, "DIXXXXXXXXXXXXXXXXXX", "client")
        self.logins = EapLogins(
            shell, EapLoginSettings(dialogue, failure_text, backoff), environment, self.primary, self.duo
        )
        methods = peap_registry(PeapSettings(tls_context()), environment.random_bytes)
        self.eap = EapServer(
            section_name="radius_server_eap",
            reactor=self.clock,
            make_machine=lambda now: EapAuthenticator(methods, environment.random_bytes, EapLimits(), now),
            make_login=self.begin_login,
            random_bytes=environment.random_bytes,
            max_open=10,
            max_fragment_bytes=1024,
        )
        self.server, _ = start_listener(environment, self.eap.handle, state_is_ours=False, transport=self.transport)

    def begin_login(self) -> EapLogin:
        """Begin a login, and remember it."""
        self.begun.append(self.logins.begin())
        return self.begun[-1]

    # ── the device ─────────────────────────────────────────────────────────────────────────────────────────────

    def send(self, eap: bytes, state: bytes | None, *more: Attribute) -> bytes:
        """Send one request with an identifier and authenticator of its own; give its octets."""
        self.identifier += 1
        carried: list[Attribute] = [*self.station, *more, *(split_long(Type.EAP_MESSAGE, eap) or [(79, b"")])]
        carried += [(int(Type.STATE), state)] if state is not None else []
        octets = request_octets(self.identifier, attributes=carried, password=None, user=b"anonymous")
        self.transport.deliver(octets, DEVICE)
        self.delivered.append(octets)
        return octets

    def reply_to(self, octets: bytes) -> Packet | None:
        """The reply to one request, checked as a strict device does."""
        answers = [sent for sent, _, _ in self.transport.sent if sent[1] == octets[1]]
        return open_reply(answers[-1], octets) if answers else None

    def talk(
        self, peer: PeapPeer, *more: Attribute, first: tuple[bytes, bytes | None] = (IDENTITY, None)
    ) -> tuple[Packet | None, bytes]:
        """Go on until there is an end, or no answer: the last reply, and the request that it answers."""
        eap, state = first
        for _ in range(MAX_STEPS):
            octets = self.send(eap, state, *more)
            reply = self.reply_to(octets)
            if reply is None or reply.code != Code.ACCESS_CHALLENGE:
                return reply, octets
            request = joined(reply.attributes, Type.EAP_MESSAGE)
            [state] = all_values(reply.attributes, Type.STATE)
            assert request is not None
            eap = peer.respond(request)
            self.waiting = (eap, state)
        raise AssertionError("no end")

    def log_in(self, *answers: str | bytes, identity: bytes = b"alice", version: int = 1) -> tuple[Packet | None, str]:
        """Log in once; give the last reply and the log."""
        typed = [answer.encode() if isinstance(answer, str) else answer for answer in answers]
        self.peer = PeapPeer(version=version, identity=identity, answers=typed)
        with capturedLogs() as events:
            reply, self.last_request = self.talk(self.peer)
        return reply, "".join(format_line(event) for event in events)

    def assert_keys(self, reply: Packet, request: bytes) -> None:
        """The device gets the halves of the peer's own key."""
        for number, half in ((RECV_KEY, self.peer.msk()[:32]), (SEND_KEY, self.peer.msk()[32:])):
            [hidden] = all_values(reply.attributes, number)
            self.assertEqual(decrypt_salted(hidden, SECRET, request[4:20]), half)
