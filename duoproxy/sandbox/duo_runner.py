"""Gives the stand-in Duo service a clock: reactions and time-outs happen, and those who wait are woken."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from duoproxy.sandbox.accounts import Reaction
from duoproxy.sandbox.duo_api import ApiWait
from duoproxy.sandbox.duo_service import DuoService
from duoproxy.sandbox.transactions import Transaction


class DuoRunner:
    """Drives a `DuoService`.

    Args:
        service: the service.
        reactor: IReactorTime.
        wall_time: the true time, seconds since 1970; for signatures and the Date header.
    """

    def __init__(self, service: DuoService, reactor: IReactorTime, wall_time: Callable[[], float]) -> None:
        self.service = service
        self.wall_time = wall_time
        self._reactor = reactor
        self._timer: Any = None
        self._waiting: dict[str, list[Deferred[None]]] = {}

    def now(self) -> float:
        """The time of the state machine, in seconds."""
        return float(self._reactor.seconds())

    def arm(self) -> None:
        """Set the timer for what is due next; to be called after each call that can begin an attempt."""
        due = self.service.next_timeout()
        if self._timer is not None and self._timer.active():
            if due is not None and self._timer.getTime() <= due:
                return
            self._timer.cancel()
        self._timer = None
        if due is not None:
            self._timer = self._reactor.callLater(max(0.0, due - self.now()), self._tick)

    async def wait(self, wait: ApiWait) -> None:
        """Return when the attempt is finished, or when it has waited long enough."""
        if not wait.transaction.is_pending:
            return
        done: Deferred[None] = Deferred()
        self._waiting.setdefault(wait.transaction.txid, []).append(done)
        try:
            await self._until(done, wait.until - self.now())
        finally:
            self._forget(wait.transaction.txid, done)

    async def sleep(self, seconds: float) -> None:
        """Return after so many seconds."""
        await self._until(Deferred(), seconds)

    async def _until(self, done: Deferred[None], seconds: float) -> None:
        """Return when `done` has fired, or else after so many seconds."""
        timer = self._reactor.callLater(max(0.0, seconds), done.callback, None)
        try:
            await done
        finally:
            if timer.active():
                timer.cancel()

    def answer(self, txid: str, reaction: Reaction) -> bool:
        """The person at the phone answers; false when that attempt is not waiting (any more)."""
        transaction = self.service.answer(txid, reaction, self.now())
        if transaction is not None:
            self._wake(transaction)
        return transaction is not None

    def stop(self) -> None:
        """Stop the clock; who waits is let go."""
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        for waiting in list(self._waiting.values()):
            for done in list(waiting):
                done.cancel()

    def _tick(self) -> None:
        """Let happen what is due."""
        for transaction in self.service.timeout(self.now()):
            self._wake(transaction)
        self.arm()

    def _wake(self, transaction: Transaction) -> None:
        """Tell those who wait for this attempt."""
        for done in self._waiting.pop(transaction.txid, []):
            done.callback(None)

    def _forget(self, txid: str, done: Deferred[None]) -> None:
        """Take one who waits out of the list."""
        waiting = self._waiting.get(txid)
        if waiting is not None and done in waiting:
            waiting.remove(done)
            if not waiting:
                del self._waiting[txid]
