"""The proxy under attack, and what is asked behind each test: whether others are served as ever."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.peers.ldap_abuse.lab import AbuseLab, dn, running_abuse_lab
from tests.peers.slapd import PASSWORD


@pytest.fixture(scope="module")
def abuse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AbuseLab]:
    """The proxy, and the directory behind it."""
    with running_abuse_lab(tmp_path_factory) as running:
        yield running


@pytest.fixture(autouse=True)
def others_log_in(abuse: AbuseLab) -> Iterator[None]:
    """Whatever a test did, the next good login works."""
    abuse.lab.controls.reset()
    yield
    assert abuse.whoami("auto", dn("alice"), PASSWORD) == 0
