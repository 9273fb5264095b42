"""What logins cost that go on to a RADIUS server as MS-CHAPv2, or that take a prompt; beside FreeRADIUS's own proxying.

Three kinds, each by all who can do it, in turn, on one core; a FreeRADIUS that checks passwords, the load and the
stand-in for Duo's API share the other one:

- MS-CHAPv2 sent on and its keys encrypted anew, without a second factor (`exempt_username_n`; FreeRADIUS: a realm)
- the same with a second factor (FreeRADIUS: rlm_python3), and PAP with one
- a password, a prompt, and its answer: two requests, one login

    PYTHONPATH=. python bench/relay.py [--logins 1000] [--in-flight 32] [--runs 3]
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from bench.kit import freeradius
from bench.kit.competition import KIT, Api, Measured, account_for, run_duoproxy, server_options, start_api
from bench.kit.freeradius import PASSWORD, SECRET, Way
from bench.kit.processes import LOOPBACK, BenchFault, Process, cores, free_port, python
from bench.kit.radius_load import user_name
from bench.kit.table import median_and_range, print_table

USERS = 50
THREADS = 32

Starter = Callable[[Path, int], Process]


def start_upstream(folder: Path, port: int, core: int) -> Process:
    """Start a FreeRADIUS that checks PAP and MS-CHAPv2."""
    modules = 'pap {\n}\nmschap {\n\tuse_mppe = yes\n}\nfiles {\n\tfilename = "${confdir}/users"\n}'
    (folder / "upstream").mkdir(exist_ok=True)
    (folder / "upstream/users").write_text(f'DEFAULT Cleartext-Password := "{PASSWORD}"\n', "ascii")
    sections = """authorize {
	files
	mschap
	pap
}
authenticate {
	Auth-Type PAP {
		pap
	}
	Auth-Type MS-CHAP {
		mschap
	}
}"""
    return freeradius.start_freeradius(folder / "upstream", port, core, modules, sections, threads=8)


def start_relay_only(folder: Path, port: int, core: int, upstream: int) -> Process:
    """Start a FreeRADIUS that sends everything on, and does nothing else."""
    sections = 'authorize {\n\tupdate control {\n\t\tProxy-To-Realm := "upstream"\n\t}\n}\nauthenticate {\n}'
    own = folder / "relay"
    proxying = freeradius.proxying_to(upstream)
    return freeradius.start_freeradius(own, port, core, "", sections, THREADS, proxying)


def ours(core: int, api: Api, upstream: int, section: str = "radius_server_auto", more: str = "") -> Starter:
    """Give what starts our proxy with one section before the upstream."""
    client = f"[radius_client]\nhost={LOOPBACK}\nport={upstream}\nsecret={SECRET}\n"

    def start(folder: Path, port: int) -> Process:
        return run_duoproxy(folder / "duoproxy", core, f"{client}[{section}]\n{server_options(port, api)}{more}")

    return start


def measure(server: Process, folder: Path, port: int, logins: int, in_flight: int, method: str) -> Measured:
    """Run one load, and account for what it cost the server."""
    core, other = cores()
    arguments = ["--port", str(port), "--secret", SECRET, "--logins", str(logins), "--method", method]
    command = python(KIT / "relay_load.py", *arguments, "--in-flight", str(in_flight), "--users", str(USERS))
    return account_for(server, core, lambda: Process("relay_load", command, folder, other))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--logins", type=int, default=1000, help="logins of one run (default 1000)")
    parser.add_argument("--warm-up", type=int, default=150, help="logins before it that do not count (default 150)")
    parser.add_argument("--in-flight", type=int, default=32, help="logins at once (default 32)")
    parser.add_argument("--runs", type=int, default=3, help="runs of each, in turn (default 3)")
    options = parser.parse_args()
    core, other = cores()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        api = start_api(folder, other, push_s=0)
        stack.enter_context(api.process)
        upstream = free_port()
        stack.enter_context(start_upstream(folder, upstream, other))
        exempt = "".join(f"exempt_username_{number + 1}={user_name(number)}\n" for number in range(USERS))

        def with_python(own: Path, port: int) -> Process:
            return freeradius.start_proxy(own, port, core, Way.PYTHON, api.port, api.ca_file, upstream, THREADS)

        kinds: list[tuple[str, str, str, int, Starter]] = [
            ("MS-CHAPv2 sent on", "duoproxy", "mschapv2", 0, ours(core, api, upstream, more=exempt)),
            ("MS-CHAPv2 sent on", "FreeRADIUS", "mschapv2", 0, lambda f, p: start_relay_only(f, p, core, upstream)),
            ("MS-CHAPv2, then Duo", "duoproxy", "mschapv2", 1, ours(core, api, upstream)),
            ("MS-CHAPv2, then Duo", "FreeRADIUS, rlm_python3", "mschapv2", 1, with_python),
            ("PAP, then Duo", "duoproxy", "pap", 1, ours(core, api, upstream)),
            (
                "password, prompt, answer",
                "duoproxy",
                "challenge",
                1,
                ours(core, api, upstream, "radius_server_challenge"),
            ),
        ]
        found: dict[tuple[str, str], list[Measured]] = {(title, name): [] for title, name, *_ in kinds}
        for _ in range(options.runs):
            for title, name, method, factors, start in kinds:
                one_run(found[title, name], api, start, method, factors, options)
    report(found)


def one_run(
    runs: list[Measured], api: Api, start: Starter, method: str, factors: int, options: argparse.Namespace
) -> None:
    """Measure one competitor once.

    Raises:
        BenchFault: somebody got in without a second factor who should have one, or nobody got in.
    """
    with tempfile.TemporaryDirectory() as own:
        port = free_port()
        with start(Path(own), port) as server:
            measure(server, Path(own), port, options.warm_up, options.in_flight, method)
            api.stats()
            run = measure(server, Path(own), port, options.logins, options.in_flight, method)
            asked = api.stats()
    if not run.accepted or min(asked["preauth"], asked["auth"]) < factors * run.accepted:
        raise BenchFault(f"{method}: {run.accepted} were let in, {run.refused} not, and the API was asked {asked}")
    runs.append(run)


def report(found: dict[tuple[str, str], list[Measured]]) -> None:
    """Print the table."""
    headings = ["login", "server", "logins/s", "CPU µs a login", "duoproxy's CPU to its", "p50 ms", "not accepted"]
    rows = []
    for (title, name), runs in found.items():
        own = statistics.median(run.cpu_us for run in found[title, "duoproxy"])
        rows.append(
            [
                title,
                name,
                median_and_range([run.per_second for run in runs]),
                median_and_range([run.cpu_us for run in runs]),
                f"{own / max(1.0, statistics.median(run.cpu_us for run in runs)):.1f}",
                median_and_range([run.p50_ms for run in runs], 1),
                f"{sum(run.refused for run in runs)}",
                median_and_range([run.others_percent for run in runs]),
            ]
        )
    print_table([*headings, "others on its core, %"], rows)


if __name__ == "__main__":
    main()
