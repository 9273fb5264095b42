"""Whatever a user types: readings that lose nothing of the password field."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from duoproxy.duoapi.messages import Factor
from duoproxy.login.factors import AppendMode, parse_factor, read_password_field
from duoproxy.secret import Secret
from tests.fuzz.targets import login_factor

quick = settings(max_examples=200, deadline=None)
words = st.sampled_from(
    ["push", "PUSH2", "phone", "sms99", "auto", "auto1", "push0", "push100", "123456", "12345", "c" * 44]
)
fields = st.lists(words | st.sampled_from([",", ";;", " ", "ä"]) | st.text(max_size=6), max_size=5).map("".join)


@quick
@given(st.integers(0, 255), fields.map(lambda text: text.encode("utf-8", "replace")) | st.binary(max_size=40))
def test_any_field_has_readings_that_lose_nothing(mode: int, octets: bytes) -> None:
    """Every delimiter, every length: the whole field is a reading unless the length decides."""
    login_factor.target(bytes((mode,)) + octets)


@quick
@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=20), st.sampled_from([",", ";;", " ", "|"]), words)
def test_appended_factor_is_what_stands_behind_the_last_delimiter(password: str, delimiter: str, word: str) -> None:
    """`password,push`: the password may have the delimiter, too."""
    candidates = read_password_field(Secret(password + delimiter + word), AppendMode(delimiter=delimiter))
    typed = parse_factor(word)
    if typed is None:
        assert [candidate.typed for candidate in candidates] == [None]
    else:
        assert candidates[0].password.reveal_text() == password
        assert candidates[0].typed == typed
        assert candidates[1].password.reveal_text() == password + delimiter + word


@quick
@given(st.from_regex(r"[0-9]{6,9}", fullmatch=True), st.sampled_from(["", " ", "\t"]))
def test_passcode_keeps_its_digits(code: str, blanks: str) -> None:
    """Leading zeros included, blanks round it not."""
    typed = parse_factor(blanks + code + blanks)
    assert typed is not None
    assert typed.factor is Factor.PASSCODE
    assert typed.passcode == Secret(code)
