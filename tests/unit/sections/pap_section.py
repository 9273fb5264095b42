"""A section for PAP as a file makes it, with both factors faked: one request in, one reply out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from attrs import define, field
from twisted.internet.task import Clock

from duoproxy.config.validate import check_configuration, load_configuration
from duoproxy.login.outcome import PrimaryOutcome
from duoproxy.login.request import LoginRequest
from duoproxy.net.radius_messages import ReceivedRequest, Reply
from duoproxy.radius.attributes import Type, all_values
from duoproxy.radius.authenticators import MessageAuthenticator
from duoproxy.radius.hiding import hide_password
from duoproxy.radius.packet import Attribute, Code, Packet
from duoproxy.secret import Secret
from duoproxy.sections.contracts import ClientSection
from duoproxy.sections.duo_only_client import DuoOnlyClient
from duoproxy.sections.radius_login import RadiusLogins
from duoproxy.sections.radius_login_server import RadiusLoginServer
from duoproxy.sections.registry import load_registry
from duoproxy.sections.shared_options import SectionSettings
from duoproxy.testing import FakePrimary, FakeSecondFactor, make_environment, run_now

SECRET, AUTHENTICATOR = b"a long shared secret", bytes(range(16))
PASSWORD = "correct horse"
KEYS = """ikey=DIXXXXXXXXXXXXXXXXXX
skey=0123456789012345678901234567890123456789
api_host=api-1.example
radius_ip_1=192.0.2.1
radius_secret_1=a long shared secret
"""


class OnePassword(DuoOnlyClient):
    """Checks passwords after all."""

    checks_passwords = True
    fake = FakePrimary(PASSWORD)

    async def authenticate(self, request: LoginRequest) -> PrimaryOutcome:
        return await self.fake.authenticate(request)


def write(folder: Path, section: str, lines: str = "") -> Path:
    path = folder / "authproxy.cfg"
    path.write_text(f"[duo_only_client]\n[{section}]\n{KEYS}{lines}\n", "utf-8")
    path.chmod(0o600)
    return path


def problems(folder: Path, section: str, lines: str = "") -> list[str]:
    """What authproxyctl check says."""
    found = check_configuration(write(folder, section, lines), load_registry([]).catalogue)
    return [str(problem).replace(f"{folder}/", "") for problem in found]


@define
class PapSection:
    """One section of a file."""

    logins: RadiusLogins
    client: OnePassword
    duo: FakeSecondFactor
    events: list[Mapping[str, object]] = field(factory=list)

    def ask(self, password: str | None, *more: Attribute, user: str = "alice") -> Reply | None:
        """Answer one request."""
        attributes: list[Attribute] = [(Type.USER_NAME, user.encode()), *more]
        if password is not None:
            attributes.append((Type.USER_PASSWORD, hide_password(password.encode(), SECRET, AUTHENTICATOR)))
        packet = Packet(Code.ACCESS_REQUEST, 7, AUTHENTICATOR, tuple(attributes))
        return run_now(self.logins.handle(received(packet)))

    def end(self, password: str | None, **more: str) -> tuple[int, str]:
        """Code and text of the reply."""
        reply = self.ask(password, **more)
        assert reply is not None
        return int(reply.code), text_of(reply)


def received(packet: Packet) -> ReceivedRequest:
    return ReceivedRequest(packet, "192.0.2.1", 1645, Secret(SECRET), MessageAuthenticator.VALID, 0.0, "192.0.2.9")


def attributes_of(reply: Reply) -> Sequence[Attribute]:
    return reply.attributes_for(received(Packet(Code.ACCESS_REQUEST, 7, AUTHENTICATOR, ())))


def text_of(reply: Reply) -> str:
    return b"".join(all_values(attributes_of(reply), Type.REPLY_MESSAGE)).decode()


def make(folder: Path, section: str, lines: str = "") -> PapSection:
    """Make the section that a file asks for; passwords are checked by a fake, whatever client it names."""
    registry = load_registry([])
    loaded = load_configuration(write(folder, section, lines), registry.catalogue)
    [server] = loaded.servers
    events: list[Mapping[str, object]] = []
    environment = make_environment(server.name, reactor=Clock(), auth_event=events.append)
    client = OnePassword(SectionSettings(), make_environment("duo_only_client"))
    client.fake = FakePrimary(PASSWORD)
    named: ClientSection | None = client if server.client else None
    made = registry.classes[server.kind](server.settings, environment, named)  # type: ignore[call-arg]
    assert isinstance(made, RadiusLoginServer)
    duo = FakeSecondFactor()
    return PapSection(made._make_logins(duo), client, duo, events)  # type: ignore[arg-type]
