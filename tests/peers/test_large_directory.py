"""[ad_client] does not grow with its directory: 100,000 users and a group that has all of them, beside 100 of each.

What slapd needs for a group of that size is its own (it reads the whole entry for each question). Held flat here is our
process: its processor time for a login and its memory; a login as a whole has a little room for slapd. The figures are
printed (`-s` shows them).
"""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.peers.ad_client_driver import Driver, running_driver
from tests.peers.slapd import PASSWORD, PEERS, PEOPLE, group, group_dn, person, running_slapd

pytestmark = [pytest.mark.needs_peer(*PEERS), pytest.mark.long]

SMALL, LARGE = 100, 100_000
LOGINS = 300
WARM_UP = 50
SECTIONS = {"ad_client": "no group", "ad_client2": "direct member", "ad_client3": "through another group"}
GROWTH = 1.5
"""How much more processor time a login may take; there is noise in a few milliseconds."""
SLAPD_MS = 10
MEMORY_KIB = 4 * 1024


@dataclass(frozen=True)
class Figures:
    """What was measured for one section: medians of a login, and the memory of the process afterwards."""

    login_ms: float
    cpu_ms: float
    memory_kib: int


def measure(driver: Driver, section: str, users: int) -> Figures:
    """Log users in, one after the other, from all over the directory."""
    names = [f"user{number * 7919 % users}" for number in range(WARM_UP + LOGINS)]
    for name in names[:WARM_UP]:
        assert driver.ask(section, name, PASSWORD).accepted
    took = []
    cpu = driver.cpu_s()
    for name in names[WARM_UP:]:
        started = time.monotonic()
        assert driver.ask(section, name, PASSWORD).accepted
        took.append(time.monotonic() - started)
    cpu = driver.cpu_s() - cpu
    return Figures(1000 * statistics.median(took), 1000 * cpu / LOGINS, driver.memory_kib())


def measure_all(folder: Path, users: int) -> dict[str, Figures]:
    """Run a directory of this size, and log in with and without groups."""
    everybody = (person(f"user{number}") for number in range(users))
    members = [f"uid=user{number},{PEOPLE}" for number in range(users)]
    groups = [group("all", members), group("around", [group_dn("all")])]
    loading = time.monotonic()
    with running_slapd(folder / "slapd", [*everybody, *groups], stats=False) as slapd:
        print(f"\n{users} users: loaded in {time.monotonic() - loading:.0f} s")
        nested = {"security_group_dn": group_dn("around"), "nested_groups": "true"}
        sections = {
            "ad_client": slapd.options(),
            "ad_client2": slapd.options("clear", security_group_dn=group_dn("all")),
            "ad_client3": slapd.options("clear", **nested),
        }
        with running_driver(folder / "driver", sections) as driver:
            figures = {section: measure(driver, section, users) for section in sections}
    for section, found in figures.items():
        print(
            f"{users} users, {SECTIONS[section]}: login {found.login_ms:.2f} ms, processor time here "
            f"{found.cpu_ms:.2f} ms, memory {found.memory_kib} KiB"
        )
    return figures


def test_a_login_costs_the_same_in_a_directory_of_100_and_of_100_000_users(tmp_path: Path) -> None:
    """Login time (ours) and memory are flat; no member of a large group is fetched."""
    small, large = (measure_all(tmp_path / str(users), users) for users in (SMALL, LARGE))
    for section in SECTIONS:
        assert large[section].cpu_ms < GROWTH * small[section].cpu_ms + 0.5, (small, large)
        assert large[section].login_ms < GROWTH * small[section].login_ms + SLAPD_MS, (small, large)
        assert large[section].memory_kib < small[section].memory_kib + MEMORY_KIB, (small, large)
