"""How often a line that others can provoke is written: once per interval and key, the rest is counted.

Time is an argument; nothing here writes.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable

MAX_KEYS = 1024
"""Keys (devices) that have an interval of their own; when all are in use, further ones share one."""


class LogLimit:
    """Lets one line pass per key and interval."""

    def __init__(self, interval_s: float, max_keys: int = MAX_KEYS) -> None:
        """Let a line pass every `interval_s` seconds; remember at most `max_keys` keys."""
        self._interval_s = interval_s
        self._max_keys = max_keys
        self._written: OrderedDict[Hashable, tuple[float, int]] = OrderedDict()

    def passes(self, key: Hashable, now: float) -> int | None:
        """Tell whether a line about `key` may be written.

        Args:
            key: what the line is about.
            now: seconds, monotonic.

        Returns:
            None: it may not, and is counted; else the number of lines that were held back since the last one.
        """
        if key not in self._written and not self._has_room(now):
            key = None
        written_at, held_back = self._written.get(key, (now - self._interval_s, 0))
        if now - written_at < self._interval_s:
            self._written[key] = (written_at, held_back + 1)
            return None
        self._written[key] = (now, 0)
        self._written.move_to_end(key)
        return held_back

    def _has_room(self, now: float) -> bool:
        while self._written:
            oldest, (written_at, held_back) = next(iter(self._written.items()))
            if now - written_at < self._interval_s or (held_back and len(self._written) < self._max_keys):
                break
            del self._written[oldest]
        return len(self._written) < self._max_keys
