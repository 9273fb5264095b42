"""The shell round one RADIUS login with a password: from a verified request to `run_login`, and from its outcome to a
reply.

Shared by the radius_server_* sections that take PAP. It reads the few attributes that make a `LoginRequest`, and writes
the log line, the events and the reply attributes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from attrs import frozen
from twisted.internet.defer import CancelledError
from twisted.logger import Logger, LogLevel

from duoproxy.errors import Disposition, RemoteProtocolError
from duoproxy.login.events import StageEvent
from duoproxy.login.flow import LoginTools, PrimaryAuthenticator, SecondFactor, run_login
from duoproxy.login.outcome import Cause, Outcome, Verdict
from duoproxy.login.policy import LoginPolicy, SecondTryLedger
from duoproxy.login.request import LoginRequest
from duoproxy.login.texts import USER_TEXTS
from duoproxy.net.radius_client import UpstreamReply
from duoproxy.net.radius_messages import REJECT, ReceivedRequest, Reply
from duoproxy.radius.attributes import AttributeId, Type, all_values, first, text_attributes
from duoproxy.radius.client_address import read_client_address
from duoproxy.radius.packet import Attribute, Code
from duoproxy.radius.relay import PassThrough, reply_attributes_for_device
from duoproxy.secret import Secret
from duoproxy.sections.contracts import Environment

LOGIN_ID_OCTETS = 5
MAX_USERNAME_OCTETS = 253
MAX_DEVICES_NOTED = 1_000

_MICROSOFT = 311
_OTHER_CREDENTIALS = {
    AttributeId(0, Type.CHAP_PASSWORD): "a CHAP-Password",
    AttributeId(0, Type.EAP_MESSAGE): "an EAP-Message",
    AttributeId(_MICROSOFT, 1): "an MS-CHAP-Response",
    AttributeId(_MICROSOFT, 25): "an MS-CHAP2-Response",
}


@frozen
class LoginShellSettings:
    """What a section decides about its logins.

    Attributes:
        policy: for the flow.
        pass_through: which attributes of the primary's reply go to the device.
        client_ip_attr: where the end user's address stands.
        pw_codec: encoding of the password.
        ikey: for events.
        client_section: name of the client section, for events.
    """

    policy: LoginPolicy
    pass_through: PassThrough
    client_ip_attr: AttributeId
    pw_codec: str
    ikey: str
    client_section: str


@runtime_checkable
class RelaysReplies(Protocol):
    """A client section that itself names attributes of its replies which pass through."""

    pass_through: PassThrough


class RadiusLogins:
    """Runs the logins of one server section."""

    def __init__(
        self,
        settings: LoginShellSettings,
        environment: Environment,
        primary: PrimaryAuthenticator,
        second_factor: SecondFactor,
    ) -> None:
        """Keep what every login needs."""
        self._settings = settings
        self._environment = environment
        self._primary = primary
        self._second_factor = second_factor
        self._second_tries = SecondTryLedger()
        self._devices_noted: set[str] = set()
        self._log = Logger(namespace=environment.section_name)

    async def handle(self, received: ReceivedRequest) -> Reply | None:
        """Answer one Access-Request; None is silence."""
        login_id = self._environment.random_bytes(LOGIN_ID_OCTETS).hex()
        request = self._login_request(received, login_id)
        if request is None:
            return REJECT
        started = self._environment.reactor.seconds()
        self._log.info(
            "Login {login_id}: {user!r} asks from {device}.",
            login_id=login_id,
            user=request.username,
            device=request.device,
        )
        outcome = await self._run_safely(request)
        self._log_end(request, outcome, self._environment.reactor.seconds() - started)
        if outcome.verdict is Verdict.SILENCE:
            return None
        return self._reply(outcome)

    async def _run_safely(self, request: LoginRequest) -> Outcome:
        """Run a login; a fault of ours is one more way to end it: with a reject, a line, and its login id."""
        try:
            return await self._run(request)
        except (CancelledError, RemoteProtocolError):
            raise
        except Exception:  # noqa: BLE001 - whatever it is, it lets nobody in
            self._log.failure("Login {login_id}: a fault in duoproxy itself.", login_id=request.login_id)
            text, detail = (
                USER_TEXTS[Cause.FAULT],
                "A fault in duoproxy itself: please report it with the lines before.",
            )
            return Outcome(Verdict.REJECT, Cause.FAULT, text, detail)

    async def _run(self, request: LoginRequest) -> Outcome:
        tools = LoginTools(
            clock=self._environment.reactor.seconds,
            event=lambda event: self._environment.auth_event(self._event_fields(request, event)),
            second_tries=self._second_tries,
        )
        return await run_login(request, self._settings.policy, self._primary, self._second_factor, tools)

    def _login_request(self, received: ReceivedRequest, login_id: str) -> LoginRequest | None:
        attributes = received.packet.attributes
        password_octets = received.reveal_password()
        fault = _credentials_fault(attributes)
        if fault or password_octets is None:
            self._say_refused(received, login_id, fault)
            return None
        user_octets = first(attributes, Type.USER_NAME) or b""
        try:
            username = _decoded(user_octets, self._settings.pw_codec)
            password = password_octets.decode(self._settings.pw_codec)
        except UnicodeDecodeError:
            self._log.warn(
                "Login {login_id} from {device}: rejected, the name or password is not valid {codec}. Set pw_codec of "
                "[{section}] to the encoding that the device sends, such as latin-1.",
                login_id=login_id,
                device=received.device_address,
                codec=self._settings.pw_codec,
                section=self._environment.section_name,
            )
            return None
        if not username.isprintable():
            self._say_refused(received, login_id, _hidden_characters(username))
            return None
        return LoginRequest(
            login_id=login_id,
            username=username,
            password=Secret(password),
            device=received.device_address,
            client_ip=self._client_ip(received),
            server_section=self._environment.section_name,
            wire=received.packet,
        )

    def _say_refused(self, received: ReceivedRequest, login_id: str, fault: str) -> None:
        self._log.warn(
            "Login {login_id} from {device}: rejected, {fault}.",
            login_id=login_id,
            device=received.device_address,
            fault=fault,
        )

    def _client_ip(self, received: ReceivedRequest) -> str | None:
        attribute = self._settings.client_ip_attr
        value = first(received.packet.attributes, attribute)
        if value is None:
            return None
        definition = self._environment.dictionary.find(_notation(attribute))
        address = read_client_address(value, definition.data_type if definition else "octets")
        device = received.device_address
        if address is None and device not in self._devices_noted and len(self._devices_noted) < MAX_DEVICES_NOTED:
            self._devices_noted.add(device)
            self._log.warn(
                "Device {device} sends no address in {attribute}, so Duo is told none. Name the attribute that has it "
                "with "
                "client_ip_attr of [{section}].",
                device=device,
                attribute=self._environment.dictionary.name_of(attribute),
                section=self._environment.section_name,
            )
        return address

    def _reply(self, outcome: Outcome) -> Reply:
        accepted = outcome.verdict is Verdict.ACCEPT
        said = text_attributes(Type.REPLY_MESSAGE, outcome.user_message) if outcome.user_message else []
        upstream = outcome.primary_wire
        decided_by_primary = accepted or outcome.cause is Cause.PASSWORD_REFUSED
        code = Code.ACCESS_ACCEPT if accepted else Code.ACCESS_REJECT
        if not (isinstance(upstream, UpstreamReply) and decided_by_primary):
            return Reply(code, said)

        def attributes(answered: ReceivedRequest) -> list[Attribute]:
            relayed = reply_attributes_for_device(
                upstream.packet,
                upstream.request_authenticator,
                upstream.secret.reveal(),
                self._settings.pass_through,
                self._environment.dictionary,
                answered.secret.reveal(),
                answered.packet.authenticator,
                self._environment.random_bytes,
                accepted,
            )
            return [*said, *relayed]

        return Reply(code, attributes)

    def _log_end(self, request: LoginRequest, outcome: Outcome, duration_s: float) -> None:
        worrying = outcome.cause.is_bypass or outcome.cause in _WORRYING
        self._log.emit(
            LogLevel.warn if worrying else LogLevel.info,
            "Login {login_id}: user={user!r} device={device} section={section} factor={factor} result={result} "
            "cause={cause} duration={duration:.3f}s primary={primary:.3f}s second_factor={second:.3f}s{detail}",
            login_id=request.login_id,
            user=request.username,
            device=request.device,
            section=request.server_section,
            factor=outcome.factor or "none",
            result=outcome.verdict.value,
            cause=outcome.cause.value,
            duration=duration_s,
            primary=outcome.primary_s,
            second=outcome.second_factor_s,
            detail=f" | {outcome.detail}" if outcome.detail else "",
        )

    def _event_fields(self, request: LoginRequest, event: StageEvent) -> Mapping[str, Any]:
        return {
            "username": request.username,
            "auth_stage": event.stage.value,
            "status": "Allow" if event.allowed else "Reject",
            "msg": event.message,
            "factor": event.factor or None,
            "client_ip": request.client_ip,
            "server_section": request.server_section,
            "server_section_ikey": self._settings.ikey,
            "client_section": self._settings.client_section,
            "login_id": request.login_id,
            "duration_s": round(event.duration_s, 3),
            "bypass_reason": event.bypass_reason or None,
        }


_WORRYING = frozenset(
    {Cause.PRIMARY_UNREACHABLE, Cause.FAILMODE_SECURE, Cause.DUO_REFUSED_US, Cause.ANSWER_LOST, Cause.FAULT}
)


def _decoded(octets: bytes, codec: str) -> str:
    """Decode a user name: UTF-8 as RFC 2865 §5.1 has it, else the encoding of the section."""
    if len(octets) > MAX_USERNAME_OCTETS:
        raise RemoteProtocolError("User-Name is too long", Disposition.REJECT)
    try:
        return octets.decode("utf-8")
    except UnicodeDecodeError:
        return octets.decode(codec)


def _hidden_characters(username: str) -> str:
    """Say why a name with characters that cannot be seen is refused.

    A password check may pass over a NUL or a zero-width character, so that the name is that of somebody whom Duo knows
    by another one: Duo would judge a stranger, or fail, and either may let in.
    """
    return f"the User-Name {username!r} has characters that cannot be seen. Check what the device sends"


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


def _notation(attribute: AttributeId) -> str:
    return f"{attribute.vendor}:{attribute.number}" if attribute.vendor else str(attribute.number)
