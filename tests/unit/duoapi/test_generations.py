"""Both generations of the API give the same values. Source: Auth API v2; the vendor's client for v1."""

from __future__ import annotations

from typing import Any

import pytest

from duoproxy.duoapi.answers import UnexpectedAnswer
from duoproxy.duoapi.generations import DIALECTS, MAX_DEVICES, V1, V2
from duoproxy.duoapi.messages import (
    AuthAnswer,
    AuthQuery,
    Device,
    Factor,
    Generation,
    Preauth,
    PreauthResult,
    PromptOption,
)
from duoproxy.duoapi.signing import ApiCall
from duoproxy.secret import Secret

PHONE = {
    "device": "DP1",
    "type": "phone",
    "number": "+15555551234",
    "display_name": "iOS",
    "capabilities": ["auto", "push", "teleport", 7],
    "sms_nextcode": "3",
}
NO_OBJECTS: list[Any] = [None, "text", 3, [], True]


def test_each_generation_is_there_once():
    """Every generation has its dialect."""
    assert {generation: dialect.generation for generation, dialect in DIALECTS.items()} == {g: g for g in Generation}


def test_v2_preauth_lists_devices():
    """Devices come in Duo's order; unknown capabilities are kept, numbers are shown by their last four digits."""
    token = {"device": "DH1", "type": "token", "name": "1234567"}
    answer = V2().parse_preauth({"result": "auth", "status_msg": "Account is active", "devices": [PHONE, token]})
    assert answer == Preauth(
        PreauthResult.AUTH,
        "Account is active",
        (
            Device("DP1", True, frozenset({"auto", "push", "teleport"}), "XXX-XXX-1234", "3"),
            Device("DH1", False, frozenset(), "1234567", ""),
        ),
    )


def test_v2_enroll_carries_the_portal():
    """The portal's address belongs to enroll."""
    fields = {"result": "enroll", "status_msg": "Enroll", "enroll_portal_url": "https://e.example/?code=1"}
    assert V2().parse_preauth(fields).enroll_portal_url == "https://e.example/?code=1"
    assert V2().parse_preauth({**fields, "result": "deny"}).enroll_portal_url == ""


def test_devices_count_only_for_auth():
    """A bypassed user has nothing to choose."""
    assert V2().parse_preauth({"result": "allow", "devices": [PHONE]}).devices == ()


def test_list_of_devices_is_bounded():
    """More devices than anybody has are not kept."""
    answer = V2().parse_preauth({"result": "auth", "devices": [PHONE] * (MAX_DEVICES + 5)})
    assert len(answer.devices) == MAX_DEVICES


@pytest.mark.parametrize("dialect", DIALECTS.values())
@pytest.mark.parametrize("response", [*NO_OBJECTS, {}, {"result": "yes"}, {"result": 1}, {"result": ["auth"]}])
def test_preauth_that_is_not_understood_is_an_error_and_never_a_yes(dialect, response):
    """An unknown result is an error value."""
    with pytest.raises(UnexpectedAnswer):
        dialect.parse_preauth(response)


@pytest.mark.parametrize("devices", [None, "DP1", {}])
def test_v2_devices_that_are_no_list_are_an_error(devices):
    """A list that cannot be read is not an empty list."""
    with pytest.raises(UnexpectedAnswer):
        V2().parse_preauth({"result": "auth", "devices": devices})


@pytest.mark.parametrize("odd", [{}, {"device": 1}, {"device": "D", "capabilities": "push"}])
def test_a_device_of_another_form_can_do_nothing_and_is_no_broken_answer(odd):
    """One device of a user must not decide whether the user is asked: an answer that cannot be read may fail open."""
    answer = V2().parse_preauth({"result": "auth", "devices": [None, {**odd, "type": "phone"}, PHONE]})
    assert answer.result is PreauthResult.AUTH
    assert [(device.is_phone, bool(device.capabilities)) for device in answer.devices] == [(True, False), (True, True)]


@pytest.mark.parametrize("result", ["deny", "enroll", "auth"])
@pytest.mark.parametrize("odd", [{}, 1, ["x"], True])
@pytest.mark.parametrize("dialect", DIALECTS.values())
def test_what_preauth_decided_stands_whatever_its_words_are(dialect, odd, result):
    """A deny with a text that is no text is a deny, not an answer that failmode could turn into an accept."""
    names = ("status_msg", "status", "enroll_portal_url", "prompt")
    answer = dialect.parse_preauth({"result": result, **dict.fromkeys(names, odd)})
    assert (answer.result, answer.status_message) == (PreauthResult(result), "")


@pytest.mark.parametrize("dialect", DIALECTS.values())
@pytest.mark.parametrize(
    "response", [*NO_OBJECTS, {}, {"result": True}, {"result": "ALLOW"}, {"result": "waiting"}, {"status": "allow"}]
)
def test_auth_allows_only_on_the_literal_word(dialect, response):
    """Only `allow` is a yes; everything else that is not `deny` is an error."""
    with pytest.raises(UnexpectedAnswer):
        dialect.parse_auth(response)


def test_v2_auth_answers():
    """Result, status and text come through; a missing status is the result."""
    allowed = {"result": "allow", "status": "allow", "status_msg": "Success. Logging you in..."}
    assert V2().parse_auth(allowed) == AuthAnswer(True, "allow", "Success. Logging you in...")
    sent = {"result": "deny", "status": "sent", "status_msg": "New SMS passcodes sent"}
    assert V2().parse_auth(sent) == AuthAnswer(False, "sent", "New SMS passcodes sent")
    assert V2().parse_auth({"result": "deny"}) == AuthAnswer(False, "deny", "")


