"""Finds logins in authproxy.log and its rotated files: for when the service does not run, or has forgotten them.

What comes out has the form that the journal of the service gives. Reading is bounded: a log can be large.
"""

from __future__ import annotations

import ast
import os
import re
import stat
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Final, TextIO

from duoproxy.service.journal import LoginRecord

MAX_FILES_READ: Final = 100
MAX_BYTES_READ: Final = 256 << 20
"""Of all files together; the newest are read first."""
MAX_LINE_CHARACTERS: Final = 16_384
MAX_RECORDS: Final = 2_000
"""Logins that are kept while a file is read; those that went by longest ago are dropped first."""

_LINE = re.compile(r"(?P<stamp>\S+) \[(?P<section>[^]#]+)#(?P<level>\w+)\] (?P<text>.*)")
_ABOUT = re.compile(r"Login (?P<login_id>[0-9a-zA-Z-]{1,64})(?: from (?P<device>\S+))?: (?P<said>.*)")
_NAME = r"""(?P<user>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")"""
_BEGIN = re.compile(rf"{_NAME} asks from (?P<device>[0-9a-fA-F.:%]+[^\s.]*)")
_END = re.compile(
    rf"user={_NAME} device=(?P<device>\S+) section=(?P<section>\S+) factor=(?P<factor>\S+) result=(?P<result>\S+) "
    r"cause=(?P<cause>\S+) duration=(?P<duration>[0-9.]+)s primary=(?P<primary>[0-9.]+)s "
    r"second_factor=(?P<second>[0-9.]+)s(?: \| (?P<detail>.*))?"
)


def log_files(folder: Path, name: str) -> list[Path]:
    """List a log with its rotated files that are there, the newest first."""
    files = [folder / name, *(folder / f"{name}.{number}" for number in range(1, MAX_FILES_READ))]
    return [file for file in files if file.is_file() and not file.is_symlink()]


def logins_in(files: Iterable[Path], *, login_id: str = "", user: str = "", last: int = 1) -> list[LoginRecord]:
    """Find logins, the newest first.

    Args:
        files: the newest first.
        login_id: the one that is looked for; empty: the last ones.
        user: only those of this name, case aside; empty: of everybody.
        last: how many.

    Raises:
        OSError: a file cannot be read.
    """
    found: OrderedDict[str, LoginRecord] = OrderedDict()
    left = MAX_BYTES_READ
    for file in files:
        with _opened(file) as opened:
            left -= os.fstat(opened.fileno()).st_size
            older = _records(opened, login_id)
        for name, newer in found.items():
            if name in older:  # its lines stand on both sides of a rotation
                _join(older[name], newer)
            else:
                older[name] = newer
        found = older
        wanted = _chosen(found, login_id, user, last)
        if left <= 0 or (len(wanted) >= last and all(_is_whole(record) for record in wanted)):
            break
    return _chosen(found, login_id, user, last)


def _chosen(found: OrderedDict[str, LoginRecord], login_id: str, user: str, last: int) -> list[LoginRecord]:
    if login_id:
        return [found[login_id]] if login_id in found else []
    wanted = user.strip().casefold()
    matching = [each for each in reversed(found.values()) if not wanted or each.user.strip().casefold() == wanted]
    return matching[:last]


def _is_whole(record: LoginRecord) -> bool:
    """Whether the line that begins a login is there, so that no older file has more of it."""
    return any(" asks from " in text for _, _, text in record.steps)


def _opened(file: Path) -> TextIO:
    descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise FileNotFoundError(f"{file} is no file")
    return os.fdopen(descriptor, encoding="utf-8", errors="replace")


def _lines(opened: TextIO) -> Iterator[str]:
    while line := opened.readline(MAX_LINE_CHARACTERS):
        if "Login " in line:
            yield line.rstrip("\n")


def _records(opened: TextIO, login_id: str) -> OrderedDict[str, LoginRecord]:
    records: OrderedDict[str, LoginRecord] = OrderedDict()
    for line in _lines(opened):
        found = _LINE.fullmatch(line)
        about = _ABOUT.fullmatch(found["text"]) if found else None
        if found is None or about is None or (login_id and about["login_id"] != login_id):
            continue
        record = records.get(about["login_id"])
        if record is None:
            record = records[about["login_id"]] = LoginRecord(about["login_id"], section=found["section"])
            if len(records) > MAX_RECORDS:
                records.popitem(last=False)
        record.device = record.device or about["device"] or ""
        record.add(_seconds(found["stamp"]), found["level"], _understood(record, about["said"]))
    return records


def _understood(record: LoginRecord, said: str) -> str:
    """Take from a line what it says of the whole login; gives the text of the step."""
    end = _END.fullmatch(said)
    if end is not None:
        record.user, record.device, record.section = _name(end["user"]), end["device"], end["section"]
        record.end = {name: end[name] or "" for name in ("result", "cause", "factor", "detail")}
        record.end |= {name: float(end[name]) for name in ("duration", "primary", "second")}
        return record.end_text()
    begin = _BEGIN.match(said)
    if begin is not None:
        record.user, record.device = _name(begin["user"]), begin["device"]
    return said


def _join(older: LoginRecord, newer: LoginRecord) -> None:
    """Add what a newer file has of a login to what an older one has."""
    older.end = older.end or newer.end
    older.user, older.device = older.user or newer.user, older.device or newer.device
    older.section = newer.section if newer.end else older.section
    for at, level, text in newer.steps:
        older.add(at, level, text)


def _name(written: str) -> str:
    try:
        name = ast.literal_eval(written)
    except (ValueError, SyntaxError):
        return written
    return str(name)


def _seconds(stamp: str) -> float:
    try:
        return datetime.strptime(stamp, "%Y-%m-%dT%H:%M:%S%z").timestamp()
    except ValueError:
        return 0.0
