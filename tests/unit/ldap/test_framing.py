"""Where messages begin and end, and what their first octets say. Source: RFC 4511 §4.1.1, §5.1."""

from __future__ import annotations

import sys

import pytest

from duoproxy.errors import Disposition, RemoteProtocolError
from duoproxy.ldap import framing
from duoproxy.ldap.framing import FramingError, MessageFramer, MessageHead, peek_message

LIMIT = 2**21
BIND = bytes.fromhex("300c 020101 6007 020103 0400 8000".replace(" ", ""))
UNBIND = bytes.fromhex("3005 020102 4200".replace(" ", ""))
# The same unbind as Active Directory would write it: every length in four octets.
LONG_UNBIND = bytes.fromhex("308400000009 020102 428400000000".replace(" ", ""))


def message_of(size: int) -> bytes:
    """A message of `size` octets in all, with a header of six."""
    return b"\x30\x84" + (size - 6).to_bytes(4, "big") + bytes(size - 6)


def test_several_messages_in_one_chunk():
    """What is whole is given out at once, in order, octet for octet."""
    framer = MessageFramer(LIMIT)
    assert framer.feed(BIND + UNBIND + LONG_UNBIND) == [BIND, UNBIND, LONG_UNBIND]
    assert framer.pending_bytes == 0


def test_message_in_single_octets():
    """A message comes out with its last octet, and nothing of it before."""
    framer = MessageFramer(LIMIT)
    for number, octet in enumerate(LONG_UNBIND[:-1]):
        assert framer.feed(bytes((octet,))) == []
        assert framer.pending_bytes == number + 1
    assert framer.feed(LONG_UNBIND[-1:]) == [LONG_UNBIND]


def test_beginning_of_the_next_message_is_kept():
    """What follows a whole message waits for its end."""
    framer = MessageFramer(LIMIT)
    assert framer.feed(BIND + UNBIND[:3]) == [BIND]
    assert framer.pending_bytes == 3
    assert framer.feed(UNBIND[3:] + BIND[:1]) == [UNBIND]
    assert framer.pending_bytes == 1


def test_nothing_fed():
    """No octets, no messages."""
    framer = MessageFramer(LIMIT)
    assert framer.feed(b"") == []
    assert framer.feed(BIND[:4]) == []
    assert framer.feed(b"") == []
    assert framer.feed(BIND[4:]) == [BIND]


@pytest.mark.parametrize(
    ("octets", "sentence"),
    [
        (b"HTTP", "an LDAP message begins with 0x30, not 0x48"),
        (b"\x16\x03\x01", "an LDAP message begins with 0x30, not 0x16 (this looks like TLS)"),
        (b"\x30\x80", "an indefinite length, which LDAP does not allow"),
        (b"\x30\xff", "a length in 127 octets; the limit is 8"),
        (b"\x30\x89", "a length in 9 octets; the limit is 8"),
        (b"\x30\x84\x80\x00\x00\x00", "an LDAP message of 2147483654 octets; the limit is 2097152"),
        (b"\x30\x88\xff" + b"\xff" * 7, "an LDAP message of 18446744073709551625 octets; the limit is 2097152"),
    ],
)
def test_what_cannot_be_a_message_is_refused_at_its_header(octets, sentence):
    """A wrong outer tag, an indefinite or over-long length: CLOSE, before anything of the message is kept."""
    framer = MessageFramer(LIMIT)
    with pytest.raises(RemoteProtocolError) as refused:
        framer.feed(octets)
    assert str(refused.value) == sentence
    assert refused.value.disposition is Disposition.CLOSE
    assert framer.pending_bytes == 0


def test_header_in_single_octets_is_refused_with_its_last():
    """A length of 2 GiB is refused with the last octet of the header, however slowly it comes."""
    framer = MessageFramer(LIMIT)
    for octet in b"\x30\x84\x80\x00\x00":
        assert framer.feed(bytes((octet,))) == []
    with pytest.raises(FramingError):
        framer.feed(b"\x00")
    assert framer.pending_bytes == 0


