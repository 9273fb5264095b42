"""The second stage of a login, in the steps that every kind of login is made of.

Who needs no second factor, what Duo says of the user, which question is put to Duo, what its answer means, and what
each fault of the service means.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TypeVar

from duoproxy.duoapi.devices import automatic, usable
from duoproxy.duoapi.messages import AuthAnswer, AuthQuery, Factor, Preauth, PreauthResult, PromptOption
from duoproxy.errors import AnswerLost, ServiceRefused, ServiceUnavailable
from duoproxy.login.ends import accept, reject
from duoproxy.login.events import Stage, StageEvent
from duoproxy.login.factors import TypedFactor
from duoproxy.login.open_questions import MAX_QUESTIONS_OF_USER
from duoproxy.login.outcome import Cause, Outcome, Verdict
from duoproxy.login.parties import LoginTools, SecondFactorLogin
from duoproxy.login.policy import Failmode, LoginPolicy
from duoproxy.login.request import LoginRequest
from duoproxy.login.texts import enroll_text

MAX_TOLD = 10
"""Devices of a user that a step names."""

AnswerT = TypeVar("AnswerT")

Choice = TypedFactor | PromptOption | None
"""What the user chose: a factor in words, a line of a prompt, or (None) nothing: the automatic choice."""


def exemption(request: LoginRequest, policy: LoginPolicy, tools: LoginTools) -> Outcome | None:
    """Let in whoever is exempt by name, and everybody with a password while logins are primary-only; None for others.

    Where no password is checked, a login that is primary-only would be checked by nothing: it is rejected.
    """
    if policy.is_exempt(request.username):
        return accept(Cause.EXEMPT_USER, detail="The user is named in exempt_username_n: no second factor was asked.")
    left_s = tools.primary_only_s()
    if left_s <= 0:
        return None
    until = f"Logins are primary-only for {left_s / 60:.0f} more minutes (authproxy_primary_only stop ends it)"
    if policy.checks_passwords:
        return accept(Cause.PRIMARY_ONLY, detail=f"{until}: no second factor was asked.")
    return reject(
        Cause.PRIMARY_ONLY_REFUSED, detail=f"{until}, and this section checks no password: there is nothing to go by."
    )


async def or_end(policy: LoginPolicy, answer: Awaitable[AnswerT], *, asked_before: bool = False) -> AnswerT | Outcome:
    """Wait for the service; a fault of it is the end of the login, by `failmode` when nobody was asked yet.

    Args:
        policy: says what `failmode` is.
        answer: what is waited for.
        asked_before: whether the service has judged an answer of this login already: then `failmode` has no say.
    """
    try:
        return await answer
    except ServiceUnavailable as fault:
        if asked_before:
            detail = f"{fault}. Duo had judged an answer of this login before, so failmode does not apply: rejected."
            return reject(Cause.ANSWER_LOST, detail=detail)
        if policy.failmode is Failmode.SAFE:
            return accept(Cause.FAILMODE_SAFE, detail=f"{fault}. failmode=safe: let in without a second factor.")
        return reject(Cause.FAILMODE_SECURE, detail=f"{fault}. failmode=secure: rejected.")
    except ServiceRefused as fault:
        return reject(Cause.DUO_REFUSED_US, detail=str(fault))
    except AnswerLost as fault:
        return reject(Cause.ANSWER_LOST, detail=str(fault))


async def look_up(request: LoginRequest, login: SecondFactorLogin, tools: LoginTools) -> Preauth | Outcome:
    """Ask Duo about the user; an `Outcome` is the end of the login, a `Preauth` means that the user is to be asked."""
    asked_at = tools.clock()
    preauth = await login.preauth(request.duo_username, request.client_ip)
    tools.step(_said_of_user(preauth, tools.clock() - asked_at))
    if preauth.result is PreauthResult.ALLOW:
        return accept(Cause.DUO_BYPASS, preauth.status_message, "Duo lets this user in without a second factor.")
    if preauth.result is PreauthResult.DENY:
        return reject(Cause.DUO_DENIED, preauth.status_message, f"Duo refuses this user: {preauth.status_message}")
    if preauth.result is PreauthResult.ENROLL:
        text = enroll_text(preauth.status_message, preauth.enroll_portal_url)
        return reject(Cause.NOT_ENROLLED, text, "The user is not enrolled in Duo: enroll them, or change the policy.")
    return preauth


async def put(query: AuthQuery, login: SecondFactorLogin, tools: LoginTools) -> AuthAnswer | Outcome:
    """Put a question to Duo, unless too many ring at this user's telephone already: that is a reject.

    Raises:
        DuoproxyError: as `SecondFactorLogin.authenticate`.
    """
    if not tools.open_questions.begin(query):
        detail = f"{MAX_QUESTIONS_OF_USER} pushes or calls to this user wait for an answer already."
        return reject(Cause.TOO_MANY_QUESTIONS, detail=detail, factor=query.factor.value)
    try:
        return await _put(query, login, tools)
    finally:
        tools.open_questions.end(query)


async def _put(query: AuthQuery, login: SecondFactorLogin, tools: LoginTools) -> AuthAnswer:
    factor = query.factor.value
    tools.step("A passcode is sent to Duo." if query.passcode is not None else f"Duo is asked for {factor}.")
    asked_at = tools.clock()
    answer = await login.authenticate(query)
    tools.step(f"Duo says {answer.status} after {tools.clock() - asked_at:.3f} s: {answer.status_message}")
    return answer


def choose(request: LoginRequest, policy: LoginPolicy, choice: Choice, preauth: Preauth) -> AuthQuery | Outcome:
    """Turn a choice, or the section's preference, into a question to Duo; a reject when no device can do it."""
    name, client_ip = request.duo_username, request.client_ip
    if isinstance(choice, PromptOption):
        return AuthQuery(name, choice.factor, device_id=choice.device_id, client_ip=client_ip)
    if choice is None or choice.factor is None:
        chosen = automatic(preauth.devices, policy.factors)
        if chosen is None:
            return reject(Cause.NO_USABLE_FACTOR, detail=_no_factor_detail(choice, policy))
        factor, device = chosen
        return AuthQuery(name, factor, device_id=device.device_id, client_ip=client_ip)
    if choice.factor is Factor.PASSCODE:
        return AuthQuery(name, Factor.PASSCODE, passcode=choice.passcode, client_ip=client_ip)
    wanted = usable(preauth.devices, choice.factor, choice.number)
    if wanted is None:
        return reject(Cause.NO_USABLE_FACTOR, detail=_no_factor_detail(choice, policy))
    return AuthQuery(name, choice.factor, device_id=wanted.device_id, client_ip=client_ip)


