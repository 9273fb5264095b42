"""What relaying LDAP costs: searches a second, added latency, and CPU of the proxy for each message.

Beside a direct connection, HAProxy in TCP mode, and ldaptor's ProxyBase, with the same clients and the same OpenLDAP.
The proxy stands alone on one core; clients and directory share the other one. Each connection binds once, without a
second factor; then come searches alone, for a part of the time that does not count and for one that does. All take
turns, several times.

    PYTHONPATH=. python bench/ldap.py [--seconds 2] [--runs 3] [--only WORD] [--server WORD] [--profile]
"""

from __future__ import annotations

import argparse
import json
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.kit.competition import KIT, Api, start_api
from bench.kit.directories import on_core
from bench.kit.ldap_proxies import start_haproxy, start_ldap_duoproxy, start_ldaptor
from bench.kit.processes import Process, cores, free_port, machine_busy_s, python
from bench.kit.profile import print_profile
from bench.kit.table import median_and_range, print_table
from tests.peers import slapd

DIRECT, HAPROXY, LDAPTOR, OWN = "direct", "HAProxy, TCP mode", "ldaptor's ProxyBase", "duoproxy"
LARGE_OU = f"ou=large,{slapd.BASE}"
LARGE_ENTRIES = 5_000
PADDING_OCTETS = 80
PICTURE_OCTETS = 1 << 20
LOAD_S = 120.0
SMALL_RATE = 100
FILES_LISTED = 20
SLAPD_FIRST = "sizelimit unlimited\nconn_max_pending_auth 2000\nsockbuf_max_incoming_auth 16777216\n"

Starter = Callable[[Path, int], Process | None]


@dataclass(frozen=True)
class Case:
    """One kind of load.

    Attributes:
        title: for the table.
        search: options of ldap_load.py that say what is asked.
        connections: of clients.
        window: searches under way on each of them.
    """

    title: str
    search: tuple[str, ...]
    connections: int
    window: int = 1

    @property
    def full_title(self) -> str:
        """With the connections."""
        return f"{self.title}; {self.connections} conn."


SMALL = ("--base", f"uid=small,{slapd.PEOPLE}")
LARGE = ("--base", LARGE_OU, "--scope", "1", "--attribute", "cn", "--attribute", "description")
PICTURE = ("--base", f"uid=picture,{slapd.PEOPLE}", "--attribute", "jpegPhoto")
CASES = (
    Case("one entry", SMALL, 1),
    Case("one entry", SMALL, 8),
    Case("one entry", SMALL, 64),
    Case("one entry, 16 at once on each", SMALL, 1, 16),
    Case("one entry, 16 at once on each", SMALL, 8, 16),
    Case("one entry, 16 at once on each", SMALL, 64, 16),
    Case("5,000 entries, 1 MB", LARGE, 1),
    Case("5,000 entries, 1 MB", LARGE, 8),
    Case("an entry of 1 MiB", PICTURE, 1),
    Case("an entry of 1 MiB", PICTURE, 8),
)


@dataclass
class Run:
    """What one load gave: as ldap_load.py says it, and how much of the proxy's core everybody else took."""

    searches: float
    seconds: float
    cpu_s: float
    messages: int
    p50_ms: float
    others_percent: float

    @property
    def per_second(self) -> float:
        """Searches a second."""
        return self.searches / self.seconds

    @property
    def search_us(self) -> float:
        """CPU of the proxy for a search with all its answers, in µs."""
        return 1e6 * self.cpu_s / self.searches

    @property
    def message_us(self) -> float:
        """CPU of the proxy for one message, in µs."""
        return self.search_us / self.messages


@dataclass
class Competitor:
    """Who relays, and what it was measured at."""

    name: str
    start: Starter
    runs: dict[Case, list[Run]] = field(default_factory=dict)

    def median(self, case: Case, what: Callable[[Run], float]) -> float:
        """The median of the runs."""
        return statistics.median(what(run) for run in self.runs[case])


