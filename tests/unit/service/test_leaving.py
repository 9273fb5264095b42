"""The end of the process: threads that nobody can interrupt do not hold it."""

from __future__ import annotations

import atexit
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from duoproxy.service import leaving
from duoproxy.service.leaving import Leaving


class FakeReactor:
    """Notes that it was stopped."""

    stopped = False

    def callWhenRunning(self, call: Callable[[], None]) -> None:
        call()

    def stop(self) -> None:
        self.stopped = True


class Left:
    """Where the process ends in these tests."""

    def __init__(self) -> None:
        self.statuses: list[int] = []
        self.event = threading.Event()

    def __call__(self, status: int) -> None:
        self.statuses.append(status)
        self.event.set()


@pytest.fixture(autouse=True)
def at_exit(monkeypatch: pytest.MonkeyPatch) -> list[tuple[object, ...]]:
    """What would be done at the end of the interpreter; and nobody waits here."""
    registered: list[tuple[object, ...]] = []
    monkeypatch.setattr(leaving, "THREADS_S", 0.0)
    monkeypatch.setattr(atexit, "register", lambda *call: registered.append(call))
    return registered


def test_when_everything_has_stopped_the_process_ends_without_its_threads(tmp_path: Path) -> None:
    """A name server that does not answer holds no stop; the process id file goes, as twistd would remove it."""
    pid_file, left = tmp_path / "duoauthproxy.pid", Left()
    pid_file.touch()
    Leaving(FakeReactor(), pid_file, left).stopped()
    assert left.event.wait(20)
    assert (left.statuses, pid_file.exists()) == ([0], False)


def test_a_start_that_failed_ends_with_status_1(at_exit: list[tuple[object, ...]]) -> None:
    """Also when threads have to be left behind."""
    reactor, left = FakeReactor(), Left()
    made = Leaving(reactor, None, left)
    made.fail()
    assert (reactor.stopped, at_exit) == (True, [(left, 1)])
    made.stopped()
    assert left.event.wait(20)
    assert left.statuses == [1]
