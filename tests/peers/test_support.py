"""authproxy_passwd and authproxy_support on a proxy that runs: protected values open, no secret leaves the house."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path

from duoproxy.radius.packet import Code, decode_packet
from tests.peers.ports import free_ports
from tests.peers.proxy import proxy_command, proxy_environment, write_configuration
from tests.peers.raw_device import exchange, login_request
from tests.peers.sandbox import PASSWORD, RADIUS_SECRET, SKEY, SandboxPorts, merged, sandbox_sections
from tests.peers.server import start_server
from tests.unit.tools.leaks import leaks

TOOL_S = 120.0


def tool(module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run one of the console scripts of this tree."""
    command = [sys.executable, "-c", f"from duoproxy.tools.{module} import main; main()", *arguments]
    environment = {"PATH": "/usr/bin:/bin", **proxy_environment()}
    return subprocess.run(command, capture_output=True, text=True, timeout=TOOL_S, check=False, env=environment)


def test_a_support_file_of_a_running_proxy_has_no_secret(tmp_path: Path) -> None:
    """With debug on, protected values, and logins of which one sends a wrong password."""
    ports = SandboxPorts(*free_ports(2))
    main = {"debug": "true", "log_stdout": "false", "log_auth_events": "true", "log_dir": None}
    sections = merged(sandbox_sections(ports), {"main": main})
    for folder in ("log", "run"):
        (tmp_path / folder).mkdir()
    configuration = write_configuration(tmp_path / "conf", sections)
    made = tool("passwd", "-c", str(configuration), "--whole-config", "-y")
    assert made.returncode == 0, made.stderr
    assert SKEY not in configuration.read_text()
    proxy = start_server(
        "proxy",
        proxy_command(configuration),
        folder=tmp_path / "conf",
        ready=lambda _: "duoproxy is ready" in _log(tmp_path),
        environment=proxy_environment(),
    )
    try:
        wrong = "a wrong pässword; with, everything"
        codes = [_login(ports, password) for password in (PASSWORD, wrong)]
        assert codes == [Code.ACCESS_ACCEPT, Code.ACCESS_REJECT], _log(tmp_path)
        done = tool("support", "-c", str(configuration), "-o", str(tmp_path / "case.zip"))
    finally:
        proxy.stop()
    assert done.returncode == 0, done.stderr
    with zipfile.ZipFile(tmp_path / "case.zip") as archive:
        found = {name.partition("/")[2]: archive.read(name) for name in archive.namelist()}
    assert json.loads(found["status.json"])["pid"] == proxy.pid
    assert f"udp 127.0.0.1:{ports.radius}".encode() in found["service.txt"]
    assert b"[info]  No issues detected" in found["connectivity.txt"]
    assert b"user='alice'" in found["log/authproxy.log"]
    key = (tmp_path / "conf" / "protection.key").read_text().splitlines()[-1].partition(":")[2]
    secrets = (SKEY, RADIUS_SECRET, PASSWORD, wrong, key)
    assert [(name, one) for name, octets in found.items() for one in secrets if leaks(octets, one.encode())] == []


def _log(folder: Path) -> str:
    file = folder / "log" / "authproxy.log"
    return file.read_text() if file.exists() else ""


def _login(ports: SandboxPorts, password: str) -> int:
    octets = login_request("alice", password.encode())
    answer = exchange(f"127.0.0.1:{ports.radius}", octets, wait_s=20)
    assert answer is not None
    return decode_packet(answer).code