def test_status_that_is_no_text_is_an_error():
    """A text field holds text."""
    with pytest.raises(UnexpectedAnswer):
        V2().parse_auth({"result": "allow", "status": {}})


def test_v1_preauth_makes_phones_of_factors():
    """`factors` names what can be asked; phones keep their numbers, also when one between can do nothing."""
    answer = V1().parse_preauth(
        {
            "result": "auth",
            "status": "",
            "prompt": "Duo login for narroway\n\n 1. Duo Push",
            "factors": {"default": "push1", "1": "push1", "2": "phone1", "3": "sms3", "4": "carrier pigeon", "5": 7},
        }
    )
    assert answer.devices == (
        Device("phone1", True, frozenset({"push", "phone"})),
        Device("phone2", True, frozenset()),
        Device("phone3", True, frozenset({"sms"})),
    )
    assert answer.prompt == "Duo login for narroway\n\n 1. Duo Push"
    assert answer.prompt_options == (
        PromptOption(1, Factor.PUSH, "phone1"),
        PromptOption(2, Factor.PHONE, "phone1"),
        PromptOption(3, Factor.SMS, "phone3"),
    )


@pytest.mark.parametrize("line", ["0", "01", "1000", "default", " 1", "\u0661"])
def test_v1_line_of_the_prompt_has_a_plain_number(line):
    """Whatever else a key of `factors` is, it is no number that a user could be shown."""
    assert V1().parse_preauth({"result": "auth", "factors": {line: "push1"}}).prompt_options == ()


def test_v1_number_of_a_phone_is_bounded():
    """A number of three digits makes no list of so many phones."""
    assert V1().parse_preauth({"result": "auth", "factors": {"1": "push100"}}).devices == ()


def test_v1_auth_answers():
    """v1 has one text; its status is derived, so that sms reads as in v2."""
    assert V1().parse_auth({"result": "allow", "status": "Success."}) == AuthAnswer(True, "allow", "Success.")
    assert V1().parse_auth({"result": "deny", "status": "Login timed out."}).status == "deny"
    assert V1().parse_auth({"result": "deny", "status": "New SMS passcodes sent."}).status == "sent"
    assert V1().parse_auth({"result": "allow", "status": "SMS passcode sent."}).status == "allow"
    locked = {"result": "deny", "status": "Your account has been locked out due to excessive failures."}
    assert V1().parse_auth(locked).status == "locked_out"


def test_questions_are_spelled_as_each_generation_does():
    """`username`, `device`, `passcode` in v2; `user`, `phone`, `code` in v1."""
    push = AuthQuery("alice", Factor.PUSH, "DP1", client_ip="10.1.1.1")
    code = AuthQuery("alice", Factor.PASSCODE, passcode=Secret("123456"))
    assert V2().preauth_call("alice", "10.1.1.1") == ApiCall(
        "POST", "/auth/v2/preauth", {"username": "alice", "ipaddr": "10.1.1.1"}
    )
    assert V1().preauth_call("alice", None) == ApiCall("POST", "/rest/v1/preauth", {"user": "alice"})
    assert V2().auth_call(push) == ApiCall(
        "POST",
        "/auth/v2/auth",
        {"username": "alice", "factor": "push", "async": "0", "device": "DP1", "ipaddr": "10.1.1.1"},
    )
    assert V2().auth_call(code, asynchronous=True).params == {
        "username": "alice", "factor": "passcode", "async": "1", "passcode": "123456",
    }  # fmt: skip
    assert V1().auth_call(AuthQuery("alice", Factor.SMS, "phone2")).params == {
        "user": "alice", "factor": "sms", "phone": "phone2",
    }  # fmt: skip
    assert V1().auth_call(code, asynchronous=True).params == {
        "user": "alice", "factor": "passcode", "async": "1", "code": "123456",
    }  # fmt: skip


@pytest.mark.parametrize("dialect", DIALECTS.values())
def test_transaction_goes_on_until_it_has_a_result(dialect):
    """`waiting` is no answer; `allow` and `deny` are."""
    assert dialect.parse_transaction({"txid": "45f7c92b"}) == "45f7c92b"
    assert dialect.status_call("45f7c92b").params == {"txid": "45f7c92b"}
    assert dialect.parse_status({"result": "waiting", "status": "pushed"}) is None
    finished = dialect.parse_status({"result": "deny", "status": "fraud"})
    assert finished is not None
    assert not finished.allowed


def test_v1_state_without_result_is_not_finished():
    """In v1 the result is there only at the end."""
    assert V1().parse_status({"status": "Pushed a login request to your phone."}) is None


@pytest.mark.parametrize("response", [*NO_OBJECTS, {}, {"txid": ""}, {"txid": 4}, {"txid": "x" * 201}])
def test_transaction_without_a_name_is_an_error(response):
    """A transaction that cannot be asked about is lost."""
    with pytest.raises(UnexpectedAnswer):
        V2().parse_transaction(response)


def test_ping_and_check():
    """v2 tells its time, v1 answers with words."""
    assert V2().parse_ping({"time": 1357020061}) == 1357020061.0
    assert [V2().parse_ping({"time": time}) for time in ("now", 10**400, -1, True, None)] == [None] * 5
    V2().parse_check({"time": 1357020061})
    V1().parse_ping("pong")
    V1().parse_check("valid")
    assert (V1().ping_call().path, V1().check_call().path) == ("/rest/v1/ping", "/rest/v1/check")
    assert (V2().ping_call().path, V2().check_call().path) == ("/auth/v2/ping", "/auth/v2/check")
    for parse in (V1().parse_ping, V1().parse_check, V2().parse_ping, V2().parse_check):
        with pytest.raises(UnexpectedAnswer):
            parse("no")
