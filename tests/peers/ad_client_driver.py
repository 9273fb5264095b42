"""Runs `ad_client_process.py`, and asks it: many questions at once, with any name and password."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.peers.proxy import Sections, proxy_environment, write_configuration
from tests.peers.sandbox import new_ports, sandbox_sections

PROGRAM = Path(__file__).with_name("ad_client_process.py")
STOP_S = 10.0


@dataclass(frozen=True)
class Answer:
    """What a section said.

    Attributes:
        accepted: whether the password was proven.
        reason: for the log.
        unreachable: whether nobody who could tell answered.
    """

    accepted: bool
    reason: str
    unreachable: bool


class Driver:
    """The running process.

    Attributes:
        pid: of the process.
    """

    def __init__(self, process: subprocess.Popen[str], log: Path) -> None:
        self.pid = process.pid
        self._process = process
        self._log = log
        self._asked = 0

    def log(self) -> str:
        """Everything that the sections logged."""
        return self._log.read_text("utf-8", "replace")

    def ask(self, section: str, user: str, password: str) -> Answer:
        """Check one password."""
        return self.ask_all(section, [(user, password)])[0]

    def ask_all(self, section: str, logins: Sequence[tuple[str, str]]) -> list[Answer]:
        """Check passwords, all at once; the answers are in the order of the questions."""
        assert self._process.stdin is not None
        numbers = range(self._asked + 1, self._asked + 1 + len(logins))
        self._asked += len(logins)
        for number, (user, password) in zip(numbers, logins, strict=True):
            self._process.stdin.write(json.dumps([number, section, user, password]) + "\n")
        self._process.stdin.flush()
        found = dict(self.read() for _ in logins)
        return [found[number] for number in numbers]

    def read(self) -> tuple[int, Answer]:
        """Wait for the next answer, with the number of its question."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, self.log()
        number, accepted, reason, unreachable = json.loads(line)
        assert not reason.startswith("fault: "), reason + self.log()
        return number, Answer(accepted, reason, unreachable)

    def memory_kib(self) -> int:
        """How much memory the process occupies."""
        status = Path(f"/proc/{self.pid}/status").read_text("ascii")
        return int(status.partition("VmRSS:")[2].split()[0])

    def cpu_s(self) -> float:
        """How many seconds of processor time it has used."""
        fields = Path(f"/proc/{self.pid}/stat").read_text("ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def running_driver(folder: Path, sections: Sections) -> Iterator[Driver]:
    """Run these [ad_client…] sections."""
    servers = sandbox_sections(new_ports(), client=next(iter(sections)))  # which every file has; nobody starts them
    configuration = write_configuration(folder, {**servers, **sections})
    log = folder / "driver.log"
    with log.open("w", encoding="utf-8") as errors:
        process = subprocess.Popen(
            [sys.executable, str(PROGRAM), str(configuration)],
            cwd=folder,
            env={**os.environ, **proxy_environment()},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            encoding="ascii",
        )
    driver = Driver(process, log)
    try:
        driver.read()
        yield driver
    finally:
        assert process.stdin is not None
        process.stdin.close()
        end = time.monotonic() + STOP_S
        while process.poll() is None and time.monotonic() < end:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(0.1)
        if process.poll() is None:
            process.kill()
            process.wait()
        assert process.stdout is not None
        process.stdout.close()
