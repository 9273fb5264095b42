"""The options of sections whose users append a factor to the password: how it is found, and which are taken.

Owns these options for RADIUS and LDAP alike, what is wrong in them, and what the flow is told of them. This is no
section itself.
"""

from __future__ import annotations

from collections.abc import Iterable

from duoproxy.config.kinds import Boolean, Choice, CommaList, Integer, Text
from duoproxy.config.option import option, settings
from duoproxy.config.schema import Finding
from duoproxy.login.factors import AppendMode


@settings
class AppendSettings:
    """How a password is told from what is appended to it."""

    delimiter: str = option(Text(), default=",", help="What stands between password and appended factor.", example="^")
    delimited_password_length: int = option(
        Integer(0, 128),
        default=0,
        unit="characters",
        help="When not 0: every password has this length, and a factor follows it.",
        example="12",
    )


@settings
class ChosenFactorSettings(AppendSettings):
    """Which factor is chosen where none is appended, and whether one may be."""

    factors: tuple[str, ...] = option(
        CommaList(Choice("auto", "push", "phone", "passcode")),
        default=("auto",),
        help="Factors in order of preference; the first that the user's devices can do is used unless the user "
        "appends one. auto: push, else phone. passcode: the user has to append one.",
        example="push, phone",
    )
    allow_concat: bool = option(
        Boolean(),
        default=True,
        restricts=True,
        help="Whether a factor behind the delimiter is looked for.",
        example="false",
    )


def append_findings(server: AppendSettings) -> Iterable[Finding]:
    """Find a delimiter that cannot be told from what it stands before."""
    if any(letter.isalnum() for letter in server.delimiter):
        what = "letters and digits can stand in a factor or passcode, so that nothing could tell where it begins"
        yield ("delimiter", what, "Write punctuation, such as ^")


def append_mode(server: AppendSettings, *, allow_concat: bool, required: bool = False) -> AppendMode:
    """The options of splitting as the flow wants them."""
    return AppendMode(allow_concat, server.delimiter, server.delimited_password_length, required)
