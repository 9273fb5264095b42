"""What systemd is told about this process: ready, alive, what it does, about to stop.

One datagram for each fact, to the socket that `NOTIFY_SOCKET` names; without that variable nothing is sent. Sending
never raises and never waits: a start or a login must not depend on who listens.

Source: sd_notify(3), sd_watchdog_enabled(3).
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Callable, Mapping
from typing import Final

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall

MAX_STATUS_CHARACTERS: Final = 200
"""Of a line that `systemctl status` shows."""
_ABSTRACT: Final = "@"
_MICROSECONDS: Final = 1_000_000

Send = Callable[[str], None]


def send_nowhere(message: str) -> None:
    """Nobody asked to be told."""


def notify_sender(environment: Mapping[str, str]) -> Send:
    """Make the function that sends a message to the socket that `NOTIFY_SOCKET` names.

    Args:
        environment: as `os.environ`; a path, or `@` and a name in the abstract namespace.
    """
    written = environment.get("NOTIFY_SOCKET", "")
    if not written.startswith(("/", _ABSTRACT)):
        return send_nowhere
    address = "\0" + written[1:] if written.startswith(_ABSTRACT) else written

    def send(message: str) -> None:
        with (
            contextlib.suppress(OSError),
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as one,
        ):
            one.setblocking(False)
            one.sendto(message.encode("utf-8", "replace"), address)

    return send


def watchdog_interval_s(environment: Mapping[str, str]) -> float:
    """Say how often systemd wants to hear that this process is alive: half of the time it waits; 0: not at all."""
    whose = environment.get("WATCHDOG_PID", "")
    if whose and whose != str(os.getpid()):
        return 0.0
    written = environment.get("WATCHDOG_USEC", "")
    return int(written) / _MICROSECONDS / 2 if written.isdecimal() else 0.0


class Notifier:
    """Tells whoever supervises this process how it is.

    The watchdog is fed by the reactor's own clock: a reactor that hangs feeds it no more, and systemd starts anew.
    """

    def __init__(self, reactor: IReactorTime, send: Send = send_nowhere, watchdog_s: float = 0.0) -> None:
        """Prepare.

        Args:
            reactor: `IReactorTime`.
            send: takes one message.
            watchdog_s: seconds between two signs of life; 0: none.
        """
        self._send = send
        self._watchdog_s = watchdog_s
        self._feeding: LoopingCall = LoopingCall(self._send, "WATCHDOG=1")
        self._feeding.clock = reactor

    def status(self, text: str) -> None:
        """Say in a line what is being done."""
        self._send(f"STATUS={_one_line(text)}")

    def ready(self, text: str) -> None:
        """Say that every section has started, and begin to give signs of life."""
        self._send(f"READY=1\nSTATUS={_one_line(text)}")
        if self._watchdog_s and not self._feeding.running:
            self._feeding.start(self._watchdog_s, now=True)

    def stopping(self, text: str, at_most_s: float) -> None:
        """Say that the stop has begun and how long it may take, whatever the unit's TimeoutStopSec is."""
        self._send(f"STOPPING=1\nSTATUS={_one_line(text)}\nEXTEND_TIMEOUT_USEC={int(at_most_s * _MICROSECONDS)}")

    def stop(self) -> None:
        """Give no more signs of life."""
        if self._feeding.running:
            self._feeding.stop()


def notifier_for_process(reactor: IReactorTime, environment: Mapping[str, str]) -> Notifier:
    """Make what `NOTIFY_SOCKET` and `WATCHDOG_USEC` ask for."""
    return Notifier(reactor, notify_sender(environment), watchdog_interval_s(environment))


def _one_line(text: str) -> str:
    """A line that no value in it can break, so that it says one thing only."""
    shown = "".join(letter if letter.isprintable() else " " for letter in text)
    return shown if len(shown) <= MAX_STATUS_CHARACTERS else shown[: MAX_STATUS_CHARACTERS - 2] + " …"
