"""The shell round one login inside an EAP conversation: from an inner identity and an answer to a dialogue, and back.

It makes a `LoginRequest` of the first answer, brings further answers to its `Dialogue`, and writes the log line and the
events. What the tunnel is, and how anything is sent, it does not know.
"""

from __future__ import annotations

from collections.abc import Sequence

from attrs import evolve, field, frozen

from duoproxy.eap.actions import Accept, Ask, Judgement, Refuse
from duoproxy.errors import RemoteProtocolError
from duoproxy.login.auto_backoff import AutoBackoff, StationBackoff
from duoproxy.login.dialogue import Dialogue, DialogueOptions
from duoproxy.login.open_questions import account_of
from duoproxy.login.outcome import Cause, Outcome, Verdict
from duoproxy.login.parties import PrimaryAuthenticator, SecondFactor
from duoproxy.login.request import LoginRequest
from duoproxy.login.steps import AskStep, EndStep, Step
from duoproxy.net.radius_client import UpstreamReply
from duoproxy.net.radius_messages import ReceivedRequest
from duoproxy.radius.attributes import AttributeId, Type, all_values, first
from duoproxy.radius.credentials import MICROSOFT
from duoproxy.radius.packet import Attribute
from duoproxy.radius.relay import DeviceRequest
from duoproxy.secret import Secret
from duoproxy.sections.contracts import Environment
from duoproxy.sections.login_shell import LoginShell, LoginShellSettings, decoded_name, hidden_characters

SAID_BY_EAP = frozenset(
    {
        AttributeId(0, Type.USER_NAME),  # the inner identity
        AttributeId(0, Type.REPLY_MESSAGE),  # RFC 3579 §2.6.5: not beside EAP-Message
        AttributeId(0, Type.EAP_KEY_NAME),
        AttributeId(MICROSOFT, 16),  # MS-MPPE-Send-Key and -Recv-Key: those of the tunnel
        AttributeId(MICROSOFT, 17),
    }
)
"""Attributes that never pass through, in either direction: EAP says them itself."""


@frozen
class EapLoginSettings:
    """What a section decides about logins in EAP, beside what it decides about all.

    Attributes:
        dialogue: how it talks with its users.
        failure_text: whether the user is shown why a login failed.
        backoff: its memory of refused questions; None: every repetition asks.
    """

    dialogue: DialogueOptions
    failure_text: bool = True
    backoff: AutoBackoff | None = field(default=None, eq=False)


class EapLogins(LoginShell):
    """Makes the logins of one server section."""

    def __init__(
        self,
        settings: LoginShellSettings,
        eap_settings: EapLoginSettings,
        environment: Environment,
        primary: PrimaryAuthenticator,
        second_factor: SecondFactor,
    ) -> None:
        """Keep what every login needs."""
        super().__init__(settings, environment)
        self.eap_settings = eap_settings
        self._primary = primary
        self._second_factor = second_factor

    def begin(self) -> EapLogin:
        """Begin a login; nothing is known of it yet."""
        return EapLogin(self, self._new_login_id())

    def read_answer(self, login_id: str, answer: Secret, received: ReceivedRequest) -> Secret | None:
        """Decode an answer by `pw_codec`; None, and a line in the log, when it is not in it."""
        try:
            return Secret(answer.reveal().decode(self._settings.pw_codec))
        except UnicodeDecodeError:
            self._say_undecodable(login_id, received.device_address)
            return None

    def make_request(
        self, login_id: str, identity: str, password: Secret, received: ReceivedRequest
    ) -> LoginRequest | None:
        """Make the request of a login; None, and a line in the log, when the name cannot be used."""
        try:
            username = decoded_name(identity.encode("utf-8", "surrogateescape"), self._settings.pw_codec)
        except UnicodeDecodeError:
            self._say_undecodable(login_id, received.device_address)
            return None
        except RemoteProtocolError as fault:
            self._say_refused(received, login_id, str(fault))
            return None
        if hidden := hidden_characters(username):
            self._say_refused(received, login_id, hidden)
            return None
        return LoginRequest(
            login_id=login_id,
            username=username,
            password=password,
            device=received.device_address,
            client_ip=self._client_ip(received),
            server_section=self._environment.section_name,
            wire=DeviceRequest(received.packet, self._settings.pass_through),
        )

    def make_dialogue(self, request: LoginRequest, received: ReceivedRequest) -> Dialogue:
        """Make the dialogue of a login."""
        station = (first(received.packet.attributes, Type.CALLING_STATION_ID) or b"").decode("utf-8", "replace")
        memory = self.eap_settings.backoff
        return Dialogue(
            request,
            self._settings.policy,
            self._primary,
            self._second_factor,
            self._tools(request),
            self.eap_settings.dialogue,
            None if memory is None else StationBackoff.of(memory, request, station),
        )

    async def step(self, dialogue: Dialogue, answer: Secret | None, login_id: str) -> Step:
        """Begin a dialogue (`answer` None), or bring it an answer; a fault of ours ends it."""
        running = dialogue.begin() if answer is None else dialogue.answer(answer)
        step = await self._safely(login_id, running)
        return EndStep(step) if isinstance(step, Outcome) else step

    def now(self) -> float:
        """Read the clock (seconds, monotonic)."""
        seconds: float = self._environment.reactor.seconds()
        return seconds

    def note(self, login_id: str, step: str) -> None:
        """Tell a step of a login."""
        self._environment.login_step(login_id, step)

    def log_begin(self, request: LoginRequest, how: str) -> None:
        """Write that a login begins."""
        self._log_begin(request, how)

    def log_end(self, request: LoginRequest, outcome: Outcome, duration_s: float) -> None:
        """Write how a login ended."""
        self._log_end(request, outcome, duration_s)

    def refusal_text(self, outcome: Outcome) -> str:
        """What a user who is refused is shown; empty: nothing.

        Duo's text or ours; after a wrong password the primary's, where Reply-Message was named to pass through.
        """
        if not self.eap_settings.failure_text:
            return ""
        if outcome.user_message:
            return outcome.user_message
        upstream = outcome.primary_wire
        if outcome.cause is not Cause.PASSWORD_REFUSED or not isinstance(upstream, UpstreamReply):
            return ""
        named = evolve(self._settings.pass_through, never=frozenset())
        if not named.takes(AttributeId(0, Type.REPLY_MESSAGE)):
            return ""
        return b"".join(all_values(upstream.packet.attributes, Type.REPLY_MESSAGE)).decode("utf-8", "replace")

    def relayed(self, outcome: Outcome, answered: ReceivedRequest) -> list[Attribute]:
        """Choose what of the primary's Accept goes into that for the device."""
        upstream = outcome.primary_wire
        return self._relayed(upstream, answered, True) if isinstance(upstream, UpstreamReply) else []


