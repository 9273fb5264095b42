"""strongSwan with IKEv1 and XAuth: an IPsec gateway asks the proxy, and traffic goes through after the push."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.peers.ports import free_ports
from tests.peers.sandbox import PASSWORD, SandboxPorts, sandbox_sections
from tests.peers.strongswan import StrongSwan, running_strongswan

pytestmark = [
    pytest.mark.needs_peer(
        "charon", "swanctl", "xauth-radius", "xauth-generic", "libstrongswan", "libipsec", "ip", "ping"
    ),
    pytest.mark.skipif(os.geteuid() != 0, reason="makes network namespaces, which only root may"),
]
USERS = {"alice": "push approve-after 1", "dave": "push deny-after 0", "frank": "push approve-after 0"}
PASSWORDS = {"alice": PASSWORD, "dave": PASSWORD, "frank": "wrong"}


@pytest.fixture(scope="module")
def vpn() -> Iterator[StrongSwan]:
    api, radius = free_ports(2)
    sections = sandbox_sections(SandboxPorts(radius, api), USERS)
    with (
        tempfile.TemporaryDirectory(prefix="dpss") as folder,
        running_strongswan(Path(folder), sections, radius, PASSWORDS) as running,
    ):
        yield running


def test_traffic_goes_through_after_the_push(vpn: StrongSwan) -> None:
    """XAuth waits while the push rings; with its approval the tunnel stands."""
    assert not vpn.ping_goes_through()
    assert vpn.login("alice"), vpn.proxy.output()
    assert vpn.ping_goes_through()
    assert vpn.proxy.output().count("user='alice'") == 1


@pytest.mark.parametrize(("user", "cause"), [("dave", "cause=factor-refused"), ("frank", "cause=password-refused")])
def test_nobody_else_gets_in(vpn: StrongSwan, user: str, cause: str) -> None:
    """A denied push and a wrong password are refused by the gateway; each is one login."""
    assert not vpn.login(user)
    lines = [line for line in vpn.proxy.output().splitlines() if f"user='{user}'" in line]
    assert len(lines) == 1
    assert cause in lines[0]
