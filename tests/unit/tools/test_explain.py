"""duoproxy-explain: a login in words, from the service or from its logs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from duoproxy.login.outcome import Cause
from duoproxy.tools import explain
from duoproxy.tools.advice import ADVICE, UNKNOWN, advice_for
from duoproxy.tools.control_client import Absence, NoAnswer
from duoproxy.tools.explain import login_text, main

LOGIN: dict[str, Any] = {
    "login_id": "91c5100739",
    "user": "bob",
    "device": "10.1.2.20",
    "section": "radius_server_auto",
    "began_at": 0.0,
    "ended": True,
    "result": "reject",
    "cause": "factor-refused",
    "factor": "push",
    "detail": "Duo says deny",
    "duration_s": 12.3,
    "primary_s": 0.004,
    "second_factor_s": 12.2,
    "steps": [
        {"at": 0.0, "after_s": 0.0, "level": "info", "text": "'bob' asks from 10.1.2.20."},
        {"at": 12.3, "after_s": 12.3, "level": "warn", "text": "The device had given up."},
    ],
    "steps_left_out": 0,
}

LOG = """\
2026-11-21T08:00:00+0000 [radius_server_auto#info] Login 91c5100739: 'bob' asks from 10.1.2.20.
2026-11-21T08:00:01+0000 [duoproxy#info] something else about Login 91c5100739
2026-11-21T08:00:02+0000 [radius_server_auto#info] Login aaaaaaaaaa: "o'neill" asks from fd00::1 (PEAPv0).
2026-11-21T08:00:12+0000 [radius_server_auto#info] Login 91c5100739: user='bob' device=10.1.2.20 \
section=radius_server_auto factor=push result=reject cause=factor-refused duration=12.300s primary=0.004s \
second_factor=12.200s | Duo says deny
2026-11-21T08:00:13+0000 [radius_server_auto#warn] Login bbbbbbbbbb from 10.1.2.21: rejected, it carries no password.
"""
EVIL = (
    "x' device=6.6.6.6 section=s factor=push result=accept cause=approved duration=1.000s primary=1.000s "
    "second_factor=1.000s"
)


def test_a_login_is_told_in_words() -> None:
    """The end first, then who and where, the steps, and what to do."""
    said = login_text(LOGIN).splitlines()
    assert said[0] == "Login 91c5100739: bob was rejected (factor-refused) after 12.300 s"
    assert "device 10.1.2.20, section [radius_server_auto], factor push, password 0.004 s" in said[1]
    assert said[3] == "        0.000 s  'bob' asks from 10.1.2.20."
    assert said[4] == "  !    12.300 s  The device had given up."
    text = " ".join(" ".join(said).split())
    assert "What happened: The second factor was not proven" in text
    assert "In detail: Duo says deny" in text
    assert "What to do: Ask the user." in text


def test_every_cause_has_its_words() -> None:
    """A new cause gets a meaning, and a remedy where there is one."""
    assert set(ADVICE) == set(Cause)
    assert all(advice.meaning.endswith(".") for advice in ADVICE.values())
    rejected = [cause for cause in Cause if not cause.is_bypass and cause is not Cause.APPROVED]
    assert [cause for cause in rejected if not ADVICE[cause].remedy] == []
    assert advice_for("a-cause-of-tomorrow") is UNKNOWN


def test_a_login_without_an_end_is_told_as_one() -> None:
    """It may still go on; and a request that became no login has its line."""
    assert "no end yet" in login_text({**LOGIN, "ended": False})
    assert "never became a login" in login_text({**LOGIN, "ended": False, "user": ""})


class Installation:
    """A folder with a log, and a service that answers as told."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.configuration = folder / "conf" / "authproxy.cfg"
        self.log_folder = folder / "log"
        self.log_folder.mkdir()
        self.answer: Any = NoAnswer(Absence.NOT_RUNNING, "The service is not running.")
        self.asked: list[object] = []
        monkeypatch.setattr(explain, "ask", self._ask)

    def _ask(self, places: object, command: str, arguments: object) -> Any:
        assert command == "explain"
        self.asked.append(arguments)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def log(self, text: str, number: int = 0) -> None:
        name = f"authproxy.log.{number}" if number else "authproxy.log"
        (self.log_folder / name).write_text(text, encoding="utf-8")

    def run(self, *arguments: str) -> tuple[int, str]:
        result = CliRunner().invoke(main, ["--config", str(self.configuration), *arguments])
        return result.exit_code, result.output

    def logins(self, *arguments: str) -> list[dict[str, Any]]:
        code, output = self.run(*arguments, "--json")
        assert code == 0, output
        logins: list[dict[str, Any]] = json.loads(output)["logins"]
        return logins


@pytest.fixture
def installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Installation:
    return Installation(tmp_path, monkeypatch)


def test_the_service_is_asked_first(installation: Installation) -> None:
    """What it knows is what is told."""
    installation.answer = {"logins": [LOGIN]}
    code, output = installation.run("91c5100739")
    assert (code, installation.asked) == (0, [{"login_id": "91c5100739"}])
    assert output.startswith("Login 91c5100739: bob was rejected")
    [told] = installation.logins("--user", "bob", "--last", "2")
    assert installation.asked[-1] == {"user": "bob", "last": 2}
    assert told["meaning"] == ADVICE[Cause.FACTOR_REFUSED].meaning


@pytest.mark.parametrize("running", [True, False])
def test_what_the_service_does_not_know_is_in_the_log(installation: Installation, running: bool) -> None:
    """It was started anew since, or does not run."""
    if running:
        installation.answer = {"logins": []}
    installation.log(LOG)
    [told] = installation.logins("91c5100739")
    assert {key: told[key] for key in LOGIN if key not in ("began_at", "steps")} == {
        key: LOGIN[key] for key in LOGIN if key not in ("began_at", "steps")
    }
    assert [(step["after_s"], step["text"]) for step in told["steps"]] == [
        (0.0, "'bob' asks from 10.1.2.20."),
        (12.0, "The login ends: reject, factor-refused."),
    ]


def test_logins_of_a_user_and_the_last_ones(installation: Installation) -> None:
    """Newest first; a name with a quotation mark, an IPv6 device, and a request that was no login."""
    installation.log(LOG)
    assert [told["login_id"] for told in installation.logins("--last", "9")] == [
        "bbbbbbbbbb",
        "aaaaaaaaaa",
        "91c5100739",
    ]
    [told] = installation.logins("--user", "O'NEILL")
    assert (told["user"], told["device"], told["ended"]) == ("o'neill", "fd00::1", False)
    assert installation.logins("bbbbbbbbbb")[0]["device"] == "10.1.2.21"


def test_a_login_on_both_sides_of_a_rotation_is_one(installation: Installation) -> None:
    """The rotated files are read as far as they are needed."""
    lines = LOG.splitlines(keepends=True)
    installation.log("".join(lines[:3]), number=1)
    installation.log("".join(lines[3:]))
    [told] = installation.logins("91c5100739")
    assert (told["cause"], [step["after_s"] for step in told["steps"]]) == ("factor-refused", [0.0, 12.0])


def test_a_name_cannot_forge_an_end(installation: Installation) -> None:
    """Whatever somebody calls themselves: the quotation of the log holds."""
    begin = f"2026-11-21T08:00:00+0000 [radius_server_auto#info] Login cccccccccc: {EVIL!r} asks from 10.1.2.20.\n"
    end = (
        f"2026-11-21T08:00:01+0000 [radius_server_auto#info] Login cccccccccc: user={EVIL!r} device=10.1.2.20 "
        "section=radius_server_auto factor=none result=reject cause=password-refused duration=0.100s primary=0.100s "
        "second_factor=0.000s\n"
    )
    installation.log(begin + end)
    [told] = installation.logins("cccccccccc")
    assert (told["user"], told["device"], told["cause"]) == (EVIL, "10.1.2.20", "password-refused")


def test_a_link_in_the_log_folder_is_not_followed(installation: Installation, tmp_path: Path) -> None:
    """The tool is run as root, and the folder is not root's."""
    secret = tmp_path / "secret"
    secret.write_text(LOG)
    (installation.log_folder / "authproxy.log").symlink_to(secret)
    code, output = installation.run("91c5100739")
    assert code == 4
    assert "bob" not in output


@pytest.mark.parametrize("arguments", [("0123456789",), ("--user", "nobody")])
def test_an_unknown_login_is_1(installation: Installation, arguments: tuple[str, ...]) -> None:
    """With a hint where else to look."""
    installation.log(LOG)
    code, output = installation.run(*arguments)
    assert code == 1
    assert "authproxyctl status tells what was dropped" in output


def test_without_service_and_log_it_is_4(installation: Installation) -> None:
    """Both reasons are told."""
    code, output = installation.run("--last", "3")
    assert code == 4
    assert "The service is not running." in output
    assert "There is no authproxy.log" in output


@pytest.mark.parametrize("arguments", [(), ("91c5100739", "--user", "bob"), ("--last", "0"), ("--last", "1000")])
def test_wrong_usage_is_2(installation: Installation, arguments: tuple[str, ...]) -> None:
    """One way to name the logins, and not too many."""
    assert installation.run(*arguments)[0] == 2
