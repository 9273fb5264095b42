"""The pages about operation: what they tell programs to look at, and to do, is there."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from duoproxy.duoapi.limits import CALL_S, CONNECT_S, LOGIN_BUDGET_S, USER_S
from duoproxy.radius.challenges import CHALLENGE_LIFE_S
from duoproxy.sandbox.faults import fault_from_json
from duoproxy.sections.contracts import Section
from duoproxy.sections.registry import load_registry

ROOT = Path(__file__).parents[2]
OPTIONS = {
    (name, option.name): option.default
    for name, schema in load_registry(found=()).catalogue.schemas.items()
    for option in schema.options
}


def page(name: str) -> str:
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


FAULTS = re.findall(r'(\{"kind": .*?\})[`\']', page("how-to/outage-drill.md"))


@pytest.mark.parametrize("fault", sorted(set(FAULTS)))
def test_a_fault_of_the_drill_is_one_of_the_sandbox(fault: str) -> None:
    """What the page sends, the sandbox takes."""
    assert fault_from_json(json.loads(fault)).kind.value in fault


def test_the_drill_has_faults() -> None:
    """A page whose faults the pattern does not find would be held by nothing."""
    assert len(set(FAULTS)) >= 5


def test_the_keys_to_watch_are_those_of_a_section() -> None:
    """Each key below `sections` is one that the contract names."""
    keys = re.findall(r"`sections\.\*\.([a-z_]+)(?:\[\])?(?:\.([a-z_]+))?`", page("how-to/monitor.md"))
    contract = Section.status.__doc__ or ""
    assert len(keys) >= 7
    assert [key for key, _ in keys if f"`{key}`" not in contract] == []
    assert [inner for _, inner in keys if inner and f'"{inner}"' not in contract] == []


def test_the_table_of_time_outs_has_the_defaults() -> None:
    """Whoever adds the waits up adds the right ones."""
    table = page("explanation/time-outs.md").partition("| who waits |")[2].partition("\n\n")[0]
    retries, wait = OPTIONS["radius_client", "retries"], OPTIONS["radius_client", "retry_wait"]
    assert f"{retries} × {wait} s" in table
    assert f"`timeout` for each host: {OPTIONS['ad_client', 'timeout']} s" in table
    assert f"{LOGIN_BUDGET_S:.0f} s in all; {CONNECT_S:.0f} s of it for a connection, {CALL_S:.0f} s for an" in table
    assert f"| the user, through Duo | {USER_S:.0f} s;" in table
    assert f"| an answer to a prompt | {CHALLENGE_LIFE_S:.0f} s |" in table
    assert f"| pending logins | {OPTIONS['main', 'shutdown_grace']} s |" in table
    stop = re.search(r"^TimeoutStopSec=(\d+)$", (ROOT / "conf/duoauthproxy.service").read_text("utf-8"), re.MULTILINE)
    assert stop is not None
    assert f"| this proxy | {stop[1]} s:" in table
