"""duoproxy.sections.plain_login: what a server section of another package gets with its logins."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from twisted.internet.defer import CancelledError, Deferred

from duoproxy.errors import PrimaryUnreachable
from duoproxy.login.outcome import Cause, Outcome, PrimaryOutcome, Verdict
from duoproxy.login.request import LoginRequest
from duoproxy.secret import Secret
from duoproxy.sections.duo_only_client import DuoOnlyClient
from duoproxy.sections.duo_server_options import DuoServerSettings
from duoproxy.sections.plain_login import PlainLogins
from duoproxy.sections.shared_options import SectionSettings
from duoproxy.testing import FakePrimary, FakeSecondFactor, make_environment

PASSWORD = Secret("correct horse")


class Passwords(DuoOnlyClient):
    """Checks passwords after all; `waits` holds its answer back."""

    checks_passwords = True
    fake = FakePrimary("correct horse")
    waits: Deferred[None] | None = None

    async def authenticate(self, request: LoginRequest) -> PrimaryOutcome:
        if self.waits is not None:
            await self.waits
        return await self.fake.authenticate(request)


class Bench:
    """The logins of one section, and what they left behind."""

    def __init__(self, *, primary_only_s: float = 0.0, **options: Any) -> None:
        self.events: list[Mapping[str, object]] = []
        self.steps: list[str] = []
        self.duo = FakeSecondFactor()
        self.client = Passwords(SectionSettings(), make_environment("trial_client"))
        environment = make_environment(
            "trial_server",
            auth_event=self.events.append,
            login_step=lambda _, step: self.steps.append(step),
            primary_only_s=lambda: primary_only_s,
        )
        settings = DuoServerSettings(
            ikey="DIXXXXXXXXXXXXXXXXXX", skey=Secret("x" * 40), api_host="api-1.example", **options
        )
        self.logins = PlainLogins(settings, environment, self.client, self.duo)

    def begin(self, username: str = "alice", password: Secret = PASSWORD) -> Deferred[Outcome]:
        return self.logins.begin(username, password, "192.0.2.7")

    def login(self, username: str = "alice", password: Secret = PASSWORD) -> Outcome:
        ended: list[Outcome] = []
        self.begin(username, password).addCallback(ended.append)
        [outcome] = ended
        return outcome


def test_password_and_factor_let_in_and_leave_events_and_steps() -> None:
    """One event for each factor; the password's end is a step of the login."""
    bench = Bench()
    assert (bench.login().verdict, bench.logins.pending) == (Verdict.ACCEPT, 0)
    assert [(event["status"], event["client_section"]) for event in bench.events] == [("Allow", "trial_client")] * 2
    assert any(step.startswith("[trial_client] took the password") for step in bench.steps)


def test_a_wrong_password_asks_nobody_else() -> None:
    """Duo hears nothing of it."""
    bench = Bench()
    assert bench.login(password=Secret("wrong")).cause is Cause.PASSWORD_REFUSED
    assert bench.duo.preauths == []


@pytest.mark.parametrize("username", ["", "  ", "al\0ice", "al\u200bice", "a" * 254])
def test_a_name_that_nobody_can_have_is_refused_before_anybody_is_asked(username: str) -> None:
    """A password check may pass over such characters, and Duo would judge a stranger."""
    bench = Bench()
    outcome = bench.login(username)
    assert (outcome.verdict, outcome.cause) == (Verdict.REJECT, Cause.BAD_REQUEST)
    assert bench.duo.preauths == []


def test_exempt_users_need_no_factor() -> None:
    """`exempt_username_n` counts as everywhere."""
    bench = Bench(exempt_username={1: "Alice"})
    assert bench.login().cause is Cause.EXEMPT_USER


def test_primary_only_counts_here_too() -> None:
    """Somebody has decided that a password is enough for now."""
    bench = Bench(primary_only_s=60.0)
    assert bench.login().cause is Cause.PRIMARY_ONLY
    assert bench.duo.preauths == []


def test_a_fault_is_a_no(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever it is, it lets nobody in; and a password server that is away is none."""
    bench = Bench()
    monkeypatch.setattr(bench.client, "fake", FakePrimary("", fault=ZeroDivisionError()))
    assert (bench.login().verdict, bench.login().cause) == (Verdict.REJECT, Cause.FAULT)
    away = PrimaryUnreachable("the server", "it is away", "start it")
    monkeypatch.setattr(bench.client, "fake", FakePrimary("", fault=away))
    assert bench.login().verdict is Verdict.SILENCE


def test_a_stop_refuses_what_is_pending() -> None:
    """The device is told no, and nothing is left."""
    bench = Bench()
    bench.client.waits = Deferred()
    ended: list[Outcome] = []
    bench.begin().addCallback(ended.append)
    assert bench.logins.pending == 1
    bench.logins.stop()
    assert [outcome.cause for outcome in ended] == [Cause.SHUTDOWN]
    assert bench.logins.pending == 0


def test_a_device_that_is_gone_ends_its_login() -> None:
    """Nobody is asked for it any more, and nobody is let in."""
    bench = Bench()
    bench.client.waits = Deferred()
    faults: list[Any] = []
    running = bench.begin()
    running.addErrback(lambda failure: faults.append(failure.trap(CancelledError)))
    running.cancel()
    assert (faults, bench.logins.pending) == ([CancelledError], 0)
    assert bench.duo.preauths == []
