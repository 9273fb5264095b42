"""authproxyctl start, stop and restart: what is printed and how they end, by systemd and without."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from click.testing import CliRunner, Result

from duoproxy.sections.registry import load_registry
from duoproxy.tools import service_control
from duoproxy.tools.authproxyctl import main
from duoproxy.tools.service_control import Controls
from duoproxy.tools.service_daemon import Daemon
from duoproxy.tools.systemd import UNIT

GOOD = "[duo_only_client]\n[radius_server_auto]\nikey=DIXXXXXXXXXXXXXXXXXX\nskey={}\napi_host=api-1.duosecurity.com\n"
GOOD = GOOD.format("x" * 40) + "radius_ip_1=10.0.0.1\nradius_secret_1=s3cret\n"
BAD = GOOD.replace("[radius_server_auto]", "[radius_server_auto]\nport=99999\nretries=0\nfailmode=perhaps")


class FakeDaemon(Daemon):
    """Starts and stops without a process."""

    def __init__(self, configuration: Path, fault: str = "") -> None:
        super().__init__(configuration)
        self.fault = fault
        self.did: list[str] = []

    def start(self) -> str:
        self.did.append("start")
        return self.fault

    def stop(self, now: bool) -> str:
        self.did.append("stop now" if now else "stop")
        return self.fault


class FakeSystemd:
    """Has our unit."""

    def __init__(self, active: bool = False, fault: str = "", status: str = "") -> None:
        self.active = active
        self.fault = fault
        self.status = status
        self.did: list[str] = []

    def is_active(self) -> bool:
        return self.active

    def shown(self, attribute: str) -> str:
        return {"StatusText": self.status, "MainPID": "4711" if self.active else "0"}[attribute]

    def do(self, verb: str) -> str:
        self.did.append(verb)
        self.active = verb == "start" and not self.fault
        return self.fault

    def hurry(self) -> None:
        self.did.append("hurry")


class OnItsOwn(Controls):
    """Without systemd, with a daemon that only notes."""

    def __init__(self, daemon: FakeDaemon, running: bool) -> None:
        super().__init__(daemon, None)
        self.daemon = daemon
        self.running = running

    def is_running(self) -> bool:
        did = [one for one in self.daemon.did if not self.daemon.fault]
        return did[-1] == "start" if did else self.running


Ctl = Callable[..., Result]


@pytest.fixture
def ctl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ctl:
    """Run authproxyctl on a configuration, with what starts and stops given."""
    reports: list[Path] = []
    monkeypatch.setattr(service_control, "print_connectivity_report", reports.append)

    def run(make: Callable[[Path], Any], *arguments: str, text: str = GOOD) -> Result:
        path = tmp_path / "authproxy.cfg"
        path.write_text(text)
        path.chmod(0o600)
        made = make(path)
        monkeypatch.setattr(service_control, "make_controls", lambda *_: made)
        result = CliRunner().invoke(main, [*arguments, "-c", str(path)], obj=lambda: load_registry().catalogue)
        result.reports = len(reports)  # type: ignore[attr-defined]
        return result

    return run


def test_start_prints_the_report_and_starts(ctl: Ctl) -> None:
    """The report comes first; it keeps nothing from starting."""
    controls: list[OnItsOwn] = []

    def make(path: Path) -> OnItsOwn:
        controls.append(OnItsOwn(FakeDaemon(path), running=False))
        return controls[0]

    result = ctl(make, "start")
    assert (result.exit_code, result.output, result.reports) == (0, "The proxy runs.\n", 1)  # type: ignore[attr-defined]
    assert controls[0].daemon.did == ["start"]


def test_a_report_can_be_left_out(ctl: Ctl) -> None:
    """`--no-report`, for boot scripts."""
    result = ctl(lambda path: OnItsOwn(FakeDaemon(path), running=False), "start", "--no-report")
    assert (result.exit_code, result.reports) == (0, 0)  # type: ignore[attr-defined]


def test_start_of_what_runs_is_no_error(ctl: Ctl) -> None:
    """As init scripts expect: it is as it was asked to be."""
    result = ctl(lambda path: OnItsOwn(FakeDaemon(path), running=True), "start", text=BAD)
    assert (result.exit_code, result.output) == (0, "The proxy runs already.\n")


def test_start_with_problems_prints_the_first_and_starts_nothing(ctl: Ctl) -> None:
    """The first configuration problem, and how to see the others."""
    result = ctl(lambda path: OnItsOwn(FakeDaemon(path), running=False), "start", text=BAD)
    assert result.exit_code == 1
    assert result.output.startswith("error: ")
    assert "authproxy.cfg:3 [radius_server_auto] port: 99999 is too large." in result.output
    assert "1 more: authproxyctl check" in result.output
    assert result.reports == 0  # type: ignore[attr-defined]


def test_a_start_that_fails_gives_its_sentence_and_status_1(ctl: Ctl) -> None:
    """What the service said before it ended."""
    daemon_fault = "The start failed. UDP port 1812 is in use."
    result = ctl(lambda path: OnItsOwn(FakeDaemon(path, daemon_fault), running=False), "start", "--json")
    assert result.exit_code == 1
    assert json.loads(result.output) == {
        "action": "start",
        "ok": False,
        "state": "stopped",
        "manager": "authproxyctl",
        "message": daemon_fault,
        "pid": None,
    }


def test_stop_waits_and_now_does_not(ctl: Ctl) -> None:
    """`--now` rejects pending logins."""
    daemons: list[FakeDaemon] = []

    def make(path: Path) -> OnItsOwn:
        daemons.append(FakeDaemon(path))
        return OnItsOwn(daemons[-1], running=True)

    for arguments in (["stop"], ["stop", "--now"]):
        result = ctl(make, *arguments)
        assert (result.exit_code, result.output) == (0, "The proxy has stopped.\n")
    assert [daemon.did for daemon in daemons] == [["stop"], ["stop now"]]


def test_stop_of_what_does_not_run_is_no_error(ctl: Ctl) -> None:
    """As init scripts expect."""
    result = ctl(lambda path: OnItsOwn(FakeDaemon(path), running=False), "stop")
    assert (result.exit_code, result.output) == (0, "The proxy does not run.\n")


def test_stop_with_a_slip_in_the_name_is_not_taken_for_a_stopped_proxy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The proxy that was meant still runs."""
    path = tmp_path / "authprxy.cfg"
    monkeypatch.setattr(service_control, "make_controls", lambda *_: OnItsOwn(FakeDaemon(path), running=False))
    result = CliRunner().invoke(main, ["stop", "-c", str(path)])
    assert result.exit_code == 1
    assert result.output == f"There is no file {path}, and no proxy of it runs. Name the right one with -c.\n"


