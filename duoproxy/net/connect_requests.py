"""Reads the one request that an HTTP proxy for one host takes: CONNECT to exactly that host. Pure.

h11 reads the octets; here stands what is allowed. Source: RFC 9110 §9.3.6, RFC 9112 §3.2.3.
"""

from __future__ import annotations

from typing import Final

import h11
from attrs import frozen

MAX_HEAD_BYTES: Final = 8 * 1024
"""Octets of a request line and its header fields."""
MAX_SHOWN: Final = 100
"""Characters of a target that are shown in the log."""

BAD_REQUEST, FORBIDDEN, METHOD_NOT_ALLOWED, HEAD_TOO_LARGE = 400, 403, 405, 431

_VERSIONS: Final = frozenset({b"1.0", b"1.1"})


@frozen
class Authority:
    """The one place that tunnels lead to.

    Attributes:
        host: name, lower case, without a final dot.
        port: TCP port.
    """

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


@frozen
class Refusal:
    """Why a request gets no tunnel.

    Attributes:
        status: of HTTP.
        what: a clause for the log and for the client.
    """

    status: int
    what: str


@frozen
class Allowed:
    """The request may have its tunnel."""


Judgement = Allowed | Refusal

_TOO_LONG: Final = Refusal(HEAD_TOO_LARGE, f"its request is longer than {MAX_HEAD_BYTES} octets")
_NO_HTTP: Final = Refusal(BAD_REQUEST, "what it sent is no HTTP request")


class ConnectReader:
    """Takes the octets of one connection until its request is complete."""

    def __init__(self, authority: Authority) -> None:
        """Allow `authority` and nothing else."""
        self._authority = authority
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEAD_BYTES)
        self._received_bytes = 0

    def receive(self, octets: bytes) -> Judgement | None:
        """Take more octets.

        Returns:
            what to do, or None while the request is not complete. Octets behind the request are a refusal: a client
            that waits for its answer, as it must, sends none.
        """
        self._received_bytes += len(octets)
        try:
            self._http.receive_data(octets)
            event = self._http.next_event()
        except h11.RemoteProtocolError as fault:
            return _TOO_LONG if fault.error_status_hint == HEAD_TOO_LARGE else _NO_HTTP
        if event is h11.NEED_DATA:
            return None
        if self._received_bytes - len(self._http.trailing_data[0]) > MAX_HEAD_BYTES:
            return _TOO_LONG  # all in one piece, which h11 lets through
        if not isinstance(event, h11.Request) or event.http_version not in _VERSIONS:
            return Refusal(BAD_REQUEST, "what it sent is no request of HTTP/1.1")
        return self._judge(event)

    def _judge(self, request: h11.Request) -> Judgement:
        if request.method != b"CONNECT":
            return Refusal(METHOD_NOT_ALLOWED, f"it asked with {_shown(request.method)}; only CONNECT is relayed")
        if request.target.lower() != str(self._authority).encode("ascii"):
            return Refusal(FORBIDDEN, f"it asked for {_shown(request.target)}; only {self._authority} is relayed")
        if any(name in {b"content-length", b"transfer-encoding"} for name, _ in request.headers):
            return Refusal(BAD_REQUEST, "its CONNECT announces a body")
        if self._http.trailing_data[0]:
            return Refusal(BAD_REQUEST, "it sent data before the tunnel was open")
        return Allowed()


def refusal_octets(refusal: Refusal) -> bytes:
    """Write the answer to a refused request: the reason as text, and the end of the connection."""
    body = f"duoproxy opens no tunnel: {refusal.what}.\n".encode()
    allow = "Allow: CONNECT\r\n" if refusal.status == METHOD_NOT_ALLOWED else ""
    head = (
        f"HTTP/1.1 {refusal.status} {_REASONS[refusal.status]}\r\n{allow}"
        f"Content-Type: text/plain; charset=utf-8\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode("ascii") + body


OPENED: Final = b"HTTP/1.1 200 Connection established\r\n\r\n"
"""What a client is told when its tunnel is open."""

REQUEST_TIMEOUT, BAD_GATEWAY, GATEWAY_TIMEOUT, UNAVAILABLE = 408, 502, 504, 503

_REASONS: Final = {
    BAD_REQUEST: "Bad Request",
    FORBIDDEN: "Forbidden",
    METHOD_NOT_ALLOWED: "Method Not Allowed",
    REQUEST_TIMEOUT: "Request Timeout",
    HEAD_TOO_LARGE: "Request Header Fields Too Large",
    BAD_GATEWAY: "Bad Gateway",
    UNAVAILABLE: "Service Unavailable",
    GATEWAY_TIMEOUT: "Gateway Timeout",
}


def _shown(octets: bytes) -> str:
    text = octets[:MAX_SHOWN].decode("ascii", "backslashreplace")
    return "".join(mark if mark.isprintable() else "?" for mark in text)
