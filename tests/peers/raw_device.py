"""A device of a few lines, for what no packaged one does: exact octets, retries of any kind, any source address.

It writes requests with our own codec; what it asks and gets is judged by others in test_second_opinions.py.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence

from duoproxy.radius.attributes import Type
from duoproxy.radius.authenticators import encode_request
from duoproxy.radius.hiding import hide_password
from duoproxy.radius.packet import Attribute, Code
from tests.peers.sandbox import RADIUS_SECRET

MAX_DATAGRAM = 4096
DEADLINE_S = 20.0


def login_request(
    user: str,
    password: bytes,
    more: Sequence[Attribute] = (),
    *,
    identifier: int = 1,
    request_authenticator: bytes = b"",
    secret: str = RADIUS_SECRET,
) -> bytes:
    """Write an Access-Request with Message-Authenticator; its authenticator is random unless given."""
    authenticator = request_authenticator or os.urandom(16)
    hidden = hide_password(password, secret.encode(), authenticator)
    attributes = [(Type.USER_NAME, user.encode()), (Type.USER_PASSWORD, hidden), *more]
    return encode_request(Code.ACCESS_REQUEST, identifier, authenticator, attributes, secret.encode())


class RawDevice:
    """A socket of one device; a context manager."""

    def __init__(self, server: str, source: str = "") -> None:
        """Bind to `source` (any address when empty) and talk to `server`, as `host:port` or `[host]:port`."""
        host, _, port = server.rpartition(":")
        self.server = (host.strip("[]"), int(port))
        family = socket.AF_INET6 if ":" in self.server[0] else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_DGRAM)
        if source:
            self._socket.bind((source, 0))

    def __enter__(self) -> RawDevice:
        return self

    def __exit__(self, *fault: object) -> None:
        self._socket.close()

    def send(self, octets: bytes) -> None:
        """Send a datagram."""
        self._socket.sendto(octets, self.server)

    def receive(self, wait_s: float = DEADLINE_S) -> tuple[bytes, str] | None:
        """Wait for a datagram; give it with the address that it came from, or None when there was none."""
        self._socket.settimeout(wait_s)
        try:
            octets, source = self._socket.recvfrom(MAX_DATAGRAM)
        except TimeoutError:
            return None
        return octets, str(source[0])


def exchange(server: str, octets: bytes, *, source: str = "", wait_s: float = DEADLINE_S) -> bytes | None:
    """Send a datagram and wait for one."""
    with RawDevice(server, source) as device:
        device.send(octets)
        answer = device.receive(wait_s)
    return answer[0] if answer else None
