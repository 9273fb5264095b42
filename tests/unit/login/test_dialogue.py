"""A login that talks with its user: reference §10.5, the second prompt, and §10.4, the texts in EAP."""

from __future__ import annotations

import hmac

import pytest

from duoproxy.duoapi.messages import AuthAnswer, Factor, Preauth, PreauthResult, PromptOption
from duoproxy.errors import AnswerLost, PrimaryUnreachable, ServiceRefused, ServiceUnavailable
from duoproxy.login.dialogue import MAX_PROMPTS, DialogueOptions
from duoproxy.login.events import Stage
from duoproxy.login.factors import AppendMode
from duoproxy.login.outcome import Cause, PrimaryOutcome, Verdict
from duoproxy.login.policy import Failmode, LoginPolicy, PrimaryDown
from duoproxy.login.prompt import MAX_PASSCODE_OCTETS, PromptFormat
from duoproxy.login.texts import NOTICES, Notice
from duoproxy.testing import ALLOWED, DENIED, PHONE, FakePrimary, run_now
from tests.unit.login.dialogue_kit import (
    LOCKED_OUT,
    SENT,
    TIMED_OUT,
    WRONG_CODE,
    ScriptedDuo,
    Talk,
    outcome_of,
    text_of,
)
from tests.unit.login.kit import LANDLINE, PASSWORD, TOKEN

AWAY = ServiceUnavailable("Duo (api.example)", "no connection", "check the firewall")
APPEND = LoginPolicy(append=AppendMode())
CHALLENGE = DialogueOptions(same_answer_means_auto=False, enroll_as_prompt=True)
FACTOR_FIRST = DialogueOptions(first_answer_is_factor=True)


def asked(talk: Talk) -> list[tuple[Factor, str]]:
    """What Duo was asked: factor, and device or passcode."""
    return [(q.factor, q.passcode.reveal_text() if q.passcode else q.device_id) for q in talk.duo.asked]


# ── the prompt and its answers ───────────────────────────────────────────────────────────────────────────────────


def test_after_the_password_the_user_is_shown_the_prompt() -> None:
    """The second prompt: nobody was asked anything by Duo yet."""
    talk = Talk()
    text = talk.question()
    assert text.startswith("Duo two-factor login for alice\n\n")
    assert " 4. Phone call to XXX-XXX-9999\n" in text
    assert talk.duo.asked == []
    assert [(e.stage, e.allowed) for e in talk.events] == [(Stage.PRIMARY, True)]


@pytest.mark.parametrize(
    ("answer", "question"),
    [
        ("1", (Factor.PUSH, "DP1")),
        ("4", (Factor.PHONE, "DP2")),
        ("push", (Factor.PUSH, "DP1")),
        ("Phone2", (Factor.PHONE, "DP2")),
        ("123456", (Factor.PASSCODE, "123456")),
        ("7", (Factor.PASSCODE, "7")),
        ("auto", (Factor.PUSH, "DP1")),
        ("", (Factor.PUSH, "DP1")),
        (" \n", (Factor.PUSH, "DP1")),
        (PASSWORD, (Factor.PUSH, "DP1")),
    ],
)
def test_an_answer_is_one_question_to_duo(answer: str, question: tuple[Factor, str]) -> None:
    """A number, a word, a passcode; empty, auto or the password again is the automatic choice."""
    talk = Talk()
    outcome = talk.end(answer)
    assert (outcome.verdict, outcome.cause) == (Verdict.ACCEPT, Cause.APPROVED)
    assert outcome.user_message == "Success. Logging you in..."
    assert asked(talk) == [question]
    assert [(e.stage, e.allowed) for e in talk.events] == [(Stage.PRIMARY, True), (Stage.SECONDARY, True)]


