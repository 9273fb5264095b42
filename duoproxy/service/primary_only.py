"""Until when logins are primary-only: kept in a file that survives a restart, and ended by two clocks.

The time of day says when it ends; the monotonic clock says that it does so no later than was asked for, whatever is
done to the other. The file notes every minute how late it is, so that a clock that was set back while the service did
not run ends it. Whatever is wrong with the file, it counts as off.
"""

from __future__ import annotations

import json
import os
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from attrs import evolve, frozen
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from duoproxy.errors import DuoproxyError

DEFAULT_MINUTES: Final = 60
MIN_MINUTES: Final = 1
MAX_MINUTES: Final = 240
NOTE_S: Final = 60.0
"""Between two notes of the time in the file."""
MAX_FILE_BYTES: Final = 4_096
CLOCK_TOLERANCE_S: Final = 2.0
"""So far the time of day may go back without ending it: clocks are steered."""
_VERSION: Final = 1
_END_OF_TIME: Final = 1e12
_WRITABLE_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH


class PrimaryOnlyFault(DuoproxyError):
    """The file cannot be written, or not be believed: one sentence."""


@frozen
class Window:
    """One time of being primary-only.

    Attributes:
        started_at: seconds since 1970.
        until: seconds since 1970.
        seen_at: how late it was when the file was written last, seconds since 1970.
        by_uid: who asked for it.
    """

    started_at: float
    until: float
    seen_at: float
    by_uid: int

    @property
    def is_possible(self) -> bool:
        """Whether somebody could have asked for it."""
        return self.seen_at <= self.until <= self.seen_at + MAX_MINUTES * 60 + CLOCK_TOLERANCE_S


class PrimaryOnly:
    """The switch: started and stopped by the control channel, asked by every login."""

    def __init__(self, reactor: IReactorTime, wall_clock: Callable[[], float], file: Path) -> None:
        """Be off; `load` looks at the file.

        Args:
            reactor: `IReactorTime`, monotonic.
            wall_clock: seconds since 1970.
            file: where it is kept.
        """
        self._reactor = reactor
        self._wall_clock = wall_clock
        self._file = file
        self._window: Window | None = None
        self._deadline = 0.0
        self._tick: Any = None
        self._log = Logger(namespace="duoproxy.primary_only")

    def remaining_s(self) -> float:
        """Give for how many more seconds a password is enough; 0: it is not. This is asked by every login."""
        window = self._window
        if window is None:
            return 0.0
        left_s: float = min(window.until - self._wall_clock(), self._deadline - self._reactor.seconds())
        return max(0.0, left_s)

    def load(self) -> None:
        """Go on with what the file says, if it says anything that can be believed."""
        try:
            window = read_window(self._file)
        except PrimaryOnlyFault as fault:
            self._log.error("Logins need both factors: {fault}", fault=fault)
            return
        if window is None:
            return
        now = self._wall_clock()
        if now < window.seen_at - CLOCK_TOLERANCE_S:
            self._log.error(
                "Logins need both factors: {file} is from the future, so the clock of this machine was set back.",
                file=self._file,
            )
            self._forget()
        elif now >= window.until:
            self._forget()
        else:
            self._begin(window, window.until - now)
            self._log.warn(
                "Logins are primary-only for {minutes:.0f} more minutes, as user id {uid} asked before this start: a "
                "password is enough, and Duo is not asked. authproxy_primary_only stop ends it.",
                minutes=self.remaining_s() / 60,
                uid=window.by_uid,
            )

    def start(self, minutes: int, uid: int) -> None:
        """Let a password be enough for `minutes` from now on.

        Raises:
            PrimaryOnlyFault: it cannot be kept in the file; then nothing changes.
        """
        if not MIN_MINUTES <= minutes <= MAX_MINUTES:
            raise PrimaryOnlyFault(f"The minutes are a number from {MIN_MINUTES} to {MAX_MINUTES}.")
        now = self._wall_clock()
        window = Window(now, now + minutes * 60, now, uid)
        write_window(self._file, window)
        self._begin(window, minutes * 60.0)
        self._log.warn(
            "Logins are primary-only for {minutes} minutes, as user id {uid} asks: a password is enough, and Duo is "
            "not asked. Each such login is logged with cause=primary-only.",
            minutes=minutes,
            uid=uid,
        )

    def stop(self, uid: int) -> bool:
        """End it; tells whether there was anything to end."""
        lasted = self.remaining_s() > 0
        self._forget()
        if lasted:
            self._log.warn("Logins need both factors again, as user id {uid} asks.", uid=uid)
        return lasted

    def close(self) -> None:
        """Note the time no more; the file stays, for the next start."""
        self._note()
        if self._tick is not None and self._tick.active():
            self._tick.cancel()

    def status(self) -> dict[str, object]:
        """Say whether it is on, for `authproxyctl status`."""
        remaining_s, window = self.remaining_s(), self._window
        if window is None or not remaining_s:
            return {"active": False, "remaining_s": 0}
        return {
            "active": True,
            "remaining_s": round(remaining_s),
            "started_at": window.started_at,
            "until": window.until,
            "by_uid": window.by_uid,
        }

    def _begin(self, window: Window, length_s: float) -> None:
        self._window = window
        self._deadline = self._reactor.seconds() + min(length_s, MAX_MINUTES * 60)
        self._schedule()

    def _schedule(self) -> None:
        if self._tick is not None and self._tick.active():
            self._tick.cancel()
        self._tick = self._reactor.callLater(min(NOTE_S, self.remaining_s()), self._look)

    def _look(self) -> None:
        if self.remaining_s() <= 0:
            self._forget()
            self._log.warn("Logins need both factors again: the time for primary-only is over.")
            return
        self._note()
        self._schedule()

    def _note(self) -> None:
        """Write down how late it is; a full disk must not end anything."""
        remaining_s, now = self.remaining_s(), self._wall_clock()
        if self._window is None or not remaining_s:
            return
        # A clock that was set back moves the end back with it.
        self._window = evolve(self._window, seen_at=now, until=now + remaining_s)
        try:
            write_window(self._file, self._window)
        except PrimaryOnlyFault as fault:
            self._log.warn("{fault}", fault=fault)

    def _forget(self) -> None:
        self._window = None
        if self._tick is not None and self._tick.active():
            self._tick.cancel()
        try:
            self._file.unlink(missing_ok=True)
        except OSError as fault:
            self._log.error(
                "{file} cannot be removed ({reason}): remove it, or a restart may go on with it.",
                file=self._file,
                reason=fault.strerror,
            )


