"""[radius_server_concat]: a factor always stands behind the password."""

from __future__ import annotations

from pathlib import Path

import pytest

from duoproxy.duoapi.messages import Factor
from tests.unit.sections.pap_section import PASSWORD, make, problems

ACCEPT, REJECT = 2, 3
NONE_ENTERED = "No second factor was entered. Log in again with push, phone, sms or a passcode."
CONCAT = "radius_server_concat"


@pytest.mark.parametrize(
    ("behind", "factor", "passcode"),
    [
        ("push", Factor.PUSH, None),
        ("PHONE1", Factor.PHONE, None),
        ("auto", Factor.PUSH, None),
        ("123456", Factor.PASSCODE, "123456"),
        (" 1234 ", Factor.PASSCODE, "1234"),
        ("a bypass code", Factor.PASSCODE, "a bypass code"),
    ],
)
def test_whatever_stands_behind_the_last_delimiter_is_the_factor(
    tmp_path: Path, behind: str, factor: Factor, passcode: str | None
) -> None:
    """A word, else a passcode, of any shape."""
    section = make(tmp_path, CONCAT)
    assert section.end(f"{PASSWORD},{behind}") == (ACCEPT, "Success. Logging you in...")
    [query] = section.duo.asked
    assert query.factor is factor
    assert (query.passcode.reveal_text() if query.passcode else None) == passcode
    assert section.client.fake.tried == [PASSWORD]


@pytest.mark.parametrize("typed", [PASSWORD, f"{PASSWORD},", f"{PASSWORD},  ", ",123456", "", ","])
def test_without_a_factor_nobody_is_asked(tmp_path: Path, typed: str) -> None:
    """Neither the directory nor Duo: the reject says nothing about the password."""
    section = make(tmp_path, CONCAT)
    assert section.end(typed) == (REJECT, NONE_ENTERED)
    assert (section.client.fake.tried, section.duo.preauths) == ([], [])


def test_a_wrong_password_is_tried_once(tmp_path: Path) -> None:
    """There is no second reading of the field: without a factor it could not be a login."""
    section = make(tmp_path, CONCAT)
    assert section.end("wrong,123456")[0] == REJECT
    assert section.client.fake.tried == ["wrong"]


def test_a_password_of_fixed_length_needs_a_factor_too(tmp_path: Path) -> None:
    """delimited_password_length, with and without the delimiter behind it."""
    length = f"delimited_password_length={len(PASSWORD)}"
    for typed, code in (
        (PASSWORD, REJECT),
        (PASSWORD + ",", REJECT),
        (PASSWORD + "push", ACCEPT),
        (PASSWORD + ",push", ACCEPT),
    ):
        assert make(tmp_path, CONCAT, length).end(typed)[0] == code


def test_another_delimiter(tmp_path: Path) -> None:
    """The comma is then part of the password."""
    section = make(tmp_path, CONCAT, "delimiter=^")
    assert section.end(f"{PASSWORD}^push")[0] == ACCEPT
    assert section.end(f"{PASSWORD},push") == (REJECT, NONE_ENTERED)


def test_who_is_exempt_needs_no_factor(tmp_path: Path) -> None:
    """exempt_username_n means the password alone, as in the other modes; a factor behind it does no harm."""
    section = make(tmp_path, CONCAT, "exempt_username_1=backup")
    assert section.end(PASSWORD, user="backup")[0] == ACCEPT
    assert section.end(f"{PASSWORD},push", user="Backup")[0] == ACCEPT
    assert section.end("wrong", user="backup")[0] == REJECT
    assert section.duo.preauths == []


def test_a_delimiter_of_letters_is_an_error(tmp_path: Path) -> None:
    """As in [radius_server_auto]."""
    [error] = problems(tmp_path, CONCAT, "delimiter=x")
    assert error.startswith("error: authproxy.cfg:8 [radius_server_concat] delimiter: letters and digits")
