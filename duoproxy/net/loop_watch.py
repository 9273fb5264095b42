"""How long this process itself stood still while something was waited for.

A deadline that passes because nobody here had time to read the answer says nothing of whoever was to answer. The watch
lets a timer run while somebody waits: how much it comes too late is how long everything here came too late.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from attrs import define, field
from twisted.internet.interfaces import IReactorTime

TICK_S: Final = 0.5
"""Between two looks; only while somebody waits."""
LATE_S: Final = 0.1
"""So late every timer may be, on a machine that has something to do."""


@define(eq=False)
class Stalls:
    """What came too late since somebody began to wait.

    Attributes:
        total_s: seconds.
    """

    total_s: float = 0.0


@define(eq=False)
class LoopWatch:
    """Measures how late timers are, for those who wait.

    Attributes:
        reactor: `IReactorTime`, monotonic.
    """

    reactor: IReactorTime
    _waiting: list[Stalls] = field(factory=list, init=False)
    _tick: Any = field(default=None, init=False)
    _due: float = field(default=0.0, init=False)

    @contextmanager
    def watching(self) -> Iterator[Stalls]:
        """Count for one who waits, until the end of the block."""
        stalls = Stalls()
        if not self._waiting:
            self._begin()
        self._waiting.append(stalls)
        try:
            yield stalls
        finally:
            self._waiting.remove(stalls)
            if not self._waiting and self._tick is not None and self._tick.active():
                self._tick.cancel()

    def look(self) -> None:
        """Count what is too late by now, and begin anew."""
        late_s = self.reactor.seconds() - self._due
        if late_s > LATE_S:
            for stalls in self._waiting:
                stalls.total_s += late_s
        if self._tick is not None and self._tick.active():
            if late_s <= LATE_S:
                return
            self._tick.cancel()
        self._begin()

    def _begin(self) -> None:
        self._due = self.reactor.seconds() + TICK_S
        self._tick = self.reactor.callLater(TICK_S, self.look)
