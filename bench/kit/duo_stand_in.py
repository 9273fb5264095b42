"""A stand-in for Duo's Auth API that costs as little as it can: HTTPS with kept connections, signatures not checked.

Run as a process of its own, so that what it costs is not counted as the proxy's:

    python bench/kit/duo_stand_in.py --port 18443 --certificate server.pem --key server.key [--push-seconds 10]

| path | answer |
| --- | --- |
| /auth/v2/preauth | auth, one phone |
| /auth/v2/auth | allow, after the push; with async=1 a transaction at once |
| /auth/v2/auth_status | the first time `pushed` at once, then it waits for the end of the push (a long poll) |
| /plain/preauth, /plain/auth | the same in nothing but a status, 204, for a client that cannot read Duo's JSON |
| /pending | how many pushes are under way |
| /stats | what has happened since the last time this was asked |
"""

from __future__ import annotations

import argparse
import asyncio
import json
import ssl
import time
from email.utils import formatdate
from typing import Any, Final

MAX_HEAD_BYTES: Final = 16_384
MAX_BODY_BYTES: Final = 16_384
BACKLOG: Final = 4096

_PREAUTH = {
    "stat": "OK",
    "response": {
        "result": "auth",
        "status_msg": "Account is active",
        "devices": [
            {
                "device": "DPFZRS9FB0D46QFTM891",
                "type": "phone",
                "number": "XXX-XXX-0100",
                "name": "",
                "display_name": "iOS (XXX-XXX-0100)",
                "capabilities": ["auto", "push", "sms", "phone", "mobile_otp"],
            }
        ],
    },
}
_ALLOW = {"stat": "OK", "response": {"result": "allow", "status": "allow", "status_msg": "Success. Logging you in..."}}
_PUSHED = {"stat": "OK", "response": {"result": "waiting", "status": "pushed", "status_msg": "Pushed a login request."}}


class StandIn:
    """What all connections share: the length of a push, the transactions and the counts."""

    def __init__(self, push_s: float) -> None:
        """Begin with nothing under way."""
        self.push_s = push_s
        self.transactions: dict[str, float] = {}
        self.seen: set[str] = set()
        self.open = 0
        self.pending = 0
        self._head = b""
        self._head_until = 0.0
        self.counts: dict[str, int] = {}
        self.reset()

    def reset(self) -> None:
        """Begin to count anew."""
        self.counts = {"preauth": 0, "auth": 0, "auth_status": 0, "accepted": 0, "abandoned": 0}
        self.counts |= {"open_peak": self.open, "pending_peak": self.pending, "failed_handshakes": 0}

    def count(self, name: str) -> None:
        """Count one event."""
        self.counts[name] += 1

    def began(self, number: int = 1) -> None:
        """A push has begun (or, with -1, ended)."""
        self.pending += number
        self.counts["pending_peak"] = max(self.counts["pending_peak"], self.pending)

    def answer(self, content: Any) -> bytes:
        """Spell an answer; its head is made once a second."""
        now = time.monotonic()
        if now >= self._head_until:
            self._head = f"HTTP/1.1 200 OK\r\nServer: Duo/1.0\r\nDate: {formatdate(usegmt=True)}\r\n".encode("ascii")
            self._head_until = now + 1
        body = content if isinstance(content, bytes) else json.dumps(content).encode("ascii")
        return b"%sContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (self._head, len(body), body)


