"""One login that talks with its user: password, prompt, answer, perhaps another prompt.

For protocols that can ask more than once: GTC in PEAP, and the challenges of RADIUS. It is made of the same steps as
`duoproxy.login.flow` and knows no protocol either: whoever owns one shows an `AskStep`, brings the answer, and turns an
`EndStep` into a reply.
"""

from __future__ import annotations

import enum

from attrs import evolve, frozen

from duoproxy.duoapi.messages import AuthAnswer, AuthQuery, Factor, Preauth, PromptOption
from duoproxy.login.auto_backoff import StationBackoff
from duoproxy.login.duo_stage import (
    Choice,
    choose,
    exemption,
    is_automatic,
    judge,
    look_up,
    or_end,
    put,
    stage_event,
)
from duoproxy.login.ends import reject
from duoproxy.login.factors import AppendMode, TypedFactor
from duoproxy.login.outcome import Cause, Outcome, PrimaryQuestion
from duoproxy.login.parties import LoginTools, PrimaryAuthenticator, SecondFactor, SecondFactorLogin
from duoproxy.login.password_stage import Checked, PasswordStage, ProvenPassword
from duoproxy.login.policy import LoginPolicy
from duoproxy.login.prompt import (
    Prompt,
    PromptFormat,
    build_prompt,
    in_layout,
    is_sendable,
    parse_answer,
    parse_word_or_passcode,
)
from duoproxy.login.request import Credential, LoginRequest, PasswordProof
from duoproxy.login.steps import AskStep, EndStep, Step
from duoproxy.login.texts import NOTICES, Notice
from duoproxy.secret import Secret

MAX_PROMPTS = 3


@frozen
class DialogueOptions:
    """What a server section decides about its dialogues.

    Attributes:
        prompt_format: how the prompt looks.
        factor_prompt: whether there is a prompt; without it the automatic choice, or the factor that was appended, is
            all, as in `run_login`.
        same_answer_means_auto: whether an empty answer, or the password once more, is the automatic choice; otherwise
            both are wrong answers. The password is never sent to Duo.
        first_answer_is_factor: whether the password field holds a factor or a passcode and no password, since
            the client section checks none; it is then the first of the prompts.
        enroll_as_prompt: whether a user who must enroll is shown the address in a prompt, to end with any answer.
    """

    prompt_format: PromptFormat = PromptFormat.CONSOLE
    factor_prompt: bool = True
    same_answer_means_auto: bool = True
    first_answer_is_factor: bool = False
    enroll_as_prompt: bool = False


class _Phase(enum.Enum):
    """Where a dialogue stands: `BUSY` while a factor is being checked, and for ever after a fault in that."""

    NEW = "new"
    BUSY = "busy"
    QUESTIONED = "questioned by the primary"
    ASKING = "asking"
    TELLING = "telling"
    OVER = "over"


@frozen
class _Asked:
    """A user whom Duo wants to be asked."""

    login: SecondFactorLogin
    preauth: Preauth


