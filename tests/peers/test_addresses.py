"""Which address answers, and which device is which: a real proxy on all addresses, asked at several of them.

The sandbox may listen on loopback only, so the stand-in for Duo is a process of its own here, and [duo_only_client]
stands in for the password.
"""

from __future__ import annotations

import re
import socket
import sys
from collections.abc import Iterator

import pytest

from duoproxy.radius.packet import Code
from tests.peers.ports import free_ports
from tests.peers.proxy import proxy_environment, start_proxy
from tests.peers.radclient import Radclient, login
from tests.peers.raw_device import RawDevice, exchange, login_request
from tests.peers.sandbox_duo_process import IKEY, READY, SKEY
from tests.peers.server import RunningServer, output_matches, start_server

NETWORK, RANGE, HOST, SIX, SIX_NETWORK = ("network-1", "range-22", "host-333", "ipv6-4444", "ipv6-55555")
DEVICES = {
    "radius_ip_1": "127.0.0.0/8",
    "radius_secret_1": NETWORK,
    "radius_ip_2": "127.0.9.10-127.0.9.20",
    "radius_secret_2": RANGE,
    "radius_ip_3": "127.0.9.15",
    "radius_secret_3": HOST,
    "radius_ip_4": "::1",
    "radius_secret_4": SIX,
    "radius_ip_5": "::/96",
    "radius_secret_5": SIX_NETWORK,
}
NARROWEST = [
    ("127.0.9.9", NETWORK, 1),
    ("127.0.9.10", RANGE, 2),
    ("127.0.9.14", RANGE, 2),
    ("127.0.9.15", HOST, 3),
    ("127.0.9.16", RANGE, 2),
    ("127.0.9.20", RANGE, 2),
    ("127.0.9.21", NETWORK, 1),
]


class Everywhere:
    """A proxy with one listener on all addresses, one on 127.0.0.2 and one on ::1 (where there is IPv6)."""

    def __init__(self, server: RunningServer, ports: list[int]) -> None:
        self.server = server
        self.all, self.one, self.six = ports


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
            sock.bind(("::1", 0))
    except OSError:
        return False
    return True


needs_ipv6 = pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6: ::1 cannot be bound")


@pytest.fixture(scope="module")
def everywhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Everywhere]:
    folder = tmp_path_factory.mktemp("addresses")
    api, *ports = free_ports(4)
    command = [
        sys.executable,
        "-m",
        "tests.peers.sandbox_duo_process",
        str(api),
        str(folder / "ca.pem"),
        "frank bypass",
    ]
    common = {"ikey": IKEY, "skey": SKEY, "api_host": f"localhost:{api}", "http_ca_certs_file": folder / "ca.pem"}
    sections = {
        "duo_only_client": {},
        "radius_server_auto": {**common, **DEVICES, "port": ports[0]},
        "radius_server_auto2": {**common, **DEVICES, "port": ports[1], "interface": "127.0.0.2"},
        **({"radius_server_auto3": {**common, **DEVICES, "port": ports[2], "interface": "::1"}} if has_ipv6() else {}),
    }
    stand_in = start_server(
        "stand-in", command, folder=folder, ready=output_matches(READY), environment=proxy_environment()
    )
    try:
        server = start_proxy(folder / "proxy", sections)
        try:
            yield Everywhere(server, ports)
        finally:
            server.stop()
    finally:
        stand_in.stop()


def frank(secret: str) -> bytes:
    return login_request("frank", b"any password", secret=secret)


@pytest.mark.parametrize("asked", ["127.0.0.1", "127.0.0.2", "127.0.0.3"])
def test_the_answer_comes_from_the_address_that_was_asked(everywhere: Everywhere, asked: str) -> None:
    """One socket for all addresses: a device that asked 127.0.0.2 gets its answer from there, not from 127.0.0.1."""
    with RawDevice(f"{asked}:{everywhere.all}", "127.0.0.1") as device:
        device.send(frank(NETWORK))
        answer = device.receive()
    assert answer is not None
    assert (answer[0][0], answer[1]) == (Code.ACCESS_ACCEPT, asked)


