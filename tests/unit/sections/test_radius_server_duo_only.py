"""[radius_server_duo_only]: the password field is the factor."""

from __future__ import annotations

from pathlib import Path

import pytest

from duoproxy.duoapi.messages import AuthAnswer, Factor, Preauth, PreauthResult
from duoproxy.errors import ServiceUnavailable
from duoproxy.radius.attributes import Type
from tests.unit.sections.pap_section import make, problems

ACCEPT, REJECT = 2, 3
DUO_ONLY = "radius_server_duo_only"


@pytest.mark.parametrize(
    ("typed", "factor", "passcode"),
    [
        ("push", Factor.PUSH, None),
        (" Phone ", Factor.PHONE, None),
        ("auto", Factor.PUSH, None),
        ("123456", Factor.PASSCODE, "123456"),
        ("1", Factor.PASSCODE, "1"),
        ("secret,push", Factor.PASSCODE, "secret,push"),
    ],
)
def test_the_field_is_a_word_or_goes_to_duo_as_a_passcode(
    tmp_path: Path, typed: str, factor: Factor, passcode: str | None
) -> None:
    """There is no password, so nothing is split."""
    section = make(tmp_path, DUO_ONLY)
    assert section.end(typed) == (ACCEPT, "Success. Logging you in...")
    [query] = section.duo.asked
    assert query.factor is factor
    assert (query.passcode.reveal_text() if query.passcode else None) == passcode
    assert section.client.fake.tried == []


@pytest.mark.parametrize("typed", ["", "   "])
def test_an_empty_field_is_rejected(tmp_path: Path, typed: str) -> None:
    """Even where Duo would let the user in without a factor, and for an exempt one."""
    section = make(tmp_path, DUO_ONLY, "exempt_username_1=alice")
    section.duo.preauth_answer = Preauth(PreauthResult.ALLOW)
    assert section.end(typed)[0] == REJECT
    assert section.duo.preauths == []


def test_no_password_at_all_is_rejected(tmp_path: Path) -> None:
    """A request without User-Password is no login."""
    assert make(tmp_path, DUO_ONLY).end(None) == (REJECT, "")


@pytest.mark.parametrize("state", [b"of another section", b""])
def test_a_state_is_refused_and_begins_nothing(tmp_path: Path, state: bytes) -> None:
    """This section asks nothing, so a State answers somebody else's question. Reference §10.3."""
    section = make(tmp_path, DUO_ONLY, "exempt_username_1=alice")
    reply = section.ask("push", (int(Type.STATE), state))
    assert reply is not None
    assert (reply.code, section.duo.preauths) == (REJECT, [])
    assert section.end("push")[0] == ACCEPT


def test_a_wrong_passcode_is_the_end(tmp_path: Path) -> None:
    """There is no prompt in this mode; after sms the user logs in again with a code."""
    section = make(tmp_path, DUO_ONLY)
    section.duo.auth_answer = AuthAnswer(False, "deny", "Incorrect passcode. Please try again.")
    assert section.end("000000") == (REJECT, "Incorrect passcode. Please try again.")
    section.duo.auth_answer = AuthAnswer(False, "sent", "New SMS passcodes sent.")
    assert section.end("sms") == (REJECT, "New SMS passcodes sent.")


@pytest.mark.parametrize(("failmode", "code"), [("safe", ACCEPT), ("secure", REJECT)])
def test_failmode(tmp_path: Path, failmode: str, code: int) -> None:
    """While Duo is away the device's own check decides, or nobody comes in."""
    section = make(tmp_path, DUO_ONLY, f"failmode={failmode}")
    section.duo.preauth_answer = ServiceUnavailable("Duo", "Connection refused", "Look")
    assert section.end("push")[0] == code


def test_a_client_is_neither_needed_nor_in_the_way(tmp_path: Path) -> None:
    """Guides write client=duo_only_client, or nothing; stray options of old samples are warnings."""
    assert problems(tmp_path, DUO_ONLY) == []
    assert problems(tmp_path, DUO_ONLY, "client=duo_only_client") == []
    [warning] = problems(tmp_path, DUO_ONLY, "type=citrix_netscaler")
    assert warning.startswith("warning: authproxy.cfg:8 [radius_server_duo_only] type:")


def test_a_client_that_would_never_be_asked_is_a_warning(tmp_path: Path) -> None:
    """Whoever writes it may think that passwords are checked."""
    lines = "client=radius_client\n[radius_client]\nhost=192.0.2.5\nsecret=another long secret"
    [warning] = problems(tmp_path, DUO_ONLY, lines)
    assert warning == (
        "warning: authproxy.cfg:8 [radius_server_duo_only] client: [radius_client] is never asked here: the device "
        "checks the password, and this section the factor. Delete the line, or use [radius_server_auto] if passwords "
        "are to be checked."
    )
