"""Where the log goes: file with rotation, standard output, syslog.

Options `debug`, `log_dir`, `log_max_size`, `log_max_files`, `log_stdout`, `log_syslog` and `syslog_facility` of
`[main]` (reference: the Duo Authentication Proxy's `authproxy.log`). Writing never raises: a full disk must not end a
login.
"""

from __future__ import annotations

import sys
import syslog
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

from attrs import frozen
from twisted.logger import (
    FilteringLogObserver,
    ILogFilterPredicate,
    ILogObserver,
    LogEvent,
    LogLevel,
    LogLevelFilterPredicate,
    PredicateResult,
)
from twisted.python.logfile import LogFile
from zope.interface import implementer

from duoproxy.config.problems import Problem, Severity
from duoproxy.errors import ConfigError
from duoproxy.sections.main import MainSettings
from duoproxy.service.log_text import format_line

LOG_NAME = "authproxy.log"
EVENTS_NAME = "authevents.log"
LOG_MODE = 0o640

_SYSLOG_PRIORITIES = {
    LogLevel.debug: syslog.LOG_DEBUG,
    LogLevel.info: syslog.LOG_INFO,
    LogLevel.warn: syslog.LOG_WARNING,
    LogLevel.error: syslog.LOG_ERR,
    LogLevel.critical: syslog.LOG_CRIT,
}


def rotating_file(folder: Path, name: str, max_bytes: int, max_files: int) -> LogFile:
    """Open a log file that is renamed to `name.1`, `name.2` … when it reaches `max_bytes` (0: never).

    Args:
        folder: where; made when missing.
        name: file name.
        max_bytes: size at which it rotates.
        max_files: how many rotated files are kept; 0 keeps all.

    Raises:
        ConfigError: the folder or file cannot be written.
    """
    try:
        folder.mkdir(mode=0o750, parents=True, exist_ok=True)
        return LogFile(
            name, str(folder), rotateLength=max_bytes or None, defaultMode=LOG_MODE, maxRotatedFiles=max_files or None
        )
    except OSError as fault:
        what = f"the log file {folder / name} cannot be written: {fault.strerror}"
        remedy = "Name a folder that the service user may write to, or set log_stdout=true."
        raise ConfigError([Problem(Severity.ERROR, "", None, "main", "log_dir", what, remedy)]) from fault


def file_writer(file: LogFile | TextIO) -> Callable[[str], None]:
    """Make a function that writes text to `file` and never raises; what could not be written is lost."""

    def write(text: str) -> None:
        try:
            file.write(text)
            file.flush()
        except (OSError, ValueError):
            return

    return write


@implementer(ILogObserver)
class _TextObserver:
    """Writes one line for each event."""

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write

    def __call__(self, event: LogEvent) -> None:
        self._write(format_line(event))


@implementer(ILogObserver)
class _SyslogObserver:
    """Sends one line for each event to syslog."""

    def __init__(self, facility: str) -> None:
        syslog.openlog("duoauthproxy", syslog.LOG_PID, getattr(syslog, facility))

    def __call__(self, event: LogEvent) -> None:
        priority = _SYSLOG_PRIORITIES.get(event.get("log_level", LogLevel.info), syslog.LOG_INFO)
        syslog.syslog(priority, format_line(event).rstrip("\n"))


@implementer(ILogFilterPredicate)
class _Quiet:
    """Leaves out what libraries say below a warning: it is not about logins."""

    def __call__(self, event: LogEvent) -> Any:
        namespace = str(event.get("log_namespace", ""))
        level = event.get("log_level", LogLevel.info)
        from_library = namespace.startswith("twisted.") or namespace in {"log_legacy", "-"}
        return PredicateResult.no if from_library and level < LogLevel.warn else PredicateResult.maybe


def make_observer(observe: ILogObserver, debug: bool) -> ILogObserver:
    """Wrap an observer so that it gets information and worse, or with `debug` everything."""
    if debug:
        return FilteringLogObserver(observe, [LogLevelFilterPredicate(defaultLogLevel=LogLevel.debug)])
    return FilteringLogObserver(observe, [LogLevelFilterPredicate(defaultLogLevel=LogLevel.info), _Quiet()])


@frozen
class Logs:
    """The open log of a service.

    Attributes:
        observers: what twisted.logger hands events to.
        files: the files behind them.
    """

    observers: tuple[ILogObserver, ...]
    files: tuple[LogFile, ...]

    def close(self) -> None:
        """Close the files; what is logged afterwards is lost."""
        for file in self.files:
            file.close()


def open_logs(main: MainSettings, log_folder: Path) -> Logs:
    """Open what `[main]` asks for.

    Raises:
        ConfigError: a log file cannot be written.
    """
    files: tuple[LogFile, ...] = ()
    target: LogFile | TextIO = sys.stdout
    if not main.log_stdout:
        target = rotating_file(log_folder, LOG_NAME, main.log_max_size, main.log_max_files)
        files = (target,)
    observers = [make_observer(_TextObserver(file_writer(target)), main.debug)]
    if main.log_syslog:
        observers.append(make_observer(_SyslogObserver(main.syslog_facility), main.debug))
    return Logs(tuple(observers), files)
