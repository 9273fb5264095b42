"""What a listener remembers for whoever asks how it is doing."""

from __future__ import annotations

import re
from pathlib import Path

from duoproxy.net.radius_watch import DROPPED, EARLY_MEMORY_S, MAX_EARLY_DEVICES, EarlyDevice, EarlyDevices, dropped

NET = Path(__file__).parents[3] / "duoproxy" / "net"


def test_a_device_is_remembered_with_its_last_early_end() -> None:
    """Once, whatever happened before."""
    early = EarlyDevices()
    early.note("10.1.2.20", 9.0, 2.0, 100.0)
    early.note("10.1.2.20", 12.0, 3.0, 200.0)
    assert early.recent(200.0) == [EarlyDevice("10.1.2.20", 12.0, 3.0, 200.0)]


def test_who_was_put_right_is_not_named_for_ever() -> None:
    """After a day without it."""
    early = EarlyDevices()
    early.note("10.1.2.20", 9.0, 2.0, 100.0)
    assert len(early.recent(99.0 + EARLY_MEMORY_S)) == 1
    assert early.recent(100.0 + EARLY_MEMORY_S) == []


def test_only_so_many_devices_are_remembered() -> None:
    """Whoever was early longest ago goes first."""
    early = EarlyDevices()
    for number in range(MAX_EARLY_DEVICES + 3):
        early.note(f"10.0.{number}.1", 9.0, 2.0, float(number))
    devices = [one.device for one in early.recent(0.0)]
    assert len(devices) == MAX_EARLY_DEVICES
    assert devices[0] == "10.0.3.1"


def test_what_was_dropped_is_said_in_words() -> None:
    """Other facts of the log are no drops."""
    assert dropped({"secret": 3, "late": 5, "malformed": 1}) == {"not a RADIUS packet": 1, "wrong shared secret": 3}


def test_every_fact_that_has_words_is_one_of_the_log() -> None:
    """A fact that is called otherwise would be counted, and never told."""
    written = "".join(file.read_text("utf-8") for file in NET.glob("radius_*.py"))
    facts = set(re.findall(r"(?:warn|_drop)\(\s*\"([a-z-]+)\"", written))
    assert set(DROPPED) <= facts
