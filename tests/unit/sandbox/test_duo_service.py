"""The stand-in Duo service as a machine: attempts, reactions, time-outs, lock-out, enrolling."""

from __future__ import annotations

import hashlib
import itertools

import pytest

from duoproxy.sandbox import duo_service
from duoproxy.sandbox.accounts import Reaction, Standing, parse_behaviour
from duoproxy.sandbox.duo_service import PUSH_LIFETIME_S, BadParameter, DuoService, TooManyPending
from duoproxy.sandbox.transactions import Status


def service(*lines: str, lockout_after: int = 10) -> DuoService:
    counter = itertools.count(1)

    def random_bytes(count: int) -> bytes:
        return hashlib.sha256(str(next(counter)).encode()).digest()[:count]

    return DuoService([parse_behaviour(line) for line in lines], random_bytes, lockout_after)


def test_a_push_waits_until_it_is_approved() -> None:
    """An attempt is waiting until the person at the phone answers, and is an allow then."""
    duo = service("alice push")
    attempt = duo.begin("alice", "push", 100.0)
    assert (attempt.result, attempt.status, attempt.is_pending) == ("waiting", Status.PUSHED, True)
    assert duo.pending() == (attempt,)
    assert duo.answer(attempt.txid, Reaction.APPROVE, 105.0) is attempt
    assert (attempt.result, attempt.status_message) == ("allow", "Success. Logging you in...")
    assert attempt.finished_at == 105.0
    assert duo.pending() == ()
    assert duo.transaction(attempt.txid) is attempt


def test_an_attempt_is_answered_once() -> None:
    """A second answer, or one to nothing, changes nothing: one approval, one allow."""
    duo = service("alice push")
    attempt = duo.begin("alice", "push", 0.0)
    duo.answer(attempt.txid, Reaction.DENY, 1.0)
    assert duo.answer(attempt.txid, Reaction.APPROVE, 2.0) is None
    assert duo.answer("nothing", Reaction.APPROVE, 2.0) is None
    assert attempt.status is Status.DENY


@pytest.mark.parametrize(
    ("line", "at", "status"),
    [
        ("u approve-after 2", 2.0, Status.ALLOW),
        ("u deny", 0.0, Status.DENY),
        ("u fraud-after 3", 3.0, Status.FRAUD),
        ("u timeout 4", 4.0, Status.TIMEOUT),
        ("u timeout", PUSH_LIFETIME_S, Status.TIMEOUT),
        ("u push", PUSH_LIFETIME_S, Status.TIMEOUT),
        ("u approve-after 100", PUSH_LIFETIME_S, Status.TIMEOUT),
    ],
)
def test_the_simulated_person_reacts_in_time(line: str, at: float, status: Status) -> None:
    """Nothing happens before the delay of the behaviour, or the service's own limit, is over."""
    duo = service(line)
    attempt = duo.begin("u", "push", 1000.0)
    assert duo.next_timeout() == 1000.0 + at
    if at:
        assert duo.timeout(999.999 + at) == []
        assert attempt.is_pending
    assert duo.timeout(1000.0 + at) == [attempt]
    assert attempt.status is status
    assert duo.next_timeout() is None


def test_an_answer_takes_away_the_time_out() -> None:
    """When nobody is asked, nothing is waited for."""
    duo = service("alice push")
    attempt = duo.begin("alice", "push", 0.0)
    assert duo.next_timeout() == PUSH_LIFETIME_S
    duo.answer(attempt.txid, Reaction.APPROVE, 1.0)
    assert duo.next_timeout() is None
    assert duo.timeout(PUSH_LIFETIME_S) == []
    assert attempt.status is Status.ALLOW


def test_sms_sends_codes_and_is_no_success() -> None:
    """The factor sms ends as a deny with the status sent."""
    duo = service("bob phone")
    attempt = duo.begin("bob", "sms", 0.0)
    assert (attempt.result, attempt.status.value) == ("deny", "sent")
    account = duo.account("bob")
    assert account is not None
    assert duo.begin("bob", "passcode", 1.0, passcode=account.sms_codes[0]).result == "allow"


