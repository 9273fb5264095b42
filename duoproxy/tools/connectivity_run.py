"""Runs the checks of a configuration: the one entry for the connectivity tool, `authproxyctl start` and the service.

Nothing is started: each section is made for its checks alone, one check runs after the other, each within its deadline.
What goes wrong is a finding and never an exception.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import attrs
from attrs import define, field, frozen
from twisted.internet.defer import CancelledError, Deferred

from duoproxy.config.cross_checks import listeners as listeners_of
from duoproxy.config.file_kinds import PLACEHOLDER_SECRET
from duoproxy.config.kind import Reach
from duoproxy.config.protected import RUNNING_CREDENTIALS
from duoproxy.config.schema import Listener, Role
from duoproxy.config.section_options import SectionReading
from duoproxy.config.shown import ShownSection, shown_sections
from duoproxy.config.validate import ReadFile, read_configuration
from duoproxy.errors import ConfigError, DuoproxyError
from duoproxy.net.deadlines import Expired, within
from duoproxy.sections.checks import Check, CheckFinding, CheckLevel
from duoproxy.sections.contracts import ClientSection, Environment, Section
from duoproxy.sections.registry import Registry, load_registry
from duoproxy.service.places import Places
from duoproxy.tools.connectivity_report import (
    FIRST_LINE,
    Report,
    SectionReport,
    as_finding,
    configuration_lines,
    finding_line,
    heading_lines,
    summary_lines,
    verdict_lines,
)
from duoproxy.tools.file_checks import installation_findings, named_file_findings, service_account
from duoproxy.tools.port_checks import port_findings
from duoproxy.tools.port_holders import port_holders

WHOLE_LIMIT_S: Final = 300.0
"""For all checks of a file together."""


_SKIPPED: Final = "not tested"
_AS_ROOT: Final = "Run the tool as root, or as the account of the service"
_AS_THE_SERVICE: Final = "Run the tool as the account of the service, with its environment"


def _ignore(text: str) -> None:
    """Show nothing."""


@frozen
class Audience:
    """Who hears of a report while it is made.

    Attributes:
        write: takes each line as soon as it is certain.
        progress: takes the title of each check when it begins.
    """

    write: Callable[[str], None] = _ignore
    progress: Callable[[str], None] = _ignore


async def run_report(
    path: Path,
    *,
    reactor: Any,
    audience: Audience = Audience(),
    reach: Reach = Reach.SHELL,
    environ: Mapping[str, str] = os.environ,
    registry: Registry | None = None,
) -> Report:
    """Check a configuration and everything that it leads to; whatever goes wrong is in the report.

    Args:
        path: the configuration file, absolute.
        reactor: time, TCP, UDP and threads.
        audience: hears of it meanwhile.
        reach: `SERVICE` when the service itself asks; `SHELL`: what only its account can read is not tested.
        environ: the environment, for secrets that stand there.
        registry: the kinds of sections; those that are installed when None.
    """
    audience.write(FIRST_LINE)
    try:
        registry = registry or load_registry()
    except ConfigError as fault:
        return _finish(Report(path, Places(path).log_folder, fault.problems), audience)
    found = with_credentials(environ) if reach is Reach.SHELL else environ
    read, problems = read_configuration(path, registry.catalogue, environ=found, reach=reach)
    shown = shown_sections(read, registry.catalogue) if read is not None else []
    names = {section.name for section in shown}
    general = tuple(problem for problem in problems if problem.section not in names)
    for problem in general:
        audience.write(finding_line(as_finding(problem)))
    reports = [_configured(section, [one for one in problems if one.section == section.name]) for section in shown]
    for report in reports:
        _write(audience, configuration_lines(report))
    if read is not None:
        run = _Run(path, read, registry, reactor, audience)
        reports = [await run.test(section, report) for section, report in zip(shown, reports, strict=True)]
    return _finish(Report(path, _log_folder(path, read), general, tuple(reports)), audience)


def _finish(report: Report, audience: Audience) -> Report:
    _write(audience, summary_lines(report))
    return report


def _log_folder(path: Path, read: ReadFile | None) -> Path:
    main = read.main.settings if read is not None else None
    return Path(main.log_dir) if main is not None and main.log_dir else Places(path).log_folder


def _write(audience: Audience, lines: Sequence[str]) -> None:
    for line in lines:
        audience.write(line)


def with_credentials(environ: Mapping[str, str]) -> Mapping[str, str]:
    """Let root see the credentials that systemd gave to the running service."""
    if "CREDENTIALS_DIRECTORY" in environ or not os.access(RUNNING_CREDENTIALS, os.R_OK | os.X_OK):
        return environ
    return {**environ, "CREDENTIALS_DIRECTORY": str(RUNNING_CREDENTIALS)}


def _configured(section: ShownSection, problems: Sequence[Any]) -> SectionReport:
    kind = section.schema.name if section.schema is not None else ""
    return SectionReport(section.name, kind, section.entries, tuple(problems))


@define
class _Run:
    """One pass over the sections of a file."""

    path: Path
    read: ReadFile
    registry: Registry
    reactor: Any
    audience: Audience
    _clients: dict[str, ClientSection] = field(factory=dict)
    _until_s: float = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._until_s = self.reactor.seconds() + WHOLE_LIMIT_S

    async def test(self, shown: ShownSection, report: SectionReport) -> SectionReport:
        """Test one section and write what was found."""
        _write(self.audience, heading_lines(report))
        checks = self._checks(shown)
        findings = [finding for check in checks for finding in await self._run(check)]
        skipped = any(check.title == _SKIPPED for check in checks)
        tested = attrs.evolve(report, findings=tuple(findings), tested=bool(checks), skipped=skipped)
        _write(self.audience, verdict_lines(tested))
        return tested

    # ── what there is to be tested ─────────────────────────────────────────────────────────────────────────────

    def _checks(self, shown: ShownSection) -> list[Check]:
        reading = shown.reading
        if reading is None:
            return []
        if reading.settings is None:
            return [_skipped(CheckLevel.INFO, "It was not tested, because its configuration has problems")]
        if reading.schema.role is Role.MAIN:
            return [_instant("files", lambda: self._of_installation(reading))]
        service = service_account(Places(self.path).run_folder, self._log_folder())
        checks = [_instant("files", lambda: named_file_findings(reading.schema, reading.settings, service))]
        listeners = listeners_of(reading)
        checks += [_instant(f"{one[0].upper()} port {one[2]}", partial(self._port, one)) for one in listeners]
        own = self._own_checks(reading)
        return [*checks, *own] if own or listeners else []

    def _own_checks(self, reading: SectionReading) -> Sequence[Check]:
        """List what the section itself wants to be tried."""
        if reading.schema.loopback_only:
            return ()
        unread = _unread_secrets(reading)
        if unread:
            what = f"it was not tested, because this account cannot read {', '.join(unread)}"
            remedy = _AS_THE_SERVICE if os.geteuid() == 0 else _AS_ROOT
            return [_skipped(CheckLevel.WARNING, what, remedy)]
        try:
            section = self._make(reading)
            checks = section.connectivity() if section is not None else ()
        except DuoproxyError as fault:
            sentence = str(fault)
            return [_instant("", lambda: [CheckFinding(CheckLevel.ERROR, sentence)])]
        if checks and self._waits_for_sandbox():
            what = "it was not tested: the sandbox of this file answers only while the service runs"
            return [_skipped(CheckLevel.INFO, what)]
        return checks

    def _make(self, reading: SectionReading) -> Section | None:
        kind = self.registry.classes[reading.schema.name]
        environment = Environment(
            reading.name,
            self.reactor,
            os.urandom,
            self.read.dictionary,
            lambda event: None,
            self.read.main.settings,
        )
        if reading.schema.role is Role.CLIENT:
            section: Section = kind(reading.settings, environment)
            return section
        return kind(reading.settings, environment, self._client_of(reading.name))  # type: ignore[call-arg]

    def _client_of(self, name: str) -> ClientSection | None:
        """Make the client section of a server, which may look at it."""
        wanted = next((server.client for server in self.read.servers if server.name == name), None)
        reading = next((one for one in self.read.headings.sections if one.name == wanted), None)
        if reading is None or reading.settings is None or _unread_secrets(reading):
            return None
        made = self._make(reading)
        return made if isinstance(made, ClientSection) else None

    def _waits_for_sandbox(self) -> bool:
        """Whether the file has a sandbox that nobody runs at the moment."""
        sandboxes = [one for one in self.read.headings.sections if one.schema.loopback_only]
        ports = [listener for one in sandboxes for listener in listeners_of(one)]
        return any(not port_holders(transport, port) for transport, _, port in ports)

    def _log_folder(self) -> Path:
        return _log_folder(self.path, self.read)

    def _of_installation(self, main: SectionReading) -> Iterator[CheckFinding]:
        return installation_findings(self.path, self._log_folder(), main.settings.http_ca_certs_file)

    def _port(self, listener: Listener) -> Sequence[CheckFinding]:
        return port_findings(listener, self.path)

    # ── how it is tested ───────────────────────────────────────────────────────────────────────────────────────

    async def _run(self, check: Check) -> Sequence[CheckFinding]:
        """Run one check within its deadline."""
        limit_s = min(check.limit_s, self._until_s - self.reactor.seconds())
        if limit_s <= 0:
            what = f"{check.title}: not tested, because the whole took longer than {WHOLE_LIMIT_S:g} s"
            return [CheckFinding(CheckLevel.WARNING, what)]
        self.audience.progress(check.title)
        try:
            return await within(self.reactor, limit_s, Deferred.fromCoroutine(_awaited(check)))
        except Expired:
            what = f"{check.title}: no result within {limit_s:.0f} s"
            return [CheckFinding(CheckLevel.ERROR, what, "Look for a firewall that drops packets on the way")]
        except DuoproxyError as fault:
            return [CheckFinding(CheckLevel.ERROR, str(fault))]
        except CancelledError:
            raise  # the one who asks wants no report any more
        except Exception as fault:  # noqa: BLE001 - a section, perhaps of another package, may raise anything
            # Its text is left out: nobody knows what it quotes.
            what = f"{check.title}: the test failed by an internal error ({type(fault).__name__})"
            return [CheckFinding(CheckLevel.ERROR, what, "Report it, with what the section is configured to do")]


async def _awaited(check: Check) -> Sequence[CheckFinding]:
    return await check.run()


def _instant(title: str, find: Callable[[], Any]) -> Check:
    async def run() -> Sequence[CheckFinding]:
        return list(find())

    return Check(title, run)


def _skipped(level: CheckLevel, what: str, remedy: str = "") -> Check:
    """Make what stands in place of the checks of a section that cannot be tested."""
    return _instant(_SKIPPED, lambda: [CheckFinding(level, what, remedy)])


def _unread_secrets(reading: SectionReading) -> list[str]:
    """Name the options whose secret this account could not fetch; a section must not be tried with a stand-in."""
    return [
        option.key(number)
        for option in reading.schema.options
        if option.kind.secret
        for number, value in reading.values.get(option.name, {}).items()
        if value is PLACEHOLDER_SECRET
    ]
