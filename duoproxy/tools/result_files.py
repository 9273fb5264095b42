"""Writes what a tool has found into a folder of the service, whose owner may not be trusted with root's rights.

A new file takes the place of the old one in one step: a link that somebody laid under the name is replaced, not
followed, and nobody reads half a report.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path
from typing import Final

REPORT_MODE: Final = 0o640


def write_replacing(folder: Path, name: str, text: str, mode: int = REPORT_MODE) -> None:
    """Write a file of a folder; root gives it to the owner of the folder.

    Args:
        folder: where; must be there.
        name: the name of the file.
        text: its content.
        mode: who may read it.

    Raises:
        OSError: it cannot be written.
    """
    at = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        temporary = f".{name}.{secrets.token_hex(8)}"
        try:
            _write_new(at, temporary, text.encode("utf-8", "backslashreplace"), mode)
            os.rename(temporary, name, src_dir_fd=at, dst_dir_fd=at)
        except OSError:
            with contextlib.suppress(OSError):
                os.unlink(temporary, dir_fd=at)
            raise
    finally:
        os.close(at)


def _write_new(at: int, name: str, content: bytes, mode: int) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    with os.fdopen(os.open(name, flags, 0o600, dir_fd=at), "wb") as file:
        if os.geteuid() == 0:
            about = os.fstat(at)
            os.fchown(file.fileno(), about.st_uid, about.st_gid)
        os.fchmod(file.fileno(), mode)
        file.write(content)
