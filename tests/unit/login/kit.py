"""Fakes for the flow: a primary, a second factor, and a way to run a coroutine that never really waits."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, TypeVar

from attrs import define, field

from duoproxy.duoapi.messages import AuthAnswer, AuthQuery, Device, Preauth, PreauthResult
from duoproxy.login.events import StageEvent
from duoproxy.login.flow import LoginTools, run_login
from duoproxy.login.outcome import Outcome, PrimaryOutcome
from duoproxy.login.policy import LoginPolicy, SecondTryLedger
from duoproxy.login.request import LoginRequest
from duoproxy.secret import Secret

T = TypeVar("T")

PHONE = Device("DP1", True, frozenset({"push", "phone", "sms"}), "XXX-XXX-1234")
LANDLINE = Device("DP2", True, frozenset({"phone"}), "XXX-XXX-9999")
TOKEN = Device("DH1", False, frozenset({"mobile_otp"}))
AUTH = Preauth(PreauthResult.AUTH, devices=(PHONE, LANDLINE))
ALLOWED = AuthAnswer(True, "allow", "Success. Logging you in...")
DENIED = AuthAnswer(False, "deny", "Login request denied.")


def run_now(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine whose awaits all have their answer already."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        value: T = end.value
        return value
    raise AssertionError("the coroutine waits for something")


@define
class FakePrimary:
    """Knows one password; everything else as `refused` says."""

    password: str = "correct horse"  # noqa: S105 - a test's password
    refused: PrimaryOutcome = PrimaryOutcome(False, "wrong password")
    fault: Exception | None = None
    tried: list[str] = field(factory=list)

    async def authenticate(self, request: LoginRequest) -> PrimaryOutcome:
        """Compare."""
        self.tried.append(request.password.reveal_text())
        if self.fault is not None:
            raise self.fault
        return PrimaryOutcome(True) if request.password.reveal_text() == self.password else self.refused


@define
class FakeDuo:
    """Answers as told, and keeps what it was asked."""

    preauth_answer: Preauth | Exception = AUTH
    auth_answer: AuthAnswer | Exception = ALLOWED
    asked: list[AuthQuery] = field(factory=list)
    preauths: list[tuple[str, str | None]] = field(factory=list)

    def begin_login(self) -> FakeDuo:
        """One object serves all."""
        return self

    async def preauth(self, username: str, client_ip: str | None) -> Preauth:
        """Answer as told."""
        self.preauths.append((username, client_ip))
        if isinstance(self.preauth_answer, Exception):
            raise self.preauth_answer
        return self.preauth_answer

    async def authenticate(self, query: AuthQuery) -> AuthAnswer:
        """Answer as told."""
        self.asked.append(query)
        if isinstance(self.auth_answer, Exception):
            raise self.auth_answer
        return self.auth_answer


@define
class Scene:
    """One login in all its parts; change what the test is about, then `run`."""

    primary: FakePrimary = field(factory=FakePrimary)
    duo: FakeDuo = field(factory=FakeDuo)
    policy: LoginPolicy = LoginPolicy()
    now: float = 0.0
    events: list[StageEvent] = field(factory=list)
    second_tries: SecondTryLedger = field(factory=SecondTryLedger)

    def run(self, field_text: str = "correct horse", username: str = "alice", client_ip: str | None = None) -> Outcome:
        """Run one login with what stands in the password field."""
        request = LoginRequest("id1", username, Secret(field_text), "192.0.2.1", client_ip, "radius_server_auto")
        tools = LoginTools(lambda: self.now, self.events.append, self.second_tries)
        return run_now(run_login(request, self.policy, self.primary, self.duo, tools))
