"""What becomes of each message in each phase, pair by pair."""

from __future__ import annotations

import itertools

import pytest

from duoproxy.errors import RemoteProtocolError
from duoproxy.ldap.framing import peek_message
from duoproxy.ldap.relay_table import TREATMENTS, Arrival, Phase, Treatment, arrival_of
from tests.unit.ldap.relay_kit import (
    Conversation,
    abandon,
    bind,
    cancel,
    compare,
    entry,
    extended,
    message,
    modify,
    ours,
    root_dse,
    search,
    start_tls,
    tlv,
    unbind,
)

SAMPLES = {
    Arrival.BIND: bind(9),
    Arrival.UNBIND: unbind(9),
    Arrival.ABANDON: abandon(9, 5),
    Arrival.START_TLS: start_tls(9),
    Arrival.CANCEL: cancel(9, 5),
    Arrival.ROOT_DSE: root_dse(9),
    Arrival.SEARCH: search(9),
    Arrival.PASSWORD_CHECK: compare(9),
    Arrival.OTHER: modify(9),
}

ANSWERS = {
    Arrival.BIND: "BIND",
    Arrival.START_TLS: "EXTENDED",
    Arrival.CANCEL: "EXTENDED",
    Arrival.ROOT_DSE: "SEARCH_DONE",
    Arrival.SEARCH: "SEARCH_DONE",
    Arrival.PASSWORD_CHECK: "COMPARE",
    Arrival.OTHER: "MODIFY",
}


def in_phase(phase: Phase) -> Conversation:
    talk = Conversation(allow_unlimited_binds=True)
    if phase is Phase.BINDING:
        talk.client(bind(1))
    elif phase is Phase.BOUND:
        talk.log_in()
        talk.client(search(5))
    elif phase is Phase.CLOSING:
        talk.client(unbind(1))
    assert talk.relay.phase is phase
    return talk


EXPECTED = {
    (Phase.ANONYMOUS, Arrival.BIND): [("judge", b"uid=alice,dc=x", 1)],
    (Phase.ANONYMOUS, Arrival.UNBIND): ["drop", "end"],
    (Phase.ANONYMOUS, Arrival.ABANDON): [],
    (Phase.ANONYMOUS, Arrival.START_TLS): [("client", 9, "EXTENDED", 2)],
    (Phase.ANONYMOUS, Arrival.CANCEL): [("client", 9, "EXTENDED", 8)],
    (Phase.ANONYMOUS, Arrival.ROOT_DSE): [("server", 9, "SEARCH")],
    (Phase.ANONYMOUS, Arrival.SEARCH): [("client", 9, "SEARCH_DONE", 8)],
    (Phase.ANONYMOUS, Arrival.PASSWORD_CHECK): [("client", 9, "COMPARE", 53)],
    (Phase.ANONYMOUS, Arrival.OTHER): [("client", 9, "MODIFY", 8)],
    (Phase.BINDING, Arrival.UNBIND): ["give up", "drop", "end"],
    (Phase.BINDING, Arrival.ABANDON): [],
    **{(Phase.BINDING, arrival): [("client", 9, answer, 1)] for arrival, answer in ANSWERS.items()},
    (Phase.BOUND, Arrival.BIND): [("server", ours(1), "ABANDON"), ("judge", b"uid=alice,dc=x", 2)],
    (Phase.BOUND, Arrival.UNBIND): ["drop", "end"],
    (Phase.BOUND, Arrival.ABANDON): [("server", 9, "ABANDON")],
    (Phase.BOUND, Arrival.START_TLS): [("client", 9, "EXTENDED", 2)],
    (Phase.BOUND, Arrival.CANCEL): [("server", 9, "EXTENDED")],
    (Phase.BOUND, Arrival.ROOT_DSE): [("server", 9, "SEARCH")],
    (Phase.BOUND, Arrival.SEARCH): [("server", 9, "SEARCH")],
    (Phase.BOUND, Arrival.PASSWORD_CHECK): [("client", 9, "COMPARE", 53)],
    (Phase.BOUND, Arrival.OTHER): [("server", 9, "MODIFY")],
    **{(Phase.CLOSING, arrival): [] for arrival in Arrival},
}


def test_the_table_names_every_pair() -> None:
    """No message of a client meets a phase that has no word about it."""
    assert set(TREATMENTS) == set(itertools.product(Phase, Arrival)) == set(EXPECTED)


@pytest.mark.parametrize(("phase", "arrival"), sorted(EXPECTED, key=str))
def test_each_pair_is_treated_as_the_table_says(phase: Phase, arrival: Arrival) -> None:
    """One message of each kind in each phase."""
    assert in_phase(phase).client(SAMPLES[arrival]) == EXPECTED[phase, arrival]


@pytest.mark.parametrize("arrival", Arrival)
def test_samples_are_what_they_are_called(arrival: Arrival) -> None:
    """The first octets of a message say what it is."""
    octets = SAMPLES[arrival]
    assert arrival_of(octets, peek_message(octets)) is arrival


@pytest.mark.parametrize(
    "octets",
    [entry(1), message(1, tlv(0x61)), message(1, tlv(0x7F & ~0x02)), message(1, tlv(0x77, tlv(0x81, b"x")))],
)
def test_what_no_client_says_is_a_fault(octets: bytes) -> None:
    """RFC 4511 §4.1.1: an operation that is no request."""
    with pytest.raises(RemoteProtocolError):
        arrival_of(octets, peek_message(octets))


def test_search_below_the_root_is_no_search_of_the_root_dse() -> None:
    """Only the empty DN with scope base asks for the root DSE."""
    for octets in (search(1, b"", 1), search(1, b"", 2), search(1, b"dc=x", 0)):
        assert arrival_of(octets, peek_message(octets)) is Arrival.SEARCH


def test_while_a_bind_is_under_way_nothing_is_forwarded() -> None:
    """RFC 4511 §4.2.1: the table has no forwarding for that phase."""
    treatments = {TREATMENTS[Phase.BINDING, arrival] for arrival in Arrival}
    assert treatments == {Treatment.OUT_OF_TURN, Treatment.END, Treatment.IGNORE}


def test_extended_request_of_another_kind_goes_on() -> None:
    """WhoAmI and whatever else is relayed without being understood."""
    assert in_phase(Phase.BOUND).client(extended(9)) == [("server", 9, "EXTENDED")]
