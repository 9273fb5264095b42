"""The list of events of the sandbox."""

from __future__ import annotations

from duoproxy.sandbox import journal
from duoproxy.sandbox.journal import Journal


def test_events_are_numbered_and_read_on_from_a_number() -> None:
    """A reader that remembers the last number misses nothing and sees nothing twice."""
    events = Journal()
    for place in range(5):
        events.note("request", "alice", float(place))
    assert [event.number for event in events.since(0)] == [1, 2, 3, 4, 5]
    assert [event.number for event in events.since(3)] == [4, 5]
    assert events.since(5) == []
    assert [event.number for event in events.latest(2)] == [4, 5]


def test_old_events_fall_out_of_the_list_but_keep_their_numbers(monkeypatch) -> None:
    """The list is bounded; counters stay exact."""
    monkeypatch.setattr(journal, "MAX_EVENTS", 3)
    events = Journal()
    for place in range(10):
        events.note_asked("Alice", "push", float(place))
    assert [event.number for event in events.since(0)] == [8, 9, 10]
    assert [event.number for event in events.since(8)] == [9, 10]
    assert events.asked("alice", "push") == 10
    events.clear()
    events.note("answer", "alice", 11.0)
    assert [event.number for event in events.since(0)] == [11]
    assert events.counters() == {}


def test_counters_are_bounded(monkeypatch) -> None:
    """Names beyond the bound are not counted; those that are go on."""
    monkeypatch.setattr(journal, "MAX_COUNTERS", 1)
    events = Journal()
    for name in ("alice", "bob", "alice"):
        events.note_asked(name, "push", 0.0)
    assert events.counters() == {"alice": {"push": 2}}
