"""The first stage of a login: whether the password field holds the user's password, and which factor stands behind it.

Every kind of login begins with it, whether the second factor is asked for at once or in a dialogue.
"""

from __future__ import annotations

from collections.abc import Sequence

from attrs import evolve, frozen

from duoproxy.errors import PrimaryUnreachable
from duoproxy.login.ends import reject
from duoproxy.login.events import Stage, StageEvent
from duoproxy.login.factors import Candidate, TypedFactor, read_password_field
from duoproxy.login.outcome import Cause, Outcome, PrimaryOutcome, Verdict
from duoproxy.login.parties import LoginTools, PrimaryAuthenticator
from duoproxy.login.policy import LoginPolicy, PrimaryDown
from duoproxy.login.request import LoginRequest
from duoproxy.secret import Secret


@frozen
class ProvenPassword:
    """A password that the primary accepted.

    Attributes:
        password: the password, without the factor behind it.
        typed: the factor behind it, None when there was none.
        wire: `PrimaryOutcome.wire` of the primary.
        duration_s: seconds that the primary took.
    """

    password: Secret
    typed: TypedFactor | None
    wire: object
    duration_s: float

    def timed(self, outcome: Outcome, second_s: float) -> Outcome:
        """Write into the end of a login what its two stages took (`second_s`: seconds) and what the primary said."""
        return evolve(outcome, primary_wire=self.wire, primary_s=self.duration_s, second_factor_s=second_s)


async def check_password(
    request: LoginRequest, policy: LoginPolicy, primary: PrimaryAuthenticator, tools: LoginTools
) -> ProvenPassword | Outcome:
    """Check the password field and tell the event of the stage; an `Outcome` ends the login, and is never an accept."""
    if not request.duo_username:
        return reject(Cause.BAD_REQUEST, detail="The request names no user. Check what the device sends as User-Name.")
    readings = read_password_field(request.password, policy.append_for(request.username, tools.primary_only_s() > 0))
    if not readings:
        return reject(Cause.FACTOR_MISSING, detail="No factor stands behind the password, and nobody was asked.")
    started = tools.clock()
    try:
        checked, candidate = await _check_readings(request, readings, primary, tools)
    except PrimaryUnreachable as fault:
        tools.event(StageEvent(Stage.PRIMARY, False, str(fault), duration_s=tools.clock() - started))
        silent = policy.primary_down is PrimaryDown.SILENT
        verdict = Verdict.SILENCE if silent else Verdict.REJECT
        return Outcome(verdict, Cause.PRIMARY_UNREACHABLE, detail=str(fault), primary_s=tools.clock() - started)
    duration_s = tools.clock() - started
    message = "Primary authentication successful" if checked.accepted else checked.reason
    tools.event(StageEvent(Stage.PRIMARY, checked.accepted, message, duration_s=duration_s))
    if not checked.accepted:
        refused = reject(Cause.PASSWORD_REFUSED, checked.user_message, checked.reason)
        return evolve(refused, primary_wire=checked.wire, primary_s=duration_s)
    return ProvenPassword(candidate.password, candidate.typed, checked.wire, duration_s)


async def _check_readings(
    request: LoginRequest, readings: Sequence[Candidate], primary: PrimaryAuthenticator, tools: LoginTools
) -> tuple[PrimaryOutcome, Candidate]:
    """Try the readings of the password field, the second one only where that cannot lock the account."""
    first, *others = readings
    checked = await primary.authenticate(evolve(request, password=first.password))
    if checked.accepted or not others:
        return checked, first
    safe = checked.alternative_is_safe
    if safe is None:
        safe = tools.second_tries.allow(request.username, tools.clock())
    if not safe:
        return checked, first
    return await primary.authenticate(evolve(request, password=others[0].password)), others[0]
