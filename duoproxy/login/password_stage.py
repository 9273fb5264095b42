"""The first stage of a login: whether its credential proves the user's password, and which factor stands behind it.

Every kind of login begins with it, whether the second factor is asked for at once or in a dialogue. The primary may ask
the user something before it decides; whoever can ask brings it the answers.
"""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from typing import Final

from attrs import evolve, frozen

from duoproxy.errors import PrimaryUnreachable
from duoproxy.login.ends import reject
from duoproxy.login.events import Stage, StageEvent
from duoproxy.login.factors import TypedFactor, read_password_field
from duoproxy.login.outcome import Cause, Outcome, PrimaryOutcome, PrimaryQuestion, Verdict
from duoproxy.login.parties import LoginTools, PrimaryAuthenticator
from duoproxy.login.policy import LoginPolicy, PrimaryDown
from duoproxy.login.request import Credential, LoginRequest, PasswordProof

MAX_PRIMARY_QUESTIONS: Final = 20
"""A primary that asks more often than this in one login has refused."""

_Reading = tuple[Credential, TypedFactor | None]


@frozen
class ProvenPassword:
    """A password that the primary accepted.

    Attributes:
        password: the password, without the factor behind it; or the proof.
        typed: the factor behind it, None when there was none.
        wire: `PrimaryOutcome.wire` of the primary.
        duration_s: seconds that the primary took.
    """

    password: Credential
    typed: TypedFactor | None
    wire: object
    duration_s: float

    def timed(self, outcome: Outcome, second_s: float) -> Outcome:
        """Write into the end of a login what its two stages took (`second_s`: seconds) and what the primary said."""
        return evolve(outcome, primary_wire=self.wire, primary_s=self.duration_s, second_factor_s=second_s)


Checked = ProvenPassword | PrimaryQuestion | Outcome
"""What became of a credential, or of an answer; an `Outcome` ends the login, and is never an accept."""


async def check_password(
    request: LoginRequest, policy: LoginPolicy, primary: PrimaryAuthenticator, tools: LoginTools
) -> ProvenPassword | Outcome:
    """Check a credential where nobody can ask the user anything; tells the event of the stage."""
    stage = PasswordStage(request, policy, primary, tools)
    checked = await stage.begin()
    return stage.cannot_ask() if isinstance(checked, PrimaryQuestion) else checked


class PasswordStage:
    """The first stage of one login: `begin` once, then `answer` after each `PrimaryQuestion`."""

    def __init__(
        self, request: LoginRequest, policy: LoginPolicy, primary: PrimaryAuthenticator, tools: LoginTools
    ) -> None:
        """Prepare; nobody is asked anything yet."""
        self._request = request
        self._policy = policy
        self._primary = primary
        self._tools = tools
        self._read: _Reading = (request.credential, None)
        self._spent_s = 0.0
        self._asked: PrimaryOutcome | None = None
        self._questions = 0

    async def begin(self) -> Checked:
        """Check the credential."""
        request = self._request
        if not request.duo_username:
            return reject(
                Cause.BAD_REQUEST, detail="The request names no user. Check what the device sends as User-Name."
            )
        readings = self._readings()
        if not readings:
            return reject(Cause.FACTOR_MISSING, detail="No factor stands behind the password, and nobody was asked.")
        return await self._judged(self._check_readings(readings))

    async def answer(self, credential: Credential, wire: object = None) -> Checked:
        """Take the user's answer to the last question.

        Args:
            credential: the text that was entered, or a proof.
            wire: what else came with it; see `LoginRequest.wire`.
        """
        asked, self._asked = self._asked, None
        if asked is None or asked.question is None:
            raise RuntimeError("the primary asked nothing")
        answer = evolve(self._request, password=credential, wire=self._request.wire if wire is None else wire)
        return await self._judged(asked.question.answer(answer))

    def cannot_ask(self) -> Outcome:
        """End a login whose primary asks something that nobody can be asked."""
        reason = self._asked.reason if self._asked is not None else ""
        return self._refused(PrimaryOutcome(False, reason))

    def abandon(self, why: str) -> Outcome:
        """End a login whose user did not answer the primary; `why` is a sentence for the log."""
        detail = f"Nobody answered what the primary asked. {why}"
        self._tell(False, detail)
        return evolve(reject(Cause.PROMPT_UNANSWERED, detail=detail), primary_s=self._spent_s)

    def _readings(self) -> Sequence[_Reading]:
        request = self._request
        append = self._policy.append_for(request.username, self._tools.primary_only_s() > 0)
        if isinstance(request.credential, PasswordProof):
            return () if append.required else [(request.credential, None)]
        return [(one.password, one.typed) for one in read_password_field(request.password, append)]

    async def _check_readings(self, readings: Sequence[_Reading]) -> PrimaryOutcome:
        """Try the readings of the credential, the second one only where that cannot lock the account."""
        checked = await self._check(readings[0])
        if checked.accepted or checked.question is not None or len(readings) == 1:
            return checked
        safe = checked.alternative_is_safe
        if safe is None:
            safe = self._tools.second_tries.allow(self._request.username, self._tools.clock())
        return await self._check(readings[1]) if safe else checked

    async def _check(self, reading: _Reading) -> PrimaryOutcome:
        self._read = reading
        return await self._primary.authenticate(evolve(self._request, password=reading[0]))

    async def _judged(self, asking: Awaitable[PrimaryOutcome]) -> Checked:
        started = self._tools.clock()
        try:
            checked = await asking
        except PrimaryUnreachable as fault:
            self._spent_s += self._tools.clock() - started
            return self._unreachable(fault)
        self._spent_s += self._tools.clock() - started
        if checked.question is not None and not checked.accepted:
            return self._question(checked, checked.question)
        if not checked.accepted:
            return self._refused(checked)
        self._tell(True, "Primary authentication successful")
        password, typed = self._read
        return ProvenPassword(password, typed, checked.wire, self._spent_s)

    def _question(self, checked: PrimaryOutcome, question: PrimaryQuestion) -> PrimaryQuestion | Outcome:
        self._questions += 1
        if self._questions > MAX_PRIMARY_QUESTIONS:
            return self._refused(PrimaryOutcome(False, f"it asked the user {self._questions} times without an end"))
        self._asked = checked
        return question

    def _refused(self, checked: PrimaryOutcome) -> Outcome:
        self._tell(False, checked.reason)
        refused = reject(Cause.PASSWORD_REFUSED, checked.user_message, checked.reason)
        return evolve(refused, primary_wire=checked.wire, primary_s=self._spent_s)

    def _unreachable(self, fault: PrimaryUnreachable) -> Outcome:
        self._tell(False, str(fault))
        silent = self._policy.primary_down is PrimaryDown.SILENT
        verdict = Verdict.SILENCE if silent else Verdict.REJECT
        return Outcome(verdict, Cause.PRIMARY_UNREACHABLE, detail=str(fault), primary_s=self._spent_s)

    def _tell(self, accepted: bool, message: str) -> None:
        self._tools.event(StageEvent(Stage.PRIMARY, accepted, message, duration_s=self._spent_s))
