"""authproxy_connectivity_tool: tells whether a configuration is right and everything that it leads to answers.

Exit codes: 0 no issues (warnings are none), 1 problems, 2 wrong usage. Reference: §3.1.
"""

from __future__ import annotations

import datetime
import json
import sys
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from duoproxy.config.file_rights import owner_whose_rights_count
from duoproxy.service.places import Places
from duoproxy.tools.command_line import EXIT_PROBLEM, HELP, Tool, takes_configuration, takes_json
from duoproxy.tools.connectivity_report import Report
from duoproxy.tools.connectivity_run import Audience, run_report
from duoproxy.tools.result_files import write_replacing

LOG_NAME: Final = "connectivity_tool.log"
_CLEAR_LINE: Final = "\r\x1b[K"

ResultT = TypeVar("ResultT")


@click.command(
    cls=Tool,
    context_settings=HELP,
    epilog="Exit codes: 0 no issues (there may be warnings), 1 problems, 2 wrong usage.",
)
@takes_configuration
@takes_json
def main(configuration: Path, as_json: bool) -> None:
    """Test the configuration, and that everything it leads to answers.

    Each section is tested: the directory (connection, TLS, service account, search base, groups), the RADIUS server
    that checks passwords, Duo (keys, clock, kind of application), ports, certificates, files. No user is asked or
    locked. Run it as root, so that it can read what the service can; the service may run meanwhile, or not.

    The report also goes to connectivity_tool.log in the log folder. Secrets are masked in it.

    \b
    Examples:
      authproxy_connectivity_tool
      authproxy_connectivity_tool -c ./authproxy.cfg
      authproxy_connectivity_tool --json | jq '.sections[].verdict'
    """  # noqa: D301 - \b is meant: click keeps the lines behind it
    shows_progress = sys.stderr.isatty() and not as_json
    audience = Audience() if as_json else _terminal(shows_progress)
    report = run_in_reactor(lambda reactor: run_report(configuration, reactor=reactor, audience=audience))
    logged = log_report(report)
    if as_json:
        click.echo(json.dumps({**report.as_json(), "logged": logged}, indent=2, ensure_ascii=False))
    else:
        click.echo(f"\n{logged}")
    raise SystemExit(0 if report.ok else EXIT_PROBLEM)


def log_report(report: Report) -> str:
    """Write a report into the log folder of its file, and say in a sentence where it is, or why it is not."""
    folder = report.log_folder
    now = datetime.datetime.now(datetime.UTC)
    text = "\n".join([f"{now:%Y-%m-%dT%H:%M:%S%z}", *report.lines(), ""])
    if not _may_be_logged_in(folder, report.file):
        return f"The results were not logged: in {folder} root writes for a configuration of its own only (log_dir)."
    try:
        write_replacing(folder, LOG_NAME, text)
    except FileNotFoundError:
        return f"The results were not logged: there is no folder {folder}. Make it, or name another one in log_dir."
    except OSError as fault:
        return f"The results could not be logged in {folder / LOG_NAME}: {fault.strerror}."
    return f"The results have also been logged in {folder / LOG_NAME}."


def _may_be_logged_in(folder: Path, configuration: Path) -> bool:
    """Whether root writes into a folder: its owner, if not root, names none of others in a configuration."""
    owner = owner_whose_rights_count(configuration)
    if owner is None or folder == Places(configuration).log_folder:
        return True
    try:
        return folder.stat().st_uid == owner
    except OSError:
        return True  # it is told why nothing can be written there


def run_in_reactor(begin: Callable[[Any], Coroutine[Any, Any, ResultT]]) -> ResultT:
    """Run a coroutine in the global reactor, from a program that does nothing else with it; what is logged is dropped.

    Args:
        begin: makes the coroutine from the reactor.
    """
    from twisted.internet import reactor
    from twisted.internet.defer import Deferred
    from twisted.logger import globalLogBeginner

    globalLogBeginner.beginLoggingTo([], redirectStandardIO=False, discardBuffer=True)
    # Deadlines must not move when somebody sets the time of day.
    reactor.seconds = time.monotonic  # type: ignore[method-assign]
    ended: list[Any] = []

    def run() -> None:
        running = Deferred.fromCoroutine(begin(reactor))
        running.addBoth(ended.append)
        running.addBoth(lambda _: reactor.stop())

    reactor.callWhenRunning(run)
    reactor.run()
    if not ended:
        raise KeyboardInterrupt
    result = ended[0]
    if hasattr(result, "raiseException"):
        result.raiseException()
    value: ResultT = result
    return value


def _terminal(shows_progress: bool) -> Audience:
    """Write to the terminal: lines on standard output, what is being tried on standard error while it lasts."""

    def write(line: str) -> None:
        if shows_progress:
            click.echo(_CLEAR_LINE, nl=False, err=True)
        click.echo(line)

    def progress(title: str) -> None:
        if shows_progress and title:
            click.echo(f"{_CLEAR_LINE}… {title}", nl=False, err=True)

    return Audience(write, progress)