def test_the_services_own_prompt_is_used_with_its_numbers() -> None:
    """The v1 API: 1 is what `factors` says that 1 is."""
    options = (PromptOption(1, Factor.PHONE, "phone1"), PromptOption(2, Factor.PUSH, "phone1"))
    answer = Preauth(PreauthResult.AUTH, devices=(PHONE,), prompt="Duo login\n 1. x\n 2. y", prompt_options=options)
    talk = Talk(ScriptedDuo(answer))
    assert talk.question() == "Duo login\n 1. x\n 2. y"
    assert outcome_of(talk.answer("1")).verdict is Verdict.ACCEPT
    assert asked(talk) == [(Factor.PHONE, "phone1")]


@pytest.mark.parametrize("refusal", [DENIED, TIMED_OUT, LOCKED_OUT])
def test_a_refused_push_ends_the_login_with_duos_words(refusal: AuthAnswer) -> None:
    """Denied, not answered, locked out."""
    talk = Talk(ScriptedDuo(answers=[refusal]))
    outcome = talk.end("push")
    assert (outcome.verdict, outcome.cause) == (Verdict.REJECT, Cause.FACTOR_REFUSED)
    assert outcome.user_message == refusal.status_message


def test_a_wrong_passcode_prompts_again() -> None:
    """Three prompts in all, then reject."""
    talk = Talk(ScriptedDuo(answers=[WRONG_CODE]))
    first = talk.question()
    assert talk.question("111111") == f"Incorrect passcode. Please try again.\n\n{first}"
    assert talk.question("111111", "222222") == f"Incorrect passcode. Please try again.\n\n{first}"
    talk.duo.asked.clear()
    outcome = talk.end("111111", "222222", "333333")
    assert (outcome.verdict, outcome.cause) == (Verdict.REJECT, Cause.FACTOR_REFUSED)
    assert [passcode for _, passcode in asked(talk)] == ["111111", "222222", "333333"]
    assert MAX_PROMPTS == 3


def test_a_wrong_passcode_and_then_a_right_one_is_an_accept() -> None:
    """Wrong then right; one event for the stage."""
    talk = Talk(ScriptedDuo(answers=[WRONG_CODE, ALLOWED]))
    assert talk.end("111111", "222222").cause is Cause.APPROVED
    assert len(talk.events) == 2
    assert talk.duo.preauths == 1


def test_an_account_locked_by_passcodes_is_not_asked_again() -> None:
    """Locked out is the end, whatever may still be typed."""
    talk = Talk(ScriptedDuo(answers=[WRONG_CODE, LOCKED_OUT]))
    outcome = talk.end("111111", "222222")
    assert outcome.user_message == "Your account has been locked out."


def test_sms_sends_codes_and_prompts_again() -> None:
    """Codes sent, enter one; the prompt names no digit of an old code."""
    phone = PHONE.__class__("DP1", True, frozenset({"sms"}), "XXX-XXX-1234", "7")
    talk = Talk(ScriptedDuo(Preauth(PreauthResult.AUTH, devices=(phone,)), [SENT, ALLOWED]))
    assert "(next code starts with: 7)" in talk.question()
    again = text_of(talk.answer("sms"))
    assert again.startswith("New SMS passcodes sent. Enter one of them.\n\nDuo two-factor login")
    assert "next code" not in again
    assert outcome_of(talk.answer("1234567")).cause is Cause.APPROVED
    assert asked(talk) == [(Factor.SMS, "DP1"), (Factor.PASSCODE, "1234567")]


def test_sms_never_lets_in_whatever_the_service_says() -> None:
    """Not even with the result allow."""
    talk = Talk(ScriptedDuo(answers=[AuthAnswer(True, "sent", "Sent.")]))
    assert text_of(talk.say("3")).startswith(NOTICES[Notice.CODES_SENT])
    refused = Talk(ScriptedDuo(answers=[AuthAnswer(True, "allow", "Hm.")]))
    assert refused.end("sms").verdict is Verdict.REJECT


def test_sms_at_the_last_prompt_ends_the_login() -> None:
    """Codes were sent; they are for the next login."""
    talk = Talk(ScriptedDuo(answers=[WRONG_CODE, WRONG_CODE, SENT]))
    outcome = talk.end("111111", "222222", "sms")
    assert (outcome.verdict, outcome.cause) == (Verdict.REJECT, Cause.CODES_SENT)


