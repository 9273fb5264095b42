"""What Duo's Auth API is asked and what it answers, as values.

One set of values serves both generations of the API (`/auth/v2` and `/rest/v1`); how each generation spells them is the
business of `duoproxy.duoapi.generations`. Values from the service may grow: an unknown status is kept as text, an
unknown result is an error, never a yes.
"""

from __future__ import annotations

import enum

from attrs import frozen

from duoproxy.secret import Secret


class Generation(enum.Enum):
    """The two generations of the API that applications may be allowed to call."""

    V1 = "v1"
    V2 = "v2"


class PreauthResult(enum.Enum):
    """What `preauth` says of a user. Source: Auth API v2, /preauth."""

    AUTH = "auth"
    ALLOW = "allow"
    DENY = "deny"
    ENROLL = "enroll"


class Factor(enum.Enum):
    """A way to prove oneself to Duo, in the API's words."""

    PUSH = "push"
    PHONE = "phone"
    SMS = "sms"
    PASSCODE = "passcode"


@frozen
class Device:
    """One device of a user, as Duo lists it.

    Attributes:
        device_id: what names it in a later request (`DP…` in v2; `phone1`, `phone2` … in v1).
        is_phone: true for phones, which are what device numbers (`push2`) count; tokens are not counted.
        capabilities: out of `push`, `phone`, `sms`, `mobile_otp`, `auto`; unknown ones are kept.
        label: the masked number or name to show to its owner (`XXX-XXX-1234`).
        sms_next_code: first digit of the next SMS passcode, or empty.
    """

    device_id: str
    is_phone: bool
    capabilities: frozenset[str]
    label: str = ""
    sms_next_code: str = ""


@frozen
class PromptOption:
    """What a numbered line of a prompt stands for: one factor on one device.

    Attributes:
        number: the number of the line, from 1.
        factor: PUSH, PHONE or SMS.
        device_id: on which device.
    """

    number: int
    factor: Factor
    device_id: str


@frozen
class Preauth:
    """The answer of `preauth`.

    Attributes:
        result: what to do with this user.
        status_message: text for the user; may be empty.
        devices: in Duo's order; empty unless `result` is AUTH.
        enroll_portal_url: for ENROLL; may be empty.
        prompt: the service's own ready-made prompt (v1 only); may be empty.
        prompt_options: what the numbers in `prompt` stand for (v1 only).
    """

    result: PreauthResult
    status_message: str = ""
    devices: tuple[Device, ...] = ()
    enroll_portal_url: str = ""
    prompt: str = ""
    prompt_options: tuple[PromptOption, ...] = ()


@frozen
class AuthQuery:
    """One attempt to prove the second factor.

    Attributes:
        username: as the device sent it, outer blanks removed.
        factor: the factor.
        device_id: for PUSH, PHONE and SMS: which device.
        passcode: for PASSCODE.
        client_ip: the end user's address in text form, or None.
    """

    username: str
    factor: Factor
    device_id: str = ""
    passcode: Secret | None = None
    client_ip: str | None = None


@frozen
class AuthAnswer:
    """The answer to an `AuthQuery`.

    Attributes:
        allowed: true only for the literal result `allow`.
        status: the machine-readable status (`allow`, `deny`, `timeout`, `fraud`, `sent`, `locked_out` …).
        status_message: text for the user.
    """

    allowed: bool
    status: str
    status_message: str
