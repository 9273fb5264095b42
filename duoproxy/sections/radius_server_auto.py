"""[radius_server_auto]: password and factor in one request; the factor is chosen unless the user appends one."""

from __future__ import annotations

from duoproxy.config.schema import Role, SectionSchema
from duoproxy.login.dialogue import DialogueOptions
from duoproxy.net.duo_client import DuoClient
from duoproxy.sections.append_options import append_mode
from duoproxy.sections.challenge_login import ChallengeLogins
from duoproxy.sections.radius_login import RadiusLogins
from duoproxy.sections.radius_login_server import RadiusLoginServer, shell_settings
from duoproxy.sections.radius_server_options import (
    FactorSettings,
    factor_findings,
    listens_on,
    radius_advice,
)


class RadiusServerAuto(RadiusLoginServer):
    """Answers PAP requests: password, then an automatic or appended second factor.

    With a client section that can have it checked, a CHAP or MS-CHAP proof may stand in the place of the password; the
    factor is then automatic. What the client section asks before it decides goes to the device and back.
    """

    schema = SectionSchema(
        name="radius_server_auto",
        role=Role.SERVER,
        summary="RADIUS for VPNs: checks the password, then pushes or calls, or takes a factor that the user appends.",
        settings_class=FactorSettings,
        takes_client=True,
        listens=listens_on,
        check=factor_findings,
        advise=radius_advice,
    )
    settings: FactorSettings
    state_is_ours = True

    def _make_logins(self, duo: DuoClient) -> RadiusLogins:
        settings, client = self.settings, self._primary()
        append = append_mode(settings, allow_concat=settings.allow_concat)
        shell = shell_settings(settings, client, append, settings.factors, takes_proofs=True)
        return ChallengeLogins(shell, DialogueOptions(factor_prompt=False), self.environment, client, duo)