def is_automatic(choice: Choice) -> bool:
    """Whether a choice leaves factor and device to us."""
    return choice is None or (isinstance(choice, TypedFactor) and choice.factor is None)


def judge(query: AuthQuery, answer: AuthAnswer) -> Outcome:
    """Judge Duo's answer. SMS sends codes and never lets anybody in, whatever the service says."""
    factor = query.factor.value
    if query.factor is Factor.SMS:
        sent = answer.status == "sent"
        cause = Cause.CODES_SENT if sent else Cause.FACTOR_REFUSED
        return reject(cause, answer.status_message, f"Duo says {answer.status}", factor)
    if answer.allowed:
        return accept(Cause.APPROVED, answer.status_message, "", factor)
    return reject(Cause.FACTOR_REFUSED, answer.status_message, f"Duo says {answer.status}", factor)


def stage_event(outcome: Outcome, duration_s: float) -> StageEvent:
    """The event that tells the end of the second stage (`duration_s`: seconds)."""
    return StageEvent(
        Stage.SECONDARY,
        outcome.verdict is Verdict.ACCEPT,
        outcome.user_message or outcome.detail,
        factor=outcome.factor,
        duration_s=duration_s,
        bypass_reason=outcome.cause.value if outcome.cause.is_bypass else "",
    )


def _said_of_user(preauth: Preauth, took_s: float) -> str:
    """Say what a `Preauth` means. Names of devices may be telephone numbers, and what is said to somebody who is to
    enroll may have a link in it that is for that user only: both stay out.
    """
    said = f"Duo says {preauth.result.value} of the user after {took_s:.3f} s"
    if preauth.result is PreauthResult.ENROLL:
        return f"{said}."
    if preauth.result is not PreauthResult.AUTH:
        return f"{said}: {preauth.status_message}"
    devices = ", ".join("+".join(sorted(device.capabilities)) or "nothing" for device in preauth.devices[:MAX_TOLD])
    return f"{said}; devices that can do: {devices or 'none'}"


def _no_factor_detail(typed: TypedFactor | None, policy: LoginPolicy) -> str:
    if typed is not None and typed.factor is not None:
        number = typed.number or ""
        return f"No device of the user can do {typed.factor.value}{number}: look at the user's devices in Duo."
    return (
        f"No device of the user can do any of factors={','.join(policy.factors)}: add a device in Duo, or let the user "
        "append a passcode."
    )
