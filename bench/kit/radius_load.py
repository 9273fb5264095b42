"""A RADIUS device that asks as fast as it is answered, or at a given rate, and measures each login.

Every request is of another user (or of the next of so many), signed, and sent once: a server that loses it has lost
it. A process of its own:

    python bench/kit/radius_load.py --port 18120 --secret testing123 --logins 2000 --in-flight 32
    python bench/kit/radius_load.py --port 18120 --secret testing123 --logins 5000 --per-second 500 --wait 60

Its last line is JSON: accepted, rejected, unanswered, seconds (first request to last answer), p50_ms, p95_ms.
"""

from __future__ import annotations

import argparse
import json
import os
import select
import socket
import sys
import time
from collections import deque
from typing import Final

from duoproxy.radius.attributes import Type
from duoproxy.radius.authenticators import encode_request
from duoproxy.radius.hiding import hide_password
from duoproxy.radius.packet import Code

IDENTIFIERS: Final = 256
BUFFER_BYTES: Final = 4 * 1024 * 1024
PASSWORD: Final = b"correct horse"

# A request waits in one of these places: a socket and an identifier.
_Place = tuple[socket.socket, int]
Key = tuple[int, int]
"""The same place: the number of the socket, and the identifier."""


def user_name(number: int) -> str:
    """Give the name of a user."""
    return f"user{number:06d}"


def make_request(number: int, user: int, identifier: int, secret: bytes, password: bytes) -> bytes:
    """Write the Access-Request of one user, as a VPN gateway sends it."""
    authenticator = os.urandom(16)
    attributes = [
        (Type.USER_NAME, user_name(user).encode("ascii")),
        (Type.USER_PASSWORD, hide_password(password, secret, authenticator)),
        (4, bytes((192, 0, 2, 1))),
        (5, number.to_bytes(4, "big")),
        (61, (5).to_bytes(4, "big")),
        (31, b"198.51.%d.%d" % (number >> 8 & 0xFF, number & 0xFF)),
        (32, b"gateway-1"),
        (44, b"5F3A%08X" % number),
    ]
    return encode_request(Code.ACCESS_REQUEST, identifier, authenticator, attributes, secret)


class Load:
    """The requests, the places where they wait, and what came back."""

    def __init__(
        self, port: int, secret: bytes, logins: int, in_flight: int, users: int = 0, password: bytes = PASSWORD
    ) -> None:
        """Open as many sockets as the requests in flight need.

        Args:
            port: of the server.
            secret: shared with it.
            logins: how many.
            in_flight: how many of them at once.
            users: so many users log in, in turn; 0: each login is of another user.
            password: everybody's.
        """
        sockets = [_open(port) for _ in range(-(-in_flight // IDENTIFIERS))]
        self._free: deque[_Place] = deque((place, identifier) for identifier in range(IDENTIFIERS) for place in sockets)
        while len(self._free) > in_flight:
            self._free.pop()
        self._poll = select.epoll()
        self._sockets = {place.fileno(): place for place in sockets}
        for number in self._sockets:
            self._poll.register(number, select.EPOLLIN)
        self._secret = secret
        self._users = users or logins
        self._password = password
        self._unsent = deque(range(logins))
        self._sent: dict[Key, float] = {}
        self.took_s: list[float] = []
        self.codes: dict[int, int] = {}
        self.last_answer = 0.0

    def run(self, per_second: float, wait_s: float) -> float:
        """Send all, and wait for the answers.

        Args:
            per_second: how many to send a second; 0: as many as places are free.
            wait_s: how long to wait for each answer.

        Returns:
            when the first was sent.
        """
        started = time.monotonic()
        sent = 0
        last_sent = started
        while self._unsent or self._sent:
            now = time.monotonic()
            allowed = len(self._unsent) if not per_second else int((now - started) * per_second) + 1 - sent
            while allowed > 0 and self._unsent and self._free:
                self._send(self._unsent.popleft())
                sent += 1
                allowed -= 1
                last_sent = now
            if not self._unsent and now - last_sent > wait_s:
                break
            if self._unsent and not per_second and now - max(last_sent, self.last_answer) > wait_s:
                break
            for number, _ in self._poll.poll(0.002 if self._unsent and per_second else 0.1):
                self._receive(self._sockets[number])
        return started

    @property
    def unanswered(self) -> int:
        """How many got no answer."""
        return len(self._sent) + len(self._unsent)

    def _send(self, number: int) -> None:
        place, identifier = self._free.popleft()
        octets = self._first_request(number, (place.fileno(), identifier))
        self._sent[place.fileno(), identifier] = time.monotonic()
        place.send(octets)

    def _first_request(self, number: int, key: Key) -> bytes:
        """Write the request that begins a login."""
        return make_request(number, number % self._users, key[1], self._secret, self._password)

    def _receive(self, place: socket.socket) -> None:
        while True:
            try:
                octets = place.recv(4096)
            except BlockingIOError:
                return
            except ConnectionRefusedError:
                continue
            self._take(place, (place.fileno(), octets[1]), octets)

    def _take(self, place: socket.socket, key: Key, octets: bytes) -> None:
        """Note that a login has ended."""
        now = time.monotonic()
        sent = self._sent.pop(key, None)
        if sent is None:
            return
        self.took_s.append(now - sent)
        self.codes[octets[0]] = self.codes.get(octets[0], 0) + 1
        self.last_answer = now
        self._free.append((place, key[1]))

    def print_result(self, started: float) -> None:
        """Write the line of JSON."""
        took = sorted(self.took_s) or [0.0]
        result = {
            "accepted": self.codes.get(Code.ACCESS_ACCEPT, 0),
            "rejected": self.codes.get(Code.ACCESS_REJECT, 0),
            "unanswered": self.unanswered,
            "seconds": max(0.0, self.last_answer - started),
            "p50_ms": 1000 * took[len(took) // 2],
            "p95_ms": 1000 * took[len(took) * 95 // 100],
        }
        sys.stdout.write(json.dumps(result) + "\n")


def _open(port: int) -> socket.socket:
    opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)
    opened.connect(("127.0.0.1", port))
    opened.setblocking(False)
    return opened


def make_parser(text: str | None) -> argparse.ArgumentParser:
    """Make the parser of a load, with the arguments that each has."""
    parser = argparse.ArgumentParser(description=text, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--secret", required=True)
    parser.add_argument("--logins", type=int, required=True)
    parser.add_argument("--wait", type=float, default=20.0, help="seconds to wait for an answer (default 20)")
    return parser


def main() -> None:
    parser = make_parser(__doc__)
    parser.add_argument("--in-flight", type=int, default=0, help="at most so many at once (default: all)")
    parser.add_argument("--per-second", type=float, default=0.0, help="send at this rate (default: as answered)")
    parser.add_argument("--users", type=int, default=0, help="so many users, in turn (default: all different)")
    parser.add_argument("--password", default=PASSWORD.decode(), help=f"everybody's (default: {PASSWORD.decode()})")
    options = parser.parse_args()
    in_flight = options.in_flight or options.logins
    secret, password = options.secret.encode(), options.password.encode()
    load = Load(options.port, secret, options.logins, in_flight, options.users, password)
    load.print_result(load.run(options.per_second, options.wait))


if __name__ == "__main__":
    main()