def test_limit_counts_the_header():
    """The longest message that is taken has exactly the limit, header included."""
    framer = MessageFramer(100)
    assert framer.feed(message_of(100)) == [message_of(100)]
    with pytest.raises(FramingError, match="of 101 octets; the limit is 100"):
        framer.feed(message_of(101)[:6])


def test_limit_can_be_raised_between_messages():
    """After a bind a server may allow longer messages on the same connection."""
    framer = MessageFramer(100)
    framer.max_message_bytes = 200
    assert framer.feed(message_of(200)) == [message_of(200)]


def test_messages_before_a_fault_are_not_lost():
    """What a peer said before its fault does not depend on how the network cut the stream."""
    framer = MessageFramer(LIMIT)
    with pytest.raises(FramingError) as refused:
        framer.feed(BIND + UNBIND + b"\x16\x03")
    assert refused.value.messages == (BIND, UNBIND)


def test_split_gives_what_is_whole_and_what_broke_the_stream():
    """Whoever does what is whole before it ends the stream needs both."""
    framer = MessageFramer(LIMIT)
    assert framer.split(BIND + UNBIND[:3]) == ([BIND], "")
    messages, broken = framer.split(UNBIND[3:] + b"\x16\x03")
    assert list(messages) == [UNBIND]
    assert "looks like TLS" in broken


def test_stream_stays_faulty():
    """After a fault nothing more is read: where the next message would begin is not known."""
    framer = MessageFramer(LIMIT)
    with pytest.raises(FramingError):
        framer.feed(b"x")
    with pytest.raises(FramingError, match="begins with 0x30, not 0x78") as again:
        framer.feed(BIND)
    assert again.value.messages == ()


def test_lines_executed_are_linear_in_the_chunks():
    """1 MiB in 4 KiB chunks takes a constant number of steps for each chunk, also with the message nearly whole."""

    def steps(size: int) -> int:
        count = 0

        def trace(frame, event, _):
            nonlocal count
            if frame.f_code.co_filename != framing.__file__:
                return None
            count += event == "line"
            return trace

        octets, framer, before = message_of(size), MessageFramer(LIMIT), sys.gettrace()
        sys.settrace(trace)
        try:
            whole = [message for at in range(0, size, 4096) for message in framer.feed(octets[at : at + 4096])]
        finally:
            sys.settrace(before)
        assert whole == [octets]
        return count

    small, large = steps(2**17), steps(2**20)
    assert small > 32
    assert large < 8.5 * small


class CountedPieces(list):
    """Pieces of an unfinished message: how many there were at most, and the octets that were copied out of them."""

    copied = most = 0

    def append(self, piece):
        super().append(piece)
        self.most = max(self.most, len(self))

    def clear(self):
        self.copied += sum(map(len, self))
        super().clear()


class CountedBuffer(bytearray):
    """Counts the octets that are copied into any of its kind."""

    copied = 0

    def __init__(self, octets=b""):
        super().__init__(octets)
        CountedBuffer.copied += len(octets)

    def __iadd__(self, more):  # type: ignore[misc]
        CountedBuffer.copied += len(more)
        return super().__iadd__(more)


def copied(monkeypatch, stream, chunk_bytes):
    """Feed a stream; give its messages, how many octets were copied, and the most pieces that were kept."""
    monkeypatch.setattr(framing, "bytearray", CountedBuffer, raising=False)
    monkeypatch.setattr(CountedBuffer, "copied", 0)
    framer = MessageFramer(LIMIT)
    framer._pending = pieces = CountedPieces()
    given_out = [
        message for at in range(0, len(stream), chunk_bytes) for message in framer.feed(stream[at : at + chunk_bytes])
    ]
    assert framer._pending is pieces
    return given_out, CountedBuffer.copied + pieces.copied, pieces.most


