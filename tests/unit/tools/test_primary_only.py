"""authproxy_primary_only: what it asks, what it says, and its exit codes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from duoproxy.service.control_messages import ControlFault
from duoproxy.service.options import DEFAULT_CONFIG, configuration_path
from duoproxy.service.places import Places
from duoproxy.tools import primary_only
from duoproxy.tools.control_client import Absence, NoAnswer
from duoproxy.tools.primary_only import main

ON = {"active": True, "remaining_s": 5_400, "started_at": 0.0, "until": 5_400.0, "by_uid": 0}
OFF = {"active": False, "remaining_s": 0}


class Service:
    """Answers as told, and keeps what it was asked."""

    def __init__(self) -> None:
        self.answer: Any = ON
        self.asked: list[Mapping[str, object]] = []
        self.places: list[Places] = []

    def ask(self, places: Places, command: str, arguments: Mapping[str, object]) -> Any:
        assert command == "primary_only"
        self.places.append(places)
        self.asked.append(arguments)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Service:
    made = Service()
    monkeypatch.setattr(primary_only, "ask", made.ask)
    return made


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(main, arguments)
    return result.exit_code, result.output


def test_start_says_what_that_means(service: Service) -> None:
    """60 minutes unless others are named."""
    code, output = run("start")
    assert (code, service.asked) == (0, [{"action": "start", "minutes": 60}])
    assert output.startswith("Logins are PRIMARY-ONLY for 1 hour 30 minutes more, until ")
    run("start", "--minutes", "240")
    assert service.asked[-1]["minutes"] == 240


def test_the_configuration_is_named_before_or_behind_the_command(service: Service) -> None:
    """Behind it stands with every other tool."""
    run("-c", "/srv/a/authproxy.cfg", "status")
    run("status", "-c", "/srv/a/authproxy.cfg")
    run("-c", "/srv/b/authproxy.cfg", "start", "--config", "/srv/a/authproxy.cfg")
    assert service.places == [Places(Path("/srv/a/authproxy.cfg"))] * 3
    run("status")
    assert service.places[-1] == Places(configuration_path(DEFAULT_CONFIG))


@pytest.mark.parametrize("minutes", ["0", "241", "-1", "1.5", "x"])
def test_other_minutes_are_wrong_usage(service: Service, minutes: str) -> None:
    """1 to 240, and the service is not even asked."""
    assert run("start", "--minutes", minutes)[0] == 2
    assert service.asked == []


def test_stop_and_status(service: Service) -> None:
    """Whether there was anything to stop is told."""
    service.answer = {**OFF, "was_active": True}
    assert run("stop") == (0, "Logins need both factors again.\n")
    service.answer = {**OFF, "was_active": False}
    assert run("stop") == (0, "Logins need both factors, as before.\n")
    service.answer = OFF
    assert run("status") == (0, "Logins need both factors.\n")
    assert [asked["action"] for asked in service.asked] == ["stop", "stop", "status"]


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (ControlFault("It cannot be written."), 1),
        (NoAnswer(Absence.NOT_RUNNING, "The service is not running."), 3),
        (NoAnswer(Absence.UNKNOWN, "Only root may ask."), 4),
    ],
)
def test_what_went_wrong_has_its_code(service: Service, answer: Exception, code: int) -> None:
    """And its sentence, as JSON too."""
    service.answer = answer
    found, output = run("start")
    assert (found, output) == (code, f"{answer}\n")
    found, output = run("status", "--json")
    assert (found, json.loads(output)["problem"]) == (code, str(answer))


def test_json_is_what_the_service_told(service: Service) -> None:
    """For programs."""
    assert json.loads(run("status", "--json")[1]) == ON
