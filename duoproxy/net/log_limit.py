"""How often a line that others can provoke is written: once per interval and key, the rest is counted.

`LogLimit` decides, with time as an argument; `LimitedLog` writes.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable, Hashable
from typing import Final

from twisted.logger import Logger, LogLevel

INTERVAL_S: Final = 60.0
"""Between two lines about the same fact and the same peer."""

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


class LimitedLog:
    """Writes sentences about peers, each fact at most once per peer and interval.

    Attributes:
        counts: how often each fact was there, written or not; of a fact that is a tuple, its first part is counted.
    """

    def __init__(self, log: Logger, seconds: Callable[[], float], interval_s: float = INTERVAL_S) -> None:
        """Write to `log`; `seconds` is the clock."""
        self.counts: Counter[str] = Counter()
        self._log = log
        self._seconds = seconds
        self._limit = LogLimit(interval_s)

    def warn(self, fact: Hashable, peer: str, sentence: Callable[[], str]) -> None:
        """Write what `sentence` makes, unless `fact` about `peer` was written lately.

        Args:
            fact: what happened, a word of ours, or a tuple that begins with one; equal for equal facts.
            peer: who it is about, in text form.
            sentence: called only when the line is written.
        """
        self.counts[str(fact[0] if isinstance(fact, tuple) else fact)] += 1
        held_back = self._limit.passes((fact, peer), self._seconds())
        if held_back is None:
            return
        more = f" ({held_back} more like this since the last such line.)" if held_back else ""
        self._log.emit(LogLevel.warn, "{sentence}{more}", sentence=sentence(), more=more, peer=peer)
