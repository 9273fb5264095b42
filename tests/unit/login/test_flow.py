"""One login, step by step: reference §2 and its decisions in §10.4 and §10.5."""

from __future__ import annotations

import pytest

from duoproxy.duoapi.messages import AuthAnswer, Factor, Preauth, PreauthResult
from duoproxy.errors import AnswerLost, PrimaryUnreachable, ServiceRefused, ServiceUnavailable
from duoproxy.login.events import Stage
from duoproxy.login.factors import AppendMode
from duoproxy.login.outcome import Cause, PrimaryOutcome, Verdict
from duoproxy.login.policy import SECOND_TRY_INTERVAL_S, Failmode, LoginPolicy, PrimaryDown
from duoproxy.testing import DENIED, FakePrimary, FakeSecondFactor
from tests.unit.login.kit import AUTH, LANDLINE, PASSWORD, TOKEN, Scene

AWAY = ServiceUnavailable("Duo (api.example)", "no connection", "check the firewall")


def test_both_factors_right_is_an_accept() -> None:
    """Password, then an automatic push, then Duo's allow."""
    scene = Scene()
    outcome = scene.run(client_ip="198.51.100.1")
    assert (outcome.verdict, outcome.cause) == (Verdict.ACCEPT, Cause.APPROVED)
    assert outcome.user_message == "Success. Logging you in..."
    [query] = scene.duo.asked
    assert (query.factor, query.device_id, query.client_ip) == (Factor.PUSH, "DP1", "198.51.100.1")
    assert [(e.stage, e.allowed) for e in scene.events] == [(Stage.PRIMARY, True), (Stage.SECONDARY, True)]


def test_a_wrong_password_never_reaches_duo() -> None:
    """Primary failure is a reject, and Duo is not asked."""
    scene = Scene()
    outcome = scene.run("wrong")
    assert (outcome.verdict, outcome.cause) == (Verdict.REJECT, Cause.PASSWORD_REFUSED)
    assert scene.duo.preauths == []
    assert [(e.stage, e.allowed) for e in scene.events] == [(Stage.PRIMARY, False)]


def test_a_denied_push_is_a_reject_with_duos_words() -> None:
    """Deny and time-out are rejects with the status text."""
    outcome = Scene(duo=FakeSecondFactor(AUTH, auth_answer=DENIED)).run()
    assert (outcome.verdict, outcome.cause) == (Verdict.REJECT, Cause.FACTOR_REFUSED)
    assert outcome.user_message == "Login request denied."


@pytest.mark.parametrize(
    ("result", "verdict", "cause"),
    [
        (PreauthResult.ALLOW, Verdict.ACCEPT, Cause.DUO_BYPASS),
        (PreauthResult.DENY, Verdict.REJECT, Cause.DUO_DENIED),
        (PreauthResult.ENROLL, Verdict.REJECT, Cause.NOT_ENROLLED),
    ],
)
def test_preauth_may_end_the_login(result: PreauthResult, verdict: Verdict, cause: Cause) -> None:
    """Allow is an accept without prompt, deny and enroll are rejects; the user is not asked."""
    scene = Scene(duo=FakeSecondFactor(preauth_answer=Preauth(result, "As Duo says.")))
    outcome = scene.run()
    assert (outcome.verdict, outcome.cause) == (verdict, cause)
    assert outcome.user_message == "As Duo says."
    assert scene.duo.asked == []


def test_an_enroll_answer_shows_the_portal() -> None:
    """The address of the portal stands in the text."""
    answer = Preauth(PreauthResult.ENROLL, "Please enroll.", enroll_portal_url="https://api.example/portal?code=1")
    outcome = Scene(duo=FakeSecondFactor(preauth_answer=answer)).run()
    assert outcome.user_message == "Please enroll. Enroll at https://api.example/portal?code=1"


def test_an_exempt_user_needs_the_password_only_and_is_a_logged_bypass() -> None:
    """exempt_username_n is compared case-folded; Duo is not called at all."""
    scene = Scene(policy=LoginPolicy(exempt_usernames=frozenset({"alice"})))
    outcome = scene.run(username="ALICE")
    assert (outcome.verdict, outcome.cause) == (Verdict.ACCEPT, Cause.EXEMPT_USER)
    assert scene.duo.preauths == []
    assert scene.events[-1].bypass_reason == "exempt-user"


