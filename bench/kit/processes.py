"""Processes of a measurement: started on a given core, watched through /proc, ended by their own id."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType

ROOT = Path(__file__).resolve().parents[2]
LOOPBACK = "127.0.0.1"
OPEN_FILES = 20_000
START_DEADLINE_S = 20.0
STOP_DEADLINE_S = 10.0

_LIBC = ctypes.CDLL(None)
_PR_SET_PDEATHSIG = 1
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_given: set[int] = set()


class BenchFault(Exception):
    """A measurement cannot go on; `str()` says why."""


class Process:
    """One process on one core; its output goes to a file in the folder."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        folder: Path,
        core: int | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Start it.

        Args:
            name: for messages and for the file.
            command: program and arguments.
            folder: where it runs.
            core: the core it may use; None: any.
            environment: variables beside our own.
        """
        self.name = name
        self.output = folder / f"{name}.out"
        pinned = ["taskset", "-c", str(core), *command] if core is not None else list(command)
        with self.output.open("wb") as file:
            self._process = subprocess.Popen(
                pinned,
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", **(environment or {})},
                preexec_fn=_prepare_child,
            )

    def __enter__(self) -> Process:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """Its id (taskset replaces itself by the program, so the id is the program's)."""
        return self._process.pid

    def wait_until(self, ready: Callable[[], bool], deadline_s: float = START_DEADLINE_S) -> None:
        """Wait until it is ready.

        Raises:
            BenchFault: it ended, or was not ready in time.
        """
        until = time.monotonic() + deadline_s
        while not ready():
            if self._process.poll() is not None:
                raise BenchFault(f"{self.name} ended with {self._process.returncode}:\n{self.tail()}")
            if time.monotonic() > until:
                raise BenchFault(f"{self.name} was not ready in {deadline_s:.0f} s:\n{self.tail()}")
            time.sleep(0.02)

    def wait(self, deadline_s: float) -> int:
        """Wait for its end, for so long.

        Raises:
            BenchFault: it runs on.
        """
        try:
            return self._process.wait(deadline_s)
        except subprocess.TimeoutExpired:
            raise BenchFault(f"{self.name} still ran after {deadline_s:.0f} s:\n{self.tail()}") from None

    def text(self) -> str:
        """What it has written so far."""
        return self.output.read_text("utf-8", "replace")

    def tail(self) -> str:
        """The last lines that it has written."""
        return "\n".join(self.text().splitlines()[-25:])

    def cpu_s(self) -> float:
        """Seconds of CPU that it has used, of all its threads."""
        fields = Path(f"/proc/{self.pid}/stat").read_text("ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S

    def pss_kib(self) -> int:
        """Its memory in KiB, shared pages by their share."""
        return _kib(Path(f"/proc/{self.pid}/smaps_rollup"), "Pss:")

    def rss_kib(self) -> int:
        """Its memory in KiB, shared pages counted whole."""
        return _kib(Path(f"/proc/{self.pid}/status"), "VmRSS:")

    def peak_rss_kib(self) -> int:
        """The most that `rss_kib` has been."""
        return _kib(Path(f"/proc/{self.pid}/status"), "VmHWM:")

    def stop(self) -> None:
        """End it, if need be by force."""
        if self._process.poll() is not None:
            return
        self._process.terminate()
        try:
            self._process.wait(STOP_DEADLINE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def free_port() -> int:
    """Find a port of loopback that is free for UDP and TCP and was not given out before."""
    while True:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp, socket.socket() as tcp:
            udp.bind((LOOPBACK, 0))
            port = int(udp.getsockname()[1])
            try:
                tcp.bind((LOOPBACK, port))
            except OSError:
                continue
        if port not in _given:
            _given.add(port)
            return port


def cores() -> tuple[int, int]:
    """The core of the server that is measured, and the core of everything else.

    Raises:
        BenchFault: there is only one.
    """
    usable = sorted(os.sched_getaffinity(0))
    if len(usable) < 2:
        raise BenchFault("two cores are needed: one for the server, one for what asks it and what it asks")
    return usable[0], usable[1]


def machine_busy_s(core: int) -> float:
    """Seconds of CPU that anybody has used on a core since the machine started."""
    for line in Path("/proc/stat").read_text("ascii").splitlines():
        name, *ticks = line.split()
        if name == f"cpu{core}":
            user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, ticks[:8])
            return (user + nice + system + irq + softirq + steal) / _TICKS_PER_S
    raise BenchFault(f"/proc/stat does not know core {core}")


def python(script: Path, *arguments: str) -> list[str]:
    """The command line of one of our scripts."""
    return [sys.executable, str(script), *arguments]


def tls_trusting(ca_file: Path) -> ssl.SSLContext:
    """A client context that trusts one CA."""
    return ssl.create_default_context(cafile=str(ca_file))


def _kib(file: Path, field: str) -> int:
    for line in file.read_text("ascii").splitlines():
        if line.startswith(field):
            return int(line.split()[1])
    raise BenchFault(f"{file} has no {field}")


def _prepare_child() -> None:
    """Let it open many files, and end with us, however we end."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
