"""LDAP clients that cost little: they send searches that were encoded before, and count the octets of the answers.

Every answer to a search has the same size, since all message ids take three octets: so the first answer is read,
message by message, and of all others the octets are counted. At the end everything that was asked must have been
answered, to the octet. The last line of the output is the result, in JSON.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import select
import socket
import statistics
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from duoproxy.ldap.framing import MessageFramer, peek_message
from duoproxy.ldap.messages import Response, read_result, write_simple_bind
from duoproxy.secret import Secret
from tests.peers.slapd import SERVICE_DN, SERVICE_PASSWORD

FIRST_ID: Final = 0x10000
"""From here to 0x7fffff a message id takes three octets."""
MAX_SEARCHES: Final = 200_000
READ_BYTES: Final = 1 << 18
DEADLINE_S: Final = 60.0
TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")
ATTRIBUTES: Final = (b"cn", b"sn", b"uid", b"mail")


def element(tag: int, *parts: bytes) -> bytes:
    """Write an element with a short length, or one of two octets."""
    contents = b"".join(parts)
    length = bytes((len(contents),)) if len(contents) < 0x80 else b"\x82" + len(contents).to_bytes(2, "big")
    return bytes((tag,)) + length + contents


def search(message_id: int, base: bytes, scope: int, filter_: bytes, attributes: tuple[bytes, ...]) -> bytes:
    """Write a search. Source: RFC 4511 §4.5.1."""
    operation = element(
        0x63,
        element(0x04, base),
        element(0x0A, bytes((scope,))),
        element(0x0A, b"\0"),
        element(0x02, b"\0"),
        element(0x02, b"\0"),
        element(0x01, b"\0"),
        filter_,
        element(0x30, *(element(0x04, name) for name in attributes)),
    )
    return element(0x30, element(0x02, message_id.to_bytes(3, "big")), operation)


def searches(base: str, scope: int, wanted: tuple[bytes, ...]) -> tuple[bytes, int]:
    """Give so many searches behind each other, and the size of one."""
    present = element(0x87, b"objectClass")
    model = search(0x7FFFFE, base.encode(), scope, present, wanted)
    head, _, tail = model.partition(b"\x7f\xff\xfe")
    ids = range(FIRST_ID, FIRST_ID + MAX_SEARCHES)
    return b"".join([head + number.to_bytes(3, "big") + tail for number in ids]), len(model)


class Answers:
    """Reads whole messages off a socket that blocks."""

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected
        self._framer = MessageFramer(1 << 26)
        self.octets = 0

    def until(self, tag: int) -> int:
        """Read on to the message with a tag and give how many came before; its result must be success."""
        before = 0
        while True:
            data = self._socket.recv(READ_BYTES)
            if not data:
                raise SystemExit("the connection was closed")
            self.octets += len(data)
            for octets in self._framer.feed(data):
                head = peek_message(octets)
                if head.operation_tag == tag:
                    code, text = read_result(octets, head)
                    if code:
                        raise SystemExit(f"result {code}: {text}")
                    return before
                before += 1


@dataclass
class Client:
    """One connection.

    Attributes:
        socket: which does not block.
        sent: searches, ever.
        begin: of them, before this run.
        octets: of answers in this run.
        done: searches answered in this run.
        asked_at: when the last one was sent.
    """

    socket: socket.socket
    sent: int = 0
    begin: int = 0
    octets: int = 0
    done: int = 0
    asked_at: float = 0.0


@dataclass
class Load:
    """All clients.

    Attributes:
        requests: encoded.
        request_bytes: of one.
        window: searches under way on each connection.
        reply_bytes: of one answer.
        messages: of one answer.
    """

    requests: memoryview
    request_bytes: int
    window: int
    clients: dict[int, Client] = field(default_factory=dict)
    reply_bytes: int = 0
    messages: int = 0
    latencies: list[float] = field(default_factory=list)

    def connect(self, port: int) -> None:
        """Connect, bind, and ask once."""
        connected = socket.create_connection(("127.0.0.1", port), timeout=DEADLINE_S)
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connected.sendall(write_simple_bind(1, SERVICE_DN.encode(), Secret(SERVICE_PASSWORD.encode())))
        Answers(connected).until(Response.BIND)
        connected.sendall(self.requests[: self.request_bytes])
        answers = Answers(connected)
        self.messages = answers.until(Response.SEARCH_DONE) + 1
        self.reply_bytes = answers.octets
        connected.setblocking(False)
        self.clients[connected.fileno()] = Client(connected, sent=1)

    def send(self, client: Client, count: int) -> None:
        """Send so many further searches."""
        begin = client.sent * self.request_bytes
        end = min(begin + count * self.request_bytes, len(self.requests))
        client.asked_at = time.perf_counter()
        written = client.socket.send(self.requests[begin:end])
        if written != end - begin:
            raise SystemExit("the socket is full")
        client.sent += (end - begin) // self.request_bytes

    def run(self, seconds: float) -> float:
        """Ask for so long; give how long it took until the answers that count had come."""
        poll = select.epoll()
        for number, client in self.clients.items():
            poll.register(number, select.EPOLLIN)
            client.begin, client.octets, client.done = client.sent, 0, 0
            self.send(client, self.window)
        buffer = bytearray(READ_BYTES)
        began = time.perf_counter()
        until = began + seconds
        now = began
        while now < until:
            for number, _ in poll.poll(DEADLINE_S):
                client = self.clients[number]
                client.octets += client.socket.recv_into(buffer)
                done = client.octets // self.reply_bytes
                if done > client.done:
                    if self.window == 1:
                        self.latencies.append(time.perf_counter() - client.asked_at)
                    self.send(client, done - client.done)
                    client.done = done
            now = time.perf_counter()
        return now - began

    def drain(self) -> None:
        """Read the answers that are still to come, and see that there is not an octet too many or too few."""
        for client in self.clients.values():
            client.socket.settimeout(DEADLINE_S)
            missing = (client.sent - client.begin) * self.reply_bytes - client.octets
            while missing > 0:
                missing -= len(client.socket.recv(min(missing, READ_BYTES)) or b"x" * (missing + 1))
            client.socket.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                missing -= len(client.socket.recv(READ_BYTES))
            if missing:
                raise SystemExit(f"{-missing} octets too many in the answers")


def cpu_s(pid: int) -> float:
    """CPU of a process; 0 for none."""
    if not pid:
        return 0.0
    fields = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S


def main() -> None:
    """Run, and print what came of it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--base", required=True)
    parser.add_argument("--scope", type=int, default=0)
    parser.add_argument("--attribute", action="append", default=[])
    parser.add_argument("--connections", type=int, default=1)
    parser.add_argument("--window", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--warm-up", type=float, default=0.3)
    parser.add_argument("--pid", type=int, default=0, help="whose CPU counts")
    options = parser.parse_args()
    wanted = tuple(name.encode() for name in options.attribute) or ATTRIBUTES
    encoded, size = searches(options.base, options.scope, wanted)
    load = Load(memoryview(encoded), size, options.window)
    for _ in range(options.connections):
        load.connect(options.port)
    warm = Load(load.requests, size, options.window, load.clients, load.reply_bytes, load.messages)
    warm.run(options.warm_up)
    warm.drain()
    print(json.dumps(measured(load, options)))


def measured(load: Load, options: argparse.Namespace) -> dict[str, Any]:
    """Run the part that counts."""
    cpu = cpu_s(options.pid)
    seconds = load.run(options.seconds)
    used_s = cpu_s(options.pid) - cpu
    done = sum(client.octets / load.reply_bytes for client in load.clients.values())
    load.drain()
    return {
        "searches": done,
        "seconds": seconds,
        "cpu_s": used_s,
        "messages": load.messages + 1,
        "reply_bytes": load.reply_bytes,
        "p50_ms": 1e3 * statistics.median(load.latencies) if load.latencies else 0.0,
    }


if __name__ == "__main__":
    main()
