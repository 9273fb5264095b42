"""What a login with a directory costs the server, beside FreeRADIUS with rlm_ldap in the same run.

Twice: with users who need no second factor, so that the directory is all there is, and as whole logins, where the
stand-in for Duo's API answers at once. Every competitor stands alone on one core; the load, the directory and the
stand-in share the other one. The competitors run in turn, several times. The cost of the directory is what a login
takes beyond the same login without one.

    PYTHONPATH=. python bench/directories.py [--logins 1500] [--in-flight 32] [--runs 3] [--only WORD] [--profile]
"""

from __future__ import annotations

import argparse
import json
import signal
import statistics
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from bench.kit.competition import Api, Measured, load_result, measure, start_api, start_duoproxy, start_load
from bench.kit.directories import Way, absent, openldap, samba_can_run, samba_domain
from bench.kit.freeradius import PASSWORD
from bench.kit.freeradius_ldap import start_ldap_proxy
from bench.kit.processes import BenchFault, Process, cores, free_port
from bench.kit.profile import print_profile
from bench.kit.table import median_and_range, print_table

OWN, THEIRS = "duoproxy", "FreeRADIUS"
NOBODY = "nobody is asked"
WRONG = "wr0ng-password"
USERS = 200
THREADS = 32
LOAD_S = 60.0
FILES_LISTED = 15

Starter = Callable[[Path, int], Process]


@dataclass
class Competitor:
    """One server with one directory, and what it was measured at.

    Attributes:
        server: who.
        directory: whom it asks.
        second_factor: whether it asks the API too.
        password: of every user; empty: nobody checks it.
        start: starts it in a folder, on a port.
        runs: what was measured.
    """

    server: str
    directory: str
    second_factor: bool
    password: str
    start: Starter
    runs: list[Measured] = field(default_factory=list)

    @property
    def cpu_us(self) -> float:
        """The median CPU of a login."""
        return statistics.median(run.cpu_us for run in self.runs)


def competitors(core: int, api: Api, ways: Sequence[Way], second_factor: bool) -> list[Competitor]:
    """Give all who are measured, those without a directory first."""
    exempt = 0 if second_factor else USERS
    their_api = (api.port, api.ca_file) if second_factor else None

    def own(client: str) -> Starter:
        return lambda folder, port: start_duoproxy(folder, port, core, api, None, client=client, exempt=exempt)

    def theirs(way: Way | None) -> Starter:
        module = way.theirs if way is not None else None
        return lambda folder, port: start_ldap_proxy(folder, port, core, module, their_api, THREADS)

    found = [
        Competitor(OWN, NOBODY, second_factor, "", own("")),
        Competitor(THEIRS, NOBODY, second_factor, "", theirs(None)),
    ]
    for way in ways:
        found.append(Competitor(OWN, way.title, second_factor, way.password, own(way.client)))
        if way.theirs is not None:
            found.append(Competitor(THEIRS, way.title, second_factor, way.password, theirs(way)))
    return found


def measure_once(competitor: Competitor, api: Api, options: argparse.Namespace) -> None:
    """Measure one, after a few logins that do not count and one that must fail.

    Raises:
        BenchFault: somebody was let in who should not have been, or nobody was.
    """
    core, other = options.cores
    with tempfile.TemporaryDirectory() as name:
        folder, port = Path(name), free_port()
        with competitor.start(folder, port) as server:
            if competitor.password:
                _require_refusal(competitor, folder, port, other)
            load: dict[str, float | str] = {"users": USERS, "password": competitor.password or PASSWORD}
            measure(server, core, other, folder, port, options.warm_up, options.in_flight, **load)
            api.stats()
            run = measure(server, core, other, folder, port, options.logins, options.in_flight, **load)
            asked = api.stats()["auth"]
            if not run.accepted or asked != (run.accepted if competitor.second_factor else 0):
                raise BenchFault(f"{competitor}: {run.accepted} let in, {asked} pushes\n{server.tail()}")
            competitor.runs.append(run)


