"""[line_server]: a login protocol of one line over TCP: `NAME PASSWORD` in, `OK` or `NO text` out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError
from twisted.internet.protocol import ServerFactory
from twisted.logger import Logger
from twisted.protocols.basic import LineOnlyReceiver

from duoproxy.config.kinds import IpAddress, Port
from duoproxy.config.option import option, settings
from duoproxy.config.schema import Listener, Role, SectionSchema
from duoproxy.errors import ListenError
from duoproxy.login.flow import LoginTools, SecondFactor, run_login
from duoproxy.login.outcome import Outcome, Verdict
from duoproxy.login.policy import LoginPolicy, SecondTryLedger
from duoproxy.login.request import LoginRequest
from duoproxy.secret import Secret
from duoproxy.sections.contracts import ClientSection, Environment, ServerSection
from duoproxy.sections.duo_server_options import DuoServerSettings, exempt_usernames, failmode, make_duo_client

LOGIN_ID_OCTETS = 5


@settings
class LineServerSettings(DuoServerSettings):
    """Options of [line_server]: those of every server that asks Duo, and where it listens."""

    port: int = option(Port(), default=7000, help="TCP port to listen on.")
    interface: str = option(IpAddress(), default="", help="Address to listen on. Without it: all.")


def _listens(server: LineServerSettings) -> Sequence[Listener]:
    return [("tcp", server.interface, server.port)]


class LineServer(ServerSection):
    """Listens, and runs one login for each line."""

    schema = SectionSchema(
        name="line_server",
        role=Role.SERVER,
        summary="A login protocol of one line over TCP.",
        settings_class=LineServerSettings,
        takes_client=True,
        listens=_listens,
    )
    settings: LineServerSettings

    def __init__(self, settings: LineServerSettings, environment: Environment, client: ClientSection) -> None:
        """Keep what a login needs; `bind` and `start` do the rest."""
        super().__init__(settings, environment, client)
        self.primary = client
        self.log = Logger(namespace=environment.section_name)
        self.second_tries = SecondTryLedger()
        self.duo: Any = None
        self._port: Any = None

    def bind(self) -> None:
        """Take the TCP port."""
        factory = ServerFactory.forProtocol(lambda: LineProtocol(self))
        factory.noisy = False
        where = (self.settings.interface, self.settings.port)
        try:
            self._port = self.environment.reactor.listenTCP(where[1], factory, interface=where[0])
        except CannotListenError as fault:
            name = self.environment.section_name
            raise ListenError(f"[{name}] cannot listen on TCP port {where[1]}: {fault.socketError}") from fault

    async def start(self) -> None:
        """Prepare the way to Duo."""
        self.duo = make_duo_client(self.settings, self.environment)

    async def stop(self) -> None:
        """Close the port and the connections to Duo."""
        await self._port.stopListening()
        await self.duo.stop()

    async def login(self, username: str, password: str, device: str) -> Outcome:
        """Run one login."""
        login_id = self.environment.random_bytes(LOGIN_ID_OCTETS).hex()
        name = self.environment.section_name
        request = LoginRequest(login_id, username, Secret(password), device, None, name)
        tools = LoginTools(self.environment.reactor.seconds, lambda event: None, self.second_tries)
        policy = LoginPolicy(failmode=failmode(self.settings), exempt_usernames=exempt_usernames(self.settings))
        second_factor: SecondFactor = self.duo
        outcome = await run_login(request, policy, self.primary, second_factor, tools)
        self.log.info(
            "Login {login_id}: user={user} result={result} cause={cause}",
            login_id=login_id,
            user=username,
            result=outcome.verdict.value,
            cause=outcome.cause.value,
        )
        return outcome


class LineProtocol(LineOnlyReceiver):
    """One connection; lines are at most 512 octets."""

    delimiter = b"\n"
    MAX_LENGTH = 512

    def __init__(self, section: LineServer) -> None:
        self._section = section

    def lineReceived(self, line: bytes) -> None:
        """Run the login of one line; a fault is a no."""
        username, _, password = line.decode("utf-8", "replace").strip().partition(" ")
        device = str(getattr(self.transport and self.transport.getPeer(), "host", ""))
        done = Deferred.fromCoroutine(self._section.login(username, password, device))
        done.addCallback(self._answer)
        done.addErrback(self._fault)

    def _answer(self, outcome: Outcome) -> None:
        said = "OK" if outcome.verdict is Verdict.ACCEPT else "NO"
        self.sendLine(f"{said} {outcome.user_message}".strip().encode())

    def _fault(self, failure: Any) -> None:
        self._section.log.failure("A login failed by an internal error.", failure=failure)
        self.sendLine(b"NO")
