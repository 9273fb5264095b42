"""A UDP relay that is a bad network: it loses, doubles and delays datagrams both ways, repeatably by its seed.

    python tests/peers/lossy_relay.py PORT SERVER_PORT SEED

Each client port gets a port of the relay's own towards the server, as behind NAT. SIGTERM ends it as soon as nothing is
on its way; its last line is a JSON object that counts what it did.
"""

from __future__ import annotations

import asyncio
import json
import random
import signal
import sys
from collections import Counter
from collections.abc import Callable
from typing import Any

HOST = "127.0.0.1"
READY = "the relay is ready"

LOST = 0.2
DOUBLED = 0.15
DELAYED = 0.4
MAX_DELAY_S = 0.25
COPY_WITHIN_S = 0.6

Address = tuple[str, int]


class BadNetwork:
    """Decides what becomes of each datagram."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self.counts: Counter[str] = Counter()
        self.empty = asyncio.Event()
        self.empty.set()
        self._on_their_way = 0

    def carry(self, deliver: Callable[[], None]) -> None:
        """Deliver a datagram now, later, twice, or never."""
        self.counts["carried"] += 1
        if self._random.random() < LOST:
            self.counts["lost"] += 1
            return
        if self._random.random() < DELAYED:  # what is sent after it may overtake it
            self.counts["delayed"] += 1
            self._later(MAX_DELAY_S, deliver)
        else:
            deliver()
        if self._random.random() < DOUBLED:
            self.counts["doubled"] += 1
            self._later(COPY_WITHIN_S, deliver)

    def _later(self, within_s: float, deliver: Callable[[], None]) -> None:
        self._on_their_way += 1
        self.empty.clear()
        asyncio.get_running_loop().call_later(self._random.uniform(0, within_s), self._arrives, deliver)

    def _arrives(self, deliver: Callable[[], None]) -> None:
        deliver()
        self._on_their_way -= 1
        if not self._on_their_way:
            self.empty.set()


class ServerSide(asyncio.DatagramProtocol):
    """The port of one client towards the server."""

    def __init__(self, network: BadNetwork, towards_client: Callable[[bytes], None]) -> None:
        self._network = network
        self._towards_client = towards_client
        self._transport: Any = None
        self._waiting: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        for datagram in self._waiting:
            self.send(datagram)

    def send(self, datagram: bytes) -> None:
        """Send to the server, as soon as there is a port."""
        if self._transport is None:
            self._waiting.append(datagram)
        else:
            self._network.carry(lambda: self._transport.sendto(datagram))

    def datagram_received(self, data: bytes, addr: Address) -> None:
        self._network.carry(lambda: self._towards_client(data))


class ClientSide(asyncio.DatagramProtocol):
    """The port that clients send to."""

    def __init__(self, network: BadNetwork, server_port: int) -> None:
        self._network = network
        self._server_port = server_port
        self._servers: dict[Address, ServerSide] = {}
        self._opening: set[asyncio.Task[object]] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport

    def datagram_received(self, data: bytes, addr: Address) -> None:
        side = self._servers.get(addr)
        if side is None:
            side = self._servers[addr] = ServerSide(self._network, lambda reply: self._transport.sendto(reply, addr))
            loop, opened = asyncio.get_running_loop(), side
            opening = loop.create_task(
                loop.create_datagram_endpoint(lambda: opened, remote_addr=(HOST, self._server_port))
            )
            self._opening.add(opening)
            opening.add_done_callback(self._opening.discard)
        side.send(data)


async def relay(port: int, server_port: int, seed: int) -> None:
    """Relay until SIGTERM."""
    network = BadNetwork(seed)
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, ended.set)
    await loop.create_datagram_endpoint(lambda: ClientSide(network, server_port), local_addr=(HOST, port))
    print(READY, flush=True)
    await ended.wait()
    await network.empty.wait()
    print(json.dumps(network.counts), flush=True)


if __name__ == "__main__":
    asyncio.run(relay(*(int(argument) for argument in sys.argv[1:4])))
