"""authproxyctl start, stop and restart: by systemd where that has our unit, otherwise by ourselves.

Exit codes: 0 it is as it was asked to be (also when it was before), 1 it is not, 2 wrong usage.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click
from attrs import asdict, evolve, frozen

from duoproxy.config.catalogue import Catalogue
from duoproxy.config.validate import Reach, check_configuration
from duoproxy.service.options import DEFAULT_CONFIG, configuration_path
from duoproxy.tools.command_line import takes_configuration
from duoproxy.tools.service_daemon import Daemon
from duoproxy.tools.service_process import find_service
from duoproxy.tools.systemd import UNIT, Systemd, find_systemd

EXIT_FAILED = 1
REPORT_S = 330.0
"""The report may take so long; it bounds itself a little earlier."""
_EPILOG = "Exit codes: 0 it is so now (or was before), 1 it is not, 2 wrong usage."

LoadCatalogue = Callable[[], Catalogue]
Command = TypeVar("Command", bound=Callable[..., Any])


@frozen
class Done:
    """What became of a command.

    Attributes:
        action: start, stop or restart.
        ok: it is as it was asked to be.
        state: running or stopped.
        manager: who looks after the process: systemd or authproxyctl.
        message: in words.
        pid: of the process, when it is known.
    """

    action: str
    ok: bool
    state: str
    manager: str
    message: str
    pid: int | None = None


class Controls:
    """Starts and stops the service of one configuration file."""

    def __init__(self, daemon: Daemon, systemd: Systemd | None) -> None:
        """Keep both ways; `systemd` is None where it has no unit of ours."""
        self._daemon = daemon
        self._systemd = systemd
        self.manager = "authproxyctl" if systemd is None else "systemd"

    def first_problem(self, load_catalogue: LoadCatalogue) -> str:
        """Give what keeps the proxy from starting with its configuration; an empty text when nothing does."""
        problems = check_configuration(self._daemon.configuration, load_catalogue(), reach=Reach.SHELL)
        errors = [str(problem) for problem in problems if problem.is_error]
        more = f" ({len(errors) - 1} more: authproxyctl check {self._daemon.configuration})" if len(errors) > 1 else ""
        return errors[0] + more if errors else ""

    def is_running(self) -> bool:
        """Say whether the service runs."""
        return self._pid() is not None if self._systemd is None else self._systemd.is_active()

    def start(self) -> Done:
        """Start it, and wait until it is ready."""
        fault = self._daemon.start() if self._systemd is None else self._started_by(self._systemd)
        return self._done("start", not fault, fault or "The proxy runs.")

    def stop(self, now: bool) -> Done:
        """Stop it, and wait until it has ended; with `now` it does not wait for pending logins."""
        if self._systemd is None:
            fault = self._daemon.stop(now)
        else:
            if now:
                self._systemd.hurry()
            fault = self._systemd.do("stop")
        return self._done("stop", not fault, fault or "The proxy has stopped.")

    def _started_by(self, systemd: Systemd) -> str:
        fault = systemd.do("start")
        if not fault:
            return ""
        said = systemd.shown("StatusText")
        return f"{said or fault} journalctl -u {UNIT} has more."

    def _pid(self) -> int | None:
        found = find_service(self._daemon.pid_file)
        if found is None:
            return None
        with found:
            return found.pid

    def _done(self, action: str, ok: bool, message: str) -> Done:
        running = self.is_running()
        pid = self._pid() if self._systemd is None else int(self._systemd.shown("MainPID") or 0) or None
        return Done(action, ok, "running" if running else "stopped", self.manager, message, pid if running else None)

    def already(self, action: str, message: str) -> Done:
        """Say that there is nothing to do."""
        return self._done(action, True, message)

    def refused(self, action: str, message: str) -> Done:
        """Say that nothing was done, since it would have failed."""
        return self._done(action, False, message)


def make_controls(configuration: Path, user: str = "", group: str = "") -> Controls:
    """Find out who starts and stops the service of a configuration file.

    Args:
        configuration: the file, absolute; another one than that of the installation is started without systemd, whose
            unit has that.
        user: who the service is to be, when root starts it without systemd.
        group: likewise its group.
    """
    systemd = find_systemd() if configuration == configuration_path(DEFAULT_CONFIG) else None
    return Controls(Daemon(configuration, user, group), systemd)


# ── commands ─────────────────────────────────────────────────────────────────────────────────────────────────────


def _shared(command: Command) -> Command:
    """The options that all three have."""
    help_of_json = "Print what became of it as one JSON object, and no report."
    return takes_configuration(click.option("--json", "as_json", is_flag=True, help=help_of_json)(command))


def _of_start(command: Command) -> Command:
    """The options of what starts."""
    for option in (
        click.option("--no-report", is_flag=True, help="Do not run and print the connectivity report before."),
        click.option("--group", default="", help="The group of the logs; without it that of the log folder."),
        click.option("--user", default="", help="Who the service is to be; without it the owner of the run folder."),
    ):
        command = option(command)
    return command


@click.command(epilog=_EPILOG)
@_shared
@_of_start
@click.pass_obj
def start(
    load_catalogue: LoadCatalogue, configuration: Path, as_json: bool, user: str, group: str, no_report: bool
) -> None:
    """Start the proxy, and wait until it is ready.

    First the configuration is checked: the first problem is printed, and nothing is started. Then the connectivity
    report is printed; what it finds keeps nothing from starting. One that runs already is left alone, which is no
    error. Without systemd, root takes the ports and then becomes the service user.

    \b
    Examples:
      authproxyctl start
      authproxyctl start --no-report
      authproxyctl start -c ./conf/authproxy.cfg --user duo --group duo
    """  # noqa: D301 - \b is meant: click keeps the lines behind it
    controls = make_controls(configuration, user, group)
    if controls.is_running():
        _end(controls.already("start", "The proxy runs already."), as_json)
    _end(_start(controls, load_catalogue, configuration, as_json or no_report), as_json)


@click.command(epilog=_EPILOG)
@_shared
@click.option("--now", is_flag=True, help="Do not wait for pending logins: they are rejected.")
def stop(configuration: Path, as_json: bool, now: bool) -> None:
    """Stop the proxy, and wait until it has ended.

    No new logins begin, so that devices go to another proxy; pending ones have shutdown_grace seconds to end, the
    rest is rejected. One that does not run is no error, unless there is no such configuration either.

    \b
    Examples:
      authproxyctl stop
      authproxyctl stop --now
    """  # noqa: D301 - \b is meant: click keeps the lines behind it
    controls = make_controls(configuration)
    if not controls.is_running():
        unsure = _why_unsure(configuration)
        if unsure:
            _end(controls.refused("stop", unsure), as_json)
        _end(controls.already("stop", "The proxy does not run."), as_json)
    _end(controls.stop(now), as_json)


@click.command(epilog=_EPILOG)
@_shared
@_of_start
@click.option("--now", is_flag=True, help="Do not wait for pending logins: they are rejected.")
@click.pass_obj
def restart(
    load_catalogue: LoadCatalogue, configuration: Path, as_json: bool, user: str, group: str, no_report: bool, now: bool
) -> None:
    """Stop the proxy and start it with the configuration as it is now.

    A configuration that it would not start with is told of, and the running proxy is left as it is. The connectivity
    report is made and printed before the stop: logins do not wait for it.

    \b
    Examples:
      authproxyctl restart
      authproxyctl restart --now --no-report
    """  # noqa: D301 - \b is meant: click keeps the lines behind it
    controls = make_controls(configuration, user, group)
    problem = controls.first_problem(load_catalogue)
    if problem:
        _end(controls.refused("restart", f"Nothing was changed. {problem}"), as_json)
    if not (as_json or no_report):
        print_connectivity_report(configuration)
    if controls.is_running():
        stopped = controls.stop(now)
        if not stopped.ok:
            _end(evolve(stopped, action="restart"), as_json)
    _end(evolve(controls.start(), action="restart"), as_json)


def print_connectivity_report(file: Path) -> None:
    """Print what the connectivity tool finds, in a process of its own: it runs a reactor."""
    program = "from duoproxy.tools.connectivity import main; main()"
    command = [sys.executable, "-c", program, "-c", str(file)]
    with contextlib.suppress(subprocess.TimeoutExpired):
        subprocess.run(command, stdin=subprocess.DEVNULL, timeout=REPORT_S, check=False)  # noqa: S603 - ours


def _why_unsure(configuration: Path) -> str:
    """Say why a proxy that is not found may run all the same; an empty text when it does not."""
    try:
        configuration.stat()
    except PermissionError:
        return f"This account may not see {configuration}, nor whether a proxy of it runs. Run this as root."
    except (OSError, ValueError):
        return f"There is no file {configuration}, and no proxy of it runs. Name the right one with -c."
    return ""


def _start(controls: Controls, load_catalogue: LoadCatalogue, file: Path, no_report: bool) -> Done:
    problem = controls.first_problem(load_catalogue)
    if problem:
        return controls.refused("start", problem)
    if not no_report:
        print_connectivity_report(file)
    return controls.start()


def _end(done: Done, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(asdict(done), indent=2, ensure_ascii=False))
    else:
        click.echo(done.message, err=not done.ok)
    raise SystemExit(0 if done.ok else EXIT_FAILED)
