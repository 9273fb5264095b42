"""How long this process itself stood still."""

from __future__ import annotations

import pytest
from twisted.internet.task import Clock

from duoproxy.net.loop_watch import TICK_S, LoopWatch


def pump(clock: Clock, seconds: float) -> None:
    """Let time pass for a process that has time."""
    for _ in range(int(seconds / TICK_S)):
        clock.advance(TICK_S)


def test_waiting_is_no_stall() -> None:
    """Time passes, and every timer comes when it should."""
    clock = Clock()
    with LoopWatch(clock).watching() as stalls:
        pump(clock, 20)
    assert stalls.total_s == 0


def test_what_came_too_late_is_counted_for_those_who_wait() -> None:
    """Each counts what was late since it began."""
    clock = Clock()
    watch = LoopWatch(clock)
    with watch.watching() as first:
        clock.advance(TICK_S + 3)
        with watch.watching() as second:
            pump(clock, 5)
            clock.advance(TICK_S + 2)
        assert first.total_s == pytest.approx(5)
        assert second.total_s == pytest.approx(2)


def test_a_stall_that_lasts_is_seen_before_its_timer_comes() -> None:
    """The deadline that passed meanwhile may be told of first; nothing is counted twice."""
    clock = Clock()
    watch = LoopWatch(clock)
    with watch.watching() as stalls:
        clock.rightNow += TICK_S + 4
        watch.look()
        assert stalls.total_s == pytest.approx(4)
        watch.look()
        clock.advance(0)
        assert stalls.total_s == pytest.approx(4)


def test_nothing_runs_while_nobody_waits() -> None:
    """No timer is left behind."""
    clock = Clock()
    watch = LoopWatch(clock)
    with watch.watching(), watch.watching():
        assert len(clock.getDelayedCalls()) == 1
    assert clock.getDelayedCalls() == []
