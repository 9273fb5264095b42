"""The framework itself: starting, readiness, ports and the configuration that it writes. Needs no peer."""

from __future__ import annotations

import os
import re
import socket
import sys
from pathlib import Path

import pytest

from tests.peers import proxy
from tests.peers.ports import free_port, free_ports
from tests.peers.server import ServerFault, output_matches, start_server, tcp_answers

PYTHON = sys.executable
LISTEN = (
    "import socket,sys; s=socket.create_server(('127.0.0.1', int(sys.argv[1]))); print('bound', flush=True); s.accept()"
)
STUBBORN = (
    "import signal,sys,time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"
)


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_server_is_handed_over_when_it_answers_and_ended_with_its_test(tmp_path: Path) -> None:
    """A process is polled until it is ready, and only that process is ended, by its id."""
    port = free_port()
    server = start_server(
        "listener", [PYTHON, "-c", LISTEN, str(port)], folder=tmp_path, ready=output_matches("^bound$")
    )
    assert is_alive(server.pid)
    server.stop()
    assert not is_alive(server.pid)


def test_readiness_can_be_a_tcp_connection(tmp_path: Path) -> None:
    """A server without a line to wait for is ready when it takes a connection."""
    port = free_port()
    server = start_server("listener", [PYTHON, "-c", LISTEN, str(port)], folder=tmp_path, ready=tcp_answers(port))
    assert "bound" in server.output()
    server.stop()


def test_a_server_that_ends_early_is_a_failure_with_its_output(tmp_path: Path) -> None:
    """The test that failed shows why: the output of the server is in the message."""
    command = [PYTHON, "-c", "import sys; sys.exit('no such option')"]
    with pytest.raises(ServerFault, match=r"(?s)ended with status 1 .*no such option"):
        start_server("broken", command, folder=tmp_path, ready=output_matches("never"))


def test_a_server_that_never_gets_ready_is_stopped_at_the_deadline(tmp_path: Path) -> None:
    """Nothing is left behind by a start that failed."""
    command = [PYTHON, "-c", "import os,time; print(os.getpid(), flush=True); time.sleep(60)"]
    with pytest.raises(ServerFault, match=r"not within 1 s") as fault:
        start_server("sleeper", command, folder=tmp_path, ready=output_matches("never"), deadline_s=1)
    pid = re.search(r"^(\d+)$", str(fault.value), re.MULTILINE)
    assert pid is not None
    assert not is_alive(int(pid[1]))


def test_a_server_that_ignores_the_request_to_end_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hanging server does not hang the tests."""
    monkeypatch.setattr("tests.peers.server.STOP_DEADLINE_S", 0.2)
    server = start_server("stubborn", [PYTHON, "-c", STUBBORN], folder=tmp_path, ready=output_matches("^up$"))
    assert server.stop() == -9


def test_output_can_be_waited_for_by_pattern(tmp_path: Path) -> None:
    """A test reads facts, such as a port, from what a server prints."""
    command = [PYTHON, "-c", "print('port 4711', flush=True); import time; time.sleep(60)"]
    server = start_server("printer", command, folder=tmp_path, ready=output_matches("port"))
    assert server.wait_for_output(r"port (\d+)")[1] == "4711"
    server.stop()


def test_free_ports_are_free_for_both_transports_and_never_given_twice() -> None:
    """RADIUS and HTTPS may get any of them."""
    ports = free_ports(50)
    assert len(set(ports)) == 50
    given_to_connections = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text("ascii").split()
    assert max(ports) < int(given_to_connections[0])
    for port in ports[:5]:
        with socket.socket(type=socket.SOCK_DGRAM) as udp, socket.socket() as tcp:
            udp.bind(("127.0.0.1", port))
            tcp.bind(("127.0.0.1", port))


def test_a_configuration_is_written_for_its_owner_only(tmp_path: Path) -> None:
    """Secrets of a test are no example of a file that everybody can read; an option without a value is left out."""
    sections = {"radius_server_auto": {"port": 1812, "radius_secret_1": "s3cret %;#=", "interface": None}}
    path = proxy.write_configuration(tmp_path / "new", sections)
    assert path.stat().st_mode & 0o077 == 0
    text = path.read_text(encoding="utf-8")
    assert text.startswith(f"[main]\nlog_dir={tmp_path}/new/log\nlog_stdout=true\n")
    assert text.endswith("[radius_server_auto]\nport=1812\nradius_secret_1=s3cret %;#=\n")
