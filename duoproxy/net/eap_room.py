"""Who holds the room of an EAP listener, and who has to go when it is full.

The oldest goes, of the device that has the most. Two kinds are spared. One whose step is in progress, for a telephone
may be ringing: it is never given up for anybody. And one in which a password was proved; but one valid password must
not buy the whole room, so of each user only the newest few are spared, and of all users together three quarters of the
room at most: newcomers always find the rest. Who is spared no more goes first. A device that keeps half of that rest
busy has its own newcomers refused instead.

The station (Calling-Station-Id) has no share of its own: its name is whatever somebody lets a device say.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from typing import Final, Generic, Protocol, TypeVar

MAX_SPARED_OF_USER: Final = 4
"""Conversations of one user; with one more the oldest is spared no more."""
SPARED_SHARE: Final = 0.75
"""Of the room; with one more the oldest of all is spared no more."""


class Occupant(Protocol):
    """Whoever takes one place.

    Attributes:
        device: the address of its device.
        busy: its step is in progress.
    """

    device: str
    busy: bool


OccupantT = TypeVar("OccupantT", bound=Occupant)
_Rows = dict[str, "OrderedDict[OccupantT, None]"]


class EapRoom(Generic[OccupantT]):
    """The places of one listener."""

    def __init__(self, places: int) -> None:
        """Begin empty; `places` is how many there are."""
        self._places = places
        self._max_spared = int(SPARED_SHARE * places)
        self._share: dict[str, int] = {}
        self._not_spared: _Rows[OccupantT] = {}
        self._spared: OrderedDict[OccupantT, str] = OrderedDict()
        self._spared_of: _Rows[OccupantT] = {}
        self._size = 0

    def __len__(self) -> int:
        """How many places are taken."""
        return self._size

    def __iter__(self) -> Iterator[OccupantT]:
        """Go through all; nobody may come or leave meanwhile."""
        for row in self._not_spared.values():
            yield from row
        yield from self._spared

    @property
    def full(self) -> bool:
        """Whether somebody has to go before anybody comes."""
        return self._size >= self._places

    def enter(self, occupant: OccupantT) -> None:
        """Give it a place; it is not spared."""
        self._share[occupant.device] = self._share.get(occupant.device, 0) + 1
        _put_in(self._not_spared, occupant.device, occupant)
        self._size += 1

    def leave(self, occupant: OccupantT) -> None:
        """Take its place back."""
        left = self._share[occupant.device] - 1
        if left:
            self._share[occupant.device] = left
        else:
            del self._share[occupant.device]
        _take_out(self._not_spared, occupant.device, occupant)
        self._spare_no_more(occupant)
        self._size -= 1

    def spare(self, occupant: OccupantT, user: str) -> None:
        """Note that a password was proved.

        Args:
            occupant: has a place.
            user: whose password it was, always spelled in one way.
        """
        self._spare_no_more(occupant)
        _take_out(self._not_spared, occupant.device, occupant)
        self._spared[occupant] = user
        _put_in(self._spared_of, user, occupant)
        if len(self._spared_of[user]) > MAX_SPARED_OF_USER:
            self._goes_first(next(iter(self._spared_of[user])))
        if len(self._spared) > self._max_spared:
            self._goes_first(next(iter(self._spared)))

    def next_to_go(self, newcomer: str) -> OccupantT | None:
        """Find who has to go for somebody of the device `newcomer`; None: nobody.

        A step is in progress in all, or in all that are not spared, and the device has more than half of the places
        that are never spared: steps in progress cost nothing where wrong passwords are checked, and must not buy the
        places of those who typed the right one.
        """

        def share(device: str) -> int:
            return self._share[device] + (device == newcomer)

        for device in sorted(self._not_spared, key=share, reverse=True):
            for occupant in self._not_spared[device]:
                if not occupant.busy:
                    return occupant
        if 2 * len(self._not_spared.get(newcomer, ())) > self._places - self._max_spared:
            return None
        return next((occupant for occupant in self._spared if not occupant.busy), None)

    def _goes_first(self, occupant: OccupantT) -> None:
        self._spare_no_more(occupant)
        _put_in(self._not_spared, occupant.device, occupant)
        self._not_spared[occupant.device].move_to_end(occupant, last=False)

    def _spare_no_more(self, occupant: OccupantT) -> None:
        user = self._spared.pop(occupant, None)
        if user is not None:
            _take_out(self._spared_of, user, occupant)


def _put_in(rows: _Rows[OccupantT], key: str, occupant: OccupantT) -> None:
    rows.setdefault(key, OrderedDict())[occupant] = None


def _take_out(rows: _Rows[OccupantT], key: str, occupant: OccupantT) -> None:
    """Take somebody out of a row, and the row away with the last one in it."""
    row = rows.get(key)
    if row is not None:
        row.pop(occupant, None)
        if not row:
            del rows[key]
