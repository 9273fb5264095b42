"""How an event becomes a line of authproxy.log."""

from __future__ import annotations

from twisted.logger import LogLevel
from twisted.python.failure import Failure

from duoproxy.secret import Secret
from duoproxy.service.log_text import MAX_MESSAGE_CHARACTERS, format_line, printable


def _event(**fields: object) -> dict[str, object]:
    return {"log_time": 0.0, "log_level": LogLevel.info, "log_namespace": "radius_server_auto", **fields}


def test_a_line_has_time_section_level_and_message() -> None:
    """`timestamp [name#level] message`."""
    line = format_line(_event(log_format="Login {user}", user="alice"))
    assert line.endswith(" [radius_server_auto#info] Login alice\n")
    assert line[:4] in {"1970", "1969"}


def test_a_user_name_cannot_begin_a_line_of_its_own() -> None:
    """Control characters and line separators are shown as escapes."""
    name = (
        "eve\n2026-11-21T00:00:00+0000 [radius_server_auto#info] Login x: user=root result=accept\r\x1b[2K\u2028\u0085"
    )
    line = format_line(_event(log_format="user={user}", user=name))
    assert line.count("\n") == 1
    assert "\\n2026" in line
    assert not any(c in line for c in "\r\x1b\u2028\u0085")


def test_braces_in_a_user_name_are_not_a_format() -> None:
    """A name with braces is a value and never a format string."""
    assert "{log_time}" in format_line(_event(log_format="user={user}", user="{log_time}"))


def test_a_secret_in_a_message_is_five_asterisks() -> None:
    """Whoever logs a Secret by mistake logs nothing."""
    line = format_line(_event(log_format="{a} {a!r} {b}", a=Secret("hunter2"), b=[Secret("hunter2")]))
    assert "hunter2" not in line
    assert "*****" in line


def test_a_traceback_follows_on_lines_that_begin_with_a_tab() -> None:
    """So that it cannot be taken for messages."""
    failure = Failure(ValueError("first\nsecond"))
    first, *rest = format_line(_event(log_format="failed", log_failure=failure)).splitlines()
    assert first.endswith("failed")
    assert rest
    assert all(row.startswith("\t") for row in rest)


def test_a_message_is_cut_at_its_bound() -> None:
    """No stranger decides how much is written."""
    assert len(format_line(_event(log_format="{x}", x="a" * 100_000))) < MAX_MESSAGE_CHARACTERS + 200


def test_printable_text_is_left_alone() -> None:
    """Names in every script stay as they are."""
    assert printable("Zoë Müller 你好") == "Zoë Müller 你好"


def test_a_format_that_calls_is_formatted_too() -> None:
    """Twisted's formats may call what they name: `{name()}`."""
    event = {"log_format": "{name()} of {number:02d}", "name": lambda: "first", "number": 3, "log_time": 0.0}
    assert format_line(event).endswith("first of 03\n")


def test_a_value_that_cannot_be_formatted_still_makes_a_line() -> None:
    """A log line is written whatever the values of its event do."""
    event = {"log_format": "{missing} {number:02d}", "number": "three", "log_time": 0.0}
    assert "Unable to format event" in format_line(event)
