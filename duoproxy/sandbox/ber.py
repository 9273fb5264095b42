"""Elements of BER with definite lengths, as the stand-in directory reads and writes them. Source: RFC 4511 §5.1."""

from __future__ import annotations

from collections.abc import Iterator

from duoproxy.errors import Disposition, RemoteProtocolError

BOOLEAN, INTEGER, OCTET_STRING, ENUMERATED, SEQUENCE, SET = 0x01, 0x02, 0x04, 0x0A, 0x30, 0x31
MAX_LENGTH_OCTETS = 8

Elements = Iterator[tuple[int, memoryview]]
"""Tag and contents of each."""


def write_element(tag: int, *contents: bytes) -> bytes:
    """Write one element around its contents."""
    inside = b"".join(contents)
    length = len(inside)
    if length < 0x80:
        return bytes((tag, length)) + inside
    octets = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(octets))) + octets + inside


def read_elements(view: memoryview) -> Elements:
    """Give the elements of `view`, one after the other.

    Raises:
        RemoteProtocolError: CLOSE: one of them is not whole, or its length is not definite.
    """
    while len(view):
        begin = 2
        length = view[1] if len(view) > 1 else len(view)
        if length >= 0x80:
            begin += length & 0x7F
            is_definite = 2 < begin <= 2 + MAX_LENGTH_OCTETS
            length = int.from_bytes(view[2:begin], "big") if is_definite else len(view)
        if begin + length > len(view):
            raise close("an element is not whole")
        yield view[0], view[begin : begin + length]
        view = view[begin + length :]


def take(parts: Elements, tag: int) -> memoryview:
    """Take the next element, which must have this tag; give its contents.

    Raises:
        RemoteProtocolError: CLOSE: it has another, or there is none.
    """
    found, contents = next(parts, (0, memoryview(b"")))
    if found != tag:
        raise close(f"0x{found:02x} stands where 0x{tag:02x} must")
    return contents


def read_integer(contents: memoryview) -> int:
    """Read the contents of an INTEGER or ENUMERATED.

    Raises:
        RemoteProtocolError: CLOSE: it is empty, or has more than 64 bits.
    """
    if not 0 < len(contents) <= 8:
        raise close("a number that is empty or too long")
    return int.from_bytes(contents, "big", signed=True)


def close(what: str) -> RemoteProtocolError:
    """Make the fault that ends a connection."""
    return RemoteProtocolError(what, Disposition.CLOSE)
