"""The end of a service: pending logins have their time, and not more."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import LogEvent, Logger, LogPublisher

from duoproxy.service.draining import Draining, logins
from duoproxy.service.log_text import format_line


class FakeServer:
    """A section with pending logins."""

    def __init__(self, pending: int, fails: bool = False) -> None:
        self.pending = pending
        self.drained = False
        self.fails = fails

    def drain(self) -> None:
        self.drained = True
        if self.fails:
            raise ZeroDivisionError


class Stop:
    """One stop, on a clock by hand."""

    def __init__(self, *servers: FakeServer, grace_s: float = 60) -> None:
        self.clock = Clock()
        self.lines: list[str] = []
        self.said: list[str] = []
        log = Logger("duoproxy", observer=LogPublisher(self.written))  # type: ignore[arg-type]
        self.draining = Draining(self.clock, servers, grace_s, self.said.append, log)
        self.ended: list[object] = []
        Deferred.fromCoroutine(self.draining.run()).addBoth(self.ended.append)

    def written(self, event: LogEvent) -> None:
        self.lines.append(format_line(event))

    def advance(self, seconds: float) -> None:
        self.clock.pump([0.1] * round(seconds * 10))


def test_without_pending_logins_a_stop_waits_for_nothing() -> None:
    """An idle proxy ends at once."""
    server = FakeServer(0)
    stop = Stop(server)
    assert (stop.ended, stop.lines, server.drained, stop.clock.getDelayedCalls()) == ([None], [], True, [])


def test_pending_logins_come_to_their_end_and_the_stop_says_how_many_it_waits_for() -> None:
    """Log and status say how many logins are waited for, whenever that changes."""
    one, two = FakeServer(2), FakeServer(1)
    stop = Stop(one, two)
    stop.advance(5)
    assert stop.ended == []
    one.pending = 0
    stop.advance(1)
    two.pending = 0
    stop.advance(1)
    assert stop.ended == [None]
    assert stop.said == ["Stopping: waiting for 3 logins", "Stopping: waiting for 1 login"]
    [line] = stop.lines
    assert "The stop waits for 3 logins, at most 60 s; new ones go unanswered." in line


def test_after_the_grace_the_rest_is_given_up() -> None:
    """What has no end within shutdown_grace is told of, with the option that would help."""
    stop = Stop(FakeServer(1), grace_s=20)
    stop.advance(19)
    assert stop.ended == []
    stop.advance(2)
    assert stop.ended == [None]
    assert "1 login without an end in time: rejected now (shutdown_grace=20 in [main])." in stop.lines[-1]


def test_a_second_signal_ends_the_waiting() -> None:
    """Whoever asks twice does not want to wait."""
    stop = Stop(FakeServer(1))
    stop.advance(1)
    stop.draining.hurry()
    stop.advance(0.2)
    assert stop.ended == [None]


def test_a_grace_of_nothing_waits_for_nothing() -> None:
    """shutdown_grace=0."""
    stop = Stop(FakeServer(1), grace_s=0)
    assert stop.ended == [None]


def test_a_section_that_cannot_be_drained_keeps_no_other_from_it() -> None:
    """One fault of a section of another package must not stop the others from ending well."""
    broken, well = FakeServer(0, fails=True), FakeServer(1)
    stop = Stop(broken, well)
    assert (well.drained, stop.ended) == (True, [])
    well.pending = 0
    stop.advance(0.2)
    assert stop.ended == [None]


def test_numbers_are_said_in_words() -> None:
    """One login, two logins."""
    assert (logins(0), logins(1), logins(2)) == ("0 logins", "1 login", "2 logins")
