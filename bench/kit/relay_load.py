"""The device of radius_load.py with other logins: MS-CHAPv2, and passwords that are followed by a prompt.

    python bench/kit/relay_load.py --method mschapv2 --port 18120 --secret testing123 --logins 2000 --in-flight 32
    python bench/kit/relay_load.py --method challenge --answer push …

Proofs are computed before the first request goes out, one for each of `--users`. Its last line is that of
radius_load.py; a login with a prompt is one login, from its first request to its last answer.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import sys
import time
from typing import Final

from bench.kit.radius_load import PASSWORD, Load, user_name
from duoproxy.radius.attributes import Type, first
from duoproxy.radius.authenticators import encode_request
from duoproxy.radius.hiding import hide_password
from duoproxy.radius.packet import Attribute, Code, decode_packet
from duoproxy.secret import Secret
from duoproxy.tools.login_proofs import ms_chap_v2

CHALLENGE: Final = bytes(range(16))
PEER_CHALLENGE: Final = bytes(range(16, 32))


class RelayLoad(Load):
    """The requests of one method, and the answers to its prompts."""

    def __init__(self, port: int, secret: bytes, logins: int, in_flight: int, users: int, method: str, answer: str):
        """Open sockets, and compute the proofs.

        Args:
            port: of the server.
            secret: shared with it.
            logins: how many.
            in_flight: how many of them at once.
            users: so many users log in, in turn.
            method: `pap`, `mschapv2` or `challenge`.
            answer: what a prompt is answered.
        """
        super().__init__(port, secret, logins, in_flight, users)
        self._answer = answer.encode()
        self._numbers: dict[tuple[int, int], int] = {}
        self._proofs: list[tuple[Attribute, ...]] = []
        if method == "mschapv2":
            password = Secret(PASSWORD)
            names = [user_name(number) for number in range(users)]
            made = [ms_chap_v2(name, password, 1, CHALLENGE, PEER_CHALLENGE) for name in names]
            self._proofs = [one.attributes for one in made]

    def _send(self, number: int) -> None:
        place, identifier = self._free.popleft()
        key = place.fileno(), identifier
        self._sent[key] = time.monotonic()
        self._numbers[key] = number
        place.send(self._request(number, identifier, PASSWORD, ()))

    def _receive(self, place: socket.socket) -> None:
        while True:
            try:
                octets = place.recv(4096)
            except BlockingIOError:
                return
            except ConnectionRefusedError:
                continue
            key = place.fileno(), octets[1]
            if octets[0] == Code.ACCESS_CHALLENGE and key in self._sent:
                self._go_on(place, key, octets)
            else:
                self._ended(place, key, octets[0])

    def _go_on(self, place: socket.socket, key: tuple[int, int], octets: bytes) -> None:
        """Answer a prompt, with the same Identifier and another authenticator."""
        state = first(decode_packet(octets).attributes, Type.STATE) or b""
        place.send(self._request(self._numbers[key], key[1], self._answer, ((Type.STATE, state),)))

    def _ended(self, place: socket.socket, key: tuple[int, int], code: int) -> None:
        now = time.monotonic()
        sent = self._sent.pop(key, None)
        if sent is None:
            return
        self.took_s.append(now - sent)
        self.codes[code] = self.codes.get(code, 0) + 1
        self.last_answer = now
        self._free.append((place, key[1]))

    def _request(self, number: int, identifier: int, password: bytes, more: tuple[Attribute, ...]) -> bytes:
        authenticator, user = os.urandom(16), number % self._users
        if self._proofs:
            credential = self._proofs[user]
        else:
            credential = ((Type.USER_PASSWORD, hide_password(password, self._secret, authenticator)),)
        attributes = [
            (Type.USER_NAME, user_name(user).encode("ascii")),
            *credential,
            (Type.NAS_IP_ADDRESS, bytes((192, 0, 2, 1))),
            (Type.NAS_PORT, number.to_bytes(4, "big")),
            (Type.CALLING_STATION_ID, b"198.51.%d.%d" % (number >> 8 & 0xFF, number & 0xFF)),
            *more,
        ]
        return encode_request(Code.ACCESS_REQUEST, identifier, authenticator, attributes, self._secret)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--method", choices=("pap", "mschapv2", "challenge"), required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--secret", required=True)
    parser.add_argument("--logins", type=int, required=True)
    parser.add_argument("--in-flight", type=int, default=32, help="at most so many at once (default 32)")
    parser.add_argument("--wait", type=float, default=20.0, help="seconds to wait for an answer (default 20)")
    parser.add_argument("--users", type=int, default=50, help="so many users, in turn (default 50)")
    parser.add_argument("--answer", default="push", help="to a prompt (default: push)")
    options = parser.parse_args()
    secret, logins, method = options.secret.encode(), options.logins, options.method
    load = RelayLoad(options.port, secret, logins, options.in_flight, options.users, method, options.answer)
    started = load.run(0.0, options.wait)
    took = sorted(load.took_s) or [0.0]
    result = {
        "accepted": load.codes.get(2, 0),
        "rejected": load.codes.get(3, 0),
        "unanswered": load.unanswered,
        "seconds": max(0.0, load.last_answer - started),
        "p50_ms": 1000 * took[len(took) // 2],
        "p95_ms": 1000 * took[len(took) * 95 // 100],
    }
    sys.stdout.write(json.dumps(result) + "\n")


if __name__ == "__main__":
    main()