@pytest.mark.parametrize("chunk_bytes", [1, 7, 4096, 2**20])
@pytest.mark.parametrize("piece", [message_of(2**15), LONG_UNBIND], ids=["long", "short"])
def test_octets_copied_are_linear_in_the_stream(monkeypatch, piece, chunk_bytes):
    """Every octet is copied into a buffer at most twice and out of it at most twice, however the stream is cut."""
    stream = piece * (2**16 // len(piece))
    given_out, count, _ = copied(monkeypatch, stream, chunk_bytes)
    assert b"".join(given_out) == stream
    assert count <= 4 * len(stream)


def test_mebibyte_in_small_chunks_is_copied_once_in_and_once_out(monkeypatch):
    """A long message costs two copies of its octets, and few pieces, even one octet at a time."""
    octets = message_of(2**20)
    assert copied(monkeypatch, octets, 4096) == ([octets], 2 * 2**20, 2**20 / framing.LARGE_PIECE_BYTES)
    assert copied(monkeypatch, octets, 1)[2] == 2**20 / framing.LARGE_PIECE_BYTES


def test_mebibyte_in_large_chunks_is_copied_once(monkeypatch):
    """What is large enough is kept as it came."""
    octets = message_of(2**20)
    assert copied(monkeypatch, octets, 2**16) == ([octets], 2**20, 16)


def test_heads():
    """Message id, operation and where it stands, also with long lengths, controls and the largest id."""
    assert peek_message(BIND) == MessageHead(1, 0x60, 5, 14)
    assert peek_message(LONG_UNBIND) == MessageHead(2, 0x42, 9, 15)
    controlled = bytes.fromhex("3012 02047fffffff 7803 0a0100 a005 3003 040131".replace(" ", ""))
    assert peek_message(controlled) == MessageHead(2**31 - 1, 0x78, 8, 13)


@pytest.mark.parametrize(
    ("octets", "sentence"),
    [
        ("", "an LDAP message ends inside one of its elements"),
        ("30", "an LDAP message ends inside one of its elements"),
        ("3000", "an LDAP message ends inside one of its elements"),
        ("3003020101", "an LDAP message ends inside one of its elements"),
        ("300402010142", "an LDAP message ends inside one of its elements"),
        ("3105020102 4200", "the octets are not exactly one LDAP message"),
        ("3005020102 420000", "the octets are not exactly one LDAP message"),
        ("3006020102 4200", "an element of an LDAP message is longer than the message"),
        ("3005020102 4201", "an element of an LDAP message is longer than the message"),
        ("3005020902 4200", "an element of an LDAP message is longer than the message"),
        ("3005040102 4200", "an LDAP message without a message id"),
        ("30040200 4200", "an LDAP message without a message id"),
        ("300d0209000000000000000001 4200", "an LDAP message without a message id"),
        ("30050201ff 4200", "the LDAP message id -1 is outside 0 to 2147483647"),
        ("300902050080000000 4200", "the LDAP message id 2147483648 is outside 0 to 2147483647"),
        ("3005020102 0400", "0x04 is no LDAP operation"),
        ("3006020102 7f0100", "0x7f is no LDAP operation"),
        ("3007020102 4200 4200", "something that is not its controls follows the operation of an LDAP message"),
        ("3009020102 4200 a000 a000", "something that is not its controls follows the operation of an LDAP message"),
        ("3007020102 4280 0000", "an indefinite length, which LDAP does not allow"),
    ],
)
def test_what_is_not_exactly_one_message(octets, sentence):
    """Id, one operation and perhaps controls fill a message exactly, or the connection is closed."""
    with pytest.raises(RemoteProtocolError) as refused:
        peek_message(bytes.fromhex(octets.replace(" ", "")))
    assert str(refused.value) == sentence
    assert refused.value.disposition is Disposition.CLOSE


def test_padded_message_id_is_read():
    """Leading zeros of an id change nothing."""
    assert peek_message(bytes.fromhex("300c0208 0000000000000005 4200".replace(" ", ""))).message_id == 5