def test_automatic_choice_is_a_push_or_else_a_call() -> None:
    """Auto pushes to the first phone that can be pushed, wherever it stands; without one it calls."""
    duo = service("judy phone push", "bob sms phone", "carol passcode", "saul sms")
    assert duo.begin("judy", "auto", 0.0).factor == "push"
    assert duo.begin("bob", "auto", 0.0).factor == "phone"
    for username in ("carol", "saul"):
        with pytest.raises(BadParameter, match="device"):
            duo.begin(username, "auto", 0.0)


def test_a_device_that_cannot_do_it_is_refused() -> None:
    """A push needs a phone that can be pushed; unknown devices, factors and users are refused by name."""
    duo = service("judy phone push")
    account = duo.account("judy")
    assert account is not None
    plain, smart = account.devices
    assert duo.begin("judy", "push", 0.0, device_id=smart.device_id).is_pending
    for arguments, name in [
        (("judy", "push", 0.0, plain.device_id), "device"),
        (("judy", "push", 0.0, "DPNOBODY"), "device"),
        (("judy", "smoke", 0.0, "auto"), "factor"),
        (("nobody", "push", 0.0, "auto"), "username"),
    ]:
        with pytest.raises(BadParameter, match=name):
            duo.begin(*arguments[:3], device_id=arguments[3])
    with pytest.raises(BadParameter, match="passcode"):
        duo.begin("judy", "passcode", 0.0)


def test_too_many_failures_lock_the_account() -> None:
    """Wrong passcodes and refused pushes count; a success in between starts anew."""
    duo = service("alice push passcode 111111", lockout_after=3)
    assert (
        duo.begin("alice", "passcode", 0.0, passcode="000000").status_message == "Incorrect passcode. Please try again."
    )
    assert duo.begin("alice", "passcode", 0.0, passcode="000000").result == "deny"
    assert duo.begin("alice", "passcode", 0.0, passcode="111111").result == "allow"
    for reaction in (Reaction.DENY, Reaction.FRAUD, Reaction.IGNORE):
        assert duo.standing("alice")[0] is Standing.ACTIVE
        duo.answer(duo.begin("alice", "push", 0.0).txid, reaction, 1.0)
    assert duo.standing("alice")[0] is Standing.LOCKED
    assert duo.begin("alice", "passcode", 2.0, passcode="111111").status is Status.LOCKED_OUT


def test_lock_out_can_be_turned_off() -> None:
    """With lockout_after=0 no number of failures locks."""
    duo = service("alice push", lockout_after=0)
    for _ in range(50):
        duo.begin("alice", "passcode", 0.0, passcode="0")
    assert duo.standing("alice")[0] is Standing.ACTIVE


@pytest.mark.parametrize(
    ("line", "status"),
    [
        ("u bypass", Status.BYPASS),
        ("u enroll", Status.DENY),
        ("u locked", Status.LOCKED_OUT),
        ("u disabled", Status.DENY),
    ],
)
def test_an_account_that_is_not_active_is_not_asked(line: str, status: Status) -> None:
    """No push goes out for it, whatever factor is tried."""
    duo = service(line)
    assert duo.begin("u", "push", 0.0).status is status
    assert duo.pending() == ()
    assert duo.journal.asked("u", "push") == 0


def test_a_user_who_is_not_listed_has_to_enroll_unless_anybody_is_welcome() -> None:
    """`*` gives every other name its behaviour; each name is an account of its own."""
    assert service("alice push").standing("zoe")[0] is Standing.ENROLL
    duo = service("alice push", "* approve-after 1")
    assert duo.standing("zoe")[0] is Standing.ACTIVE
    attempt = duo.begin("Zoe ", "push", 0.0)
    assert duo.timeout(1.0) == [attempt]
    assert duo.journal.asked("zoe", "push") == 1
    assert duo.account("zoe") is duo.account("ZOE")
    assert duo.account("zoe") is not duo.account("yan")


