"""[radius_server_challenge]: the password in one request; then the user is asked, and answers in another."""

from __future__ import annotations

from collections.abc import Iterable

from duoproxy.config.kinds import Boolean, Choice
from duoproxy.config.option import option, settings
from duoproxy.config.schema import Finding, Role, SectionSchema
from duoproxy.login.dialogue import DialogueOptions
from duoproxy.login.factors import AppendMode
from duoproxy.net.duo_client import DuoClient
from duoproxy.sections.challenge_login import ChallengeLogins
from duoproxy.sections.duo_server_options import findings
from duoproxy.sections.radius_login_server import RadiusLoginServer, shell_settings
from duoproxy.sections.radius_server_options import (
    RadiusServerSettings,
    listens_on,
    prompt_advice,
    prompt_layout,
    radius_advice,
)


@settings
class ChallengeSettings(RadiusServerSettings):
    """Options of [radius_server_challenge]."""

    prompt_format: str = option(
        Choice("console", "short", "html", "long"),
        default="console",
        help="How the prompt looks: several lines with numbers, one short line, or HTML.",
        example="short",
    )
    enroll_challenge: bool = option(
        Boolean(),
        default=True,
        help="Whether a user who is not enrolled in Duo is shown the address to enroll at in a prompt, whose "
        "answer does not count; false: in the reject, which some devices do not show.",
        example="false",
    )


def challenge_advice(server: ChallengeSettings) -> Iterable[Finding]:
    """What is doubtful."""
    yield from radius_advice(server)
    yield from prompt_advice(server.prompt_format)


class RadiusServerChallenge(RadiusLoginServer):
    """Answers PAP requests: a password with a prompt, and the answer to the prompt with the end."""

    schema = SectionSchema(
        name="radius_server_challenge",
        role=Role.SERVER,
        summary="RADIUS for devices with a box for a reply: checks the password, then asks the user for a passcode or "
        "one of the offered factors.",
        settings_class=ChallengeSettings,
        takes_client=True,
        listens=listens_on,
        check=findings,
        advise=challenge_advice,
    )
    settings: ChallengeSettings
    state_is_ours = True

    def _make_logins(self, duo: DuoClient) -> ChallengeLogins:
        settings, client = self.settings, self._primary()
        dialogue = DialogueOptions(
            prompt_format=prompt_layout(settings.prompt_format),
            same_answer_means_auto=False,
            enroll_as_prompt=settings.enroll_challenge,
        )
        shell = shell_settings(settings, client, AppendMode(allow_concat=False))
        return ChallengeLogins(shell, dialogue, self.environment, client, duo)