def entries() -> list[slapd.Entry]:
    """What the directory holds."""
    padding = "x" * PADDING_OCTETS
    large = [
        slapd.Entry(f"cn=entry-{number:05d},{LARGE_OU}", ["person"], {"sn": "large", "description": padding})
        for number in range(LARGE_ENTRIES)
    ]
    return [
        slapd.person("small", more={"mail": "small@example.test"}),
        slapd.person("picture", more={"jpegPhoto": bytes(range(256)) * (PICTURE_OCTETS // 256)}),
        slapd.Entry(LARGE_OU, ["organizationalUnit"]),
        *large,
    ]


def competitors(core: int, directory_port: int, api: Api) -> list[Competitor]:
    """Give all who are measured."""
    return [
        Competitor(DIRECT, lambda folder, port: None),
        Competitor(HAPROXY, lambda folder, port: start_haproxy(folder, port, core, directory_port)),
        Competitor(LDAPTOR, lambda folder, port: start_ldaptor(folder, port, core, directory_port)),
        Competitor(OWN, lambda folder, port: start_ldap_duoproxy(folder, port, core, directory_port, api)),
    ]


def measure(case: Case, folder: Path, port: int, process: Process | None, options: argparse.Namespace) -> Run:
    """Run one load."""
    core, other = options.cores
    arguments = ["--port", str(port), *case.search, "--connections", str(case.connections)]
    arguments += ["--window", str(case.window), "--seconds", str(options.seconds)]
    arguments += ["--pid", str(process.pid if process is not None else 0)]
    before_s = process.cpu_s() if process is not None else 0.0
    busy, began = machine_busy_s(core), time.monotonic()
    with Process("ldap_load", python(KIT / "ldap_load.py", *arguments), folder, other) as load:
        code = load.wait(LOAD_S)
        if code:
            raise SystemExit(f"{case}: {load.tail()}\n{process.tail() if process is not None else ''}")
        found: dict[str, Any] = json.loads(load.text().splitlines()[-1])
    own_s = process.cpu_s() - before_s if process is not None else 0.0
    others = max(0.0, machine_busy_s(core) - busy - own_s) / (time.monotonic() - began)
    return Run(found["searches"], found["seconds"], found["cpu_s"], found["messages"], found["p50_ms"], 100 * others)


def measure_all(competitor: Competitor, directory_port: int, cases: Sequence[Case], options: Any) -> None:
    """Measure all cases of one competitor, on one process of it."""
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder, port = Path(name), free_port()
        process = competitor.start(folder, port)
        if process is not None:
            stack.enter_context(process)
        for case in cases:
            run = measure(case, folder, port if process is not None else directory_port, process, options)
            competitor.runs.setdefault(case, []).append(run)


def report(case: Case, measured: Sequence[Competitor]) -> list[list[str]]:
    """Give the rows of one case."""
    by_name = {each.name: each for each in measured}
    own, direct = by_name.get(OWN), by_name.get(DIRECT)
    return [_row(case, each, own, direct) for each in measured]


def _row(case: Case, each: Competitor, own: Competitor | None, direct: Competitor | None) -> list[str]:
    runs, proxied = each.runs[case], each.name != DIRECT
    rates, cpu_us = [run.per_second for run in runs], [run.search_us for run in runs]
    ratio = added_ms = own_cpu = "-"
    if own is not None:
        ratio = f"{own.median(case, lambda run: run.per_second) / statistics.median(rates):.2f}"
        if proxied:
            own_cpu = f"{own.median(case, lambda run: run.search_us) / statistics.median(cpu_us):.2f}"
    if direct is not None and proxied and case.window == case.connections == 1:
        own_ms, direct_ms = (of.median(case, lambda run: run.p50_ms) for of in (each, direct))
        added_ms = f"{own_ms - direct_ms:.2f}"
    return [
        case.full_title,
        each.name,
        median_and_range(rates, 0 if min(rates) > SMALL_RATE else 1),
        ratio,
        median_and_range(cpu_us) if proxied else "-",
        f"{each.median(case, lambda run: run.message_us):.1f}" if proxied else "-",
        own_cpu,
        added_ms,
        median_and_range([run.others_percent for run in runs]) if proxied else "-",
    ]


def profile(directory_port: int, cases: Sequence[Case], api: Api, options: argparse.Namespace) -> None:
    """Print where the time of our proxy goes."""
    for case in cases:
        with tempfile.TemporaryDirectory() as name:
            folder, port = Path(name), free_port()
            samples = folder / "samples.json"
            with start_ldap_duoproxy(folder, port, options.cores[0], directory_port, api, samples) as process:
                run = measure(case, folder, port, process, options)
            found = json.loads(samples.read_text("utf-8"))
        print(f"\n{case.full_title}")
        print_profile(found, run.search_us, FILES_LISTED)


def read_options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=2.0, help="of one run (default 2)")
    parser.add_argument("--runs", type=int, default=3, help="runs of each, in turn (default 3)")
    parser.add_argument("--only", default="", help="loads whose title holds this (default: all)")
    parser.add_argument("--server", default="", help="servers whose name holds this (default: all)")
    parser.add_argument("--profile", action="store_true", help="only show where our time goes")
    options = parser.parse_args()
    options.cores = cores()
    return options


def main() -> None:
    options = read_options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that the directory ends with us
    core, other = options.cores
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        api = start_api(folder, other, push_s=0)
        stack.enter_context(api.process)
        with on_core(other):
            running = slapd.running_slapd(folder / "slapd", entries(), first=SLAPD_FIRST, stats=False)
            directory = stack.enter_context(running)
        cases = [case for case in CASES if options.only in case.full_title]
        if options.profile:
            profile(directory.port, cases, api, options)
            return
        measured = [each for each in competitors(core, directory.port, api) if options.server in each.name]
        for _ in range(options.runs):
            for each in measured:
                measure_all(each, directory.port, cases, options)
        rows = [row for case in cases for row in report(case, measured)]
        head = ["searches for", "through", "searches/s", "duoproxy's rate to its", "CPU µs a search"]
        tail = ["µs a message", "duoproxy's CPU to its", "added ms (p50)", "others on its core, %"]
        print_table([*head, *tail], rows)


if __name__ == "__main__":
    main()
