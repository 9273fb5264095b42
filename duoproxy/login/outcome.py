"""How a login, or one of its two factors, ended: as values.

`Cause` is the list of all ends. `docs/reply-messages.md` has one row for each, with the text that the user is shown; a
test reads that table.
"""

from __future__ import annotations

import enum
from collections.abc import Awaitable, Callable

from attrs import frozen

from duoproxy.login.request import LoginRequest


@frozen
class PrimaryQuestion:
    """What a primary asks the user before it decides (a new password, the code of a token).

    Attributes:
        text: what the user is shown.
        answer: takes the answer (the request that brings it) to the server that asked; gives its outcome, which may be
            another question, or raises PrimaryUnreachable.
        wire: what the primary's protocol said beside, for a server section of that protocol.
    """

    text: str
    answer: Callable[[LoginRequest], Awaitable[PrimaryOutcome]]
    wire: object = None


@frozen
class PrimaryOutcome:
    """What a client section says of a name and a password.

    Attributes:
        accepted: true only when the password was proven (or when the section proves none by design).
        reason: for the log: why it was refused; empty when accepted.
        user_message: text for the user, empty for none.
        wire: what the primary's protocol said beside (for RADIUS: its reply), for a server section of that protocol.
        alternative_is_safe: whether a second attempt with another password right now cannot lock the account; what
            append mode asks before it tries the whole string. A section that cannot know says None.
        question: the primary has not decided yet, and asks. Whoever cannot ask the user takes it for the refusal that
            the rest of this value says.
    """

    accepted: bool
    reason: str = ""
    user_message: str = ""
    wire: object = None
    alternative_is_safe: bool | None = None
    question: PrimaryQuestion | None = None


class Verdict(enum.Enum):
    """What the device is told."""

    ACCEPT = "accept"
    REJECT = "reject"
    SILENCE = "silence"


class Cause(enum.Enum):
    """Why a login ended as it did; the value is its name in logs and in docs/reply-messages.md."""

    APPROVED = "approved"
    DUO_BYPASS = "duo-bypass"
    EXEMPT_USER = "exempt-user"
    EXEMPT_PRIMARY_BIND = "exempt-primary-bind"
    EXEMPT_OU = "exempt-ou"
    JOINED_BIND = "joined-bind"
    FAILMODE_SAFE = "failmode-safe"
    PRIMARY_ONLY = "primary-only"
    BAD_REQUEST = "bad-request"
    PASSWORD_REFUSED = "password-refused"
    PRIMARY_UNREACHABLE = "primary-unreachable"
    DUO_DENIED = "duo-denied"
    NOT_ENROLLED = "not-enrolled"
    NO_USABLE_FACTOR = "no-usable-factor"
    FACTOR_MISSING = "factor-missing"
    FACTOR_REFUSED = "factor-refused"
    CODES_SENT = "codes-sent"
    BACKED_OFF = "backed-off"
    TOO_MANY_QUESTIONS = "too-many-questions"
    PROMPT_UNANSWERED = "prompt-unanswered"
    FAILMODE_SECURE = "failmode-secure"
    PRIMARY_ONLY_REFUSED = "primary-only-refused"
    DUO_REFUSED_US = "duo-refused-us"
    ANSWER_LOST = "answer-lost"
    CLIENT_GONE = "client-gone"
    SHUTDOWN = "shutdown"
    FAULT = "fault"

    @property
    def is_bypass(self) -> bool:
        """Whether a login that ends so was let in without a second factor."""
        return self in _BYPASSES


_BYPASSES = frozenset(
    {
        Cause.DUO_BYPASS,
        Cause.EXEMPT_USER,
        Cause.EXEMPT_PRIMARY_BIND,
        Cause.EXEMPT_OU,
        Cause.JOINED_BIND,
        Cause.FAILMODE_SAFE,
        Cause.PRIMARY_ONLY,
    }
)


@frozen
class Outcome:
    """The end of one login.

    Attributes:
        verdict: what the device is told.
        cause: why.
        user_message: text for the user (Reply-Message), empty for none.
        detail: for the log: a sentence that an administrator can act on; empty when there is nothing to do.
        factor: the factor that was used (`push`, `passcode` …), empty when none was.
        primary_wire: `PrimaryOutcome.wire` of the primary that answered, or None.
        primary_s: seconds that the primary took.
        second_factor_s: seconds that Duo and the user took.
    """

    verdict: Verdict
    cause: Cause
    user_message: str = ""
    detail: str = ""
    factor: str = ""
    primary_wire: object = None
    primary_s: float = 0.0
    second_factor_s: float = 0.0
