"""[ldap_server_auto]: a proxy of LDAP in front of a directory; binds need a second factor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from twisted.logger import Logger

from duoproxy.config.schema import Role, SectionSchema
from duoproxy.errors import ListenError
from duoproxy.ldap.messages import ResultCode
from duoproxy.net.duo_client import DuoClient
from duoproxy.net.ldap_bind_attempt import BindAttempt, BindVerdict
from duoproxy.net.ldap_server import LdapServer
from duoproxy.net.server_certificates import CertificateFault, ExpiryNotice
from duoproxy.sections.bind_directory import DIRECTORY, BindDirectory, OffersBindDirectory
from duoproxy.sections.certificate_checks import certificate_check
from duoproxy.sections.checks import Check
from duoproxy.sections.contracts import ClientSection, Environment, ServerSection
from duoproxy.sections.duo_checks import duo_checks
from duoproxy.sections.duo_server_options import make_duo_client
from duoproxy.sections.ldap_login import LdapLogins
from duoproxy.sections.ldap_server_auto_options import (
    LdapServerSettings,
    certificate_files,
    client_limits,
    ldap_advice,
    ldap_connections,
    ldap_findings,
    ldap_listens_on,
    ldap_weakened,
    ldaps_port,
    load_certificate,
    login_settings,
    make_tls,
    relay_policy,
)
from duoproxy.tls_server import TlsContextError


class LdapServerAuto(ServerSection):
    """Relays LDAP, and asks Duo before it hands out the directory's yes to a bind."""

    schema = SectionSchema(
        name="ldap_server_auto",
        role=Role.SERVER,
        summary="LDAP for applications: everything is relayed to the directory; binds need a second factor, which is "
        "chosen unless the user appends one to the password.",
        settings_class=LdapServerSettings,
        takes_client=True,
        needs_of_client=DIRECTORY,
        listens=ldap_listens_on,
        connections=ldap_connections,
        check=ldap_findings,
        advise=ldap_advice,
    )
    settings: LdapServerSettings

    def __init__(
        self, settings: LdapServerSettings, environment: Environment, client: ClientSection | None = None
    ) -> None:
        super().__init__(settings, environment, client)
        self._log = Logger(namespace=environment.section_name)
        self._duo: DuoClient | None = None
        self._logins: LdapLogins | None = None
        self._server: LdapServer | None = None
        self._expiry: ExpiryNotice | None = None

    def bind(self) -> None:
        """Take the TCP ports, and read the key, which perhaps only root may read."""
        settings, environment = self.settings, self.environment
        directory = self._directory()
        server = LdapServer(
            section_name=environment.section_name,
            reactor=environment.reactor,
            limits=client_limits(settings),
            policy=relay_policy(settings),
            max_connections=settings.max_connections,
            answer_limit_s=directory.answer_limit_s,
            open_relay=directory.open_relay,
            judge=self._judge,
        )
        self._load_certificate(server)
        server.listen(settings.interface, settings.port)
        tls_port = ldaps_port(settings)
        if tls_port is not None:
            server.listen_tls(settings.interface, tls_port)
        self._server = server

    def _directory(self) -> BindDirectory:
        client = self._primary()
        if not isinstance(client, OffersBindDirectory):
            name = client.environment.section_name
            raise ListenError(
                f"[{name}] is no directory, and LDAP is relayed to directories only. Let client name an [ad_client]."
            )
        return client.bind_directory

    def _load_certificate(self, server: LdapServer) -> None:
        try:
            certificate = load_certificate(self.settings)
            if certificate is None:
                return
            server.tls = make_tls(self.settings, certificate)
        except (CertificateFault, TlsContextError) as fault:
            raise ListenError(str(fault)) from None
        environment = self.environment
        self._expiry = ExpiryNotice(
            certificate,
            environment.section_name,
            environment.reactor,
            environment.wall_clock,
            self._log,
            "ssl_cert_path",
        )

    async def start(self) -> None:
        """Prepare the way to Duo, then begin to judge binds."""
        if self._server is None:
            raise RuntimeError("bind comes before start")
        settings, client = self.settings, self._primary()
        self._duo = make_duo_client(settings, self.environment)
        shell = login_settings(settings, client.environment.section_name)
        self._logins = LdapLogins(shell, self.environment, self._directory(), self._duo)
        if self._expiry is not None:
            self._expiry.start()
        self._server.start()

    def drain(self) -> None:
        """Take no further connections, and refuse binds."""
        if self._server is not None:
            self._server.drain()

    @property
    def pending(self) -> int:
        """Binds that have no answer yet."""
        return self._server.pending if self._server is not None else 0

    def status(self) -> Mapping[str, object]:
        """Tell of the ports, the connections, the certificate and the way to Duo."""
        server = self._server
        ports = [("ldap", self.settings.port), ("ldaps", ldaps_port(self.settings))]
        return {
            "listeners": [
                {"protocol": protocol, "address": self.settings.interface, "port": port}
                for protocol, port in ports
                if port is not None
            ],
            "pending": self.pending,
            "connections": server.count if server is not None else 0,
            "bound": server.bound if server is not None else 0,
            **({"certificate_days": self._expiry.days_left()} if self._expiry is not None else {}),
            **({"duo": self._duo.status()} if self._duo is not None else {}),
            "weakened": list(ldap_weakened(self.settings)),
        }

    async def stop(self) -> None:
        """End every connection; binds in progress are refused with busy."""
        if self._logins is not None:
            self._logins.shut_down()
        if self._server is not None:
            await self._server.stop()
        if self._expiry is not None:
            self._expiry.stop()
        if self._duo is not None:
            await self._duo.stop()

    def connectivity(self) -> Sequence[Check]:
        """Look at the certificate, and try the Duo service."""
        settings, environment = self.settings, self.environment
        checks = list(duo_checks(settings, environment))
        files = certificate_files(settings)
        if files is not None:
            checks.insert(0, certificate_check(*files, environment, ("ssl_cert_path", "ssl_key_path")))
        return checks

    async def _judge(self, attempt: BindAttempt) -> BindVerdict:
        if self._logins is None:
            return BindVerdict(False, code=ResultCode.BUSY, text="The authentication proxy is being started.")
        return await self._logins.judge(attempt)