@pytest.mark.parametrize("name", ["alice ", "DOMAIN\\alice", "alice@example.org"])
def test_an_exemption_is_for_the_name_exactly_as_submitted(name: str) -> None:
    """Another spelling of the name is not exempt."""
    scene = Scene(policy=LoginPolicy(exempt_usernames=frozenset({"alice"})))
    assert scene.run(username=name).cause is Cause.APPROVED


@pytest.mark.parametrize(
    ("exempt", "name"), [("boss", "bo\u00df"), ("office", "o\ufb03ce"), ("i\u0307lker", "\u0130lker")]
)
def test_a_name_is_not_exempt_because_it_folds_into_a_longer_one(exempt: str, name: str) -> None:
    """Case is folded letter by letter: somebody else's name must not become an exempt one."""
    scene = Scene(policy=LoginPolicy(exempt_usernames=frozenset({exempt})))
    assert scene.run(username=name).cause is Cause.APPROVED


def test_an_exempt_user_with_a_wrong_password_is_refused() -> None:
    """Exempt from the second factor only."""
    scene = Scene(policy=LoginPolicy(exempt_usernames=frozenset({"alice"})))
    assert scene.run("wrong").verdict is Verdict.REJECT


@pytest.mark.parametrize("at", ["preauth", "auth"])
def test_failmode_safe_lets_in_when_duo_is_away_before_the_user_was_asked(at: str) -> None:
    """ServiceUnavailable and safe: an accept that is logged as a bypass."""
    duo = FakeSecondFactor(preauth_answer=AWAY) if at == "preauth" else FakeSecondFactor(AUTH, auth_answer=AWAY)
    scene = Scene(duo=duo, policy=LoginPolicy(failmode=Failmode.SAFE))
    outcome = scene.run()
    assert (outcome.verdict, outcome.cause) == (Verdict.ACCEPT, Cause.FAILMODE_SAFE)
    assert scene.events[-1].bypass_reason == "failmode-safe"
    assert "failmode=safe" in outcome.detail


def test_failmode_secure_rejects_when_duo_is_away() -> None:
    """ServiceUnavailable and secure: a reject with a text."""
    outcome = Scene(duo=FakeSecondFactor(preauth_answer=AWAY), policy=LoginPolicy(failmode=Failmode.SECURE)).run()
    assert (outcome.verdict, outcome.cause) == (Verdict.REJECT, Cause.FAILMODE_SECURE)


def test_failmode_safe_does_not_help_a_wrong_password() -> None:
    """Fail-open is for the second factor only."""
    scene = Scene(duo=FakeSecondFactor(preauth_answer=AWAY), policy=LoginPolicy(failmode=Failmode.SAFE))
    assert scene.run("wrong").verdict is Verdict.REJECT


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
    outcome = Scene(duo=FakeSecondFactor(AUTH, auth_answer=fault), policy=LoginPolicy(failmode=mode)).run()
    assert (outcome.verdict, outcome.cause) == (Verdict.REJECT, cause)


@pytest.mark.parametrize(
    ("down", "verdict"), [(PrimaryDown.SILENT, Verdict.SILENCE), (PrimaryDown.REJECT, Verdict.REJECT)]
)
def test_an_unreachable_primary_is_silence_or_a_reject(down: PrimaryDown, verdict: Verdict) -> None:
    """Silence lets the device fail over; primary_down=reject says no."""
    fault = PrimaryUnreachable("RADIUS server 10.0.0.5", "no answer")
    scene = Scene(
        primary=FakePrimary(PASSWORD, fault=fault), policy=LoginPolicy(primary_down=down, failmode=Failmode.SAFE)
    )
    outcome = scene.run()
    assert (outcome.verdict, outcome.cause) == (verdict, Cause.PRIMARY_UNREACHABLE)
    assert scene.duo.preauths == []


def test_an_appended_factor_is_used_and_its_password_checked() -> None:
    """`password,phone2` calls the second phone."""
    scene = Scene()
    assert scene.run("correct horse,phone2").verdict is Verdict.ACCEPT
    [query] = scene.duo.asked
    assert (query.factor, query.device_id) == (Factor.PHONE, "DP2")
    assert scene.primary.tried == ["correct horse"]


def test_an_appended_passcode_goes_to_duo_and_not_to_the_directory() -> None:
    """`password,123456`."""
    scene = Scene()
    scene.run("correct horse,123456")
    [query] = scene.duo.asked
    assert query.factor is Factor.PASSCODE
    assert query.passcode is not None
    assert query.passcode.reveal_text() == "123456"


