"""[sandbox_directory]: a stand-in for a directory inside the proxy, for trying [ad_client] out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from twisted.logger import Logger

from duoproxy.config.kinds import Choice, Integer, Port, SecretText, Text
from duoproxy.config.option import Numbering, option, settings
from duoproxy.config.schema import Finding, Listener, Role, SectionSchema
from duoproxy.ldap.names import dns_domain_of, looks_like_dn
from duoproxy.sandbox.announce import announce, login_program
from duoproxy.sandbox.demo import DEMO_PASSWORD, SUB_CODE_WORDS, demo_behaviours, directory_banner
from duoproxy.sandbox.directory_accounts import DirectoryAccounts, people_of
from duoproxy.sandbox.directory_listener import DirectoryListener
from duoproxy.secret import Secret
from duoproxy.sections.contracts import ClientSection, Environment, ServerSection
from duoproxy.sections.shared_options import SectionSettings

DEFAULT_PORT = 18389
DEFAULT_LOCKOUT = 10
SERVICE_ACCOUNT = "svc-duo"
OUTSIDER = "mallory"
DEMO_REFUSED = {"victor": "532", "oscar": "533", "peggy": "773", "trent": "775"}


@settings
class SandboxDirectorySettings(SectionSettings):
    """Options of [sandbox_directory]."""

    interface: str = option(
        Choice("127.0.0.1", "::1"), default="127.0.0.1", help="Loopback address to listen on.", inherited=False
    )
    port: int = option(Port(), default=DEFAULT_PORT, help="TCP port to listen on.", inherited=False)
    base_dn: str = option(
        Text(),
        default="DC=corp,DC=example",
        help="The domain; users stand below CN=Users, the group is CN=VPN Users,OU=Groups.",
        example="DC=corp,DC=example",
    )
    user: Mapping[int, Secret] = option(
        SecretText("a name, a colon and a password"),
        default={},
        numbered=Numbering.FROM_ONE,
        help="A user: name, colon, password; all of them are in the group. The service account svc-duo is always "
        f"there, with the password `{DEMO_PASSWORD}` unless it is listed. Without any user: those of the demonstration "
        f"(alice, bob …), {OUTSIDER} who is not in the group, and {', '.join(DEMO_REFUSED)} whose accounts are "
        f"refused, each with the password `{DEMO_PASSWORD}`.",
        example="alice:correct horse",
    )
    refused: Mapping[int, str] = option(
        Text("a name and a sub-code"),
        default={},
        numbered=Numbering.FROM_ONE,
        help="A user who is refused although the password is right, and the sub-code of Active Directory that says "
        "why: " + ", ".join(f"{code} {words}" for code, words in SUB_CODE_WORDS.items()) + ".",
        example="oscar 533",
    )
    lockout_threshold: int = option(
        Integer(0, 999),
        default=DEFAULT_LOCKOUT,
        help="Wrong passwords until an account is locked for five minutes; 0: never.",
    )
    login_port: int | None = option(
        Port(),
        default=None,
        help="Port of the RADIUS server section behind which an [ad_client] asks this directory. With it, each start "
        "prints commands that log in there.",
        example="18121",
        inherited=False,
    )


def find_faults(section: SandboxDirectorySettings) -> Iterable[Finding]:
    """Find lines that cannot be read, names that are listed twice, and names that nobody has."""
    if not (looks_like_dn(section.base_dn) and dns_domain_of(section.base_dn)):
        yield "base_dn", "it is not the DN of a domain", "Write it as in DC=corp,DC=example"
    seen: dict[str, int] = {}
    for number, secret in section.user.items():
        name, colon, password = secret.reveal_text().partition(":")
        if not name.strip() or not colon or not password:
            yield f"user_{number}", "it is not a name, a colon and a password", "Write it like alice:correct horse"
        elif seen.setdefault(name.strip().casefold(), number) != number:
            first = seen[name.strip().casefold()]
            yield f"user_{number}", f"its name is also that of user_{first}", "Delete one of the two"
    names = _passwords(section)
    for number, line in section.refused.items():
        refused, _, sub_code = line.strip().rpartition(" ")
        if refused.strip() not in names or sub_code not in SUB_CODE_WORDS:
            codes = ", ".join(SUB_CODE_WORDS)
            yield f"refused_{number}", "it is not a user and a sub-code", f"Write a name and one of: {codes}"


def listens_on(section: SandboxDirectorySettings) -> Sequence[Listener]:
    """The one TCP address."""
    return [("tcp", section.interface, section.port)]


class SandboxDirectory(ServerSection):
    """Runs the stand-in, and says at each start that it is one."""

    schema = SectionSchema(
        name="sandbox_directory",
        role=Role.SERVER,
        summary="NOT SECURE: a stand-in for an LDAP directory on this machine, in memory.",
        settings_class=SandboxDirectorySettings,
        loopback_only=True,
        listens=listens_on,
        check=find_faults,
    )
    settings: SandboxDirectorySettings

    def __init__(
        self, settings: SandboxDirectorySettings, environment: Environment, client: ClientSection | None = None
    ) -> None:
        super().__init__(settings, environment, client)
        self._log = Logger(namespace=environment.section_name)
        passwords, refused = _passwords(settings), _refused(settings)
        people = people_of(passwords, refused, (SERVICE_ACCOUNT, *(() if settings.user else (OUTSIDER,))))
        accounts = DirectoryAccounts(settings.base_dn, people, settings.lockout_threshold, environment.wall_clock())
        self.listener = DirectoryListener(environment.reactor, accounts, environment.wall_clock)

    def bind(self) -> None:
        """Take the port."""
        self.listener.listen(self.settings.interface, self.settings.port)

    async def start(self) -> None:
        """Tell people who there is and what they may type."""
        settings = self.settings
        place = f"[{settings.interface}]" if ":" in settings.interface else settings.interface
        names = [name for name in _passwords(settings) if name != SERVICE_ACCOUNT]
        lines = directory_banner(
            f"ldap://{place}:{settings.port}/{settings.base_dn}",
            names,
            _refused(settings),
            "" if settings.user else OUTSIDER,
            login_program(),
            settings.login_port,
            "" if settings.user else DEMO_PASSWORD,
        )
        announce(self._log, lines, log_is_stdout=getattr(self.environment.main, "log_stdout", False))

    async def stop(self) -> None:
        """Stop listening."""
        await self.listener.stop()


def _passwords(section: SandboxDirectorySettings) -> dict[str, Secret]:
    """Name → password, the service account first."""
    pairs = [secret.reveal_text().partition(":") for secret in section.user.values()]
    listed = {name.strip(): Secret(password) for name, _, password in pairs}
    if not listed:
        names = [behaviour.name for behaviour in demo_behaviours()]
        listed = {name: Secret(DEMO_PASSWORD) for name in (*names, OUTSIDER, *DEMO_REFUSED)}
    return {SERVICE_ACCOUNT: Secret(DEMO_PASSWORD), **listed}


def _refused(section: SandboxDirectorySettings) -> dict[str, str]:
    """Name → sub-code."""
    if not section.user and not section.refused:
        return dict(DEMO_REFUSED)
    pairs = [line.strip().rpartition(" ") for line in section.refused.values()]
    return {name.strip(): sub_code for name, _, sub_code in pairs}
