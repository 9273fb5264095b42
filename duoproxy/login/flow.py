"""One login, from name and password to its outcome.

The straight line that every server section with a password and no prompt runs: primary, exemption, preauth, factor,
answer. It knows no protocol and no Twisted; whatever waits is behind two narrow protocols. A login that shows a prompt
is made of the same steps: `duoproxy.login.dialogue`.
"""

from __future__ import annotations

from collections.abc import Callable

from duoproxy.login.duo_stage import choose, exemption, judge, look_up, or_end, put, stage_event
from duoproxy.login.factors import TypedFactor
from duoproxy.login.outcome import Outcome, Verdict
from duoproxy.login.parties import LoginTools, PrimaryAuthenticator, SecondFactor, SecondFactorLogin
from duoproxy.login.password_stage import ProvenPassword, check_password
from duoproxy.login.policy import LoginPolicy
from duoproxy.login.request import LoginRequest

__all__ = ["LoginTools", "PrimaryAuthenticator", "SecondFactor", "SecondFactorLogin", "run_login"]


async def run_login(
    request: LoginRequest,
    policy: LoginPolicy,
    primary: PrimaryAuthenticator,
    second_factor: SecondFactor,
    tools: LoginTools,
    waiver: Callable[[ProvenPassword], Outcome | None] | None = None,
    confirm: Callable[[Outcome], Outcome] | None = None,
) -> Outcome:
    """Run one login to its end.

    Every end that can be foreseen is an `Outcome`; what is raised is a fault, and the caller rejects.

    Args:
        request: who asks.
        policy: the section's.
        primary: checks the password.
        second_factor: proves the second factor.
        tools: of this login.
        waiver: is asked after the password was proven; an `Outcome` of it stands for the second factor (for reasons
            that only the section's protocol has).
        confirm: is asked last, and only about an accept; its `Outcome` stands for it (what the password has opened may
            be gone by the time that the user answers).
    """
    proven = await check_password(request, policy, primary, tools)
    if isinstance(proven, Outcome):
        return proven
    asked_at = tools.clock()
    outcome = exemption(request, policy, tools)
    if outcome is None and waiver is not None:
        outcome = waiver(proven)
    if outcome is None:
        asking = _ask_duo(request, policy, proven.typed, second_factor.begin_login(), tools)
        outcome = await or_end(policy, asking)
    if confirm is not None and outcome.verdict is Verdict.ACCEPT:
        outcome = confirm(outcome)
    second_s = tools.clock() - asked_at
    tools.event(stage_event(outcome, second_s))
    return proven.timed(outcome, second_s)


async def _ask_duo(
    request: LoginRequest,
    policy: LoginPolicy,
    typed: TypedFactor | None,
    login: SecondFactorLogin,
    tools: LoginTools,
) -> Outcome:
    preauth = await look_up(request, login, tools)
    if isinstance(preauth, Outcome):
        return preauth
    query = choose(request, policy, typed, preauth)
    if isinstance(query, Outcome):
        return query
    answer = await put(query, login, tools)
    return answer if isinstance(answer, Outcome) else judge(query, answer)
