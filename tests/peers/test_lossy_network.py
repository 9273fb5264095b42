"""A thousand logins through a network that loses, doubles and reorders: one push each, and every one is answered.

The proxy is the real program on its own sandbox; between it and the devices stands tests/peers/lossy_relay.py.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import random
import ssl
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from attrs import define, field

from duoproxy.radius.authenticators import encode_request
from duoproxy.radius.hiding import hide_password
from duoproxy.radius.packet import Code
from tests.peers import lossy_relay
from tests.peers.conftest import RunSandbox, StartServer
from tests.peers.ports import free_port
from tests.peers.sandbox import PASSWORD, RADIUS_SECRET, SandboxProxy
from tests.peers.server import RunningServer, output_matches
from tests.property.plain_radius import reply_fits

LOGINS = 1_000
SOCKETS = 10
AT_ONCE = 100
SEED = 20_260_801
SEND_AGAIN_S = (0.2, 0.5)
DEADLINE_S = 50.0

SECRET = RADIUS_SECRET.encode()
# Half of the people take longer than their devices' patience, so that copies meet a login in progress.
SLOW = {f"slow{number}": "push approve-after 0.7" for number in range(1, LOGINS, 2)}
USERS = {**SLOW, "*": "push approve-after 0"}


def user_name(number: int) -> str:
    return f"slow{number}" if number % 2 else f"quick{number}"


@define
class Login:
    """One login: its request, how often it was sent, and the replies that came."""

    octets: bytes
    sends: int = 0
    replies: list[bytes] = field(factory=list)
    answered: asyncio.Event = field(factory=asyncio.Event)


def new_login(number: int, identifier: int, chance: random.Random) -> Login:
    authenticator = chance.randbytes(16)
    attributes = [(1, user_name(number).encode()), (2, hide_password(PASSWORD.encode(), SECRET, authenticator))]
    return Login(encode_request(Code.ACCESS_REQUEST, identifier, authenticator, attributes, SECRET))


class Device(asyncio.DatagramProtocol):
    """One socket with up to 256 logins, told apart by their Identifier."""

    def __init__(self) -> None:
        self.logins: dict[int, Login] = {}
        self.strays: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport

    def close(self) -> None:
        self._transport.close()

    async def log_in(self, login: Login, chance: random.Random) -> None:
        """Send the same octets again and again until there is an answer."""
        self.logins[login.octets[1]] = login
        while not login.answered.is_set():
            self._transport.sendto(login.octets)
            login.sends += 1
            try:
                await asyncio.wait_for(login.answered.wait(), chance.uniform(*SEND_AGAIN_S))
            except TimeoutError:
                continue

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        login = self.logins.get(data[1])
        if login is None or not reply_fits(data, login.octets, SECRET):
            self.strays.append(data)
            return
        login.replies.append(data)
        login.answered.set()


async def log_everybody_in(port: int, relay: RunningServer) -> list[Device]:
    """Log `LOGINS` users in through the relay, `AT_ONCE` at a time, and wait until nothing is on its way any more."""
    loop, chance, places = asyncio.get_running_loop(), random.Random(SEED), asyncio.Semaphore(AT_ONCE)
    endpoints = [await loop.create_datagram_endpoint(Device, remote_addr=("127.0.0.1", port)) for _ in range(SOCKETS)]
    devices = [device for _, device in endpoints]

    async def one(number: int) -> None:
        login = new_login(number, number // SOCKETS, chance)
        async with places:
            await devices[number % SOCKETS].log_in(login, chance)

    await asyncio.wait_for(asyncio.gather(*(one(number) for number in range(LOGINS))), DEADLINE_S)
    await asyncio.to_thread(relay.stop)
    for device in devices:
        device.close()
    return devices


def asked(sandbox: SandboxProxy) -> dict[str, dict[str, int]]:
    """How often the stand-in Duo service asked each user, by factor."""
    context = ssl.create_default_context(cafile=str(sandbox.server.folder / "sandbox-ca.pem"))
    connection = http.client.HTTPSConnection("localhost", sandbox.ports.api, context=context, timeout=20)
    connection.request("GET", "/sandbox/state", headers={"X-Sandbox": "test"})
    answer = connection.getresponse()
    state = json.loads(answer.read())
    connection.close()
    assert answer.status == 200, state
    table: dict[str, dict[str, int]] = state["asked"]
    return table


def every(devices: list[Device]) -> Iterator[Login]:
    return (login for device in devices for login in device.logins.values())


def test_a_thousand_logins_on_a_lossy_network_get_one_push_and_one_accept_each(
    run_sandbox: RunSandbox, run_server: StartServer
) -> None:
    """1,000 logins through a real lossy UDP relay: one push each, and each is answered with the same Accept."""
    sandbox, port = run_sandbox(users=USERS), free_port()
    command = [sys.executable, str(Path(lossy_relay.__file__)), str(port), str(sandbox.ports.radius), str(SEED)]
    relay = run_server("relay", command, ready=output_matches(lossy_relay.READY))

    devices = asyncio.run(log_everybody_in(port, relay))

    assert asked(sandbox) == {user_name(number): {"push": 1} for number in range(LOGINS)}
    assert [login.replies[0][0] for login in every(devices)] == [Code.ACCESS_ACCEPT] * LOGINS
    assert all(len(set(login.replies)) == 1 for login in every(devices))
    assert [device.strays for device in devices] == [[]] * SOCKETS
    counts = json.loads(relay.output().splitlines()[-1])
    sends, replies = (sum(each) for each in zip(*((x.sends, len(x.replies)) for x in every(devices)), strict=True))
    print(f"The devices sent {sends} datagrams and got {replies} replies; the network: {counts}")
    assert min(counts["lost"], counts["doubled"], counts["delayed"]) > LOGINS / 10, "the network was too good"
    assert sends > 1.5 * LOGINS
