"""The prompt and its answers: reference §10.5, the second prompt and the words that may answer it."""

from __future__ import annotations

import pytest

from duoproxy.duoapi.messages import Device, Factor, Preauth, PreauthResult, PromptOption
from duoproxy.login.factors import TypedFactor
from duoproxy.login.prompt import (
    MAX_LABEL_CHARACTERS,
    MAX_NAME_CHARACTERS,
    MAX_OPTIONS,
    MAX_PASSCODE_OCTETS,
    Prompt,
    PromptFormat,
    build_prompt,
    in_layout,
    is_sendable,
    parse_answer,
)
from duoproxy.secret import Secret
from tests.unit.login.kit import TOKEN

PHONE = Device("DP1", True, frozenset({"auto", "push", "phone", "sms", "mobile_otp"}), "XXX-XXX-1234", "1")
LANDLINE = Device("DP2", True, frozenset({"phone"}), "XXX-XXX-9999")
TABLET = Device("DP3", True, frozenset({"push"}), "iPad <Office>")

CONSOLE = """\
Duo two-factor login for alice

Enter a passcode or select one of the following options:

 1. Duo Push to XXX-XXX-1234
 2. Phone call to XXX-XXX-1234
 3. SMS passcodes to XXX-XXX-1234 (next code starts with: 1)

Passcode or option (1-3): """

SERVICE_PROMPT = "Duo login for alice\n\n 1. Phone call to X\n 2. Duo Push to Y\n\nPasscode or option (1-2):"
SERVICE_OPTIONS = (PromptOption(1, Factor.PHONE, "phone2"), PromptOption(2, Factor.PUSH, "phone1"))


def prompt(*devices: Device, layout: PromptFormat = PromptFormat.CONSOLE, next_codes: bool = True) -> Prompt:
    return build_prompt("alice", Preauth(PreauthResult.AUTH, devices=devices), layout, next_codes=next_codes)


def service_prompt(layout: PromptFormat = PromptFormat.CONSOLE) -> Prompt:
    answer = Preauth(PreauthResult.AUTH, prompt=SERVICE_PROMPT, prompt_options=SERVICE_OPTIONS)
    return build_prompt("alice", answer, layout)


def test_console_is_the_numbered_list_of_the_original() -> None:
    """`console`, word for word."""
    assert prompt(PHONE).text == CONSOLE


def test_short_is_one_line() -> None:
    """`1:push 2:phone 3:sms, or passcode: `."""
    assert prompt(PHONE, layout=PromptFormat.SHORT).text == "1:push 2:phone 3:sms, or passcode: "


def test_short_names_other_phones_by_their_number() -> None:
    """The word in the list is the word that may be typed."""
    assert prompt(PHONE, LANDLINE, layout=PromptFormat.SHORT).text == ("1:push 2:phone 3:sms 4:phone2, or passcode: ")


def test_html_is_the_same_as_an_ordered_list() -> None:
    """`html`; what comes from elsewhere is no markup."""
    answer = Preauth(PreauthResult.AUTH, devices=(PHONE, TABLET))
    assert build_prompt("<b>al&ice", answer, PromptFormat.HTML).text == (
        "<p>Duo two-factor login for &lt;b&gt;al&amp;ice</p>"
        "<p>Enter a passcode or select one of the following options:</p>"
        "<ol><li>Duo Push to XXX-XXX-1234</li><li>Phone call to XXX-XXX-1234</li>"
        "<li>SMS passcodes to XXX-XXX-1234 (next code starts with: 1)</li>"
        "<li>Duo Push to iPad &lt;Office&gt;</li></ol><p>Passcode or option (1-4): </p>"
    )


def test_there_is_one_option_for_each_device_and_what_it_can_do() -> None:
    """Tokens have no line; numbers go on over all devices."""
    assert prompt(TOKEN, PHONE, LANDLINE, TABLET).options == (
        PromptOption(1, Factor.PUSH, "DP1"),
        PromptOption(2, Factor.PHONE, "DP1"),
        PromptOption(3, Factor.SMS, "DP1"),
        PromptOption(4, Factor.PHONE, "DP2"),
        PromptOption(5, Factor.PUSH, "DP3"),
    )


@pytest.mark.parametrize(
    ("layout", "text"),
    [
        (PromptFormat.CONSOLE, "Duo two-factor login for alice\n\nEnter a passcode.\n\nPasscode: "),
        (PromptFormat.SHORT, "Passcode: "),
        (PromptFormat.HTML, "<p>Duo two-factor login for alice</p><p>Enter a passcode.</p><p>Passcode: </p>"),
    ],
)
def test_a_user_with_a_token_only_is_asked_for_a_passcode(layout: PromptFormat, text: str) -> None:
    """No device, no options."""
    assert prompt(TOKEN, layout=layout).text == text


def test_the_next_code_is_not_named_once_new_ones_were_sent() -> None:
    """The digit is of the old batch."""
    assert "next code" not in prompt(PHONE, next_codes=False).text
    assert "SMS passcodes to XXX-XXX-1234\n" in prompt(PHONE, next_codes=False).text


