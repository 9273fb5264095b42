"""[radius_server_duo_only]: the password field holds a factor or passcode; the device has checked the password."""

from __future__ import annotations

from collections.abc import Iterable

from duoproxy.config.kinds import SectionName
from duoproxy.config.option import option, settings
from duoproxy.config.schema import Finding, Role, SectionSchema
from duoproxy.login.dialogue import Dialogue, DialogueOptions
from duoproxy.login.outcome import Outcome, PrimaryOutcome
from duoproxy.login.policy import LoginPolicy
from duoproxy.login.request import LoginRequest
from duoproxy.login.steps import EndStep
from duoproxy.net.duo_client import DuoClient
from duoproxy.net.radius_messages import ReceivedRequest, Reply
from duoproxy.radius.relay import PassThrough
from duoproxy.sections.duo_server_options import exempt_usernames, failmode, findings
from duoproxy.sections.login_shell import LoginShellSettings
from duoproxy.sections.radius_login import RadiusLogins
from duoproxy.sections.radius_login_server import RadiusLoginServer, carries_state
from duoproxy.sections.radius_server_options import RadiusListenerSettings, listens_on, radius_advice

_THE_ONLY_SENSIBLE_CLIENT = "duo_only_client"


@settings
class DuoOnlySettings(RadiusListenerSettings):
    """Options of [radius_server_duo_only]."""

    client: str | None = option(
        SectionName(),
        default=None,
        help="Not needed: the device checks the password. Some guides write duo_only_client.",
        example="duo_only_client",
    )


class CheckedByDevice:
    """Accepts every name: a `duoproxy.login.parties.PrimaryAuthenticator` that proves nothing."""

    async def authenticate(self, request: LoginRequest) -> PrimaryOutcome:
        """Accept."""
        return PrimaryOutcome(accepted=True)


class FactorLogins(RadiusLogins):
    """Runs logins whose password field is a factor; an empty one is rejected."""

    async def handle(self, received: ReceivedRequest) -> Reply | None:
        """Answer one Access-Request; one with a State answers a question, and this section asks none."""
        return self._refuse_state(received) if carries_state(received) else await super().handle(received)

    async def _run(self, request: LoginRequest) -> Outcome:
        options = DialogueOptions(factor_prompt=False, first_answer_is_factor=True)
        dialogue = Dialogue(
            request,
            self._settings.policy,
            self._primary,
            self._second_factor,
            self._tools(request),
            options,
        )
        step = await dialogue.begin()
        if not isinstance(step, EndStep):
            raise RuntimeError("a dialogue without prompts asked its user")
        return step.outcome


def duo_only_advice(server: DuoOnlySettings) -> Iterable[Finding]:
    """What is doubtful: a client section that would never be asked."""
    yield from radius_advice(server)
    if server.client is not None and not server.client.startswith(_THE_ONLY_SENSIBLE_CLIENT):
        what = f"[{server.client}] is never asked here: the device checks the password, and this section the factor"
        yield ("client", what, "Delete the line, or use [radius_server_auto] if passwords are to be checked")


class RadiusServerDuoOnly(RadiusLoginServer):
    """Answers PAP requests that carry a factor or passcode as their password."""

    schema = SectionSchema(
        name="radius_server_duo_only",
        role=Role.SERVER,
        summary="RADIUS for devices that check the password themselves and send a factor or passcode as a second "
        "password; no password is checked here.",
        settings_class=DuoOnlySettings,
        listens=listens_on,
        check=findings,
        advise=duo_only_advice,
    )

    settings: DuoOnlySettings

    def _make_logins(self, duo: DuoClient) -> RadiusLogins:
        server = self.settings
        shell = LoginShellSettings(
            policy=LoginPolicy(exempt_usernames=exempt_usernames(server), failmode=failmode(server)),
            pass_through=PassThrough(),
            client_ip_attr=server.client_ip_attr,
            pw_codec=server.pw_codec,
            ikey=server.ikey,
            client_section=server.client or "",
        )
        return FactorLogins(shell, self.environment, CheckedByDevice(), duo)
