"""Elements of BER with definite lengths: the little of it that LDAP needs, read without a copy and written.

Owns nothing but tags and lengths; what an element means is the business of whoever asks for it.

Source: RFC 4511 §5.1; X.690 §8.1, §8.3.
"""

from __future__ import annotations

from collections.abc import Iterator

from duoproxy.errors import Disposition, RemoteProtocolError
from duoproxy.ldap.framing import MAX_LENGTH_OCTETS

BOOLEAN, INTEGER, OCTET_STRING, ENUMERATED, SEQUENCE, SET = 0x01, 0x02, 0x04, 0x0A, 0x30, 0x31
MAX_NUMBER_OCTETS = 8

Element = tuple[int, int, int]
"""Tag, and where the contents begin and end."""


def read_element(octets: bytes, at: int, end: int) -> Element:
    """Find the element that begins at `at`; all of it stands before `end`.

    Raises:
        RemoteProtocolError: CLOSE: it is not whole, or its length is not definite.
    """
    begin = at + 2
    if begin > end:
        raise fault("a message ends inside one of its elements")
    length = octets[at + 1]
    if length >= 0x80:
        count = length & 0x7F
        begin += count
        if not 0 < count <= MAX_LENGTH_OCTETS or begin > end:
            raise fault("an element has no definite length")
        length = int.from_bytes(octets[at + 2 : begin], "big")
    if begin + length > end:
        raise fault("an element is longer than what it stands in")
    return octets[at], begin, begin + length


def take_element(octets: bytes, at: int, end: int, tag: int, what: str) -> Element:
    """Find the element at `at`, which must have this tag; `what` names it in the fault.

    Raises:
        RemoteProtocolError: CLOSE: it is not there.
    """
    found = read_element(octets, at, end)
    if found[0] != tag:
        raise fault(f"{what} has the tag 0x{found[0]:02x}, not 0x{tag:02x}")
    return found


def read_elements(octets: bytes, at: int, end: int) -> Iterator[Element]:
    """Give the elements between two offsets, one after the other.

    Raises:
        RemoteProtocolError: CLOSE: one of them is not whole.
    """
    while at < end:
        element = read_element(octets, at, end)
        yield element
        at = element[2]


def contents_of(octets: bytes, element: Element) -> bytes:
    """Give what stands inside an element."""
    return octets[element[1] : element[2]]


def read_number(octets: bytes, element: Element) -> int:
    """Read an INTEGER or ENUMERATED.

    Raises:
        RemoteProtocolError: CLOSE: it is empty, or longer than any number of LDAP.
    """
    _, begin, end = element
    if not 0 < end - begin <= MAX_NUMBER_OCTETS:
        raise fault("a number that is empty or too long")
    return int.from_bytes(octets[begin:end], "big", signed=True)


def write_element(tag: int, *contents: bytes) -> bytes:
    """Write one element round its contents, its length in as few octets as will do."""
    inside = b"".join(contents)
    length = len(inside)
    if length < 0x80:
        return bytes((tag, length)) + inside
    octets = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(octets))) + octets + inside


def write_number(number: int, tag: int = INTEGER) -> bytes:
    """Write an INTEGER (or, by its tag, an ENUMERATED), not negative."""
    return write_element(tag, number.to_bytes(number.bit_length() // 8 + 1, "big"))


def fault(what: str) -> RemoteProtocolError:
    """Make the fault that ends a connection."""
    return RemoteProtocolError(what, Disposition.CLOSE)
