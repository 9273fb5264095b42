"""Ways from any octets to octets that get further: a mutation seldom keeps a length right, and never a signature."""

from __future__ import annotations

from duoproxy.radius.authenticators import MESSAGE_AUTHENTICATOR, encode_reply, encode_request
from duoproxy.radius.hiding import MAX_PASSWORD_BYTES, hide_password
from duoproxy.radius.packet import (
    AUTHENTICATOR_BYTES,
    HEADER_BYTES,
    MAX_ATTRIBUTES,
    MAX_PACKET_BYTES,
    Attribute,
    Packet,
    encode_packet,
)

USER_PASSWORD = 2
_FOR_MESSAGE_AUTHENTICATOR = 18


def first_octet(data: bytes) -> tuple[int, bytes]:
    """Cut off one octet, which chooses something; 0 when there is none."""
    return (data[0], data[1:]) if data else (0, b"")


def chunks(data: bytes, size: int) -> list[bytes]:
    """Cut octets as a network may; 0 leaves them whole."""
    return [data[at : at + size] for at in range(0, len(data), size)] if size else [data]


def messages(data: bytes) -> list[bytes]:
    """Cut octets into messages: each begins with an octet that says how long it is; the last one may be shorter."""
    cut: list[bytes] = []
    at = 0
    while at < len(data):
        end = at + 1 + data[at]
        cut.append(data[at + 1 : end])
        at = end
    return cut


def lenient_attributes(body: bytes) -> list[Attribute]:
    """Read attributes, whatever their lengths say: as many as one packet takes, no Message-Authenticator."""
    attributes: list[Attribute] = []
    at, left = 0, MAX_PACKET_BYTES - HEADER_BYTES - _FOR_MESSAGE_AUTHENTICATOR
    while at + 1 < len(body) and len(attributes) < MAX_ATTRIBUTES - 1:
        number, size = body[at], max(body[at + 1], 2)
        value = body[at + 2 : at + size]
        left -= 2 + len(value)
        if left < 0:
            break
        if number != MESSAGE_AUTHENTICATOR:
            attributes.append((number, value))
        at += size
    return attributes


def whole_packet(data: bytes, attributes: list[Attribute] | None = None) -> Packet:
    """Read a packet whatever its lengths say; its Message-Authenticator is left out."""
    head = data[:HEADER_BYTES].ljust(HEADER_BYTES, b"\0")
    if attributes is None:
        attributes = lenient_attributes(data[HEADER_BYTES:])
    return Packet(head[0], head[1], head[4:], tuple(attributes))


def device_request(data: bytes, secret: bytes, *, signed: bool) -> bytes:
    """Make a request of a known device: lengths and signature are right, and its passwords are hidden."""
    packet = whole_packet(data)
    attributes = [(number, _hidden(number, value, secret, packet.authenticator)) for number, value in packet.attributes]
    packet = whole_packet(data, lenient_attributes(b"".join(bytes((n, len(v) + 2)) + v for n, v in attributes)))
    if not signed:
        return encode_packet(packet)
    return encode_request(packet.code, packet.identifier, packet.authenticator, packet.attributes, secret)


def server_reply(data: bytes, identifier: int, request_authenticator: bytes, secret: bytes) -> bytes:
    """Make the reply of a known server to a request, lengths and signatures right."""
    packet = whole_packet(data)
    return encode_reply(packet.code, identifier, request_authenticator, packet.attributes, secret)


def _hidden(number: int, value: bytes, secret: bytes, authenticator: bytes) -> bytes:
    if number != USER_PASSWORD or len(value) > MAX_PASSWORD_BYTES or value.endswith(b"\0"):
        return value
    return hide_password(value, secret, authenticator[:AUTHENTICATOR_BYTES])
