"""The report of the connectivity tool, line by line."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from duoproxy.config.problems import Problem, Severity
from duoproxy.sections.checks import CheckFinding, CheckLevel
from duoproxy.tools.connectivity import LOG_NAME, log_report
from duoproxy.tools.connectivity_report import Report, SectionReport

FILE, LOGS = Path("/opt/duoauthproxy/conf/authproxy.cfg"), Path("/opt/duoauthproxy/log")
UNKNOWN = Problem(Severity.WARNING, str(FILE), 7, "main", "debgu", "the option is unknown and ignored", "Delete it")
DOWN = CheckFinding(CheckLevel.ERROR, "directory dc1:389: no connection", "Start it")
OLD = CheckFinding(CheckLevel.WARNING, "the certificate ends in 3 days.")
MAIN = SectionReport("main", "main", {"debug": "True"}, tested=True)
DIRECTORY = SectionReport("ad_client2", "ad_client", {"host": "dc1", "service_account_password": "*****"}, tested=True)


def test_everything_is_well() -> None:
    """Two passes, a rule of 29 dashes behind each section, a summary."""
    assert "\n".join(Report(FILE, LOGS, sections=[MAIN, DIRECTORY]).lines()) == (
        """\
Running the connectivity tool of duoproxy. This may take several minutes.
[info]  Testing section 'main' with configuration:
[info]  {'debug': 'True'}
[info]  There are no configuration problems
[info]  -----------------------------
[info]  Testing section 'ad_client2' with configuration:
[info]  {'host': 'dc1',
[info]   'service_account_password': '*****'}
[info]  There are no configuration problems
[info]  -----------------------------
[info]  Testing section 'main' with configuration:
[info]  {'debug': 'True'}
[info]  There are no connectivity problems with the section.
[info]  -----------------------------
[info]  Testing section 'ad_client2' with configuration:
[info]  {'host': 'dc1',
[info]   'service_account_password': '*****'}
[info]  The LDAP Client section has no connectivity issues.
[info]  -----------------------------
[info]  SUMMARY
[info]  No issues detected"""
    )


def test_what_is_wrong_stands_at_its_section_and_in_the_summary() -> None:
    """With its level; the summary counts."""
    from attrs import evolve

    main = evolve(MAIN, problems=[UNKNOWN])
    directory = evolve(DIRECTORY, findings=[DOWN, OLD])
    lines = Report(FILE, LOGS, sections=[main, directory]).lines()
    assert lines[3] == "[warn]  Line 7 debgu: the option is unknown and ignored. Delete it."
    assert "[info]  There are no configuration problems" not in lines[:5]
    assert lines[-9:] == [
        "[error]  Directory dc1:389: no connection. Start it.",
        "[warn]  The certificate ends in 3 days.",
        "[error]  The LDAP Client section has connectivity issues.",
        "[info]  -----------------------------",
        "[info]  SUMMARY",
        "[warn]  [main] Line 7 debgu: the option is unknown and ignored. Delete it.",
        "[error]  [ad_client2] Directory dc1:389: no connection. Start it.",
        "[warn]  [ad_client2] The certificate ends in 3 days.",
        "[info]  1 error, 2 warnings detected",
    ]


@pytest.mark.parametrize(
    ("kind", "well", "ill"),
    [
        ("main", "There are no connectivity problems with the section.", None),
        ("ad_client", "The LDAP Client section has no connectivity issues.", None),
        ("radius_client", "The RADIUS Client section has no connectivity issues.", None),
        (
            "radius_server_eap",
            "The RADIUS Server has no connectivity problems.",
            "The RADIUS Server has connectivity problems.",
        ),
        ("ldap_server_auto", "The LDAP Server has no connectivity problems.", None),
        ("http_proxy", "The HTTP Proxy has no connectivity problems.", None),
        (
            "acme_client",
            "There are no connectivity problems with the section.",
            "There are connectivity problems with the section.",
        ),
    ],
)
def test_each_kind_of_section_has_its_verdict(kind: str, well: str, ill: str | None) -> None:
    """In the words that people compare; sections of other packages, too."""
    assert str(SectionReport(kind, kind, {}, tested=True).verdict) == well
    if ill is not None:
        assert str(SectionReport(kind, kind, {}, findings=[DOWN], tested=True).verdict) == ill


def test_a_warning_leaves_the_verdict_good() -> None:
    """Logins work."""
    assert SectionReport("x", "ad_client", {}, findings=[OLD], tested=True).verdict.level is CheckLevel.INFO


def test_what_has_nothing_to_be_tested_and_what_was_not_tested_say_so() -> None:
    """Neither is called good."""
    assert str(SectionReport("duo_only_client", "duo_only_client", {}).verdict) == "No testing to be done for section."
    skipped = SectionReport("x", "ad_client", {}, tested=True, skipped=True)
    assert str(skipped.verdict) == "The section was not tested."


def test_values_cannot_forge_lines() -> None:
    """A control character is escaped."""
    lines = Report(FILE, LOGS, sections=[SectionReport("x", "x", {"a": "b\n[info]  SUMMARY"})]).lines()
    assert lines[2] == "[info]  {'a': 'b\\n[info]  SUMMARY'}"


def test_the_report_as_json_has_the_same_facts() -> None:
    """Counts, and each finding with its parts."""
    report = Report(FILE, LOGS, problems=[UNKNOWN], sections=[SectionReport("x", "ad_client", {}, findings=[DOWN])])
    fields = report.as_json()
    assert (fields["ok"], fields["errors"], fields["warnings"]) == (False, 1, 1)
    assert fields["sections"][0]["findings"] == [
        {
            "level": "error",
            "what": "directory dc1:389: no connection",
            "remedy": "Start it",
            "text": "Directory dc1:389: no connection. Start it.",
        }
    ]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root could write into folders of others")
def test_root_logs_a_report_in_no_folder_that_somebody_elses_configuration_names(tmp_path: Path) -> None:
    """The folder beside it, and one of its owner's, get the report; one of root's does not."""
    file, roots, owners = tmp_path / "conf" / "authproxy.cfg", tmp_path / "etc", tmp_path / "owners"
    for folder in (file.parent, roots, owners, tmp_path / "log"):
        folder.mkdir()
    file.touch()
    for path in (file, owners):
        os.chown(path, 54_321, -1)
    assert "were not logged" in log_report(Report(file, roots))
    assert list(roots.iterdir()) == []
    for folder in (owners, tmp_path / "log"):
        assert "have also been logged" in log_report(Report(file, folder))
        assert (folder / LOG_NAME).is_file()
    os.chown(file, 0, -1)
    assert "have also been logged" in log_report(Report(file, roots))


def test_a_folder_of_logs_that_is_not_there_is_told(tmp_path: Path) -> None:
    """With what to do about it."""
    file = tmp_path / "authproxy.cfg"
    file.touch()
    told = f"there is no folder {tmp_path / 'log'}. Make it, or name another one in log_dir."
    assert log_report(Report(file, tmp_path / "log")) == f"The results were not logged: {told}"
