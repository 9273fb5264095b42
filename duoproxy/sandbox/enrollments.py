"""Who may enroll a device at the stand-in Duo service, and with which activation code."""

from __future__ import annotations

from attrs import frozen

from duoproxy.sandbox.accounts import RandomBytes, random_id

ENROLLMENT_LIFETIME_S = 900.0
MAX_ENROLLMENTS = 1_000


@frozen
class Enrollment:
    """A user who may enroll a device.

    Attributes:
        code: the activation code.
        username: who.
        user_id: `DU…`.
        expires_at: seconds.
    """

    code: str
    username: str
    user_id: str
    expires_at: float


class Enrollments:
    """The open activation codes, at most `MAX_ENROLLMENTS`, the oldest out first."""

    def __init__(self) -> None:
        self._by_code: dict[str, Enrollment] = {}

    def open(self, username: str, user_id: str, now: float, lifetime_s: float, random_bytes: RandomBytes) -> Enrollment:
        """Make a code for a user; the same one again while it is good."""
        for one in self.current(now):
            if one.user_id == user_id:
                return one
        if len(self._by_code) >= MAX_ENROLLMENTS:
            del self._by_code[next(iter(self._by_code))]
        enrollment = Enrollment(random_id("", random_bytes), username, user_id, now + lifetime_s)
        self._by_code[enrollment.code] = enrollment
        return enrollment

    def current(self, now: float) -> tuple[Enrollment, ...]:
        """The codes that are good; the others are forgotten."""
        self._by_code = {code: one for code, one in self._by_code.items() if one.expires_at > now}
        return tuple(self._by_code.values())

    def is_open(self, code: str, user_id: str, now: float) -> bool:
        """Whether that user's code was neither used nor has expired."""
        one = self._by_code.get(code)
        return one is not None and one.user_id == user_id and one.expires_at > now

    def use(self, code: str, now: float) -> Enrollment | None:
        """Take a code away; None when it is not good."""
        one = self._by_code.pop(code, None)
        return one if one is not None and one.expires_at > now else None
