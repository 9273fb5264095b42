"""sshd with pam_radius_auth: real users of a real device log in with a prompt."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.peers.challenge_lab import CHALLENGE, DUO_ONLY, ChallengeLab, running_challenge_lab
from tests.peers.peer import peer
from tests.peers.sandbox import PASSWORD, RADIUS_SECRET
from tests.peers.sshd import USER, Sshd, running_sshd

pytestmark = [
    pytest.mark.needs_peer("sshd", "ssh", "pam_radius_auth"),
    pytest.mark.skipif(os.geteuid() != 0, reason="writes a PAM service, which only root may"),
]
MakeLab = Callable[..., tuple[ChallengeLab, Sshd]]


@pytest.fixture
def sshd(tmp_path: Path) -> Iterator[MakeLab]:
    """Run proxy and sshd; arguments: how the user's phone behaves, and the section that is asked."""
    with contextlib.ExitStack() as stack:

        def start(behaviour: str, section: str = CHALLENGE) -> tuple[ChallengeLab, Sshd]:
            lab = stack.enter_context(running_challenge_lab(tmp_path / "proxy", {USER: behaviour}))
            server, client = peer("sshd").path(), peer("ssh").path()
            assert server is not None
            assert client is not None
            device = running_sshd(tmp_path / "sshd", server, client, lab.address(section), RADIUS_SECRET)
            return lab, stack.enter_context(device)

        yield start


def test_push_phone_passcode_and_mended_passcode(sshd: MakeLab) -> None:
    """The prompt of the proxy is what the user of ssh sees."""
    lab, device = sshd("push approve-after 0 passcode 424242")
    push = device.login("push", [PASSWORD, "1"])
    assert push.accepted, push.output + lab.server.output()
    assert "Duo two-factor login for sync" in push.prompts[1]
    assert "1. Duo Push to" in push.prompts[1]
    assert device.login("phone", [PASSWORD, "phone"]).accepted
    assert device.login("passcode", [PASSWORD, "424242"]).accepted
    mended = device.login("mended", [PASSWORD, "000000", "424242"])
    assert mended.accepted, mended.output
    assert "Incorrect passcode" in mended.prompts[2]


def test_codes_by_sms_and_then_one_of_them(sshd: MakeLab) -> None:
    """sms sends codes and prompts again; a code of them lets in, once; so does a push after them."""
    lab, device = sshd("push approve-after 0")
    codes: list[str] = []

    def a_code() -> str:
        codes.append(lab.new_sms_code(USER))
        return codes[0]

    sms = device.login("sms", [PASSWORD, "sms", a_code])
    assert sms.accepted, sms.output + lab.server.output()
    assert "Enter one of them." in sms.prompts[2]
    assert lab.controls.asked(USER) == {"sms": 1, "passcode": 1}
    again = device.login("again", [PASSWORD, *codes, *codes, *codes])
    assert not again.accepted
    assert "Incorrect passcode" in again.prompts[2]
    assert device.login("push", [PASSWORD, "sms", "push"]).accepted


def test_wrong_password_and_three_wrong_passcodes(sshd: MakeLab) -> None:
    """Nobody gets in, and the third wrong passcode is the last."""
    lab, device = sshd("push approve-after 0 passcode 424242")
    assert not device.login("password", ["wrong"]).accepted
    assert lab.controls.asked(USER) == {}
    wrong = device.login("passcodes", [PASSWORD, "000000", "111111", "222222", "424242"])
    assert not wrong.accepted
    assert len(wrong.prompts) == 4


def test_a_denied_push(sshd: MakeLab) -> None:
    """Is the end of the login."""
    _, device = sshd("push deny-after 0")
    denied = device.login("denied", [PASSWORD, "push"])
    assert not denied.accepted
    assert len(denied.prompts) == 2


def test_a_push_that_nobody_answers(sshd: MakeLab) -> None:
    """sshd waits as long as Duo does; then it is the end of the login, and the next one is a login of its own."""
    lab, device = sshd("push timeout 2")
    unanswered = device.login("unanswered", [PASSWORD, "push"])
    assert not unanswered.accepted
    assert len(unanswered.prompts) == 2
    assert lab.controls.asked(USER) == {"push": 1}
    lab.server.wait_for_output(rf"user='{USER}' .*cause=factor-refused .*Duo says timeout")
    assert not device.login("next", [PASSWORD, "push"]).accepted
    assert lab.controls.asked(USER) == {"push": 2}


def test_enrollment(sshd: MakeLab) -> None:
    """The address is shown; the answer does not count."""
    _, device = sshd("enroll")
    enrolled = device.login("enroll", [PASSWORD, "push"])
    assert not enrolled.accepted
    assert "https://" in enrolled.prompts[1]


def test_the_field_as_a_factor(sshd: MakeLab) -> None:
    """[radius_server_duo_only] behind a module that asks for one thing."""
    _, device = sshd("push approve-after 0 passcode 424242", DUO_ONLY)
    assert device.login("passcode", ["424242"]).accepted
    assert device.login("push", ["push"]).accepted
    assert not device.login("wrong", ["000000"]).accepted
