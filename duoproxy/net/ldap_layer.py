"""The security layer of a SASL bind: each buffer signed and sealed, behind four octets that say how long it is.

Owns the cutting of the stream into buffers, within a limit; what signs and opens them is given.

Source: RFC 4422 §3.7; MS-ADTS §5.1.1.1.2.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from duoproxy.errors import Disposition, RemoteProtocolError

LENGTH_BYTES: Final = 4


class SecurityLayer:
    """What stands between LDAP messages and the transport from the bind on."""

    def __init__(self, wrap: Callable[[bytes], bytes], unwrap: Callable[[bytes], bytes], max_buffer_bytes: int) -> None:
        """Begin.

        Args:
            wrap: signs and seals one buffer.
            unwrap: opens one; raises `RemoteProtocolError` when its signature is wrong.
            max_buffer_bytes: the longest buffer that is taken from the peer.
        """
        self._wrap = wrap
        self._unwrap = unwrap
        self._max_buffer_bytes = max_buffer_bytes
        self._pending = bytearray()

    def seal(self, octets: bytes) -> bytes:
        """Give the buffer for one message, its length in front."""
        sealed = self._wrap(octets)
        return len(sealed).to_bytes(LENGTH_BYTES, "big") + sealed

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Take octets from the transport and give the contents of the buffers that are whole.

        Raises:
            RemoteProtocolError: CLOSE: a buffer is empty, longer than allowed (seen before it is kept), or forged.
        """
        self._pending += data
        at = 0
        try:
            while (end := self._end_of_buffer(at)) is not None:
                sealed = bytes(memoryview(self._pending)[at + LENGTH_BYTES : end])
                at = end
                yield self._unwrap(sealed)
        finally:
            del self._pending[:at]

    def _end_of_buffer(self, at: int) -> int | None:
        """Give where the buffer at `at` ends; None while it is not whole."""
        begin = at + LENGTH_BYTES
        if len(self._pending) < begin:
            return None
        length = int.from_bytes(self._pending[at:begin], "big")
        if not 0 < length <= self._max_buffer_bytes:
            raise RemoteProtocolError(
                f"a sealed buffer of {length} octets; the limit is {self._max_buffer_bytes}", Disposition.CLOSE
            )
        return begin + length if len(self._pending) >= begin + length else None
