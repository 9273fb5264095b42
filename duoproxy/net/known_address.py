"""The address at which a host was last, and what is thought of it.

Who answers there is proven by TLS, on each connection, so an address that is out of date costs time and nothing else.
So it is kept, however old, while names cannot be looked up, are not answered, or lead to somebody else: whoever can
silence or poison the DNS must not make an outage of the service.

Pure: time is an argument, in seconds of a monotonic clock.
"""

from __future__ import annotations

from typing import Final

REMEMBERED_S: Final = 60.0
"""How long an address is used before its host is looked up again."""
LOOK_UP_S: Final = 5.0
"""How long others use the old address while one connection looks up the new one."""


class KnownAddress:
    """Where a host was last.

    Attributes:
        address: the one that further connections go to; None: there is none yet, or none any more.
    """

    def __init__(self, *, awaits_proof: bool = False) -> None:
        """Know nothing yet.

        Args:
            awaits_proof: an address is kept when it is `proven`, and not as soon as somebody answers there.
        """
        self.address: str | None = None
        self._awaits_proof = awaits_proof
        self._good_until = 0.0
        self._serves = False

    def is_good(self, now: float) -> bool:
        """Whether the next connection goes there without a look-up."""
        return self.address is not None and now < self._good_until

    def has_better(self, address: str) -> bool:
        """Whether another address is worth more than a long wait at this one: the host was there just now."""
        return self._serves and not self._is_best(address)

    def look_up_begins(self, now: float) -> None:
        """Let one connection look the host up, and others use the old address meanwhile."""
        self._good_until = now + LOOK_UP_S

    def look_up_hung(self, now: float) -> None:
        """Make no other look-up for long: this one may still have its thread."""
        self._good_until = now + REMEMBERED_S

    def answered(self, address: str, now: float) -> None:
        """Note that somebody accepts connections at an address where a look-up led."""
        if not self._awaits_proof or address == self.address:
            self._keep(address, now)

    def gives_no_answer(self) -> None:
        """Note that nobody accepts connections at the known address."""
        self._serves = False

    def proven(self, address: str, now: float) -> None:
        """Note that the host has proven its name at an address: connections go there from now on."""
        if address != self.address:
            self._keep(address, now)
        self._serves = True

    def not_proven(self, address: str, now: float, *, by_somebody_else: bool) -> None:
        """Note that nobody proved the host's name at an address; where names lead astray, the known one serves.

        Args:
            address: where; empty when that is not known.
            now: the time.
            by_somebody_else: another host answers there.
        """
        if not self._is_best(address):
            self._good_until = now + REMEMBERED_S
            return
        self._serves = False
        if by_somebody_else:
            self.address = None
        else:
            self.doubt()

    def doubt(self) -> None:
        """Look the host up for the next connection: it was not found where it was before."""
        self._good_until = 0.0

    def doubt_soon(self, now: float) -> None:
        """Look the host up in a moment, by one connection: it is not known whether it was found where it was before."""
        self._good_until = min(self._good_until, now + LOOK_UP_S)

    def _is_best(self, address: str) -> bool:
        return self.address is None or not address or address == self.address

    def _keep(self, address: str, now: float) -> None:
        self.address = address
        self._serves = True
        self._good_until = now + REMEMBERED_S
