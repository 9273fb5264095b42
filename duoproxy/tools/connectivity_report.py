"""The report of the connectivity tool: what was found of each section, as lines for people and as JSON for programs.

The form is that of the Duo Authentication Proxy's tool, which people compare: two passes over the sections in file
order, each line with its level, secrets masked, a verdict for each section, a rule, a summary. Reference: §3.1.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from attrs import frozen

from duoproxy.config.problems import Problem, Severity
from duoproxy.sections.checks import CheckFinding, CheckLevel
from duoproxy.tools.command_line import counted

FIRST_LINE: Final = "Running the connectivity tool of duoproxy. This may take several minutes."
RULE: Final = "-" * 29
NO_CONFIGURATION_PROBLEMS: Final = "There are no configuration problems"
NOTHING_TO_TEST: Final = "No testing to be done for section."
NOT_TESTED: Final = "The section was not tested."

_LEVELS: Final = {Severity.ERROR: CheckLevel.ERROR, Severity.WARNING: CheckLevel.WARNING}
_VERDICTS: Final = {
    "ad_client": "The LDAP Client section has {no}connectivity issues.",
    "radius_client": "The RADIUS Client section has {no}connectivity issues.",
    "radius_server_": "The RADIUS Server has {no}connectivity problems.",
    "ldap_server_": "The LDAP Server has {no}connectivity problems.",
    "http_proxy": "The HTTP Proxy has {no}connectivity problems.",
}
_OTHER_VERDICT: Final = "There are {no}connectivity problems with the section."


@frozen
class SectionReport:
    """What was found of one section.

    Attributes:
        name: the name between the brackets.
        kind: the name without its number; empty for a section that is not served.
        configuration: option → value as it may be shown.
        problems: of the configuration.
        findings: of the tests.
        tested: whether there was anything to test.
        skipped: what there was could not be tested; a finding says why.
    """

    name: str
    kind: str
    configuration: Mapping[str, str]
    problems: Sequence[Problem] = ()
    findings: Sequence[CheckFinding] = ()
    tested: bool = False
    skipped: bool = False

    @property
    def verdict(self) -> CheckFinding:
        """The last line about the section."""
        if not self.tested:
            return CheckFinding(CheckLevel.INFO, NOTHING_TO_TEST)
        failed = any(finding.level is CheckLevel.ERROR for finding in self.findings)
        if self.skipped and not failed:
            return CheckFinding(CheckLevel.INFO, NOT_TESTED)
        level = CheckLevel.ERROR if failed else CheckLevel.INFO
        form = next((text for start, text in _VERDICTS.items() if self.kind.startswith(start)), _OTHER_VERDICT)
        return CheckFinding(level, form.format(no="" if failed else "no "))

    def issues(self) -> Iterator[CheckFinding]:
        """List what is wrong or doubtful, each with the name of the section."""
        for finding in [*map(as_finding, self.problems), *self.findings]:
            if finding.level is not CheckLevel.INFO:
                yield CheckFinding(finding.level, f"[{self.name}] {finding}")


@frozen
class Report:
    """What was found of one file.

    Attributes:
        file: the configuration file.
        log_folder: where its logs go.
        problems: those that belong to no section.
        sections: in file order.
    """

    file: Path
    log_folder: Path
    problems: Sequence[Problem] = ()
    sections: Sequence[SectionReport] = ()

    @property
    def issues(self) -> list[CheckFinding]:
        """Everything that is wrong or doubtful."""
        found = [as_finding(problem) for problem in self.problems]
        return [*found, *(issue for section in self.sections for issue in section.issues())]

    @property
    def errors(self) -> int:
        """How many things keep logins from working, or the service from starting."""
        return sum(issue.level is CheckLevel.ERROR for issue in self.issues)

    @property
    def warnings(self) -> int:
        """How many things are doubtful."""
        return len(self.issues) - self.errors

    @property
    def ok(self) -> bool:
        """Whether there are no errors."""
        return self.errors == 0

    def lines(self) -> list[str]:
        """Give the whole report; without the note where it was logged."""
        lines = [FIRST_LINE, *(finding_line(as_finding(problem)) for problem in self.problems)]
        for section in self.sections:
            lines += configuration_lines(section)
        for section in self.sections:
            lines += [*heading_lines(section), *verdict_lines(section)]
        return [*lines, *summary_lines(self)]

    def as_json(self) -> dict[str, Any]:
        """Give the same as plain values."""
        return {
            "file": str(self.file),
            "ok": self.ok,
            "errors": self.errors,
            "warnings": self.warnings,
            "problems": [_finding_fields(as_finding(problem)) for problem in self.problems],
            "sections": [_section_fields(section) for section in self.sections],
        }


def as_finding(problem: Problem) -> CheckFinding:
    """Give a problem of the configuration as a finding; its line number is kept, its section stands above it.

    What is wrong with the file as a whole is said of it by name.
    """
    if not problem.section and problem.line is None:
        return CheckFinding(
            _LEVELS[problem.severity], f"{problem.file}: {problem.what}".removeprefix(": "), problem.remedy
        )
    place = " ".join(part for part in (f"line {problem.line}" if problem.line else "", problem.option) if part)
    what = f"{place}: {problem.what}" if place else problem.what
    return CheckFinding(_LEVELS[problem.severity], what, problem.remedy)


def finding_line(finding: CheckFinding) -> str:
    """Write one line of the report: level, two blanks, text."""
    return f"[{finding.level.value}]  {finding}"


def heading_lines(section: SectionReport) -> list[str]:
    """Write the heading of a section with what is configured in it, one option a line."""
    entries = [f"{name!r}: {value!r}" for name, value in section.configuration.items()]
    block = ("{" + ",\n ".join(entries) + "}").split("\n")
    return [_info(f"Testing section '{section.name}' with configuration:"), *map(_info, block)]


def configuration_lines(section: SectionReport) -> list[str]:
    """Write the first pass over a section."""
    problems = [finding_line(as_finding(problem)) for problem in section.problems]
    return [*heading_lines(section), *(problems or [_info(NO_CONFIGURATION_PROBLEMS)]), _info(RULE)]


def verdict_lines(section: SectionReport) -> list[str]:
    """Write the end of the second pass over a section: what was found, the verdict, a rule."""
    return [*map(finding_line, section.findings), finding_line(section.verdict), _info(RULE)]


def summary_lines(report: Report) -> list[str]:
    """Write the end of the report."""
    issues = report.issues
    if not issues:
        return [_info("SUMMARY"), _info("No issues detected")]
    numbers = ((report.errors, "error"), (report.warnings, "warning"))
    detected = ", ".join(counted(number, word) for number, word in numbers if number)
    return [_info("SUMMARY"), *map(finding_line, issues), _info(f"{detected} detected")]


def _info(text: str) -> str:
    return f"[{CheckLevel.INFO.value}]  {text}"


def _section_fields(section: SectionReport) -> dict[str, Any]:
    return {
        "name": section.name,
        "kind": section.kind,
        "configuration": dict(section.configuration),
        "problems": [_finding_fields(as_finding(problem)) for problem in section.problems],
        "findings": [_finding_fields(finding) for finding in section.findings],
        "tested": section.tested and not section.skipped,
        "verdict": str(section.verdict),
    }


def _finding_fields(finding: CheckFinding) -> dict[str, str]:
    return {"level": finding.level.value, "what": finding.what, "remedy": finding.remedy, "text": str(finding)}