def test_a_repeated_answer_comes_from_that_address_too(everywhere: Everywhere) -> None:
    """The same octets again, at the same address: the same answer; at another address it is another login."""
    request = frank(NETWORK)
    with RawDevice(f"127.0.0.2:{everywhere.all}", "127.0.0.1") as device:
        answers = []
        for _ in range(2):
            device.send(request)
            answers.append(device.receive())
        assert answers[0] == answers[1]
        assert answers[0] is not None
        assert answers[0][1] == "127.0.0.2"
        device.server = ("127.0.0.3", everywhere.all)
        device.send(request)
        elsewhere = device.receive()
    assert elsewhere is not None
    assert elsewhere[1] == "127.0.0.3"


@pytest.mark.needs_peer("radclient")
@pytest.mark.parametrize("asked", ["127.0.0.1", "127.0.0.2", "127.0.0.3"])
def test_radclient_believes_the_answer(everywhere: Everywhere, radclient: Radclient, asked: str) -> None:
    """A real client takes answers only from the address that it asked."""
    answer = radclient.send(f"{asked}:{everywhere.all}", login("frank", "any password"), secret=NETWORK)
    assert answer.code == "Access-Accept", answer.output


@needs_ipv6
@pytest.mark.needs_peer("radclient")
@pytest.mark.parametrize("listener", ["all", "six"])
def test_a_device_may_ask_over_ipv6(everywhere: Everywhere, radclient: Radclient, listener: str) -> None:
    """The listener on all addresses takes IPv6 beside IPv4; one on ::1 takes it as well."""
    address = f"[::1]:{getattr(everywhere, listener)}"
    answer = radclient.send(address, login("frank", "any password"), secret=SIX)
    assert answer.code == "Access-Accept", answer.output


@needs_ipv6
def test_the_narrowest_of_overlapping_ipv6_networks_counts(everywhere: Everywhere) -> None:
    """::1 stands for itself and inside ::/96: its own secret counts."""
    assert exchange(f"[::1]:{everywhere.all}", frank(SIX_NETWORK), source="::1", wait_s=0.3) is None
    everywhere.server.wait_for_output(
        re.escape(
            "Dropped a request from ::1: its Message-Authenticator does not fit. The shared secret differs: make "
        )
        + r"radius_secret_4 of \[radius_server_auto\]"
    )


def test_a_listener_on_one_address_is_not_on_the_others(everywhere: Everywhere) -> None:
    """The option interface: 127.0.0.2 answers, 127.0.0.3 does not."""
    here = exchange(f"127.0.0.2:{everywhere.one}", frank(NETWORK), source="127.0.0.1")
    assert here is not None
    assert here[0] == Code.ACCESS_ACCEPT
    assert exchange(f"127.0.0.3:{everywhere.one}", frank(NETWORK), source="127.0.0.1", wait_s=0.3) is None


@pytest.mark.parametrize(("source", "secret", "number"), NARROWEST, ids=[source for source, _, _ in NARROWEST])
def test_the_narrowest_of_overlapping_devices_counts(
    everywhere: Everywhere, source: str, secret: str, number: int
) -> None:
    """A host in a range in a network: each address is asked for the secret of the narrowest that holds it."""
    server = f"127.0.0.1:{everywhere.all}"
    answer = exchange(server, frank(secret), source=source)
    assert answer is not None
    assert answer[0] == Code.ACCESS_ACCEPT
    for other in {NETWORK, RANGE, HOST} - {secret}:
        assert exchange(server, frank(other), source=source, wait_s=0.2) is None
    everywhere.server.wait_for_output(
        re.escape(
            f"Dropped a request from {source}: its Message-Authenticator does not fit. The shared secret differs: "
        )
        + re.escape(f"make radius_secret_{number} of [radius_server_auto] equal to the secret on the device.")
    )
