"""What a RADIUS listener remembers for whoever asks how it is doing: devices that give up early, and what was dropped.

Pure: time is an argument. Nothing is decided by it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Final

from attrs import frozen

MAX_EARLY_DEVICES: Final = 100
"""Devices that are remembered; whoever was early longest ago is forgotten first."""
EARLY_MEMORY_S: Final = 86_400.0
"""A device that was not early for so long has been put right, or is gone."""

DROPPED: Mapping[str, str] = {
    "stranger": "from unknown addresses",
    "malformed": "not a RADIUS packet",
    "code": "of another kind than Access-Request",
    "secret": "wrong shared secret",
    "status": "Status-Server without Message-Authenticator",
    "eap": "EAP without Message-Authenticator",
    "required": "without the Message-Authenticator that is required",
    "proxy-state": "Proxy-State without Message-Authenticator",
    "busy": "too busy",
}
"""The facts of the log that mean a dropped request, in words."""


@frozen
class EarlyDevice:
    """A device that had given up when its answer was sent.

    Attributes:
        device: its address.
        silent_s: seconds between its last try and the answer.
        interval_s: seconds between its tries; 0: it made one, as far as is known.
        at: when (seconds, monotonic).
    """

    device: str
    silent_s: float
    interval_s: float
    at: float


class EarlyDevices:
    """Remembers at most `MAX_EARLY_DEVICES` devices, each with its last early end."""

    def __init__(self) -> None:
        self._by_address: OrderedDict[str, EarlyDevice] = OrderedDict()

    def note(self, device: str, silent_s: float, interval_s: float, now: float) -> None:
        """Note that a device had given up (`now`: seconds, monotonic)."""
        self._by_address.pop(device, None)
        self._by_address[device] = EarlyDevice(device, silent_s, interval_s, now)
        if len(self._by_address) > MAX_EARLY_DEVICES:
            self._by_address.popitem(last=False)

    def recent(self, now: float) -> list[EarlyDevice]:
        """List those of the last `EARLY_MEMORY_S` seconds."""
        return [early for early in self._by_address.values() if now - early.at < EARLY_MEMORY_S]

    def told(self, now: float) -> list[dict[str, object]]:
        """List them in the words of `Section.status`."""
        return [
            {"device": one.device, "silent_s": round(one.silent_s, 1), "interval_s": round(one.interval_s, 1)}
            for one in self.recent(now)
        ]


def dropped(counts: Mapping[str, int]) -> dict[str, int]:
    """Say in words what was dropped, of everything that was counted."""
    return {words: counts[fact] for fact, words in DROPPED.items() if counts.get(fact)}
