"""Our own proxy as a process: a generated configuration, `twistd duoauthproxy` on it, ready when its log says so."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.peers.server import READY_DEADLINE_S, RunningServer, output_matches, start_server

ROOT = Path(__file__).resolve().parents[2]
READY = r"duoproxy is ready"

# Section name to options, in the order of the file. A value None leaves the option out.
Sections = Mapping[str, Mapping[str, object]]


def configuration_text(sections: Sections) -> str:
    """Write sections as the INI text of an authproxy.cfg."""
    blocks = []
    for name, options in sections.items():
        lines = [f"{option}={value}" for option, value in options.items() if value is not None]
        blocks.append("\n".join([f"[{name}]", *lines, ""]))
    return "\n".join(blocks)


def write_configuration(folder: Path, sections: Sections, name: str = "authproxy.cfg") -> Path:
    """Write an authproxy.cfg for its owner only; its log goes beside it unless `[main]` says otherwise."""
    folder.mkdir(parents=True, exist_ok=True)
    main = {"log_dir": folder / "log", "log_stdout": "true", **sections.get("main", {})}
    path = folder / name
    path.touch(mode=0o600)
    path.write_text(configuration_text({"main": main, **{k: v for k, v in sections.items() if k != "main"}}), "utf-8")
    return path


def proxy_command(configuration: Path) -> list[str]:
    """The command line that runs the proxy of this tree in the foreground."""
    twistd = Path(sys.executable).with_name("twistd")
    return [str(twistd), "-n", "--pidfile=", "duoauthproxy", "-c", str(configuration)]


def proxy_environment() -> dict[str, str]:
    """Variables for a process that is to run the code of this tree, whatever is installed."""
    path = os.pathsep.join(part for part in (str(ROOT), os.environ.get("PYTHONPATH", "")) if part)
    return {"PYTHONPATH": path, "PYTHONUNBUFFERED": "1"}


def start_proxy(
    folder: Path, sections: Sections, *, name: str = "proxy", deadline_s: float = READY_DEADLINE_S
) -> RunningServer:
    """Start a proxy on these sections and wait for its line "duoproxy is ready".

    Raises:
        ServerFault: it ended (its problems are in the message) or was not ready in time.
    """
    return start_server(
        name,
        proxy_command(write_configuration(folder, sections)),
        folder=folder,
        ready=output_matches(READY),
        deadline_s=deadline_s,
        environment=proxy_environment(),
    )
