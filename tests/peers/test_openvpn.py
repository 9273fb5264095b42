"""OpenVPN with pam_radius_auth: a VPN without a second prompt, so the factor is chosen, or appended to the password."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.peers.lab import Lab, running_lab
from tests.peers.openvpn import OpenVpn, running_openvpn
from tests.peers.peer import peer
from tests.peers.sandbox import PASSWORD, RADIUS_SECRET

pytestmark = [
    pytest.mark.needs_peer("openvpn", "pam_radius_auth", "ip", "ping"),
    pytest.mark.skipif(os.geteuid() != 0, reason="makes a network namespace, which only root may"),
]
USERS = {"alice": "push approve-after 1", "carol": "passcode 424242", "dave": "push deny-after 0"}


@dataclass(frozen=True)
class Vpn:
    """The proxy and the device before it."""

    lab: Lab
    device: OpenVpn


@pytest.fixture(scope="module")
def vpn(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Vpn]:
    folder = tmp_path_factory.mktemp("vpn")
    program = peer("openvpn").path()
    assert program is not None
    with (
        running_lab(folder / "proxy", {"vpn": {}}, USERS) as lab,
        running_openvpn(folder / "openvpn", program, lab.addresses["vpn"], RADIUS_SECRET) as device,
    ):
        yield Vpn(lab, device)


@pytest.mark.parametrize(("user", "password"), [("alice", PASSWORD), ("carol", f"{PASSWORD},424242")])
def test_traffic_goes_through_after_the_second_factor(vpn: Vpn, user: str, password: str) -> None:
    """A push that is approved while the VPN waits, or an appended passcode, opens the tunnel."""
    assert not vpn.device.ping_goes_through()
    with vpn.device.login(user, password) as is_open:
        assert is_open, vpn.device.server.output() + vpn.lab.log()
        assert vpn.device.ping_goes_through()


@pytest.mark.parametrize(
    ("user", "password", "asked"), [("dave", PASSWORD, {"push": 1}), ("erin", "wrong", {})], ids=["denied", "wrong"]
)
def test_nobody_else_gets_in(vpn: Vpn, user: str, password: str, asked: dict[str, int]) -> None:
    """A denied push and a wrong password end the login; one login is one push."""
    with vpn.device.login(user, password) as is_open:
        assert not is_open
    assert vpn.lab.controls.asked(user) == asked