class Dialogue:
    """One login, step by step: `begin` once, then `answer` after each `AskStep`."""

    def __init__(
        self,
        request: LoginRequest,
        policy: LoginPolicy,
        primary: PrimaryAuthenticator,
        second_factor: SecondFactor,
        tools: LoginTools,
        options: DialogueOptions = DialogueOptions(),
        backoff: StationBackoff | None = None,
    ) -> None:
        """Prepare; nobody is asked anything yet.

        Args:
            request: its `password` is the first answer.
            policy: the decisions of the section.
            primary: checks the password.
            second_factor: proves the second factor.
            tools: clock, events and ledger of the section.
            options: how the section talks with its users.
            backoff: what is remembered of the user's station; None: the automatic choice always asks.
        """
        self._request = request
        self._policy = policy
        self._primary = primary
        self._stage = PasswordStage(request, policy, primary, tools)
        self._choice: Choice = None
        self._answers: list[Secret] = []
        self._second_factor = second_factor
        self._tools = tools
        self._options = options
        self._backoff = backoff
        self._phase = _Phase.NEW
        self._proven: ProvenPassword | None = None
        self._asked_at = 0.0
        self._asked: _Asked | None = None
        self._prompt = Prompt("", (), options.prompt_format)
        self._prompts = 0
        self._duo_has_judged = False
        self._enroll: Outcome | None = None

    async def begin(self) -> Step:
        """Check the password field, and go on as far as possible without the user.

        Every end that can be foreseen is an `EndStep`; what is raised is a fault, and the caller rejects.
        """
        self._enter(_Phase.NEW)
        return self._leave(await self._first_answer())

    async def answer(self, answer: Credential, wire: object = None) -> Step:
        """Take the answer to the last `AskStep`; raises as `begin`.

        Args:
            answer: the text that was entered, decoded by the section's `pw_codec`; the primary may be answered by a
                proof, too.
            wire: what else came with it, for the primary; see `LoginRequest.wire`.
        """
        questioned = self._phase is _Phase.QUESTIONED
        self._enter(_Phase.QUESTIONED, _Phase.ASKING, _Phase.TELLING)
        return self._leave(await (self._answer_primary(answer, wire) if questioned else self._next_answer(answer)))

    def abandon(self, why: str = "The user did not come back with an answer.") -> Outcome | None:
        """End a dialogue whose user does not come back, or cannot; None when it is over, or nobody was asked anything.

        Args:
            why: a sentence for the log.
        """
        phase, self._phase = self._phase, _Phase.OVER
        if phase is _Phase.QUESTIONED:
            return self._stage.abandon(why)
        if phase is _Phase.OVER or self._proven is None:
            return None
        return self._ended(self._enroll or reject(Cause.PROMPT_UNANSWERED, detail=why))

    def _enter(self, *expected: _Phase) -> None:
        if self._phase not in expected:
            raise RuntimeError(f"a dialogue that is {self._phase.value} takes no answer")
        self._phase = _Phase.BUSY

    def _leave(self, step: Step) -> Step:
        if isinstance(step, EndStep):
            self._phase = _Phase.OVER
        elif step.by_primary:
            self._phase = _Phase.QUESTIONED
        else:
            self._phase = _Phase.TELLING if self._enroll else _Phase.ASKING
        return step

    async def _first_answer(self) -> Step:
        request, policy = self._request, self._policy
        if self._options.first_answer_is_factor:
            self._prompts = 1  # what was answered is one of them
            if not request.password.reveal_text().strip():
                return EndStep(_no_factor_entered())
            self._choice = parse_word_or_passcode(request.password)
            policy = evolve(policy, append=_NOTHING_APPENDED)
            self._stage = PasswordStage(request, policy, self._primary, self._tools)
        return await self._after_primary(await self._stage.begin())

    async def _answer_primary(self, answer: Credential, wire: object) -> Step:
        if isinstance(answer, Secret):
            self._answers.append(answer)
        return await self._after_primary(await self._stage.answer(answer, wire))

    async def _after_primary(self, checked: Checked) -> Step:
        if isinstance(checked, Outcome):
            return EndStep(checked)
        if isinstance(checked, PrimaryQuestion):
            return AskStep(checked.text, by_primary=True, wire=checked.wire)
        self._proven, self._asked_at = checked, self._tools.clock()
        exempt = exemption(self._request, self._policy, self._tools)
        return self._end(exempt) if exempt else await self._second_stage(self._choice or checked.typed)

    async def _second_stage(self, choice: Choice) -> Step:
        login = self._second_factor.begin_login()
        preauth = await or_end(self._policy, look_up(self._request, login, self._tools))
        if isinstance(preauth, Outcome):
            return self._refused_by_duo(preauth)
        self._asked = _Asked(login, preauth)
        if self._options.factor_prompt:
            self._prompt = build_prompt(self._request.duo_username, preauth, self._options.prompt_format)
        if choice is None and self._options.factor_prompt:
            return self._ask_user(self._prompt.text)
        return await self._ask_duo(self._asked, choice)

    def _refused_by_duo(self, outcome: Outcome) -> Step:
        if outcome.cause is not Cause.NOT_ENROLLED or not self._options.enroll_as_prompt:
            return self._end(outcome)
        self._enroll = outcome
        return self._ask_user(in_layout(outcome.user_message, self._options.prompt_format))

    async def _next_answer(self, answer: Credential) -> Step:
        if self._enroll is not None:
            return self._end(self._enroll)
        if self._asked is None:
            raise RuntimeError("a prompt was shown to nobody")
        if isinstance(answer, PasswordProof):
            return self._again(Notice.NOTHING_ENTERED, _no_factor_entered())
        repeated = self._is_password(answer)
        if repeated or not answer.reveal_text().strip():
            self._tools.step("The user answers with the password once more." if repeated else "The answer is empty.")
            if self._options.same_answer_means_auto:
                return await self._ask_duo(self._asked, None, unattended=repeated)
            return self._again(Notice.PASSWORD_AGAIN if repeated else Notice.NOTHING_ENTERED, _no_factor_entered())
        choice = parse_answer(answer, self._prompt)
        self._tools.step(f"The user answers with {_described(choice)}.")
        return await self._ask_duo(self._asked, choice)

    def _is_password(self, answer: Secret) -> bool:
        """Whether an answer is the password field, the password in it, or what the primary was answered, once more;
        outer blanks do not hide it.
        """
        if self._options.first_answer_is_factor or self._proven is None:
            return False
        credentials = (self._request.credential, self._proven.password, *self._answers)
        known = [one for one in credentials if isinstance(one, Secret)]
        # A list and not a generator: every comparison is made, whatever the first one says.
        return any([_stripped(answer) == _stripped(password) for password in known])  # noqa: C419

    async def _ask_duo(self, asked: _Asked, choice: Choice, *, unattended: bool = False) -> Step:
        """Put one question to Duo at most; `unattended`: a machine answers, so that another prompt is of no use."""
        query = choose(self._request, self._policy, choice, asked.preauth)
        if isinstance(query, Outcome):
            return self._again(Notice.NO_DEVICE, query, unattended=unattended)
        if query.passcode is not None and not is_sendable(query.passcode):
            return self._again(Notice.WRONG_PASSCODE, _no_factor_entered())
        wait_s = self._backoff.wait_s(self._tools.clock()) if self._backoff is not None and is_automatic(choice) else 0
        if wait_s:
            return self._again(Notice.BACKED_OFF, _held_back(wait_s), unattended=unattended)
        asking = put(query, asked.login, self._tools)
        answer = await or_end(self._policy, asking, asked_before=self._duo_has_judged)
        if isinstance(answer, Outcome):
            return self._end(answer)
        self._duo_has_judged = True
        if self._backoff is not None and query.factor in (Factor.PUSH, Factor.PHONE):
            self._backoff.note(self._tools.clock(), approved=answer.allowed)
        return self._judged(asked, query, answer)

    def _judged(self, asked: _Asked, query: AuthQuery, answer: AuthAnswer) -> Step:
        outcome = judge(query, answer)
        if outcome.cause is Cause.CODES_SENT:
            # The new codes begin anew, and the prompt must not name the digit of an old one.
            self._prompt = build_prompt(
                self._request.duo_username, asked.preauth, self._options.prompt_format, next_codes=False
            )
            return self._again(Notice.CODES_SENT, outcome)
        wrong = outcome.cause is Cause.FACTOR_REFUSED and query.factor is Factor.PASSCODE and answer.status == "deny"
        if wrong:
            return self._again(Notice.WRONG_PASSCODE, outcome, answer.status_message)
        return self._end(outcome)

    def _again(self, notice: Notice, outcome: Outcome, text: str = "", *, unattended: bool = False) -> Step:
        """Show the prompt once more, behind a notice (or Duo's own `text`); or end with `outcome`."""
        if unattended or not self._options.factor_prompt or self._prompts >= MAX_PROMPTS:
            return self._end(outcome)
        return self._ask_user(self._prompt.with_notice(text or NOTICES[notice]))

    def _ask_user(self, text: str) -> Step:
        self._prompts += 1
        return AskStep(text)

    def _end(self, outcome: Outcome) -> Step:
        return EndStep(self._ended(outcome))

    def _ended(self, outcome: Outcome) -> Outcome:
        """Tell the event of the second stage."""
        if self._proven is None:
            raise RuntimeError("a login without a proven password cannot come to its second stage")
        second_s = self._tools.clock() - self._asked_at
        self._tools.event(stage_event(outcome, second_s))
        return self._proven.timed(outcome, second_s)


_NOTHING_APPENDED = AppendMode(allow_concat=False)


def _no_factor_entered() -> Outcome:
    return reject(Cause.FACTOR_MISSING, detail="The user entered nothing that Duo could be asked about.")


def _held_back(wait_s: float) -> Outcome:
    detail = f"The last request of this station was not approved; for {wait_s:.0f} s more the automatic choice asks "
    return reject(Cause.BACKED_OFF, detail=detail + "nobody (auto_backoff). A factor that the user types is asked.")


def _described(choice: TypedFactor | PromptOption) -> str:
    if isinstance(choice, PromptOption):
        return f"option {choice.number}, {choice.factor.value}"
    if choice.factor is Factor.PASSCODE:
        return "a passcode, or a word that is none of ours"
    return choice.factor.value if choice.factor is not None else "auto"


def _stripped(secret: Secret) -> Secret:
    return Secret(secret.reveal_text().strip())
