"""The INI notation of authproxy.cfg: lines in, sections and entries with their line numbers out.

Stands in place of `configparser`, which stops at the first fault and forgets the lines. It knows no option and no
section; a text that cannot be read as INI becomes a problem, and reading goes on.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from attrs import Factory, define, frozen

from duoproxy.config.findings import Findings
from duoproxy.config.problems import Problem

MAX_FILE_BYTES: Final = 1024 * 1024
"""The largest configuration file."""
MAX_LINE_BYTES: Final = 16384
"""The longest line."""
MAX_SECTIONS: Final = 100
"""Sections of one file."""
MAX_ENTRIES: Final = 5000
"""Options of one section."""

_UTF8_BOM: Final = b"\xef\xbb\xbf"
_UTF16_BOMS: Final = (b"\xff\xfe", b"\xfe\xff")
_NEWLINE: Final = re.compile(rb"\r\n|\n|\r")
_HEADING: Final = re.compile(r"\[([^\[\]]+)\]\s*([;#].*)?")
_CONTROL: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


@frozen
class IniEntry:
    """One `key = value` line.

    Attributes:
        key: lower case.
        value: what stands right of the first `=`, outer blanks removed, otherwise untouched.
        line: from 1.
        usable: False when a problem of this line has been told already, so that its value means nothing.
    """

    key: str
    value: str
    line: int
    usable: bool = True


@frozen
class IniSection:
    """One section.

    Attributes:
        name: lower case.
        line: line of the heading.
        entries: its options, each key once.
    """

    name: str
    line: int
    entries: tuple[IniEntry, ...]


@frozen
class IniFile:
    """A file that was read.

    Attributes:
        file: how problems name it.
        sections: each name once.
        problems: what could not be read.
    """

    file: str
    sections: tuple[IniSection, ...]
    problems: tuple[Problem, ...]


@define
class _OpenSection:
    name: str
    line: int
    entries: dict[str, IniEntry] = Factory(dict)


def read_ini(path: Path) -> IniFile:
    """Read a file; one that cannot be opened is a problem like any other."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
    except PermissionError:
        remedy = "Run this as root, or as the account that the file belongs to"
        return _refused(str(path), "this account may not read the file", remedy)
    except (OSError, ValueError) as error:
        cause = error.strerror if isinstance(error, OSError) else "no possible file name"
        return _refused(str(path), f"the file cannot be read ({cause})", "Name a configuration file that can be read")
    return parse_ini(content, str(path))


def parse_ini(content: bytes | str, file: str) -> IniFile:
    """Read the content of a file.

    Args:
        content: the octets of the file (UTF-8), or its text.
        file: how problems name it.
    """
    octets = content.encode("utf-8", "surrogateescape") if isinstance(content, str) else content
    if len(octets) > MAX_FILE_BYTES:
        return _refused(file, f"the file is larger than {MAX_FILE_BYTES} bytes", "Name a configuration file")
    if octets.startswith(_UTF16_BOMS) or b"\x00" in octets:
        return _refused(file, "the file is not UTF-8 but seems to be UTF-16", "Save it with the encoding UTF-8")
    reader = _Reader(file)
    for number, line in enumerate(_NEWLINE.split(octets.removeprefix(_UTF8_BOM)), start=1):
        reader.take_line(number, line)
        if reader.findings.full:
            break
    return reader.finish()


def _refused(file: str, what: str, remedy: str) -> IniFile:
    findings = Findings(file)
    findings.error(None, "", "", what, remedy)
    return IniFile(file, (), tuple(findings.problems()))


