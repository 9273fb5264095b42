"""[radius_server_auto]: password and factor in one request; the factor is chosen unless the user appends one."""

from __future__ import annotations

from duoproxy.config.schema import Role, SectionSchema
from duoproxy.login.factors import AppendMode
from duoproxy.login.policy import LoginPolicy
from duoproxy.net.duo_client import DuoClient
from duoproxy.net.radius_server import RadiusServer, ReceivedRequest, Reply
from duoproxy.radius.relay import PassThrough
from duoproxy.sections.contracts import ClientSection, Environment, ServerSection
from duoproxy.sections.duo_server_options import exempt_usernames, failmode, make_duo_client
from duoproxy.sections.login_shell import LoginShellSettings, RelaysReplies
from duoproxy.sections.radius_login import RadiusLogins
from duoproxy.sections.radius_server_options import (
    FactorSettings,
    devices,
    factor_findings,
    listens_on,
    primary_down,
    radius_advice,
    radius_policy,
)


class RadiusServerAuto(ServerSection):
    """Answers PAP requests: password, then an automatic or appended second factor."""

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

    def __init__(self, settings: FactorSettings, environment: Environment, client: ClientSection | None = None) -> None:
        super().__init__(settings, environment, client)
        self._duo: DuoClient | None = None
        self._logins: RadiusLogins | None = None
        self._server = RadiusServer(
            section_name=environment.section_name,
            reactor=environment.reactor,
            devices=devices(settings),
            policy=radius_policy(settings),
            handler=self._handle,
            random_bytes=environment.random_bytes,
            dictionary=environment.dictionary,
            debug=settings.debug,
        )

    def bind(self) -> None:
        """Take the UDP port."""
        self._server.bind(self.settings.interface, self.settings.port)

    async def start(self) -> None:
        """Prepare the way to Duo, then begin to answer."""
        self._duo = make_duo_client(self.settings, self.environment)
        self._logins = RadiusLogins(self._shell_settings(), self.environment, self._primary(), self._duo)
        self._server.start()

    async def stop(self) -> None:
        """Stop answering; logins in flight get no answer."""
        await self._server.stop()
        if self._duo is not None:
            await self._duo.stop()

    async def _handle(self, received: ReceivedRequest) -> Reply | None:
        if self._logins is None:
            return None
        return await self._logins.handle(received)

    def _primary(self) -> ClientSection:
        if self.client is None:
            raise LookupError(f"[{self.environment.section_name}] was made without its client section")
        return self.client

    def _shell_settings(self) -> LoginShellSettings:
        settings, client = self.settings, self._primary()
        replies = PassThrough(settings.pass_through_all, settings.pass_through_attr_names)
        return LoginShellSettings(
            policy=LoginPolicy(
                factors=settings.factors,
                append=AppendMode(settings.allow_concat, settings.delimiter, settings.delimited_password_length),
                exempt_usernames=exempt_usernames(settings),
                failmode=failmode(settings),
                primary_down=primary_down(settings),
            ),
            pass_through=replies.merge(client.pass_through) if isinstance(client, RelaysReplies) else replies,
            client_ip_attr=settings.client_ip_attr,
            pw_codec=settings.pw_codec,
            ikey=settings.ikey,
            client_section=client.environment.section_name,
        )