def test_a_device_that_cannot_do_it_prompts_again() -> None:
    """`push2` at a landline: nobody is asked, and the user may choose something else."""
    talk = Talk()
    assert text_of(talk.say("push2")).startswith(NOTICES[Notice.NO_DEVICE])
    assert talk.duo.asked == []
    assert outcome_of(talk.answer("phone2")).verdict is Verdict.ACCEPT


@pytest.mark.parametrize("answer", ["x" * (MAX_PASSCODE_OCTETS + 1), b"\xff\xfe"])
def test_what_cannot_be_a_passcode_is_not_sent(answer: str | bytes) -> None:
    """Too long, or no text."""
    talk = Talk()
    talk.begin()
    assert text_of(talk.answer(answer)).startswith(NOTICES[Notice.WRONG_PASSCODE])
    assert talk.duo.asked == []


@pytest.mark.parametrize(
    ("layout", "begin"),
    [(PromptFormat.SHORT, f"{NOTICES[Notice.NO_DEVICE]} 1:push "), (PromptFormat.HTML, "<p>None of your devices")],
)
def test_every_prompt_has_the_layout_of_the_section(layout: PromptFormat, begin: str) -> None:
    """`prompt_format`."""
    assert Talk(options=DialogueOptions(layout)).question("push9").startswith(begin)


# ── empty, auto, the same password ───────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("password", ["push2", "1", "123456", "sms"])
def test_the_same_password_is_looked_for_before_anything_else(password: str) -> None:
    """A password that looks like an answer: automatic, and not sent to Duo."""
    talk = Talk(primary=FakePrimary(password))
    text_of(talk.begin(password))
    assert outcome_of(talk.answer(password)).verdict is Verdict.ACCEPT
    assert asked(talk) == [(Factor.PUSH, "DP1")]


