"""Signals ask the reactor: the first for a stop, the second for a quick one, the third is not ours."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator

import pytest
from twisted.internet.error import ReactorNotRunning

from duoproxy.service.signals import StopSignals, install_reopen_signal

NUMBERS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)


class FakeReactor:
    """Notes what it is asked, and calls it when the test says so."""

    def __init__(self) -> None:
        self.calls: list[Callable[[], None]] = []
        self.notes: list[str] = []
        self.stopped = False

    def callFromThread(self, call: Callable[[], None]) -> None:
        self.calls.append(call)

    def stop(self) -> None:
        if self.stopped:
            raise ReactorNotRunning
        self.stopped = True
        self.notes.append("stop")

    def run(self) -> list[str]:
        """Do what was asked; give what was noted since the last time."""
        calls, self.calls = self.calls, []
        for call in calls:
            call()
        notes, self.notes = self.notes, []
        return notes


@pytest.fixture
def reactor() -> Iterator[FakeReactor]:
    """A reactor; the handlers of the test process come back afterwards."""
    before = {number: signal.getsignal(number) for number in NUMBERS}
    yield FakeReactor()
    for number, handler in before.items():
        signal.signal(number, handler)


def test_the_first_signal_stops_the_second_hurries_the_third_ends(reactor: FakeReactor) -> None:
    """SIGTERM and SIGINT mean the same."""
    StopSignals(reactor, lambda: reactor.notes.append("hurry")).install()
    signal.raise_signal(signal.SIGTERM)
    assert not reactor.notes
    assert reactor.run() == ["stop"]
    signal.raise_signal(signal.SIGINT)
    assert reactor.run() == ["hurry"]
    assert signal.getsignal(signal.SIGTERM) is signal.getsignal(signal.SIGINT) is signal.SIG_DFL


def test_a_signal_during_a_stop_that_something_else_began_hurries(reactor: FakeReactor) -> None:
    """A start that failed stops the reactor by itself."""
    StopSignals(reactor, lambda: reactor.notes.append("hurry")).install()
    reactor.stop()
    signal.raise_signal(signal.SIGTERM)
    assert reactor.run() == ["stop", "hurry"]


def test_usr1_opens_the_logs_anew(reactor: FakeReactor) -> None:
    """And does not end the process, as it would by itself; as often as it comes."""
    install_reopen_signal(reactor, lambda: reactor.notes.append("reopen"))
    signal.raise_signal(signal.SIGUSR1)
    assert reactor.run() == ["reopen"]
    signal.raise_signal(signal.SIGUSR1)
    assert reactor.run() == ["reopen"]
