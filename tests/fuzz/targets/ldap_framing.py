"""A stream of LDAP messages, in any pieces: the same messages and the same fault as in one piece, within the limit."""

from __future__ import annotations

from duoproxy.errors import Disposition, RemoteProtocolError
from duoproxy.ldap.framing import MAX_MESSAGE_ID, FramingError, MessageFramer, peek_message
from tests.fuzz.shaping import chunks, first_octet

LIMIT = 500
WORDS = (
    b"\x30\x84\0\0\0\x0c",
    b"\x02\1\1",
    b"\x60\x07\2\1\3\4\0\x80\0",
    b"\x61\7\x0a\1\0\4\0\4\0",
    b"\xa0\0",
    b"\x30\x80",
)


def target(data: bytes) -> None:
    size, stream = first_octet(data)
    whole = _framed([stream])
    assert _framed(chunks(stream, size)) == whole
    messages, fault, pending = whole
    assert stream.startswith(b"".join(messages))
    assert fault.isprintable()
    assert pending <= LIMIT
    for message in messages:
        assert len(message) <= LIMIT
        _peek(message)
    _peek(stream)


def _framed(pieces: list[bytes]) -> tuple[list[bytes], str, int]:
    framer = MessageFramer(LIMIT)
    messages: list[bytes] = []
    for piece in pieces:
        try:
            messages += framer.feed(piece)
        except FramingError as error:
            assert error.disposition is Disposition.CLOSE
            return messages + list(error.messages), str(error), framer.pending_bytes
    return messages, "", framer.pending_bytes


def _peek(message: bytes) -> None:
    try:
        head = peek_message(message)
    except RemoteProtocolError as error:
        assert error.disposition is Disposition.CLOSE
        assert str(error).isprintable()
        return
    assert 0 <= head.message_id <= MAX_MESSAGE_ID
    assert message[head.operation_offset] == head.operation_tag
    assert 0 < head.operation_offset < head.operation_end <= len(message)