def test_the_same_password_is_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both readings, and each with compare_digest."""
    compared: list[tuple[bytes, bytes]] = []

    def compare_digest(left: bytes, right: bytes) -> bool:
        compared.append((left, right))
        return left == right

    talk = Talk(policy=APPEND, duo=ScriptedDuo(answers=[SENT, ALLOWED]))
    talk.begin(f"{PASSWORD},sms")
    monkeypatch.setattr(hmac, "compare_digest", compare_digest)
    talk.answer(f"{PASSWORD},sms")
    assert [right for _, right in compared] == [f"{PASSWORD},sms".encode(), PASSWORD.encode()]


@pytest.mark.parametrize("again", [f"{PASSWORD},123456", PASSWORD, f" {PASSWORD} "])
def test_the_stored_field_with_its_factor_is_never_a_passcode(again: str) -> None:
    """A supplicant that stored `password,123456` repeats it: automatic."""
    talk = Talk(policy=APPEND, duo=ScriptedDuo(answers=[WRONG_CODE, ALLOWED]))
    text_of(talk.begin(f"{PASSWORD},123456"))
    assert outcome_of(talk.answer(again)).verdict is Verdict.ACCEPT
    assert asked(talk) == [(Factor.PASSCODE, "123456"), (Factor.PUSH, "DP1")]


@pytest.mark.parametrize("refusal", [DENIED, TIMED_OUT])
def test_the_same_password_is_automatic_once_in_a_session(refusal: AuthAnswer) -> None:
    """Whatever becomes of the push, the session ends with it."""
    talk = Talk(ScriptedDuo(answers=[refusal]))
    assert talk.end(PASSWORD).cause is Cause.FACTOR_REFUSED


def test_a_stored_password_gets_no_second_prompt_when_no_device_can_push() -> None:
    """A machine would answer that with the password, too."""
    talk = Talk(ScriptedDuo(Preauth(PreauthResult.AUTH, devices=(TOKEN,))))
    outcome = talk.end(PASSWORD)
    assert (outcome.verdict, outcome.cause) == (Verdict.REJECT, Cause.NO_USABLE_FACTOR)


def test_an_empty_answer_without_a_device_prompts_again() -> None:
    """Somebody pressed Enter, and may type a passcode now."""
    talk = Talk(ScriptedDuo(Preauth(PreauthResult.AUTH, devices=(TOKEN,))))
    assert outcome_of(talk.say("", "123456")).verdict is Verdict.ACCEPT


@pytest.mark.parametrize("answer", ["", "auto", PASSWORD])
def test_the_automatic_choice_never_picks_sms(answer: str) -> None:
    """Even where sms is all that there is."""
    devices = (PHONE.__class__("DP1", True, frozenset({"sms"})),)
    policy = LoginPolicy(factors=("sms", "auto", "passcode"), append=AppendMode(allow_concat=False))
    talk = Talk(ScriptedDuo(Preauth(PreauthResult.AUTH, devices=devices)), policy=policy)
    talk.say(answer)
    assert talk.duo.asked == []


@pytest.mark.parametrize(
    ("answer", "notice"), [("", Notice.NOTHING_ENTERED), (PASSWORD, Notice.PASSWORD_AGAIN)], ids=["empty", "password"]
)
def test_where_it_means_nothing_the_same_password_is_a_wrong_answer(answer: str, notice: Notice) -> None:
    """In a challenge; it is not sent to Duo there either, and counts."""
    talk = Talk(options=CHALLENGE)
    assert text_of(talk.say(answer)).startswith(NOTICES[notice])
    outcome = talk.end(answer, answer, answer)
    assert (outcome.verdict, outcome.cause) == (Verdict.REJECT, Cause.FACTOR_MISSING)
    assert talk.duo.asked == []


# ── without a prompt, and before it ──────────────────────────────────────────────────────────────────────────────


def test_without_a_prompt_the_automatic_choice_is_asked_at_once() -> None:
    """`factor_prompt = false`."""
    talk = Talk(options=DialogueOptions(factor_prompt=False))
    assert talk.end().verdict is Verdict.ACCEPT
    assert asked(talk) == [(Factor.PUSH, "DP1")]


@pytest.mark.parametrize(
    ("field", "answer", "cause"),
    [("sms", SENT, Cause.CODES_SENT), ("123456", WRONG_CODE, Cause.FACTOR_REFUSED), ("push9", DENIED, None)],
)
def test_without_a_prompt_nothing_is_asked_twice(field: str, answer: AuthAnswer, cause: Cause | None) -> None:
    """As in run_login: sms, a wrong passcode and a wrong device are the end."""
    talk = Talk(ScriptedDuo(answers=[answer]), policy=APPEND, options=DialogueOptions(factor_prompt=False))
    outcome = outcome_of(talk.begin(f"{PASSWORD},{field}"))
    assert (outcome.verdict, outcome.cause) == (Verdict.REJECT, cause or Cause.NO_USABLE_FACTOR)


def test_an_appended_factor_is_used_without_a_prompt() -> None:
    """`allow_concat`: `password,phone2` calls the second phone at once."""
    talk = Talk(policy=APPEND)
    assert outcome_of(talk.begin(f"{PASSWORD},phone2")).verdict is Verdict.ACCEPT
    assert asked(talk) == [(Factor.PHONE, "DP2")]
    assert talk.primary.tried == [PASSWORD]


def test_without_allow_concat_no_delimiter_is_looked_for() -> None:
    """The whole field is the password."""
    talk = Talk()
    assert outcome_of(talk.begin(f"{PASSWORD},push")).cause is Cause.PASSWORD_REFUSED
    assert talk.primary.tried == [f"{PASSWORD},push"]


def test_a_wrong_password_never_reaches_duo() -> None:
    """No prompt, no preauth, no event of the second stage."""
    talk = Talk()
    outcome = outcome_of(talk.begin("wrong"))
    assert (outcome.verdict, outcome.cause) == (Verdict.REJECT, Cause.PASSWORD_REFUSED)
    assert talk.duo.logins == 0
    assert [(e.stage, e.allowed) for e in talk.events] == [(Stage.PRIMARY, False)]


@pytest.mark.parametrize(
    ("down", "verdict"), [(PrimaryDown.SILENT, Verdict.SILENCE), (PrimaryDown.REJECT, Verdict.REJECT)]
)
def test_an_unreachable_primary_ends_the_dialogue(down: PrimaryDown, verdict: Verdict) -> None:
    """As in run_login; what the protocol makes of silence is its own affair."""
    primary = FakePrimary(PASSWORD, fault=PrimaryUnreachable("RADIUS server 10.0.0.5", "no answer"))
    talk = Talk(primary=primary, policy=LoginPolicy(primary_down=down))
    assert talk.end().verdict is verdict


def test_a_request_without_a_name_is_refused() -> None:
    """Before anything is asked."""
    talk = Talk()
    assert outcome_of(talk.begin(username=" ")).cause is Cause.BAD_REQUEST
    assert talk.primary.tried == []


def test_an_exempt_user_is_not_prompted() -> None:
    """Only the password; a logged bypass, and Duo is not called at all."""
    talk = Talk(policy=LoginPolicy(exempt_usernames=frozenset({"alice"})))
    outcome = talk.end()
    assert (outcome.verdict, outcome.cause) == (Verdict.ACCEPT, Cause.EXEMPT_USER)
    assert talk.duo.logins == 0
    assert talk.events[-1].bypass_reason == "exempt-user"


@pytest.mark.parametrize(
    ("result", "cause"), [(PreauthResult.ALLOW, Cause.DUO_BYPASS), (PreauthResult.DENY, Cause.DUO_DENIED)]
)
def test_preauth_may_end_the_login_without_a_prompt(result: PreauthResult, cause: Cause) -> None:
    """Allow and deny, with Duo's words."""
    outcome = Talk(ScriptedDuo(Preauth(result, "As Duo says."))).end()
    assert (outcome.cause, outcome.user_message) == (cause, "As Duo says.")


