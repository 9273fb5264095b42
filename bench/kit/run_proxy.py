"""Our proxy, with two private switches that no option reaches.

DUOPROXY_BENCH_TRANSACTION=blocking|async: how a push is waited for.
DUOPROXY_BENCH_PROFILE=FILE: each 2 ms of CPU, note which file of which package is at work; the counts go to FILE.

Then the arguments of twistd.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from types import FrameType
from typing import Any

from twisted.internet import reactor
from twisted.scripts.twistd import run

from duoproxy.net.duo_client import DuoClient, Transaction
from duoproxy.sections import duo_server_options

SAMPLE_CPU_S = 0.002
TRANSACTIONS: dict[str, Transaction] = {"blocking": "blocking", "async": "async"}
WANTED = TRANSACTIONS[os.environ.get("DUOPROXY_BENCH_TRANSACTION", "blocking")]
PROFILE = os.environ.get("DUOPROXY_BENCH_PROFILE", "")


class SwitchedDuoClient(DuoClient):
    """The client, with the transaction that the measurement is about."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**{**arguments, "transaction": WANTED})


class Sampler:
    """Counts stacks, as names of files from the innermost outwards."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._stacks: Counter[tuple[str, ...]] = Counter()
        self._own_s = 0.0

    def start(self) -> None:
        """Begin to sample the process's own CPU time."""
        sys.setswitchinterval(SAMPLE_CPU_S / 20)  # else a thread is done before the main one gets to look at it
        signal.signal(signal.SIGPROF, self._sample)
        signal.setitimer(signal.ITIMER_PROF, SAMPLE_CPU_S, SAMPLE_CPU_S)

    def _sample(self, _signal: int, frame: FrameType | None) -> None:
        own_s = time.thread_time()
        if own_s - self._own_s < SAMPLE_CPU_S / 2:  # signals come to the main thread, also for what others used
            frame = _busy_thread() or frame
        self._own_s = own_s
        files: list[str] = []
        while frame is not None:
            file = frame.f_code.co_filename
            if not files or files[-1] != file:
                files.append(file)
            frame = frame.f_back
        self._stacks[tuple(files)] += 1

    def write(self, file: Path) -> None:
        """Stop, and write what was found: a list of [count, files]."""
        signal.setitimer(signal.ITIMER_PROF, 0)
        file.write_text(json.dumps([[count, files] for files, count in self._stacks.items()]), "utf-8")


def _busy_thread() -> FrameType | None:
    """The stack of a thread of the pool that is at work; None when all of them wait."""
    main = threading.main_thread().ident
    for number, frame in sys._current_frames().items():
        if number != main and not frame.f_code.co_filename.endswith(("/threading.py", "/queue.py")):
            return frame
    return None


def main() -> None:
    """Run twistd."""
    setattr(duo_server_options, "DuoClient", SwitchedDuoClient)  # noqa: B010 - the name is not the module's own
    if PROFILE:
        sampler = Sampler()
        loop: Any = reactor
        loop.callWhenRunning(sampler.start)
        loop.addSystemEventTrigger("after", "shutdown", sampler.write, Path(PROFILE))
    run()


if __name__ == "__main__":
    main()
