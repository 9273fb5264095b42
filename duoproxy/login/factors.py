"""What a user may type to choose a factor, and where it stands in the password field.

Append mode: `password,push2` or `password,123456`. The words, the shape of passcodes and the rules of splitting stand
here; which device can do a factor stands in `duoproxy.duoapi.devices`.
"""

from __future__ import annotations

import re

from attrs import frozen

from duoproxy.duoapi.messages import Factor
from duoproxy.secret import Secret

_WORD = re.compile(r"(push|phone|sms|auto)([1-9][0-9]?)?", re.IGNORECASE)
_DIGITS = re.compile(r"[0-9]{6,9}")
_MODHEX = re.compile(r"[cbdefghijklnrtuv]{44}", re.IGNORECASE)


@frozen
class TypedFactor:
    """A factor that a user asked for.

    Attributes:
        factor: the factor, or None for `auto`: the automatic choice.
        number: the number of the phone, counted from 1 as Duo lists the user's phones; None for the first that can do
            it.
        passcode: for Factor.PASSCODE: what was typed.
    """

    factor: Factor | None
    number: int | None = None
    passcode: Secret | None = None


def parse_factor_word(text: str) -> TypedFactor | None:
    """Read `push`, `phone2`, `sms`, `auto` …, in any case and with outer blanks; None for anything else."""
    match = _WORD.fullmatch(text.strip())
    if match is None:
        return None
    word, number = match[1].lower(), match[2]
    factor = None if word == "auto" else Factor(word)
    return TypedFactor(factor, int(number) if number else None)


def parse_factor(text: str) -> TypedFactor | None:
    """Read a factor word or a text that has the shape of a passcode (6 to 9 digits, or 44 modhex); None for neither."""
    code = text.strip()
    if _DIGITS.fullmatch(code) or _MODHEX.fullmatch(code):
        return TypedFactor(Factor.PASSCODE, passcode=Secret(code))
    return parse_factor_word(code)


@frozen
class AppendMode:
    """How a password field is split.

    Attributes:
        allow_concat: whether the delimiter is looked for.
        delimiter: what stands between password and factor; not empty.
        password_length: when not 0, every password has this many characters and the factor begins behind it.
        required: whether there is no password without a factor behind it; whatever follows is then a factor or goes to
            Duo as a passcode.
    """

    allow_concat: bool = True
    delimiter: str = ","
    password_length: int = 0
    required: bool = False


@frozen
class Candidate:
    """One reading of the password field: a password, and the factor behind it (None: automatic)."""

    password: Secret
    typed: TypedFactor | None


def read_password_field(field: Secret, mode: AppendMode) -> tuple[Candidate, ...]:
    """List the readings of the password field, the one to try first first.

    With `password_length` the length decides, and whatever follows is a factor or goes to Duo as a passcode; there is
    no second reading, since every password has that length. Otherwise the *last* delimiter splits, and only when a
    factor word or a passcode follows it; the whole field as a password is then the second reading. Where a factor is
    required, there is one reading, or none when it is missing.
    """
    text = field.reveal_text()
    if mode.password_length:
        by_length = _read_by_length(text, mode)
        return () if mode.required and by_length.typed is None else (by_length,)
    if mode.required:
        return _read_with_factor(text, mode)
    whole = Candidate(field, None)
    if not mode.allow_concat:
        return (whole,)
    left, delimiter, right = text.rpartition(mode.delimiter)
    typed = parse_factor(right) if delimiter else None
    if typed is None:
        return (whole,)
    return (Candidate(Secret(left), typed), whole)


def _read_with_factor(text: str, mode: AppendMode) -> tuple[Candidate, ...]:
    left, _, right = text.rpartition(mode.delimiter)
    if not left or not right.strip():
        return ()
    return (Candidate(Secret(left), _word_or_passcode(right.strip())),)


def _read_by_length(text: str, mode: AppendMode) -> Candidate:
    password, rest = text[: mode.password_length], text[mode.password_length :]
    rest = rest.removeprefix(mode.delimiter).strip()
    if not rest:
        return Candidate(Secret(password), None)
    return Candidate(Secret(password), _word_or_passcode(rest))


def _word_or_passcode(text: str) -> TypedFactor:
    return parse_factor(text) or TypedFactor(Factor.PASSCODE, passcode=Secret(text))
