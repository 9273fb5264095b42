"""What an administrator decided about logins: who is exempt, what happens when Duo or the primary is away.

Also the ledger of second tries, which keeps append mode from locking accounts.
"""

from __future__ import annotations

import enum
from collections import OrderedDict

from attrs import evolve, field, frozen

from duoproxy.login.factors import AppendMode

SECOND_TRY_INTERVAL_S = 30 * 60.0
MAX_SECOND_TRIES = 10_000


def fold_case(name: str) -> str:
    """Fold the case of a name, character by character: no name becomes longer, so that `ß` and `ss` stay two names."""
    if name.isascii():
        return name.lower()
    return "".join(folded if len(folded := letter.casefold()) == 1 else letter for letter in name)


class Failmode(enum.Enum):
    """What a login gets that Duo could not be asked about. Source: option `failmode`."""

    SAFE = "safe"
    SECURE = "secure"


class PrimaryDown(enum.Enum):
    """What a device gets when nobody could check the password. Source: option `primary_down`."""

    SILENT = "silent"
    REJECT = "reject"


@frozen
class LoginPolicy:
    """The decisions of one server section.

    Attributes:
        factors: in order of preference, out of `auto`, `push`, `phone`, `passcode`.
        append: how the password field is split.
        exempt_usernames: names, folded with `fold_case`, that need no second factor.
        failmode: what happens when Duo is away before the user was asked.
        primary_down: what happens when nobody could check the password.
        checks_passwords: whether the primary proves a password. Without it nobody gets in while logins are
            primary-only, for there is nothing else to go by; so a section has to say it.
    """

    factors: tuple[str, ...] = ("auto",)
    append: AppendMode = field(factory=AppendMode)
    exempt_usernames: frozenset[str] = frozenset()
    failmode: Failmode = Failmode.SECURE
    primary_down: PrimaryDown = PrimaryDown.SILENT
    checks_passwords: bool = False

    def is_exempt(self, username: str) -> bool:
        """Whether the name, exactly as submitted but for case, is on the list."""
        return fold_case(username) in self.exempt_usernames

    def append_for(self, username: str, primary_only: bool = False) -> AppendMode:
        """Say how a user's password field is split: who is exempt need not append a factor, nor need anybody while
        logins are `primary_only`.
        """
        no_factor = primary_only or self.is_exempt(username)
        return evolve(self.append, required=False) if no_factor and self.append.required else self.append


class SecondTryLedger:
    """Allows each user one second try with another reading of the password in `SECOND_TRY_INTERVAL_S`.

    It remembers at most `MAX_SECOND_TRIES` users; when it is full of recent ones it allows none, so that forgetting
    cannot be provoked.
    """

    def __init__(self) -> None:
        self._last: OrderedDict[str, float] = OrderedDict()

    def allow(self, username: str, now: float) -> bool:
        """Say whether a second try is allowed, and note it down if so (`now`: seconds, monotonic)."""
        while self._last and now - next(iter(self._last.values())) >= SECOND_TRY_INTERVAL_S:
            self._last.popitem(last=False)
        key = username.strip().casefold()
        if key in self._last or len(self._last) >= MAX_SECOND_TRIES:
            return False
        self._last[key] = now
        return True
