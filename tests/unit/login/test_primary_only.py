"""Logins while somebody made them primary-only: the password is enough, and nothing less is."""

from __future__ import annotations

import pytest

from duoproxy.errors import ServiceUnavailable
from duoproxy.login.dialogue import Dialogue, DialogueOptions
from duoproxy.login.events import Stage, StageEvent
from duoproxy.login.factors import AppendMode
from duoproxy.login.flow import run_login
from duoproxy.login.outcome import Cause, Outcome, Verdict
from duoproxy.login.parties import LoginTools
from duoproxy.login.policy import Failmode, LoginPolicy, SecondTryLedger
from duoproxy.login.steps import EndStep
from duoproxy.testing import FakePrimary, FakeSecondFactor, make_request, run_now

PASSWORD = "correct horse"
CHECKED = LoginPolicy(checks_passwords=True)
WITH_PROMPT = DialogueOptions()


class Case:
    """Logins with 90 seconds of primary-only left."""

    def __init__(self, policy: LoginPolicy = CHECKED, left_s: float = 90.0) -> None:
        self.policy = policy
        self.left_s = left_s
        self.duo = FakeSecondFactor()
        self.primary = FakePrimary(PASSWORD)
        self.events: list[StageEvent] = []
        self.steps: list[str] = []

    def tools(self) -> LoginTools:
        return LoginTools(lambda: 0.0, self.events.append, SecondTryLedger(), lambda: self.left_s, self.steps.append)

    def run(self, password: str = PASSWORD, username: str = "alice") -> Outcome:
        request = make_request(username, password)
        return run_now(run_login(request, self.policy, self.primary, self.duo, self.tools()))

    def talk(self, options: DialogueOptions = WITH_PROMPT, password: str = PASSWORD) -> Outcome:
        request = make_request("alice", password)
        step = run_now(Dialogue(request, self.policy, self.primary, self.duo, self.tools(), options).begin())
        assert isinstance(step, EndStep)
        return step.outcome


def test_a_right_password_is_enough_and_duo_is_not_asked() -> None:
    """No call to Duo at all, not even about the user."""
    case = Case()
    outcome = case.run()
    assert (outcome.verdict, outcome.cause) == (Verdict.ACCEPT, Cause.PRIMARY_ONLY)
    assert case.duo.preauths == []
    assert case.duo.asked == []


def test_it_is_a_bypass_with_its_reason() -> None:
    """The event of the second stage says why nobody was asked, and the log says how to end it."""
    case = Case()
    outcome = case.run()
    assert outcome.cause.is_bypass
    assert [(event.stage, event.bypass_reason) for event in case.events] == [
        (Stage.PRIMARY, ""),
        (Stage.SECONDARY, "primary-only"),
    ]
    assert "authproxy_primary_only stop" in outcome.detail


def test_a_wrong_password_is_refused_as_always() -> None:
    """Nothing else changes."""
    case = Case()
    assert case.run("wrong").cause is Cause.PASSWORD_REFUSED


def test_without_a_password_check_nobody_gets_in() -> None:
    """A login that nothing checks is rejected; a section has to say that it checks passwords."""
    for policy in (LoginPolicy(), LoginPolicy(failmode=Failmode.SAFE)):
        outcome = Case(policy).run()
        assert (outcome.verdict, outcome.cause) == (Verdict.REJECT, Cause.PRIMARY_ONLY_REFUSED)
        assert not outcome.cause.is_bypass


def test_where_the_field_is_the_factor_nobody_gets_in() -> None:
    """[radius_server_duo_only], and PEAP with [duo_only_client]: the word push alone opens nothing."""
    case = Case(LoginPolicy())
    case.primary = FakePrimary("push")
    options = DialogueOptions(factor_prompt=False, first_answer_is_factor=True)
    assert case.talk(options, "push").cause is Cause.PRIMARY_ONLY_REFUSED
    assert case.duo.preauths == []


def test_a_dialogue_shows_no_prompt() -> None:
    """Challenge and PEAP end after the password."""
    assert Case().talk().cause is Cause.PRIMARY_ONLY


@pytest.mark.parametrize("typed", [PASSWORD, f"{PASSWORD},push", f"{PASSWORD},123456"])
def test_in_concat_mode_nothing_need_be_appended_and_may_be(typed: str) -> None:
    """Users type what they are used to, or the password alone."""
    policy = LoginPolicy(append=AppendMode(required=True), checks_passwords=True)
    assert Case(policy).run(typed).cause is Cause.PRIMARY_ONLY


def test_an_exempt_user_is_exempt_as_always() -> None:
    """The reason in the log is the one that also holds tomorrow."""
    policy = LoginPolicy(exempt_usernames=frozenset({"alice"}), checks_passwords=True)
    assert Case(policy).run().cause is Cause.EXEMPT_USER


def test_when_it_is_over_both_factors_are_needed() -> None:
    """0 seconds left is off."""
    case = Case(left_s=0.0)
    assert case.run().cause is Cause.APPROVED
    assert len(case.duo.preauths) == 1


def test_an_outage_while_it_is_off_is_failmodes_decision() -> None:
    """Primary-only changes nothing for failmode."""
    case = Case(left_s=0.0)
    case.duo = FakeSecondFactor(preauth_answer=ServiceUnavailable("Duo", "no connection", "look"))
    assert case.run().cause is Cause.FAILMODE_SECURE


def test_the_steps_of_a_login_are_told_without_what_was_typed() -> None:
    """What Duo said and what it was asked for; no password, no passcode, no telephone number."""
    case = Case(left_s=0.0)
    case.run(f"{PASSWORD},424242")
    assert case.steps[0].startswith("Duo says auth of the user after ")
    assert "A passcode is sent to Duo." in case.steps
    told = " ".join(case.steps)
    assert [secret for secret in (PASSWORD, "424242", "XXX-XXX-1234") if secret in told] == []
