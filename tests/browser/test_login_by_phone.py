"""A whole login as a person sees it: radclient asks, Chromium shows the push, a press on a button decides."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.browser.chromium import Page
from tests.peers.lab import Lab, running_lab
from tests.peers.radclient import Answer, Radclient, login
from tests.peers.sandbox import PASSWORD

pytestmark = pytest.mark.needs_peer("chromium", "radclient")

CARD = "document.querySelector('#waiting li')"
BUTTON = "[...document.querySelectorAll('#waiting button')].find((one) => one.textContent === {word!r})"
CLIENT = "203.0.113.9"


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    with running_lab(tmp_path / "proxy", {"vpn": {}}, {"alice": "push"}) as running:
        yield running


@pytest.mark.parametrize(
    ("word", "code", "said"),
    [
        ("Approve", "Access-Accept", "Success. Logging you in..."),
        ("Deny", "Access-Reject", "Login request denied."),
    ],
)
def test_a_login_ends_as_the_button_on_the_phone_says(
    lab: Lab, page: Page, program: Callable[[str], str], word: str, code: str, said: str
) -> None:
    """The device waits while the push is on the phone page; Approve is an Access-Accept, Deny an Access-Reject."""
    page.open(f"https://localhost:{lab.controls.port}/phone/")
    page.wait_for("document.getElementById('announcement')?.textContent === 'Connected.'", "the page to connect")
    answers: list[Answer] = []
    pairs = login("alice", PASSWORD, ("Calling-Station-Id", CLIENT))
    radclient = Radclient(program("radclient"))
    asking = threading.Thread(target=lambda: answers.append(radclient.send(lab.addresses["vpn"], pairs, wait_s=60)))
    asking.start()
    page.wait_for(f"{CARD} !== null", "the push on the page")
    shown = page.run(f"{CARD}.innerText")
    assert "Push for alice" in shown
    assert CLIENT in shown
    assert answers == []
    page.press(BUTTON.format(word=word))
    asking.join(60)
    assert [answer.code for answer in answers] == [code], lab.log()
    assert answers[0].values("Reply-Message") == [said]
    page.wait_for(f"{CARD} === null", "the push to go away")
    assert lab.controls.asked("alice") == {"push": 1}
