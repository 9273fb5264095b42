"""What systemd is told: one datagram for each fact."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from twisted.internet.task import Clock

from duoproxy.service.notify import MAX_STATUS_CHARACTERS, Notifier, notify_sender, watchdog_interval_s


@pytest.fixture(params=["path", "abstract"])
def supervisor(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, socket.socket]]:
    """A socket as systemd has it: the value of NOTIFY_SOCKET, and what listens there."""
    written = f"@duoproxy-{os.getpid()}-{tmp_path.name}" if request.param == "abstract" else str(tmp_path / "notify")
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    listening.bind("\0" + written[1:] if written[0] == "@" else written)
    listening.settimeout(5)
    yield written, listening
    listening.close()


def test_a_message_reaches_the_socket_by_path_and_in_the_abstract_namespace(
    supervisor: tuple[str, socket.socket],
) -> None:
    """NOTIFY_SOCKET is a path, or @ and a name in the abstract namespace."""
    written, listening = supervisor
    notify_sender({"NOTIFY_SOCKET": written})("READY=1")
    assert listening.recv(100) == b"READY=1"


@pytest.mark.parametrize("environment", [{}, {"NOTIFY_SOCKET": ""}, {"NOTIFY_SOCKET": "relative"}])
def test_without_a_socket_nothing_is_sent(environment: dict[str, str]) -> None:
    """A start in a terminal tells nobody."""
    assert notify_sender(environment)("READY=1") is None


def test_a_supervisor_that_is_gone_stops_nothing(tmp_path: Path) -> None:
    """Sending never raises."""
    assert notify_sender({"NOTIFY_SOCKET": str(tmp_path / "gone")})("READY=1") is None


@pytest.mark.parametrize(
    ("environment", "interval_s"),
    [
        ({"WATCHDOG_USEC": "30000000"}, 15.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}, 15.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, 0.0),
        ({"WATCHDOG_USEC": "x"}, 0.0),
        ({}, 0.0),
    ],
)
def test_signs_of_life_come_twice_as_often_as_they_must(environment: dict[str, str], interval_s: float) -> None:
    """WATCHDOG=1 at half of WATCHDOG_USEC, when it is meant for this process."""
    assert watchdog_interval_s(environment) == interval_s


def test_the_watchdog_is_fed_by_the_clock_of_the_reactor_from_ready_to_the_end() -> None:
    """A reactor that hangs feeds it no more, so that systemd starts anew."""
    clock, sent = Clock(), list[str]()
    notifier = Notifier(clock, sent.append, 15.0)
    clock.advance(60)
    assert sent == []
    notifier.ready("Ready")
    clock.advance(15)
    clock.advance(15)
    notifier.stop()
    clock.advance(60)
    assert sent == ["READY=1\nSTATUS=Ready", *["WATCHDOG=1"] * 3]


def test_a_stop_says_how_long_it_may_take() -> None:
    """Whatever TimeoutStopSec of the unit is, pending logins have their time."""
    sent: list[str] = []
    Notifier(Clock(), sent.append).stopping("Stopping: 2 logins to wait for", 75)
    assert sent == ["STOPPING=1\nSTATUS=Stopping: 2 logins to wait for\nEXTEND_TIMEOUT_USEC=75000000"]


def test_no_value_can_say_something_of_its_own() -> None:
    """A status is one line and bounded, whatever is in it."""
    sent: list[str] = []
    Notifier(Clock(), sent.append).status("failed\nREADY=1" + "x" * 1000)
    [message] = sent
    assert "\n" not in message
    assert message.startswith("STATUS=failed READY=1x")
    assert len(message) == len("STATUS=") + MAX_STATUS_CHARACTERS
