"""Sections of Duo's proxy that are no part of this one: the start goes on without them."""

from __future__ import annotations

from pathlib import Path

import pytest

from duoproxy.config.validate import load_configuration
from duoproxy.sections.registry import LEFT_OUT, load_registry
from tests.unit.sections.pap_section import problems, write

AUTO = "radius_server_auto"
OLD = {
    "radius_server_iframe": "type=citrix_netscaler_rfwebui\nikey=DIX\nskey=x\napi_host=api-1.example\nfailmode=safe\n"
    "client=duo_only_client\nradius_ip_1=10.0.0.1\nradius_secret_1=x\nport=1812",
    "cloud": "ikey=DIX\nskey_protected=AQAAANCMnd8\napi_host=api-1.example\nservice_account_username=svc",
    "sso": "rikey=RIXXXXXXXXXXXXXXXXXX\nservice_account_username=svc\nservice_account_password=x",
}


def test_every_section_that_is_left_out_is_tried_here() -> None:
    """The test below holds for all of them."""
    assert set(OLD) == set(LEFT_OUT)


@pytest.mark.parametrize("number", ["", "2"])
@pytest.mark.parametrize("name", OLD)
def test_one_warning_each_and_the_start_goes_on(tmp_path: Path, name: str, number: str) -> None:
    """Whatever its options are: what it was, and what to use."""
    lines = f"client=duo_only_client\n[{name}{number}]\n{OLD[name]}"
    [warning] = problems(tmp_path, AUTO, lines)
    assert warning == f"warning: authproxy.cfg:9 [{name}{number}]: {LEFT_OUT[name]}."
    loaded = load_configuration(write(tmp_path, AUTO, lines), load_registry([]).catalogue)
    assert [server.name for server in loaded.servers] == [AUTO]


def test_a_file_with_nothing_else_does_not_start(tmp_path: Path) -> None:
    """Nothing would listen; the warnings are told beside."""
    found = problems(tmp_path, "cloud")
    assert any("no server section is active" in problem for problem in found)
    assert any("copies a directory to Duo" in problem for problem in found)


def test_a_slip_in_such_a_name_is_told(tmp_path: Path) -> None:
    """Near a known name."""
    [error] = problems(tmp_path, AUTO, "[radius_server_ifram]\ntype=x")
    assert "Did you mean [radius_server_iframe]?" in error
