"""Who may open one more connection: a bound for all, and a fair part of it for each address.

One address may have at most half of what the others leave free, so that whoever opens many leaves room for the next.
The addresses of one IPv6 network (/64) are counted together first, for a machine gives itself as many of them as it
likes; of what such a network may have, each address of it has its share. When there is no room at all, whoever has
fewer connections than another one can have a place of that one.
"""

from __future__ import annotations

import ipaddress
from collections import Counter
from typing import Final

_HOST_BITS: Final = 64
"""Of an IPv6 address. Source: RFC 4291 §2.5.1."""


class FairShare:
    """Counts connections by address.

    Attributes:
        limit: how many there may be in all.
    """

    def __init__(self, limit: int) -> None:
        """Allow `limit` connections."""
        self.limit = limit
        self._of: Counter[str | int] = Counter()
        self._count = 0

    @property
    def count(self) -> int:
        """How many there are."""
        return self._count

    def admit(self, address: str) -> bool:
        """Count one more connection of `address`, unless that would be more than its share."""
        free = self.limit - self._count
        for holder in _holders(address):
            own = self._of[holder]
            free = _share(own, free) - own
            if free <= 0:
                return False
        self._take(address)
        return True

    def hand_over(self, address: str) -> str | None:
        """Count one more of `address` in the place of another one, when there is room for none.

        Returns:
            the address that has most, and one less from now on: of its connections one has to go (no `leave` for it);
            None: nothing was counted, for there is room, or nobody has more than `address` would have.
        """
        most = max((holder for holder in self._of if isinstance(holder, str)), key=self._of.__getitem__, default=None)
        if most is None or self._count < self.limit or self._of[most] <= self._of[address] + 1:
            return None
        self.leave(most)
        self._take(address)
        return most

    def leave(self, address: str) -> None:
        """Count one less; for each `admit` that said yes, once."""
        self._count -= 1
        for holder in _holders(address):
            self._of[holder] -= 1
            if not self._of[holder]:
                del self._of[holder]

    def _take(self, address: str) -> None:
        for holder in _holders(address):
            self._of[holder] += 1
        self._count += 1


def _share(own: int, free: int) -> int:
    """Of what the others leave (`own` and `free`) at most half, but always one while there is room."""
    return (own + free + 1) // 2 if free > 0 else own


def _holders(address: str) -> tuple[str | int, ...]:
    """Who has a share: the network of an IPv6 address, as a number, and in it the address."""
    if ":" not in address:
        return (address,)
    return int(ipaddress.IPv6Address(address.partition("%")[0])) >> _HOST_BITS, address
