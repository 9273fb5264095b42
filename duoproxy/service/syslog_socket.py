"""Lines for syslog: one datagram each to `/dev/log`, without ever waiting for it.

The C library's syslog waits when whoever reads the socket does not, and with it every login would wait. Here such a
line is lost, and so is one while syslog is being restarted; the next one finds it again.

Source: RFC 3164 §4.1 as syslog(3) of the C library writes it.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

DEV_LOG: Final = Path("/dev/log")
PROGRAM: Final = "duoauthproxy"
MAX_LINE_OCTETS: Final = 8_192
"""Of one datagram; what is longer is cut."""


class SyslogSocket:
    """Sends lines to the syslog of this machine."""

    def __init__(self, facility: int, path: Path = DEV_LOG, clock: Callable[[], float] = time.time) -> None:
        """Prepare; the socket is found when the first line is sent.

        Args:
            facility: as `syslog.LOG_DAEMON`: already shifted by three bits.
            path: a Unix datagram socket.
            clock: seconds since 1970.
        """
        self._facility = facility
        self._path = path
        self._clock = clock
        self._socket: socket.socket | None = None

    def send(self, severity: int, line: str) -> None:
        """Send one line; what cannot be sent at once is lost.

        Args:
            severity: as `syslog.LOG_INFO`.
            line: without line ends.
        """
        octets = syslog_datagram(self._facility | severity, line, self._clock())
        for _ in range(2):
            try:
                self._connected().send(octets)
            except BlockingIOError:
                return
            except OSError:
                self.close()  # syslog was started anew: its socket is another one
            else:
                return

    def close(self) -> None:
        """Let go of the socket."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _connected(self) -> socket.socket:
        if self._socket is None:
            made = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
            made.setblocking(False)
            try:
                made.connect(str(self._path))
            except OSError:
                made.close()
                raise
            self._socket = made
        return self._socket


def syslog_datagram(priority: int, line: str, seconds: float) -> bytes:
    """Write one line as the C library does: `<14>Nov  3 09:05:07 duoauthproxy[4711]: line`.

    Args:
        priority: facility and severity.
        line: the text.
        seconds: when, in seconds since 1970.
    """
    now = time.localtime(seconds)
    stamp = f"{_MONTHS[now.tm_mon - 1]} {now.tm_mday:2d} {now.tm_hour:02d}:{now.tm_min:02d}:{now.tm_sec:02d}"
    text = f"<{priority}>{stamp} {PROGRAM}[{os.getpid()}]: {line}"
    return text.encode("utf-8", "backslashreplace")[:MAX_LINE_OCTETS]


# In English whatever the locale is: syslog daemons read it.
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
