"""Start a real server for a test, wait until it is ready, end it: only that process, by its id."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

POLL_S = 0.02
READY_DEADLINE_S = 30.0
STOP_DEADLINE_S = 10.0
OUTPUT_SHOWN = 8000


class ServerFault(AssertionError):
    """A server ended early, or did not do in time what the test waits for; carries its output."""


def wait_until(condition: Callable[[], object], what: str, deadline_s: float = READY_DEADLINE_S) -> None:
    """Poll until `condition` is true.

    Raises:
        ServerFault: it was not after `deadline_s` seconds.
    """
    end = time.monotonic() + deadline_s
    while not condition():
        if time.monotonic() > end:
            raise ServerFault(f"not within {deadline_s:g} s: {what}")
        time.sleep(POLL_S)


class RunningServer:
    """A process that a test started, with its folder and its output (stdout and stderr together, in one file).

    Attributes:
        name: for messages.
        pid: of the process, which leads a process group of its own.
        folder: where it works.
        output_path: where its output goes.
    """

    def __init__(self, name: str, command: Sequence[str], folder: Path, environment: Mapping[str, str] | None) -> None:
        self.name = name
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.output_path = folder / f"{name}.output"
        with self.output_path.open("wb") as output:
            self._process = subprocess.Popen(
                list(command),
                cwd=folder,
                env={**os.environ, **(environment or {})},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.pid = self._process.pid

    def output(self) -> str:
        """Read everything that the process has written so far."""
        return self.output_path.read_text(encoding="utf-8", errors="replace")

    def status(self) -> int | None:
        """The exit status, or None while it runs."""
        return self._process.poll()

    def wait_for_output(self, pattern: str, deadline_s: float = READY_DEADLINE_S) -> re.Match[str]:
        """Wait until the output matches a regular expression (multi-line); give the match.

        Raises:
            ServerFault: it did not in time, or the process ended before.
        """
        found: list[re.Match[str]] = []

        def seen() -> bool:
            found.extend(re.finditer(pattern, self.output(), re.MULTILINE))
            return bool(found)

        self.wait(seen, f"output that matches {pattern!r}", deadline_s)
        return found[0]

    def wait(self, condition: Callable[[], object], what: str, deadline_s: float = READY_DEADLINE_S) -> None:
        """Poll until `condition` is true.

        Raises:
            ServerFault: it was not in time, or the process ended before; with the end of its output.
        """
        end = time.monotonic() + deadline_s
        while True:
            ended = self.status() is not None  # asked first: what an ended process wrote is still looked at
            if condition():
                return
            if ended:
                raise ServerFault(f"{self.name} ended with status {self.status()} before {what}\n{self._tail()}")
            if time.monotonic() > end:
                raise ServerFault(f"{self.name}: not within {deadline_s:g} s: {what}\n{self._tail()}")
            time.sleep(POLL_S)

    def wait_for_end(self, deadline_s: float = STOP_DEADLINE_S) -> int:
        """Wait until the process has ended by itself; give its exit status.

        Raises:
            ServerFault: it still runs.
        """
        try:
            return self._process.wait(deadline_s)
        except subprocess.TimeoutExpired:
            raise ServerFault(f"{self.name} still runs after {deadline_s:g} s\n{self._tail()}") from None

    def stop(self) -> int:
        """End it: ask, and after `STOP_DEADLINE_S` insist (with the children it left in its group); give its status."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(STOP_DEADLINE_S)
            except subprocess.TimeoutExpired:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(self.pid, signal.SIGKILL)
        return self._process.wait()

    def _tail(self) -> str:
        return f"--- output of {self.name}\n{self.output()[-OUTPUT_SHOWN:]}"


Readiness = Callable[[RunningServer], object]


def output_matches(pattern: str) -> Readiness:
    """Ready when the output matches a regular expression (multi-line)."""
    return lambda server: re.search(pattern, server.output(), re.MULTILINE)


def tcp_answers(port: int, host: str = "127.0.0.1") -> Readiness:
    """Ready when a TCP connection is taken."""

    def connects(_: RunningServer) -> bool:
        with contextlib.suppress(OSError), socket.create_connection((host, port), timeout=1):
            return True
        return False

    return connects


def start_server(
    name: str,
    command: Sequence[str],
    *,
    folder: Path,
    ready: Readiness,
    deadline_s: float = READY_DEADLINE_S,
    environment: Mapping[str, str] | None = None,
) -> RunningServer:
    """Start a server in `folder` and wait until it is ready.

    Args:
        name: for messages and the name of the output file.
        command: program and arguments; nothing goes through a shell.
        folder: its working folder; is made.
        ready: the condition that is polled.
        deadline_s: how long it may take.
        environment: variables beside those of the test.

    Raises:
        ServerFault: it ended or was not ready in time; it is stopped then.
    """
    server = RunningServer(name, command, folder, environment)
    try:
        server.wait(lambda: ready(server), "it was ready", deadline_s)
    except BaseException:
        server.stop()
        raise
    return server
