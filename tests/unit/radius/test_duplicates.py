"""Identical datagrams: one request is worked on once. Source: RFC 5080 §2.2.2."""

from __future__ import annotations

from duoproxy.radius.duplicates import Arrival, DuplicateTable, Exchange, Received, gave_up
from duoproxy.radius.packet import Packet, encode_packet

DEVICE = ("10.0.0.1", 1645)
LOCAL = ("10.0.0.9", 1812)
REPLY = b"the octets of an Access-Accept"


def request(identifier: int = 1, authenticator: int = 0, user: bytes = b"alice") -> bytes:
    return encode_packet(Packet(1, identifier, bytes([authenticator]) * 16, ((1, user),)))


def receive(table: DuplicateTable, octets: bytes, now: float, device=DEVICE, local=LOCAL, authentic=True) -> Received:
    return table.receive(device, local, octets, now, authentic=authentic)


def begun(table: DuplicateTable, octets: bytes, now: float = 0.0, **more) -> Exchange:
    received = receive(table, octets, now, **more)
    assert received.arrival is Arrival.NEW
    assert received.exchange is not None
    return received.exchange


def test_retransmission_in_progress_is_silently_discarded():
    """The same octets while the first are worked on start nothing and are not answered."""
    table = DuplicateTable()
    exchange = begun(table, request())
    again = receive(table, request(), 3.0)
    assert (again.arrival, again.exchange, again.reply) == (Arrival.IN_PROGRESS, exchange, None)
    assert table.in_flight == 1


def test_retransmitted_request_repeats_the_same_reply():
    """The same octets within 30 s after the answer get the identical answer."""
    table = DuplicateTable()
    exchange = begun(table, request())
    assert table.finish(exchange, REPLY, 10.0)
    for now in (10.0, 39.9):
        again = receive(table, request(), now)
        assert (again.arrival, again.reply) == (Arrival.REPEAT, REPLY)


def test_answer_is_forgotten_after_thirty_seconds():
    """After 30 s the same octets are a new request."""
    table = DuplicateTable()
    table.finish(begun(table, request()), REPLY, 10.0)
    assert table.next_timeout() == 40.0
    begun(table, request(), 40.0)
    assert table.cached == 0


def test_request_in_progress_never_ages_out():
    """An exchange lives as long as its work, however long the user takes."""
    table = DuplicateTable()
    begun(table, request())
    assert receive(table, request(), 100_000.0).arrival is Arrival.IN_PROGRESS
    assert table.next_timeout() is None


def test_silence_is_repeated_as_silence():
    """Where the answer was silence, a retransmission within 30 s gets silence and starts nothing."""
    table = DuplicateTable()
    assert not table.finish(begun(table, request()), None, 1.0)
    again = receive(table, request(), 2.0)
    assert (again.arrival, again.reply) == (Arrival.REPEAT, None)


def test_other_source_port_local_address_or_octets_are_other_requests():
    """The key is source address and port, the address asked, and the exact octets."""
    table = DuplicateTable()
    begun(table, request())
    begun(table, request(), device=("10.0.0.1", 1646))
    begun(table, request(), device=("10.0.0.2", 1645))
    begun(table, request(), local=("10.0.0.8", 1812))
    begun(table, request(), local=("10.0.0.9", 1813))
    begun(table, request(user=b"bob"), authentic=False)
    assert table.in_flight == 6


def test_new_authentic_request_with_the_identifier_supersedes_the_older():
    """The same Identifier with another authenticator and a valid Message-Authenticator: the older gets no answer."""
    table = DuplicateTable()
    older = begun(table, request(authenticator=1))
    received = receive(table, request(authenticator=2), 1.0)
    assert (received.arrival, received.superseded) == (Arrival.NEW, (older,))
    assert older.superseded
    assert not table.finish(older, REPLY, 2.0)
    assert received.exchange is not None
    assert table.finish(received.exchange, REPLY, 2.0)


def test_late_copy_of_a_superseded_request_starts_nothing():
    """A delayed copy of the older request is met with silence, in progress and after."""
    table = DuplicateTable()
    older = begun(table, request(authenticator=1))
    begun(table, request(authenticator=2), 1.0)
    assert receive(table, request(authenticator=1), 1.5).arrival is Arrival.IN_PROGRESS
    table.finish(older, REPLY, 2.0)
    late = receive(table, request(authenticator=1), 2.5)
    assert (late.arrival, late.reply) == (Arrival.REPEAT, None)


