"""A primary that asks the user before it decides: a new password, the code of a token, as often as it takes."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from attrs import define, field

from duoproxy.errors import PrimaryUnreachable
from duoproxy.login.dialogue import Dialogue, DialogueOptions
from duoproxy.login.events import Stage, StageEvent
from duoproxy.login.factors import AppendMode
from duoproxy.login.flow import run_login
from duoproxy.login.outcome import Cause, PrimaryOutcome, PrimaryQuestion, Verdict
from duoproxy.login.parties import LoginTools
from duoproxy.login.password_stage import MAX_PRIMARY_QUESTIONS
from duoproxy.login.policy import Failmode, LoginPolicy, PrimaryDown, SecondTryLedger
from duoproxy.login.request import LoginRequest, PasswordProof
from duoproxy.login.steps import AskStep, EndStep, Step
from duoproxy.secret import Secret
from duoproxy.testing import FakeSecondFactor, make_request, run_now

PASSWORD, CODE = "correct horse", "111111"
ACCEPTED = PrimaryOutcome(True, wire="what it granted")
AWAY = PrimaryUnreachable("RADIUS server 10.0.0.5", "no answer")
PROOF = PasswordProof("an MS-CHAP2-Response", b"octets")
NO_PROMPT = DialogueOptions(factor_prompt=False)
PROMPT = DialogueOptions(same_answer_means_auto=False)


@define
class AskingPrimary:
    """Accepts who answers each of its questions with the word that belongs to it."""

    answers: Sequence[str] = (CODE,)
    fault: Exception | None = None
    seconds: float = 0.0
    given: list[LoginRequest] = field(factory=list)
    clock: list[float] = field(factory=lambda: [0.0])

    async def authenticate(self, request: LoginRequest) -> PrimaryOutcome:
        """Ask whoever has the password, or any proof."""
        self.given.append(request)
        self.clock[0] += self.seconds
        known = isinstance(request.credential, PasswordProof) or request.password == Secret(PASSWORD)
        return self._next(0) if known else PrimaryOutcome(False, "wrong password")

    def _next(self, number: int) -> PrimaryOutcome:
        if number >= len(self.answers):
            return ACCEPTED

        async def answer(request: LoginRequest) -> PrimaryOutcome:
            self.given.append(request)
            self.clock[0] += self.seconds
            if self.fault is not None:
                raise self.fault
            known = request.password == Secret(self.answers[number])
            return self._next(number + 1) if known else PrimaryOutcome(False, "wrong code")

        question = PrimaryQuestion(f"Question {number}", answer, wire=number)
        return PrimaryOutcome(False, "asks, and nobody can be asked", question=question)


@define
class Scene:
    """One login with an asking primary."""

    primary: AskingPrimary = field(factory=AskingPrimary)
    duo: FakeSecondFactor = field(factory=FakeSecondFactor)
    policy: LoginPolicy = field(factory=LoginPolicy)
    options: DialogueOptions = NO_PROMPT
    events: list[StageEvent] = field(factory=list)
    talk: Dialogue | None = None

    def tools(self) -> LoginTools:
        return LoginTools(lambda: self.primary.clock[0], self.events.append, SecondTryLedger())

    def begin(self, text: str = PASSWORD, credential: PasswordProof | None = None) -> Step:
        request = make_request("alice", text, wire="the first request")
        if credential is not None:
            request = LoginRequest("id", "alice", credential, "192.0.2.1", None, "section", "the first request")
        self.talk = Dialogue(request, self.policy, self.primary, self.duo, self.tools(), self.options)
        return run_now(self.talk.begin())

    def answer(self, text: str, wire: object = None) -> Step:
        assert self.talk is not None
        return run_now(self.talk.answer(Secret(text), wire))


def end(step: Step) -> tuple[Verdict, Cause]:
    assert isinstance(step, EndStep)
    return step.outcome.verdict, step.outcome.cause


def test_duo_is_asked_only_after_the_primary_accepted() -> None:
    """The question is shown, its answer goes to the primary, and then comes the push."""
    scene = Scene()
    assert scene.begin() == AskStep("Question 0", by_primary=True, wire=0)
    assert (scene.duo.preauths, scene.events) == ([], [])
    step = scene.answer(CODE, "the second request")
    assert end(step) == (Verdict.ACCEPT, Cause.APPROVED)
    assert isinstance(step, EndStep)
    assert step.outcome.primary_wire == "what it granted"
    assert [request.wire for request in scene.primary.given] == ["the first request", "the second request"]
    assert [(event.stage, event.allowed) for event in scene.events] == [(Stage.PRIMARY, True), (Stage.SECONDARY, True)]


def test_as_many_rounds_as_it_takes() -> None:
    """Each answer goes to the question before it."""
    scene = Scene(AskingPrimary(("one", "two", "three")))
    scene.begin()
    assert scene.answer("one") == AskStep("Question 1", by_primary=True, wire=1)
    assert scene.answer("two") == AskStep("Question 2", by_primary=True, wire=2)
    assert end(scene.answer("three")) == (Verdict.ACCEPT, Cause.APPROVED)


def test_rounds_have_a_bound() -> None:
    """A primary that asks for ever has refused, and Duo is never asked."""
    scene = Scene(AskingPrimary(["x"] * 100))
    step = scene.begin()
    for _ in range(MAX_PRIMARY_QUESTIONS):
        assert isinstance(step, AskStep)
        step = scene.answer("x")
    assert end(step) == (Verdict.REJECT, Cause.PASSWORD_REFUSED)
    assert scene.duo.preauths == []


def test_a_wrong_answer_is_the_primarys_refusal() -> None:
    """Nobody is asked by Duo, and there is one event."""
    scene = Scene()
    scene.begin()
    assert end(scene.answer("wrong")) == (Verdict.REJECT, Cause.PASSWORD_REFUSED)
    assert scene.duo.preauths == []
    assert [(event.stage, event.allowed, event.message) for event in scene.events] == [
        (Stage.PRIMARY, False, "wrong code")
    ]


@pytest.mark.parametrize("down", PrimaryDown)
def test_a_primary_that_goes_away_between_rounds_lets_nobody_in(down: PrimaryDown) -> None:
    """primary_down, as in the first round."""
    scene = Scene(AskingPrimary(fault=AWAY), policy=LoginPolicy(primary_down=down, failmode=Failmode.SAFE))
    scene.begin()
    verdict = Verdict.SILENCE if down is PrimaryDown.SILENT else Verdict.REJECT
    assert end(scene.answer(CODE)) == (verdict, Cause.PRIMARY_UNREACHABLE)
    assert scene.duo.preauths == []


def test_an_appended_factor_waits_for_the_end_of_the_questions() -> None:
    """`password,phone`: the primary sees the password alone, and phone is what Duo is asked."""
    scene = Scene()
    assert isinstance(scene.begin(f"{PASSWORD},phone"), AskStep)
    assert end(scene.answer(CODE)) == (Verdict.ACCEPT, Cause.APPROVED)
    assert [query.factor.value for query in scene.duo.asked] == ["phone"]
    assert len(scene.primary.given) == 2


def test_answers_to_the_primary_are_not_split() -> None:
    """A new password may end in what looks like a factor."""
    scene = Scene(AskingPrimary(("new,push",)))
    scene.begin()
    assert end(scene.answer("new,push")) == (Verdict.ACCEPT, Cause.APPROVED)


def test_a_question_to_the_first_reading_ends_the_reading() -> None:
    """The whole field is not tried as a password while the primary waits for an answer."""
    scene = Scene()
    scene.begin(f"{PASSWORD},123456")
    assert len(scene.primary.given) == 1
    assert end(scene.answer("wrong")) == (Verdict.REJECT, Cause.PASSWORD_REFUSED)
    assert len(scene.primary.given) == 2


def test_the_prompt_for_the_second_factor_comes_after_the_questions() -> None:
    """Challenge mode: the primary's rounds, then Duo's."""
    scene = Scene(options=PROMPT)
    assert scene.begin() == AskStep("Question 0", by_primary=True, wire=0)
    prompt = scene.answer(CODE)
    assert isinstance(prompt, AskStep)
    assert not prompt.by_primary
    assert "Duo two-factor login for alice" in prompt.text
    assert end(scene.answer("push")) == (Verdict.ACCEPT, Cause.APPROVED)


@pytest.mark.parametrize("again", [PASSWORD, CODE, f" {CODE} "])
def test_what_the_primary_was_told_never_goes_to_duo(again: str) -> None:
    """The password, and the answers: a device that repeats them sends no new password to somebody else."""
    scene = Scene(options=PROMPT)
    scene.begin()
    scene.answer(CODE)
    step = scene.answer(again)
    assert isinstance(step, AskStep)
    assert "That was your password again." in step.text
    assert scene.duo.asked == []


def test_primary_seconds_are_the_primarys_alone() -> None:
    """The user's time is nobody's."""
    scene = Scene(AskingPrimary(seconds=2.0))
    scene.begin()
    scene.primary.clock[0] += 60
    step = scene.answer(CODE)
    assert isinstance(step, EndStep)
    assert step.outcome.primary_s == 4.0


def test_a_user_who_does_not_answer_the_primary_is_told_of_once() -> None:
    """One event, and an end with its cause; nothing after that."""
    scene = Scene()
    scene.begin()
    assert scene.talk is not None
    outcome = scene.talk.abandon()
    assert outcome is not None
    assert (outcome.verdict, outcome.cause) == (Verdict.REJECT, Cause.PROMPT_UNANSWERED)
    assert [(event.stage, event.allowed) for event in scene.events] == [(Stage.PRIMARY, False)]
    assert scene.talk.abandon() is None
    with pytest.raises(RuntimeError):
        scene.answer(CODE)


def test_exempt_users_answer_the_primary_too() -> None:
    """They need no second factor, and the whole of the first one."""
    scene = Scene(policy=LoginPolicy(exempt_usernames=frozenset({"alice"})))
    assert isinstance(scene.begin(), AskStep)
    assert end(scene.answer(CODE)) == (Verdict.ACCEPT, Cause.EXEMPT_USER)
    assert scene.duo.preauths == []


def test_where_nobody_can_be_asked_a_question_is_a_refusal() -> None:
    """`run_login` has no way to the user."""
    scene = Scene()
    tools = scene.tools()
    outcome = run_now(run_login(make_request("alice", PASSWORD), scene.policy, scene.primary, scene.duo, tools))
    assert (outcome.verdict, outcome.cause) == (Verdict.REJECT, Cause.PASSWORD_REFUSED)
    assert outcome.detail == "asks, and nobody can be asked"
    assert scene.duo.preauths == []


# ── proofs of a password ───────────────────────────────────────────────────────────────────────────────────────────


def test_a_proof_goes_to_the_primary_and_the_factor_is_automatic() -> None:
    """Nothing can stand behind it."""
    scene = Scene(AskingPrimary(()))
    assert end(scene.begin(credential=PROOF)) == (Verdict.ACCEPT, Cause.APPROVED)
    assert [request.credential for request in scene.primary.given] == [PROOF]
    assert [query.factor.value for query in scene.duo.asked] == ["push"]


def test_a_proof_carries_no_factor_where_one_is_required() -> None:
    """[radius_server_concat]: nobody is asked anything."""
    scene = Scene(policy=LoginPolicy(append=AppendMode(required=True)))
    assert end(scene.begin(credential=PROOF)) == (Verdict.REJECT, Cause.FACTOR_MISSING)
    assert (scene.primary.given, scene.duo.preauths) == ([], [])


def test_a_proof_is_never_taken_for_an_empty_password() -> None:
    """A client section that reads passwords meets a fault, not a bind without a password."""
    request = LoginRequest("id", "alice", PROOF, "192.0.2.1", None, "section")
    with pytest.raises(TypeError, match="an MS-CHAP2-Response is no password"):
        _ = request.password
    assert "octets" not in repr(request)


def test_a_proof_answers_a_prompt_for_a_factor_with_nothing() -> None:
    """Whatever the device means by it, Duo is not asked."""
    scene = Scene(AskingPrimary(()), options=PROMPT)
    scene.begin(credential=PROOF)
    assert scene.talk is not None
    step = run_now(scene.talk.answer(PROOF))
    assert isinstance(step, AskStep)
    assert "Nothing was entered." in step.text
    assert scene.duo.asked == []
