"""Runs of messages that go on as they are: the machine says the same when it sees each message by itself."""

from __future__ import annotations

from hypothesis import example, given, settings
from hypothesis import strategies as st

from duoproxy.ldap.framing import peek_message
from duoproxy.ldap.messages import CANCEL, START_TLS
from duoproxy.ldap.relay import Relay
from duoproxy.ldap.relay_actions import ToClient, ToServer
from duoproxy.ldap.relay_policy import RelayPolicy
from duoproxy.ldap.relay_requests import MAX_OWN_ID
from duoproxy.secret import Secret
from tests.property.ldap.test_framing import elements
from tests.relay_runs import LIMIT, bound_relay, in_runs, knows, one_by_one
from tests.unit.ldap.relay_kit import abandon, bind, bound, cancel, done, entry, message, search, tlv

REQUEST_TAGS = (0x63, 0x63, 0x63, 0x66, 0x68, 0x4A, 0x6C, 0x6E, 0x77, 0x60, 0x50, 0x42, 0x61, 0x7F, 0x30)
ANSWER_TAGS = (0x64, 0x64, 0x64, 0x65, 0x73, 0x79, 0x67, 0x69, 0x6B, 0x6D, 0x6F, 0x78, 0x61, 0x63)

odd_ids = st.sampled_from([0, 1, 3, 127, 128, 0x7FFF, MAX_OWN_ID, MAX_OWN_ID + 1, 2**31 - 1, 2**31, 2**40])
odd_octets = st.sampled_from(
    [0, 1, 2, 4, 5, 0x0A, 0x30, 0x31, 0x50, 0x63, 0x64, 0x65, 0x7F, 0x80, 0x81, 0x84, 0x85, 0xA0]
)


@st.composite
def operations(draw, tag: int) -> bytes:
    """Contents of an operation, nearly all good."""
    if tag == 0x63:
        base = draw(elements(draw(seldom(4, 5)), draw(st.binary(max_size=12))))
        scope = draw(elements(draw(seldom(10, 2)), draw(st.sampled_from([b"\0", b"\2", b"\0\1", b""]))))
        return base + scope + draw(st.binary(max_size=12))
    if tag == 0x77:
        return draw(elements(0x80, draw(st.sampled_from([START_TLS, CANCEL, b"1.2.3"]))))
    return draw(st.binary(max_size=24))


def seldom(usual: int, odd: int) -> st.SearchStrategy[int]:
    return st.integers(0, 15).map(lambda number: usual if number else odd)


