"""The very end of the process: in time, and with the right status.

When everything has stopped, threads may still wait for a name server that does not answer, for half a minute and more,
and nobody can interrupt them. Twisted and Python would wait for them; whoever stops the service should not.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

THREADS_S: Final = 1.0
"""Threads have so long to end by themselves."""


class Leaving:
    """How the process ends."""

    def __init__(self, reactor: Any, pid_file: Path | None = None, leave: Callable[[int], object] = os._exit) -> None:
        """Prepare.

        Args:
            reactor: `IReactorCore`.
            pid_file: what twistd would remove.
            leave: ends the process at once.
        """
        self._reactor = reactor
        self._pid_file = pid_file
        self._leave = leave
        self._status = 0

    def fail(self) -> None:
        """Stop the reactor, which may not run yet; twistd itself would end with status 0, so leave before it can."""
        self._status = 1
        atexit.register(self._leave, 1)
        self._reactor.callWhenRunning(self._reactor.stop)

    def stopped(self) -> None:
        """Leave soon, whatever threads do: everything has stopped."""
        timer = threading.Timer(THREADS_S, self._now)
        timer.daemon = True
        timer.start()

    def _now(self) -> None:
        if self._pid_file is not None:
            with contextlib.suppress(OSError):
                self._pid_file.unlink()
        self._leave(self._status)
