"""Primary-only: how long it lasts, whatever clocks and files do."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent

from duoproxy.service.primary_only import MAX_MINUTES, PrimaryOnly, PrimaryOnlyFault, Window, read_window, write_window

HOUR = 3_600.0
START = 1_790_000_000.0


class Machine:
    """A machine with a clock for the time of day and one that only goes on; it can be started anew."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.clock = Clock()
        self.wall = START
        self.switch = self._made()

    def _made(self) -> PrimaryOnly:
        return PrimaryOnly(self.clock, lambda: self.wall, self.file)

    def pass_time(self, seconds: float) -> None:
        while seconds > 0:
            step = min(30.0, seconds)
            self.wall += step
            self.clock.advance(step)
            seconds -= step

    def restart(self, away_s: float = 0.0) -> str:
        """Stop and start again; gives what was logged."""
        self.switch.close()
        self.wall += away_s
        self.clock = Clock()
        self.switch = self._made()
        return self.load()

    def load(self) -> str:
        with capturedLogs() as events:
            self.switch.load()
        return "\n".join(formatEvent(event) for event in events)

    @property
    def left(self) -> float:
        return self.switch.remaining_s()


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    made = Machine(tmp_path / "primary_only.json")
    yield made
    made.switch.close()


def test_it_is_off_until_somebody_starts_it(machine: Machine) -> None:
    """And without a file nothing is said."""
    assert (machine.load(), machine.left) == ("", 0.0)
    assert machine.switch.status() == {"active": False, "remaining_s": 0}


def test_it_ends_by_itself(machine: Machine) -> None:
    """After the minutes, with a line, and the file is gone."""
    machine.switch.start(5, 1000)
    machine.pass_time(299)
    assert machine.left == 1.0
    with capturedLogs() as events:
        machine.pass_time(1)
    assert machine.left == 0.0
    assert [formatEvent(event) for event in events] == [
        "Logins need both factors again: the time for primary-only is over."
    ]
    assert not machine.file.exists()


def test_who_started_and_who_stopped_it_is_logged(machine: Machine) -> None:
    """With their user ids, as warnings."""
    with capturedLogs() as events:
        machine.switch.start(5, 1000)
        assert machine.switch.stop(0) is True
        assert machine.switch.stop(0) is False
    said = [(event["log_level"].name, formatEvent(event)) for event in events]
    assert [level for level, _ in said] == ["warn", "warn"]
    assert "for 5 minutes, as user id 1000 asks" in said[0][1]
    assert said[1][1] == "Logins need both factors again, as user id 0 asks."
    assert machine.left == 0.0


def test_it_goes_on_after_a_restart(machine: Machine) -> None:
    """The time in which the service did not run counts."""
    machine.switch.start(60, 1000)
    machine.pass_time(10 * 60)
    said = machine.restart(away_s=5 * 60)
    assert machine.left == 45 * 60
    assert "for 45 more minutes, as user id 1000 asked" in said


def test_it_ends_while_the_service_does_not_run(machine: Machine) -> None:
    """The next start finds an old file, and forgets it."""
    machine.switch.start(60, 1000)
    assert machine.restart(away_s=2 * HOUR) == ""
    assert machine.left == 0.0
    assert not machine.file.exists()


def test_a_clock_that_is_set_back_does_not_prolong_it(machine: Machine) -> None:
    """The other clock goes on, over a restart too."""
    machine.switch.start(60, 0)
    machine.pass_time(30 * 60)
    machine.wall -= 3 * HOUR
    assert machine.left == 30 * 60
    machine.pass_time(10 * 60)
    machine.restart()
    assert machine.left == pytest.approx(20 * 60)
    machine.pass_time(20 * 60)
    assert machine.left == 0.0


def test_a_clock_that_is_set_forward_ends_it_earlier(machine: Machine) -> None:
    """Whichever clock comes first."""
    machine.switch.start(60, 0)
    machine.wall += 2 * HOUR
    assert machine.left == 0.0


def test_a_clock_that_was_set_back_while_nothing_ran_ends_it(machine: Machine) -> None:
    """A file from the future is not believed, and the log says why."""
    machine.switch.start(60, 0)
    machine.pass_time(30 * 60)
    said = machine.restart(away_s=-HOUR / 4)
    assert machine.left == 0.0
    assert "the clock of this machine was set back" in said


