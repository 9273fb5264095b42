"""The end of a service: no new logins, an end for those that wait, and after `shutdown_grace` none for the rest.

Knows server sections only by `drain` and `pending`; it is driven by the reactor's clock.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

LOOK_S: Final = 0.1
"""Between two looks whether all logins have an end."""
STOP_MARGIN_S: Final = 15
"""Seconds beside `shutdown_grace` that a stop may take: to close what is open."""


class Drains(Protocol):
    """What is asked of a server section; see `duoproxy.sections.contracts.ServerSection`."""

    def drain(self) -> None:
        """Begin no new login."""

    @property
    def pending(self) -> int:
        """How many logins have no end yet."""


class Draining:
    """Waits for the pending logins of some sections, once."""

    def __init__(
        self, reactor: IReactorTime, servers: Sequence[Drains], grace_s: float, say: Callable[[str], None], log: Logger
    ) -> None:
        """Prepare.

        Args:
            reactor: `IReactorTime`.
            servers: the sections that have started.
            grace_s: how long to wait at most.
            say: is told in a line how many are waited for, whenever that changes.
            log: where begin and end are written.
        """
        self._reactor = reactor
        self._servers = tuple(servers)
        self._grace_s = grace_s
        self._say = say
        self._log = log
        self._until = 0.0
        self._said = -1
        self._done: Deferred[None] = Deferred()

    @property
    def pending(self) -> int:
        """How many logins have no end yet."""
        return sum(server.pending for server in self._servers)

    def hurry(self) -> None:
        """Wait no longer."""
        self._until = self._reactor.seconds()

    async def run(self) -> None:
        """Drain the sections, and come back when no login is pending or the time is over."""
        for server in self._servers:
            try:
                server.drain()
            except Exception:  # noqa: BLE001 - one section that cannot must not keep the others from it
                self._log.failure("A section could not be drained; its logins end with the stop.")
        pending = self.pending
        if not pending:
            return
        self._log.info(
            "The stop waits for {pending}, at most {grace:g} s; new ones go unanswered.",
            pending=logins(pending),
            grace=self._grace_s,
        )
        self._until = self._reactor.seconds() + self._grace_s
        self._look()
        await self._done
        if self.pending:
            text = "{pending} without an end in time: rejected now (shutdown_grace={grace:g} in [main])."
            self._log.warn(text, pending=logins(self.pending), grace=self._grace_s)

    def _look(self) -> None:
        pending = self.pending
        if not pending or self._reactor.seconds() >= self._until:
            self._done.callback(None)
            return
        if pending != self._said:
            self._said = pending
            self._say(f"Stopping: waiting for {logins(pending)}")
        self._reactor.callLater(LOOK_S, self._look)


def logins(number: int) -> str:
    """Say a number of logins in words."""
    return "1 login" if number == 1 else f"{number} logins"
