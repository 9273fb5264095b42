"""[sandbox_users]: names and passwords out of the configuration file, for trying things out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from duoproxy.config.kinds import SecretText
from duoproxy.config.option import Numbering, option, settings
from duoproxy.config.schema import Finding, Role, SectionSchema
from duoproxy.login.outcome import PrimaryOutcome
from duoproxy.login.request import LoginRequest
from duoproxy.sandbox.accounts import ANYBODY
from duoproxy.sandbox.demo import DEMO_PASSWORD, demo_behaviours
from duoproxy.secret import Secret
from duoproxy.sections.contracts import ClientSection, Environment
from duoproxy.sections.shared_options import SectionSettings


@settings
class SandboxUsersSettings(SectionSettings):
    """Options of [sandbox_users]."""

    user: Mapping[int, Secret] = option(
        SecretText("a name, a colon and a password"),
        default={},
        numbered=Numbering.FROM_ONE,
        help="A user: name, colon, password. The name * stands for every name that is not listed. Without any: the "
        f"users of the demonstration (alice, bob …), each with the password `{DEMO_PASSWORD}`.",
        example="alice:correct horse",
    )


def find_faults(section: SandboxUsersSettings) -> Iterable[Finding]:
    """Find lines without a name, and names that are listed twice."""
    seen: dict[str, int] = {}
    for number, secret in section.user.items():
        name, colon, password = secret.reveal_text().partition(":")
        if not name.strip() or not colon or not password:
            yield f"user_{number}", "it is not a name, a colon and a password", "Write it like alice:correct horse"
        elif seen.setdefault(name.strip(), number) != number:
            yield f"user_{number}", f"its name is also that of user_{seen[name.strip()]}", "Delete one of the two"


class SandboxUsers(ClientSection):
    """Compares passwords with those in the file."""

    schema = SectionSchema(
        name="sandbox_users",
        role=Role.CLIENT,
        summary="NOT SECURE: checks passwords that stand in the configuration file, for trying things out.",
        settings_class=SandboxUsersSettings,
        loopback_only=True,
        check=find_faults,
    )
    settings: SandboxUsersSettings

    def __init__(self, settings: SandboxUsersSettings, environment: Environment) -> None:
        super().__init__(settings, environment)
        self._passwords = _read_users(settings.user)

    async def authenticate(self, request: LoginRequest) -> PrimaryOutcome:
        """Compare name (exactly) and password."""
        known = self._passwords.get(request.username) or self._passwords.get(ANYBODY)
        if known is None:
            return PrimaryOutcome(False, f"[{self.environment.section_name}] lists no user of that name")
        if known != request.password:
            return PrimaryOutcome(False, "the password is wrong", alternative_is_safe=True)
        return PrimaryOutcome(True)


def _read_users(listed: Mapping[int, Secret]) -> dict[str, Secret]:
    """Name → password."""
    if not listed:
        return {behaviour.name: Secret(DEMO_PASSWORD) for behaviour in demo_behaviours()}
    pairs = (secret.reveal_text().partition(":") for secret in listed.values())
    return {name.strip(): Secret(password) for name, _, password in pairs}
