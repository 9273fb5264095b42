"""What a section lets the connectivity tool try: checks with a title, and what they find.

A section lists its checks in `Section.connectivity`; the tool runs them one after the other, each within its own
deadline, and turns what is raised into a finding. A check opens what it needs and gives all of it back; it must not
count as a failed login of anybody, and what it finds names no secret.
"""

from __future__ import annotations

import enum
from collections.abc import Awaitable, Callable, Sequence

from attrs import frozen

CHECK_LIMIT_S = 30.0
"""After so many seconds a check is given up, unless it names another limit."""


class CheckLevel(enum.Enum):
    """How bad a finding is; the value is the word in the report."""

    INFO = "info"
    """Good to know; no problem."""
    WARNING = "warn"
    """Doubtful: logins work."""
    ERROR = "error"
    """Logins that need this fail."""


@frozen
class CheckFinding:
    """One thing that a check has found.

    Attributes:
        level: how bad it is.
        what: one clause or sentence: what was found.
        remedy: one sentence: what to do; may be empty.
    """

    level: CheckLevel
    what: str
    remedy: str = ""

    def __str__(self) -> str:
        """Give both as sentences in one line."""
        return " ".join(_sentence(part) for part in (self.what, self.remedy) if part)


@frozen
class Check:
    """One thing to try.

    Attributes:
        title: what is tried, for the progress display and for the finding when it takes too long
            (`LDAP server dc1.example.com:389`).
        run: tries it. A `DuoproxyError` that it raises is a finding of level ERROR.
        limit_s: seconds after which it is cancelled.
    """

    title: str
    run: Callable[[], Awaitable[Sequence[CheckFinding]]]
    limit_s: float = CHECK_LIMIT_S


def _sentence(text: str) -> str:
    text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "!", "?")) else text + "."
