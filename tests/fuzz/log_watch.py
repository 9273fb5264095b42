"""Watches what is logged while an input runs: no fault, and no line that the input could forge."""

from __future__ import annotations

from types import TracebackType
from typing import Any

from twisted.logger import LogEvent, globalLogPublisher

from duoproxy.service.log_text import format_line

_publisher: Any = globalLogPublisher


class LogWatch:
    """Takes events from `with` to its end."""

    def __init__(self) -> None:
        self._events: list[LogEvent] = []

    def __enter__(self) -> LogWatch:
        _publisher.addObserver(self._events.append)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        _publisher.removeObserver(self._events.append)

    def shows_no_fault(self) -> None:
        """Nothing unexpected was met: no traceback stands in the log, and each event is one printable line."""
        for event in self._events:
            if "log_failure" in event:
                raise AssertionError(f"a fault was logged:\n{format_line(event)}")
            line = format_line(event)
            assert line.endswith("\n"), line
            assert line[:-1].isprintable(), line
