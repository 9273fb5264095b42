"""[sandbox_duo]: a stand-in for the Duo service inside the proxy, with a phone page, for trying things out."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from twisted.logger import Logger

from duoproxy.config.kinds import (
    Choice,
    Integer,
    Kind,
    OutputFile,
    ParseContext,
    Port,
    SecretText,
    Text,
    ValueParseError,
)
from duoproxy.config.option import Numbering, option, settings
from duoproxy.config.schema import Finding, Listener, Role, SectionSchema
from duoproxy.sandbox.accounts import WORDS, Behaviour, parse_behaviour
from duoproxy.sandbox.announce import announce, login_program
from duoproxy.sandbox.certificates import write_ca_file
from duoproxy.sandbox.demo import DEMO_PASSWORD, banner, demo_behaviours
from duoproxy.sandbox.duo_listener import DuoListener
from duoproxy.secret import Secret
from duoproxy.sections.contracts import ClientSection, Environment, ServerSection
from duoproxy.sections.shared_options import SectionSettings

DEFAULT_PORT = 18443
DEFAULT_LOCKOUT = 10


class BehaviourKind(Kind[Behaviour]):
    """A user and how it behaves: `alice push`, `ivan approve-after 2`."""

    def parse(self, text: str, context: ParseContext) -> Behaviour:
        """Read the line."""
        try:
            return parse_behaviour(text)
        except ValueError as error:
            raise ValueParseError(str(error), f"Write a name and words out of: {', '.join(WORDS)}") from None

    def describe(self) -> str:
        """Say what may be written."""
        return f"a name, and words out of: {', '.join(WORDS)}"


@settings
class SandboxDuoSettings(SectionSettings):
    """Options of [sandbox_duo]."""

    ikey: str = option(
        Text("an integration key"),
        help="The integration key that is served; the server sections have the same.",
        example="DISANDBOX00000000000",
    )
    skey: Secret = option(
        SecretText("the secret key"),
        help="The secret key that goes with it; the server sections have the same.",
        example="file:sandbox_skey.txt",
    )
    ca_file: Path = option(
        OutputFile(),
        help="Where each start writes the throw-away CA certificate; http_ca_certs_file of the server sections names "
        "the same file. A file that the sandbox has not made is left alone.",
        example="sandbox-ca.pem",
    )
    interface: str = option(
        Choice("127.0.0.1", "::1"), default="127.0.0.1", help="Loopback address to listen on.", inherited=False
    )
    port: int = option(Port(), default=DEFAULT_PORT, help="TCP port to listen on.", inherited=False)
    user: Mapping[int, Behaviour] = option(
        BehaviourKind(),
        default={},
        numbered=Numbering.FROM_ONE,
        help="A user: a name, the devices (push: a smartphone; phone: calls and SMS; sms: SMS only; passcode: a token, "
        "with a code that always works if one follows), and what happens: approve-after N, deny-after N, "
        "fraud-after N, deny, fraud, timeout, enroll, bypass, locked, disabled. Without it the push waits for an "
        "answer on the phone page. The name * stands for every name that is not listed. Without any user: those of the "
        "demonstration.",
        example="alice push",
    )
    lockout_after: int = option(
        Integer(0, 1_000_000), default=DEFAULT_LOCKOUT, help="Failed attempts until a user is locked out; 0: never."
    )


def find_faults(section: SandboxDuoSettings) -> Iterable[Finding]:
    """Find users that are listed twice."""
    seen: dict[str, int] = {}
    for number, behaviour in section.user.items():
        first = seen.setdefault(behaviour.name.casefold(), number)
        if first != number:
            yield f"user_{number}", f"its name is also that of user_{first}", "Delete one of the two"


def listens_on(section: SandboxDuoSettings) -> Sequence[Listener]:
    """The one TCP address."""
    return [("tcp", section.interface, section.port)]


class SandboxDuo(ServerSection):
    """Runs the stand-in, and says at each start that it is one."""

    schema = SectionSchema(
        name="sandbox_duo",
        role=Role.SERVER,
        summary="NOT SECURE: a stand-in for the Duo service on this machine, with a page that is the phone.",
        settings_class=SandboxDuoSettings,
        loopback_only=True,
        listens=listens_on,
        check=find_faults,
    )
    settings: SandboxDuoSettings

    def __init__(
        self, settings: SandboxDuoSettings, environment: Environment, client: ClientSection | None = None
    ) -> None:
        super().__init__(settings, environment, client)
        self._log = Logger(namespace=environment.section_name)
        self._behaviours = tuple(settings.user.values()) or demo_behaviours()
        self._base_url = f"https://localhost:{settings.port}"
        self.listener = DuoListener(
            reactor=environment.reactor,
            behaviours=self._behaviours,
            ikey=settings.ikey,
            skey=settings.skey,
            random_bytes=environment.random_bytes,
            wall_time=time.time,
            base_url=self._base_url,
            lockout_after=settings.lockout_after,
        )

    def bind(self) -> None:
        """Take the port."""
        self.listener.listen(self.settings.interface, self.settings.port)

    async def start(self) -> None:
        """Write the CA file, which other sections read when they start later, and tell people where everything is.

        Not in `bind`: nothing is written while the process is still root.

        Raises:
            ListenError: the file cannot be written.
        """
        write_ca_file(self.settings.ca_file, self.listener.certificates.ca_pem)
        password = "" if self.settings.user else DEMO_PASSWORD
        lines = banner(self._base_url, self._behaviours, login_program(), password)
        # on standard output and in the log, but not twice in the same place
        announce(self._log, lines, log_is_stdout=getattr(self.environment.main, "log_stdout", False))

    async def stop(self) -> None:
        """Stop listening."""
        await self.listener.stop()
