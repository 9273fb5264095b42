"""Framing: any fragmentation gives the same messages, and any octets a value or RemoteProtocolError."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from duoproxy.errors import Disposition, RemoteProtocolError
from duoproxy.ldap.framing import FramingError, MessageFramer, MessageHead, peek_message

LIMIT = 400

quick = settings(max_examples=200, deadline=None)
operation_tags = st.integers(0x40, 0x7F).filter(lambda tag: tag & 0x1F != 0x1F)


@st.composite
def lengths(draw, size: int) -> bytes:
    """`size` as a definite length, in its short form or in up to eight octets."""
    if size < 0x80 and draw(st.booleans()):
        return bytes((size,))
    count = draw(st.integers(2, 8))
    return bytes((0x80 | count,)) + size.to_bytes(count, "big")


@st.composite
def elements(draw, tag: int, contents: bytes) -> bytes:
    return bytes((tag,)) + draw(lengths(len(contents))) + contents


@st.composite
def messages(draw) -> tuple[bytes, int, int]:
    """A message with its id and the tag of its operation."""
    message_id = draw(st.integers(0, 2**31 - 1))
    octets = draw(st.integers(message_id.bit_length() // 8 + 1, 8))
    operation_tag = draw(operation_tags)
    body = draw(elements(2, message_id.to_bytes(octets, "big")))
    body += draw(elements(operation_tag, draw(st.binary(max_size=200))))
    if draw(st.booleans()):
        body += draw(elements(0xA0, draw(st.binary(max_size=40))))
    return draw(elements(0x30, body)), message_id, operation_tag


def fed(stream: bytes, cuts: list[int]) -> tuple[list[bytes], str, int]:
    """Messages, fault and what is pending after a stream that the network cut at `cuts`."""
    framer, given_out = MessageFramer(LIMIT), []
    edges = [0, *sorted(cut % (len(stream) + 1) for cut in cuts), len(stream)]
    for begin, end in pairwise(edges):
        try:
            given_out += framer.feed(stream[begin:end])
        except FramingError as fault:
            return given_out + list(fault.messages), str(fault), framer.pending_bytes
    return given_out, "", framer.pending_bytes


cut_points = st.lists(st.integers(0, 10_000), max_size=30)


@quick
@given(st.lists(messages(), max_size=6), st.binary(max_size=3), cut_points)
def test_any_fragmentation_gives_the_same_messages(whole, rest, cuts):
    """Messages, a fault behind them and what is pending do not depend on the cuts."""
    octets = [message for message, _, _ in whole]
    stream = b"".join(octets) + rest
    given_out = fed(stream, cuts)
    assert given_out == fed(stream, [])
    if not rest:
        assert given_out == (octets, "", 0)


@quick
@given(st.binary(max_size=300), cut_points)
def test_any_octets_are_framed_or_refused(stream, cuts):
    """Nothing is lost, added or changed, and nothing over the limit is kept."""
    given_out, fault, pending = fed(stream, cuts)
    assert stream.startswith(b"".join(given_out))
    assert all(len(message) <= LIMIT for message in given_out)
    assert pending <= LIMIT
    if not fault:
        assert sum(map(len, given_out)) + pending == len(stream)


@quick
@given(messages())
def test_head_of_any_message(message):
    """Id and operation are found whatever forms the lengths have."""
    octets, message_id, operation_tag = message
    head = peek_message(octets)
    assert (head.message_id, head.operation_tag) == (message_id, operation_tag)
    assert octets[head.operation_offset] == operation_tag
    assert head.operation_offset < head.operation_end <= len(octets)


@quick
@given(st.one_of(st.binary(max_size=40), messages().map(lambda message: message[0])), st.integers(0, 400), st.binary())
def test_any_octets_have_a_head_or_close_the_connection(octets, at, other):
    """A head that is found lies inside the message; everything else is RemoteProtocolError with CLOSE."""
    octets = octets[:at] + other[:1] + octets[at + 1 :]
    try:
        end: MessageHead | Disposition = peek_message(octets)
    except RemoteProtocolError as fault:
        end = fault.disposition
    if isinstance(end, MessageHead):
        assert 0 <= end.message_id < 2**31
        assert 0 < end.operation_offset < end.operation_end <= len(octets)
        assert MessageFramer(len(octets)).feed(octets) == [octets]
    else:
        assert end is Disposition.CLOSE
