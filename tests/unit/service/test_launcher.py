"""Whoever started the proxy hears how that went, also when it has become a daemon."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest

from duoproxy.service.launcher import MAX_PIPE_OCTETS, Launcher, launcher_of


@pytest.fixture
def pipes() -> Iterator[tuple[int, int, int, int]]:
    """Twistd's pipe to its parent, and the terminal's standard error: reading and writing end of each."""
    made = (*os.pipe(), *os.pipe())
    yield made
    for descriptor in (made[0], made[2]):
        os.close(descriptor)


def read_all(descriptor: int) -> bytes:
    """Read until all writers have closed it."""
    found = b""
    while more := os.read(descriptor, 1000):
        found += more
    return found


def test_the_command_ends_well_only_when_every_section_has_started(pipes: tuple[int, int, int, int]) -> None:
    """Twistd itself would say so as soon as the reactor runs: its pipe is taken over."""
    from_pipe, to_parent, from_terminal, to_terminal = pipes
    settings: dict[str, Any] = {"statusPipe": to_parent}
    launcher = Launcher(settings, to_terminal)
    launcher.take_over()
    assert settings["statusPipe"] is None
    launcher.started()
    assert (read_all(from_pipe), read_all(from_terminal)) == (b"0", b"")


def test_a_start_that_fails_late_gives_its_whole_sentence_to_the_terminal(pipes: tuple[int, int, int, int]) -> None:
    """A daemon has no standard error of its own; twistd reads no more than 100 octets."""
    from_pipe, to_parent, from_terminal, to_terminal = pipes
    launcher = Launcher({"statusPipe": to_parent}, to_terminal)
    launcher.take_over()
    sentence = "The start failed. ü " + "x" * 200
    launcher.failed(sentence)
    assert read_all(from_terminal) == f"{sentence}\n".encode()
    reported = read_all(from_pipe)
    assert reported.startswith(b"1 The start failed. \\xfc xxx")
    assert len(reported) == MAX_PIPE_OCTETS


def test_in_the_foreground_there_is_no_pipe(pipes: tuple[int, int, int, int]) -> None:
    """With `-n` twistd has none; the sentence goes to standard error all the same."""
    from_pipe, to_parent, from_terminal, to_terminal = pipes
    os.close(to_parent)
    launcher = Launcher({}, to_terminal)
    launcher.take_over()
    launcher.failed("The start failed.")
    launcher.started()
    assert (read_all(from_pipe), read_all(from_terminal)) == (b"", b"The start failed.\n")


def test_a_terminal_that_is_gone_stops_nothing(pipes: tuple[int, int, int, int]) -> None:
    """Nobody may listen any more."""
    from_pipe, to_parent, _, to_terminal = pipes
    launcher = Launcher({"statusPipe": to_parent}, to_terminal)
    launcher.take_over()
    os.close(to_terminal)
    launcher.failed("The start failed.")
    launcher.started()
    assert read_all(from_pipe) == b"1 The start failed."


def test_options_without_twistd_have_nobody_to_tell() -> None:
    """Who makes the service by hand waits for nothing."""
    before = os.listdir("/proc/self/fd")
    launcher = launcher_of({})
    launcher.take_over()
    launcher.started()
    assert os.listdir("/proc/self/fd") == before
