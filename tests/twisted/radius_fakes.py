"""In-memory transports for RADIUS tests, and packets as devices and servers make them."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

from duoproxy.net.packet_info import RefusedDatagram
from duoproxy.net.udp import RECEIVE_BUFFER_BYTES, DatagramReceiver, Endpoint
from duoproxy.radius.authenticators import (
    MessageAuthenticator,
    check_message_authenticator,
    encode_reply,
    encode_request,
    reply_is_authentic,
)
from duoproxy.radius.hiding import hide_password
from duoproxy.radius.packet import Attribute, Code, Packet, decode_packet, encode_packet

SECRET = b"s3cret %;#= of the device"


class FakeTransport:
    """Keeps what is sent; the test delivers what comes."""

    receive_buffer_bytes = 2 * RECEIVE_BUFFER_BYTES

    def __init__(self, port: int = 1812) -> None:
        self.port = port
        self.sent: list[tuple[bytes, Endpoint, str]] = []
        self.closed = False
        self.fails = False
        self.receiver: DatagramReceiver | None = None
        self.refused: Callable[[RefusedDatagram], None] | None = None
        self.on_send: Callable[[bytes, Endpoint], None] | None = None

    def start_reading(
        self, reactor: Any, receiver: DatagramReceiver, refused: Callable[[RefusedDatagram], None] | None = None
    ) -> None:
        self.receiver, self.refused = receiver, refused

    def send(self, datagram: bytes, destination: Endpoint, local_host: str = "") -> bool:
        self.sent.append((datagram, destination, local_host))
        if self.on_send is not None:
            self.on_send(datagram, destination)
        return not self.fails

    def close(self) -> None:
        self.closed = True

    def deliver(self, datagram: bytes, source: Endpoint, local_host: str = "10.0.0.1") -> None:
        assert self.receiver is not None
        self.receiver(datagram, source, local_host)


class CountedBytes:
    """Randomness that is never the same twice and the same in each run."""

    def __init__(self) -> None:
        self._count = itertools.count(1)

    def __call__(self, size: int) -> bytes:
        return next(self._count).to_bytes(size, "big")


def request_octets(
    identifier: int = 1,
    *,
    attributes: Sequence[Attribute] = (),
    password: bytes | None = b"pencil",
    user: bytes = b"alice",
    authenticator: bytes | None = None,
    signed: bool = True,
    secret: bytes = SECRET,
    code: int = Code.ACCESS_REQUEST,
) -> bytes:
    """An Access-Request as a device sends it."""
    authenticator = authenticator or bytes([identifier]) * 16
    carried: list[Attribute] = [(1, user)] if user else []
    if password is not None:
        carried.append((2, hide_password(password, secret, authenticator)))
    carried += attributes
    if signed:
        return encode_request(code, identifier, authenticator, carried, secret)
    return encode_packet(Packet(code, identifier, authenticator, tuple(carried)))


def open_reply(octets: bytes, request: bytes, secret: bytes = SECRET) -> Packet:
    """Check a reply as a strict device does, and decode it."""
    authenticator = request[4:20]
    assert octets[1] == request[1], "the Identifier of the reply is that of the request"
    assert reply_is_authentic(octets, authenticator, secret)
    assert check_message_authenticator(octets, secret, authenticator) is MessageAuthenticator.VALID
    packet = decode_packet(octets)
    assert packet.attributes[0][0] == 80, "Message-Authenticator is first"
    return packet


def unsigned_reply(code: int, request: bytes, attributes: Sequence[Attribute] = (), secret: bytes = SECRET) -> bytes:
    """A reply without Message-Authenticator, with a right Response Authenticator."""
    from hashlib import md5

    body = b"".join(bytes((number, len(value) + 2)) + value for number, value in attributes)
    head = bytes((code, request[1])) + (20 + len(body)).to_bytes(2, "big")
    return head + md5(head + request[4:20] + body + secret).digest() + body


def signed_reply(code: int, request: bytes, attributes: Sequence[Attribute] = (), secret: bytes = SECRET) -> bytes:
    """A reply as a modern server sends it."""
    return encode_reply(code, request[1], request[4:20], attributes, secret)
