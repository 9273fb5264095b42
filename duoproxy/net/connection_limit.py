"""The bound on connections that wait for an answer, shared by every section of a process.

The descriptors of a process are shared, so their bound is: a section that could open more than are left would make the
others (and itself) fail to connect, which looks like an outage and is none.
"""

from __future__ import annotations

from typing import Protocol

DEFAULT_LIMIT = 10_000


class UsesConnections(Protocol):
    """Whoever opens connections under a common bound."""

    @property
    def in_use_count(self) -> int:
        """How many are being opened, or wait for an answer."""


class ConnectionLimit:
    """At most so many connections in use at once, whoever opened them.

    Attributes:
        limit: how many.
    """

    def __init__(self, limit: int = DEFAULT_LIMIT) -> None:
        """Allow `limit` connections."""
        self.limit = limit
        self._users: list[UsesConnections] = []

    @property
    def is_reached(self) -> bool:
        """Whether no further one may be opened."""
        return sum(user.in_use_count for user in self._users) >= self.limit

    def join(self, user: UsesConnections) -> None:
        """Count the connections of `user` from now on."""
        self._users.append(user)

    def leave(self, user: UsesConnections) -> None:
        """Count them no more; one that never joined is left alone."""
        self._users = [each for each in self._users if each is not user]
