"""Who may open one more connection: a bound for all, and a fair part of it for each address.

One address may have at most half of what the others leave free, so that whoever opens many leaves room for the next.
"""

from __future__ import annotations

from collections import Counter


class FairShare:
    """Counts connections by address.

    Attributes:
        limit: how many there may be in all.
    """

    def __init__(self, limit: int) -> None:
        """Allow `limit` connections."""
        self.limit = limit
        self._of: Counter[str] = Counter()
        self._count = 0

    @property
    def count(self) -> int:
        """How many there are."""
        return self._count

    def admit(self, address: str) -> bool:
        """Count one more connection of `address`, unless that would be more than its share."""
        own = self._of[address]
        free = self.limit - self._count
        # Of what the others leave (own + free) at most half, but always one while there is room.
        if free <= 0 or (own > 0 and own + 1 > (own + free + 1) // 2):
            return False
        self._of[address] += 1
        self._count += 1
        return True

    def leave(self, address: str) -> None:
        """Count one less; for each `admit` that said yes, once."""
        self._count -= 1
        self._of[address] -= 1
        if not self._of[address]:
            del self._of[address]
