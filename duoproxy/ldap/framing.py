"""Where an LDAPMessage begins and ends in a stream, and what its first octets say.

Owns the outer SEQUENCE: cutting a stream into whole messages, with a limit that holds before anything is kept, and
finding message id and operation without decoding either. It interprets no operation: whoever relays messages hands on
the octets as they came.

Lengths are definite, in any number of octets up to eight: Active Directory writes four where one would do.

Source: RFC 4511 §4.1.1, §5.1; X.690 §8.1.
"""

from __future__ import annotations

from collections.abc import Sequence

from attrs import frozen

from duoproxy.errors import Disposition, RemoteProtocolError

SEQUENCE_TAG = 0x30
INTEGER_TAG = 0x02
CONTROLS_TAG = 0xA0
MAX_LENGTH_OCTETS = 8
MAX_MESSAGE_ID = 2**31 - 1
LARGE_PIECE_BYTES = 8_192
"""Smaller pieces of an unfinished message are not kept one by one, whatever the network makes of it."""
MAX_INTEGER_OCTETS = 8
"""A message id fits into four; senders that pad it are read, endless padding is not."""

_TLS_HANDSHAKE = 0x16
_TAG_CLASS, _APPLICATION_CLASS = 0xC0, 0x40
_LONG_TAG = 0x1F
"""These five bits set mean that more octets of the tag follow, which no LDAP operation has."""


class FramingError(RemoteProtocolError):
    """The stream is no LDAP (any more): CLOSE.

    Attributes:
        messages: the whole messages that came before the fault in the same octets, so that what a peer said before
            does not depend on how the network cut the stream.
    """

    def __init__(self, what: str, messages: Sequence[bytes] = ()) -> None:
        super().__init__(what, Disposition.CLOSE)
        self.messages = tuple(messages)


class MessageFramer:
    """Cuts a stream into LDAPMessages.

    The work is linear in the octets fed, however they are cut; what is kept is at most one message within the limit.

    Attributes:
        max_message_bytes: the longest message that is taken, header included; a change counts from the next header on.
    """

    def __init__(self, max_message_bytes: int) -> None:
        self.max_message_bytes = max_message_bytes
        self._pending: list[bytes | bytearray] = []
        self._pending_bytes = 0
        self._wanted_bytes = 0
        self._fault = ""

    @property
    def pending_bytes(self) -> int:
        """How many octets of an unfinished message are kept."""
        return self._pending_bytes

    def feed(self, data: bytes) -> list[bytes]:
        """Take octets from the stream.

        Returns:
            the messages that are now whole, in order, each with its header and exactly as it came.

        Raises:
            FramingError: CLOSE, as soon as it can be seen: another tag than SEQUENCE, an indefinite length, one in
                more than eight octets, or a message over the limit. From then on every call raises it.

        Source: RFC 4511 §4.1.1, §5.1.
        """
        if self._fault:
            raise FramingError(self._fault)
        data = self.gather(data)
        messages: list[bytes] = []
        try:
            kept_from = self._cut(data, messages)
        except RemoteProtocolError as fault:
            self._fault = str(fault)
            raise FramingError(self._fault, messages) from None
        if kept_from < len(data):
            self._keep(data[kept_from:])
        return messages

    def split(self, data: bytes) -> tuple[Sequence[bytes], str]:
        """Do as `feed`, for whoever does what is whole before the stream ends.

        Returns:
            the messages that are now whole, and what broke the stream behind them; empty while it is good.
        """
        try:
            return self.feed(data), ""
        except FramingError as fault:
            return fault.messages, str(fault)

    def gather(self, data: bytes) -> bytes:
        """Put octets behind those of the unfinished message that are kept, and give all of them once it is whole.

        Returns:
            octets from the begin of a message on, which nobody has seen; `feed` takes what the caller makes no use of.
            None of them while the message is not whole.
        """
        if not self._pending:
            return data
        self._keep(data)
        if self._pending_bytes < self._wanted_bytes:
            return b""
        data = b"".join(self._pending)
        self._pending.clear()
        self._pending_bytes = 0
        return data

    def _keep(self, data: bytes) -> None:
        """Keep octets of an unfinished message: large pieces as they are, small ones put together."""
        last = self._pending[-1] if self._pending else None
        self._pending_bytes += len(data)
        if len(data) >= LARGE_PIECE_BYTES:
            self._pending.append(data)
        elif isinstance(last, bytearray) and len(last) < LARGE_PIECE_BYTES:
            last += data
        else:
            self._pending.append(bytearray(data))

    def _cut(self, data: bytes, messages: list[bytes]) -> int:
        """Append the whole messages of `data` to `messages`; return where the unfinished one begins."""
        at, end = 0, len(data)
        while at < end:
            self._wanted_bytes = self._wanted(data, at, end - at)
            if self._wanted_bytes > end - at:
                break
            messages.append(data[at : at + self._wanted_bytes])
            at += self._wanted_bytes
        return at

    def _wanted(self, data: bytes, at: int, available: int) -> int:
        """Give the size of the message at `at`; while its header is not whole, a size that is not available yet."""
        if data[at] != SEQUENCE_TAG:
            raise _close(f"an LDAP message begins with 0x30, not 0x{data[at]:02x}{_tls_hint(data[at])}")
        if available < 2:
            return 2
        size = 2 + data[at + 1]
        if data[at + 1] >= 0x80:
            header_bytes = 2 + _count_length_octets(data[at + 1])
            if available < header_bytes:
                return header_bytes
            size = header_bytes + int.from_bytes(data[at + 2 : at + header_bytes], "big")
        if size > self.max_message_bytes:
            raise _close(f"an LDAP message of {size} octets; the limit is {self.max_message_bytes}")
        return size


