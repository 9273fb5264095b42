"""The running service and its supervisor: readiness, signs of life, pending logins at a stop, signals."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.peers import proxy
from tests.peers.controls import Controls
from tests.peers.ports import free_port, free_ports
from tests.peers.raw_device import RawDevice, exchange, login_request
from tests.peers.sandbox import IKEY, PASSWORD, SKEY, SandboxPorts, merged, new_ports, sandbox_sections
from tests.peers.server import RunningServer, wait_until

ACCEPT, REJECT = 2, 3
REPLY_MESSAGE = 18
SHUTDOWN_TEXT = b"The login service is being restarted. Please log in again."
DEADLINE_S = 30.0


class Supervisor:
    """Listens as systemd does.

    Attributes:
        environment: what systemd gives to the service.
    """

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._heard: list[str] = []
        self.environment = {"NOTIFY_SOCKET": str(path), "WATCHDOG_USEC": "200000"}

    def heard(self) -> list[str]:
        """Everything that it was told so far."""
        while True:
            try:
                self._heard.append(self._socket.recv(4096, socket.MSG_DONTWAIT).decode())
            except BlockingIOError:
                return self._heard

    def wait_for(self, beginning: str) -> str:
        """Wait for a message that begins so."""
        found: list[str] = []

        def told() -> bool:
            found.extend(message for message in self.heard() if message.startswith(beginning))
            return bool(found)

        wait_until(told, f"{beginning!r} among {self._heard}", DEADLINE_S)
        return found[0]

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[Supervisor]:
    """A supervisor whose watchdog wants a sign of life every 0.2 s."""
    made = Supervisor(tmp_path / "notify")
    yield made
    made.close()


class Service:
    """A proxy on its sandbox that a supervisor has started; alice's push rings until somebody answers."""

    def __init__(self, folder: Path, supervisor: Supervisor, running: list[RunningServer], **main: object) -> None:
        self.ports: SandboxPorts = new_ports()
        users = {"alice": "push", "carol": "passcode 424242"}
        sections = merged(sandbox_sections(self.ports, users), {"main": main})
        self.server = start(folder / "proxy", sections, supervisor)
        running.append(self.server)
        self.controls = Controls(self.ports.api, self.server.folder / "sandbox-ca.pem")
        self.address = f"127.0.0.1:{self.ports.radius}"
        supervisor.wait_for("READY=1")


def start(folder: Path, sections: proxy.Sections, supervisor: Supervisor) -> RunningServer:
    """Start a proxy; when it is ready, its supervisor is told."""
    return RunningServer(
        "proxy",
        proxy.proxy_command(proxy.write_configuration(folder, sections)),
        folder,
        {**proxy.proxy_environment(), **supervisor.environment},
    )


def test_a_stop_waits_for_the_push_that_rings(
    tmp_path: Path, supervisor: Supervisor, running: list[RunningServer]
) -> None:
    """SIGTERM: nothing new begins, what rings comes to its end, its retries are still known, then status 0."""
    service = Service(tmp_path, supervisor, running)
    request = login_request("alice", PASSWORD.encode())
    with RawDevice(service.address) as device:
        device.send(request)
        push = service.controls.pending("alice")
        os.kill(service.server.pid, signal.SIGTERM)
        supervisor.wait_for("STATUS=Stopping: waiting for 1 login")
        assert exchange(service.address, login_request("carol", b"x" * 9, identifier=2), wait_s=0.5) is None
        device.send(request)
        assert service.server.status() is None
        service.controls.answer(push, "approve")
        answer = device.receive()
    assert answer is not None
    assert answer[0][0] == ACCEPT
    assert service.server.wait_for_end() == 0
    stopping = supervisor.wait_for("STOPPING=1")
    assert "EXTEND_TIMEOUT_USEC=75000000" in stopping
    assert "The stop waits for 1 login, at most 60 s" in service.server.output()
    heard = supervisor.heard()
    assert "WATCHDOG=1" in heard[: heard.index(stopping)]
    assert "WATCHDOG=1" in heard[heard.index(stopping) :]


@pytest.mark.parametrize("how", ["second signal", "grace is over"])
def test_what_has_no_end_is_rejected_with_a_text(
    tmp_path: Path, supervisor: Supervisor, running: list[RunningServer], how: str
) -> None:
    """After shutdown_grace, or at a second SIGTERM, the user is told to log in again; then status 0."""
    service = Service(tmp_path, supervisor, running, shutdown_grace=600 if how == "second signal" else 1)
    with RawDevice(service.address) as device:
        device.send(login_request("alice", PASSWORD.encode()))
        service.controls.pending("alice")
        os.kill(service.server.pid, signal.SIGTERM)
        supervisor.wait_for("STATUS=Stopping: waiting for 1 login")
        if how == "second signal":
            os.kill(service.server.pid, signal.SIGTERM)
        answer = device.receive()
    assert answer is not None
    assert answer[0][0] == REJECT
    assert bytes([REPLY_MESSAGE, len(SHUTDOWN_TEXT) + 2]) + SHUTDOWN_TEXT in answer[0]
    assert service.server.wait_for_end() == 0
    assert "result=reject cause=shutdown" in service.server.output()


def test_an_idle_proxy_ends_at_once(tmp_path: Path, supervisor: Supervisor, running: list[RunningServer]) -> None:
    """Nothing is pending, nothing is waited for; SIGINT is SIGTERM."""
    service = Service(tmp_path, supervisor, running)
    os.kill(service.server.pid, signal.SIGINT)
    assert service.server.wait_for_end(5) == 0
    assert not [message for message in supervisor.heard() if "waiting" in message]


def test_it_becomes_ready_while_everything_else_is_down(
    tmp_path: Path, supervisor: Supervisor, running: list[RunningServer]
) -> None:
    """DNS, the directory, the RADIUS server and Duo may come later: a machine that boots must not depend on them."""
    away, own, other = free_ports(3)
    duo = {"ikey": IKEY, "skey": SKEY, "api_host": "api-00000000.duosecurity.invalid", "failmode": "secure"}
    device = {"radius_ip_1": "127.0.0.1", "radius_secret_1": "s3cret", "interface": "127.0.0.1"}
    directory = {
        "host": "dc.corp.invalid",
        "host_2": "127.0.0.1",
        "port": away,
        "transport": "clear",
        "auth_type": "plain",
        "service_account_username": "svc",
        "service_account_password": "secret",
        "search_dn": "DC=corp,DC=invalid",
    }
    sections: proxy.Sections = {
        "ad_client": directory,
        "radius_client": {"host": "radius.corp.invalid", "secret": "s3cret", "port": away},
        "radius_server_auto": {**duo, **device, "client": "ad_client", "port": own},
        "radius_server_auto2": {**duo, **device, "client": "radius_client", "port": other},
    }
    running.append(start(tmp_path / "proxy", sections, supervisor))
    assert supervisor.wait_for("READY=1") == "READY=1\nSTATUS=Ready: radius_server_auto, radius_server_auto2"


def test_a_start_that_fails_leaves_its_sentence_with_the_supervisor(
    tmp_path: Path, supervisor: Supervisor, running: list[RunningServer]
) -> None:
    """`systemctl status` shows why; a port that is taken is found before anything else."""
    port = free_port()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as holder:
        holder.bind(("127.0.0.1", port))
        server = start(tmp_path / "proxy", sandbox_sections(SandboxPorts(port, free_port())), supervisor)
        running.append(server)
        assert server.wait_for_end() == 1
    assert f"UDP port {port} on 127.0.0.1 is in use" in server.output()
    assert not [message for message in supervisor.heard() if message.startswith("READY")]
