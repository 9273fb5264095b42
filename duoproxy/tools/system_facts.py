"""What there is to know of the machine and the installation when something goes wrong: versions, limits, time, sockets.

Facts of other programs are left out: no list of processes, no environment, no command line but the service's own.
"""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from cryptography.hazmat.backends.openssl import backend

from duoproxy import __version__
from duoproxy.tools.port_holders import sockets_of

COMMAND_S: Final = 10.0
"""For a program of the system that is asked."""
MAX_FACT_BYTES: Final = 65_536
"""Octets that are taken of one file or program."""
_MEMORY: Final = ("MemTotal", "MemAvailable", "SwapTotal", "SwapFree")


def versions() -> str:
    """Name the versions of everything that runs here."""
    lines = [
        f"duoproxy {__version__}",
        f"python {platform.python_version()} ({platform.python_implementation()}) in {sys.prefix}",
        f"openssl of python: {ssl.OPENSSL_VERSION}",
        f"openssl of cryptography: {backend.openssl_version_text()}",
        "",
    ]
    packages = {f"{one.metadata['Name']} {one.version}" for one in importlib.metadata.distributions()}
    return "\n".join([*lines, *sorted(packages, key=str.lower), ""])


def system_facts(folder: Path) -> str:
    """Describe the machine.

    Args:
        folder: of the logs, for the room on its disk.
    """
    parts = [
        ("uname", " ".join(platform.uname())),
        ("os-release", _file(Path("/etc/os-release"))),
        ("time", time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime())),
        ("time synchronisation", _command("timedatectl", "show")),
        ("load", _file(Path("/proc/loadavg"))),
        ("memory", "\n".join(line for line in _file(Path("/proc/meminfo")).splitlines() if line.startswith(_MEMORY))),
        ("processors", str(os.cpu_count())),
        ("disk of the logs", _disk(folder)),
        ("SELinux", _command("getenforce")),
    ]
    return _written(parts)


def service_facts(pid: int | None) -> str:
    """Describe the process of the service; None: it does not run."""
    if pid is None:
        return "The service does not run, or cannot be found.\n"
    proc = Path("/proc") / str(pid)
    state = ("Name", "State", "Uid", "Gid", "Groups", "VmPeak", "VmSize", "VmRSS", "Threads", "CapEff", "NoNewPrivs")
    lines = [line for line in _file(proc / "status").splitlines() if line.startswith(state)]
    return _written(
        [
            ("process", "\n".join([str(pid), *lines])),
            ("limits", _file(proc / "limits")),
            ("open files", str(_count(proc / "fd"))),
            ("sockets", "\n".join(sockets_of(pid))),
        ]
    )


def _written(parts: list[tuple[str, str]]) -> str:
    return "\n".join(f"== {title}\n{text.strip() or 'not known'}\n" for title, text in parts)


def _file(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(MAX_FACT_BYTES).decode("utf-8", "replace")
    except OSError as fault:
        return f"not known ({fault.strerror})"


def _command(*command: str) -> str:
    program = shutil.which(command[0], path="/usr/sbin:/usr/bin:/sbin:/bin")
    if program is None:
        return ""
    try:
        done = subprocess.run(  # noqa: S603 - a fixed program of the system
            [program, *command[1:]],
            capture_output=True,
            timeout=COMMAND_S,
            check=False,
            stdin=subprocess.DEVNULL,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"},
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout[:MAX_FACT_BYTES].decode("utf-8", "replace")


def _disk(folder: Path) -> str:
    existing: Iterator[Path] = (one for one in [folder, *folder.parents] if os.path.isdir(one))
    usage = shutil.disk_usage(next(existing, Path("/")))
    return f"{usage.free // 2**20} MiB free of {usage.total // 2**20} MiB"


def _count(folder: Path) -> int | str:
    try:
        return len(os.listdir(folder))
    except OSError:
        return "not known"