def test_a_user_without_devices_may_still_append_a_passcode() -> None:
    """Hardware tokens and bypass codes need no phone."""
    duo = FakeSecondFactor(preauth_answer=Preauth(PreauthResult.AUTH, devices=(TOKEN,)))
    assert Scene(duo=duo).run("correct horse,123456").verdict is Verdict.ACCEPT


@pytest.mark.parametrize("field", ["correct horse", "correct horse,push2", "correct horse,phone9"])
def test_no_usable_factor_is_a_reject_without_a_question(field: str) -> None:
    """No device can do it: reject, and nobody is asked."""
    devices = (TOKEN,) if field == "correct horse" else (LANDLINE, LANDLINE)
    scene = Scene(duo=FakeSecondFactor(preauth_answer=Preauth(PreauthResult.AUTH, devices=devices)))
    assert scene.run(field).cause is Cause.NO_USABLE_FACTOR
    assert scene.duo.asked == []


def test_factors_passcode_means_that_a_passcode_must_be_appended() -> None:
    """`factors=passcode` never pushes."""
    scene = Scene(policy=LoginPolicy(factors=("passcode",)))
    assert scene.run().cause is Cause.NO_USABLE_FACTOR
    assert scene.duo.asked == []


@pytest.mark.parametrize("allowed", [True, False])
def test_sms_sends_codes_and_never_lets_in(allowed: bool) -> None:
    """`sms` rejects this attempt even if the service said allow."""
    duo = FakeSecondFactor(AUTH, auth_answer=AuthAnswer(allowed, "sent", "New SMS passcodes sent"))
    outcome = Scene(duo=duo).run("correct horse,sms")
    assert (outcome.verdict, outcome.cause) == (Verdict.REJECT, Cause.CODES_SENT)


def test_a_password_with_a_comma_is_tried_whole_once_in_half_an_hour() -> None:
    """The left part was refused: the whole string is a second try, at most one per user in 30 minutes."""
    scene = Scene(primary=FakePrimary(password="pass,123456"))
    assert scene.run("pass,123456").verdict is Verdict.ACCEPT
    assert scene.primary.tried == ["pass", "pass,123456"]
    assert scene.run("pass,123456", username="Alice").verdict is Verdict.REJECT
    assert scene.primary.tried[2:] == ["pass"]
    scene.now = SECOND_TRY_INTERVAL_S
    assert scene.run("pass,123456").verdict is Verdict.ACCEPT


@pytest.mark.parametrize(("safe", "tries"), [(True, 2), (False, 1)])
def test_the_primary_says_whether_a_second_try_could_lock_the_account(safe: bool, tries: int) -> None:
    """Where the directory can tell, its word decides."""
    refused = PrimaryOutcome(False, "wrong", alternative_is_safe=safe)
    scene = Scene(primary=FakePrimary(PASSWORD, refused=refused))
    scene.run("wrong,push")
    scene.run("wrong,push")
    assert len(scene.primary.tried) == 2 * tries


def test_the_second_reading_gets_the_automatic_factor() -> None:
    """The whole string as password means automatic selection, not the factor behind the comma."""
    scene = Scene(primary=FakePrimary(password="pass,phone"))
    scene.run("pass,phone")
    assert scene.duo.asked[0].factor is Factor.PUSH


def test_a_password_length_leaves_no_second_try() -> None:
    """All passwords have that length, so the whole string cannot be one."""
    scene = Scene(policy=LoginPolicy(append=AppendMode(password_length=4)))
    scene.run("wrong,push")
    assert scene.primary.tried == ["wron"]


@pytest.mark.parametrize("name", ["", "  "])
def test_a_request_without_a_name_is_refused_before_anything_is_asked(name: str) -> None:
    """No User-Name: Access-Reject."""
    scene = Scene()
    assert scene.run(username=name).cause is Cause.BAD_REQUEST
    assert scene.primary.tried == []


def test_duo_is_asked_about_the_name_without_outer_blanks() -> None:
    """The name goes to Duo as the device sent it, outer blanks removed."""
    scene = Scene()
    scene.run(username=" CORP\\alice ")
    assert scene.duo.preauths[0][0] == "CORP\\alice"


def test_a_fault_that_nobody_foresaw_is_not_an_outcome() -> None:
    """The flow does not hide it: the caller rejects and logs it once."""
    with pytest.raises(ZeroDivisionError):
        Scene(duo=FakeSecondFactor(preauth_answer=ZeroDivisionError())).run()
