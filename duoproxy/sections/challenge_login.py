"""The shell round logins with Access-Challenges: the first request begins a dialogue, the next ones bring its answers.

A question is that for the second factor, or one of the RADIUS server that checks the password, which goes on to the
device. Owns what the device sees of a step: prompt, State and the time to answer. What a State is worth is decided in
`duoproxy.radius.challenges`, what an answer is worth in `duoproxy.login.dialogue`.

Source: RFC 2865 §2.1, §4.4, §5.24, §5.27; reference §10.3.
"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, Final

from attrs import frozen

from duoproxy.login.dialogue import Dialogue, DialogueOptions
from duoproxy.login.open_questions import account_of
from duoproxy.login.outcome import Outcome
from duoproxy.login.parties import PrimaryAuthenticator, SecondFactor
from duoproxy.login.request import LoginRequest, PasswordProof
from duoproxy.login.steps import AskStep, Step
from duoproxy.net import radius_sentences as sentences
from duoproxy.net.radius_client import UpstreamReply
from duoproxy.net.radius_messages import ReceivedRequest, Reply
from duoproxy.radius.attributes import Type, all_values, first, text_attributes
from duoproxy.radius.challenges import CHALLENGE_LIFE_S, MAX_OPEN, Asker, ChallengeTable, Standing
from duoproxy.radius.packet import MAX_VALUE_BYTES, Attribute, Code
from duoproxy.radius.relay import SAID_OF_A_PROOF, PassThrough, challenge_attributes_for_device
from duoproxy.radius.retries import fingerprint
from duoproxy.sections.contracts import Environment
from duoproxy.sections.login_shell import LoginShellSettings
from duoproxy.sections.radius_login import RadiusLogins

STOP_WAITS_FOR_ANSWER_S: Final = 30.0
"""A stop of the proxy waits for the answers to younger questions only: who has not answered by then may have gone."""
SWEEP_S: Final = 5.0
"""Between two looks for users who did not answer."""
FINGERPRINT_KEY_BYTES: Final = 32
MAX_PROMPT_BYTES: Final = 12 * MAX_VALUE_BYTES
"""Of a prompt: more than two dozen lines, and room in the packet for what else is in it."""
_INTEGER_BYTES = 4


@frozen(eq=False)
class _Conversation:
    """A login that talks, and when it began (seconds, monotonic)."""

    request: LoginRequest
    dialogue: Dialogue
    began_at: float


class ChallengeLogins(RadiusLogins):
    """Runs the logins of one server section, over as many requests as each takes."""

    def __init__(
        self,
        settings: LoginShellSettings,
        dialogue: DialogueOptions,
        environment: Environment,
        primary: PrimaryAuthenticator,
        second_factor: SecondFactor,
        max_open: int = MAX_OPEN,
    ) -> None:
        """Keep what every login needs.

        Args:
            settings: what the section decides about all its logins.
            dialogue: how it talks with its users.
            environment: of the section.
            primary: checks passwords.
            second_factor: proves second factors.
            max_open: how many users may be waited for.
        """
        super().__init__(settings, environment, primary, second_factor)
        self._dialogue = dialogue
        self._challenges: ChallengeTable[_Conversation, Reply] = ChallengeTable(environment.random_bytes, max_open)
        self._key = environment.random_bytes(FINGERPRINT_KEY_BYTES)
        self._max_open = max_open
        self._sweeping: Any = None

    @property
    def waiting(self) -> int:
        """How many users were asked a short time ago and have not answered."""
        return self._challenges.asked_since(self._now() - STOP_WAITS_FOR_ANSWER_S)

    def start(self) -> None:
        """Begin to look for users who did not answer."""
        self._sweeping = self._environment.reactor.callLater(SWEEP_S, self._sweep)

    def stop(self) -> None:
        """Look no more."""
        if self._sweeping is not None and self._sweeping.active():
            self._sweeping.cancel()

    async def handle(self, received: ReceivedRequest) -> Reply | None:
        """Answer one Access-Request; None is silence."""
        request = self._login_request(received, self._new_login_id())
        if isinstance(request, Reply):
            return request
        states = all_values(received.packet.attributes, Type.STATE)
        if states:
            return await self._answer(b"" if len(states) > 1 else states[0], request, received)
        self._log_begin(request)
        conversation = _Conversation(request, self._make_dialogue(request, received), self._now())
        return await self._step(conversation, conversation.dialogue.begin(), request, received)

    def _make_dialogue(self, request: LoginRequest, received: ReceivedRequest) -> Dialogue:
        return Dialogue(
            request,
            self._settings.policy,
            self._primary,
            self._second_factor,
            self._tools(request),
            self._dialogue,
        )

    async def _answer(self, state: bytes, answer: LoginRequest, received: ReceivedRequest) -> Reply | None:
        """Bring an answer to its question; a State that belongs to none is never the beginning of a login."""
        found = self._challenges.take(state, _asker(received), self._fingerprint(received), self._now())
        if found.standing is Standing.STRANGE:
            return self._refuse_state(received)
        conversation = found.conversation
        if conversation is None:
            return found.reply
        reply: Reply | None = None
        try:
            running = conversation.dialogue.answer(answer.credential, answer.wire)
            reply = await self._step(conversation, running, answer, received)
        finally:
            self._challenges.finish(state, reply, self._now())
        return reply

    async def _step(
        self,
        conversation: _Conversation,
        running: Coroutine[Any, Any, Step],
        request: LoginRequest,
        received: ReceivedRequest,
    ) -> Reply | None:
        """Take the step that `request` brings; a fault of ours is the end of its login."""
        step = await self._safely(conversation.request.login_id, running)
        proof = any(isinstance(one.credential, PasswordProof) for one in (conversation.request, request))
        if isinstance(step, AskStep):
            return self._challenge(conversation, step, received, proof)
        outcome = step if isinstance(step, Outcome) else step.outcome
        self._end(conversation, outcome)
        return self._reply(outcome, conversation.request.login_id, proof)

    def _challenge(self, conversation: _Conversation, step: AskStep, received: ReceivedRequest, proof: bool) -> Reply:
        state = self._asked(conversation, received, proven=not step.by_primary)
        upstream, login_id = step.wire, conversation.request.login_id
        if not isinstance(upstream, UpstreamReply):
            said = text_attributes(Type.REPLY_MESSAGE, step.text, MAX_PROMPT_BYTES)
            return Reply(Code.ACCESS_CHALLENGE, [*said, *_to_answer(state, CHALLENGE_LIFE_S)], login_id)
        tail = _to_answer(state, _time_to_answer_s(upstream))
        return Reply(Code.ACCESS_CHALLENGE, [*self._question(upstream, proof), *tail], login_id)

    def _asked(self, conversation: _Conversation, received: ReceivedRequest, proven: bool) -> bytes:
        """Give the State of a new question."""
        # Who has proven nothing makes up names as he likes: then it is the device that has its share.
        holder = account_of(conversation.request.username) if proven else received.device_address
        asker, now = _asker(received), self._now()
        state, given_up = self._challenges.ask(asker, conversation, now, proven=proven, holder=holder)
        for one in given_up:
            device = one.request.device
            self._limited.warn("evicted", device, lambda: sentences.challenge_given_up(device, self._max_open))  # noqa: B023
            self._abandon(one)
        login_id = conversation.request.login_id
        what = "a prompt" if proven else f"a question of [{self._settings.client_section}]"
        self._log.info(
            "Login {login_id}: {user!r} is shown {what}.",
            login_id=login_id,
            user=conversation.request.username,
            what=what,
        )
        self._environment.login_step(login_id, f"The user is shown {what}.")
        return state

    def _question(self, upstream: UpstreamReply, proof: bool) -> list[Attribute]:
        """Choose what of the primary's challenge goes to the device."""
        passes = self._settings.pass_through
        if proof:
            passes = passes.merge(PassThrough(names=SAID_OF_A_PROOF))
        return challenge_attributes_for_device(upstream.packet, passes, self._environment.dictionary)

    def _fingerprint(self, received: ReceivedRequest) -> bytes | None:
        attributes, credential = received.packet.attributes, received.reveal_credential()
        return fingerprint(self._key, received.device_address, attributes, credential, state_is_ours=True)

    def _now(self) -> float:
        seconds: float = self._environment.reactor.seconds()
        return seconds

    def _sweep(self) -> None:
        self._sweeping = self._environment.reactor.callLater(SWEEP_S, self._sweep)
        for conversation in self._challenges.expire(self._now()):
            self._abandon(conversation)

    def _abandon(self, conversation: _Conversation) -> None:
        outcome = conversation.dialogue.abandon()
        if outcome is not None:
            self._end(conversation, outcome)

    def _end(self, conversation: _Conversation, outcome: Outcome) -> None:
        self._log_end(conversation.request, outcome, self._now() - conversation.began_at)


def _to_answer(state: bytes, life_s: float) -> list[Attribute]:
    return [(Type.STATE, state), (Type.SESSION_TIMEOUT, int(life_s).to_bytes(_INTEGER_BYTES, "big"))]


def _time_to_answer_s(upstream: UpstreamReply) -> float:
    """So long the primary waits for the answer, and no longer than we do. Source: RFC 2865 §5.27."""
    value = first(upstream.packet.attributes, Type.SESSION_TIMEOUT) or b""
    wanted = int.from_bytes(value, "big") if len(value) == _INTEGER_BYTES else 0
    return min(float(wanted), CHALLENGE_LIFE_S) or CHALLENGE_LIFE_S


def _asker(received: ReceivedRequest) -> Asker:
    return Asker(received.device_address, first(received.packet.attributes, Type.USER_NAME) or b"")
