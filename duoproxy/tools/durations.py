"""Spans of time and moments, in the words that people use."""

from __future__ import annotations

import time

_UNITS = ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second"))


def in_words(seconds: float) -> str:
    """Say how long a span is, by its two greatest units: `3 days 4 hours`, `12 minutes 5 seconds`, `0 seconds`."""
    left = max(0, int(seconds))
    numbers: list[tuple[int, str]] = []
    for size, unit in _UNITS:
        number, left = divmod(left, size)
        if number or numbers:
            numbers.append((number, unit))
    words = [f"{number} {unit}{'' if number == 1 else 's'}" for number, unit in numbers[:2] if number]
    return " ".join(words) or "0 seconds"


def local_time(seconds: float) -> str:
    """Write a moment (seconds since 1970) as the log does, in local time."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))
