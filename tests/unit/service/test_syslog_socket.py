"""Lines for syslog, over a real Unix datagram socket."""

from __future__ import annotations

import os
import re
import socket
import syslog
from pathlib import Path

import pytest
from twisted.logger import LogLevel

from duoproxy.sections.main import SYSLOG_FACILITIES, MainSettings
from duoproxy.service.logs import Logs
from duoproxy.service.syslog_socket import MAX_LINE_OCTETS, SyslogSocket


def listen(path: Path) -> socket.socket:
    """Listen as syslogd does at /dev/log."""
    made = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    made.bind(str(path))
    made.settimeout(5)
    return made


def _event(text: str, level: object) -> dict[str, object]:
    return {"log_time": 0.0, "log_level": level, "log_namespace": "duoproxy", "log_format": "{t}", "t": text}


@pytest.mark.parametrize(
    ("facility", "level", "priority"),
    [
        ("LOG_USER", LogLevel.info, 1 * 8 + 6),
        ("LOG_DAEMON", LogLevel.warn, 3 * 8 + 4),
        ("LOG_LOCAL7", LogLevel.error, 23 * 8 + 3),
        ("LOG_AUTHPRIV", LogLevel.critical, 10 * 8 + 2),
    ],
)
def test_log_syslog_sends_each_line_with_facility_and_severity(
    tmp_path: Path, facility: str, level: object, priority: int
) -> None:
    """`log_syslog` and `syslog_facility`: <facility * 8 + severity>, time, name, process, line."""
    with listen(tmp_path / "log") as syslogd:
        logs = Logs(MainSettings(log_syslog=True, syslog_facility=facility), tmp_path, tmp_path / "log")
        logs.open()
        for observer in logs.observers:
            observer(_event("a line", level))
        received = syslogd.recv(10_000).decode()
        logs.close()
    assert re.fullmatch(
        rf"<{priority}>[A-Z][a-z][a-z] [ \d]\d \d\d:\d\d:\d\d duoauthproxy\[{os.getpid()}\]: .*#\w+\] a line", received
    )
    assert "a line" in (tmp_path / "authproxy.log").read_text()


def test_every_facility_that_may_be_written_is_known() -> None:
    """The choices of syslog_facility are those of this system."""
    assert all(isinstance(getattr(syslog, name), int) for name in SYSLOG_FACILITIES)


def test_a_syslog_that_does_not_read_is_not_waited_for(tmp_path: Path) -> None:
    """With the C library every login would wait for it; here lines are lost, and later ones arrive again."""
    with listen(tmp_path / "log") as syslogd:
        sender = SyslogSocket(syslog.LOG_USER, tmp_path / "log")
        for number in range(5_000):
            sender.send(syslog.LOG_INFO, f"line {number}")
        while True:
            syslogd.settimeout(0)
            try:
                syslogd.recv(10_000)
            except BlockingIOError:
                break
        sender.send(syslog.LOG_INFO, "the last one")
        assert syslogd.recv(10_000).endswith(b"the last one")
        sender.close()


def test_a_syslog_that_was_started_anew_is_found_again(tmp_path: Path) -> None:
    """Its socket is another one under the same name; while it is away lines are lost and nothing is raised."""
    path = tmp_path / "log"
    sender = SyslogSocket(syslog.LOG_USER, path)
    sender.send(syslog.LOG_INFO, "to nobody")
    with listen(path) as syslogd:
        sender.send(syslog.LOG_INFO, "one")
        assert syslogd.recv(10_000).endswith(b": one")
    path.unlink()
    sender.send(syslog.LOG_INFO, "to nobody")
    with listen(path) as syslogd:
        sender.send(syslog.LOG_INFO, "two")
        assert syslogd.recv(10_000).endswith(b": two")
    sender.close()


def test_a_long_line_is_cut(tmp_path: Path) -> None:
    """No stranger decides how much is sent."""
    with listen(tmp_path / "log") as syslogd:
        sender = SyslogSocket(syslog.LOG_USER, tmp_path / "log")
        sender.send(syslog.LOG_INFO, "x" * 100_000)
        assert len(syslogd.recv(200_000)) == MAX_LINE_OCTETS
        sender.close()
