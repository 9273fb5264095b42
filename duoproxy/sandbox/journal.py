"""What happened at the stand-in Duo service: a bounded list of events and exact counters, for tests and people."""

from __future__ import annotations

import itertools
from collections import Counter, deque

from attrs import frozen

MAX_EVENTS = 20_000
MAX_COUNTERS = 100_000


@frozen
class Event:
    """One thing that happened.

    Attributes:
        number: counts from 1, without gaps.
        at: seconds.
        what: `push`, `phone`, `sms`, `passcode`, `answer`, `request`, `enrolled`.
        username: who; may be empty.
        detail: short text.
    """

    number: int
    at: float
    what: str
    username: str
    detail: str


class Journal:
    """The last `MAX_EVENTS` events, and how often each user was asked by each factor."""

    def __init__(self) -> None:
        self._count = 0
        self._events: deque[Event] = deque(maxlen=MAX_EVENTS)
        self._asked: Counter[tuple[str, str]] = Counter()

    def note(self, what: str, username: str, now: float, detail: str = "") -> None:
        """Append an event."""
        self._count += 1
        self._events.append(Event(self._count, now, what, username, detail))

    def note_asked(self, username: str, factor: str, now: float, detail: str = "") -> None:
        """Append that a user was sent a push, a call or codes, or tried a passcode, and count it."""
        key = (username.casefold(), factor)
        if key in self._asked or len(self._asked) < MAX_COUNTERS:
            self._asked[key] += 1
        self.note(factor, username, now, detail)

    def asked(self, username: str, factor: str) -> int:
        """How often this user was asked by this factor since the start."""
        return self._asked[(username.casefold(), factor)]

    def counters(self) -> dict[str, dict[str, int]]:
        """All counters: user → factor → times."""
        table: dict[str, dict[str, int]] = {}
        for (username, factor), times in self._asked.items():
            table.setdefault(username, {})[factor] = times
        return table

    def since(self, number: int) -> list[Event]:
        """The events after the one of that number, oldest first; those that fell out of the list are missing."""
        return self.latest(max(0, min(len(self._events), self._count - number)))

    def latest(self, count: int) -> list[Event]:
        """The last events, oldest first."""
        return list(itertools.islice(reversed(self._events), count))[::-1]

    def clear(self) -> None:
        """Forget the events and the counters; the numbering goes on."""
        self._events.clear()
        self._asked.clear()