def test_a_user_can_be_redefined_while_it_runs() -> None:
    """The new behaviour holds from the next attempt on, with a new account."""
    duo = service("alice locked")
    duo.define_user(parse_behaviour("Alice push"))
    assert duo.begin("alice", "push", 0.0).is_pending
    assert [behaviour.name for behaviour in duo.behaviours()] == ["Alice"]


def test_a_new_user_enrolls_a_phone_with_a_code() -> None:
    """The code is the same while it is good, works once, and gives a smartphone."""
    duo = service("erin enroll")
    one = duo.enroll("erin", 0.0)
    assert duo.enroll("erin", 10.0) == one
    assert duo.enroll_status(one.user_id, one.code, 10.0) == "waiting"
    assert duo.activate(one.code, 20.0)
    assert not duo.activate(one.code, 21.0)
    assert duo.enroll_status(one.user_id, one.code, 22.0) == "success"
    assert duo.begin("erin", "push", 30.0).is_pending
    with pytest.raises(BadParameter, match="username"):
        duo.enroll("erin", 40.0)


def test_an_activation_code_expires() -> None:
    """After its life it neither works nor waits, and another one is made."""
    duo = service()
    one = duo.enroll("zoe", 0.0, lifetime_s=60.0)
    assert duo.enroll_status(one.user_id, one.code, 60.0) == "invalid"
    assert duo.enroll("zoe", 60.0).code != one.code
    assert not duo.activate(one.code, 61.0)


def test_every_push_is_counted_for_its_user() -> None:
    """Tests count pushes by user and factor."""
    duo = service("alice push", "bob phone")
    duo.begin("alice", "push", 0.0)
    duo.begin("ALICE", "auto", 0.0)
    duo.begin("bob", "phone", 0.0)
    assert duo.journal.counters() == {"alice": {"push": 2}, "bob": {"phone": 1}}
    assert [event.what for event in duo.journal.since(0)] == ["push", "push", "phone"]


def test_pending_attempts_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond MAX_PENDING an attempt is refused, and not one that waits is lost."""
    monkeypatch.setattr(duo_service, "MAX_PENDING", 2)
    duo = service("alice push")
    first = duo.begin("alice", "push", 0.0)
    duo.begin("alice", "push", 0.0)
    with pytest.raises(TooManyPending):
        duo.begin("alice", "push", 0.0)
    duo.answer(first.txid, Reaction.APPROVE, 1.0)
    assert duo.begin("alice", "push", 2.0).is_pending


def test_finished_attempts_and_timers_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest finished attempt is forgotten, and answered ones leave the list of timers."""
    monkeypatch.setattr(duo_service, "MAX_FINISHED", 2)
    monkeypatch.setattr(duo_service, "MAX_DUE", 4)
    duo = service("alice push")
    attempts = [duo.begin("alice", "push", 0.0) for _ in range(3)]
    for attempt in attempts:
        duo.answer(attempt.txid, Reaction.APPROVE, 1.0)
    assert duo.transaction(attempts[0].txid) is None
    assert duo.transaction(attempts[2].txid) is attempts[2]
    late = [duo.begin("alice", "push", 10.0) for _ in range(3)]
    assert duo.timeout(10.0 + PUSH_LIFETIME_S) == late


def test_accounts_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A flood of names pushes out the oldest accounts, and more definitions than the bound are refused."""
    monkeypatch.setattr(duo_service, "MAX_ACCOUNTS", 2)
    duo = service("* push")
    first = duo.account("a")
    duo.account("b")
    duo.account("c")
    assert duo.account("a") is not first
    duo.define_user(parse_behaviour("x"))
    with pytest.raises(TooManyPending):
        duo.define_user(parse_behaviour("y"))
    assert duo.account("n" * 257) is None
