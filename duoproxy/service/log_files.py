"""One log file: opened without following anybody's links, rotated by size, opened anew for an outside logrotate.

Whoever may write into the log folder must not be able to make the service write somewhere else: a name that is a
symbolic link, a pipe, a file with a second name or a file of somebody else is refused. Writing never raises: a full
disk must not end a login.
"""

from __future__ import annotations

import contextlib
import errno
import os
import pwd
import stat
from pathlib import Path
from typing import Final

LOG_MODE: Final = 0o640
FOLDER_MODE: Final = 0o750
ROTATION_PAUSE_BYTES: Final = 1_048_576
"""Octets that are written before a rotation that failed is tried again."""

_ROOT: Final = 0
# O_NONBLOCK: a pipe that somebody put there must not stop the start until it is read.
_FLAGS: Final = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_CLOSED: Final = -1


class LogFile:
    """A log file that is renamed to `name.1`, `name.2` … when it reaches its size."""

    def __init__(self, path: Path, max_bytes: int, max_files: int) -> None:
        """Prepare; nothing is opened yet.

        Args:
            path: where.
            max_bytes: size at which it rotates; 0: never.
            max_files: how many rotated files are kept; 0 keeps all.
        """
        self.path = path
        self._max_bytes = max_bytes
        self._max_files = max_files
        self._descriptor = _CLOSED
        self._size = 0
        self._rotates_at = max_bytes

    def open(self) -> None:
        """Open the file, and make it when it is missing.

        Raises:
            OSError: it cannot be opened, or is not a file of ours alone; `strerror` says why.
        """
        descriptor = _opened(self.path)
        self.close()
        self._descriptor = descriptor
        self._size = os.fstat(descriptor).st_size
        self._rotates_at = self._max_bytes

    def write(self, text: str) -> None:
        """Write text; what cannot be written is lost."""
        octets = text.encode("utf-8", "backslashreplace")
        if self._max_bytes and self._size >= self._rotates_at:
            self._rotate()
        with contextlib.suppress(OSError):
            self._size += os.write(self._descriptor, octets)

    def close(self) -> None:
        """Close the file; what is written afterwards is lost."""
        if self._descriptor != _CLOSED:
            os.close(self._descriptor)
            self._descriptor = _CLOSED

    def _rotate(self) -> None:
        """Move every file on by one and begin a new one; when that cannot be, go on with the one there is."""
        try:
            for number in sorted(self._numbers(), reverse=True):
                if self._max_files and number >= self._max_files:
                    os.unlink(self._rotated(number))
                else:
                    os.rename(self._rotated(number), self._rotated(number + 1))
            os.rename(self.path, self._rotated(1))
            self.open()
        except OSError as fault:
            self._rotates_at = self._size + ROTATION_PAUSE_BYTES
            sentence = f"This file could not be rotated: {fault.strerror} ({fault.filename}). It grows on.\n"
            with contextlib.suppress(OSError):
                os.write(self._descriptor, sentence.encode("utf-8", "backslashreplace"))

    def _rotated(self, number: int) -> Path:
        return self.path.with_name(f"{self.path.name}.{number}")

    def _numbers(self) -> list[int]:
        beginning = self.path.name + "."
        names = [name.removeprefix(beginning) for name in os.listdir(self.path.parent) if name.startswith(beginning)]
        return [int(name) for name in names if name.isascii() and name.isdecimal() and not name.startswith("0")]


def _opened(path: Path) -> int:
    """Open a file for appending that is ours alone, with mode `LOG_MODE`."""
    try:
        descriptor = os.open(path, _FLAGS, LOG_MODE)
    except OSError as fault:
        reasons = {errno.ELOOP: "it is a symbolic link", errno.ENXIO: "it is a pipe and no file"}
        raise OSError(fault.errno, reasons.get(fault.errno or 0, fault.strerror), str(path)) from None
    try:
        found = os.fstat(descriptor)
        reason = _not_ours(found, os.geteuid())
        if reason:
            raise OSError(errno.EPERM, reason, str(path))
        if found.st_uid == os.geteuid() and stat.S_IMODE(found.st_mode) != LOG_MODE:
            os.fchmod(descriptor, LOG_MODE)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _not_ours(found: os.stat_result, user_id: int) -> str:
    """Say why an open file must not be written to; empty when it may."""
    if not stat.S_ISREG(found.st_mode):
        return "it is no regular file"
    if found.st_nlink != 1:
        return "it is gone or has another name as well (a hard link)"
    if found.st_uid not in (user_id, _ROOT):
        return f"it belongs to {user_name(found.st_uid)}, and this process is {user_name(user_id)}"
    return ""


def user_name(user_id: int) -> str:
    """Give the name of a user, or its number when it has none."""
    try:
        return pwd.getpwuid(user_id).pw_name
    except KeyError:
        return str(user_id)
