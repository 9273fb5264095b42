"""Running the checks of a configuration: deadlines, faults, and what is left out, with sections of a test's own."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from duoproxy.config.catalogue import Catalogue
from duoproxy.config.kind import Reach
from duoproxy.config.kinds import SecretText
from duoproxy.config.option import option, settings
from duoproxy.config.schema import Role, SectionSchema
from duoproxy.errors import DuoproxyError, ListenError
from duoproxy.login.outcome import PrimaryOutcome
from duoproxy.login.request import LoginRequest
from duoproxy.secret import Secret
from duoproxy.sections.checks import Check, CheckFinding, CheckLevel
from duoproxy.sections.contracts import ClientSection, Environment, Section, ServerSection
from duoproxy.sections.main import MAIN_SCHEMA
from duoproxy.sections.registry import Registry
from duoproxy.sections.shared_options import SectionSettings
from duoproxy.tools.connectivity_report import Report
from duoproxy.tools.connectivity_run import WHOLE_LIMIT_S, Audience, run_report

WELL: Sequence[CheckFinding] = ()
Try = Callable[[], Any]


@settings
class TriedSettings(SectionSettings):
    """Options of the section under test."""

    password: Secret | None = option(SecretText(), default=None, help="A secret.")


async def nothing() -> Sequence[CheckFinding]:
    return WELL


class Tried(ClientSection):
    """Lists the checks that the test wants."""

    schema = SectionSchema("tried", Role.CLIENT, "A section of a test.", TriedSettings)
    checks: Sequence[Check] = ()
    fault: Exception | None = None

    def __init__(self, settings: Any, environment: Environment) -> None:
        super().__init__(settings, environment)
        if self.fault is not None:
            raise self.fault

    async def authenticate(self, request: LoginRequest) -> PrimaryOutcome:
        return PrimaryOutcome(False)

    def connectivity(self) -> Sequence[Check]:
        return self.checks


class Listener(ServerSection):
    """There has to be one."""

    schema = SectionSchema("listener", Role.SERVER, "A server of a test.", SectionSettings)


class RunCase(SynchronousTestCase):
    """A file with [tried] and [listener]."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.lines: list[str] = []
        self.progress: list[str] = []
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = Path(folder.name) / "conf" / "authproxy.cfg"
        self.path.parent.mkdir()
        (Path(folder.name) / "log").mkdir()
        self.write("[tried]\n[listener]\n")

    def write(self, text: str) -> None:
        self.path.touch(mode=0o600)
        self.path.write_text(text)

    def begin(self, *checks: Check, fault: Exception | None = None) -> Deferred[Report]:
        kind = type("TriedNow", (Tried,), {"checks": checks, "fault": fault})
        kinds: dict[str, type[Section]] = {"tried": kind, "listener": Listener}
        schemas = {"main": MAIN_SCHEMA, **{name: one.schema for name, one in kinds.items()}}
        registry = Registry(MappingProxyType(kinds), Catalogue(schemas))
        audience = Audience(self.lines.append, self.progress.append)
        return Deferred.fromCoroutine(
            run_report(
                self.path, reactor=self.clock, audience=audience, registry=registry, environ={}, reach=Reach.SHELL
            )
        )

    def findings(self, *checks: Check, fault: Exception | None = None) -> list[str]:
        """What was found of [tried]."""
        report = self.successResultOf(self.begin(*checks, fault=fault))
        return [str(finding) for finding in report.sections[1].findings]

    def test_checks_run_in_order_and_tell_what_they_find(self) -> None:
        """Titles are the progress."""
        found = CheckFinding(CheckLevel.WARNING, "it is old", "Renew it")

        async def old() -> Sequence[CheckFinding]:
            return [found]

        self.assertEqual(self.findings(Check("first", nothing), Check("second", old)), ["It is old. Renew it."])
        self.assertEqual([title for title in self.progress if title != "files"], ["first", "second"])

    def test_lines_are_written_as_soon_as_they_are_certain(self) -> None:
        """While a check hangs, everything before it stands there already."""
        hangs: Deferred[Sequence[CheckFinding]] = Deferred()
        asked = self.begin(Check("slow", lambda: hangs))
        self.assertIn("[info]  Testing section 'tried' with configuration:", self.lines)
        self.assertIn("[info]  There are no connectivity problems with the section.", self.lines)  # [main]
        self.assertEqual(self.progress[-1], "slow")
        hangs.callback(WELL)
        report = self.successResultOf(asked)
        self.assertEqual(report.lines(), self.lines)

    def test_a_check_that_hangs_is_given_up(self) -> None:
        """After its own limit; the next one runs."""
        ended: list[bool] = []
        hangs: Deferred[Sequence[CheckFinding]] = Deferred(lambda _: ended.append(True))
        asked = self.begin(Check("the server", lambda: hangs, 5.0), Check("next", nothing))
        self.clock.advance(4.9)
        self.assertNoResult(asked)
        self.clock.advance(0.2)
        report = self.successResultOf(asked)
        self.assertEqual(ended, [True])
        self.assertEqual(
            [str(one) for one in report.sections[1].findings],
            ["The server: no result within 5 s. Look for a firewall that drops packets on the way."],
        )
        self.assertEqual(self.progress[-2:], ["the server", "next"])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_the_whole_has_a_limit_too(self) -> None:
        """What comes after it is not tested, and that is said."""
        asked = self.begin(*(Check(f"slow {number}", Deferred, WHOLE_LIMIT_S) for number in range(3)))
        self.clock.advance(WHOLE_LIMIT_S + 1)
        report = self.successResultOf(asked)
        self.assertEqual(
            [str(one) for one in report.sections[1].findings],
            [
                "Slow 0: no result within 300 s. Look for a firewall that drops packets on the way.",
                "Slow 1: not tested, because the whole took longer than 300 s.",
                "Slow 2: not tested, because the whole took longer than 300 s.",
            ],
        )

    def test_a_fault_of_ours_is_its_sentence(self) -> None:
        """Whether a check raises it or the section itself."""

        async def fails() -> Sequence[CheckFinding]:
            raise DuoproxyError("The CA file is empty. Write one.")

        self.assertEqual(self.findings(Check("x", fails)), ["The CA file is empty. Write one."])
        self.assertEqual(self.findings(fault=ListenError("No such key.")), ["No such key."])

    def test_any_other_fault_is_told_without_its_text(self) -> None:
        """It may quote a secret; the sections behind it are tested."""

        async def fails() -> Sequence[CheckFinding]:
            raise RuntimeError("hunter2")

        self.assertEqual(
            self.findings(Check("the server", fails), Check("next", nothing)),
            [
                "The server: the test failed by an internal error (RuntimeError). Report it, with what the section is "
                "configured to do."
            ],
        )
        self.assertNotIn("hunter2", "\n".join(self.lines))

    def test_a_section_whose_secret_cannot_be_read_is_not_tried(self) -> None:
        """A stand-in for a password would count towards a lock-out."""
        self.write("[tried]\npassword=env:NOT_HERE\n[listener]\n")
        tried: list[bool] = []

        async def check() -> Sequence[CheckFinding]:
            tried.append(True)
            return WELL

        not_tested = "It was not tested, because this account cannot read password. Run the tool as "
        others = (
            (0, "the account of the service, with its environment."),
            (1, "root, or as the account of the service."),
        )
        for user_id, who in others:
            self.patch(os, "geteuid", lambda user_id=user_id: user_id)
            self.assertEqual(self.findings(Check("x", check)), [not_tested + who])
        self.assertEqual(tried, [])

    def test_whoever_asks_may_stop(self) -> None:
        """The check ends with it."""
        ended: list[bool] = []
        asked = self.begin(Check("x", lambda: Deferred(lambda _: ended.append(True))))
        asked.cancel()
        self.failureResultOf(asked, CancelledError)
        self.assertEqual(ended, [True])

    def test_a_file_that_cannot_be_read_is_a_report_too(self) -> None:
        """With one error."""
        os.unlink(self.path)
        report = self.successResultOf(self.begin())
        self.assertEqual((report.ok, report.errors, report.sections), (False, 1, ()))
        self.assertEqual(self.lines[-1], "[info]  1 error detected")