def test_stop_by_an_account_that_may_not_look_is_not_taken_for_a_stopped_proxy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folder of an installation is closed to others: they are told who may stop it, and see no traceback."""
    path = tmp_path / "authproxy.cfg"
    monkeypatch.setattr(service_control, "make_controls", lambda *_: OnItsOwn(FakeDaemon(path), running=False))
    with mock.patch.object(Path, "stat", side_effect=PermissionError(errno.EACCES, "Permission denied")):
        result = CliRunner().invoke(main, ["stop", "-c", str(path)])
    assert result.exit_code == 1
    assert result.output == f"This account may not see {path}, nor whether a proxy of it runs. Run this as root.\n"


def test_restart_with_problems_leaves_the_running_proxy_as_it_is(ctl: Ctl) -> None:
    """A slip in the file costs no login."""
    daemons: list[FakeDaemon] = []

    def make(path: Path) -> OnItsOwn:
        daemons.append(FakeDaemon(path))
        return OnItsOwn(daemons[-1], running=True)

    result = ctl(make, "restart", text=BAD)
    assert result.exit_code == 1
    assert result.output.startswith("Nothing was changed. error: ")
    assert daemons[0].did == []


@pytest.mark.parametrize(("running", "expected"), [(True, ["stop", "start"]), (False, ["start"])])
def test_restart_stops_what_runs_and_starts(ctl: Ctl, running: bool, expected: list[str]) -> None:
    """One that does not run is started."""
    daemons: list[FakeDaemon] = []

    def make(path: Path) -> OnItsOwn:
        daemons.append(FakeDaemon(path))
        return OnItsOwn(daemons[-1], running=running)

    assert ctl(make, "restart").exit_code == 0
    assert daemons[0].did == expected


def test_restart_prints_the_report_while_the_old_process_still_serves(
    ctl: Ctl, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may take minutes: nobody's login is to wait for it."""
    daemons: list[FakeDaemon] = []
    done_before: list[list[str]] = []
    monkeypatch.setattr(
        service_control, "print_connectivity_report", lambda _: done_before.append(list(daemons[-1].did))
    )

    def make(path: Path) -> OnItsOwn:
        daemons.append(FakeDaemon(path))
        return OnItsOwn(daemons[-1], running=True)

    restarted = ctl(make, "restart")
    assert (restarted.exit_code, done_before, daemons[0].did) == (0, [[]], ["stop", "start"])
    assert json.loads(ctl(make, "restart", "--json").output)["action"] == "restart"


