"""[duo_only_client]: no password is checked here, because the device has checked it itself."""

from __future__ import annotations

from duoproxy.config.schema import Role, SectionSchema
from duoproxy.login.outcome import PrimaryOutcome
from duoproxy.login.request import LoginRequest
from duoproxy.sections.contracts import ClientSection
from duoproxy.sections.shared_options import SectionSettings


class DuoOnlyClient(ClientSection):
    """Accepts every name and password; the second factor is the only one that is checked."""

    schema = SectionSchema(
        name="duo_only_client",
        role=Role.CLIENT,
        summary="Checks no password: for devices that check it themselves. The section has no options of its own.",
        settings_class=SectionSettings,
    )
    checks_passwords = False

    async def authenticate(self, request: LoginRequest) -> PrimaryOutcome:
        """Accept."""
        return PrimaryOutcome(accepted=True)
