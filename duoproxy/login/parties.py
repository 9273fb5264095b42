"""Who takes part in a login: the one who checks the password, the one who proves the second factor, and the tools."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from attrs import field, frozen

from duoproxy.duoapi.messages import AuthAnswer, AuthQuery, Preauth
from duoproxy.login.events import StageEvent
from duoproxy.login.open_questions import OpenQuestions
from duoproxy.login.outcome import PrimaryOutcome
from duoproxy.login.policy import SecondTryLedger
from duoproxy.login.request import LoginRequest


class PrimaryAuthenticator(Protocol):
    """Whoever checks the password."""

    async def authenticate(self, request: LoginRequest) -> PrimaryOutcome:
        """Check name and password; raise PrimaryUnreachable when nobody who could tell answered."""


class SecondFactorLogin(Protocol):
    """The second factor during one login."""

    async def preauth(self, username: str, client_ip: str | None) -> Preauth:
        """Ask what is to be done with this user; raise ServiceUnavailable or ServiceRefused."""

    async def authenticate(self, query: AuthQuery) -> AuthAnswer:
        """Ask the user; raise ServiceUnavailable (not asked), ServiceRefused or AnswerLost (perhaps asked)."""


class SecondFactor(Protocol):
    """Whoever proves the second factor."""

    def begin_login(self) -> SecondFactorLogin:
        """Begin one login, with its own budget of time."""


def not_primary_only() -> float:
    """Where nobody can make logins primary-only."""
    return 0.0


def ignore_step(step: str) -> None:
    """Where nobody listens to the steps of a login."""


@frozen
class LoginTools:
    """What a login needs beside its request and its policy.

    Attributes:
        clock: seconds, monotonic.
        event: takes the end of each stage.
        second_tries: shared by all logins of a section.
        primary_only_s: for how many more seconds a password is enough; 0: it is not.
        step: takes a sentence about what has happened, which has no secret in it.
        open_questions: whose telephones ring already; shared by all logins of the process.
    """

    clock: Callable[[], float]
    event: Callable[[StageEvent], None]
    second_tries: SecondTryLedger
    primary_only_s: Callable[[], float] = not_primary_only
    step: Callable[[str], None] = ignore_step
    open_questions: OpenQuestions = field(factory=OpenQuestions)
