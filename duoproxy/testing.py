"""The public kit for people who write sections: fakes for both factors, and what a section is made from.

    settings = StaticClientSettings(user={1: "alice"}, password={1: Secret("secret")})
    section = StaticClient(settings, make_environment("static_client"))
    outcome = run_now(section.authenticate(make_request("alice", "secret")))
    assert outcome.accepted

Nothing here opens a socket or waits; see docs/new-section.md.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, TypeVar

from attrs import define, field
from twisted.internet.task import Clock

from duoproxy.duoapi.messages import AuthAnswer, AuthQuery, Device, Preauth, PreauthResult
from duoproxy.login.outcome import PrimaryOutcome
from duoproxy.login.parties import not_primary_only
from duoproxy.login.request import LoginRequest
from duoproxy.radius.dictionary import load_dictionary
from duoproxy.secret import Secret
from duoproxy.sections.contracts import Environment, ignore_login_step
from duoproxy.sections.main import MainSettings

__all__ = [
    "ALLOWED",
    "ASK",
    "DENIED",
    "PHONE",
    "REFUSED",
    "FakePrimary",
    "FakeSecondFactor",
    "make_environment",
    "make_request",
    "repeatable_random",
    "run_now",
]

ResultT = TypeVar("ResultT")

PHONE = Device("DP1", True, frozenset({"push", "phone", "sms"}), "XXX-XXX-1234")
ALLOWED = AuthAnswer(True, "allow", "Success. Logging you in...")
ASK = Preauth(PreauthResult.AUTH, devices=(PHONE,))
REFUSED = PrimaryOutcome(False, "wrong password")
DENIED = AuthAnswer(False, "deny", "Login request denied.")


def run_now(coroutine: Coroutine[Any, Any, ResultT]) -> ResultT:
    """Run a coroutine whose awaits all have their answer already.

    Raises:
        RuntimeError: it waits for something.
    """
    try:
        coroutine.send(None)
    except StopIteration as end:
        value: ResultT = end.value
        return value
    coroutine.close()
    raise RuntimeError("the coroutine waits for something")


def repeatable_random() -> Callable[[int], bytes]:
    """Make a stand-in for `os.urandom` whose octets are the same in every run, and differ at every call."""
    numbers = itertools.count()

    def random_bytes(size: int) -> bytes:
        seed = next(numbers).to_bytes(8, "big")
        return hashlib.shake_256(seed).digest(size)

    return random_bytes


def make_environment(
    section_name: str,
    *,
    reactor: Any = None,
    auth_event: Callable[[Mapping[str, object]], None] = lambda event: None,
    main: MainSettings | None = None,
    login_step: Callable[[str, str], None] = ignore_login_step,
    primary_only_s: Callable[[], float] = not_primary_only,
) -> Environment:
    """Make the environment of a section under test; its reactor is a `Clock` unless another is given."""
    return Environment(
        section_name=section_name,
        reactor=Clock() if reactor is None else reactor,
        random_bytes=repeatable_random(),
        dictionary=load_dictionary(),
        auth_event=auth_event,
        main=MainSettings() if main is None else main,
        login_step=login_step,
        primary_only_s=primary_only_s,
    )


def make_request(username: str, password: str, *, client_ip: str | None = None, wire: object = None) -> LoginRequest:
    """Make the request of a login."""
    return LoginRequest("test-login", username, Secret(password), "192.0.2.1", client_ip, "test_section", wire)


@define
class FakePrimary:
    """Knows one password; anything else is answered with `refused`, or everything with `fault`."""

    password: str
    refused: PrimaryOutcome = REFUSED
    fault: Exception | None = None
    tried: list[str] = field(factory=list)

    async def authenticate(self, request: LoginRequest) -> PrimaryOutcome:
        """Compare."""
        self.tried.append(request.password.reveal_text())
        if self.fault is not None:
            raise self.fault
        return PrimaryOutcome(True) if request.password.reveal_text() == self.password else self.refused


@define
class FakeSecondFactor:
    """Answers as told, raises what it is told to raise, and keeps what it was asked."""

    preauth_answer: Preauth | Exception = ASK
    auth_answer: AuthAnswer | Exception = ALLOWED
    asked: list[AuthQuery] = field(factory=list)
    preauths: list[tuple[str, str | None]] = field(factory=list)

    def begin_login(self) -> FakeSecondFactor:
        """Serve every login with the same answers."""
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
