"""authproxyctl status: what a person reads, and what a program gets."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from duoproxy.service.control_messages import ControlFault
from duoproxy.tools import status
from duoproxy.tools.authproxyctl import main
from duoproxy.tools.control_client import Absence, NoAnswer
from duoproxy.tools.status import status_text

TOLD: dict[str, Any] = {
    "program": "duoproxy",
    "version": "0.1.0",
    "state": "ready",
    "pid": 4711,
    "uptime_s": 273_600,
    "started_at": 0,
    "configuration": "/opt/duoauthproxy/conf/authproxy.cfg",
    "primary_only": {"active": False, "remaining_s": 0},
    "warnings": [],
    "sections": {
        "ad_client": {
            "kind": "ad_client",
            "role": "client",
            "upstreams": [
                {"server": "dc1.corp.example:636", "resting_s": None},
                {"server": "dc2.corp.example:636", "resting_s": 42.0},
            ],
            "weakened": [],
        },
        "radius_server_eap": {
            "kind": "radius_server_eap",
            "role": "server",
            "listeners": [{"protocol": "udp", "address": "", "port": 1812}],
            "pending": 2,
            "waiting": 1,
            "dropped": {"wrong shared secret": 7},
            "early_devices": [{"device": "10.1.2.20", "silent_s": 9.4, "interval_s": 2.0}],
            "duo": {
                "api_host": "api-1.example",
                "generation": "v2",
                "reachable": False,
                "answered_s_ago": 125.0,
                "failure": "no connection in 10 s",
            },
            "certificate_days": 12,
            "weakened": ["failmode=safe: while Duo cannot be reached, a password is enough"],
        },
        "sandbox_duo": {"kind": "sandbox_duo", "role": "server"},
    },
}


def rows(text: str) -> list[str]:
    return [" ".join(line.split()) for line in text.splitlines() if line.strip()]


def test_a_person_reads_what_is_to_do_first() -> None:
    """The head, then what is wrong in the order of its weight, then the sections."""
    said = rows(status_text(TOLD))
    assert said[0].startswith("duoproxy 0.1.0 is running: process 4711, for 3 days 4 hours (since 1970-01-01 ")
    assert said[1:] == [
        "Configuration: /opt/duoauthproxy/conf/authproxy.cfg",
        "Pending logins: 2",
        "To do:",
        "! [ad_client]: no answer from dc2.corp.example:636.",
        "! [radius_server_eap]: Duo does not answer: no connection in 10 s.",
        "! [radius_server_eap]: its certificate ends in 12 days: renew it, and restart the proxy.",
        "! [radius_server_eap]: device 10.1.2.20 asks every 2 s, and gave up 9.4 s before the answer: set its time-out "
        "to 60 s or more.",
        "[ad_client]",
        "server dc1.corp.example:636: well",
        "server dc2.corp.example:636: no answer, rests 42 s more",
        "[radius_server_eap]",
        "listens on UDP port 1812, all addresses",
        "pending logins 2; 1 conversation open",
        "Duo api-1.example (API v2): DOES NOT ANSWER, last answer 2 minutes 5 seconds ago",
        "certificate 12 days left",
        "dropped since the start 7 wrong shared secret",
        "note failmode=safe: while Duo cannot be reached, a password is enough",
        "[sandbox_duo]",
        "state nothing to tell",
    ]


def test_a_device_that_asks_once_is_told_of_in_its_own_words() -> None:
    """As PEAP shows it: nothing is known of tries that there were none of."""
    early = {"device": "10.1.2.20", "silent_s": 31.0, "interval_s": 0.0}
    told = {**TOLD, "sections": {"eap": {"kind": "x", "role": "server", "early_devices": [early]}}}
    assert (
        "! [eap]: device 10.1.2.20 asks once, and gave up within 31 s, before the answer: set its time-out to 60 s "
        "or more." in rows(status_text(told))
    )


def test_primary_only_cannot_be_overlooked() -> None:
    """It stands in the head, in capitals, with its time."""
    told = {**TOLD, "primary_only": {"active": True, "remaining_s": 2_040}}
    assert "PRIMARY-ONLY for 34 minutes more: a password is enough, Duo is not asked." in rows(status_text(told))


def test_warnings_of_the_start_are_to_do() -> None:
    """They are told as long as they hold."""
    warning = "warning: authproxy.cfg:9 [ad_client] ssl_verify: nothing is checked."
    assert f"! {warning}" in rows(status_text({**TOLD, "warnings": [warning]}))


def test_a_refusal_of_our_keys_is_no_outage() -> None:
    """Duo answers, and refuses."""
    duo = {
        "api_host": "a",
        "generation": "v2",
        "reachable": True,
        "answered_s_ago": 1.0,
        "failure": "the keys are wrong",
    }
    told = {**TOLD, "sections": {"radius_server_auto": {"kind": "x", "role": "server", "duo": duo}}}
    assert "! [radius_server_auto]: Duo refuses us: the keys are wrong." in rows(status_text(told))


def test_what_a_section_of_somebody_else_tells_is_shown() -> None:
    """Keys that we do not know, as they are."""
    section = {"kind": "line_server", "role": "server", "lines": 7, "names": ["a", "b"], "mood": "good"}
    said = rows(status_text({**TOLD, "sections": {"line_server": section}}))
    assert said[-3:] == ["lines 7", "names a, b", "mood good"]


def run(monkeypatch: pytest.MonkeyPatch, answer: Any, *arguments: str) -> tuple[int, str]:
    def ask(places: object, command: str) -> Any:
        assert command == "status"
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(status, "ask", ask)
    result = CliRunner().invoke(main, ["status", *arguments])
    return result.exit_code, result.output


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (TOLD, 0),
        (NoAnswer(Absence.NOT_RUNNING, "The service is not running."), 3),
        (NoAnswer(Absence.UNKNOWN, "Only root may ask."), 4),
        (ControlFault("The service refused."), 4),
    ],
)
def test_the_exit_code_says_whether_it_runs(monkeypatch: pytest.MonkeyPatch, answer: Any, code: int) -> None:
    """0 running, 3 not running, 4 unknown; each with a sentence, and as JSON too."""
    assert run(monkeypatch, answer)[0] == code
    found, output = run(monkeypatch, answer, "--json")
    told = json.loads(output)
    assert found == code
    assert told["running"] is {0: True, 3: False, 4: None}[code]
    if code:
        assert told["problem"] == str(answer)
        assert str(answer) in run(monkeypatch, answer)[1]


def test_json_has_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    """As the service told it."""
    _, output = run(monkeypatch, TOLD, "--json")
    assert json.loads(output) == {"running": True, **TOLD}


def test_without_a_service_it_says_so(tmp_path: Path) -> None:
    """No run folder, no socket: 3, as Puppet and systemd expect."""
    result = CliRunner().invoke(main, ["status", "--config", str(tmp_path / "conf" / "authproxy.cfg")])
    assert result.exit_code == 3
    assert result.output.startswith("The service is not running")