def test_with_systemd_the_unit_is_started_and_stopped(ctl: Ctl) -> None:
    """Where systemd has our unit, it looks after the process."""
    systemd = FakeSystemd()
    started = ctl(lambda path: Controls(FakeDaemon(path), systemd), "start", "--json")  # type: ignore[arg-type]
    assert json.loads(started.output) | {"message": ""} == {
        "action": "start",
        "ok": True,
        "state": "running",
        "manager": "systemd",
        "message": "",
        "pid": 4711,
    }
    stopped = ctl(lambda path: Controls(FakeDaemon(path), systemd), "stop", "--now")  # type: ignore[arg-type]
    assert (stopped.exit_code, systemd.did) == (0, ["start", "hurry", "stop"])


def test_with_systemd_a_start_that_fails_gives_what_the_service_said(ctl: Ctl) -> None:
    """The status that it left, and where more is."""
    systemd = FakeSystemd(fault="Job for duoauthproxy.service failed.", status="The start failed. No port.")
    result = ctl(lambda path: Controls(FakeDaemon(path), systemd), "start")  # type: ignore[arg-type]
    assert result.exit_code == 1
    assert result.output == f"The start failed. No port. journalctl -u {UNIT} has more.\n"


@pytest.mark.parametrize("command", ["start", "stop", "restart"])
def test_help_has_examples_and_exit_codes(command: str) -> None:
    """Every tool says how it is used and how it ends."""
    said = CliRunner().invoke(main, [command, "--help"]).output
    assert "Examples:" in said
    assert "Exit codes: 0 it is so now (or was before), 1 it is not, 2 wrong usage." in said


@pytest.mark.skipif(os.geteuid() != 0, reason="only root chooses a group for the service")
def test_log_group_is_chosen_by_no_configuration_that_the_service_may_write(tmp_path: Path) -> None:
    """log_dir would name a folder of the group that somebody wants to be in."""
    for name in ("conf", "log", "elsewhere"):
        (tmp_path / name).mkdir()
    path = tmp_path / "conf" / "authproxy.cfg"
    path.write_text(f"[main]\nlog_dir={tmp_path}/elsewhere\n{GOOD}")
    path.chmod(0o600)
    assert Daemon(path)._log_folder() == tmp_path / "elsewhere"
    os.chown(path, 54_321, -1)
    assert Daemon(path)._log_folder() == tmp_path / "log"