def test_cached_reply_is_purged_by_a_new_authentic_request():
    """An answered request whose Identifier is used again loses its cached reply."""
    table = DuplicateTable()
    table.finish(begun(table, request(authenticator=1)), REPLY, 1.0)
    received = receive(table, request(authenticator=2), 2.0)
    assert received.superseded == ()
    assert receive(table, request(authenticator=1), 3.0).reply is None


def test_request_that_proves_nothing_supersedes_nothing():
    """Without a valid Message-Authenticator anybody can have sent it: the older request keeps its answer."""
    table = DuplicateTable()
    older = begun(table, request(authenticator=1))
    received = receive(table, request(authenticator=2), 1.0, authentic=False)
    assert (received.arrival, received.superseded) == (Arrival.NEW, ())
    assert table.finish(older, REPLY, 2.0)


def test_other_identifier_supersedes_nothing():
    """Requests side by side under their own Identifiers do not touch each other."""
    table = DuplicateTable()
    first = begun(table, request(identifier=1))
    begun(table, request(identifier=2))
    assert table.finish(first, REPLY, 1.0)


def test_finishing_twice_changes_nothing():
    """The first end of an exchange counts."""
    table = DuplicateTable()
    exchange = begun(table, request())
    assert not table.finish(exchange, None, 1.0)
    assert not table.finish(exchange, REPLY, 1.0)
    assert (table.in_flight, table.cached) == (0, 1)
    assert receive(table, request(), 2.0).reply is None


def test_one_device_gets_at_most_half_of_what_is_free():
    """A device may have in flight half of what the others leave free."""
    table = DuplicateTable(max_in_flight=16)
    arrivals = [receive(table, request(number), 0.0).arrival for number in range(10)]
    assert arrivals == [Arrival.NEW] * 8 + [Arrival.OVERLOAD] * 2
    others = [receive(table, request(number), 0.0, device=("10.0.0.2", 1)).arrival for number in range(6)]
    assert others == [Arrival.NEW] * 4 + [Arrival.OVERLOAD] * 2
    assert table.in_flight == 12


def test_overload_keeps_what_is_there():
    """A request that finds no room is not remembered and supersedes nothing."""
    table = DuplicateTable(max_in_flight=2)
    older = begun(table, request(authenticator=1))
    refused = receive(table, request(authenticator=2), 1.0)
    assert (refused.arrival, refused.exchange, refused.superseded) == (Arrival.OVERLOAD, None, ())
    assert table.finish(older, REPLY, 2.0)
    begun(table, request(authenticator=2), 3.0)


def test_retransmission_needs_no_room():
    """What is known already is answered at any load."""
    table = DuplicateTable(max_in_flight=2)
    begun(table, request())
    assert receive(table, request(), 1.0).arrival is Arrival.IN_PROGRESS


def test_cached_replies_are_bounded_oldest_out_first():
    """When the cache is full the oldest answer goes."""
    table = DuplicateTable(max_cached_replies=2)
    for number in range(3):
        table.finish(begun(table, request(number)), REPLY, float(number))
    assert table.cached == 2
    assert receive(table, request(2), 3.0).arrival is Arrival.REPEAT
    assert receive(table, request(1), 3.0).arrival is Arrival.REPEAT
    assert receive(table, request(0), 3.0).arrival is Arrival.NEW


def test_nothing_is_left_when_all_is_forgotten():
    """Whatever came, all memory is given back after the cache time."""
    table = DuplicateTable()
    for number in range(5):
        table.finish(begun(table, request(3, number), authentic=number % 2 == 0), REPLY, 1.0)
    table.timeout(31.0)
    assert (table.in_flight, table.cached, table.next_timeout()) == (0, 0, None)
    assert not table._exchanges
    assert not table._by_slot
    assert not table._in_flight_of


def test_device_that_stopped_retrying_is_told():
    """One retransmission, then silence for more than twice the interval and a second: the device gave up."""
    table = DuplicateTable()
    exchange = begun(table, request(), 0.0)
    receive(table, request(), 5.0)
    assert exchange.retry_interval_s == 5.0
    assert not gave_up(16.0 - exchange.last_arrival, exchange.retry_interval_s)
    assert gave_up(16.1 - exchange.last_arrival, exchange.retry_interval_s)


def test_device_that_never_retried_is_not_blamed():
    """Without a retransmission nothing is known of the device's patience."""
    table = DuplicateTable()
    assert not gave_up(1000.0, begun(table, request()).retry_interval_s)


def test_datagram_doubled_by_the_network_is_no_retry():
    """Two copies at once say nothing of the device's interval."""
    table = DuplicateTable()
    exchange = begun(table, request(), 0.0)
    receive(table, request(), 0.01)
    assert exchange.retry_interval_s == 0
    assert not gave_up(60.0, exchange.retry_interval_s)
