"""[one_password_client]: everybody who is named has the same password."""

from __future__ import annotations

from collections.abc import Mapping

from duoproxy.config.kinds import SecretText, Text
from duoproxy.config.option import Numbering, option, settings
from duoproxy.config.schema import Role, SectionSchema
from duoproxy.login.outcome import PrimaryOutcome
from duoproxy.login.request import LoginRequest
from duoproxy.secret import Secret
from duoproxy.sections.contracts import ClientSection
from duoproxy.sections.shared_options import SectionSettings


@settings
class OnePasswordSettings(SectionSettings):
    """Options of [one_password_client]."""

    user: Mapping[int, str] = option(
        Text(), numbered=Numbering.FROM_ONE, help="A user who may log in.", example="alice"
    )
    password: Secret = option(SecretText(), help="The password of all of them.", example="file:password.txt")


class OnePasswordClient(ClientSection):
    """Compares with the one password."""

    schema = SectionSchema(
        name="one_password_client",
        role=Role.CLIENT,
        summary="Everybody who is named has the same password.",
        settings_class=OnePasswordSettings,
    )
    settings: OnePasswordSettings

    async def authenticate(self, request: LoginRequest) -> PrimaryOutcome:
        """Accept a named user with the password (`Secret` compares in constant time)."""
        known = request.username in self.settings.user.values()
        right = request.password == self.settings.password
        if known and right:
            return PrimaryOutcome(accepted=True)
        return PrimaryOutcome(accepted=False, reason="not a user of [one_password_client], or a wrong password")