@frozen
class MessageHead:
    """What the first octets of a message say.

    Attributes:
        message_id: 0 to 2**31 - 1; 0 in unsolicited notifications only.
        operation_tag: the tag of protocolOp, one octet (0x60 is a BindRequest).
        operation_offset: where that tag stands.
        operation_end: where protocolOp ends, and the controls begin when there are any.
    """

    message_id: int
    operation_tag: int
    operation_offset: int
    operation_end: int


def peek_message(octets: bytes) -> MessageHead:
    """Find message id and operation of one whole message.

    Args:
        octets: as `MessageFramer.feed` gives them out.

    Raises:
        RemoteProtocolError: CLOSE: the parts (id, one operation, perhaps controls) do not fill the message exactly, the
            id is out of its range, or the operation's tag is of a kind that LDAP does not have.

    Source: RFC 4511 §4.1.1.
    """
    end = len(octets)
    id_offset, whole_end = _contents(octets, 0, end)
    if octets[0] != SEQUENCE_TAG or whole_end != end:
        raise _close("the octets are not exactly one LDAP message")
    id_contents, operation_offset = _contents(octets, id_offset, end)
    message_id = _read_message_id(octets[id_offset], octets[id_contents:operation_offset])
    _, operation_end = _contents(octets, operation_offset, end)
    operation_tag = octets[operation_offset]
    if operation_tag & _TAG_CLASS != _APPLICATION_CLASS or operation_tag & _LONG_TAG == _LONG_TAG:
        raise _close(f"0x{operation_tag:02x} is no LDAP operation")
    if operation_end != end:
        _, controls_end = _contents(octets, operation_end, end)
        if octets[operation_end] != CONTROLS_TAG or controls_end != end:
            raise _close("something that is not its controls follows the operation of an LDAP message")
    return MessageHead(message_id, operation_tag, operation_offset, operation_end)


def _read_message_id(tag: int, contents: bytes) -> int:
    if tag != INTEGER_TAG or not 0 < len(contents) <= MAX_INTEGER_OCTETS:
        raise _close("an LDAP message without a message id")
    message_id = int.from_bytes(contents, "big", signed=True)
    if not 0 <= message_id <= MAX_MESSAGE_ID:
        raise _close(f"the LDAP message id {message_id} is outside 0 to {MAX_MESSAGE_ID}")
    return message_id


def _contents(octets: bytes, at: int, end: int) -> tuple[int, int]:
    """Give where the contents of the element at `at` begin and end; both within `end`."""
    begin = at + 2
    if begin > end:
        raise _close("an LDAP message ends inside one of its elements")
    length = octets[at + 1]
    if length >= 0x80:
        begin += _count_length_octets(length)
        length = int.from_bytes(octets[at + 2 : begin], "big")
    if begin + length > end:
        raise _close("an element of an LDAP message is longer than the message")
    return begin, begin + length


def _count_length_octets(first: int) -> int:
    """Read the first octet of a length in its long form: how many follow."""
    count = first & 0x7F
    if count == 0:
        raise _close("an indefinite length, which LDAP does not allow")
    if count > MAX_LENGTH_OCTETS:
        raise _close(f"a length in {count} octets; the limit is {MAX_LENGTH_OCTETS}")
    return count


def _tls_hint(octet: int) -> str:
    return " (this looks like TLS)" if octet == _TLS_HANDSHAKE else ""


def _close(what: str) -> RemoteProtocolError:
    return RemoteProtocolError(what, Disposition.CLOSE)
