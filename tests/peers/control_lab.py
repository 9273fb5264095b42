"""A proxy in a folder as the installer lays it out, with its control channel, and the tools of its administrator."""

from __future__ import annotations

import contextlib
import datetime
import importlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from duoproxy.service.places import Places
from duoproxy.tools.make_cert import make_certificate
from tests.peers.challenge_lab import CHALLENGE, CONCAT, DUO_ONLY, USERS
from tests.peers.ports import free_ports
from tests.peers.proxy import Sections, proxy_command, proxy_environment, write_configuration
from tests.peers.sandbox import SandboxPorts, sandbox_sections
from tests.peers.server import RunningServer, start_server

AUTO, EAP = "radius_server_auto", "radius_server_eap"
CERTIFICATE_DAYS = 20
SLOW = "olga"
"""Approves later than an impatient device waits."""
NOBODY = 65534
TOOL_DEADLINE_S = 60.0
_TOOLS = {
    "authproxyctl": "duoproxy.tools.authproxyctl",
    "duoproxy-explain": "duoproxy.tools.explain",
    "authproxy_primary_only": "duoproxy.tools.primary_only",
}


@dataclass(frozen=True)
class ToolRun:
    """What a tool did: its exit code, and what it said on both outputs."""

    code: int
    output: str

    def json(self) -> Any:
        """What it printed, as JSON."""
        return json.loads(self.output)


@dataclass
class Installation:
    """The folder, and the process that runs in it.

    Attributes:
        base: holds conf, run and log.
        sections: of the configuration.
        ports: name of a section to its UDP port on 127.0.0.1.
        server: the process; None while it does not run.
    """

    base: Path
    sections: Sections
    ports: Mapping[str, int]
    server: RunningServer | None = None
    _read: int = field(default=0, init=False)

    @property
    def places(self) -> Places:
        """Where things stand."""
        return Places(self.base / "conf" / "authproxy.cfg")

    @property
    def log(self) -> str:
        """What authproxy.log has."""
        return (self.base / "log" / "authproxy.log").read_text(encoding="utf-8")

    def address(self, section: str) -> str:
        """`host:port` of a section, as radclient takes it."""
        return f"127.0.0.1:{self.ports[section]}"

    def start(self) -> None:
        """Start the proxy, and wait until it says by its control channel that it is ready."""
        configuration = write_configuration(self.base / "conf", self.sections)
        self.server = start_server(
            "proxy",
            proxy_command(configuration),
            folder=self.base / "conf",
            ready=lambda _: "duoproxy is ready" in self._new_log(),
            environment=proxy_environment(),
        )

    def stop(self) -> None:
        """End it as systemd does."""
        if self.server is not None:
            self.server.stop()
            self.server = None
            self._read = len(self.log)

    def tool(self, name: str, *arguments: str, uid: int | None = None) -> ToolRun:
        """Run a tool on this installation, as another user if one is named."""
        option = ["--config", str(self.places.configuration)]
        given = [arguments[0], *option, *arguments[1:]] if name == "authproxyctl" else [*option, *arguments]
        if uid is None:  # in this process: starting Python takes longer than what most of them do
            done = CliRunner().invoke(importlib.import_module(_TOOLS[name]).main, given, prog_name=name)
            return ToolRun(done.exit_code, done.output)
        return _run_as(uid, f"from {_TOOLS[name]} import main; main(prog_name={name!r})", *given)

    def _new_log(self) -> str:
        file = self.base / "log" / "authproxy.log"
        return file.read_text(encoding="utf-8")[self._read :] if file.exists() else ""


def can_run_as(uid: int) -> bool:
    """Whether another user can run this Python at all: it may stand in the home folder of root."""
    return _run_as(uid, "import click, duoproxy").code == 0


def _run_as(uid: int, code: str, *arguments: str) -> ToolRun:
    as_user = ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups"]
    return _run([*as_user, sys.executable, "-c", code, *arguments])


def _run(command: Sequence[str]) -> ToolRun:
    done = subprocess.run(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=TOOL_DEADLINE_S,
        check=False,
        env={"PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "LC_ALL": "C.UTF-8", **proxy_environment()},
    )
    return ToolRun(done.returncode, done.stdout)


@contextlib.contextmanager
def running_installation(users: Mapping[str, str] = {**USERS, SLOW: "push approve-after 6"}) -> Iterator[Installation]:
    """Run one whose folders everybody may look into, as below /opt; 127.0.0.1 is its device."""
    names = (AUTO, CHALLENGE, CONCAT, DUO_ONLY, EAP)
    api, *numbers = free_ports(1 + len(names))
    ports = dict(zip(names, numbers, strict=True))
    sections: dict[str, dict[str, object]] = {"main": {"log_stdout": "false", "log_auth_events": "true"}}
    for name, port in ports.items():
        made = sandbox_sections(SandboxPorts(port, api), users)
        options = made.pop("radius_server_auto")
        sections[name] = {**options, "client": None} if name == DUO_ONLY else options
        sections.update(made)
    with tempfile.TemporaryDirectory(prefix="duoproxy-") as folder:
        base = Path(folder)
        sections["main"]["log_dir"] = base / "log"
        for each in (base, base / "conf", base / "run", base / "log"):
            each.mkdir(exist_ok=True)
            each.chmod(0o755)
        made_files = make_certificate(
            "radius.example.com",
            base / "conf",
            datetime.datetime.now(datetime.UTC),
            days=CERTIFICATE_DAYS,
            use_rsa=False,
        )
        sections[EAP] |= {"certs": made_files.certificate, "pkey": made_files.key}
        installation = Installation(base, sections, ports)
        try:
            installation.start()
            yield installation
        finally:
            installation.stop()
