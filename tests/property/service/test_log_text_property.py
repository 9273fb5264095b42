"""Whatever is logged: one printable line for each event."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from duoproxy.service.log_text import MAX_MESSAGE_CHARACTERS, format_line, printable
from tests.fuzz.targets import log_text

quick = settings(max_examples=200, deadline=None)
formats = st.lists(
    st.sampled_from(
        ["{user}", "{user!r}", "{", "}", "{{", "{missing}", "{user.x}", "{user[0]}", "\n", "\x1b[2J", "\u2028"]
    )
    | st.text(max_size=5),
    max_size=6,
).map("".join)


@quick
@given(st.text(max_size=60) | formats)
def test_any_text_makes_one_printable_line(text: str) -> None:
    """As a value, as a sentence, and even as the format."""
    log_text.target(text.encode("utf-8", "replace"))


@quick
@given(st.text(st.characters()), st.text(st.characters()))
def test_escapes_change_nothing_that_is_printable(left: str, right: str) -> None:
    """Text by text: what stands beside a control character stays, lone surrogates included."""
    assert printable(left + right) == printable(left) + printable(right)
    assert printable(left).isprintable()


@settings(max_examples=20, deadline=None)
@given(st.sampled_from(["a", "\n", "ä", "\ud800"]), st.integers(MAX_MESSAGE_CHARACTERS, 3 * MAX_MESSAGE_CHARACTERS))
def test_line_is_bounded(character: str, count: int) -> None:
    """A message is cut, so that no value can fill the disk."""
    line = format_line({"log_format": "{text}", "text": character * count, "log_time": 0.0})
    assert len(line) < 7 * MAX_MESSAGE_CHARACTERS + 200
