"""What a user may type behind the password."""

from __future__ import annotations

import pytest

from duoproxy.duoapi.messages import Factor
from duoproxy.login.factors import AppendMode, parse_factor, read_password_field
from duoproxy.secret import Secret

MODHEX = "cccccccbcjdifctrndncchkftchjlnbhvhtugdljibej"


@pytest.mark.parametrize(
    ("text", "factor", "number"),
    [
        ("push", Factor.PUSH, None),
        ("push2", Factor.PUSH, 2),
        (" Phone3 ", Factor.PHONE, 3),
        ("SMS", Factor.SMS, None),
        ("auto", None, None),
    ],
)
def test_factor_words_are_read_in_any_case_with_a_device_number(text: str, factor: Factor, number: int) -> None:
    """push, phone, sms and auto, with an optional device number, blanks and case aside."""
    typed = parse_factor(text)
    assert typed is not None
    assert (typed.factor, typed.number) == (factor, number)


@pytest.mark.parametrize("text", ["123456", "1234567", "123456789", MODHEX, MODHEX.upper()])
def test_passcodes_are_six_to_nine_digits_or_44_modhex(text: str) -> None:
    """What has the shape of a passcode is one."""
    typed = parse_factor(text)
    assert typed is not None
    assert typed.factor is Factor.PASSCODE
    assert typed.passcode == Secret(text)


@pytest.mark.parametrize(
    "text", ["", "12345", "1234567890", "pushy", "push0", "push-2", "a23456", MODHEX[:-1], "١٢٣٤٥٦"]
)
def test_everything_else_is_no_factor(text: str) -> None:
    """A part of a password must not be taken for a factor."""
    assert parse_factor(text) is None


def readings(text: str, mode: AppendMode | None = None) -> list[tuple[str, str]]:
    """The readings as (password, factor)."""
    found = read_password_field(Secret(text), mode or AppendMode())
    return [(c.password.reveal_text(), _name(c.typed)) for c in found]


def _name(typed: object) -> str:
    factor = getattr(typed, "factor", None)
    return "" if typed is None else "auto" if factor is None else factor.value


def test_the_last_delimiter_splits() -> None:
    """Passwords may hold the delimiter, factors cannot."""
    assert readings("a,b,push") == [("a,b", "push"), ("a,b,push", "")]


def test_a_delimiter_before_something_else_belongs_to_the_password() -> None:
    """Only a factor word or a passcode behind the last delimiter splits."""
    assert readings("hello,world") == [("hello,world", "")]
    assert readings("hello,12345") == [("hello,12345", "")]


def test_allow_concat_false_takes_the_whole_field() -> None:
    """With allow_concat=false nothing is looked for."""
    assert readings("secret,push", AppendMode(allow_concat=False)) == [("secret,push", "")]


def test_another_delimiter_splits_and_the_comma_does_not() -> None:
    """`delimiter` is what the administrator says."""
    assert readings("a,push^phone", AppendMode(delimiter="^")) == [("a,push", "phone"), ("a,push^phone", "")]


@pytest.mark.parametrize("field", ["password1,push", "password1push", "password1, push"])
def test_a_password_length_splits_by_characters_and_drops_one_delimiter(field: str) -> None:
    """With delimited_password_length=9 the factor begins at the tenth character."""
    assert readings(field, AppendMode(password_length=9)) == [("password1", "push")]


def test_a_password_length_counts_characters_not_octets() -> None:
    """Nine letters with umlauts are nine characters."""
    assert readings("pässwörd1123456", AppendMode(password_length=9)) == [("pässwörd1", "passcode")]


def test_behind_a_password_length_anything_unknown_goes_to_duo_as_a_passcode() -> None:
    """The administrator said where the factor begins; whatever stands there is one."""
    assert readings("password1,xyz", AppendMode(password_length=9)) == [("password1", "passcode")]
    assert readings("password1", AppendMode(password_length=9)) == [("password1", "")]
