"""Which upstream server is asked next: failed ones rest, and one login at a time finds out whether they are back.

A login that no other server answers asks those that rest, too, the first one first: it is never refused untried, though
a server came back a moment ago, or was silent to one login only.

A server may be watched: then it is asked by itself, by other means, and logins are spared that.

Pure: time and randomness are arguments. Reference: §10.4, failed host.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Final

from attrs import define, frozen

FIRST_REST_S: Final = 10.0
LONGEST_REST_S: Final = 300.0
JITTER: Final = 0.2


@frozen
class Turn:
    """A server to ask now.

    Attributes:
        index: which one.
        probe: its rest is over, and this login is the one that finds out whether it is back.
    """

    index: int
    probe: bool


@define
class _Host:
    resting_until: float | None = None
    rest_s: float = 0.0
    probing: bool = False
    watched: bool = False
    answered_at: float = float("-inf")


class HostHealth:
    """What is known about the servers of one upstream, in the order of preference."""

    def __init__(self, hosts: int, random_fraction: Callable[[], float]) -> None:
        """Begin with all of them well.

        Args:
            hosts: how many there are.
            random_fraction: gives 0.0 to 1.0, so that several proxies do not come back to a server together.
        """
        self._hosts = [_Host() for _ in range(hosts)]
        self._random_fraction = random_fraction

    def next_turn(self, tried: Collection[int], now: float) -> Turn | None:
        """Choose the server that a login asks next.

        Args:
            tried: the servers that this login has asked already.
            now: seconds, monotonic.

        Returns:
            the first one that is well, or whose rest is over and that nobody else probes; when there is none, the first
            of the others; None when this login has tried all of them.
        """
        for index, host in enumerate(self._hosts):
            if index in tried:
                continue
            if host.resting_until is None:
                return Turn(index, probe=False)
            if now >= host.resting_until and not (host.probing or host.watched):
                host.probing = True
                return Turn(index, probe=True)
        untried = (index for index in range(len(self._hosts)) if index not in tried)
        return next((Turn(index, probe=False) for index in untried), None)

    def watch(self, index: int, *, watched: bool) -> None:
        """Note whether a server is asked by itself when its rest is over."""
        self._hosts[index].watched = watched

    def is_watched(self, index: int) -> bool:
        """Tell whether it is."""
        return self._hosts[index].watched

    def end_turn(self, turn: Turn) -> None:
        """Note that a login asks this server no more, whatever came of it; another one may probe."""
        if turn.probe:
            self._hosts[turn.index].probing = False

    def answered(self, index: int, now: float) -> bool:
        """Note a valid answer; tells whether the server had been resting."""
        host = self._hosts[index]
        rested = host.resting_until is not None
        host.resting_until, host.rest_s, host.answered_at = None, 0.0, now
        return rested

    def failed(self, turn: Turn, asked_at: float, now: float) -> float | None:
        """Note that a login got no answer in its turn.

        A server that answered others since `asked_at` is well: it drops this one request. One that rests already rests
        no longer for it, unless this was the probe: otherwise a hundred logins would make ten seconds five minutes.

        Returns:
            for how many seconds it rests from now, or None when this changes nothing.
        """
        host = self._hosts[turn.index]
        if host.answered_at >= asked_at or (host.resting_until is not None and not turn.probe):
            return None
        host.rest_s = min(2 * host.rest_s, LONGEST_REST_S) or FIRST_REST_S
        rest_s = host.rest_s * (1 + JITTER * (2 * self._random_fraction() - 1))
        host.resting_until = now + rest_s
        return rest_s

    def resting_until(self, index: int) -> float | None:
        """Give the end of a server's rest, None when it is well."""
        return self._hosts[index].resting_until
