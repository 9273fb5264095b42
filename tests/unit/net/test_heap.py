"""What the garbage collector looks at, and when memory is given back to the kernel."""

from __future__ import annotations

import ctypes
import gc

import pytest

from duoproxy.net.heap import TRIM_AFTER, HeapWatch, set_aside, trim_heap


def test_what_the_start_has_left_is_not_looked_at_again() -> None:
    """A collection that looks at everything then looks at what came since, and is done at once."""
    kept: list[object] = [[]]
    try:
        set_aside()
        newer: list[object] = [[]]
        looked_at = [id(each) for each in gc.get_objects()]
        assert gc.get_freeze_count() > 0
        assert id(kept) not in looked_at
        assert id(newer) in looked_at
    finally:
        gc.unfreeze()


def test_memory_is_given_back_once_when_many_are_gone() -> None:
    """After a flood, and not while it lasts; a few more or less are not worth it."""
    trimmed = []
    watch = HeapWatch(lambda: trimmed.append(1))
    for count in (0, 5_000, 10_000, 10_000 - TRIM_AFTER + 1, 9_990):
        watch.seen(count)
    assert trimmed == []
    for count in (10, 5, 0, 200, 3):
        watch.seen(count)
    assert trimmed == [1]


def test_each_flood_counts_by_itself() -> None:
    """What was seen before memory was given back is forgotten."""
    trimmed = []
    watch = HeapWatch(lambda: trimmed.append(1))
    for count in (TRIM_AFTER, 0, TRIM_AFTER - 1, 0, TRIM_AFTER, 0):
        watch.seen(count)
    assert len(trimmed) == 2


def test_a_c_library_without_it_is_no_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    """musl has no malloc_trim."""
    trim_heap()
    asked = []

    def load(name: str | None) -> object:
        asked.append(name)
        return object()

    monkeypatch.setattr(ctypes, "CDLL", load)
    trim_heap()
    assert asked == [None]
