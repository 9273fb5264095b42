"""Whether a connection is read: one reason stops it, the last one lets it go on."""

from __future__ import annotations

from duoproxy.net.reading import Reading


def test_reading_goes_on_when_no_reason_is_left() -> None:
    """Two stop it, and it goes on after both."""
    told: list[str] = []
    reading = Reading(lambda: told.append("pause"), lambda: told.append("resume"))
    reading.stop("a")
    reading.stop("b")
    reading.stop("a")
    reading.go_on("a")
    assert (told, reading.is_stopped) == (["pause"], True)
    reading.go_on("b")
    assert (told, reading.is_stopped) == (["pause", "resume"], False)


def test_reason_that_never_stopped_it_changes_nothing() -> None:
    """Nothing is resumed that was not paused."""
    told: list[str] = []
    reading = Reading(lambda: told.append("pause"), lambda: told.append("resume"))
    reading.go_on("a")
    assert told == []
