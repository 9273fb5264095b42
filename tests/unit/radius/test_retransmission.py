"""The client's schedule and its Identifiers. Source: RFC 2865 §2.5, RFC 5080 §2.2.2."""

from __future__ import annotations

import pytest

from duoproxy.radius.retransmission import (
    GiveUp,
    IdentifierPool,
    Phase,
    Retransmission,
    Send,
    SourceIdentifier,
)


def test_each_host_is_tried_before_the_next():
    """`retries` tries for each host, `retry_wait` seconds apart; the first of a host makes the request anew."""
    machine = Retransmission([0, 1], tries=3, wait_s=2.0)
    actions: list[object] = [machine.start(10.0)]
    times = []
    while (due := machine.next_timeout()) is not None:
        times.append(due)
        actions.append(machine.timeout(due))
    assert actions == [
        Send(0, True),
        Send(0, False),
        Send(0, False),
        Send(1, True),
        Send(1, False),
        Send(1, False),
        GiveUp(),
    ]
    assert times == [12.0, 14.0, 16.0, 18.0, 20.0, 22.0]
    assert machine.phase is Phase.GIVEN_UP


def test_reply_that_fits_ends_it():
    """After a valid reply nothing is sent any more."""
    machine = Retransmission([0], tries=2, wait_s=2.0)
    machine.start(0.0)
    assert machine.receive(0, fits=True)
    assert (machine.phase, machine.next_timeout(), machine.timeout(99.0)) == (Phase.ANSWERED, None, None)


def test_forged_reply_does_not_end_the_wait():
    """A reply that does not fit is dropped, and the wait goes on as planned."""
    machine = Retransmission([0], tries=2, wait_s=2.0)
    machine.start(0.0)
    assert not machine.receive(0, fits=False)
    assert (machine.phase, machine.next_timeout()) == (Phase.WAITING, 2.0)
    assert machine.timeout(2.0) == Send(0, False)


def test_reply_of_a_host_that_was_not_asked_is_ignored():
    """Only a host that was sent the request can answer it."""
    machine = Retransmission([0, 1], tries=1, wait_s=2.0)
    machine.start(0.0)
    assert not machine.receive(1, fits=True)
    assert machine.phase is Phase.WAITING


def test_slow_first_host_may_still_answer():
    """A valid reply of a host that was given up for the next counts while the request is open."""
    machine = Retransmission([0, 1], tries=1, wait_s=2.0)
    machine.start(0.0)
    machine.timeout(2.0)
    assert machine.receive(0, fits=True)


def test_second_and_late_replies_are_ignored():
    """One request has one answer."""
    machine = Retransmission([0], tries=1, wait_s=2.0)
    machine.start(0.0)
    assert machine.receive(0, fits=True)
    assert not machine.receive(0, fits=True)
    late = Retransmission([0], tries=1, wait_s=2.0)
    late.start(0.0)
    assert late.timeout(2.0) == GiveUp()
    assert not late.receive(0, fits=True)


def test_time_that_has_not_come_asks_for_nothing():
    """A timer that fires early changes nothing."""
    machine = Retransmission([3], tries=1, wait_s=2.0)
    assert machine.next_timeout() is None
    assert machine.start(0.0) == Send(3, True)
    assert machine.timeout(1.9) is None
    assert machine.next_timeout() == 2.0


def test_request_is_started_once_and_needs_a_host():
    """A plan without hosts or tries, and a second start, are our own faults."""
    for hosts, tries in (([], 3), ([0], 0)):
        with pytest.raises(ValueError, match="a host and a try"):
            Retransmission(hosts, tries, 1.0)
    machine = Retransmission([0], 1, 1.0)
    machine.start(0.0)
    with pytest.raises(RuntimeError):
        machine.start(0.0)


def test_identifiers_of_one_port_are_used_up_before_the_next():
    """256 Identifiers for each source port; then another port comes into use, up to the limit."""
    pool = IdentifierPool(max_source_ports=2)
    assert pool.source_ports == 0
    taken = [pool.take() for _ in range(512)]
    assert taken[:256] == [SourceIdentifier(0, number) for number in range(256)]
    assert len(set(taken)) == 512
    assert (pool.source_ports, pool.in_use) == (2, 512)
    assert pool.take() is None


def test_identifier_that_rested_longest_is_taken():
    """The least recently used Identifier is next."""
    pool = IdentifierPool()
    first, second = pool.take(), pool.take()
    assert first is not None
    assert second is not None
    pool.release(second)
    pool.release(first)
    rest = [pool.take() for _ in range(254)]
    assert second not in rest
    assert [pool.take(), pool.take()] == [second, first]
    assert pool.source_ports == 1


def test_identifier_is_given_back_once():
    """Giving back twice does not make two of it."""
    pool = IdentifierPool(max_source_ports=1)
    taken = pool.take()
    assert taken is not None
    pool.release(taken)
    pool.release(taken)
    everything = [pool.take() for _ in range(257)]
    assert len(set(everything[:256])) == 256
    assert everything[256] is None