@st.composite
def messages(draw, number: int, tag: int) -> bytes:
    """One message in any of its forms; one in some has an octet that is wrong, mostly in front."""
    if not draw(st.integers(0, 9)):
        number = draw(odd_ids)
    body = draw(elements(2, number.to_bytes(number.bit_length() // 8 + 1, "big")))
    body += draw(elements(tag, draw(operations(tag))))
    kind = draw(st.integers(0, 11))
    if kind < 3:
        body += draw(elements(0xA0 if kind else 0xA1, draw(st.binary(max_size=60))))
    octets = draw(elements(0x30, body))
    if not draw(st.integers(0, 5)):
        at = draw(st.one_of(st.integers(0, min(14, len(octets) - 1)), st.integers(0, len(octets) - 1)))
        changed = draw(st.one_of(odd_octets, st.sampled_from([-2, -1, 1, 2]).map(lambda by: (octets[at] + by) % 256)))
        octets = octets[:at] + bytes((changed,)) + octets[at + 1 :]
    return octets


@st.composite
def requests(draw) -> bytes:
    """A client's stream, its ids growing as usual."""
    stream, number = b"", 9
    for _ in range(draw(st.integers(1, 8))):
        kind = draw(st.integers(0, 12))
        if kind == 12:
            stream += draw(st.sampled_from([bind(number), abandon(number, 3), cancel(number, 3), search(3)]))
        else:
            tag = draw(st.sampled_from(REQUEST_TAGS)) if kind > 8 else 0x63
            stream += draw(messages(number, tag))
        number += draw(st.integers(1, 3))
    return stream


@st.composite
def answers(draw) -> bytes:
    """A directory's stream: runs of entries, and whatever else."""
    stream = b""
    for _ in range(draw(st.integers(1, 5))):
        number, tag = draw(st.integers(2, 9)), draw(st.sampled_from(ANSWER_TAGS))
        for _ in range(draw(st.integers(1, 4))):
            stream += draw(messages(number, tag))
    return stream


cut_points = st.lists(st.integers(0, 10_000), max_size=6)

SCOPE_IN_CONTROLS = bytes.fromhex("300f 020109 6302 0405 a006 000000 0a0100")
"""The base of this search is longer than the search, so that its scope would stand in what are its controls."""
TOO_LONG = message(9, tlv(0x63, tlv(4), tlv(10, b"\0"), tlv(4, bytes(LIMIT))))
LONG_ENTRY = message(3, tlv(0x64, bytes(LIMIT)))


@settings(max_examples=300, deadline=None)
@given(stream=requests(), cuts=cut_points)
@example(stream=search(9) + bind(10) + search(11), cuts=[])
@example(stream=search(9) + message(10, tlv(0x42)) + search(11), cuts=[])
@example(stream=SCOPE_IN_CONTROLS + search(10), cuts=[])
@example(stream=TOO_LONG + search(10), cuts=[])
@example(stream=search(MAX_OWN_ID + 1) + search(10), cuts=[])
@example(stream=message(9, b"\x4a\x80") + search(10), cuts=[])
@example(stream=message(9, tlv(0x4A), tlv(0xA0, b"control") + b"\0") + search(10), cuts=[])
def test_requests_in_runs_are_the_same_as_one_by_one(stream: bytes, cuts: list[int]) -> None:
    """No bind, StartTLS, unbind or extended request is overlooked, and no octet changed, however the stream is cut."""
    runs, single = bound_relay(), bound_relay()
    assert in_runs(runs, stream, cuts, Relay.pass_requests, Relay.from_client, ToServer) == one_by_one(
        single, stream, Relay.from_client
    )
    assert knows(runs) == knows(single)


@settings(max_examples=300, deadline=None)
@given(stream=answers(), cuts=cut_points)
@example(stream=entry(2) * 3 + done(2) + entry(2), cuts=[])
@example(stream=entry(3) + LONG_ENTRY, cuts=[])
@example(stream=LONG_ENTRY, cuts=[])
@example(stream=entry(3) + b"\x31" + entry(3)[1:], cuts=[])
@example(stream=entry(7) + entry(2), cuts=[])
@example(stream=entry(2) + bytes.fromhex("3005 0201ff 6400"), cuts=[])
def test_answers_in_runs_are_the_same_as_one_by_one(stream: bytes, cuts: list[int]) -> None:
    """Every answer finds its request, and what was not asked ends the connection, however the stream is cut."""
    runs, single = bound_relay(), bound_relay()
    assert in_runs(runs, stream, cuts, Relay.pass_answers, Relay.from_server, ToClient) == one_by_one(
        single, stream, Relay.from_server
    )
    assert knows(runs) == knows(single)


@settings(max_examples=100, deadline=None)
@given(stream=requests())
def test_nothing_passes_before_a_yes(stream: bytes) -> None:
    """Neither of somebody who has not bound, nor while the bind is judged, nor where searches are not allowed."""
    nobody = Relay(RelayPolicy(allow_anonymous=True))
    binding = Relay(RelayPolicy())
    binding.from_client(bind(1))
    restricted = Relay(RelayPolicy(allow_searches_after_bind=False))
    restricted.from_client(bind(1))
    restricted.send_bind(b"cn=a", Secret(b"pw"))
    restricted.from_server(bound(1))
    assert restricted.pass_requests(stream, LIMIT) == 0
    restricted.accept_bind()
    for relay in (nobody, binding, restricted):
        assert relay.pass_requests(stream, LIMIT) == 0
        assert relay.pass_answers(stream, LIMIT) == 0


def test_usual_messages_do_go_on_as_they_are() -> None:
    """What a run is for: requests with growing ids, and all answers to them."""
    relay = bound_relay()
    asked = search(9) + search(10) + search(200)
    assert relay.pass_requests(asked + bind(201) + search(202), LIMIT) == len(asked)
    said = entry(9) * 3 + done(9) + entry(200) + entry(10) + done(200)
    assert relay.pass_answers(said + entry(9), LIMIT) == len(said)
    assert peek_message(entry(10)).message_id in relay._requests.in_flight
