"""Coroutines that mostly end without waiting, as their caller sees them."""

from __future__ import annotations

from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from duoproxy.net.at_once import at_once


class AtOnceTests(SynchronousTestCase):
    """What is done, what is given back, and when."""

    def setUp(self) -> None:
        self.steps: list[object] = []
        self.first, self.second = Deferred[str](), Deferred[str]()

    async def work(self, *awaited: Deferred[str]) -> None:
        for each in awaited:
            try:
                self.steps.append(await each)
            except ValueError as fault:
                self.steps.append(fault)
        self.steps.append("end")

    def test_work_that_does_not_wait_is_over_and_leaves_no_deferred(self) -> None:
        """Also where what it awaits is there already."""
        self.first.callback("there")
        self.assertIsNone(at_once(self.work(self.first)))
        self.assertEqual(self.steps, ["there", "end"])

    def test_work_that_waits_goes_on_with_what_came_each_time(self) -> None:
        """A result is returned by `await`, a failure raised by it; at the end the Deferred fires."""
        running = at_once(self.work(self.first, self.second))
        assert running is not None
        self.first.callback("came")
        self.assertEqual(self.steps, ["came"])
        self.assertNoResult(running)
        self.second.errback(fault := ValueError("no"))
        self.assertEqual(self.steps, ["came", fault, "end"])
        self.assertIsNone(self.successResultOf(running))

    def test_cancelling_it_cancels_what_it_waits_for(self) -> None:
        """The first wait and a later one; the work sees it as an exception, and so does who cancelled."""
        for awaited in ((self.first,), (self.second, Deferred[str]())):
            running = at_once(self.work(*awaited))
            assert running is not None
            for done in awaited[:-1]:
                done.callback("came")
            running.cancel()
            self.failureResultOf(running, CancelledError)
        self.assertEqual(self.steps, ["came"])

    def test_a_fault_is_in_the_deferred_and_is_never_raised(self) -> None:
        """At once, and after it has waited."""

        async def faulty(awaited: Deferred[str] | None) -> None:
            if awaited is not None:
                await awaited
            raise KeyError("a fault of ours")

        for awaited in (None, self.first):
            running = at_once(faulty(awaited))
            assert running is not None
            if awaited is not None:
                awaited.callback("came")
            self.failureResultOf(running, KeyError)
