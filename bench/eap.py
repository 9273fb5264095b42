"""What a PEAP-GTC login costs the server, and what an open conversation takes, beside FreeRADIUS in the same run.

RSA-2048 and P-256, TLS 1.2 and 1.3. The server has one core, its clients the other. The clients are the same for both:
eapol_test for logins (it takes more CPU than any server, so logins per second say nothing: the CPU of the server's
process is what counts), and our own peer for conversations that are left half-way. Ours checks passwords with
[sandbox_users] and asks for no second factor; FreeRADIUS has a users file. They run in turn, several times.

    PYTHONPATH=. python bench/eap.py [--clients 16] [--logins 20] [--open 300] [--runs 3]
                                    [--only cpu|memory] [--profile]
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench.kit.competition import Api, start_api
from bench.kit.eap_clients import PROGRAM, TLS_1_2, TLS_1_3, Stage, Visits, log_in
from bench.kit.eap_servers import P_256, RSA, make_certificates, start_own, start_theirs
from bench.kit.processes import BenchFault, Process, cores, free_port, machine_busy_s
from bench.kit.profile import print_profile
from bench.kit.table import median_and_range, print_table
from duoproxy.tools.make_cert import MadeFiles

OWN, THEIRS = "duoproxy", "FreeRADIUS"
AIM_RATIO, AIM_KIB = 2.0, 60
WARM_UP_CONVERSATIONS = 50
FILES_LISTED = 15
SETTLE_S = 0.5

Combination = tuple[str, str]
COMBINATIONS: tuple[Combination, ...] = tuple((kind, tls) for kind in (RSA, P_256) for tls in (TLS_1_2, TLS_1_3))


@dataclass(frozen=True)
class Login:
    """What one load gave: CPU of the server for a login in µs, logins per second, and the others on its core in %."""

    cpu_us: float
    per_second: float
    others_percent: float


class Bench:
    """What all measurements share."""

    def __init__(self, folder: Path, api: Api, options: argparse.Namespace) -> None:
        """Make the certificates."""
        self._certificates = make_certificates(folder / "certificates")
        self._api = api
        self._options = options
        self._core, self._other = cores()

    def _starters(self) -> dict[str, Callable[[Path, int, MadeFiles], Process]]:
        return {
            OWN: lambda folder, port, made: start_own(folder, port, self._core, made, self._api),
            THEIRS: lambda folder, port, made: start_theirs(folder, port, self._core, made),
        }

    def login(self, server: str, kind: str, tls: str) -> Login:
        """Measure one load of logins, after one of each client that does not count.

        Raises:
            BenchFault: somebody was not let in.
        """
        options, certificate, port = self._options, self._certificates[kind], free_port()
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            with self._starters()[server](folder, port, certificate) as process:
                known = (folder, port, self._other, certificate.certificate, tls, options.clients)
                log_in(*known, logins=1)
                cpu, busy, began = process.cpu_s(), machine_busy_s(self._core), time.monotonic()
                let_in = log_in(*known, logins=options.logins)
                cpu_s, took_s = process.cpu_s() - cpu, time.monotonic() - began
                others_s = max(0.0, machine_busy_s(self._core) - busy - cpu_s)
                if let_in != options.clients * options.logins:
                    raise BenchFault(f"{server}, {kind}, {tls}: {let_in} let in\n{process.tail()}")
        return Login(1e6 * cpu_s / let_in, let_in / took_s, 100 * others_s / took_s)

    def memory_kib(self, server: str, kind: str, tls: str, stage: Stage, post_quantum: bool = False) -> float:
        """Measure what a conversation takes that is left at a stage, after some that do not count."""
        port = free_port()
        conversations: int = self._options.open
        with (
            tempfile.TemporaryDirectory() as name,
            self._starters()[server](Path(name), port, self._certificates[kind]) as process,
            Visits(port, tls, stage, post_quantum) as visits,
        ):
            visits.open(WARM_UP_CONVERSATIONS)
            before = process.pss_kib()
            visits.open(conversations)
            time.sleep(SETTLE_S)
            return (process.pss_kib() - before) / conversations

    def profile(self, kind: str, tls: str) -> None:
        """Print where the time of our logins goes."""
        options, certificate, port = self._options, self._certificates[kind], free_port()
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            samples = folder / "samples.json"
            with start_own(folder, port, self._core, certificate, self._api, samples) as process:
                cpu = process.cpu_s()
                let_in = log_in(
                    folder, port, self._other, certificate.certificate, tls, options.clients, options.logins
                )
                cpu_us = 1e6 * (process.cpu_s() - cpu) / max(1, let_in)
            found = json.loads(samples.read_text("utf-8"))
        print(f"\n{kind}, {tls}: where the time of a login goes ({let_in} logins)")
        print_profile(found, cpu_us, FILES_LISTED)


def measure_cpu(bench: Bench, runs: int) -> None:
    """Measure logins, and print the table."""
    found: dict[tuple[Combination, str], list[Login]] = {}
    for _ in range(runs):
        for combination in COMBINATIONS:
            for server in (OWN, THEIRS):
                found.setdefault((combination, server), []).append(bench.login(server, *combination))
    rows, ratios = [], []
    for (combination, server), logins in found.items():
        own = statistics.median(login.cpu_us for login in found[combination, OWN])
        ratio = own / statistics.median(login.cpu_us for login in logins)
        ratios += [ratio] if server == THEIRS else []
        rows.append(
            [
                ", ".join(combination),
                server,
                median_and_range([login.cpu_us for login in logins]),
                f"{ratio:.1f}",
                median_and_range([login.per_second for login in logins]),
                median_and_range([login.others_percent for login in logins]),
            ]
        )
    head = ["key, TLS", "server", "CPU µs a login", "duoproxy's CPU to its"]
    print_table([*head, "logins/s (the clients' limit)", "others on its core, %"], rows)
    verdict = "reached" if max(ratios) <= AIM_RATIO else "missed"
    print(f"aim: {AIM_RATIO:.0f} times FreeRADIUS's CPU: {verdict}; {min(ratios):.1f} to {max(ratios):.1f} times")


def measure_memory(bench: Bench, runs: int) -> None:
    """Measure open conversations, and print the table."""
    wanted = [(Stage.HALF_OPEN, P_256, TLS_1_3, False)]
    for stage in (Stage.HANDSHAKE, Stage.PROMPT):
        wanted += [(stage, *combination, False) for combination in COMBINATIONS]
    wanted.append((Stage.PROMPT, P_256, TLS_1_3, True))
    found: dict[tuple[Stage, str, str, bool], dict[str, list[float]]] = {each: {OWN: [], THEIRS: []} for each in wanted}
    for _ in range(runs):
        for stage, kind, tls, post_quantum in wanted:
            for server, kib in found[stage, kind, tls, post_quantum].items():
                kib.append(bench.memory_kib(server, kind, tls, stage, post_quantum))
    rows = [
        [
            stage.value,
            "any" if stage is Stage.HALF_OPEN else f"{kind}, {tls}{', post-quantum' * post_quantum}",
            median_and_range(kib[OWN], 1),
            median_and_range(kib[THEIRS], 1),
        ]
        for (stage, kind, tls, post_quantum), kib in found.items()
    ]
    print_table(["left", "key, TLS", f"{OWN}, KiB each", f"{THEIRS}, KiB each"], rows)
    most = max(statistics.median(kib[OWN]) for kib in found.values())
    print(f"aim: at most {AIM_KIB} KiB: {'reached' if most <= AIM_KIB else 'missed'}; at most {most:.1f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=16, help="eapol_test processes at once (default 16)")
    parser.add_argument("--logins", type=int, default=20, help="logins of each in one run (default 20)")
    parser.add_argument("--open", type=int, default=300, help="conversations that are left open (default 300)")
    parser.add_argument("--runs", type=int, default=3, help="runs of each, in turn (default 3)")
    parser.add_argument("--only", choices=("cpu", "memory"), help="only one of the two")
    parser.add_argument("--profile", action="store_true", help="only show where our time goes")
    options = parser.parse_args()
    if shutil.which(PROGRAM) is None:
        raise BenchFault(f"{PROGRAM} is not installed: the package eapoltest has it (sudo make peers)")
    other = cores()[1]
    with tempfile.TemporaryDirectory() as name:
        api = start_api(Path(name), other, push_s=0)
        with api.process:
            api.stats()
            bench = Bench(Path(name), api, options)
            os.sched_setaffinity(0, {other})
            if options.profile:
                bench.profile(P_256, TLS_1_3)
                return
            if options.only != "memory":
                measure_cpu(bench, options.runs)
            if options.only != "cpu":
                measure_memory(bench, options.runs)
            asked = api.stats()
            if asked["preauth"] or asked["auth"]:
                raise BenchFault(f"the API was asked, though nobody needs a second factor: {asked}")


if __name__ == "__main__":
    main()
