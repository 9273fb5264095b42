"""What a login costs that waits for its user: thousands of pushes of 10 s under way at once.

For each server: how many of the pushes were under way at once and how many logins were answered, what memory each
pending one took (PSS of the server when most were pending against PSS before, by the number pending then), how many
connections to the API it needed, and the CPU of one login from its request to its answer. Our proxy runs twice: once
with the blocking call (one request waits for the user) and once with the asynchronous transaction (auth with async=1,
then auth_status, which waits).

    PYTHONPATH=. python bench/pending.py [--logins 5000] [--per-second 250] [--push-seconds 10] [--runs 1]
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from bench.kit.competition import Api, ask, load_result, start_api, start_duoproxy, start_load
from bench.kit.freeradius import Way, start_proxy
from bench.kit.processes import Process, cores, free_port
from bench.kit.table import median_and_range, print_table

AIM_KIB = 64
SAMPLE_PAUSE_S = 0.5
WARM_UP = 4
# What asks the stand-in about itself has a connection, too.
ASKING = 1

Starter = Callable[[Path, int], Process]


@dataclass(frozen=True)
class Pending:
    """What one run gave; `kib_each` is at the moment when most pushes were under way."""

    answered: int
    pending_peak: int
    kib_each: float
    pss_before_mib: float
    pss_peak_mib: float
    pss_most_mib: float
    connections_peak: int
    connections_made: int
    status_calls: int
    cpu_us: float
    p50_s: float
    p95_s: float
    seconds: float


class Samples:
    """Memory of a server and pushes under way at the same moments, until stopped.

    Attributes:
        found: memory in KiB and pushes under way.
    """

    def __init__(self, server: Process, api: Api) -> None:
        """Begin."""
        self.found: list[tuple[int, int]] = []
        self._server = server
        self._api = api
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        connection = self._api.connect()
        while not self._stop.wait(SAMPLE_PAUSE_S):
            self.found.append((self._server.pss_kib(), ask(connection, "/pending")))
        connection.close()

    def stop(self) -> None:
        """End."""
        self._stop.set()
        self._thread.join()

    def at_the_peak(self) -> tuple[int, int]:
        """Memory and pushes when most of them were under way; the least memory of several such moments."""
        most = max((pending for _, pending in self.found), default=0)
        return min((kib for kib, pending in self.found if pending == most), default=0), most

    def most_kib(self) -> int:
        """The most memory at any moment."""
        return max((kib for kib, _ in self.found), default=0)


def measure(server: Process, api: Api, load_core: int, folder: Path, port: int, options: argparse.Namespace) -> Pending:
    """Run the load against one server."""
    with start_load(folder, port, load_core, WARM_UP, in_flight=WARM_UP, wait=options.wait) as load:
        load.wait(options.wait + 60)
    api.stats()
    before_kib, cpu = server.pss_kib(), server.cpu_s()
    samples = Samples(server, api)
    try:
        with start_load(
            folder, port, load_core, options.logins, per_second=options.per_second, wait=options.wait
        ) as load:
            load.wait(options.logins / options.per_second + options.wait + 60)
            result = load_result(load)
    finally:
        samples.stop()
    time.sleep(1)
    peak_kib, pending = samples.at_the_peak()
    stats, cpu_s = api.stats(), server.cpu_s() - cpu
    answered = result["accepted"]
    return Pending(
        answered,
        stats["pending_peak"],
        (peak_kib - before_kib) / max(1, pending),
        before_kib / 1024,
        peak_kib / 1024,
        samples.most_kib() / 1024,
        stats["open_peak"] - ASKING,
        stats["accepted"] - ASKING,
        stats["auth_status"],
        1e6 * cpu_s / max(1, answered),
        result["p50_ms"] / 1000,
        result["p95_ms"] / 1000,
        result["seconds"],
    )


def competitors(core: int, api: Api, threads: list[int]) -> dict[str, Starter]:
    """Give what starts each competitor in a folder, on a port."""

    def own(transaction: str) -> Starter:
        return lambda folder, port: start_duoproxy(folder, port, core, api, None, transaction)

    def theirs(way: Way, number: int) -> Starter:
        return lambda folder, port: start_proxy(folder, port, core, way, api.port, api.ca_file, None, number)

    found = {f"duoproxy, {transaction}": own(transaction) for transaction in ("blocking", "async")}
    for way in (Way.REST, Way.PYTHON):
        for number in threads:
            found[f"FreeRADIUS, {way.value}, {number} threads"] = theirs(way, number)
    return found


def report(found: dict[str, list[Pending]], logins: int) -> None:
    """Print both tables."""

    def spell(runs: list[Pending], name: str, digits: int = 0) -> str:
        return median_and_range([float(getattr(run, name)) for run in runs], digits)

    rows = [
        [
            name,
            spell(runs, "answered"),
            spell(runs, "pending_peak"),
            spell(runs, "kib_each", 1),
            spell(runs, "pss_before_mib"),
            spell(runs, "pss_peak_mib"),
            spell(runs, "pss_most_mib"),
        ]
        for name, runs in found.items()
    ]
    print_table(
        ["server", f"let in, of {logins:,}", "pending at once", "KiB each", "MiB before", "MiB then", "MiB at most"],
        rows,
    )
    rows = [
        [
            name,
            spell(runs, "connections_peak"),
            spell(runs, "connections_made"),
            spell(runs, "status_calls"),
            spell(runs, "cpu_us"),
            spell(runs, "p50_s", 1),
            spell(runs, "p95_s", 1),
            spell(runs, "seconds"),
        ]
        for name, runs in found.items()
    ]
    print_table(
        [
            "server",
            "connections at once",
            "connections made",
            "auth_status calls",
            "CPU µs a login",
            "p50 s",
            "p95 s",
            "all answered after s",
        ],
        rows,
    )
    each = statistics.median(run.kib_each for run in found["duoproxy, blocking"])
    print(f"aim: at most {AIM_KIB} KiB a pending login; the blocking call takes {each:.1f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--logins", type=int, default=5000, help="logins of one run (default 5000)")
    parser.add_argument("--per-second", type=float, default=250.0, help="how fast they come (default 250)")
    parser.add_argument("--push-seconds", type=float, default=10.0, help="how long each user takes (default 10)")
    parser.add_argument("--wait", type=float, default=60.0, help="seconds that the device waits (default 60)")
    parser.add_argument("--threads", default="32,1024", help="threads of FreeRADIUS (default 32,1024)")
    parser.add_argument("--only", default="", help="only competitors whose name has this in it")
    parser.add_argument("--runs", type=int, default=1, help="runs of each, in turn (default 1)")
    options = parser.parse_args()
    core, other = cores()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        api = start_api(folder, other, options.push_seconds)
        stack.enter_context(api.process)
        starters = competitors(core, api, [int(number) for number in options.threads.split(",")])
        starters = {name: start for name, start in starters.items() if options.only in name}
        found: dict[str, list[Pending]] = {name: [] for name in starters}
        for _ in range(options.runs):
            for name, start in starters.items():
                with tempfile.TemporaryDirectory() as own:
                    port = free_port()
                    with start(Path(own), port) as server:
                        found[name].append(measure(server, api, other, Path(own), port, options))
                print(f"{name}: {found[name][-1]}", flush=True)
        report(found, options.logins)


if __name__ == "__main__":
    main()
