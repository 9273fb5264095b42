"""The shell round one RADIUS login with a password: from a verified request to `run_login`, and from its outcome to a
reply.

Shared by the radius_server_* sections that take PAP. It reads the few attributes that make a `LoginRequest`, and writes
the reply attributes; what every login has round it stands in `duoproxy.sections.login_shell`.
"""

from __future__ import annotations

from collections.abc import Sequence

from duoproxy.login.flow import run_login
from duoproxy.login.outcome import Cause, Outcome, Verdict
from duoproxy.login.parties import PrimaryAuthenticator, SecondFactor
from duoproxy.login.request import LoginRequest
from duoproxy.net.radius_client import UpstreamReply
from duoproxy.net.radius_messages import REJECT, ReceivedRequest, Reply
from duoproxy.radius.attributes import AttributeId, Type, all_values, first, text_attributes
from duoproxy.radius.packet import Attribute, Code
from duoproxy.radius.relay import DeviceRequest
from duoproxy.secret import Secret
from duoproxy.sections.contracts import Environment
from duoproxy.sections.login_shell import LoginShell, LoginShellSettings, decoded_name, hidden_characters

_MICROSOFT = 311
_OTHER_CREDENTIALS = {
    AttributeId(0, Type.CHAP_PASSWORD): "a CHAP-Password",
    AttributeId(0, Type.EAP_MESSAGE): "an EAP-Message",
    AttributeId(_MICROSOFT, 1): "an MS-CHAP-Response",
    AttributeId(_MICROSOFT, 25): "an MS-CHAP2-Response",
}


class RadiusLogins(LoginShell):
    """Runs the logins of one server section."""

    def __init__(
        self,
        settings: LoginShellSettings,
        environment: Environment,
        primary: PrimaryAuthenticator,
        second_factor: SecondFactor,
    ) -> None:
        """Keep what every login needs."""
        super().__init__(settings, environment)
        self._primary = primary
        self._second_factor = second_factor

    def start(self) -> None:
        """Begin what runs by itself; here nothing does."""

    def stop(self) -> None:
        """End it."""

    async def handle(self, received: ReceivedRequest) -> Reply | None:
        """Answer one Access-Request; None is silence."""
        login_id = self._new_login_id()
        request = self._login_request(received, login_id)
        if request is None:
            return REJECT
        started = self._environment.reactor.seconds()
        self._log_begin(request)
        outcome = await self._safely(login_id, self._run(request))
        self._log_end(request, outcome, self._environment.reactor.seconds() - started)
        return self._reply(outcome, login_id)

    async def _run(self, request: LoginRequest) -> Outcome:
        return await run_login(request, self._settings.policy, self._primary, self._second_factor, self._tools(request))

    def _login_request(self, received: ReceivedRequest, login_id: str) -> LoginRequest | None:
        attributes = received.packet.attributes
        password_octets = received.reveal_password()
        fault = _credentials_fault(attributes)
        if fault or password_octets is None:
            self._say_refused(received, login_id, fault)
            return None
        user_octets = first(attributes, Type.USER_NAME) or b""
        try:
            username = decoded_name(user_octets, self._settings.pw_codec)
            password = password_octets.decode(self._settings.pw_codec)
        except UnicodeDecodeError:
            self._say_undecodable(login_id, received.device_address)
            return None
        if not username.isprintable():
            self._say_refused(received, login_id, hidden_characters(username))
            return None
        return LoginRequest(
            login_id=login_id,
            username=username,
            password=Secret(password),
            device=received.device_address,
            client_ip=self._client_ip(received),
            server_section=self._environment.section_name,
            wire=DeviceRequest(received.packet),
        )

    def _reply(self, outcome: Outcome, login_id: str) -> Reply | None:
        """Make the reply that ends a login; None is silence."""
        if outcome.verdict is Verdict.SILENCE:
            return None
        accepted = outcome.verdict is Verdict.ACCEPT
        said = text_attributes(Type.REPLY_MESSAGE, outcome.user_message) if outcome.user_message else []
        upstream = outcome.primary_wire
        decided_by_primary = accepted or outcome.cause is Cause.PASSWORD_REFUSED
        code = Code.ACCESS_ACCEPT if accepted else Code.ACCESS_REJECT
        if not (isinstance(upstream, UpstreamReply) and decided_by_primary):
            return Reply(code, said, login_id)

        def attributes(answered: ReceivedRequest) -> list[Attribute]:
            return [*said, *self._relayed(upstream, answered, accepted)]

        return Reply(code, attributes, login_id)


def _credentials_fault(attributes: Sequence[Attribute]) -> str:
    """Say why a request is no PAP login; empty when it is one. Source: RFC 2865 §4.1, §5.44."""
    if len(all_values(attributes, Type.USER_NAME)) != 1:
        return "it has not exactly one User-Name. Check what the device sends"
    others = [name for attribute, name in _OTHER_CREDENTIALS.items() if first(attributes, attribute) is not None]
    passwords = len(all_values(attributes, Type.USER_PASSWORD))
    if passwords == 1 and not others:
        return ""
    found = " and ".join([*others, *["a User-Password"] * passwords]) or "no password"
    return f"it carries {found}. Only the PAP with a shared secret format is supported: set the device to PAP"
