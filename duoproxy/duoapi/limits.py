"""How long the service may take.

Owns the one budget of a login for everything before the user is asked, the limits of single calls, and the pauses that
a rate limit asks for. `now` comes from the caller.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from attrs import frozen

LOGIN_BUDGET_S = 20.0
CONNECT_S = 10.0
CALL_S = 15.0
USER_S = 120.0
BODY_S = 10.0
FIRST_PAUSE_S = 1.0


@frozen
class CallLimits:
    """The limits of one call, in seconds.

    Attributes:
        connect_s: for a new connection, from name resolution to the end of the TLS handshake.
        call_s: for a call that the service answers by itself, connection included.
        user_s: for a call that waits for the user, from the moment when it is sent.
        body_s: for the rest of an answer whose head has come, within the limit of its call.
    """

    connect_s: float = CONNECT_S
    call_s: float = CALL_S
    user_s: float = USER_S
    body_s: float = BODY_S

    @classmethod
    def capped(cls, api_timeout_s: float) -> CallLimits:
        """Give the limits under `api_timeout`, which only lowers them; 0: it does not."""
        if api_timeout_s <= 0:
            return cls()
        usual = (CONNECT_S, CALL_S, USER_S, BODY_S)
        return cls(*(min(limit_s, api_timeout_s) for limit_s in usual))


class LoginBudget:
    """What is left of the time for everything before the user is asked, retries included.

    It runs only inside `running`, so that the time in which the user thinks, or types an answer between two calls, does
    not count.

    Attributes:
        was_rate_limited: a call of this login met a rate limit: whatever becomes of the login now, the service was
            there, and what the limit cost must not let anybody in.
    """

    def __init__(self, clock: Callable[[], float], total_s: float = LOGIN_BUDGET_S) -> None:
        """Begin with the whole budget.

        Args:
            clock: gives seconds, monotonic.
            total_s: the budget.
        """
        self.was_rate_limited = False
        self._clock = clock
        self._left_s = total_s
        self._since: float | None = None

    @contextmanager
    def running(self) -> Iterator[None]:
        """Let the budget run, until `pause` or the end of the block."""
        self._since = self._clock()
        try:
            yield
        finally:
            self.pause()

    def pause(self) -> None:
        """Stop the clock: from here on the user is what is waited for."""
        self._left_s = self.remaining_s()
        self._since = None

    def resume(self) -> None:
        """Let it run again: the user was not asked after all."""
        if self._since is None:
            self._since = self._clock()

    def remaining_s(self) -> float:
        """Give the seconds that are left, at least 0."""
        spent_s = 0.0 if self._since is None else self._clock() - self._since
        return max(0.0, self._left_s - spent_s)


def rate_limit_pause_s(attempt: int, jitter: float) -> float:
    """Give the pause before a call that met a rate limit is made again: 1, 2, 4 … s, each up to a second longer.

    Args:
        attempt: 0 for the first pause.
        jitter: random, 0 to 1.
    """
    return FIRST_PAUSE_S * float(1 << min(attempt, 10)) + jitter
