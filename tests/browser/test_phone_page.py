"""Headless Chromium uses the sandbox's phone page as a person would."""

from __future__ import annotations

import sys
import threading
from typing import Any

import duo_client
import pytest

from tests.browser.chromium import Page
from tests.peers.conftest import StartServer
from tests.peers.ports import free_port
from tests.peers.proxy import proxy_environment
from tests.peers.sandbox_duo_process import IKEY, READY, SKEY
from tests.peers.server import output_matches

pytestmark = [
    pytest.mark.needs_peer("chromium"),
    pytest.mark.filterwarnings("ignore:ssl.PROTOCOL_TLS is deprecated:DeprecationWarning"),
]

BUTTON = "[...document.querySelectorAll('button')].find((one) => one.getAttribute('aria-label') === {label!r})"


@pytest.fixture
def phone(run_server: StartServer, page: Page) -> tuple[Page, Any]:
    """The open page, and a client of the stand-in behind it."""
    port = free_port()
    server = run_server(
        "stand-in",
        [sys.executable, "-m", "tests.peers.sandbox_duo_process", str(port), "ca.pem", "alice push", "erin enroll"],
        ready=output_matches(READY),
        environment=proxy_environment(),
    )
    page.open(f"https://localhost:{port}/phone/")
    page.wait_for("document.getElementById('announcement')?.textContent === 'Connected.'", "the page to connect")
    client = duo_client.Auth(IKEY, SKEY, "localhost", port=port, ca_certs=str(server.folder / "ca.pem"), timeout=60)
    return page, client


def click(page: Page, label: str) -> None:
    button = BUTTON.format(label=label)
    page.wait_for(f"!!{button}", f"the button {label!r}")
    page.run(f"{button}.click()")


@pytest.mark.parametrize(
    ("label", "status", "said"),
    [
        ("Approve: push for alice", "allow", "alice: Approve"),
        ("Deny: push for alice", "deny", "alice: Deny"),
        ("Report as fraud: push for alice", "fraud", "alice: Report as fraud"),
    ],
)
def test_a_push_is_answered_with_a_button(phone: tuple[Page, Any], label: str, status: str, said: str) -> None:
    """A push appears by itself with its details; a click ends the login, and is announced."""
    page, client = phone
    answers: list[dict[str, str]] = []
    details = "application=%3Cb%3EVPN%3C/b%3E"
    caller = threading.Thread(
        target=lambda: answers.append(client.auth("push", username="alice", device="auto", pushinfo=details))
    )
    caller.start()
    page.wait_for("document.title === '(1) Sandbox phone'", "the push in the title")
    assert page.run("document.querySelector('#waiting h3').textContent") == "Push for alice"
    assert "<b>VPN</b>" in page.run("document.querySelector('#waiting dl').textContent")
    click(page, label)
    caller.join(60)
    assert [answer["status"] for answer in answers] == [status]
    page.wait_for(f"document.getElementById('announcement').textContent === {said!r}", "the announcement")
    page.wait_for("document.querySelectorAll('#waiting li').length === 0", "the push to go away")
    assert page.run("document.activeElement.id") == "waiting-title"


def test_a_user_enrolls_with_a_button(phone: tuple[Page, Any]) -> None:
    """Whoever is told to enroll appears on the page, and has a phone after a click."""
    page, client = phone
    assert client.preauth(username="erin")["result"] == "enroll"
    button = "document.querySelector('#enrollments button')"
    page.wait_for(f"{button}?.textContent === 'Enroll a phone for erin'", "the button")
    page.run(f"{button}.click()")
    page.wait_for("document.getElementById('announcement').textContent === 'erin has a phone now'", "the announcement")
    assert client.preauth(username="erin")["result"] == "auth"