def test_a_phone_without_a_label_is_named_by_its_number() -> None:
    """As the words count it: push2 is phone 2."""
    bare = Device("phone2", True, frozenset({"push"}))
    assert " 2. Duo Push to phone 2\n" in prompt(LANDLINE, bare).text


def test_a_prompt_is_bounded() -> None:
    """So many lines, and names that are no essays: it must fit a reply."""
    devices = [Device(f"DP{n}", True, frozenset({"push", "sms"}), "long\nlabel " * 20) for n in range(50)]
    built = build_prompt("n" * 253, Preauth(PreauthResult.AUTH, devices=tuple(devices)))
    assert len(built.options) == MAX_OPTIONS
    lines = built.text.splitlines()
    assert len(lines) == MAX_OPTIONS + 6
    assert max(map(len, lines)) <= max(MAX_NAME_CHARACTERS, MAX_LABEL_CHARACTERS) + 30
    assert len(built.text.encode()) < 2024


@pytest.mark.parametrize("layout", [PromptFormat.CONSOLE, PromptFormat.SHORT])
def test_the_services_own_prompt_is_shown_as_it_is(layout: PromptFormat) -> None:
    """With the v1 API."""
    assert service_prompt(layout).text == SERVICE_PROMPT


def test_the_services_own_prompt_is_no_markup() -> None:
    """It has lines, and it may echo the name that was typed."""
    answer = Preauth(PreauthResult.AUTH, prompt="Duo login for <b>\n 1. x")
    assert build_prompt("<b>", answer, PromptFormat.HTML).text == "<pre>Duo login for &lt;b&gt;\n 1. x</pre>"


def test_the_numbers_of_the_services_own_prompt_are_its_factors() -> None:
    """`factors` of v1 says what 1 and 2 are, in whatever order."""
    assert parse_answer(Secret("1"), service_prompt()) == SERVICE_OPTIONS[0]
    assert parse_answer(Secret("2"), service_prompt()) == SERVICE_OPTIONS[1]


@pytest.mark.parametrize(
    ("answer", "meaning"),
    [
        ("1", PromptOption(1, Factor.PUSH, "DP1")),
        (" 4\n", PromptOption(4, Factor.PHONE, "DP2")),
        ("push", TypedFactor(Factor.PUSH)),
        ("PHONE2", TypedFactor(Factor.PHONE, 2)),
        (" sms1 ", TypedFactor(Factor.SMS, 1)),
        ("auto", TypedFactor(None)),
        ("123456", TypedFactor(Factor.PASSCODE, passcode=Secret("123456"))),
        ("5", TypedFactor(Factor.PASSCODE, passcode=Secret("5"))),
        ("0", TypedFactor(Factor.PASSCODE, passcode=Secret("0"))),
        ("01", TypedFactor(Factor.PASSCODE, passcode=Secret("01"))),
        ("\uff11", TypedFactor(Factor.PASSCODE, passcode=Secret("\uff11"))),
        ("1 2", TypedFactor(Factor.PASSCODE, passcode=Secret("1 2"))),
        (" bypass code ", TypedFactor(Factor.PASSCODE, passcode=Secret("bypass code"))),
        ("push0", TypedFactor(Factor.PASSCODE, passcode=Secret("push0"))),
    ],
)
def test_an_answer_is_a_number_a_word_or_a_passcode(answer: str, meaning: TypedFactor | PromptOption) -> None:
    """Numbers of the prompt, words with a device number, everything else goes to Duo as a passcode."""
    assert parse_answer(Secret(answer), prompt(PHONE, LANDLINE)) == meaning


@pytest.mark.parametrize(
    ("layout", "text"),
    [
        (PromptFormat.CONSOLE, "Sorry & no.\n\nDuo two-factor login for alice\n"),
        (PromptFormat.SHORT, "Sorry & no. Passcode: "),
        (PromptFormat.HTML, "<p>Sorry &amp; no.</p><p>Duo"),
    ],
)
def test_a_notice_stands_before_the_prompt(layout: PromptFormat, text: str) -> None:
    """In the layout of the prompt."""
    shown = prompt(TOKEN, layout=layout).with_notice("Sorry & no.")
    assert shown.startswith(text)


def test_a_text_alone_is_in_the_layout_too() -> None:
    """What ends a challenge is shown by the same device."""
    assert in_layout("a<b", PromptFormat.HTML) == "<p>a&lt;b</p>"
    assert in_layout("a<b", PromptFormat.SHORT) == "a<b"


@pytest.mark.parametrize(
    ("passcode", "sendable"),
    [
        (b"123456", True),
        (b"x" * MAX_PASSCODE_OCTETS, True),
        (b"x" * (MAX_PASSCODE_OCTETS + 1), False),
        (b"\xff\xfe", False),
    ],
)
def test_a_passcode_is_a_short_text(passcode: bytes, sendable: bool) -> None:
    """What cannot be a passcode is not sent anywhere."""
    assert is_sendable(Secret(passcode)) is sendable
