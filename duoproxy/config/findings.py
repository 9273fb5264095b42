"""Findings: the collection of problems of one file, bounded, and told once each."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from duoproxy.config.problems import Problem, Severity

MAX_PROBLEMS: Final = 200
"""Problems that are told of one file; with more the file is refused, whatever they are."""


class Findings:
    """Collects problems while a file is read and checked."""

    def __init__(self, file: str) -> None:
        """Begin with none; `file` is how problems name the file."""
        self.file = file
        self._problems: dict[tuple[object, ...], Problem] = {}
        self.full = False

    def extend(self, problems: Iterable[Problem]) -> None:
        """Note problems that were collected elsewhere."""
        for problem in problems:
            self._add(problem)

    def error(self, line: int | None, section: str, option: str, what: str, remedy: str) -> None:
        """Note what keeps the proxy from starting."""
        self._add(Problem(Severity.ERROR, self.file, line, section, option, what, remedy))

    def warning(self, line: int | None, section: str, option: str, what: str, remedy: str) -> None:
        """Note what is doubtful."""
        self._add(Problem(Severity.WARNING, self.file, line, section, option, what, remedy))

    @property
    def has_errors(self) -> bool:
        """Whether the file is refused."""
        return any(problem.is_error for problem in self._problems.values())

    def problems(self) -> list[Problem]:
        """List them in the order of their lines; those without a line come last."""
        return sorted(self._problems.values(), key=lambda problem: (problem.line is None, problem.line or 0))

    def _add(self, problem: Problem) -> None:
        if self.full:
            return
        # A value of [main] is parsed for every section that inherits it, but told once.
        told = (problem.severity, problem.line, problem.section, problem.option, problem.what)
        self._problems.setdefault(told, problem)
        if len(self._problems) >= MAX_PROBLEMS:
            self.full = True
            what = f"there are more than {MAX_PROBLEMS} problems"
            last = Problem(Severity.ERROR, self.file, None, "", "", what, "Mend these first and check again")
            self._problems[(last,)] = last
