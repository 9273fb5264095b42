"""Where the log goes: file with rotation, standard output, syslog; and where events go.

Options `debug`, `log_dir`, `log_max_size`, `log_max_files`, `log_stdout`, `log_syslog`, `syslog_facility` and
`log_auth_events` of `[main]` (reference: the Duo Authentication Proxy's `authproxy.log`). Writing never raises: a full
disk must not end a login.
"""

from __future__ import annotations

import errno
import os
import socket
import sys
import syslog
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TextIO

from twisted.logger import (
    FilteringLogObserver,
    ILogFilterPredicate,
    ILogObserver,
    LogEvent,
    LogLevel,
    LogLevelFilterPredicate,
    PredicateResult,
)
from zope.interface import implementer

from duoproxy.config.problems import Problem, Severity
from duoproxy.errors import ConfigError
from duoproxy.sections.main import MainSettings
from duoproxy.service.auth_events import event_sink, ignore_event
from duoproxy.service.log_files import FOLDER_MODE, LogFile, user_name
from duoproxy.service.log_text import format_line
from duoproxy.service.syslog_socket import DEV_LOG, SyslogSocket

LOG_NAME = "authproxy.log"
EVENTS_NAME = "authevents.log"

_SYSLOG_PRIORITIES = {
    LogLevel.debug: syslog.LOG_DEBUG,
    LogLevel.info: syslog.LOG_INFO,
    LogLevel.warn: syslog.LOG_WARNING,
    LogLevel.error: syslog.LOG_ERR,
    LogLevel.critical: syslog.LOG_CRIT,
}


def stream_writer(stream: TextIO) -> Callable[[str], None]:
    """Make a function that writes text to `stream` and never raises; what could not be written is lost."""

    def write(text: str) -> None:
        try:
            stream.write(text)
            stream.flush()
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
    """Sends each event to syslog, every line of it as one of its own."""

    def __init__(self, send: Callable[[int, str], None]) -> None:
        self._send = send

    def __call__(self, event: LogEvent) -> None:
        priority = _SYSLOG_PRIORITIES.get(event.get("log_level", LogLevel.info), syslog.LOG_INFO)
        for line in format_line(event).splitlines():
            self._send(priority, line)


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


class Logs:
    """The logs of a service.

    Attributes:
        observers: what twisted.logger hands events to.
        event_sink: what sections give authentication events to.
    """

    def __init__(self, main: MainSettings, folder: Path, syslog_path: Path = DEV_LOG) -> None:
        """Prepare what `[main]` asks for; nothing is opened yet.

        Args:
            main: its settings.
            folder: where the files are.
            syslog_path: where syslog listens.
        """
        self._folder = folder
        self._files: list[LogFile] = []
        write = stream_writer(sys.stdout) if main.log_stdout else self._file(LOG_NAME, main)
        observers = [make_observer(_TextObserver(write), main.debug)]
        self._syslog = SyslogSocket(getattr(syslog, main.syslog_facility), syslog_path)
        if main.log_syslog:
            observers.append(make_observer(_SyslogObserver(self._syslog.send), main.debug))
        self.observers: tuple[ILogObserver, ...] = tuple(observers)
        self.event_sink: Callable[[Mapping[str, object]], None] = ignore_event
        if main.log_auth_events:
            self.event_sink = event_sink(self._file(EVENTS_NAME, main), socket.gethostname(), time.time)

    def _file(self, name: str, main: MainSettings) -> Callable[[str], None]:
        file = LogFile(self._folder / name, main.log_max_size, main.log_max_files)
        self._files.append(file)
        return file.write

    def open(self) -> None:
        """Open the files, as the user that this process is now.

        Raises:
            ConfigError: a log file cannot be written.
        """
        for file in self._files:
            try:
                self._folder.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
                file.open()
            except OSError as fault:
                raise ConfigError([_cannot_be_written(file.path, fault)]) from fault

    def reopen(self) -> list[str]:
        """Open the files anew, since somebody else has renamed them.

        Returns:
            a sentence for each file that could not be; what is written goes on into the one that was open.
        """
        sentences = []
        for file in self._files:
            try:
                file.open()
            except OSError as fault:
                sentences.append(str(_cannot_be_written(file.path, fault)))
        return sentences

    def close(self) -> None:
        """Close the files; what is logged afterwards is lost."""
        self._syslog.close()
        for file in self._files:
            file.close()


def _cannot_be_written(path: Path, fault: OSError) -> Problem:
    what = f"the log file {path} cannot be written: {fault.strerror}"
    remedy = "Name a folder that the service user may write to, or set log_stdout=true."
    if fault.errno in (errno.EPERM, errno.EACCES) and os.path.exists(path):
        owner = user_name(path.lstat().st_uid)
        remedy = f"Look at it with ls -l {path.parent}, and remove it or give it back: chown {os.geteuid()} {path}"
        if os.geteuid() == 0 and owner != "root":
            remedy = f"Start the proxy as that user: with authproxyctl, or twistd duoauthproxy --user {owner}."
    return Problem(Severity.ERROR, "", None, "main", "log_dir", what, remedy)
