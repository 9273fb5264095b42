"""Whether a connection is read from: never while one of several reasons speaks against it.

Whoever cannot get rid of what comes in stops the source; it goes on when nobody is left who stopped it.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable


class Reading:
    """One connection's reading, on until somebody stops it."""

    def __init__(self, pause: Callable[[], None], resume: Callable[[], None]) -> None:
        """Begin reading; the two are called when that changes."""
        self._pause = pause
        self._resume = resume
        self._reasons: set[Hashable] = set()

    @property
    def is_stopped(self) -> bool:
        """Whether nothing is read now."""
        return bool(self._reasons)

    def stop(self, reason: Hashable) -> None:
        """Read no more, until `go_on` with the same reason."""
        if not self._reasons:
            self._pause()
        self._reasons.add(reason)

    def go_on(self, reason: Hashable) -> None:
        """Read on, if no other reason is left; one that never stopped it changes nothing."""
        if reason in self._reasons:
            self._reasons.discard(reason)
            if not self._reasons:
                self._resume()
