"""How an event becomes a line of authproxy.log.

A line is `timestamp [namespace#level] message`. Whatever a stranger could put into a message (user names, attribute
values) is made printable here, in one place, so that no value can begin a line of its own.
"""

from __future__ import annotations

from functools import lru_cache

from twisted.logger import LogEvent, LogLevel, eventAsText, formatTime

MAX_MESSAGE_CHARACTERS = 8_192


def printable(text: str) -> str:
    r"""Replace every control character and line separator by its escape (`\n`, `\x1b`, `\u2028`)."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def format_line(event: LogEvent) -> str:
    """Make the text of one event, with its line end; a traceback follows on lines that begin with a tab."""
    message = message_of(event)
    if len(message) > MAX_MESSAGE_CHARACTERS:
        message = message[:MAX_MESSAGE_CHARACTERS] + " …"
    level = event.get("log_level", LogLevel.info)
    written_at = event.get("log_time")
    stamp = formatTime(None) if written_at is None else _stamp(int(written_at))
    line = f"{stamp} [{event.get('log_namespace', '-')}#{level.name}] {printable(message)}\n"
    failure = event.get("log_failure")
    if failure is None:
        return line
    traceback = "".join(f"\t{printable(row)}\n" for row in failure.getTraceback().splitlines())
    return line + traceback


@lru_cache(maxsize=1)
def _stamp(second: int) -> str:
    """Write a moment as Twisted does, once for all lines of a second: it asks for the time zone each time."""
    return formatTime(second)


def message_of(event: LogEvent) -> str:
    """Format the message of an event as Twisted does, without time and traceback.

    Its formatter walks each format in Python, which took a tenth of a login; `str` does the same for every format but
    those with calls in them (`{name()}`), and what it cannot do goes the long way.
    """
    try:
        return str(event["log_format"].format_map(event))
    except Exception:  # noqa: BLE001 - whatever a value does when it is formatted, Twisted has a text for it
        return eventAsText(event, includeTraceback=False, includeTimestamp=False, includeSystem=False)
