"""The first login, judged by radclient: RADIUS in, password checked, Duo asked, answer out, by the real program."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

import pytest

from tests.peers.conftest import RunSandbox
from tests.peers.sandbox import PASSWORD, RADIUS_SECRET, SandboxProxy

pytestmark = pytest.mark.needs_peer("radclient")

DEADLINE_S = 30
Login = Callable[[SandboxProxy, str, str], str]


@pytest.fixture
def login(program: Callable[[str], str]) -> Login:
    def send(to: SandboxProxy, user: str, password: str) -> str:
        """Send one Access-Request; give the line with which radclient tells the answer."""
        attributes = f'User-Name = "{user}"\nUser-Password = "{password}"\nMessage-Authenticator = 0x00\n'
        command = [program("radclient"), "-x", "-r", "1", "-t", "20", to.radius_address, "auth", RADIUS_SECRET]
        done = subprocess.run(
            command, input=attributes, capture_output=True, text=True, timeout=DEADLINE_S, check=False
        )
        answers = [line for line in done.stdout.splitlines() if line.startswith("Received ")]
        assert len(answers) == 1, done.stdout + done.stderr + to.server.output()
        return answers[0].split()[1]

    return send


@pytest.mark.parametrize(
    ("user", "password", "answer"),
    [
        ("alice", PASSWORD, "Access-Accept"),
        ("alice", "wrong", "Access-Reject"),
        ("dave", PASSWORD, "Access-Reject"),
        ("frank", PASSWORD, "Access-Accept"),
        ("carol", f"{PASSWORD},424242", "Access-Accept"),
        ("carol", f"{PASSWORD},000000", "Access-Reject"),
        ("nobody", PASSWORD, "Access-Reject"),
    ],
)
def test_a_login_needs_the_password_and_the_second_factor(
    run_sandbox: RunSandbox, login: Login, user: str, password: str, answer: str
) -> None:
    """A user with the password and an approved push (or passcode, or a bypass in Duo) is accepted; nobody else is."""
    assert login(run_sandbox(), user, password) == answer
