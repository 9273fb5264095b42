"""A dialogue with a station that answers by itself: reference §10.5, `auto_backoff`."""

from __future__ import annotations

import pytest

from duoproxy.duoapi.messages import AuthAnswer
from duoproxy.errors import AnswerLost
from duoproxy.login.auto_backoff import AutoBackoff
from duoproxy.login.dialogue import DialogueOptions
from duoproxy.login.factors import AppendMode
from duoproxy.login.outcome import Cause, Verdict
from duoproxy.login.policy import LoginPolicy
from duoproxy.login.texts import NOTICES, Notice
from duoproxy.testing import ALLOWED, DENIED
from tests.unit.login.dialogue_kit import SENT, TIMED_OUT, WRONG_CODE, ScriptedDuo, Talk, outcome_of, text_of
from tests.unit.login.kit import PASSWORD

NO_PROMPT = DialogueOptions(factor_prompt=False)


def refused_once(answer: AuthAnswer = DENIED, options: DialogueOptions | None = None) -> Talk:
    """A station whose push was refused at time 0; Duo approves from then on."""
    duo = ScriptedDuo(answers=[answer, ALLOWED])
    talk = Talk(duo, backoff=AutoBackoff(), options=options or DialogueOptions())
    talk.say(*([] if options is NO_PROMPT else [PASSWORD]))
    return talk


@pytest.mark.parametrize("refusal", [DENIED, TIMED_OUT])
def test_an_unattended_repeat_gets_no_push_for_a_minute(refusal: AuthAnswer) -> None:
    """After a denied or unanswered push: a reject, and no further prompt for a machine."""
    talk = refused_once(refusal)
    talk.now = 59.0
    outcome = talk.end(PASSWORD)
    assert (outcome.verdict, outcome.cause) == (Verdict.REJECT, Cause.BACKED_OFF)
    assert "1 s more" in outcome.detail
    assert len(talk.duo.asked) == 1
    talk.now = 60.0
    assert talk.end(PASSWORD).verdict is Verdict.ACCEPT


def test_the_wait_doubles_with_every_refusal() -> None:
    """60 s, then 120 s."""
    talk = Talk(ScriptedDuo(answers=[DENIED]), backoff=AutoBackoff())
    talk.end(PASSWORD)
    talk.now = 60.0
    assert talk.end(PASSWORD).cause is Cause.FACTOR_REFUSED
    talk.now = 179.0
    assert talk.end(PASSWORD).cause is Cause.BACKED_OFF
    talk.now = 180.0
    assert talk.end(PASSWORD).cause is Cause.FACTOR_REFUSED


def test_without_a_prompt_every_login_is_unattended() -> None:
    """`factor_prompt = false`: a reject at once."""
    talk = refused_once(options=NO_PROMPT)
    assert talk.end().cause is Cause.BACKED_OFF
    assert len(talk.duo.asked) == 1


@pytest.mark.parametrize("answer", ["", "auto"])
def test_whoever_pressed_enter_is_told_to_choose(answer: str) -> None:
    """The automatic choice is held back; a word is not."""
    talk = refused_once()
    assert text_of(talk.say(answer)).startswith(NOTICES[Notice.BACKED_OFF])
    assert outcome_of(talk.answer("push")).verdict is Verdict.ACCEPT


@pytest.mark.parametrize("answer", ["push", "1", "phone2", "123456"])
def test_a_factor_that_somebody_typed_is_never_held_back(answer: str) -> None:
    """Only the automatic choice is."""
    assert refused_once().end(answer).verdict is Verdict.ACCEPT


def test_an_appended_auto_is_held_back_as_any_automatic_choice() -> None:
    """`password,auto` may be stored as well."""
    talk = refused_once(options=NO_PROMPT)
    talk.policy = LoginPolicy(append=AppendMode())
    assert outcome_of(talk.begin(f"{PASSWORD},auto")).cause is Cause.BACKED_OFF
    assert outcome_of(talk.begin(f"{PASSWORD},push")).verdict is Verdict.ACCEPT


def test_an_approval_ends_the_wait() -> None:
    """Somebody typed push and approved it: the station is attended again."""
    talk = refused_once()
    talk.end("push")
    assert talk.end(PASSWORD).verdict is Verdict.ACCEPT


def test_a_push_that_somebody_typed_and_nobody_approved_holds_back_the_next_automatic_one() -> None:
    """Denied is denied."""
    talk = Talk(ScriptedDuo(answers=[DENIED, ALLOWED]), backoff=AutoBackoff())
    talk.end("push")
    assert talk.end(PASSWORD).cause is Cause.BACKED_OFF


@pytest.mark.parametrize(("answer", "said"), [("123456", WRONG_CODE), ("sms", SENT)])
def test_passcodes_and_sms_hold_nothing_back(answer: str, said: AuthAnswer) -> None:
    """They bother nobody."""
    talk = Talk(ScriptedDuo(answers=[said, ALLOWED]), backoff=AutoBackoff())
    talk.say(answer)
    assert talk.end(PASSWORD).verdict is Verdict.ACCEPT


def test_a_lost_answer_is_no_refusal() -> None:
    """The user may have approved."""
    backoff = AutoBackoff()
    talk = Talk(ScriptedDuo(answers=[AnswerLost("Duo", "lost")]), backoff=backoff)
    talk.end(PASSWORD)
    assert len(backoff) == 0


@pytest.mark.parametrize(("username", "station"), [("bob", "02-00-00-00-00-01"), ("alice", "02-00-00-00-00-02")])
def test_another_user_or_station_is_not_held_back(username: str, station: str) -> None:
    """Device, Calling-Station-Id and user."""
    talk = refused_once(options=NO_PROMPT)
    assert outcome_of(talk.begin(username=username, station=station)).verdict is Verdict.ACCEPT


def test_another_case_of_the_name_is_the_same_user() -> None:
    """Names fold their case."""
    assert outcome_of(refused_once(options=NO_PROMPT).begin(username=" ALICE")).cause is Cause.BACKED_OFF


def test_without_auto_backoff_every_repeat_gets_its_push() -> None:
    """`auto_backoff = false`."""
    talk = Talk(ScriptedDuo(answers=[DENIED]))
    assert [talk.end(PASSWORD).cause for _ in range(3)] == [Cause.FACTOR_REFUSED] * 3
    assert len(talk.duo.asked) == 3
