"""ocserv with openconnect: users of a real VPN log in through the proxy, and their traffic goes through the tunnel."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.peers.challenge_lab import CHALLENGE, ChallengeLab, running_challenge_lab
from tests.peers.ocserv import Ocserv, running_ocserv
from tests.peers.peer import peer
from tests.peers.sandbox import PASSWORD, RADIUS_SECRET

pytestmark = [
    pytest.mark.needs_peer("ocserv", "openconnect", "ip", "ping"),
    pytest.mark.skipif(os.geteuid() != 0, reason="makes a network namespace, which only root may"),
]

USERS = {
    "alice": "push phone approve-after 0 passcode 424242",
    "dave": "push deny-after 0",
    "erin": "enroll",
    "heidi": "push timeout 0.5",
}


@dataclass(frozen=True)
class Vpn:
    """The proxy and the device before it."""

    lab: ChallengeLab
    device: Ocserv


@pytest.fixture(scope="module")
def vpn(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Vpn]:
    folder = tmp_path_factory.mktemp("vpn")
    server, client = peer("ocserv").path(), peer("openconnect").path()
    assert server is not None
    assert client is not None
    with (
        running_challenge_lab(folder / "proxy", USERS) as lab,
        running_ocserv(folder / "ocserv", server, client, lab.address(CHALLENGE), RADIUS_SECRET) as device,
    ):
        yield Vpn(lab, device)


@pytest.mark.parametrize(
    ("answers", "shown"),
    [
        (("push",), "1. Duo Push to XXX-XXX-"),
        (("1",), "Passcode or option (1-5)"),
        (("phone",), "2. Phone call to XXX-XXX-"),
        (("424242",), "Duo two-factor login for alice"),
        (("000000", "424242"), "Incorrect passcode"),
    ],
)
def test_a_user_logs_in_with_each_factor(vpn: Vpn, answers: tuple[str, ...], shown: str) -> None:
    """The prompt of the proxy is what the user of the VPN sees; a wrong code may be mended."""
    login = vpn.device.login("alice", PASSWORD, *answers)
    assert login.accepted, login.shown + vpn.device.server.output() + vpn.lab.server.output()
    assert shown in login.shown


def test_codes_by_sms_and_then_one_of_them(vpn: Vpn) -> None:
    """sms sends codes and prompts again; a code of them lets in."""
    login = vpn.device.login("alice", PASSWORD, "sms", lambda: vpn.lab.new_sms_code("alice"))
    assert login.accepted, login.shown
    assert "SMS passcodes sent" in login.shown


def test_traffic_goes_through_the_tunnel(vpn: Vpn) -> None:
    """After the second factor the tunnel stands: a ping inside it is answered, and was not before."""
    assert not vpn.device.ping_goes_through()
    login = vpn.device.login("alice", PASSWORD, "push")
    with vpn.device.tunnel(login):
        assert vpn.device.ping_goes_through()


def test_a_wrong_password_asks_for_no_factor(vpn: Vpn) -> None:
    """The user is refused before anything rings."""
    before = vpn.lab.controls.asked("dave")
    login = vpn.device.login("dave", "wrong")
    assert not login.accepted
    assert "Duo two-factor login" not in login.shown
    assert vpn.lab.controls.asked("dave") == before


@pytest.mark.parametrize("user", ["dave", "heidi"])
def test_a_push_that_is_denied_or_not_answered_lets_nobody_in(vpn: Vpn, user: str) -> None:
    """The proxy rejects; ocserv itself tells its user no more than that."""
    login = vpn.device.login(user, PASSWORD, "push")
    assert not login.accepted
    assert "401 Authentication failed" in login.shown, login.shown
    assert vpn.lab.controls.asked(user) == {"push": 1}


def test_who_is_not_enrolled_is_shown_where_to_enroll(vpn: Vpn) -> None:
    """The address comes as a prompt, and no answer to it lets in."""
    login = vpn.device.login("erin", PASSWORD, "push")
    assert not login.accepted
    assert "https://" in login.shown.partition("Password:")[2], login.shown