class EapLogin:
    """One login: a `duoproxy.net.eap_conversation.EapLogin`.

    Attributes:
        login_id: its short unique name.
        proven_user: the account that proved a password (or that, where none is checked, was asked for a factor);
            empty: none (yet).
        accepted: both factors were right.
    """

    __slots__ = (
        "_dialogue",
        "_logins",
        "_outcome",
        "_request",
        "_started_at",
        "accepted",
        "login_id",
        "proven_user",
    )

    def __init__(self, logins: EapLogins, login_id: str) -> None:
        self.login_id = login_id
        self.proven_user = ""
        self.accepted = False
        self._logins = logins
        self._request: LoginRequest | None = None
        self._dialogue: Dialogue | None = None
        self._outcome: Outcome | None = None
        self._started_at = 0.0

    async def judge(self, identity: str, answer: Secret, received: ReceivedRequest, tunnel: str) -> Judgement:
        """Find out what an answer is worth: the first one is the password, or where none is checked the factor."""
        text = self._logins.read_answer(self.login_id, answer, received)
        if text is None:
            self.abandoned("The answer is not in the encoding of pw_codec.")
            return Refuse()
        if self._dialogue is not None:
            return self._judgement(await self._logins.step(self._dialogue, text, self.login_id))
        request = self._logins.make_request(self.login_id, identity, text, received)
        if request is None:
            return Refuse()
        self._request, self._started_at = request, self._logins.now()
        self._logins.log_begin(request, tunnel)
        self._dialogue = self._logins.make_dialogue(request, received)
        return self._judgement(await self._logins.step(self._dialogue, None, self.login_id))

    def granted(self, answered: ReceivedRequest) -> Sequence[Attribute]:
        """Give what the primary's reply adds to an Access-Accept."""
        return self._logins.relayed(self._outcome, answered) if self._outcome is not None and self.accepted else ()

    def abandoned(self, why: str) -> None:
        """End a login whose user does not come back, or whose conversation broke off."""
        outcome = self._dialogue.abandon(why) if self._dialogue is not None else None
        if outcome is not None:
            self._end(outcome)

    def _judgement(self, step: Step) -> Judgement:
        if isinstance(step, AskStep):
            if not step.by_primary:
                self._proved()
            self._logins.note(self.login_id, "The user is shown a prompt.")
            return Ask(step.text)
        outcome = step.outcome
        self._end(outcome)
        if outcome.verdict is Verdict.ACCEPT:
            self._proved()
            self.accepted = True
            return Accept()
        return Refuse(self._logins.refusal_text(outcome) or None)

    def _proved(self) -> None:
        self.proven_user = account_of(self._request.username) if self._request is not None else ""

    def _end(self, outcome: Outcome) -> None:
        self._outcome = outcome
        if self._request is not None:
            self._logins.log_end(self._request, outcome, self._logins.now() - self._started_at)
