"""How a TLS message is cut into EAP packets and put together again, with PEAP's version in the flags.

Owns the flags octet, TLS Length and the bounds on what is put together. It does not look into TLS.

Source: RFC 5216 §2.1.5, §3.1; draft-josefsson-pppext-eap-tls-eap-05 §3 (version).
"""

from __future__ import annotations

from attrs import field, frozen

from duoproxy.errors import Disposition, RemoteProtocolError

LENGTH_INCLUDED = 0x80
MORE_FRAGMENTS = 0x40
START = 0x20
VERSION_MASK = 0x07
FLAGS_BYTES = 1
LENGTH_BYTES = 4


@frozen
class Fragment:
    """The Type-Data of one packet.

    Attributes:
        version: of PEAP, 0..7.
        start: the packet is PEAP's first.
        more: further fragments follow.
        total_bytes: TLS Length: the size of the whole message; None where it is not said.
        data: a part of the message; empty: an acknowledgement.
    """

    version: int
    start: bool = False
    more: bool = False
    total_bytes: int | None = None
    data: bytes = field(default=b"", repr=False)


def decode_fragment(type_data: bytes) -> Fragment:
    """Read Type-Data.

    Raises:
        RemoteProtocolError: DISCARD: there is no flags octet, or no TLS Length where the flags promise it.

    Source: RFC 5216 §3.2.
    """
    if not type_data:
        raise RemoteProtocolError("a response without a flags octet")
    flags, body = type_data[0], type_data[FLAGS_BYTES:]
    total_bytes = None
    if flags & LENGTH_INCLUDED:
        if len(body) < LENGTH_BYTES:
            raise RemoteProtocolError("a TLS Length of less than four octets")
        total_bytes, body = int.from_bytes(body[:LENGTH_BYTES], "big"), body[LENGTH_BYTES:]
    return Fragment(flags & VERSION_MASK, bool(flags & START), bool(flags & MORE_FRAGMENTS), total_bytes, body)


def encode_fragment(fragment: Fragment) -> bytes:
    """Write Type-Data. Source: RFC 5216 §3.1."""
    flags = fragment.version
    flags |= START if fragment.start else 0
    flags |= MORE_FRAGMENTS if fragment.more else 0
    length = b""
    if fragment.total_bytes is not None:
        flags |= LENGTH_INCLUDED
        length = fragment.total_bytes.to_bytes(LENGTH_BYTES, "big")
    return bytes((flags,)) + length + fragment.data


class Outgoing:
    """A message on its way to the peer, one fragment for each acknowledgement."""

    __slots__ = (
        "_message",
        "_sent",
    )

    def __init__(self) -> None:
        self._message = b""
        self._sent = 0

    @property
    def pending(self) -> bool:
        """Whether an acknowledgement is awaited, and the next fragment with it."""
        return self._sent < len(self._message)

    def load(self, message: bytes) -> None:
        """Take the next message; the one before is sent in whole."""
        self._message, self._sent = message, 0

    def next_fragment(self, version: int, max_data_bytes: int) -> bytes:
        """Give the Type-Data of the next packet; TLS Length stands in the first of several.

        Args:
            version: of PEAP.
            max_data_bytes: how much Type-Data fits; it may differ from packet to packet.
        """
        room = max(max_data_bytes - FLAGS_BYTES, LENGTH_BYTES + 1)
        left = len(self._message) - self._sent
        total_bytes = None
        if self._sent == 0 and left > room:
            total_bytes = left
            room -= LENGTH_BYTES
        data = self._message[self._sent : self._sent + room]
        self._sent += len(data)
        more = self.pending
        if not more:
            self.load(b"")
        return encode_fragment(Fragment(version, False, more, total_bytes, data))


class Incoming:
    """A message of the peer that is being put together."""

    __slots__ = (
        "_max_message_bytes",
        "_parts",
        "_total_bytes",
    )

    def __init__(self, max_message_bytes: int) -> None:
        """Begin.

        Args:
            max_message_bytes: the longest message that is taken.
        """
        self._max_message_bytes = max_message_bytes
        self._parts = bytearray()
        self._total_bytes: int | None = None

    def add(self, fragment: Fragment) -> bytes | None:
        """Take a fragment.

        Returns:
            the whole message with its last fragment, before it None: the fragment is to be acknowledged.

        Raises:
            RemoteProtocolError: REJECT: over the limit, fragments that do not add up to TLS Length, one whose TLS
                Length is another one, or one without data that others are to follow.

        Source: RFC 5216 §2.1.5. Deviation: the first of several fragments may come without TLS Length.
        """
        self._check(fragment)
        self._parts += fragment.data
        if fragment.more:
            return None
        message = bytes(self._parts)
        if self._total_bytes is not None and len(message) != self._total_bytes:
            raise _reject(f"a TLS message of {len(message)} octets, announced with {self._total_bytes}")
        self._parts.clear()
        self._total_bytes = None
        return message

    def _check(self, fragment: Fragment) -> None:
        if fragment.more and not fragment.data:
            raise _reject("an empty fragment that others are to follow")
        if fragment.total_bytes is not None:
            if self._total_bytes not in (None, fragment.total_bytes) or (self._parts and self._total_bytes is None):
                raise _reject("the TLS Length changes between fragments")
            self._total_bytes = fragment.total_bytes
        size = len(self._parts) + len(fragment.data)
        limit = self._max_message_bytes
        if max(size, self._total_bytes or 0) > limit:
            raise _reject(f"a TLS message of over {limit} octets")
        if self._total_bytes is not None and size > self._total_bytes:
            raise _reject(f"more fragments than a TLS Length of {self._total_bytes} announced")


def _reject(what: str) -> RemoteProtocolError:
    return RemoteProtocolError(what, Disposition.REJECT)
