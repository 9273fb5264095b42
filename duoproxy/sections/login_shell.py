"""What every RADIUS login has round it, be it PAP or EAP.

Names and addresses that are read from attributes, the log line of its end, its events, and a fault of ours that ends in
a reject.
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from typing import Any, Protocol, TypeVar, runtime_checkable

from attrs import frozen
from twisted.internet.defer import CancelledError
from twisted.logger import Logger, LogLevel

from duoproxy.errors import Disposition, RemoteProtocolError
from duoproxy.login.events import Stage, StageEvent
from duoproxy.login.outcome import Cause, Outcome, Verdict
from duoproxy.login.parties import LoginTools
from duoproxy.login.policy import LoginPolicy, SecondTryLedger
from duoproxy.login.request import LoginRequest
from duoproxy.login.texts import USER_TEXTS
from duoproxy.net.radius_client import UpstreamReply
from duoproxy.net.radius_messages import ReceivedRequest
from duoproxy.radius.attributes import AttributeId, first
from duoproxy.radius.client_address import read_client_address
from duoproxy.radius.packet import Attribute
from duoproxy.radius.relay import PassThrough, reply_attributes_for_device
from duoproxy.sections.contracts import Environment

ResultT = TypeVar("ResultT")

LOGIN_ID_OCTETS = 5
MAX_USERNAME_OCTETS = 253
MAX_DEVICES_NOTED = 1_000
_NOTHING = PassThrough()


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
        takes_proofs: whether a CHAP or MS-CHAP proof may stand in the place of a password.
    """

    policy: LoginPolicy
    pass_through: PassThrough
    client_ip_attr: AttributeId
    pw_codec: str
    ikey: str
    client_section: str
    takes_proofs: bool = False


@runtime_checkable
class RelaysReplies(Protocol):
    """A client section that itself names attributes of its replies which pass through."""

    pass_through: PassThrough


class LoginShell:
    """What the logins of one server section share."""

    def __init__(self, settings: LoginShellSettings, environment: Environment) -> None:
        """Keep what every login needs."""
        self._settings = settings
        self._environment = environment
        self._second_tries = SecondTryLedger()
        self._devices_noted: set[str] = set()
        self._shutting_down = False
        self._log = Logger(namespace=environment.section_name)

    @property
    def waiting(self) -> int:
        """How many logins wait for their user's next answer, and a stop of the proxy for them."""
        return 0

    def shut_down(self) -> None:
        """From now on a login that is cancelled ends with a reject and `Cause.SHUTDOWN`."""
        self._shutting_down = True

    def _new_login_id(self) -> str:
        return self._environment.random_bytes(LOGIN_ID_OCTETS).hex()

    def _tools(self, request: LoginRequest) -> LoginTools:
        return LoginTools(
            clock=self._environment.reactor.seconds,
            event=lambda event: self._stage_ended(request, event),
            second_tries=self._second_tries,
            primary_only_s=self._environment.primary_only_s,
            step=lambda step: self._environment.login_step(request.login_id, step),
        )

    def _stage_ended(self, request: LoginRequest, event: StageEvent) -> None:
        self._environment.auth_event(self._event_fields(request, event))
        if event.stage is Stage.PRIMARY:
            self._environment.login_step(request.login_id, self._said_of_password(event))

    def _said_of_password(self, event: StageEvent) -> str:
        client, after = self._settings.client_section, f"after {event.duration_s:.3f} s"
        if not event.allowed:
            return f"[{client}] did not take the password, {after}: {event.message}"
        if not self._settings.policy.checks_passwords:
            return "No password is checked here: the device has done that."
        return f"[{client}] took the password, {after}."

    def _log_begin(self, request: LoginRequest, how: str = "") -> None:
        self._log.info(
            "Login {login_id}: {user!r} asks from {device}{how}.",
            login_id=request.login_id,
            user=request.username,
            device=request.device,
            how=f" ({how})" if how else "",
        )

    async def _safely(self, login_id: str, running: Awaitable[ResultT]) -> ResultT | Outcome:
        """Run a login; a fault of ours is one more way to end it: with a reject, a line, and its login id."""
        try:
            return await running
        except RemoteProtocolError:
            raise
        except CancelledError:
            if not self._shutting_down:
                raise
            detail = "The proxy was stopped before the login had an end: see shutdown_grace of [main]."
            return Outcome(Verdict.REJECT, Cause.SHUTDOWN, USER_TEXTS[Cause.SHUTDOWN], detail)
        except Exception:  # noqa: BLE001 - whatever it is, it lets nobody in
            self._log.failure("Login {login_id}: a fault in duoproxy itself.", login_id=login_id)
            text, detail = (
                USER_TEXTS[Cause.FAULT],
                "A fault in duoproxy itself: please report it with the lines before.",
            )
            return Outcome(Verdict.REJECT, Cause.FAULT, text, detail)

    def _say_undecodable(self, login_id: str, device: str) -> None:
        self._log.warn(
            "Login {login_id} from {device}: rejected, the name or password is not valid {codec}. Set pw_codec of "
            "[{section}] to the encoding that the device sends, such as latin-1.",
            login_id=login_id,
            device=device,
            codec=self._settings.pw_codec,
            section=self._environment.section_name,
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

    def _relayed(
        self, upstream: UpstreamReply, answered: ReceivedRequest, accepted: bool, always: PassThrough = _NOTHING
    ) -> list[Attribute]:
        """Choose what of the primary's reply goes to the device, hidden values made anew for the request answered.

        Args:
            upstream: the primary's reply.
            answered: the request that is answered.
            accepted: whether the device gets an Access-Accept.
            always: what goes there without being named.
        """
        return reply_attributes_for_device(
            upstream.packet,
            upstream.request_authenticator,
            upstream.secret.reveal(),
            self._settings.pass_through.merge(always),
            self._environment.dictionary,
            answered.secret.reveal(),
            answered.packet.authenticator,
            self._environment.random_bytes,
            accepted,
        )

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


def decoded_name(octets: bytes, codec: str) -> str:
    """Decode a user name: UTF-8 as RFC 2865 §5.1 has it, else the encoding of the section."""
    if len(octets) > MAX_USERNAME_OCTETS:
        raise RemoteProtocolError("User-Name is too long", Disposition.REJECT)
    try:
        return octets.decode("utf-8")
    except UnicodeDecodeError:
        return octets.decode(codec)


def hidden_characters(username: str) -> str:
    """Say why a name with characters that cannot be seen is refused.

    A password check may pass over a NUL or a zero-width character, so that the name is that of somebody whom Duo knows
    by another one: Duo would judge a stranger, or fail, and either may let in.
    """
    return f"the User-Name {username!r} has characters that cannot be seen. Check what the device sends"


def _notation(attribute: AttributeId) -> str:
    return f"{attribute.vendor}:{attribute.number}" if attribute.vendor else str(attribute.number)
