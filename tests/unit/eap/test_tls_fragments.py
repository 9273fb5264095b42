"""Cutting TLS messages into packets, and putting them together. Source: RFC 5216 §2.1.5, §3.1."""

from __future__ import annotations

import pytest

from duoproxy.eap.tls_fragments import Fragment, Incoming, Outgoing, decode_fragment, encode_fragment
from duoproxy.errors import Disposition, RemoteProtocolError


@pytest.mark.parametrize(
    ("octets", "fragment"),
    [
        (b"\x21", Fragment(1, start=True)),
        (b"\x01", Fragment(1)),
        (b"\x00abc", Fragment(0, data=b"abc")),
        (b"\xc1\x00\x00\x01\x00abc", Fragment(1, more=True, total_bytes=256, data=b"abc")),
        (b"\x81\x00\x00\x00\x00", Fragment(1, total_bytes=0)),
    ],
)
def test_flags_are_read_and_written(octets: bytes, fragment: Fragment):
    """L, M, S, and PEAP's version in the low bits."""
    assert decode_fragment(octets) == fragment
    assert encode_fragment(fragment) == octets


@pytest.mark.parametrize("octets", [b"", b"\x80", b"\x81\x00\x00\x01"])
def test_no_flags_or_half_a_length_is_to_be_discarded(octets: bytes):
    """The flags octet exists at all, and L leaves four octets."""
    with pytest.raises(RemoteProtocolError) as caught:
        decode_fragment(octets)
    assert caught.value.disposition is Disposition.DISCARD


def sent(message: bytes, *rooms: int) -> list[bytes]:
    outgoing = Outgoing()
    outgoing.load(message)
    parts = [outgoing.next_fragment(1, room) for room in rooms]
    assert not outgoing.pending
    return parts


def test_message_that_fits_is_one_packet_without_tls_length():
    """On a single fragment TLS Length is optional."""
    assert sent(b"abcdef", 7) == [b"\x01abcdef"]


def test_tls_length_stands_in_the_first_of_several():
    """L must be set on the first fragment of a fragmented message. RFC 5216 §2.1.5."""
    assert sent(b"abcdefghij", 10, 10) == [b"\xc1\x00\x00\x00\x0aabcde", b"\x01fghij"]


def test_room_may_differ_from_packet_to_packet():
    """Each packet is as long as the device can take at that moment."""
    assert sent(b"abcdefghijkl", 8, 7, 99) == [b"\xc1\x00\x00\x00\x0cabc", b"\x41defghi", b"\x01jkl"]


def joined(*fragments: Fragment, limit: int = 100) -> bytes | None:
    incoming = Incoming(limit)
    for fragment in fragments[:-1]:
        assert incoming.add(fragment) is None
    return incoming.add(fragments[-1])


def test_fragments_are_put_together():
    """M until the last one; the sum equals TLS Length; it may be said again."""
    parts = (Fragment(1, False, True, 6, b"ab"), Fragment(1, False, True, 6, b"cd"), Fragment(1, data=b"ef"))
    assert joined(*parts) == b"abcdef"


def test_fragments_without_tls_length_are_taken():
    """Deviation: the first of several fragments may come without TLS Length."""
    assert joined(Fragment(1, more=True, data=b"ab"), Fragment(1, data=b"cd")) == b"abcd"


def test_next_message_begins_anew():
    """What was put together is gone."""
    incoming = Incoming(4)
    for _ in range(3):
        assert incoming.add(Fragment(1, more=True, total_bytes=4, data=b"ab")) is None
        assert incoming.add(Fragment(1, data=b"cd")) == b"abcd"


@pytest.mark.parametrize(
    "fragments",
    [
        [Fragment(1, total_bytes=4, data=b"abc")],
        [Fragment(1, total_bytes=2, data=b"abc")],
        [Fragment(1, more=True, total_bytes=101, data=b"a")],
        [Fragment(1, more=True, total_bytes=2**32 - 1, data=b"a")],
        [Fragment(1, more=True)],
        [Fragment(1, more=True, total_bytes=3)],
        [Fragment(1, more=True, total_bytes=3, data=b"ab"), Fragment(1, more=True, data=b"cd")],
        [Fragment(1, more=True, total_bytes=3, data=b"ab"), Fragment(1, total_bytes=4, data=b"cd")],
        [Fragment(1, more=True, data=b"ab"), Fragment(1, total_bytes=4, data=b"cd")],
        [Fragment(1, data=bytes(101))],
        [Fragment(1, more=True, data=bytes(60)), Fragment(1, more=True, data=bytes(60))],
    ],
)
def test_lying_lengths_are_the_end(fragments: list[Fragment]):
    """Over the cap (before anything is kept), not the announced sum, another sum, nothing with more to come: reject."""
    with pytest.raises(RemoteProtocolError) as caught:
        joined(*fragments)
    assert caught.value.disposition is Disposition.REJECT
