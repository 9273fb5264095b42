"""The real radclient as a device: one request, and what it made of the answer."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

from tests.peers.sandbox import RADIUS_SECRET

DEADLINE_S = 40.0

Pair = tuple[str, object]
"""Name of an attribute as radclient's dictionary has it, and its value: text is quoted, octets become hexadecimal."""

SIGNED: Pair = ("Message-Authenticator", b"\0")


@dataclass(frozen=True)
class Answer:
    """What radclient took as the answer.

    Attributes:
        code: `Access-Accept` …; empty when there was none that it believed.
        pairs: attributes in their order, values as it prints them, without quotes.
        output: all that it said.
    """

    code: str
    pairs: tuple[tuple[str, str], ...]
    output: str

    def values(self, name: str) -> list[str]:
        """Give the values of one attribute, in order."""
        return [value for found, value in self.pairs if found == name]


@dataclass(frozen=True)
class Radclient:
    """Sends with the program at `path`; it checks every reply's authenticators itself."""

    path: str

    def send(
        self,
        server: str,
        pairs: Sequence[Pair],
        *,
        secret: str = RADIUS_SECRET,
        tries: int = 1,
        wait_s: float = 20.0,
        code: str = "auth",
    ) -> Answer:
        """Send one request and wait for its answer.

        Args:
            server: `host:port`.
            pairs: its attributes, in order.
            secret: shared with the server.
            tries: how often it is sent.
            wait_s: seconds after each try.
            code: `auth` or `status`.
        """
        command = [self.path, "-x", "-r", str(tries), "-t", str(wait_s), server, code, secret]
        done = subprocess.run(
            command, input=_lines(pairs), capture_output=True, timeout=DEADLINE_S + tries * wait_s, check=False
        )
        return _read(done.stdout.decode("utf-8", "replace") + done.stderr.decode("utf-8", "replace"))


def login(user: str, password: str | bytes, *more: Pair, signed: bool = True) -> list[Pair]:
    """Make the attributes of a PAP login."""
    return [("User-Name", user), ("User-Password", password), *more, *([SIGNED] if signed else [])]


def _lines(pairs: Sequence[Pair]) -> bytes:
    return b"".join(b"%s = %s\n" % (name.encode(), _literal(name, value)) for name, value in pairs)


def _literal(name: str, value: object) -> bytes:
    if isinstance(value, bytes) and name != "User-Password":
        return b"0x" + value.hex().encode()
    if isinstance(value, str | bytes):
        octets = value.encode() if isinstance(value, str) else value
        return b'"' + b"".join(_letter(octet) for octet in octets) + b'"'
    return str(value).encode()


def _letter(octet: int) -> bytes:
    plain = 0x20 <= octet < 0x7F and octet not in b'"\\'
    return bytes([octet]) if plain else b"\\%03o" % octet


def _read(output: str) -> Answer:
    """Find the answer: `Received CODE Id …`, followed by a line for each attribute."""
    received = re.search(r"^Received (\S+) Id .*\n((?:\t.*\n)*)", output, re.MULTILINE)
    if received is None:
        return Answer("", (), output)
    pairs = [line.strip().partition(" = ") for line in received[2].splitlines()]
    return Answer(received[1], tuple((name, _unquoted(value)) for name, _, value in pairs), output)


def _unquoted(value: str) -> str:
    return value[1:-1] if value.startswith('"') and value.endswith('"') else value
