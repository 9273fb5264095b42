"""What happened to the logins of late, step by step, in memory: what `duoproxy-explain` shows.

It is fed with every log event that names a login (whatever its level), and with the steps that sections tell. Both are
free of secrets by their own rules; the journal keeps texts, and nothing that an event refers to.
"""

from __future__ import annotations

import re
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Any, Final

from attrs import define, field
from twisted.logger import ILogObserver, LogEvent, LogLevel
from zope.interface import implementer

from duoproxy.service.log_text import message_of

MAX_LOGINS: Final = 2_000
"""Logins that are remembered; the oldest is forgotten first."""
MAX_STEPS: Final = 60
"""Steps of one login; of a longer one the middle is left out."""
MAX_STEP_CHARACTERS: Final = 512
"""Of the text of one step."""
MAX_JOURNAL_CHARACTERS: Final = 8_000_000
"""Of all steps together."""

LOGIN_PREFIX: Final = re.compile(r"Login \S+?(?: from \S+)?: ")
"""How a line about a login begins; what stands behind it is the step."""

_END_FIELDS = ("result", "cause", "factor", "detail")
_DURATIONS = {"duration": "duration_s", "primary": "primary_s", "second": "second_factor_s"}
_KEPT = (*_END_FIELDS, *_DURATIONS)


@define(eq=False)
class LoginRecord:
    """One login, as far as it is known.

    Attributes:
        login_id: its short unique name.
        user: as the device sent it; empty when that is not known.
        device: the address of the device.
        section: the server section.
        steps: when (seconds since 1970), level of the log, what happened.
        left_out: how many steps are not there any more.
        end: `result`, `cause`, `factor`, `detail`, and `duration`, `primary`, `second` in seconds; empty while it goes
            on.
    """

    login_id: str
    user: str = ""
    device: str = ""
    section: str = ""
    steps: list[tuple[float, str, str]] = field(factory=list)
    left_out: int = 0
    end: dict[str, Any] = field(factory=dict)

    def add(self, at: float, level: str, text: str) -> int:
        """Add a step; gives by how many characters the record grew."""
        text = text if len(text) <= MAX_STEP_CHARACTERS else text[: MAX_STEP_CHARACTERS - 1] + "…"
        self.steps.append((at, level, text))
        if len(self.steps) <= MAX_STEPS:
            return len(text)
        self.left_out += 1
        return len(text) - len(self.steps.pop(MAX_STEPS // 2)[2])

    def end_text(self) -> str:
        """Say how it ended, as a step."""
        return f"The login ends: {self.end.get('result')}, {self.end.get('cause')}."

    def as_mapping(self) -> dict[str, object]:
        """Give what JSON can carry: the fields, the end flat among them, and each step with its time."""
        began_at = self.steps[0][0] if self.steps else 0.0
        return {
            "login_id": self.login_id,
            "user": self.user,
            "device": self.device,
            "section": self.section,
            "began_at": began_at,
            "ended": bool(self.end),
            **{name: str(self.end.get(name, "")).removeprefix(" | ") for name in _END_FIELDS},
            **{key: round(float(self.end.get(name, 0.0)), 3) for name, key in _DURATIONS.items() if self.end},
            "steps": [
                {"at": at, "after_s": round(at - began_at, 3), "level": level, "text": text}
                for at, level, text in self.steps
            ],
            "steps_left_out": self.left_out,
        }


@implementer(ILogObserver)
class Journal:
    """The logins of late: an observer of the log, and the taker of steps."""

    def __init__(self, wall_clock: Callable[[], float] = time.time) -> None:
        """Begin with none; `wall_clock` gives seconds since 1970."""
        self._wall_clock = wall_clock
        self._logins: OrderedDict[str, LoginRecord] = OrderedDict()
        self._characters = 0

    def __len__(self) -> int:
        """How many logins are remembered."""
        return len(self._logins)

    def step(self, login_id: str, text: str) -> None:
        """Note that something happened in a login."""
        self._add(self._record(login_id), self._wall_clock(), "debug", text)

    def __call__(self, event: LogEvent) -> None:
        """Take an event of the log, if it is about a login."""
        login_id = event.get("login_id")
        if type(login_id) is not str or not login_id:
            return
        record = self._record(login_id)
        if "cause" in event:
            _take_end(record, event)
            text = record.end_text()
        elif "user" in event and not record.user:
            record.user, record.device = str(event["user"]), str(event.get("device", ""))
            record.section = str(event.get("log_namespace", ""))
            text = _said(event)
        else:
            record.device = record.device or str(event.get("device", ""))
            record.section = record.section or str(event.get("log_namespace", ""))
            text = _said(event)
        level: LogLevel = event.get("log_level", LogLevel.info)
        self._add(record, event.get("log_time", 0.0), level.name, text)

    def find(self, login_id: str) -> LoginRecord | None:
        """Give a login by its id."""
        return self._logins.get(login_id)

    def latest(self, number: int, user: str = "") -> list[LoginRecord]:
        """Give the last logins, the newest first; with `user` those of that name, case aside."""
        wanted = user.strip().casefold()
        found: list[LoginRecord] = []
        for record in self._newest_first():
            if len(found) >= number:
                break
            if not wanted or record.user.strip().casefold() == wanted:
                found.append(record)
        return found

    def _newest_first(self) -> Iterator[LoginRecord]:
        return reversed(self._logins.values())

    def _record(self, login_id: str) -> LoginRecord:
        record = self._logins.get(login_id)
        if record is None:
            record = self._logins[login_id] = LoginRecord(login_id)
            if len(self._logins) > MAX_LOGINS:
                self._forget_oldest()
        return record

    def _add(self, record: LoginRecord, at: float, level: str, text: str) -> None:
        self._characters += record.add(at, level, text)
        while self._characters > MAX_JOURNAL_CHARACTERS and len(self._logins) > 1:
            self._forget_oldest()

    def _forget_oldest(self) -> None:
        _, oldest = self._logins.popitem(last=False)
        self._characters -= sum(len(text) for _, _, text in oldest.steps)


def _take_end(record: LoginRecord, event: LogEvent) -> None:
    record.user, record.device = str(event.get("user", record.user)), str(event.get("device", record.device))
    record.section = str(event.get("section", record.section))
    record.end = {name: event[name] for name in _KEPT if name in event}
    record.end["detail"] = str(event.get("detail", ""))[:MAX_STEP_CHARACTERS]


def _said(event: LogEvent) -> str:
    """The text of an event, without the login id that it begins with."""
    return LOGIN_PREFIX.sub("", message_of(event), count=1)
