"""How a problem is told."""

from __future__ import annotations

from duoproxy.config.findings import MAX_PROBLEMS, Findings
from duoproxy.config.problems import Problem, Severity, quoted


def test_problem_is_one_line_with_place_cause_and_remedy() -> None:
    """File, line, section, option, what is wrong, what to write."""
    problem = Problem(
        Severity.ERROR, "authproxy.cfg", 12, "radius_client", "retries", "'x' is not a whole number", "Write a number"
    )
    assert str(problem) == "error: authproxy.cfg:12 [radius_client] retries: 'x' is not a whole number. Write a number."


def test_problem_of_the_whole_file_names_no_line() -> None:
    """Where no line can be named, none is."""
    problem = Problem(Severity.WARNING, "a.cfg", None, "", "", "it is old", "Did you mean b.cfg?")
    assert str(problem) == "warning: a.cfg: it is old. Did you mean b.cfg?"


def test_problem_of_no_file_begins_with_its_section() -> None:
    """Two packages that own one section are nobody's file."""
    problem = Problem(Severity.ERROR, "", None, "line_server", "", "two packages own it", "Uninstall one")
    assert str(problem) == "error: [line_server]: two packages own it. Uninstall one."


def test_names_from_the_file_cannot_write_control_characters_to_the_terminal() -> None:
    """What is not printable is shown as an escape."""
    problem = Problem(Severity.ERROR, "a.cfg", 1, "\x1b[31m", "", "x", "y")
    assert str(problem) == r"error: a.cfg:1 ['\x1b[31m']: x. y."


def test_quoted_value_is_printable_and_short() -> None:
    """A value is quoted on one line and cut."""
    assert quoted("a\nb\x1b") == r"'a\nb\x1b'"
    assert quoted("x" * 100) == "'" + "x" * 60 + "…'"


def test_problems_come_in_the_order_of_lines_and_each_once() -> None:
    """A value of [main] that several sections inherit is told once."""
    findings = Findings("a.cfg")
    findings.error(7, "s", "", "late", "")
    findings.error(None, "", "", "whole", "")
    findings.warning(3, "s", "o", "early", "one")
    findings.warning(3, "s", "o", "early", "another")
    assert [problem.what for problem in findings.problems()] == ["early", "late", "whole"]


def test_flood_of_warnings_is_cut_and_refuses_the_file() -> None:
    """What is not told might be an error, so a cut list is one."""
    findings = Findings("a.cfg")
    for line in range(1, 10 * MAX_PROBLEMS):
        findings.warning(line, "s", "", "doubtful", "")
    assert findings.full
    assert findings.has_errors
    assert len(findings.problems()) == MAX_PROBLEMS + 1
    assert str(findings.problems()[-1]) == (
        "error: a.cfg: there are more than 200 problems. Mend these first and check again."
    )
