"""What signals do to a running service.

SIGTERM and SIGINT: the first one begins a stop, the second one ends its waiting, the third one ends the process.
SIGUSR1: the log files are opened anew. The handlers only ask the reactor to do it, outside of whatever it is doing.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from types import FrameType
from typing import Any

from twisted.internet.error import ReactorNotRunning

_STOPPING_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class StopSignals:
    """Counts the signals that ask for the end.

    Twisted's own handlers would let a second signal pass without effect, and would end a process that was asked to end
    as if it had been killed.
    """

    def __init__(self, reactor: Any, hurry: Callable[[], None]) -> None:
        """Keep what is to be done.

        Args:
            reactor: `IReactorCore` and `IReactorFromThreads`.
            hurry: ends the waiting of a stop that has begun.
        """
        self._reactor = reactor
        self._hurry = hurry
        self._stopping = False

    def install(self) -> None:
        """Take the signals over; in the main thread, when the reactor runs."""
        for number in _STOPPING_SIGNALS:
            signal.signal(number, self._received)

    def _received(self, number: int, frame: FrameType | None) -> None:
        if self._stopping:
            for one in _STOPPING_SIGNALS:
                signal.signal(one, signal.SIG_DFL)
            self._reactor.callFromThread(self._hurry)
            return
        self._stopping = True
        self._reactor.callFromThread(self._stop)

    def _stop(self) -> None:
        try:
            self._reactor.stop()
        except ReactorNotRunning:
            self._hurry()  # something else has begun the stop


def install_reopen_signal(reactor: Any, reopen: Callable[[], None]) -> None:
    """Let SIGUSR1 call `reopen` in the reactor; without it, the signal would end the process."""
    signal.signal(signal.SIGUSR1, lambda number, frame: reactor.callFromThread(reopen))
