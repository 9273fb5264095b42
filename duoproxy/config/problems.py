"""Problem: one thing that is wrong (or doubtful) in a configuration file, said so that it can be mended.

Problems are values and are collected: an administrator sees all of them at once, not one for each try.
"""

from __future__ import annotations

import enum

from attrs import frozen

QUOTED_CHARS = 60
"""A value is quoted in a problem up to this length."""


class Severity(enum.Enum):
    """Whether the proxy can start in spite of it."""

    ERROR = "error"
    WARNING = "warning"


@frozen
class Problem:
    """One finding.

    Attributes:
        severity: errors keep the proxy from starting.
        file: the file as it was named by who asked for the check, or "" for what no file is to blame for.
        line: its line, from 1, or None where no line can be named.
        section: name between the brackets, or "" for the file as a whole.
        option: name of the option, or "".
        what: one clause: what is wrong.
        remedy: one sentence: what to write or do.
    """

    severity: Severity
    file: str
    line: int | None
    section: str
    option: str
    what: str
    remedy: str

    def __str__(self) -> str:
        """Give the whole finding in one line: `error: authproxy.cfg:12 [radius_client] retries: … . Write … .`."""
        file = self.file if self.line is None else f"{self.file}:{self.line}"
        section = f"[{_plain(self.section)}]" if self.section else ""
        option = _plain(self.option) if self.option else ""
        place = " ".join(part for part in (file, section, option) if part)
        return f"{self.severity.value}: {place}: {self.sentences}"

    @property
    def sentences(self) -> str:
        """What is wrong and what to do, without the place."""
        return " ".join(_sentence(part) for part in (self.what, self.remedy) if part)

    @property
    def is_error(self) -> bool:
        """Whether this keeps the proxy from starting."""
        return self.severity is Severity.ERROR


def quoted(value: str, max_chars: int = QUOTED_CHARS) -> str:
    """Quote a value of the file: on one line, control characters shown as escapes, cut at `max_chars`."""
    shown = value if len(value) <= max_chars else value[:max_chars] + "…"
    return "'" + "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in shown) + "'"


def _plain(name: str) -> str:
    """Give a name of the file as it stands, or quoted when it is no plain one."""
    return name if name.isprintable() and len(name) <= QUOTED_CHARS else quoted(name)


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else text + "."
