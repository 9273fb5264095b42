"""`/sandbox/…`: what tests and demonstrations turn and read: faults, the clock, users, events, counters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from attrs import asdict

from duoproxy.sandbox.accounts import parse_behaviour
from duoproxy.sandbox.duo_service import TooManyPending
from duoproxy.sandbox.faults import Fault, FaultKind, Faults, fault_from_json
from duoproxy.sandbox.loopback_web import JsonCall, text_field

if TYPE_CHECKING:
    from duoproxy.sandbox.duo_runner import DuoRunner

MAX_EVENTS_IN_ANSWER = 5_000
MAX_CLOCK_OFFSET_S = 10.0**9
REFUSALS = (403, 404)


class Controls:
    """The calls below `/sandbox/`.

    Args:
        runner: the service and its clock.
        faults: what goes wrong.
        refuse: stops listening for so many seconds.
    """

    def __init__(self, runner: DuoRunner, faults: Faults, refuse: Callable[[float], None]) -> None:
        self._runner = runner
        self._faults = faults
        self._refuse = refuse

    def calls(self) -> dict[str, JsonCall]:
        """Path → call."""
        return {
            "state": JsonCall("GET", self.state),
            "events": JsonCall("GET", self.events),
            "faults": JsonCall("POST", self.set_faults),
            "clock": JsonCall("POST", self.set_clock),
            "generations": JsonCall("POST", self.set_generations),
            "users": JsonCall("POST", self.define_user),
            "reset": JsonCall("POST", self.reset),
        }

    def state(self, document: object, query: Mapping[str, str]) -> object:
        """What is turned on, and how often each user was asked by each factor."""
        return {
            "faults": [{"kind": fault.kind.value, "left": left} for fault, left in self._faults.current()],
            "clock_offset_s": self._faults.clock_offset_s,
            "refused": self._faults.refused,
            "pending": len(self._runner.service.pending()),
            "asked": self._runner.service.journal.counters(),
        }

    def events(self, document: object, query: Mapping[str, str]) -> object:
        """The events after number `since`, at most `MAX_EVENTS_IN_ANSWER`, the oldest first."""
        since = query.get("since", "0")
        if not since.isdecimal():
            raise ValueError("since is the number of an event")
        events = self._runner.service.journal.since(int(since[:18]))
        return {"events": [asdict(event) for event in events[:MAX_EVENTS_IN_ANSWER]]}

    def set_faults(self, document: object, query: Mapping[str, str]) -> object:
        """Replace the faults by `{"faults": [{"kind": …}, …]}`; an empty list ends all."""
        listed = document.get("faults") if isinstance(document, dict) else None
        if not isinstance(listed, list):
            raise ValueError("the list 'faults' is missing")
        faults: list[Fault] = [fault_from_json(one) for one in listed]
        self._faults.set(fault for fault in faults if fault.kind is not FaultKind.REFUSE)
        for fault in faults:
            if fault.kind is FaultKind.REFUSE:
                self._refuse(fault.seconds)
        return self.state(None, {})

    def set_clock(self, document: object, query: Mapping[str, str]) -> object:
        """Put the service's clock `{"offset_s": …}` ahead."""
        offset = document.get("offset_s") if isinstance(document, dict) else None
        if isinstance(offset, bool) or not isinstance(offset, int | float) or not abs(offset) <= MAX_CLOCK_OFFSET_S:
            raise ValueError("the number 'offset_s' is missing")
        self._faults.clock_offset_s = float(offset)
        return self.state(None, {})

    def set_generations(self, document: object, query: Mapping[str, str]) -> object:
        """Refuse generations: `{"refused": {"v2": 403}}` (403: wrong application type; 404: not there)."""
        refused = document.get("refused") if isinstance(document, dict) else None
        if not isinstance(refused, dict) or not all(
            name in ("v1", "v2") and status in REFUSALS for name, status in refused.items()
        ):
            raise ValueError("the object 'refused' is missing, such as {\"v2\": 403}")
        self._faults.refused = dict(refused)
        return self.state(None, {})

    def define_user(self, document: object, query: Mapping[str, str]) -> object:
        """Add or replace a user: `{"user": "alice approve-after 2"}`."""
        behaviour = parse_behaviour(text_field(document, "user"))
        try:
            self._runner.service.define_user(behaviour)
        except TooManyPending:
            raise ValueError("there are too many users") from None
        return {"user": behaviour.name, "behaviour": behaviour.describe()}

    def reset(self, document: object, query: Mapping[str, str]) -> object:
        """End all faults, and forget events and counters; users stay."""
        self._faults.reset()
        self._runner.service.journal.clear()
        return self.state(None, {})
