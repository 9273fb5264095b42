"""Fixtures for tests with a real browser; the processes beside it are those of tests/peers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.browser.chromium import Page
from tests.peers.conftest import program, run_server, running

__all__ = ["page", "program", "run_server", "running"]


@pytest.fixture
def page(program: Callable[[str], str], tmp_path: Path) -> Iterator[Page]:
    """A page in a headless Chromium with an empty profile."""
    folder = tmp_path / "chromium"
    folder.mkdir()
    made = Page(program("chromium"), folder)
    try:
        made.attach()
        yield made
    finally:
        made.close()
