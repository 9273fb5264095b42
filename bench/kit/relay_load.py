"""The device of radius_load.py with other logins: MS-CHAPv2, and passwords that are followed by a prompt.

    python bench/kit/relay_load.py --method mschapv2 --port 18120 --secret testing123 --logins 2000 --in-flight 32
    python bench/kit/relay_load.py --method challenge --answer push …

Proofs are computed before the first request goes out, one for each of `--users`. Its last line is that of
radius_load.py; a login with a prompt is one login, from its first request to its last answer.
"""

from __future__ import annotations

import os
import socket
from typing import Final

from bench.kit.radius_load import PASSWORD, Key, Load, make_parser, user_name
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
        self._numbers: dict[Key, int] = {}
        self._proofs: list[tuple[Attribute, ...]] = []
        if method == "mschapv2":
            password = Secret(PASSWORD)
            names = [user_name(number) for number in range(users)]
            made = [ms_chap_v2(name, password, 1, CHALLENGE, PEER_CHALLENGE) for name in names]
            self._proofs = [one.attributes for one in made]

    def _first_request(self, number: int, key: Key) -> bytes:
        self._numbers[key] = number
        return self._request(number, key[1], PASSWORD, ())

    def _take(self, place: socket.socket, key: Key, octets: bytes) -> None:
        if octets[0] == Code.ACCESS_CHALLENGE and key in self._sent:
            self._go_on(place, key, octets)
        else:
            super()._take(place, key, octets)

    def _go_on(self, place: socket.socket, key: Key, octets: bytes) -> None:
        """Answer a prompt, with the same Identifier and another authenticator."""
        state = first(decode_packet(octets).attributes, Type.STATE) or b""
        place.send(self._request(self._numbers[key], key[1], self._answer, ((Type.STATE, state),)))

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
    parser = make_parser(__doc__)
    parser.add_argument("--method", choices=("pap", "mschapv2", "challenge"), required=True)
    parser.add_argument("--in-flight", type=int, default=32, help="at most so many at once (default 32)")
    parser.add_argument("--users", type=int, default=50, help="so many users, in turn (default 50)")
    parser.add_argument("--answer", default="push", help="to a prompt (default: push)")
    options = parser.parse_args()
    secret, logins, method = options.secret.encode(), options.logins, options.method
    load = RelayLoad(options.port, secret, logins, options.in_flight, options.users, method, options.answer)
    load.print_result(load.run(0.0, options.wait))


if __name__ == "__main__":
    main()
