"""The limit of open files: raised, or said and kept to."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from unittest import mock

import pytest

from duoproxy.service.descriptors import logins_that_fit, raise_descriptor_limit


class Limits:
    """A process's limit of open files, whose hard limit nobody may raise."""

    def __init__(self, soft: int, hard: int) -> None:
        self.now = (soft, hard)

    def get(self, _: int) -> tuple[int, int]:
        return self.now

    def set(self, _: int, wanted: tuple[int, int]) -> None:
        if wanted[1] > self.now[1] != resource.RLIM_INFINITY:
            raise ValueError("not allowed to raise maximum limit")
        self.now = wanted


@pytest.fixture
def limits(request: pytest.FixtureRequest) -> Iterator[Limits]:
    made = Limits(*request.param)
    with mock.patch.object(resource, "getrlimit", made.get), mock.patch.object(resource, "setrlimit", made.set):
        yield made


@pytest.mark.parametrize("limits", [(1024, 20_000)], indirect=True)
def test_the_soft_limit_is_raised_as_far_as_logins_need(limits: Limits) -> None:
    """Every pending login can hold a connection; nothing is to be said."""
    assert raise_descriptor_limit(10_000) == ""
    assert limits.now == (10_512, 20_000)
    assert logins_that_fit(10_000) == 10_000


@pytest.mark.parametrize("limits", [(1024, 4096)], indirect=True)
def test_a_limit_that_stays_too_low_is_said_with_what_follows(limits: Limits) -> None:
    """The warning names the limit, the remedy, and how many logins may wait until then."""
    assert raise_descriptor_limit(10_000) == (
        "The limit of open files is 4096, but max_pending_logins=10000 needs 10512: set LimitNOFILE=10512 in the "
        "systemd unit (or ulimit -n), or lower max_pending_logins in [main]. Until then at most 3584 logins wait at "
        "once, and further ones are rejected."
    )


@pytest.mark.parametrize("limits", [(1024, 4096)], indirect=True)
def test_connections_beside_logins_are_counted(limits: Limits) -> None:
    """Two for each client of LDAP and of [http_proxy]: their descriptors are not those of logins."""
    said = raise_descriptor_limit(10_000, 1_000)
    others = "1000 connections of LDAP (max_connections) and [http_proxy]"
    assert f"max_pending_logins=10000 with {others} needs 11512" in said
    assert logins_that_fit(10_000, 1_000) == 4096 - 1_000 - 512


@pytest.mark.parametrize(
    ("limits", "expected"),
    [((4096, 4096), 3584), ((120, 120), 60), ((1, 1), 1), ((resource.RLIM_INFINITY, resource.RLIM_INFINITY), 10_000)],
    indirect=["limits"],
)
def test_never_more_logins_wait_than_there_are_descriptors_for(limits: Limits, expected: int) -> None:
    """Running out of descriptors must not look like an outage, which failmode=safe would let users in on."""
    assert logins_that_fit(10_000) == expected
