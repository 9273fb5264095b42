"""What every login has round it, whatever protocol its device speaks.

The log lines of its begin and its end, its events, its steps, and a fault of ours that ends in a reject.
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from typing import Any, TypeVar

from twisted.internet.defer import CancelledError
from twisted.logger import Logger, LogLevel

from duoproxy.errors import RemoteProtocolError
from duoproxy.login.events import Stage, StageEvent
from duoproxy.login.outcome import Cause, Outcome, Verdict
from duoproxy.login.parties import LoginTools
from duoproxy.login.policy import SecondTryLedger
from duoproxy.login.request import LoginRequest
from duoproxy.login.texts import USER_TEXTS
from duoproxy.sections.contracts import Environment

ResultT = TypeVar("ResultT")

LOGIN_ID_OCTETS = 5

_WORRYING = frozenset(
    {Cause.PRIMARY_UNREACHABLE, Cause.FAILMODE_SECURE, Cause.DUO_REFUSED_US, Cause.ANSWER_LOST, Cause.FAULT}
)


class LoginRecord:
    """What the logins of one server section share."""

    def __init__(self, environment: Environment, *, ikey: str, client_section: str, checks_passwords: bool) -> None:
        """Keep what every login needs.

        Args:
            environment: of the section.
            ikey: for events.
            client_section: name of the client section, for events.
            checks_passwords: whether that one proves a password.
        """
        self._environment = environment
        self._ikey = ikey
        self._client_section = client_section
        self._checks_passwords = checks_passwords
        self._second_tries = SecondTryLedger()
        self._shutting_down = False
        self._log = Logger(namespace=environment.section_name)

    @property
    def waiting(self) -> int:
        """How many logins wait for their user's next answer, and a stop of the proxy for them."""
        return 0

    def shut_down(self) -> None:
        """From now on a login that is cancelled ends with a reject and `Cause.SHUTDOWN`."""
        self._shutting_down = True

    def _new_login_id(self) -> str:
        return self._environment.random_bytes(LOGIN_ID_OCTETS).hex()

    def _tools(self, request: LoginRequest) -> LoginTools:
        return LoginTools(
            clock=self._environment.reactor.seconds,
            event=lambda event: self._stage_ended(request, event),
            second_tries=self._second_tries,
            primary_only_s=self._environment.primary_only_s,
            step=lambda step: self._environment.login_step(request.login_id, step),
            open_questions=self._environment.open_questions,
        )

    def _stage_ended(self, request: LoginRequest, event: StageEvent) -> None:
        self._environment.auth_event(self._event_fields(request, event))
        if event.stage is Stage.PRIMARY:
            self._environment.login_step(request.login_id, self._said_of_password(event))

    def _said_of_password(self, event: StageEvent) -> str:
        client, after = self._client_section, f"after {event.duration_s:.3f} s"
        if not event.allowed:
            return f"[{client}] did not take the password, {after}: {event.message}"
        if not self._checks_passwords:
            return "No password is checked here: the device has done that."
        return f"[{client}] took the password, {after}."

    def _log_begin(self, request: LoginRequest, how: str = "") -> None:
        self._log.info(
            "Login {login_id}: {user!r} asks from {device}{how}.",
            login_id=request.login_id,
            user=request.username,
            device=request.device,
            how=f" ({how})" if how else "",
        )

    async def _safely(self, login_id: str, running: Awaitable[ResultT]) -> ResultT | Outcome:
        """Run a login; a fault of ours is one more way to end it: with a reject, a line, and its login id."""
        try:
            return await running
        except RemoteProtocolError:
            raise
        except CancelledError:
            if not self._shutting_down:
                raise
            detail = "The proxy was stopped before the login had an end: see shutdown_grace of [main]."
            return Outcome(Verdict.REJECT, Cause.SHUTDOWN, USER_TEXTS[Cause.SHUTDOWN], detail)
        except Exception:  # noqa: BLE001 - whatever it is, it lets nobody in
            self._log.failure("Login {login_id}: a fault in duoproxy itself.", login_id=login_id)
            text, detail = (
                USER_TEXTS[Cause.FAULT],
                "A fault in duoproxy itself: please report it with the lines before.",
            )
            return Outcome(Verdict.REJECT, Cause.FAULT, text, detail)

    def _log_end(self, request: LoginRequest, outcome: Outcome, duration_s: float) -> None:
        worrying = outcome.cause.is_bypass or outcome.cause in _WORRYING
        self._log.emit(
            LogLevel.warn if worrying else LogLevel.info,
            "Login {login_id}: user={user!r} device={device} section={section} factor={factor} result={result} "
            "cause={cause} duration={duration:.3f}s primary={primary:.3f}s second_factor={second:.3f}s{detail}",
            login_id=request.login_id,
            user=request.username,
            device=request.device,
            section=request.server_section,
            factor=outcome.factor or "none",
            result=outcome.verdict.value,
            cause=outcome.cause.value,
            duration=duration_s,
            primary=outcome.primary_s,
            second=outcome.second_factor_s,
            detail=f" | {outcome.detail}" if outcome.detail else "",
        )

    def _event_fields(self, request: LoginRequest, event: StageEvent) -> Mapping[str, Any]:
        return {
            "username": request.username,
            "auth_stage": event.stage.value,
            "status": "Allow" if event.allowed else "Reject",
            "msg": event.message,
            "factor": event.factor or None,
            "client_ip": request.client_ip,
            "server_section": request.server_section,
            "server_section_ikey": self._ikey,
            "client_section": self._client_section,
            "login_id": request.login_id,
            "duration_s": round(event.duration_s, 3),
            "bypass_reason": event.bypass_reason or None,
        }
