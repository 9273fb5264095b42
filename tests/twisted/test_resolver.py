"""Host names of servers: looked up at start and every minute, the last good answer kept."""

from __future__ import annotations

import queue
import socket
from collections.abc import Callable, Coroutine
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.logger import capturedLogs
from twisted.python.threadpool import ThreadPool
from twisted.trial.unittest import SynchronousTestCase

from duoproxy.net import resolver as resolver_module
from duoproxy.net.resolver import FIRST_ANSWER_WAIT_S, MAX_NAMES, REFRESH_S, Resolver


class FakeSystem:
    """Answers look-ups when the test says so."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self._answers: list[Deferred[list[str]]] = []

    async def look_up(self, name: str) -> list[str]:
        self.asked.append(name)
        self._answers.append(Deferred())
        return await self._answers[-1]

    def answer(self, *addresses: str) -> None:
        self._answers.pop(0).callback(list(addresses))

    def fail(self) -> None:
        self._answers.pop(0).errback(socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution"))


class ResolverTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock, self.system = Clock(), FakeSystem()
        self.resolver = Resolver(
            reactor=self.clock,
            log_namespace="radius_client",
            names=["radius.example", "10.0.0.9"],
            lookup=self.system.look_up,
        )
        self.events = self.enterContext(capturedLogs())

    @property
    def lines(self) -> list[str]:
        return [event["sentence"] for event in self.events if "sentence" in event]

    def run_now(self, coroutine: Coroutine[Any, Any, Any]) -> Deferred[Any]:
        return Deferred.fromCoroutine(coroutine)

    def started(self, *addresses: str) -> None:
        starting = self.run_now(self.resolver.start())
        self.system.answer(*addresses)
        self.successResultOf(starting)

    def resolve(self, name: str = "radius.example") -> Any:
        return self.successResultOf(self.run_now(self.resolver.resolve(name)))

    def test_start_looks_the_names_up_and_waits(self) -> None:
        """Resolved at start; an address is not looked up."""
        starting = self.run_now(self.resolver.start())
        self.assertEqual(self.system.asked, ["radius.example"])
        self.assertNoResult(starting)
        self.system.answer("10.0.0.1")
        self.successResultOf(starting)
        self.assertEqual(self.resolve(), "10.0.0.1")
        self.assertEqual(self.resolve("10.0.0.9"), "10.0.0.9")

    def test_start_does_not_wait_for_a_dead_dns(self) -> None:
        """A DNS that does not answer does not hold the start of the service up."""
        starting = self.run_now(self.resolver.start())
        self.clock.advance(FIRST_ANSWER_WAIT_S)
        self.successResultOf(starting)

    def test_a_new_address_is_used_after_the_next_refresh(self) -> None:
        """Every 60 seconds; the change is logged."""
        self.started("10.0.0.1")
        self.clock.advance(REFRESH_S)
        self.assertEqual(self.resolve(), "10.0.0.1")
        self.system.answer("10.0.0.2")
        self.assertEqual(self.resolve(), "10.0.0.2")
        self.assertEqual(self.lines, ["The name radius.example now has the address 10.0.0.2 (before: 10.0.0.1)."])

    def test_the_last_good_answer_is_kept(self) -> None:
        """A look-up that fails costs nothing but a line in the log."""
        self.started("10.0.0.1")
        self.clock.advance(REFRESH_S)
        self.system.fail()
        self.assertEqual(self.resolve(), "10.0.0.1")
        self.assertEqual(
            self.lines,
            [
                "The name radius.example could not be looked up: Temporary failure in name resolution. Its last "
                "address 10.0.0.1 is kept in use. Check the DNS servers of this machine."
            ],
        )

    def test_the_address_in_use_stays_while_it_is_among_the_answers(self) -> None:
        """A name with several addresses rotates in DNS; the server does not change with it."""
        self.started("10.0.0.1", "10.0.0.2")
        self.clock.advance(REFRESH_S)
        self.system.answer("10.0.0.2", "10.0.0.1")
        self.assertEqual(self.resolve(), "10.0.0.1")

    def resolve_all(self, name: str = "radius.example") -> Any:
        return self.successResultOf(self.run_now(self.resolver.resolve_all(name)))

    def test_all_addresses_of_a_name_are_given_with_the_one_in_use_first(self) -> None:
        """A directory that is not reached at one address is tried at the next."""
        self.started("10.0.0.1", "10.0.0.2")
        self.assertEqual(self.resolve_all(), ("10.0.0.1", "10.0.0.2"))
        self.clock.advance(REFRESH_S)
        self.system.answer("10.0.0.2", "10.0.0.3", "10.0.0.1")
        self.assertEqual(self.resolve_all(), ("10.0.0.1", "10.0.0.2", "10.0.0.3"))
        self.assertEqual(self.resolve_all("10.0.0.9"), ("10.0.0.9",))

    def test_name_without_an_address_has_none_at_all(self) -> None:
        """Nothing to try."""
        waiting = self.run_now(self.resolver.resolve_all("nowhere.example"))
        self.system.fail()
        self.assertEqual(self.successResultOf(waiting), ())

    def test_a_slow_system_gets_one_question_per_name(self) -> None:
        """While a thread is busy with a name, no second one is."""
        self.run_now(self.resolver.start())
        self.clock.pump([REFRESH_S] * 5)
        self.assertEqual(self.system.asked, ["radius.example"])

    def test_a_login_waits_for_the_first_answer_only(self) -> None:
        """The first answer about a name may take some seconds; without one the name has no address."""
        asking = self.run_now(self.resolver.resolve("new.example"))
        self.assertNoResult(asking)
        self.clock.advance(FIRST_ANSWER_WAIT_S)
        self.assertIsNone(self.successResultOf(asking))
        self.system.answer("10.0.0.7")
        self.assertEqual(self.resolve("new.example"), "10.0.0.7")

    def test_a_name_that_fails_has_no_address_and_is_asked_again_at_the_next_refresh(self) -> None:
        """A name without any answer is none; it gets its chance each minute."""
        starting = self.run_now(self.resolver.start())
        self.system.fail()
        self.successResultOf(starting)
        self.assertIsNone(self.resolve())
        self.clock.advance(REFRESH_S)
        self.system.answer("10.0.0.1")
        self.assertEqual(self.resolve(), "10.0.0.1")

    def test_a_cancelled_login_leaves_no_waiter(self) -> None:
        """Every wait survives cancellation."""
        asking = self.run_now(self.resolver.resolve("new.example"))
        asking.cancel()
        self.failureResultOf(asking, CancelledError)
        self.system.answer("10.0.0.7")
        self.assertEqual(self.resolve("new.example"), "10.0.0.7")
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_stop_ends_the_refreshing_and_the_waiting(self) -> None:
        """After stop nothing is left in the reactor."""
        starting = self.run_now(self.resolver.start())
        self.successResultOf(self.run_now(self.resolver.stop()))
        self.successResultOf(starting)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_the_number_of_names_is_bounded(self) -> None:
        """Names beyond the bound are not looked up."""
        for number in range(MAX_NAMES + 10):
            self.run_now(self.resolver.resolve(f"host{number}.example"))
        self.assertEqual(len(self.system.asked), MAX_NAMES - 1)
        self.assertIsNone(self.resolve("one-more.example"))

    def test_the_system_gives_every_address_once(self) -> None:
        """The system names an address once per socket type; the answer has it once."""
        self.assertIn("127.0.0.1", resolver_module._addresses_of("127.0.0.1"))
        addresses = resolver_module._addresses_of("localhost")
        self.assertEqual(len(addresses), len(set(addresses)))


class ClockWithThreads(Clock):
    """A clock whose threads are real ones."""

    def __init__(self) -> None:
        super().__init__()
        self.pool = ThreadPool(1, 1)
        self.from_threads: queue.Queue[Callable[[], object]] = queue.Queue()

    def getThreadPool(self) -> ThreadPool:
        return self.pool

    def callFromThread(self, function: Callable[..., object], *args: object, **keywords: object) -> None:
        self.from_threads.put(lambda: function(*args, **keywords))


class ThreadTests(SynchronousTestCase):
    def test_the_system_is_asked_in_a_thread(self) -> None:
        """Getaddrinfo blocks: it runs in a thread, and its answer comes back to the reactor."""
        clock = ClockWithThreads()
        clock.pool.start()
        self.addCleanup(clock.pool.stop)
        resolver = Resolver(reactor=clock, log_namespace="radius_client")
        asking = Deferred.fromCoroutine(resolver.resolve("localhost"))
        self.assertNoResult(asking)
        clock.from_threads.get(timeout=20)()
        self.assertIn(self.successResultOf(asking), ("127.0.0.1", "::1"))
