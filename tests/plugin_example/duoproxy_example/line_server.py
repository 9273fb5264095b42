"""[line_server]: a login protocol of one line over TCP: `NAME PASSWORD` in, `OK` or `NO text` out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import CannotListenError
from twisted.internet.protocol import ServerFactory
from twisted.protocols.basic import LineOnlyReceiver
from twisted.python.failure import Failure

from duoproxy.config.kinds import IpAddress, Port
from duoproxy.config.option import option, settings
from duoproxy.config.schema import Listener, Role, SectionSchema
from duoproxy.errors import ListenError
from duoproxy.login.outcome import Outcome, Verdict
from duoproxy.secret import Secret
from duoproxy.sections.checks import Check
from duoproxy.sections.contracts import ClientSection, Environment, ServerSection
from duoproxy.sections.duo_checks import duo_checks
from duoproxy.sections.duo_server_options import DuoServerSettings, make_duo_client, weakened
from duoproxy.sections.plain_login import PlainLogins

MAX_CONNECTIONS = 1_000


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
        self.connections = 0
        self.draining = False
        self.logins: PlainLogins | None = None
        self._duo: Any = None
        self._port: Any = None
        self._closed: Any = None

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
        """Prepare the way to Duo, and take logins from now on."""
        self._duo = make_duo_client(self.settings, self.environment)
        self.logins = PlainLogins(self.settings, self.environment, self._primary(), self._duo)

    def drain(self) -> None:
        """Take no further connections; lines that come on those that are open begin no login either."""
        if not self.draining:
            self.draining = True
            self._closed = self._port.stopListening()

    @property
    def pending(self) -> int:
        """Logins that a stop waits for."""
        return self.logins.pending if self.logins is not None else 0

    def connectivity(self) -> Sequence[Check]:
        """Try the Duo service, with the keys of this section."""
        return duo_checks(self.settings, self.environment)

    def status(self) -> Mapping[str, object]:
        """Tell where it listens, who waits, how Duo is doing, and what lets somebody in."""
        duo = {"duo": self._duo.status()} if self._duo is not None else {}
        return {**super().status(), "pending": self.pending, "weakened": list(weakened(self.settings)), **duo}

    async def stop(self) -> None:
        """Refuse what is pending; close the port and the connections to Duo. It may come before `start`."""
        if self.logins is not None:
            self.logins.stop()
        if self._port is not None:
            self.drain()
            await self._closed
        if self._duo is not None:
            await self._duo.stop()


class LineProtocol(LineOnlyReceiver):
    """One connection with one login; lines are at most 512 octets."""

    delimiter = b"\n"
    MAX_LENGTH = 512
    transport: Any

    def __init__(self, section: LineServer) -> None:
        self._section = section
        self._login: Deferred[Outcome] | None = None

    def connectionMade(self) -> None:
        """Count the connections: strangers can open them."""
        self._section.connections += 1
        if self._section.connections > MAX_CONNECTIONS:
            self.transport.abortConnection()

    def connectionLost(self, reason: Failure | None = None) -> None:
        """Nobody waits for the answer any more: the login ends."""
        self._section.connections -= 1
        if self._login is not None:
            self._login.cancel()

    def lineReceived(self, line: bytes) -> None:
        """Begin the login of the line, if it is the first one."""
        logins = self._section.logins
        if self._login is not None or logins is None or self._section.draining:
            self.transport.loseConnection()
            return
        username, _, password = line.decode("utf-8", "replace").strip().partition(" ")
        self._login = logins.begin(username, Secret(password), self.transport.getPeer().host)
        self._login.addCallback(self._answer)
        self._login.addErrback(lambda failure: failure.trap(CancelledError))

    def _answer(self, outcome: Outcome) -> None:
        if outcome.verdict is not Verdict.SILENCE:
            said = "OK" if outcome.verdict is Verdict.ACCEPT else "NO"
            self.transport.write(f"{said} {outcome.user_message}".strip().encode() + self.delimiter)
        self.transport.loseConnection()