def read_window(file: Path) -> Window | None:
    """Read the file; None when there is none.

    Raises:
        PrimaryOnlyFault: it is there, and cannot be believed.
    """
    try:
        folder = file.parent.stat()
        opened = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as fault:
        raise PrimaryOnlyFault(f"{file} cannot be read ({fault.strerror}): remove it.") from fault
    try:
        found = os.fstat(opened)
        if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1:
            raise PrimaryOnlyFault(f"{file} is no file of ours: remove it.")
        # Who may write to the folder could put back a file of ours that was over.
        if not (_is_ours_alone(found) and _is_ours_alone(folder)):
            raise PrimaryOnlyFault(
                f"{file} or its folder can be written by others than root and the service's user: remove the file."
            )
        return _decoded(os.read(opened, MAX_FILE_BYTES), file)
    finally:
        os.close(opened)


def _is_ours_alone(found: os.stat_result) -> bool:
    return found.st_uid in (0, os.geteuid()) and not found.st_mode & _WRITABLE_BY_OTHERS


def write_window(file: Path, window: Window) -> None:
    """Write the file, whole or not at all, for its owner only.

    Raises:
        PrimaryOnlyFault: it cannot be written.
    """
    text = json.dumps(
        {
            "version": _VERSION,
            "started_at": window.started_at,
            "until": window.until,
            "seen_at": window.seen_at,
            "by_uid": window.by_uid,
        }
    )
    try:
        descriptor, name = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.parent)
    except OSError as fault:
        raise PrimaryOnlyFault(
            f"{file} cannot be written ({fault.strerror}): look at the folder {file.parent}."
        ) from fault
    try:
        with os.fdopen(descriptor, "wb") as opened:
            opened.write(text.encode("ascii") + b"\n")
            opened.flush()
            os.fsync(opened.fileno())
        os.replace(name, file)
    except OSError as fault:
        Path(name).unlink(missing_ok=True)
        raise PrimaryOnlyFault(f"{file} cannot be written ({fault.strerror}): look at the disk.") from fault


def _decoded(octets: bytes, file: Path) -> Window:
    spoilt = PrimaryOnlyFault(f"{file} is spoilt: remove it, and start again what it was for.")
    try:
        read = json.loads(octets)
    except (ValueError, RecursionError):
        raise spoilt from None
    if not isinstance(read, dict) or read.get("version") != _VERSION:
        raise spoilt
    times: list[Any] = [read.get(name) for name in ("started_at", "until", "seen_at")]
    uid = read.get("by_uid")
    if any(type(time) not in (int, float) or not 0 <= time < _END_OF_TIME for time in times) or type(uid) is not int:
        raise spoilt
    started_at, until, seen_at = (float(time) for time in times)
    window = Window(started_at, until, seen_at, uid)
    if not window.is_possible:
        raise spoilt
    return window
