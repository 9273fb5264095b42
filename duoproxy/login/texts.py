"""The texts that a user is shown: one for each `Cause` (Reply-Message), and one for each `Notice` (in a prompt).

Where Duo or the primary sent a text of its own, that one is shown; these are what is said otherwise. The table in
docs/reply-messages.md says the same to administrators, and a test compares the two.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from types import MappingProxyType

from duoproxy.login.outcome import Cause

USER_TEXTS: Mapping[Cause, str] = MappingProxyType(
    {
        Cause.APPROVED: "Success. Logging you in...",
        Cause.DUO_BYPASS: "Success. Logging you in...",
        Cause.EXEMPT_USER: "",
        Cause.EXEMPT_PRIMARY_BIND: "",
        Cause.EXEMPT_OU: "",
        Cause.JOINED_BIND: "",
        Cause.FAILMODE_SAFE: "",
        Cause.PRIMARY_ONLY: "",
        Cause.BAD_REQUEST: "",
        Cause.PASSWORD_REFUSED: "",
        Cause.PRIMARY_UNREACHABLE: "",
        Cause.DUO_DENIED: "Login request denied.",
        Cause.NOT_ENROLLED: "You are not enrolled in two-factor authentication yet.",
        Cause.NO_USABLE_FACTOR: "None of your devices can be used for this login. Log in again with a passcode.",
        Cause.FACTOR_MISSING: "No second factor was entered. Log in again with push, phone, sms or a passcode.",
        Cause.FACTOR_REFUSED: "Login request denied.",
        Cause.CODES_SENT: "New SMS passcodes sent. Log in again with one of them.",
        Cause.BACKED_OFF: "Your last login request was not approved, so no new one was sent. Please try again later.",
        Cause.TOO_MANY_QUESTIONS: "You are being asked several times already. Answer there, or enter a passcode.",
        Cause.PROMPT_UNANSWERED: "",
        Cause.FAILMODE_SECURE: "The two-factor service cannot be reached. Please try again later.",
        Cause.PRIMARY_ONLY_REFUSED: "Two-factor authentication is not available. Please try again later.",
        Cause.DUO_REFUSED_US: "Two-factor authentication is not available. Please tell your administrator.",
        Cause.ANSWER_LOST: "The answer of the two-factor service was lost. Please log in again.",
        Cause.CLIENT_GONE: "",
        Cause.SHUTDOWN: "The login service is being restarted. Please log in again.",
        Cause.FAULT: "The login failed by an internal error. Please tell your administrator.",
    }
)


class Notice(enum.Enum):
    """What a prompt says of the answer before it; the value is its name in docs/reply-messages.md."""

    CODES_SENT = "codes-sent"
    WRONG_PASSCODE = "wrong-passcode"
    NO_DEVICE = "no-device"
    BACKED_OFF = "backed-off"
    PASSWORD_AGAIN = "password-again"
    NOTHING_ENTERED = "nothing-entered"


NOTICES: Mapping[Notice, str] = MappingProxyType(
    {
        Notice.CODES_SENT: "New SMS passcodes sent. Enter one of them.",
        Notice.WRONG_PASSCODE: "Incorrect passcode. Please try again.",
        Notice.NO_DEVICE: "None of your devices can do that. Enter a passcode or choose something else.",
        Notice.BACKED_OFF: "Your last login request was not approved, so no new one was sent. Enter push to get one.",
        Notice.PASSWORD_AGAIN: "That was your password again. Enter a passcode or choose an option.",
        Notice.NOTHING_ENTERED: "Nothing was entered. Enter a passcode or choose an option.",
    }
)


def enroll_text(status_message: str, enroll_portal_url: str) -> str:
    """The text for a user whom Duo does not know yet, with the address of the portal if there is one."""
    text = status_message or USER_TEXTS[Cause.NOT_ENROLLED]
    if not enroll_portal_url or enroll_portal_url in text:
        return text
    stop = "" if text.endswith((".", "!", "?", ":")) else "."
    return f"{text}{stop} Enroll at {enroll_portal_url}"
