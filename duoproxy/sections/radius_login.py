"""The shell round one RADIUS login with a password: from a verified request to `run_login`, and from its outcome to a
reply.

Shared by the radius_server_* sections that take PAP. It reads the few attributes that make a `LoginRequest`, and writes
the log line, the events and the reply attributes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

from attrs import frozen
from twisted.logger import Logger, LogLevel

from duoproxy.errors import Disposition, RemoteProtocolError
from duoproxy.login.events import StageEvent
from duoproxy.login.flow import LoginTools, PrimaryAuthenticator, SecondFactor, run_login
from duoproxy.login.outcome import Cause, Outcome, Verdict
from duoproxy.login.policy import LoginPolicy, SecondTryLedger
from duoproxy.login.request import LoginRequest
from duoproxy.net.radius_client import UpstreamReply
from duoproxy.net.radius_server import ReceivedRequest, Reply
from duoproxy.radius.attributes import AttributeId, Type, first, text_attributes
from duoproxy.radius.client_address import read_client_address
from duoproxy.radius.packet import Attribute, Code
from duoproxy.radius.relay import PassThrough, reply_attributes_for_device
from duoproxy.secret import Secret
from duoproxy.sections.contracts import Environment

LOGIN_ID_OCTETS = 5
MAX_USERNAME_OCTETS = 253
MAX_DEVICES_NOTED = 1_000

_OTHER_CREDENTIALS = {
    int(Type.CHAP_PASSWORD): "CHAP",
    int(Type.EAP_MESSAGE): "EAP",
}
_MS_CHAP = (AttributeId(311, 1), AttributeId(311, 25))


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
            return Reply(Code.ACCESS_REJECT, ())
        started = self._environment.reactor.seconds()
        self._log.info(
            "Login {login_id}: {user!r} asks from {device}.",
            login_id=login_id,
            user=request.username,
            device=request.device,
        )
        outcome = await self._run(request)
        self._log_end(request, outcome, self._environment.reactor.seconds() - started)
        if outcome.verdict is Verdict.SILENCE:
            return None
        return self._reply(received, outcome)

    async def _run(self, request: LoginRequest) -> Outcome:
        tools = LoginTools(
            clock=self._environment.reactor.seconds,
            event=lambda event: self._environment.auth_event(self._event_fields(request, event)),
            second_tries=self._second_tries,
        )
        return await run_login(request, self._settings.policy, self._primary, self._second_factor, tools)

    def _login_request(self, received: ReceivedRequest, login_id: str) -> LoginRequest | None:
        attributes = received.packet.attributes
        user_octets = first(attributes, Type.USER_NAME)
        password_octets = received.reveal_password()
        if user_octets is None or password_octets is None:
            self._refuse_unreadable(login_id, received, user_octets)
            return None
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
        return LoginRequest(
            login_id=login_id,
            username=username,
            password=Secret(password),
            device=received.device_address,
            client_ip=self._client_ip(received),
            server_section=self._environment.section_name,
            wire=received.packet,
        )

    def _refuse_unreadable(self, login_id: str, received: ReceivedRequest, user_octets: bytes | None) -> None:
        if user_octets is None:
            what = "it names no user (User-Name). Check what the device sends"
        else:
            what = (
                f"it carries {_credentials(received)}, and only PAP with a shared secret is supported here: set the "
                f"device "
                "to PAP"
            )
        self._log.warn(
            "Login {login_id} from {device}: rejected, {what}.",
            login_id=login_id,
            device=received.device_address,
            what=what,
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

    def _reply(self, received: ReceivedRequest, outcome: Outcome) -> Reply:
        accepted = outcome.verdict is Verdict.ACCEPT
        attributes: list[Attribute] = []
        if outcome.user_message:
            attributes += text_attributes(Type.REPLY_MESSAGE, outcome.user_message)
        upstream = outcome.primary_wire
        primary_decided = outcome.cause is Cause.PASSWORD_REFUSED
        if isinstance(upstream, UpstreamReply) and (accepted or primary_decided):
            attributes += reply_attributes_for_device(
                upstream.packet,
                upstream.request_authenticator,
                upstream.secret.reveal(),
                self._settings.pass_through,
                self._environment.dictionary,
                received.secret.reveal(),
                received.packet.authenticator,
                self._environment.random_bytes,
                accepted,
            )
        return Reply(Code.ACCESS_ACCEPT if accepted else Code.ACCESS_REJECT, tuple(attributes))

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


def _credentials(received: ReceivedRequest) -> str:
    attributes = received.packet.attributes
    for number, name in _OTHER_CREDENTIALS.items():
        if first(attributes, number) is not None:
            return name
    if any(first(attributes, attribute) is not None for attribute in _MS_CHAP):
        return "MS-CHAP"
    return "no password"


def _notation(attribute: AttributeId) -> str:
    return f"{attribute.vendor}:{attribute.number}" if attribute.vendor else str(attribute.number)
