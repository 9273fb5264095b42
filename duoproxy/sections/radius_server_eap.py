"""[radius_server_eap]: PEAP with GTC: the password and the second factor are asked for inside a TLS tunnel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from twisted.logger import Logger

from duoproxy.config.schema import Role, SectionSchema
from duoproxy.eap.authenticator import EapAuthenticator, EapLimits
from duoproxy.eap.methods.peap import PeapSettings, peap_registry
from duoproxy.errors import ListenError
from duoproxy.login.auto_backoff import AutoBackoff
from duoproxy.login.dialogue import DialogueOptions
from duoproxy.net.duo_client import DuoClient
from duoproxy.net.eap_server import EapServer
from duoproxy.net.radius_server import ReceivedRequest, Reply
from duoproxy.net.server_certificates import CertificateFault, ExpiryNotice, load_server_certificate
from duoproxy.sections.append_options import append_mode
from duoproxy.sections.certificate_checks import certificate_check
from duoproxy.sections.checks import Check
from duoproxy.sections.contracts import ClientSection, Environment, ServerSection
from duoproxy.sections.duo_checks import duo_checks
from duoproxy.sections.duo_server_options import make_duo_client, weakened
from duoproxy.sections.eap_login import SAID_BY_EAP, EapLogins, EapLoginSettings
from duoproxy.sections.radius_login_server import carries_state, shell_settings
from duoproxy.sections.radius_server_eap_options import (
    EapSettings,
    eap_advice,
    eap_findings,
    make_tls_context,
    prompt_format,
)
from duoproxy.sections.radius_server_options import listens_on, make_radius_server
from duoproxy.tls_server import TlsContextError

PASSWORD_PROMPT = "Password: "
FACTOR_PROMPT = "Passcode or factor (push, phone, sms): "


class RadiusServerEap(ServerSection):
    """Answers requests that carry EAP."""

    schema = SectionSchema(
        name="radius_server_eap",
        role=Role.SERVER,
        summary="RADIUS for NetMotion and other devices whose clients speak PEAP with GTC: password and second factor "
        "are asked for inside a TLS tunnel.",
        settings_class=EapSettings,
        takes_client=True,
        listens=listens_on,
        check=eap_findings,
        advise=eap_advice,
    )
    settings: EapSettings

    def __init__(self, settings: EapSettings, environment: Environment, client: ClientSection | None = None) -> None:
        super().__init__(settings, environment, client)
        self._duo: DuoClient | None = None
        self._logins: EapLogins | None = None
        self._eap: EapServer | None = None
        self._expiry: ExpiryNotice | None = None
        self._peap: PeapSettings | None = None
        self._log = Logger(namespace=environment.section_name)
        self._server = make_radius_server(settings, environment, self._handle)

    def bind(self) -> None:
        """Take the UDP port, and read the key, which perhaps only root may read."""
        environment, settings = self.environment, self.settings
        try:
            certificate = load_server_certificate(settings.certs, settings.pkey)
            tls = make_tls_context(settings, certificate)
        except (CertificateFault, TlsContextError) as fault:
            raise ListenError(str(fault)) from None
        asks_password = self._primary().checks_passwords
        first_prompt = PASSWORD_PROMPT if asks_password else FACTOR_PROMPT
        self._peap = PeapSettings(tls, first_prompt=first_prompt, crypto_binding=settings.crypto_binding)
        self._expiry = ExpiryNotice(
            certificate, environment.section_name, environment.reactor, environment.wall_clock, self._log
        )
        self._server.bind(settings.interface, settings.port)

    async def start(self) -> None:
        """Prepare the way to Duo, then begin to answer."""
        if self._peap is None or self._expiry is None:
            raise RuntimeError("bind comes before start")
        self._duo = make_duo_client(self.settings, self.environment)
        primary, append = self._primary(), append_mode(self.settings, allow_concat=self.settings.allow_concat)
        shell = shell_settings(self.settings, primary, append, self.settings.factors, SAID_BY_EAP)
        self._logins = EapLogins(shell, self._eap_settings(), self.environment, primary, self._duo)
        self._eap = self._make_eap_server(self._peap, self._logins)
        self._eap.start()
        self._expiry.start()
        self._server.start()

    def drain(self) -> None:
        """Begin no new conversation."""
        self._server.drain(carries_state)

    @property
    def pending(self) -> int:
        """Requests without an answer, and conversations that go on with the next."""
        return self._server.pending + (self._eap.waiting if self._eap is not None else 0)

    def status(self) -> Mapping[str, object]:
        """Tell of the listener, the conversations, the certificate and the way to Duo."""
        return {
            **self._server.status(),
            "early_devices": self._early_devices(),
            "waiting": self._eap.open_conversations if self._eap is not None else 0,
            **({"certificate_days": self._expiry.days_left()} if self._expiry is not None else {}),
            **({"duo": self._duo.status()} if self._duo is not None else {}),
            "weakened": list(weakened(self.settings)),
        }

    def _early_devices(self) -> list[dict[str, object]]:
        """Of a device that repeats its requests more is known; others are seen by what becomes of conversations."""
        repeating = self._server.early_devices
        known = {early["device"] for early in repeating}
        found = self._eap.early_devices if self._eap is not None else []
        return [*repeating, *(early for early in found if early["device"] not in known)]

    async def stop(self) -> None:
        """Stop answering; conversations whose step is in progress end with an EAP-Failure."""
        if self._logins is not None:
            self._logins.shut_down()
        await self._server.stop()
        if self._expiry is not None:
            self._expiry.stop()
        if self._eap is not None:
            self._eap.stop()
        if self._duo is not None:
            await self._duo.stop()

    def connectivity(self) -> Sequence[Check]:
        """Look at the certificate, and try the Duo service."""
        settings, environment = self.settings, self.environment
        certificate = certificate_check(settings.certs, settings.pkey, environment)
        return (certificate, *duo_checks(settings, environment))

    async def _handle(self, received: ReceivedRequest) -> Reply | None:
        return await self._eap.handle(received) if self._eap is not None else None

    def _make_eap_server(self, peap: PeapSettings, logins: EapLogins) -> EapServer:
        environment, settings = self.environment, self.settings
        methods, limits = peap_registry(peap, environment.random_bytes), EapLimits()
        return EapServer(
            section_name=environment.section_name,
            reactor=environment.reactor,
            make_machine=lambda now: EapAuthenticator(methods, environment.random_bytes, limits, now),
            make_login=logins.begin,
            random_bytes=environment.random_bytes,
            max_open=settings.max_conversations,
            max_fragment_bytes=settings.max_fragment_bytes,
        )

    def _eap_settings(self) -> EapLoginSettings:
        settings = self.settings
        dialogue = DialogueOptions(
            prompt_format=prompt_format(settings),
            factor_prompt=settings.factor_prompt,
            first_answer_is_factor=not self._primary().checks_passwords,
        )
        return EapLoginSettings(dialogue, settings.failure_text, AutoBackoff() if settings.auto_backoff else None)
