"""`systemctl` as it is called for our unit."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence

import pytest

from duoproxy.tools.systemd import UNIT, Systemd


class FakeSystemctl:
    """Answers with attributes; what it is asked for is kept."""

    def __init__(self, attributes: Mapping[str, str] | None = None, status: int = 0, error: str = "") -> None:
        self.attributes = attributes or {}
        self.status = status
        self.error = error
        self.asked: list[str] = []

    def __call__(self, command: Sequence[str]) -> subprocess.CompletedProcess[str]:
        program, verb, *rest = command
        assert program == "/bin/systemctl"
        self.asked.append(" ".join([verb, *rest]))
        if verb == "show":
            return subprocess.CompletedProcess(command, 0, self.attributes.get(rest[1], "") + "\n", "")
        return subprocess.CompletedProcess(command, self.status, "", self.error)


def systemd(systemctl: FakeSystemctl) -> Systemd:
    return Systemd("/bin/systemctl", systemctl)


@pytest.mark.parametrize(("state", "known"), [("loaded", True), ("not-found", False), ("masked", False), ("", False)])
def test_only_an_installed_unit_is_known(state: str, known: bool) -> None:
    """Without our unit the service is started without systemd."""
    assert systemd(FakeSystemctl({"LoadState": state})).knows_unit() is known


@pytest.mark.parametrize(("state", "active"), [("active", True), ("activating", True), ("failed", False), ("", False)])
def test_a_service_that_starts_is_a_running_one(state: str, active: bool) -> None:
    """It is not started twice."""
    assert systemd(FakeSystemctl({"ActiveState": state})).is_active() is active


def test_a_verb_that_fails_gives_its_sentence() -> None:
    """What systemctl says is passed on."""
    fails = FakeSystemctl(status=1, error="Job for duoauthproxy.service failed.\n")
    assert systemd(fails).do("start") == "Job for duoauthproxy.service failed."
    assert systemd(FakeSystemctl(status=4)).do("start") == "systemctl ended with 4"
    works = FakeSystemctl()
    assert systemd(works).do("stop") == ""
    assert works.asked == [f"stop {UNIT}"]


def test_a_hurried_stop_sends_a_second_signal() -> None:
    """The stop of systemd is the first one."""
    systemctl = FakeSystemctl()
    systemd(systemctl).hurry()
    assert systemctl.asked == [f"stop --no-block {UNIT}", f"kill --signal=INT {UNIT}"]
