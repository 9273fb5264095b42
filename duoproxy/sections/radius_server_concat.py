"""[radius_server_concat]: password and factor in one request; whoever appends no factor is rejected."""

from __future__ import annotations

from duoproxy.config.schema import Role, SectionSchema
from duoproxy.login.dialogue import DialogueOptions
from duoproxy.net.duo_client import DuoClient
from duoproxy.sections.append_options import append_mode
from duoproxy.sections.challenge_login import ChallengeLogins
from duoproxy.sections.radius_login import RadiusLogins
from duoproxy.sections.radius_login_server import RadiusLoginServer, shell_settings
from duoproxy.sections.radius_server_options import (
    DelimiterSettings,
    factor_findings,
    listens_on,
    radius_advice,
)


class RadiusServerConcat(RadiusLoginServer):
    """Answers PAP requests: a password with a factor or passcode behind it."""

    schema = SectionSchema(
        name="radius_server_concat",
        role=Role.SERVER,
        summary="RADIUS for devices whose users always append a factor or passcode to the password; without one the "
        "login is rejected. [radius_server_auto] does the same and chooses where nothing is appended.",
        settings_class=DelimiterSettings,
        takes_client=True,
        listens=listens_on,
        check=factor_findings,
        advise=radius_advice,
    )
    settings: DelimiterSettings
    state_is_ours = True

    def _make_logins(self, duo: DuoClient) -> RadiusLogins:
        client = self._primary()
        append = append_mode(self.settings, allow_concat=True, required=True)
        shell = shell_settings(self.settings, client, append)
        return ChallengeLogins(shell, DialogueOptions(factor_prompt=False), self.environment, client, duo)
