"""One dialogue in all its parts: what the user types goes in, steps come out."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import define, field

from duoproxy.duoapi.messages import AuthAnswer, AuthQuery, Preauth
from duoproxy.login.auto_backoff import AutoBackoff, StationBackoff
from duoproxy.login.dialogue import Dialogue, DialogueOptions
from duoproxy.login.events import StageEvent
from duoproxy.login.factors import AppendMode
from duoproxy.login.outcome import Outcome
from duoproxy.login.parties import LoginTools
from duoproxy.login.policy import LoginPolicy, SecondTryLedger
from duoproxy.login.steps import AskStep, EndStep, Step
from duoproxy.secret import Secret
from duoproxy.testing import ALLOWED, FakePrimary, make_request, run_now
from tests.unit.login.kit import AUTH, PASSWORD

WRONG_CODE = AuthAnswer(False, "deny", "Incorrect passcode. Please try again.")
LOCKED_OUT = AuthAnswer(False, "locked_out", "Your account has been locked out.")
TIMED_OUT = AuthAnswer(False, "timeout", "Login timed out.")
SENT = AuthAnswer(False, "sent", "New SMS passcodes sent.")


@define
class ScriptedDuo:
    """Answers one question after the other as told (the last answer stays), and keeps what it was asked."""

    preauth_answer: Preauth | Exception = AUTH
    answers: Sequence[AuthAnswer | Exception] = (ALLOWED,)
    asked: list[AuthQuery] = field(factory=list)
    preauths: int = 0
    logins: int = 0

    def begin_login(self) -> ScriptedDuo:
        """Serve every login."""
        self.logins += 1
        return self

    async def preauth(self, username: str, client_ip: str | None) -> Preauth:
        """Answer as told."""
        self.preauths += 1
        if isinstance(self.preauth_answer, Exception):
            raise self.preauth_answer
        return self.preauth_answer

    async def authenticate(self, query: AuthQuery) -> AuthAnswer:
        """Answer as told."""
        self.asked.append(query)
        answer = self.answers[min(len(self.asked), len(self.answers)) - 1]
        if isinstance(answer, Exception):
            raise answer
        return answer


@define
class Talk:
    """Change what the test is about, then `say` what is typed: the password first."""

    duo: ScriptedDuo = field(factory=ScriptedDuo)
    primary: FakePrimary = field(factory=lambda: FakePrimary(PASSWORD))
    policy: LoginPolicy = field(factory=lambda: LoginPolicy(append=AppendMode(allow_concat=False)))
    options: DialogueOptions = field(factory=DialogueOptions)
    backoff: AutoBackoff | None = None
    now: float = 0.0
    events: list[StageEvent] = field(factory=list)
    second_tries: SecondTryLedger = field(factory=SecondTryLedger)
    dialogue: Dialogue | None = None

    def begin(self, field_text: str = PASSWORD, username: str = "alice", station: str = "02-00-00-00-00-01") -> Step:
        """Begin a login with what stands in the password field."""
        tools = LoginTools(lambda: self.now, self.events.append, self.second_tries)
        request = make_request(username, field_text)
        backoff = StationBackoff.of(self.backoff, request, station) if self.backoff is not None else None
        self.dialogue = Dialogue(request, self.policy, self.primary, self.duo, tools, self.options, backoff)
        return run_now(self.dialogue.begin())

    def answer(self, text: str | bytes) -> Step:
        """Answer the prompt."""
        assert self.dialogue is not None
        return run_now(self.dialogue.answer(Secret(text)))

    def say(self, *typed: str) -> Step:
        """Log in with the password, and answer each prompt in turn; every step but the last must be a prompt."""
        step = self.begin()
        for text in typed:
            assert isinstance(step, AskStep)
            step = self.answer(text)
        return step

    def end(self, *typed: str) -> Outcome:
        """The same, up to the end of the login."""
        return outcome_of(self.say(*typed))

    def question(self, *typed: str) -> str:
        """The same, up to another prompt: its text."""
        return text_of(self.say(*typed))


def outcome_of(step: Step) -> Outcome:
    """The outcome of the last step."""
    assert isinstance(step, EndStep), step
    return step.outcome


def text_of(step: Step) -> str:
    """The text of a prompt."""
    assert isinstance(step, AskStep), step
    return step.text
