"""Asks resting upstream servers by Status-Server whether they are back, so that no login has to find out.

Not every server answers Status-Server: each is asked at the start, and when it comes back, and only one that answered
then is asked later. For the others one login probes, as `HostHealth` says.

Source: RFC 5997 §2.1, §4.2; reference §10.4.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any, Final

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from duoproxy.net.host_health import LONGEST_REST_S, HostHealth, Turn

STATUS_TRIES: Final = 2
STATUS_WAIT_S: Final = 2.0
PATIENCE: Final = 12
"""Status-Servers without an answer (about 40 minutes) until logins try the server again: it may be back, and answer
Status-Server no more.
"""


class StatusWatch:
    """Watches the servers of one upstream."""

    _log = Logger()

    def __init__(self, reactor: IReactorTime, health: HostHealth, ask: Callable[[int], Awaitable[bool]]) -> None:
        """Begin with nothing known.

        Args:
            reactor: `IReactorTime`.
            health: of the servers; an answer is noted there by whoever receives it.
            ask: sends Status-Server to a server; tells whether it answered.
        """
        self._reactor = reactor
        self._health = health
        self._ask = ask
        self._timers: dict[int, IDelayedCall] = {}
        self._asking: dict[int, Deferred[None]] = {}
        self._unanswered: Counter[int] = Counter()
        self._stopped = False

    def learn(self, index: int) -> None:
        """Find out whether a server that is well answers Status-Server."""
        self._begin(index, self._learn(index))

    def rests(self, index: int, rest_s: float) -> None:
        """Ask a server again when its rest is over, if it is one that answers Status-Server."""
        if not self._health.is_watched(index):
            return
        timer = self._timers.pop(index, None)
        if timer is not None and timer.active():
            timer.cancel()
        self._timers[index] = self._reactor.callLater(rest_s, lambda: self._begin(index, self._probe(index)))

    def stop(self) -> None:
        """Ask nothing more."""
        self._stopped = True
        for timer in self._timers.values():
            if timer.active():
                timer.cancel()
        self._timers.clear()
        for asking in list(self._asking.values()):
            asking.cancel()

    def _begin(self, index: int, work: Any) -> None:
        if index in self._asking:
            work.close()
            return
        asking = Deferred.fromCoroutine(work)
        self._asking[index] = asking
        asking.addErrback(self._tell)
        asking.addCallback(lambda _: self._ended(index))

    def _ended(self, index: int) -> None:
        """Whatever became of the question: a watched server that rests is asked again, for no login will ask it."""
        del self._asking[index]
        timer = self._timers.get(index)
        waits = timer is not None and timer.active()
        if not (self._stopped or waits or self._health.resting_until(index) is None):
            self.rests(index, LONGEST_REST_S)

    async def _learn(self, index: int) -> None:
        self._health.watch(index, watched=await self._ask(index))

    async def _probe(self, index: int) -> None:
        asked_at = self._reactor.seconds()
        if self._health.resting_until(index) is None or await self._ask(index):
            del self._unanswered[index]
            return
        self._unanswered[index] += 1
        if self._unanswered[index] >= PATIENCE:
            del self._unanswered[index]
            self._health.watch(index, watched=False)
        rest_s = self._health.failed(Turn(index, probe=True), asked_at, self._reactor.seconds())
        if rest_s is not None:
            self.rests(index, rest_s)

    def _tell(self, failure: Any) -> None:
        if not failure.check(CancelledError):
            self._log.failure("A server could not be asked for its status.", failure=failure)