def _require_refusal(competitor: Competitor, folder: Path, port: int, core: int) -> None:
    with start_load(folder, port, core, 1, password=WRONG) as load:
        load.wait(LOAD_S)
        if load_result(load)["rejected"] != 1:
            raise BenchFault(f"{competitor.server} with {competitor.directory}: a wrong password was not refused")


def report(title: str, measured: Sequence[Competitor]) -> None:
    """Print the table of one kind of login."""
    base = {each.server: each.cpu_us for each in measured if each.directory == NOBODY}
    own = {each.directory: each.cpu_us for each in measured if each.server == OWN}
    rows = [
        [
            each.directory,
            each.server,
            median_and_range([run.per_second for run in each.runs]),
            median_and_range([run.cpu_us for run in each.runs]),
            "-" if each.directory == NOBODY else f"{each.cpu_us - base[each.server]:,.0f}",
            f"{own[each.directory] / each.cpu_us:.1f}",
            median_and_range([run.p50_ms for run in each.runs], 1),
            f"{sum(run.refused for run in each.runs)}",
            median_and_range([run.others_percent for run in each.runs]),
        ]
        for each in sorted(measured, key=lambda each: list(own).index(each.directory))
    ]
    print(f"\n{title}")
    head = ["directory", "server", "logins/s", "CPU µs a login", "of it for the directory", "duoproxy's CPU to its"]
    print_table([*head, "p50 ms", "not accepted", "others on its core, %"], rows)


def profile(way: Way, api: Api, options: argparse.Namespace) -> None:
    """Print where the time of a login goes whose user needs no second factor."""
    core, other = options.cores
    with tempfile.TemporaryDirectory() as name:
        folder, port = Path(name), free_port()
        samples = folder / "samples.json"
        with start_duoproxy(folder, port, core, api, None, profile=samples, client=way.client, exempt=USERS) as server:
            load: dict[str, float | str] = {"users": USERS, "password": way.password}
            run = measure(server, core, other, folder, port, 2 * options.logins, options.in_flight, **load)
        found = json.loads(samples.read_text("utf-8"))
    print(f"\n{way.title}: where the time of a login without a second factor goes ({run.accepted} logins)")
    print_profile(found, run.cpu_us, FILES_LISTED)


def read_options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--logins", type=int, default=1500, help="logins of one run (default 1500)")
    parser.add_argument("--warm-up", type=int, default=200, help="logins before it that do not count (default 200)")
    parser.add_argument("--in-flight", type=int, default=32, help="logins at once (default 32)")
    parser.add_argument("--runs", type=int, default=3, help="runs of each, in turn (default 3)")
    parser.add_argument("--only", default="", help="directories whose title holds this word (default: all)")
    parser.add_argument("--profile", action="store_true", help="only show where our time goes")
    options = parser.parse_args()
    options.cores = cores()
    return options


def main() -> None:
    options = read_options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that the directories end with us
    if packages := absent():
        raise BenchFault(f"not installed: {' '.join(packages)} (sudo make peers)")
    other = options.cores[1]
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        api = start_api(folder, other, push_s=0)
        stack.enter_context(api.process)
        ways = list(stack.enter_context(openldap(folder / "openldap", other, USERS)))
        if samba_can_run():
            ways += stack.enter_context(samba_domain(folder / "samba", other, USERS))
        else:
            print("Samba is left out: a domain controller needs root.")
        ways = [way for way in ways if options.only in way.title]
        if options.profile:
            for way in ways:
                profile(way, api, options)
            return
        alone = competitors(options.cores[0], api, ways, second_factor=False)
        whole = competitors(options.cores[0], api, ways, second_factor=True)
        for _ in range(options.runs):
            for each in [*alone, *whole]:
                measure_once(each, api, options)
        report("Without a second factor (FreeRADIUS: rlm_ldap)", alone)
        report("The whole login (FreeRADIUS: rlm_ldap and rlm_python3)", whole)


if __name__ == "__main__":
    main()
