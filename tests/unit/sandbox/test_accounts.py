"""How users of the sandbox are described in one line, and their codes."""

from __future__ import annotations

import itertools
import re

import pytest

from duoproxy.sandbox.accounts import (
    SMS_CODES_PER_BATCH,
    Behaviour,
    DeviceKind,
    Reaction,
    Standing,
    make_account,
    parse_behaviour,
)

COUNTER = itertools.count(1)


def random_bytes(count: int) -> bytes:
    return next(COUNTER).to_bytes(count, "big")


@pytest.mark.parametrize(
    ("text", "behaviour"),
    [
        ("alice", Behaviour("alice")),
        ("alice push", Behaviour("alice", devices=(DeviceKind.SMARTPHONE,))),
        ("bob phone", Behaviour("bob", devices=(DeviceKind.PLAIN_PHONE,))),
        ("carol passcode 424242", Behaviour("carol", devices=(DeviceKind.TOKEN,), passcode="424242")),
        ("carol passcode push", Behaviour("carol", devices=(DeviceKind.TOKEN, DeviceKind.SMARTPHONE))),
        ("dave deny", Behaviour("dave", reaction=Reaction.DENY, delay_s=0.0)),
        ("dave deny 3", Behaviour("dave", reaction=Reaction.DENY, delay_s=3.0)),
        ("erin enroll", Behaviour("erin", Standing.ENROLL)),
        ("frank bypass", Behaviour("frank", Standing.BYPASS)),
        ("grace locked", Behaviour("grace", Standing.LOCKED)),
        ("gus disabled", Behaviour("gus", Standing.DISABLED)),
        ("heidi timeout", Behaviour("heidi", reaction=Reaction.IGNORE)),
        ("heidi timeout 5", Behaviour("heidi", reaction=Reaction.IGNORE, delay_s=5.0)),
        ("ivan APPROVE-AFTER 0.5", Behaviour("ivan", reaction=Reaction.APPROVE, delay_s=0.5)),
        (
            "judy phone push fraud-after 1",
            Behaviour(
                "judy", Standing.ACTIVE, (DeviceKind.PLAIN_PHONE, DeviceKind.SMARTPHONE), "", Reaction.FRAUD, 1.0
            ),
        ),
    ],
)
def test_a_line_describes_a_user(text: str, behaviour: Behaviour) -> None:
    """A name, devices, and what happens."""
    assert parse_behaviour(text) == behaviour


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "a user name of 1 to 256 characters is missing"),
        ("alice pushh", "'pushh' is not one of: push, phone,"),
        ("ivan approve-after", "'approve-after' needs a number of seconds, such as 'approve-after 2'"),
        ("ivan approve-after soon", "'approve-after' needs a number"),
        ("ivan approve-after -1", "'approve-after' takes 0 to 600 seconds"),
        ("ivan approve-after nan", "'approve-after' takes 0 to 600 seconds"),
        ("ivan " + "push " * 11, "a user has at most 10 devices"),
    ],
)
def test_a_line_that_cannot_be_read_says_what_is_wrong(text: str, what: str) -> None:
    """The error is a clause that the configuration check can print."""
    with pytest.raises(ValueError, match=f"^{re.escape(what)}"):
        parse_behaviour(text)


def test_every_behaviour_is_described_for_people() -> None:
    """The start and the phone page say what each user will meet."""
    assert parse_behaviour("alice push").describe() == "gets a push: answer it on the phone page"
    assert parse_behaviour("bob phone").describe() == "gets a call: answer it on the phone page"
    assert parse_behaviour("c passcode 1234567").describe().endswith("PASSWORD,1234567")
    assert parse_behaviour("c passcode").describe() == "appends a passcode from the phone page to the password"
    assert parse_behaviour("ivan approve-after 2").describe() == "approves by itself after 2 s"
    assert parse_behaviour("dave deny").describe() == "denies by itself at once"
    assert parse_behaviour("frank bypass").describe() == "is let in without a second factor"
    assert parse_behaviour("heidi timeout").describe() == "never answers, so that the login times out"


def test_devices_have_the_capabilities_of_their_kind() -> None:
    """A smartphone can be pushed, a plain phone called, a token neither; numbers count phones only."""
    account = make_account(parse_behaviour("judy passcode phone push"), "judy", random_bytes)
    assert [(device.can("push"), device.can("phone")) for device in account.devices] == [
        (False, False),
        (False, True),
        (True, True),
    ]
    assert [phone.kind for phone in account.phones()] == [DeviceKind.PLAIN_PHONE, DeviceKind.SMARTPHONE]
    assert [device.device_id[:2] for device in account.devices] == ["DH", "DP", "DP"]
    assert all(len(device.device_id) == 20 for device in account.devices)


def test_a_passcode_works_once_but_the_fixed_one_always() -> None:
    """The code of an app or token is spent by its use."""
    account = make_account(parse_behaviour("alice push passcode 424242"), "alice", random_bytes)
    code = account.current_passcode
    assert account.use_passcode(code, random_bytes)
    assert not account.use_passcode(code, random_bytes)
    assert account.use_passcode("424242", random_bytes)
    assert account.use_passcode("424242", random_bytes)
    assert not account.use_passcode("", random_bytes)


def test_a_user_without_app_or_token_has_no_passcode() -> None:
    """A plain phone makes no codes."""
    account = make_account(parse_behaviour("bob phone"), "bob", random_bytes)
    assert not account.use_passcode(account.current_passcode, random_bytes)


def test_an_sms_code_spends_itself_and_those_before() -> None:
    """Codes of a batch are used in order; the first digit says which is next."""
    account = make_account(parse_behaviour("bob phone"), "bob", random_bytes)
    assert account.next_sms_digit() == ""
    account.new_sms_batch(random_bytes)
    codes = list(account.sms_codes)
    assert [code[0] for code in codes] == list("1234567890")
    assert len(codes) == SMS_CODES_PER_BATCH
    assert account.use_passcode(codes[2], random_bytes)
    assert account.next_sms_digit() == "4"
    assert not account.use_passcode(codes[0], random_bytes)
    assert not account.use_passcode(codes[2], random_bytes)


def test_a_user_who_has_to_enroll_has_no_device() -> None:
    """Whatever the line says about devices, there is none before enrolling."""
    assert make_account(parse_behaviour("erin enroll push"), "erin", random_bytes).devices == ()


def test_an_account_that_was_locked_says_so() -> None:
    """What the phone page shows follows the standing of now."""
    account = make_account(parse_behaviour("alice push"), "alice", random_bytes)
    account.standing = Standing.LOCKED
    assert account.describe() == "is locked out"
