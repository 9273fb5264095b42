"""When memory is given back to the kernel."""

from __future__ import annotations

import ctypes

import pytest

from duoproxy.net.heap import TRIM_AFTER, HeapWatch, trim_heap


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