class Connection(asyncio.Protocol):
    """One connection; requests are answered one after the other."""

    def __init__(self, service: StandIn) -> None:
        """Wait for the first request."""
        self._service = service
        self._buffer = b""
        self._transport: Any = None
        self._pushes = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Count it."""
        self._transport = transport
        self._service.open += 1
        self._service.count("accepted")
        self._service.counts["open_peak"] = max(self._service.counts["open_peak"], self._service.open)

    def connection_lost(self, exc: Exception | None) -> None:
        """Count it, and the pushes that nobody waits for any more."""
        self._service.open -= 1
        self._service.counts["abandoned"] += self._pushes
        self._transport = None

    def data_received(self, data: bytes) -> None:
        """Answer each whole request."""
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = self._buffer[:end]
            body_from = end + 4
            size = _content_length(head)
            if len(self._buffer) < body_from + size:
                break
            body = self._buffer[body_from : body_from + size]
            self._buffer = self._buffer[body_from + size :]
            self._request(head.split(b" ", 2)[1], body)
        if len(self._buffer) > MAX_HEAD_BYTES + MAX_BODY_BYTES:
            self._transport.abort()

    def _request(self, target: bytes, body: bytes) -> None:
        service = self._service
        path, _, query = target.partition(b"?")
        if path == b"/auth/v2/preauth":
            service.count("preauth")
            self._write(_PREAUTH_OCTETS)
        elif path == b"/auth/v2/auth":
            service.count("auth")
            if b'"async":"1"' in body or b"async=1" in body:
                self._transaction()
            else:
                self._push(_ALLOW_OCTETS)
        elif path == b"/auth/v2/auth_status":
            service.count("auth_status")
            self._status(query.rpartition(b"txid=")[2].decode("ascii"))
        elif path == b"/plain/preauth":
            service.count("preauth")
            self._write(None)
        elif path == b"/plain/auth":
            service.count("auth")
            self._push(None)
        elif path == b"/pending":
            self._write(service.pending)
        elif path == b"/stats":
            self._write({**service.counts, "open": service.open, "pending": service.pending})
            service.reset()
        else:
            self._transport.abort()

    def _write(self, content: Any) -> None:
        if self._transport is not None:
            if content is None:
                self._transport.write(b"HTTP/1.1 204 No Content\r\n\r\n")
            else:
                self._transport.write(self._service.answer(content))

    def _push(self, content: Any) -> None:
        if self._service.push_s <= 0:
            self._write(content)
            return
        self._service.began()
        self._pushes += 1
        asyncio.get_running_loop().call_later(self._service.push_s, self._pushed, content)

    def _pushed(self, content: Any) -> None:
        self._service.began(-1)
        self._pushes -= 1
        self._write(content)

    def _transaction(self) -> None:
        service = self._service
        name = f"45f7c92b-f45f-4862-8545-{len(service.transactions):012d}"
        service.transactions[name] = asyncio.get_running_loop().time() + service.push_s
        if service.push_s > 0:
            service.began()
            asyncio.get_running_loop().call_later(service.push_s, service.began, -1)
        self._write({"stat": "OK", "response": {"txid": name}})

    def _status(self, name: str) -> None:
        loop = asyncio.get_running_loop()
        left_s = self._service.transactions[name] - loop.time()
        if left_s <= 0:
            self._write(_ALLOW_OCTETS)
        elif name not in self._service.seen:
            self._service.seen.add(name)
            self._write(_PUSHED_OCTETS)
        else:
            loop.call_later(left_s, self._write, _ALLOW_OCTETS)


def _content_length(head: bytes) -> int:
    at = head.lower().find(b"\r\ncontent-length:")
    if at < 0:
        return 0
    return int(head[at + 17 :].split(b"\r\n", 1)[0])


_PREAUTH_OCTETS = json.dumps(_PREAUTH).encode("ascii")
_ALLOW_OCTETS = json.dumps(_ALLOW).encode("ascii")
_PUSHED_OCTETS = json.dumps(_PUSHED).encode("ascii")


async def serve(port: int, certificate: str, key: str, push_s: float) -> None:
    """Serve until the process is ended."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    service = StandIn(push_s)
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _loop, _context: service.count("failed_handshakes"))
    server = await loop.create_server(
        lambda: Connection(service), "127.0.0.1", port, ssl=context, backlog=BACKLOG, ssl_handshake_timeout=30
    )
    print("the stand-in is ready", flush=True)
    await server.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--certificate", required=True)
    parser.add_argument("--key", required=True)
    parser.add_argument("--push-seconds", type=float, default=0.0)
    options = parser.parse_args()
    asyncio.run(serve(options.port, options.certificate, options.key, options.push_seconds))


if __name__ == "__main__":
    main()
