"""Two-factor logins a second, and the server's CPU for each, beside FreeRADIUS doing the same in the same run.

Every competitor stands alone on one core; the load, the stand-in for Duo's API (which answers at once) and the RADIUS
server that checks passwords share the other one. The competitors run in turn, several times.

    PYTHONPATH=. python bench/logins.py [--logins 1500] [--in-flight 32] [--runs 5] [--primary none|radius|both]
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from bench.kit.competition import Api, Measured, measure, start_api, start_duoproxy
from bench.kit.freeradius import Way, start_proxy, start_upstream
from bench.kit.processes import BenchFault, Process, cores, free_port
from bench.kit.table import median_and_range, print_table

THREADS = 32
AIM_PER_S = 400

Starter = Callable[[Path, int], Process]


def competitors(core: int, api: Api, upstream: int | None) -> dict[str, Starter]:
    """Give what starts each competitor in a folder, on a port."""

    def theirs(way: Way) -> Starter:
        return lambda folder, port: start_proxy(folder, port, core, way, api.port, api.ca_file, upstream, THREADS)

    found: dict[str, Starter] = {"duoproxy": lambda folder, port: start_duoproxy(folder, port, core, api, upstream)}
    return found | {f"FreeRADIUS, {way.value}": theirs(way) for way in (Way.PYTHON, Way.REST)}


def one_round(
    starters: dict[str, Starter], api: Api, options: argparse.Namespace, found: dict[str, list[Measured]]
) -> None:
    """Measure each competitor once, after a few logins that do not count.

    Raises:
        BenchFault: logins were let in without a second factor.
    """
    core, other = cores()
    for name, start in starters.items():
        with tempfile.TemporaryDirectory() as folder:
            port = free_port()
            with start(Path(folder), port) as server:
                measure(server, core, other, Path(folder), port, options.warm_up, options.in_flight)
                api.stats()
                run = measure(server, core, other, Path(folder), port, options.logins, options.in_flight)
                asked = api.stats()
                if min(asked["preauth"], asked["auth"]) < run.accepted:
                    raise BenchFault(f"{name} let {run.accepted} in, and the API was asked {asked}")
                found[name].append(run)


def report(title: str, found: dict[str, list[Measured]]) -> None:
    """Print the table of one kind of login."""
    own = statistics.median(run.cpu_us for run in found["duoproxy"])
    rows = []
    for name, runs in found.items():
        rows.append(
            [
                name,
                median_and_range([run.per_second for run in runs]),
                median_and_range([run.cpu_us for run in runs]),
                f"{own / statistics.median(run.cpu_us for run in runs):.1f}",
                median_and_range([run.p50_ms for run in runs], 1),
                median_and_range([run.p95_ms for run in runs], 1),
                f"{sum(run.refused for run in runs)}",
                median_and_range([run.others_percent for run in runs]),
            ]
        )
    print(f"\n{title}")
    print_table(
        [
            "server",
            "logins/s",
            "CPU µs a login",
            "duoproxy's CPU to its",
            "p50 ms",
            "p95 ms",
            "not accepted",
            "others on its core, %",
        ],
        rows,
    )
    rate = 1e6 / own
    verdict = "reached" if rate >= AIM_PER_S else f"{rate / AIM_PER_S:.0%} of it"
    print(f"duoproxy's CPU allows {rate:,.0f} logins/s on one core; aim {AIM_PER_S}: {verdict}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--logins", type=int, default=1500, help="logins of one run (default 1500)")
    parser.add_argument("--warm-up", type=int, default=200, help="logins before it that do not count (default 200)")
    parser.add_argument("--in-flight", type=int, default=32, help="logins at once (default 32)")
    parser.add_argument("--runs", type=int, default=5, help="runs of each, in turn (default 5)")
    parser.add_argument("--primary", choices=("none", "radius", "both"), default="both")
    options = parser.parse_args()
    core, other = cores()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        api = start_api(folder, other, push_s=0)
        stack.enter_context(api.process)
        kinds: list[tuple[str, int | None]] = []
        if options.primary in ("none", "both"):
            kinds.append(("Second factor alone ([duo_only_client])", None))
        if options.primary in ("radius", "both"):
            upstream = free_port()
            stack.enter_context(start_upstream(folder, upstream, other))
            kinds.append(("Password checked by a FreeRADIUS upstream ([radius_client])", upstream))
        for title, port in kinds:
            starters = competitors(core, api, port)
            found: dict[str, list[Measured]] = {name: [] for name in starters}
            for _ in range(options.runs):
                one_round(starters, api, options, found)
            report(title, found)


if __name__ == "__main__":
    main()
