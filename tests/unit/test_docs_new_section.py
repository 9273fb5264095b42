"""docs/new-section.md: its code is whole, and does what the page says."""

from __future__ import annotations

import re
import sys
import textwrap
import types
from pathlib import Path
from typing import Any

import pytest

from duoproxy.secret import Secret
from duoproxy.testing import make_environment, make_request, run_now

PAGE = Path(__file__).parents[2] / "docs/new-section.md"
BLOCK = re.compile(r"(?:^(?:    .*)?\n)+", re.MULTILINE)


def code_below(*headings: str) -> str:
    """Everything that is indented below these headings."""
    parts = dict(re.findall(r"^## (.*?)\n(.*?)(?=^## |\Z)", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL))
    blocks = (BLOCK.findall(parts[heading]) for heading in headings)
    return "\n".join(textwrap.dedent(block) for found in blocks for block in found)


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The module that a reader gets who takes options and client section as they stand there."""
    module = types.ModuleType("page")
    monkeypatch.setitem(sys.modules, "page", module)
    exec(compile(code_below("The options", "A client section"), str(PAGE), "exec"), module.__dict__)
    return module.__dict__


def test_the_client_section_of_the_page_checks_passwords(page: dict[str, Any]) -> None:
    """Copied as it stands, with nothing but what the page imports."""
    settings = page["OnePasswordSettings"](user={1: "alice"}, password=Secret("secret"))
    section = page["OnePasswordClient"](settings, make_environment("one_password_client"))
    assert run_now(section.authenticate(make_request("alice", "secret"))).accepted
    assert not run_now(section.authenticate(make_request("alice", "wrong"))).accepted
    assert not run_now(section.authenticate(make_request("bob", "secret"))).accepted


def test_the_package_of_the_page_is_that_of_the_example() -> None:
    """What pip is told stands there as in the example that the tests install."""
    told = code_below("The package")
    example = PAGE.parents[1] / "tests/plugin_example"
    for line in ("pyproject.toml", "setup.cfg"):
        for said in (example / line).read_text("utf-8").splitlines():
            assert said in told or said.startswith(("description", "python_requires"))
