"""After a refused question, a station that answers by itself gets none for a while: reference §10.5, `auto_backoff`."""

from __future__ import annotations

import pytest

from duoproxy.login import auto_backoff
from duoproxy.login.auto_backoff import FIRST_WAIT_S, LONGEST_WAIT_S, AutoBackoff, Station

HERE = Station("192.0.2.1", "02-00-00-00-00-01", "alice")


def test_the_first_question_is_not_held_back() -> None:
    """Nothing was refused."""
    assert AutoBackoff().wait_s(HERE, 5.0) == 0.0


def test_the_wait_doubles_up_to_a_quarter_of_an_hour() -> None:
    """60 s, doubling to 15 min."""
    backoff, now, waits = AutoBackoff(), 1000.0, []
    for _ in range(6):
        backoff.refused(HERE, now)
        waits.append(backoff.wait_s(HERE, now))
        now += waits[-1]
        assert backoff.wait_s(HERE, now) == 0.0
    assert waits == [60.0, 120.0, 240.0, 480.0, 900.0, 900.0]


def test_an_approval_forgets_the_refusals() -> None:
    """Somebody is there again."""
    backoff = AutoBackoff()
    backoff.refused(HERE, 0.0)
    backoff.refused(HERE, 0.0)
    backoff.approved(HERE)
    backoff.approved(HERE)
    assert backoff.wait_s(HERE, 0.0) == 0.0
    backoff.refused(HERE, 0.0)
    assert backoff.wait_s(HERE, 0.0) == FIRST_WAIT_S


def test_a_refusal_long_after_the_last_wait_is_the_first() -> None:
    """Yesterday's refusals do not count."""
    backoff = AutoBackoff()
    backoff.refused(HERE, 0.0)
    later = FIRST_WAIT_S + LONGEST_WAIT_S
    backoff.refused(HERE, later)
    assert backoff.wait_s(HERE, later) == FIRST_WAIT_S


@pytest.mark.parametrize(
    "other",
    [
        Station("192.0.2.2", "02-00-00-00-00-01", "alice"),
        Station("192.0.2.1", "02-00-00-00-00-02", "alice"),
        Station("192.0.2.1", "02-00-00-00-00-01", "bob"),
    ],
)
def test_another_station_is_not_held_back(other: Station) -> None:
    """Device, Calling-Station-Id and user."""
    backoff = AutoBackoff()
    backoff.refused(HERE, 0.0)
    assert backoff.wait_s(other, 0.0) == 0.0


def test_so_many_stations_are_remembered_the_oldest_forgotten_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bounded; whoever is forgotten is asked once more."""
    monkeypatch.setattr(auto_backoff, "MAX_STATIONS", 2)
    backoff = AutoBackoff()
    first, second, third = (Station("192.0.2.1", str(n), "alice") for n in range(3))
    for station in (first, second, first, third):
        backoff.refused(station, 0.0)
    assert len(backoff) == 2
    assert [backoff.wait_s(station, 0.0) > 0 for station in (first, second, third)] == [True, False, True]