ENROLL = Preauth(PreauthResult.ENROLL, "Please enroll.", enroll_portal_url="https://api.example/portal?a=1&b=2")
ENROLL_TEXT = "Please enroll. Enroll at https://api.example/portal?a=1&b=2"


def test_who_must_enroll_is_told_so_at_the_end() -> None:
    """In EAP the protocol shows the text of the end in a last request."""
    outcome = Talk(ScriptedDuo(ENROLL)).end()
    assert (outcome.verdict, outcome.cause, outcome.user_message) == (Verdict.REJECT, Cause.NOT_ENROLLED, ENROLL_TEXT)


@pytest.mark.parametrize("answer", ["", "push", "123456", PASSWORD])
def test_who_must_enroll_may_be_told_so_in_a_prompt(answer: str) -> None:
    """`enroll_challenge`: the address, and any answer ends the login."""
    talk = Talk(ScriptedDuo(ENROLL), options=CHALLENGE)
    assert talk.question() == ENROLL_TEXT
    assert outcome_of(talk.answer(answer)).cause is Cause.NOT_ENROLLED
    assert talk.duo.asked == []
    assert len(talk.events) == 2


def test_the_prompt_to_enroll_has_the_layout_of_the_section() -> None:
    """The address stands in markup as it must."""
    options = DialogueOptions(PromptFormat.HTML, enroll_as_prompt=True)
    assert Talk(ScriptedDuo(ENROLL), options=options).question().endswith("?a=1&amp;b=2</p>")


# ── the first answer is the factor ───────────────────────────────────────────────────────────────────────────────


class AnyPassword(FakePrimary):
    """Checks none."""

    async def authenticate(self, request: object) -> PrimaryOutcome:
        """Accept."""
        return PrimaryOutcome(True)


