"""The service's process, found by its process id file, and signals that reach it and nothing else.

The file belongs to the service user, and root must not end any process that this user writes into it. So a number
counts only when the process belongs to the owner of the file, was there before the file was written, and calls itself
duoauthproxy; and the signal goes to that very process (a pidfd), not to whoever has its number by then.
"""

from __future__ import annotations

import os
import select
import signal
import stat
import time
from pathlib import Path
from types import TracebackType
from typing import Final, Self

PROGRAM: Final = b"duoauthproxy"
MAX_PID_OCTETS: Final = 16
"""That are read of a process id file."""
MAX_PID: Final = 4_194_304
"""The kernel gives no higher numbers. Source: proc(5), pid_max."""
MAX_PROC_OCTETS: Final = 65_536
"""That are read of a file below /proc."""
CLOCK_SLACK_S: Final = 2.0
"""The kernel's start times are rounded, and the time of day moves."""


class ServiceProcess:
    """A process that is the service, held so that its number cannot become another's."""

    def __init__(self, pid: int, descriptor: int) -> None:
        """Take over `descriptor`, a pidfd of process `pid`."""
        self.pid = pid
        self._descriptor = descriptor

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._descriptor)

    def send(self, number: signal.Signals) -> None:
        """Send a signal; one that has ended needs none.

        Raises:
            PermissionError: the process belongs to somebody else.
        """
        try:
            signal.pidfd_send_signal(self._descriptor, number)
        except ProcessLookupError:
            return

    def wait_for_end(self, at_most_s: float) -> bool:
        """Wait until the process has ended; say whether it has."""
        poll = select.poll()
        poll.register(self._descriptor, select.POLLIN)
        return bool(poll.poll(at_most_s * 1000))


def find_service(pid_file: Path) -> ServiceProcess | None:
    """Find the running service; None when the file is missing, or names no process of it."""
    read = read_pid_file(pid_file)
    if read is None:
        return None
    pid, written = read
    try:
        descriptor = os.pidfd_open(pid)
    except OSError:
        return None
    # Whatever /proc says now is about the process that the descriptor holds, unless that has ended.
    if _is_service(pid, written) and not ServiceProcess(pid, descriptor).wait_for_end(0):
        return ServiceProcess(pid, descriptor)
    os.close(descriptor)
    return None


def read_pid_file(path: Path) -> tuple[int, os.stat_result] | None:
    """Give the process id that a file names, and what the file is; None when it is no plain file with a number.

    A pipe in its place keeps nobody waiting.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        written, text = os.fstat(descriptor), os.read(descriptor, MAX_PID_OCTETS).strip()
    except OSError:
        return None
    finally:
        os.close(descriptor)
    if not stat.S_ISREG(written.st_mode) or not text.isdigit():
        return None
    return (int(text), written) if 1 < int(text) <= MAX_PID else None


def _is_service(pid: int, written: os.stat_result) -> bool:
    folder = Path("/proc", str(pid))
    try:
        arguments = _read(folder / "cmdline").split(b"\0")
        fields = _read(folder / "stat").rpartition(b")")[2].split()
        owner = int(next(line for line in _read(folder / "status").splitlines() if line.startswith(b"Uid:")).split()[1])
    except (OSError, StopIteration, IndexError, ValueError):
        return False
    began_before = _began_at(int(fields[19])) <= written.st_mtime + CLOCK_SLACK_S
    return PROGRAM in arguments and owner == written.st_uid and began_before


def _began_at(ticks_after_boot: int) -> float:
    """Turn a start time of /proc/PID/stat (field 22) into seconds since 1970."""
    since_boot = time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.time() - since_boot + ticks_after_boot / os.sysconf("SC_CLK_TCK")


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(MAX_PROC_OCTETS)
