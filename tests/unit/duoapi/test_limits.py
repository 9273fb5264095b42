"""How long the service may take."""

from __future__ import annotations

import pytest

from duoproxy.duoapi.limits import CallLimits, LoginBudget, rate_limit_pause_s


class _Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_budget_of_a_login_is_20_s_for_all_its_calls():
    """Everything before the user is asked shares one budget, retries included."""
    clock = _Clock()
    budget = LoginBudget(clock)
    with budget.running():
        clock.now += 12
        assert budget.remaining_s() == 8
    with budget.running():
        clock.now += 30
        assert budget.remaining_s() == 0
    assert budget.remaining_s() == 0


def test_time_between_calls_does_not_count():
    """A user who types a code uses up nothing."""
    clock = _Clock()
    budget = LoginBudget(clock)
    with budget.running():
        clock.now += 1
    clock.now += 500
    assert budget.remaining_s() == 19


def test_waiting_for_the_user_does_not_count():
    """From the moment when the user is asked, the budget stands still; it runs on when nobody was asked after all."""
    clock = _Clock()
    budget = LoginBudget(clock)
    with budget.running():
        clock.now += 2
        budget.pause()
        clock.now += 50
        budget.resume()
        clock.now += 3
        budget.resume()
        clock.now += 1
    assert budget.remaining_s() == 14


def test_api_timeout_0_means_the_usual_limits():
    """Connect 10 s, preauth 15 s, the user 120 s."""
    limits = CallLimits.capped(0)
    assert (limits.connect_s, limits.call_s, limits.user_s) == (10.0, 15.0, 120.0)


@pytest.mark.parametrize(("timeout", "expected"), [(5, (5, 5, 5, 5)), (30, (10, 15, 30, 10)), (600, (10, 15, 120, 10))])
def test_api_timeout_lowers_the_limits_and_raises_none(timeout, expected):
    """`api_timeout` caps each call."""
    limits = CallLimits.capped(timeout)
    assert (limits.connect_s, limits.call_s, limits.user_s, limits.body_s) == expected


def test_pauses_after_a_rate_limit_double_and_spread():
    """1, 2, 4, 8 s, each up to a second longer, as the vendor's client does."""
    assert [rate_limit_pause_s(attempt, 0.0) for attempt in range(4)] == [1.0, 2.0, 4.0, 8.0]
    assert rate_limit_pause_s(1, 0.5) == 2.5
    assert rate_limit_pause_s(10**9, 0.0) == 1024.0