def test_never_longer_than_the_most(machine: Machine) -> None:
    """Neither by request nor by file, nor by restarts in a row."""
    for minutes in (0, -5, MAX_MINUTES + 1):
        with pytest.raises(PrimaryOnlyFault):
            machine.switch.start(minutes, 0)
    machine.switch.start(MAX_MINUTES, 0)
    for _ in range(5):
        machine.pass_time(HOUR)
        machine.restart()
    assert machine.left == 0.0


def test_starting_it_again_begins_anew(machine: Machine) -> None:
    """The last decision counts, also a shorter one."""
    machine.switch.start(60, 0)
    machine.switch.start(1, 0)
    machine.pass_time(60)
    assert machine.left == 0.0


def test_the_file_is_its_owners_only(machine: Machine) -> None:
    """Mode 0600, and nothing is left beside it."""
    machine.switch.start(60, 1000)
    assert stat.S_IMODE(machine.file.stat().st_mode) == 0o600
    assert list(machine.file.parent.iterdir()) == [machine.file]
    assert json.loads(machine.file.read_text())["by_uid"] == 1000


def test_without_a_place_for_the_file_it_does_not_start(tmp_path: Path) -> None:
    """What a restart would forget is refused, with the folder's name."""
    switch = PrimaryOnly(Clock(), lambda: START, tmp_path / "run" / "primary_only.json")
    with pytest.raises(PrimaryOnlyFault, match="look at the folder"):
        switch.start(5, 0)
    assert switch.remaining_s() == 0.0


GOOD = {"version": 1, "started_at": START, "until": START + HOUR, "seen_at": START, "by_uid": 0}


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "null",
        "[" * 50_000,
        json.dumps({**GOOD, "version": 2}),
        json.dumps({**GOOD, "until": START + 5 * HOUR}),
        json.dumps({**GOOD, "until": START - 1}),
        json.dumps({**GOOD, "until": True}),
        json.dumps({**GOOD, "until": "soon"}),
        json.dumps({**GOOD, "until": 1e400}),
        json.dumps({**GOOD, "seen_at": None}),
        json.dumps({**GOOD, "by_uid": "root"}),
        json.dumps(GOOD).replace(str(START), "NaN"),
    ],
)
def test_a_spoilt_file_is_off(machine: Machine, content: str) -> None:
    """With an error in the log; unknown never means yes."""
    machine.file.write_text(content)
    machine.file.chmod(0o600)
    assert "is spoilt" in machine.load()
    assert machine.left == 0.0


def test_a_file_that_others_can_write_is_off(machine: Machine) -> None:
    """Whoever can write it could let everybody in."""
    write_window(machine.file, Window(START, START + HOUR, START, 0))
    for mode in (0o620, 0o602):
        machine.file.chmod(mode)
        assert "can be written by others" in machine.load()
        assert machine.left == 0.0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_of_somebody_else_is_off(machine: Machine) -> None:
    """Whatever its mode is."""
    write_window(machine.file, Window(START, START + HOUR, START, 0))
    os.chown(machine.file, 65534, 65534)
    assert "can be written by others" in machine.load()
    assert machine.left == 0.0


def test_a_file_that_others_can_put_back_is_off(machine: Machine) -> None:
    """Who may write to the folder takes the file away before it is stopped, and puts it back before a restart."""
    machine.switch.start(60, 0)
    folder, away = machine.file.parent, machine.file.parent / "away.json"
    machine.file.rename(away)
    machine.switch.stop(0)
    away.rename(machine.file)
    folder.chmod(0o777)
    try:
        assert "can be written by others" in machine.restart()
        assert machine.left == 0.0
    finally:
        folder.chmod(0o700)


def test_a_link_is_off(machine: Machine, tmp_path: Path) -> None:
    """A symbolic link, and a file with a second name."""
    target = tmp_path / "target.json"
    write_window(target, Window(START, START + HOUR, START, 0))
    machine.file.symlink_to(target)
    assert "cannot be read" in machine.load()
    machine.file.unlink()
    os.link(target, machine.file)
    assert "is no file of ours" in machine.load()
    assert machine.left == 0.0


def test_what_was_written_is_read(tmp_path: Path) -> None:
    """And a missing file is none."""
    file = tmp_path / "primary_only.json"
    assert read_window(file) is None
    write_window(file, Window(START, START + HOUR, START, 7))
    assert read_window(file) == Window(START, START + HOUR, START, 7)
