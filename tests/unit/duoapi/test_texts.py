"""Text from the service, made fit to be shown."""

from __future__ import annotations

import pytest

from duoproxy.duoapi.texts import clean_text, masked_number


def test_text_keeps_its_lines_and_letters():
    """Prompts have lines; names have any letters."""
    assert clean_text("Zwei Wörter\n\t1. Push 日本 ") == "Zwei Wörter\n\t1. Push 日本"


def test_control_characters_are_dropped():
    """No text can move a cursor or forge a line."""
    assert clean_text("a\x00b\x1b[2Jc\r\x7f\u202ed") == "ab[2Jcd"


def test_text_is_bounded():
    """A message of any length fits."""
    assert len(clean_text("x" * 10_000)) == 1000
    assert clean_text("abcdef", 3) == "abc"


def test_text_that_is_no_unicode_can_be_encoded_afterwards():
    """A lone surrogate in JSON becomes a question mark."""
    assert clean_text("a\ud800b") == "a?b"


@pytest.mark.parametrize(
    ("number", "shown"), [("+1 555 555 1234", "XXX-XXX-1234"), ("XXX-XXX-9876", "XXX-XXX-9876"), ("", ""), ("12", "")]
)
def test_number_shows_its_last_four_digits(number, shown):
    """A phone's number is masked, also where the service does not."""
    assert masked_number(number) == shown
