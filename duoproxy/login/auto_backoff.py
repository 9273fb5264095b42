"""How often a station that answers by itself may bother its user.

A supplicant that stores the password tries again and again, and each try would be one more push. After a question that
was denied or not answered, the automatic choice (a typed `auto` too) asks nobody for a while, which doubles; a factor
that somebody typed is never held back. A convenience for users, no protection against whoever knows the password.
"""

from __future__ import annotations

from collections import OrderedDict

from attrs import frozen

from duoproxy.login.policy import fold_case
from duoproxy.login.request import LoginRequest

FIRST_WAIT_S = 60.0
LONGEST_WAIT_S = 15 * 60.0
MAX_STATIONS = 10_000


@frozen
class Station:
    """Who repeats itself.

    Attributes:
        device: the address of the device that asks.
        calling_station_id: what the device says of the station, empty when it says nothing.
        username: the name that Duo is asked about, its case folded.
    """

    device: str
    calling_station_id: str
    username: str


@frozen
class _Wait:
    """So long a station waits: until `until_s` (seconds, monotonic), `length_s` seconds from the refusal on."""

    until_s: float
    length_s: float


class AutoBackoff:
    """Remembers refused questions, at most `MAX_STATIONS` of them; the oldest is forgotten first."""

    def __init__(self) -> None:
        self._waits: OrderedDict[Station, _Wait] = OrderedDict()

    def __len__(self) -> int:
        """How many stations are remembered."""
        return len(self._waits)

    def wait_s(self, station: Station, now: float) -> float:
        """Give the seconds for which the automatic choice of a station asks nobody; 0: it may ask."""
        wait = self._waits.get(station)
        return max(0.0, wait.until_s - now) if wait is not None else 0.0

    def refused(self, station: Station, now: float) -> None:
        """Note that a question was denied or not answered; `LONGEST_WAIT_S` after the last wait it is the first."""
        last = self._waits.pop(station, None)
        recent = last is not None and now - last.until_s < LONGEST_WAIT_S
        length_s = min(2 * last.length_s, LONGEST_WAIT_S) if last is not None and recent else FIRST_WAIT_S
        self._waits[station] = _Wait(now + length_s, length_s)
        if len(self._waits) > MAX_STATIONS:
            self._waits.popitem(last=False)

    def approved(self, station: Station) -> None:
        """Forget the refusals of a station, for somebody is there."""
        self._waits.pop(station, None)


@frozen
class StationBackoff:
    """What is remembered of one station.

    Attributes:
        memory: the section's.
        station: whose.
    """

    memory: AutoBackoff
    station: Station

    @classmethod
    def of(cls, memory: AutoBackoff, request: LoginRequest, calling_station_id: str) -> StationBackoff:
        """Find the station of a login; `calling_station_id`: what the device says of it, empty when that is nothing."""
        return cls(memory, Station(request.device, calling_station_id, fold_case(request.duo_username)))

    def wait_s(self, now: float) -> float:
        """Give the seconds for which the automatic choice asks nobody; 0: it may ask."""
        return self.memory.wait_s(self.station, now)

    def note(self, now: float, *, approved: bool) -> None:
        """Note what became of a question (`now`: seconds, monotonic)."""
        if approved:
            self.memory.approved(self.station)
        else:
            self.memory.refused(self.station, now)
