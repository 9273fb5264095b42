"""One login, from name and password to its outcome.

The straight line that every server section with a password runs: primary, exemption, preauth, factor, answer. It knows
no protocol and no Twisted; whatever waits is behind two narrow protocols.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from attrs import evolve, frozen

from duoproxy.duoapi.devices import automatic, usable
from duoproxy.duoapi.messages import AuthAnswer, AuthQuery, Factor, Preauth, PreauthResult
from duoproxy.errors import AnswerLost, PrimaryUnreachable, ServiceRefused, ServiceUnavailable
from duoproxy.login.events import Stage, StageEvent
from duoproxy.login.factors import Candidate, TypedFactor, read_password_field
from duoproxy.login.outcome import Cause, Outcome, PrimaryOutcome, Verdict
from duoproxy.login.policy import Failmode, LoginPolicy, PrimaryDown, SecondTryLedger
from duoproxy.login.request import LoginRequest
from duoproxy.login.texts import USER_TEXTS, enroll_text


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


@frozen
class LoginTools:
    """What a login needs beside its request and its policy.

    Attributes:
        clock: seconds, monotonic.
        event: takes the end of each stage.
        second_tries: shared by all logins of a section.
    """

    clock: Callable[[], float]
    event: Callable[[StageEvent], None]
    second_tries: SecondTryLedger


async def run_login(
    request: LoginRequest,
    policy: LoginPolicy,
    primary: PrimaryAuthenticator,
    second_factor: SecondFactor,
    tools: LoginTools,
) -> Outcome:
    """Run one login to its end.

    Every end that can be foreseen is an `Outcome`; what is raised is a fault, and the caller rejects.
    """
    if not request.duo_username:
        return _reject(Cause.BAD_REQUEST, detail="The request names no user. Check what the device sends as User-Name.")
    started = tools.clock()
    try:
        checked, candidate = await _check_primary(request, policy, primary, tools)
    except PrimaryUnreachable as fault:
        tools.event(StageEvent(Stage.PRIMARY, False, str(fault), duration_s=tools.clock() - started))
        silent = policy.primary_down is PrimaryDown.SILENT
        verdict = Verdict.SILENCE if silent else Verdict.REJECT
        return Outcome(verdict, Cause.PRIMARY_UNREACHABLE, detail=str(fault), primary_s=tools.clock() - started)
    primary_s = tools.clock() - started
    message = "Primary authentication successful" if checked.accepted else checked.reason
    tools.event(StageEvent(Stage.PRIMARY, checked.accepted, message, duration_s=primary_s))
    if not checked.accepted:
        outcome = _reject(Cause.PASSWORD_REFUSED, checked.user_message, checked.reason)
        return _timed(outcome, checked, primary_s, 0.0)
    asked_at = tools.clock()
    outcome = await _second_stage(request, policy, candidate.typed, second_factor)
    second_s = tools.clock() - asked_at
    tools.event(_second_event(outcome, second_s))
    return _timed(outcome, checked, primary_s, second_s)


async def _check_primary(
    request: LoginRequest, policy: LoginPolicy, primary: PrimaryAuthenticator, tools: LoginTools
) -> tuple[PrimaryOutcome, Candidate]:
    """Try the readings of the password field, the second one only where that cannot lock the account."""
    first, *others = read_password_field(request.password, policy.append)
    checked = await primary.authenticate(evolve(request, password=first.password))
    if checked.accepted or not others:
        return checked, first
    safe = checked.alternative_is_safe
    if safe is None:
        safe = tools.second_tries.allow(request.username, tools.clock())
    if not safe:
        return checked, first
    return await primary.authenticate(evolve(request, password=others[0].password)), others[0]


async def _second_stage(
    request: LoginRequest, policy: LoginPolicy, typed: TypedFactor | None, second_factor: SecondFactor
) -> Outcome:
    if policy.is_exempt(request.username):
        return _accept(Cause.EXEMPT_USER, detail="The user is named in exempt_username_n: no second factor was asked.")
    try:
        return await _ask_duo(request, policy, typed, second_factor.begin_login())
    except ServiceUnavailable as fault:
        if policy.failmode is Failmode.SAFE:
            return _accept(Cause.FAILMODE_SAFE, detail=f"{fault}. failmode=safe: let in without a second factor.")
        return _reject(Cause.FAILMODE_SECURE, detail=f"{fault}. failmode=secure: rejected.")
    except ServiceRefused as fault:
        return _reject(Cause.DUO_REFUSED_US, detail=str(fault))
    except AnswerLost as fault:
        return _reject(Cause.ANSWER_LOST, detail=str(fault))


async def _ask_duo(
    request: LoginRequest, policy: LoginPolicy, typed: TypedFactor | None, login: SecondFactorLogin
) -> Outcome:
    preauth = await login.preauth(request.duo_username, request.client_ip)
    if preauth.result is PreauthResult.ALLOW:
        return _accept(Cause.DUO_BYPASS, preauth.status_message, "Duo lets this user in without a second factor.")
    if preauth.result is PreauthResult.DENY:
        return _reject(Cause.DUO_DENIED, preauth.status_message, f"Duo refuses this user: {preauth.status_message}")
    if preauth.result is PreauthResult.ENROLL:
        text = enroll_text(preauth.status_message, preauth.enroll_portal_url)
        return _reject(Cause.NOT_ENROLLED, text, "The user is not enrolled in Duo: enroll them, or change the policy.")
    query = _choose(request, policy, typed, preauth)
    if query is None:
        return _reject(Cause.NO_USABLE_FACTOR, detail=_no_factor_detail(typed, policy))
    return _answered(query, await login.authenticate(query))


def _choose(
    request: LoginRequest, policy: LoginPolicy, typed: TypedFactor | None, preauth: Preauth
) -> AuthQuery | None:
    """Turn what the user typed, or the section's preference, into a question to Duo; None when no device can do it."""
    name, client_ip = request.duo_username, request.client_ip
    if typed is None or typed.factor is None:
        chosen = automatic(preauth.devices, policy.factors)
        if chosen is None:
            return None
        factor, device = chosen
        return AuthQuery(name, factor, device_id=device.device_id, client_ip=client_ip)
    if typed.factor is Factor.PASSCODE:
        return AuthQuery(name, Factor.PASSCODE, passcode=typed.passcode, client_ip=client_ip)
    wanted = usable(preauth.devices, typed.factor, typed.number)
    if wanted is None:
        return None
    return AuthQuery(name, typed.factor, device_id=wanted.device_id, client_ip=client_ip)


