"""The security layer: buffers with their length in front, within a limit."""

from __future__ import annotations

import pytest

from duoproxy.errors import RemoteProtocolError
from duoproxy.net.ldap_layer import SecurityLayer


def layer(limit: int = 100) -> SecurityLayer:
    return SecurityLayer(bytes.upper, bytes.lower, limit)


def test_buffer_has_its_length_in_front() -> None:
    """RFC 4422 §3.7: four octets, network byte order."""
    assert layer().seal(b"abc") == b"\0\0\0\3ABC"


def test_buffers_are_cut_wherever_the_stream_was() -> None:
    """One octet at a time, or two buffers and a half at once."""
    stream, one = b"\0\0\0\1A\0\0\0\2BC", layer()
    opened: list[bytes] = []
    for octet in stream:
        opened += one.feed(bytes((octet,)))
    assert opened == [b"a", b"bc"]
    half = layer()
    assert list(half.feed(stream + b"\0\0")) == [b"a", b"bc"]
    assert list(half.feed(b"\0\1D")) == [b"d"]


@pytest.mark.parametrize("header", [b"\0\0\0\x65", b"\xff\xff\xff\xff", b"\0\0\0\0"])
def test_length_over_the_limit_is_refused_before_anything_is_kept(header: bytes) -> None:
    """Nor is an empty buffer one, of which there could be any number."""
    with pytest.raises(RemoteProtocolError, match="the limit is 100"):
        list(layer().feed(header))


def test_buffer_of_the_limit_is_taken() -> None:
    """The limit itself is allowed."""
    assert list(layer().feed(b"\0\0\0\x64" + 100 * b"X")) == [100 * b"x"]
