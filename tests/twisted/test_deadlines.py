"""A wait that ends by result, deadline or cancellation."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectingCancelledError
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from duoproxy.net.deadlines import Expired, within


def _stubborn() -> Deferred[str]:
    """Make a wait that reports a cancellation in its own words, as endpoints do."""
    return Deferred(lambda self: self.errback(ConnectingCancelledError(None)))


class WithinTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()

    def _wait(self, awaited: Deferred[Any], limit_s: float = 3.0) -> Deferred[Any]:
        return Deferred.fromCoroutine(within(self.clock, limit_s, awaited))

    def test_result_in_time_is_given_and_no_timer_is_left(self) -> None:
        """What comes in time is the result."""
        awaited: Deferred[str] = Deferred()
        waiting = self._wait(awaited)
        awaited.callback("answer")
        self.assertEqual(self.successResultOf(waiting), "answer")
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_failure_in_time_is_raised_as_it_is(self) -> None:
        """A fault is not a time-out."""
        awaited: Deferred[str] = Deferred()
        waiting = self._wait(awaited)
        awaited.errback(ValueError("fault"))
        self.failureResultOf(waiting, ValueError)

    def test_deadline_cancels_what_is_waited_for(self) -> None:
        """What comes too late is cancelled, whatever it says to that."""
        waiting = self._wait(_stubborn())
        self.clock.advance(2.9)
        self.assertNoResult(waiting)
        self.clock.advance(0.2)
        self.failureResultOf(waiting, Expired)

    def test_cancelled_caller_is_told_apart_from_a_deadline(self) -> None:
        """A cancellation stays one, whatever the endpoint makes of it; else a stopped login would be tried again."""
        waiting = self._wait(_stubborn())
        waiting.cancel()
        self.failureResultOf(waiting, CancelledError)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_no_time_left_still_takes_what_is_there(self) -> None:
        """A limit of 0 or less gives up in the next turn of the reactor."""
        awaited: Deferred[str] = Deferred()
        waiting = self._wait(awaited, -1.0)
        self.clock.advance(0)
        self.failureResultOf(waiting, Expired)
