"""What goes wrong at the stand-in Duo service on demand: outages, rate limits, a wrong clock, refused generations."""

from __future__ import annotations

import enum
from collections.abc import Iterable

from attrs import define, frozen

MAX_FAULTS = 16
MAX_FAULT_S = 600.0


class FaultKind(enum.Enum):
    """The ways to fail."""

    REFUSE = "refuse"  # nobody listens for `seconds`: connections are refused
    CLOSE = "close"  # the connection is cut when the request has arrived
    STATUS = "status"  # an HTTP status with an error body
    HANG = "hang"  # no answer, until the caller gives up
    SLOW = "slow"  # the right answer, `seconds` later
    STALL = "stall"  # headers and half a body, then nothing
    GARBAGE = "garbage"  # status 200, and a body that is no JSON
    HUGE = "huge"  # status 200, and a body larger than anything the API sends
    REDIRECT = "redirect"  # to another host


@frozen
class Fault:
    """One fault.

    Attributes:
        kind: how to fail.
        calls: names of the calls that fail (`preauth`, `auth` …); empty for all.
        count: how many requests fail; None for all until it is taken away.
        seconds: for SLOW and REFUSE.
        status: for STATUS.
        code: for STATUS: the service's own code; 0 makes it from the status.
        generation: `v1` or `v2`; empty for both.
    """

    kind: FaultKind
    calls: frozenset[str] = frozenset()
    count: int | None = None
    seconds: float = 0.0
    status: int = 503
    code: int = 0
    generation: str = ""

    def hits(self, call: str, generation: str) -> bool:
        """Whether it concerns this call."""
        return (not self.calls or call in self.calls) and self.generation in ("", generation)

    def error_code(self) -> int:
        """The code in the error body."""
        return self.code or self.status * 100 + 1


@define
class _Active:
    """A fault with what is left of its count."""

    fault: Fault
    left: int | None


class Faults:
    """The faults that are on, and the service's wrong clock.

    Attributes:
        clock_offset_s: how far the service's clock is ahead.
        refused: generation (`v1`, `v2`) → HTTP status (403: wrong application type, 404: not there).
    """

    def __init__(self) -> None:
        self._active: list[_Active] = []
        self.clock_offset_s = 0.0
        self.refused: dict[str, int] = {}

    def set(self, faults: Iterable[Fault]) -> None:
        """Replace the faults; no more than `MAX_FAULTS` are kept."""
        self._active = [_Active(fault, fault.count) for fault in list(faults)[:MAX_FAULTS]]

    def current(self) -> tuple[tuple[Fault, int | None], ...]:
        """The faults that are on, each with how many requests it still hits."""
        return tuple((one.fault, one.left) for one in self._active)

    def take(self, call: str, generation: str) -> Fault | None:
        """The fault that hits this request, the first that fits; its count goes down by one."""
        for active in self._active:
            if active.fault.hits(call, generation):
                if active.left is not None:
                    active.left -= 1
                self._active = [one for one in self._active if one.left is None or one.left > 0]
                return active.fault
        return None

    def reset(self) -> None:
        """End all that is wrong."""
        self._active = []
        self.clock_offset_s = 0.0
        self.refused = {}


def fault_from_json(document: object) -> Fault:
    """Read a fault as the controls take it.

    Raises:
        ValueError: it cannot be read; the text says why.
    """
    if not isinstance(document, dict):
        raise ValueError('a fault is an object such as {"kind": "status", "status": 503}')
    try:
        kind = FaultKind(document.get("kind"))
    except ValueError:
        raise ValueError(f"kind is one of: {', '.join(kind.value for kind in FaultKind)}") from None
    calls, count = document.get("calls", []), document.get("count")
    if not isinstance(calls, list) or not all(isinstance(call, str) for call in calls):
        raise ValueError('calls is a list of names such as ["preauth"]')
    if count is not None and not (isinstance(count, int) and count >= 1):
        raise ValueError("count is a whole number from 1")
    return Fault(
        kind,
        frozenset(calls),
        count,
        _number(document.get("seconds", 0.0), "seconds", 0, MAX_FAULT_S),
        int(_number(document.get("status", 503), "status", 100, 599)),
        int(_number(document.get("code", 0), "code", 0, 99_999)),
        str(document.get("generation", "")),
    )


def _number(value: object, name: str, least: float, most: float) -> float:
    """Check a number of a JSON document."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
        raise ValueError(f"{name} is a number from {least} to {most}")
    return value