class _Reader:
    """Takes one line after the other."""

    def __init__(self, file: str) -> None:
        self.findings = Findings(file)
        self._sections: dict[str, _OpenSection] = {}
        self._current: _OpenSection | None = None
        self._strays = 0

    def take_line(self, number: int, octets: bytes) -> None:
        """Sort a line: nothing, comment, heading, or entry."""
        if octets.strip()[:1] in (b"", b";", b"#"):
            return
        text, usable = self._decode(number, octets)
        if text.startswith("["):
            self._take_heading(number, text)
        elif self._current is None:
            self._take_stray(number)
        elif usable or "=" in text:
            self._take_entry(number, text, usable)

    def finish(self) -> IniFile:
        """Give what was read."""
        if not self._sections and not self.findings.has_errors:
            what = "there is no section in this file"
            self.findings.error(None, "", "", what, "Begin with a heading in brackets, such as [main]")
        sections = (IniSection(one.name, one.line, tuple(one.entries.values())) for one in self._sections.values())
        return IniFile(self.findings.file, tuple(sections), tuple(self.findings.problems()))

    def _decode(self, number: int, octets: bytes) -> tuple[str, bool]:
        """Decode a line; the second value is False when a problem of it has been told."""
        try:
            text = octets[: MAX_LINE_BYTES + 1].decode("utf-8")
        except UnicodeDecodeError:
            text = octets[:MAX_LINE_BYTES].decode("utf-8", "replace")
            if len(octets) <= MAX_LINE_BYTES:
                self._error(number, "the line is not UTF-8", "Save the file with the encoding UTF-8")
                return text.strip(), False
        if len(octets) > MAX_LINE_BYTES:
            self._error(number, f"the line is longer than {MAX_LINE_BYTES} bytes", "Write a shorter one")
            return text.strip(), False
        if _CONTROL.search(text):
            self._error(number, "there is a control character in the line", "Delete it, and write the line anew")
            return text.strip(), False
        return text.strip(" \t"), True

    def _take_heading(self, number: int, text: str) -> None:
        heading = _HEADING.fullmatch(text)
        name = (heading.group(1) if heading else text.strip("[]")).strip().lower()
        if heading is None or not name:
            self._error(
                number, "the heading of a section is not complete", "Write its name in brackets, such as [main]"
            )
        elif heading.group(2):
            self.findings.warning(
                number, name, "", "a comment stands behind the heading", "Put comments on lines of their own"
            )
        self._open_section(number, name)

    def _open_section(self, number: int, name: str) -> None:
        self._current = _OpenSection(name, number)
        if name in self._sections:
            what = f"there is a section of this name in line {self._sections[name].line} already"
            self.findings.error(number, name, "", what, "Write both as one, or give this one a number: [NAME2]")
        elif len(self._sections) >= MAX_SECTIONS:
            what = f"there are more than {MAX_SECTIONS} sections"
            self.findings.error(number, name, "", what, "Spread them over several installations")
        else:
            self._sections[name] = self._current

    def _take_stray(self, number: int) -> None:
        self._strays += 1
        if self._strays == 1:
            self._error(number, "there is text before the first section", "Begin with a heading, such as [main]")

    def _take_entry(self, number: int, text: str, usable: bool) -> None:
        key, equals, value = text.partition("=")
        key = key.strip().lower()
        if not equals or not key:
            # The text is not quoted: it may be a secret.
            what = "the line is neither a heading, an option nor a comment"
            self._error(number, what, "Write NAME = VALUE, or put a ; before a comment")
            return
        current = self._current
        if current is None or key in current.entries:
            first = current.entries[key].line if current else 0
            what = f"the option stands in line {first} already"
            self.findings.error(number, current.name if current else "", key, what, "Delete one of the two lines")
            return
        if len(current.entries) >= MAX_ENTRIES:
            what = f"there are more than {MAX_ENTRIES} options in this section"
            self.findings.error(number, current.name, key, what, "Spread them over several sections")
            return
        current.entries[key] = IniEntry(key, value.strip(" \t"), number, usable)

    def _error(self, number: int, what: str, remedy: str) -> None:
        self.findings.error(number, self._current.name if self._current else "", "", what, remedy)
