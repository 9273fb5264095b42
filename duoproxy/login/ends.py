"""How an end of a login is made: a cause, with the text that the user is shown for it."""

from __future__ import annotations

from duoproxy.login.outcome import Cause, Outcome, Verdict
from duoproxy.login.texts import USER_TEXTS


def accept(cause: Cause, text: str = "", detail: str = "", factor: str = "") -> Outcome:
    """Make an accept; without a text of its own it says that of its cause."""
    return Outcome(Verdict.ACCEPT, cause, text or USER_TEXTS[cause], detail, factor)


def reject(cause: Cause, text: str = "", detail: str = "", factor: str = "") -> Outcome:
    """Make a reject; without a text of its own it says that of its cause."""
    return Outcome(Verdict.REJECT, cause, text or USER_TEXTS[cause], detail, factor)