@pytest.mark.parametrize(
    ("field", "question"),
    [
        ("push", (Factor.PUSH, "DP1")),
        ("phone2", (Factor.PHONE, "DP2")),
        ("auto", (Factor.PUSH, "DP1")),
        ("123456", (Factor.PASSCODE, "123456")),
        ("1", (Factor.PASSCODE, "1")),
        ("x,push", (Factor.PASSCODE, "x,push")),
    ],
)
def test_with_duo_only_client_the_first_answer_is_the_factor(field: str, question: tuple[Factor, str]) -> None:
    """As in duo_only: a word or a passcode, and nothing is appended to anything."""
    talk = Talk(primary=AnyPassword(""), policy=APPEND, options=FACTOR_FIRST)
    assert outcome_of(talk.begin(field)).verdict is Verdict.ACCEPT
    assert asked(talk) == [question]


@pytest.mark.parametrize("field", ["", "  "])
def test_with_duo_only_client_an_empty_answer_is_a_reject(field: str) -> None:
    """Nobody is asked, not even about an exempt user."""
    policy = LoginPolicy(exempt_usernames=frozenset({"alice"}))
    talk = Talk(primary=AnyPassword(""), policy=policy, options=FACTOR_FIRST)
    assert outcome_of(talk.begin(field)).cause is Cause.FACTOR_MISSING
    assert talk.duo.logins == 0


def test_with_duo_only_client_the_same_answer_again_is_that_answer() -> None:
    """There is no password that it could be."""
    talk = Talk(ScriptedDuo(answers=[WRONG_CODE, ALLOWED]), AnyPassword(""), options=FACTOR_FIRST)
    text_of(talk.begin("123456"))
    assert outcome_of(talk.answer("123456")).verdict is Verdict.ACCEPT
    assert [factor for factor, _ in asked(talk)] == [Factor.PASSCODE, Factor.PASSCODE]


def test_with_duo_only_client_the_first_answer_was_one_of_the_three_prompts() -> None:
    """Three tries in all, wherever the first passcode was typed."""
    talk = Talk(ScriptedDuo(answers=[WRONG_CODE] * 3), AnyPassword(""), options=FACTOR_FIRST)
    text_of(talk.begin("111111"))
    text_of(talk.answer("222222"))
    assert outcome_of(talk.answer("333333")).cause is Cause.FACTOR_REFUSED


# ── faults ───────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("mode", "cause"), [(Failmode.SAFE, Cause.FAILMODE_SAFE), (Failmode.SECURE, Cause.FAILMODE_SECURE)]
)
@pytest.mark.parametrize("at", ["preauth", "auth"])
def test_failmode_decides_when_duo_is_away_before_the_user_was_asked(at: str, mode: Failmode, cause: Cause) -> None:
    """As in run_login, at the first question to Duo."""
    duo = ScriptedDuo(AWAY) if at == "preauth" else ScriptedDuo(answers=[AWAY])
    talk = Talk(duo, policy=LoginPolicy(failmode=mode))
    outcome = talk.end(*(["push"] if at == "auth" else []))
    assert outcome.cause is cause
    assert talk.events[-1].bypass_reason == (cause.value if mode is Failmode.SAFE else "")


@pytest.mark.parametrize("judged", [WRONG_CODE, SENT])
@pytest.mark.parametrize("mode", list(Failmode))
def test_failmode_has_no_say_once_duo_has_judged_an_answer(judged: AuthAnswer, mode: Failmode) -> None:
    """The user was asked: an outage now lets nobody in."""
    talk = Talk(ScriptedDuo(answers=[judged, AWAY]), policy=LoginPolicy(failmode=mode))
    outcome = talk.end("sms" if judged is SENT else "111111", "222222")
    assert (outcome.verdict, outcome.cause) == (Verdict.REJECT, Cause.ANSWER_LOST)
    assert "failmode does not apply" in outcome.detail


