"""[radius_server_challenge] as a file makes it: its options."""

from __future__ import annotations

from pathlib import Path

import pytest

from duoproxy.duoapi.messages import Preauth, PreauthResult
from duoproxy.radius.packet import Code
from tests.unit.sections.pap_section import PASSWORD, make, problems, text_of

CHALLENGE = "radius_server_challenge"


@pytest.mark.parametrize(
    ("lines", "beginning"),
    [
        ("", "Duo two-factor login for alice\n\nEnter"),
        ("prompt_format=console", "Duo two-factor login for alice\n\nEnter"),
        ("prompt_format=long", "Duo two-factor login for alice\n\nEnter"),
        ("prompt_format=short", "1:push 2:phone 3:sms, or passcode: "),
        ("prompt_format=html", "<p>Duo two-factor login for alice</p>"),
    ],
)
def test_prompt_format(tmp_path: Path, lines: str, beginning: str) -> None:
    """Console by default, and for long."""
    reply = make(tmp_path, CHALLENGE, lines).ask(PASSWORD)
    assert reply is not None
    assert reply.code is Code.ACCESS_CHALLENGE
    assert text_of(reply).startswith(beginning)


def test_long_is_a_warning(tmp_path: Path) -> None:
    """There are three formats."""
    assert problems(tmp_path, CHALLENGE, "prompt_format=long") == [
        "warning: authproxy.cfg:8 [radius_server_challenge] prompt_format: there is no such format; console is used. "
        "Write console, short or html."
    ]
    [error] = problems(tmp_path, CHALLENGE, "prompt_format=wide")
    assert error.startswith("error: authproxy.cfg:8 [radius_server_challenge] prompt_format:")


@pytest.mark.parametrize(
    ("lines", "code"),
    [
        ("", Code.ACCESS_CHALLENGE),
        ("enroll_challenge=true", Code.ACCESS_CHALLENGE),
        ("enroll_challenge=false", Code.ACCESS_REJECT),
    ],
)
def test_enroll_challenge(tmp_path: Path, lines: str, code: Code) -> None:
    """The address comes in a prompt by default, else in the reject."""
    section = make(tmp_path, CHALLENGE, lines)
    section.duo.preauth_answer = Preauth(PreauthResult.ENROLL, enroll_portal_url="https://api-1.example/portal")
    reply = section.ask(PASSWORD)
    assert reply is not None
    assert reply.code is code
    assert "Enroll at https://api-1.example/portal" in text_of(reply)


def test_nothing_is_appended(tmp_path: Path) -> None:
    """The field is the password, whatever stands in it; delimiter is no option of this section."""
    section = make(tmp_path, CHALLENGE)
    section.ask(f"{PASSWORD},push")
    assert section.client.fake.tried == [f"{PASSWORD},push"]
    [warning] = problems(tmp_path, CHALLENGE, "delimiter=^")
    assert "[radius_server_challenge] delimiter:" in warning


def test_who_is_exempt_sees_no_prompt(tmp_path: Path) -> None:
    """The password alone lets in."""
    reply = make(tmp_path, CHALLENGE, "exempt_username_1=alice").ask(PASSWORD)
    assert reply is not None
    assert reply.code is Code.ACCESS_ACCEPT