def _answered(query: AuthQuery, answer: AuthAnswer) -> Outcome:
    """Judge Duo's answer. SMS sends codes and never lets anybody in, whatever the service says."""
    factor = query.factor.value
    if query.factor is Factor.SMS:
        sent = answer.status == "sent"
        cause = Cause.CODES_SENT if sent else Cause.FACTOR_REFUSED
        return _reject(cause, answer.status_message, f"Duo says {answer.status}", factor)
    if answer.allowed:
        return _accept(Cause.APPROVED, answer.status_message, "", factor)
    return _reject(Cause.FACTOR_REFUSED, answer.status_message, f"Duo says {answer.status}", factor)


def _no_factor_detail(typed: TypedFactor | None, policy: LoginPolicy) -> str:
    if typed is not None and typed.factor is not None:
        number = typed.number or ""
        return f"No device of the user can do {typed.factor.value}{number}: look at the user's devices in Duo."
    return (
        f"No device of the user can do any of factors={','.join(policy.factors)}: add a device in Duo, or let the user "
        "append a passcode."
    )


def _accept(cause: Cause, text: str = "", detail: str = "", factor: str = "") -> Outcome:
    return Outcome(Verdict.ACCEPT, cause, text or USER_TEXTS[cause], detail, factor)


def _reject(cause: Cause, text: str = "", detail: str = "", factor: str = "") -> Outcome:
    return Outcome(Verdict.REJECT, cause, text or USER_TEXTS[cause], detail, factor)


def _timed(outcome: Outcome, checked: PrimaryOutcome, primary_s: float, second_s: float) -> Outcome:
    return evolve(outcome, primary_wire=checked.wire, primary_s=primary_s, second_factor_s=second_s)


def _second_event(outcome: Outcome, duration_s: float) -> StageEvent:
    return StageEvent(
        Stage.SECONDARY,
        outcome.verdict is Verdict.ACCEPT,
        outcome.user_message or outcome.detail,
        factor=outcome.factor,
        duration_s=duration_s,
        bypass_reason=outcome.cause.value if outcome.cause.is_bypass else "",
    )
