"""One attempt to prove a second factor at the stand-in Duo service: its states, and the texts of the real service."""

from __future__ import annotations

import enum

from attrs import define, field

from duoproxy.sandbox.accounts import Reaction


class Status(enum.Enum):
    """The machine-readable `status` of the API. Source: Auth API v2, /auth_status."""

    PUSHED = "pushed"
    CALLING = "calling"
    ALLOW = "allow"
    BYPASS = "bypass"
    DENY = "deny"
    TIMEOUT = "timeout"
    FRAUD = "fraud"
    LOCKED_OUT = "locked_out"
    SENT = "sent"

    @property
    def result(self) -> str:
        """The `result` that goes with it: `waiting`, `allow` or `deny`."""
        if self in (Status.PUSHED, Status.CALLING):
            return "waiting"
        return "allow" if self in (Status.ALLOW, Status.BYPASS) else "deny"


TEXT_ACTIVE = "Account is active"
TEXT_ALLOW = "Success. Logging you in..."
TEXT_DENY = "Login request denied."
TEXT_DISABLED = "Your account is disabled and cannot access this application. Please contact your administrator."
TEXT_ENROLL = "Enroll an authentication device to proceed"
TEXT_FRAUD = "Login request reported as fraudulent."
TEXT_LOCKED = (
    "Your account has been locked out due to excessive authentication failures. Please contact your administrator."
)
TEXT_PASSCODE = "Incorrect passcode. Please try again."
TEXT_SENT = "New SMS passcodes sent."
TEXT_TIMEOUT = "Login timed out."

REACTION_ENDS = {
    Reaction.APPROVE: (Status.ALLOW, TEXT_ALLOW),
    Reaction.DENY: (Status.DENY, TEXT_DENY),
    Reaction.FRAUD: (Status.FRAUD, TEXT_FRAUD),
    Reaction.IGNORE: (Status.TIMEOUT, TEXT_TIMEOUT),
}


@define
class Transaction:
    """One attempt.

    Attributes:
        txid: its name.
        username: whose.
        factor: `push`, `phone`, `sms` or `passcode`.
        device: what the phone page shows as the device.
        begun_at: seconds.
        status: where it stands.
        status_message: text for the user.
        details: what the push shows beside (`pushinfo`, address).
        finished_at: seconds, or None while the user is being asked.
        reported: the last status that a status call was told; a call that would repeat it waits for news.
    """

    txid: str
    username: str
    factor: str
    device: str
    begun_at: float
    status: Status
    status_message: str
    details: dict[str, str] = field(factory=dict)
    finished_at: float | None = None
    reported: Status | None = None

    @property
    def result(self) -> str:
        """`waiting`, `allow` or `deny`."""
        return self.status.result

    @property
    def is_pending(self) -> bool:
        """Whether the user is still being asked."""
        return self.finished_at is None