@pytest.mark.parametrize("mode", list(Failmode))
@pytest.mark.parametrize(
    ("fault", "cause"),
    [
        (ServiceRefused("Duo", "wrong skey", status=401, code=40103), Cause.DUO_REFUSED_US),
        (AnswerLost("Duo", "the connection was lost"), Cause.ANSWER_LOST),
    ],
)
def test_our_misconfiguration_and_a_lost_answer_reject_in_both_modes(
    mode: Failmode, fault: Exception, cause: Cause
) -> None:
    """Whoever can provoke these must not buy a bypass."""
    talk = Talk(ScriptedDuo(answers=[fault]), policy=LoginPolicy(failmode=mode))
    assert (talk.end("push").verdict, talk.end("push").cause) == (Verdict.REJECT, cause)


def test_a_dialogue_takes_no_answer_after_a_fault_that_nobody_foresaw() -> None:
    """The caller rejects; whatever comes then finds no login to go on with."""
    talk = Talk(ScriptedDuo(answers=[ZeroDivisionError()]))
    talk.begin()
    with pytest.raises(ZeroDivisionError):
        talk.answer("push")
    with pytest.raises(RuntimeError, match="busy"):
        talk.answer("push")


def test_a_dialogue_takes_no_answer_before_its_prompt_nor_after_its_end() -> None:
    """One approval, at most one accept."""
    talk = Talk()
    assert talk.end("push").verdict is Verdict.ACCEPT
    assert talk.dialogue is not None
    with pytest.raises(RuntimeError, match="over"):
        talk.answer("push")
    with pytest.raises(RuntimeError, match="over"):
        run_now(talk.dialogue.begin())
    assert len(talk.duo.asked) == 1


# ── the end of it ────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_dialogue_whose_user_does_not_come_back_is_ended_once() -> None:
    """Its second stage gets an event; a late answer finds it over."""
    talk = Talk()
    talk.begin()
    talk.now = 60.0
    assert talk.dialogue is not None
    outcome = talk.dialogue.abandon()
    assert outcome is not None
    assert (outcome.verdict, outcome.cause, outcome.second_factor_s) == (Verdict.REJECT, Cause.PROMPT_UNANSWERED, 60.0)
    assert [(e.stage, e.allowed) for e in talk.events] == [(Stage.PRIMARY, True), (Stage.SECONDARY, False)]
    assert talk.dialogue.abandon() is None
    with pytest.raises(RuntimeError, match="over"):
        talk.answer("push")


def test_there_is_nothing_to_abandon_without_a_proven_password_or_after_the_end() -> None:
    """No event is told twice."""
    for talk, field in ((Talk(), "wrong"), (Talk(options=DialogueOptions(factor_prompt=False)), PASSWORD)):
        talk.begin(field)
        told = len(talk.events)
        assert talk.dialogue is not None
        assert talk.dialogue.abandon() is None
        assert len(talk.events) == told


def test_who_must_enroll_and_goes_away_is_still_not_enrolled() -> None:
    """The cause in the log is the one that was shown."""
    talk = Talk(ScriptedDuo(ENROLL), options=CHALLENGE)
    talk.begin()
    assert talk.dialogue is not None
    outcome = talk.dialogue.abandon()
    assert outcome is not None
    assert outcome.cause is Cause.NOT_ENROLLED


def test_the_end_says_what_both_stages_took_and_what_the_primary_said() -> None:
    """For the log and the reply."""
    wire = object()

    class Slow(FakePrimary):
        async def authenticate(self, request: object) -> PrimaryOutcome:
            talk.now += 2.0
            return PrimaryOutcome(True, wire=wire)

    talk = Talk(primary=Slow(PASSWORD))
    talk.begin()
    talk.now += 30.0
    outcome = outcome_of(talk.answer("push"))
    assert (outcome.primary_s, outcome.second_factor_s, outcome.primary_wire) == (2.0, 30.0, wire)
    assert talk.events[-1].factor == "push"


def test_landlines_are_called_by_the_automatic_choice() -> None:
    """Best out-of-band factor: push, else phone."""
    talk = Talk(ScriptedDuo(Preauth(PreauthResult.AUTH, devices=(LANDLINE,))))
    assert talk.end("").factor == "phone"
