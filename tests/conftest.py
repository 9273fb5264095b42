"""What every test may use: the marker `needs_peer`, the list of missing peers at the end, Hypothesis' settings."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from tests.peers.peer import INSTALL_COMMAND, Absence, meaning_of_absence, missing, reason

_PROPERTY = "missing_peer"

# A slow machine is no failure: pytest-timeout has the deadline. In CI the examples are the same in every run.
settings.register_profile("default", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", settings.get_profile("default"), derandomize=True, print_blob=True)
settings.register_profile("long", settings.get_profile("default"), max_examples=20_000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if os.environ.get("CI") else "default"))


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip or fail a test whose peers are not installed, before any fixture of it starts."""
    names = [name for mark in item.iter_markers("needs_peer") for name in mark.args]
    absent = missing(names)
    if not absent:
        return
    # user_properties travel with the report from a worker of pytest-xdist.
    item.user_properties.extend((_PROPERTY, f"{each.name} ({each.package})") for each in absent)
    if meaning_of_absence(os.environ) is Absence.FAILURE:
        pytest.fail(reason(absent), pytrace=False)
    pytest.skip(reason(absent))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """End with the peers that tests missed, and the command that brings them."""
    reports = [*terminalreporter.stats.get("skipped", []), *terminalreporter.stats.get("error", [])]
    absent: dict[str, int] = {}
    for name in _missing_peers(reports):
        absent[name] = absent.get(name, 0) + 1
    if not absent:
        return
    terminalreporter.section("peers that are not installed")
    for name, tests in sorted(absent.items()):
        terminalreporter.write_line(f"{name}: {tests} test{'s' if tests != 1 else ''} not run")
    terminalreporter.write_line(f"`{INSTALL_COMMAND}` brings them (services are not started).")


def _missing_peers(reports: Iterable[Any]) -> Iterator[str]:
    for report in reports:
        for key, value in getattr(report, "user_properties", ()):
            if key == _PROPERTY:
                yield value
