"""[http_proxy] with real clients: our own Duo client, curl and the vendor's duo_client package reach Duo through it."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duo_client
import pytest

from tests.peers.ports import free_port
from tests.peers.proxy import proxy_environment, start_proxy
from tests.peers.radclient import SIGNED, Pair, Radclient
from tests.peers.sandbox import IKEY, PASSWORD, SKEY, SandboxPorts, new_ports, sandbox_sections
from tests.peers.server import RunningServer, wait_until

pytestmark = pytest.mark.filterwarnings("ignore:ssl.PROTOCOL_TLS is deprecated:DeprecationWarning")

DEADLINE_S = 10.0


class Place:
    """A proxy whose own way to its sandbox Duo leads through its own [http_proxy]."""

    def __init__(self, server: RunningServer, ports: SandboxPorts, port: int) -> None:
        self.server = server
        self.ports = ports
        self.port = port
        self.ca_file = str(server.folder / "sandbox-ca.pem")

    @property
    def authority(self) -> str:
        return f"localhost:{self.ports.api}"

    def ask(self, octets: bytes) -> bytes:
        """Send octets as a client of the proxy, and give what it answers until it closes."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=DEADLINE_S) as client:
            client.sendall(octets)
            answer = b""
            while piece := client.recv(65536):
                answer += piece
            return answer


def start_place(folder: Path) -> Place:
    """Start a proxy whose own calls to Duo go through its own [http_proxy]."""
    ports, port = new_ports(), free_port()
    sections = sandbox_sections(ports, server={"http_proxy_host": "127.0.0.1", "http_proxy_port": port})
    sections["http_proxy"] = {"api_host": f"localhost:{ports.api}", "port": port, "interface": "127.0.0.1"}
    return Place(start_proxy(folder, sections), ports, port)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    started = start_place(tmp_path_factory.mktemp("http_proxy"))
    yield started
    started.server.stop()


@pytest.mark.needs_peer("radclient")
def test_our_own_login_goes_through_our_own_proxy(radclient: Radclient, tmp_path: Path) -> None:
    """A section whose http_proxy_host is this proxy pushes through it; at its end the tunnel is told in the log."""
    place = start_place(tmp_path)
    try:
        pairs: list[Pair] = [("User-Name", "alice"), ("User-Password", PASSWORD), SIGNED]
        answer = radclient.send(f"127.0.0.1:{place.ports.radius}", pairs)
        assert answer.code == "Access-Accept", answer.output
    finally:
        place.server.stop()
    octets = re.findall(rf"A tunnel of 127.0.0.1 to {place.authority} ended: (\d+) octets out", place.server.output())
    assert sum(map(int, octets)) > 1000, place.server.output()


@pytest.mark.needs_peer("curl")
def test_curl_reaches_duo_and_nothing_else(place: Place) -> None:
    """curl --proxy: the API host answers over verified TLS; another port of the same machine is 403."""

    def curl(url: str) -> subprocess.CompletedProcess[str]:
        command = ["curl", "-sS", "--max-time", "10", "--noproxy", "", "--proxy", f"http://127.0.0.1:{place.port}"]
        return subprocess.run(
            [*command, "--cacert", place.ca_file, url], capture_output=True, text=True, check=False, timeout=20
        )

    pong = curl(f"https://{place.authority}/auth/v2/ping")
    assert pong.returncode == 0, pong.stderr
    assert '"stat": "OK"' in pong.stdout.replace('":"', '": "')
    refused = curl(f"https://localhost:{place.ports.radius}/")
    assert "403" in refused.stderr
    plain = curl(f"http://{place.authority}/auth/v2/ping")
    assert plain.stdout.startswith("duoproxy opens no tunnel: it asked with GET; only CONNECT is relayed")


def test_the_vendors_package_pushes_through_it(place: Place) -> None:
    """duo_client with set_proxy: ping, check and a push, as Duo for other products would."""
    client: Any = duo_client.Auth(IKEY, SKEY, "localhost", port=place.ports.api, ca_certs=place.ca_file, timeout=20)
    client.set_proxy("127.0.0.1", place.port)
    assert "time" in client.ping()
    assert "time" in client.check()
    assert client.auth("push", username="alice", device="auto")["result"] == "allow"


REFUSED = (
    (b"GET http://localhost/ HTTP/1.1\r\nHost: localhost\r\n\r\n", 405),
    (b"CONNECT 127.0.0.1:{api} HTTP/1.1\r\nHost: a\r\n\r\n", 403),
    (b"CONNECT localhost.:{api} HTTP/1.1\r\nHost: a\r\n\r\n", 403),
    (b"CONNECT localhost:22 HTTP/1.1\r\nHost: a\r\n\r\n", 403),
    (b"CONNECT localhost:{api} HTTP/1.1\r\nHost: a\r\n\r\n\x16\x03\x01", 400),
    (b"\x16\x03\x01\x00\x05hello", 400),
)


def test_everything_else_is_refused_and_logged(place: Place) -> None:
    """Another method, another authority, an early byte, another protocol; each kind has its line in the log."""
    for octets, status in REFUSED:
        answer = place.ask(octets.replace(b"{api}", str(place.ports.api).encode()))
        assert answer.startswith(f"HTTP/1.1 {status} ".encode()), octets
        assert b"duoproxy opens no tunnel: " in answer
    for reason in ("only CONNECT is relayed", f"only {place.authority} is relayed", "before the tunnel was open"):
        found = rf"\[http_proxy\] refused 127\.0\.0\.1: .*{re.escape(reason)}"
        wait_until(lambda found=found: re.search(found, place.server.output()), reason)  # type: ignore[misc]


def test_the_connectivity_tool_reaches_duo_as_the_clients_do(place: Place) -> None:
    """The section's verdict, and the reason where Duo cannot be reached."""

    def verdict(text: str, name: str) -> str:
        file = place.server.folder / name
        file.touch(mode=0o600)
        file.write_text(text, "utf-8")
        start = "from duoproxy.tools.connectivity import main; main()"
        command = [sys.executable, "-c", start, "-c", str(file)]
        return subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=60, env=proxy_environment()
        ).stdout

    section = f"[http_proxy]\nport={free_port()}\ninterface=127.0.0.1\nclient_ip=127.0.0.1\n"
    trust = f"http_ca_certs_file={place.ca_file}\n"
    well = verdict(f"{section}{trust}api_host={place.authority}\n", "well.cfg")
    assert "No issues detected" in well, well
    away = verdict(f"{section}{trust}api_host=localhost:{free_port()}\n", "away.cfg")
    assert "[error]" in away
    assert "refused" in away.partition("[error]")[2], away
