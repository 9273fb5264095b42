"""Reads the logs for a support file: bounded, and only what is a plain file of the log folder itself.

The folder belongs to the account of the service, and root reads it: a link in it must not bring a file from elsewhere
into a zip that goes out of the house.
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from attrs import frozen

MAX_LOG_BYTES: Final = 4 * 1024 * 1024
"""Octets that are taken of one log: its end."""
MAX_LOGS_BYTES: Final = 24 * 1024 * 1024
"""Octets of all logs together; the newest first."""
MAX_LOG_FILES: Final = 40
_LOG_NAME: Final = re.compile(r"(authproxy|authevents|connectivity_tool|ssoevents|install)\.log(\.[0-9]{1,4})?")


@frozen
class LogPart:
    """What was read of one log.

    Attributes:
        name: of the file.
        octets: its end.
        left_out: octets before that.
    """

    name: str
    octets: bytes
    left_out: int


def log_parts(folder: Path) -> Iterator[LogPart]:
    """Read the logs of a folder; what is no plain file of our names is left out."""
    try:
        at = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        return
    try:
        left = MAX_LOGS_BYTES
        for name in _names(at)[:MAX_LOG_FILES]:
            part = _read_end(at, name, min(left, MAX_LOG_BYTES))
            if part is not None:
                left -= len(part.octets)
                yield part
    finally:
        os.close(at)


def _names(at: int) -> list[str]:
    """List the logs, those without a number first, then the newest of each kind."""
    names = [name for name in os.listdir(at) if _LOG_NAME.fullmatch(name)]
    return sorted(names, key=lambda name: (int(name.rpartition(".log")[2].lstrip(".") or 0), name))


def _read_end(at: int, name: str, limit_bytes: int) -> LogPart | None:
    with contextlib.suppress(OSError):
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        with os.fdopen(os.open(name, flags, dir_fd=at), "rb") as file:
            about = os.fstat(file.fileno())
            # A second name would let the owner of the folder show a file that only root may read.
            if not stat.S_ISREG(about.st_mode) or about.st_nlink != 1:
                return None
            begin = max(0, about.st_size - limit_bytes)
            file.seek(begin)
            octets = file.read(limit_bytes)
        if begin:  # half a line could hold half a secret, which nobody would know
            octets = octets.partition(b"\n")[2]
        return LogPart(name, octets, about.st_size - len(octets))
    return None
