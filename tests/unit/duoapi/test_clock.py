"""Whose time a request carries."""

from __future__ import annotations

import pytest

from duoproxy.duoapi.clock import ServiceClock, read_date


@pytest.mark.parametrize("header", ["Fri, 31 Dec 9999 23:59:59 -2359", "Thu, 01 Jan 1970 00:00:00 +0100"])
def test_a_date_that_no_request_can_carry_is_none(header):
    """One absurd answer must not keep every later request from being signed."""
    assert read_date(header) is None


@pytest.mark.parametrize("drift_s", [0.0, 60.0, -60.0])
def test_small_drift_leaves_our_own_time(drift_s):
    """Up to 60 s the machine's clock is good enough."""
    clock = ServiceClock()
    clock.observe(1000.0 + drift_s, 1000.0)
    assert clock.time_s(2000.0) == 2000.0


@pytest.mark.parametrize("drift_s", [61.0, -3600.0])
def test_large_drift_takes_the_service_s_time(drift_s):
    """Beyond 60 s the signature carries the service's time."""
    clock = ServiceClock()
    clock.observe(1000.0 + drift_s, 1000.0)
    assert clock.time_s(2000.0) == 2000.0 + drift_s


@pytest.mark.parametrize("written_s", [900.0, 950.0, 1000.0])
def test_an_answer_that_was_waited_for_may_be_dated_at_any_moment_between(written_s):
    """A push that rings for 100 s is no clock that is 100 s slow."""
    clock = ServiceClock()
    clock.observe(written_s, 1000.0, waited_s=100.0)
    assert clock.offset_s == 0.0
    clock.observe(written_s - 200.0, 1000.0, waited_s=100.0)
    assert clock.offset_s == min(written_s - 200.0 - 900.0, 0.0)


def test_repaired_clock_is_used_again():
    """As soon as the clocks agree, the machine's own counts."""
    clock = ServiceClock()
    clock.observe(5000.0, 1000.0)
    clock.observe(5010.0, 5009.0)
    assert clock.offset_s == 0.0


def test_refused_time_is_replaced_whatever_the_difference():
    """After 40105 the service's time is taken, also when it differs little."""
    clock = ServiceClock()
    clock.adopt(1030.0, 1000.0)
    assert clock.time_s(2000.0) == 2030.0


def test_date_header_is_read():
    """RFC 9110 §5.6.7."""
    assert read_date("Sun, 06 Nov 1994 08:49:37 GMT") == 784111777.0


@pytest.mark.parametrize("text", ["", "soon", "Sun, 99 Xxx 9999 99:99:99 GMT", "Sun, 06 Nov 99999999 08:49:37 GMT"])
def test_date_that_is_none_tells_nothing(text):
    """A header that cannot be read changes no clock."""
    assert read_date(text) is None
