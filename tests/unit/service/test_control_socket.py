"""The file of the control socket: who may reach it, and what it never replaces."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path

import pytest

from duoproxy.service.control_socket import (
    ControlSocketFault,
    ListeningSocket,
    NoRunFolder,
    open_control_socket,
    peer_uid,
)


@pytest.fixture
def run_folder(tmp_path: Path) -> Path:
    """A folder as the installer makes it, below one whose name is longer than a socket's may be."""
    folder = tmp_path / ("d" * 100) / "run"
    folder.mkdir(parents=True)
    folder.chmod(0o755)
    return folder


def connect(path: Path) -> socket.socket:
    """Connect, however long the path is."""
    folder = os.open(path.parent, os.O_DIRECTORY)
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.connect(f"/proc/self/fd/{folder}/{path.name}")
    except OSError:
        connection.close()
        raise
    finally:
        os.close(folder)
    return connection


def opened(run_folder: Path) -> ListeningSocket:
    return open_control_socket(run_folder / "s.sock")


def test_only_its_owner_may_connect(run_folder: Path) -> None:
    """Mode 0600, whatever the umask is."""
    former = os.umask(0)
    try:
        listening = opened(run_folder)
    finally:
        assert os.umask(former) == 0
    assert stat.S_IMODE(listening.path.lstat().st_mode) == 0o600
    listening.close()
    assert not listening.path.exists()


def test_the_kernel_says_who_is_at_the_other_end(run_folder: Path) -> None:
    """By its own word, not by that of the peer."""
    listening = opened(run_folder)
    with connect(listening.path):
        accepted, _ = listening.listener.accept()
        with accepted:
            assert peer_uid(accepted) == os.geteuid()
    listening.close()


def test_a_stale_socket_is_replaced(run_folder: Path) -> None:
    """What a process left that was killed."""
    left = socket.socket(socket.AF_UNIX)
    folder = os.open(run_folder, os.O_DIRECTORY)
    left.bind(f"/proc/self/fd/{folder}/s.sock")
    os.close(folder)
    left.close()
    listening = opened(run_folder)
    connect(listening.path).close()
    listening.close()


def test_a_socket_that_answers_is_left_alone(run_folder: Path) -> None:
    """Two services of one folder: the first one keeps its tools."""
    first = opened(run_folder)
    with pytest.raises(ControlSocketFault, match="answered by another process"):
        opened(run_folder)
    connect(first.path).close()
    first.close()


@pytest.mark.parametrize("kind", ["link", "dangling", "file"])
def test_nothing_but_a_socket_is_ever_removed(run_folder: Path, tmp_path: Path, kind: str) -> None:
    """A symbolic link leads nowhere, and a file keeps its content."""
    path, target = run_folder / "s.sock", tmp_path / "target"
    if kind == "file":
        path.write_text("mine")
    else:
        if kind == "link":
            target.write_text("mine")
        path.symlink_to(target)
    with pytest.raises(ControlSocketFault, match="is no socket: remove it"):
        opened(run_folder)
    assert path.is_symlink() or path.read_text() == "mine"
    assert kind != "dangling" or not target.exists()


def test_a_folder_that_others_can_write_is_refused(run_folder: Path) -> None:
    """Whoever can write there could answer in our place."""
    run_folder.chmod(0o777)
    with pytest.raises(ControlSocketFault, match="mode 0755"):
        opened(run_folder)


def test_a_folder_behind_a_link_is_refused(run_folder: Path) -> None:
    """The last part of the path is looked at itself."""
    link = run_folder.parent / "link"
    link.symlink_to(run_folder)
    with pytest.raises(ControlSocketFault):
        open_control_socket(link / "s.sock")
    assert list(run_folder.iterdir()) == []


def test_without_the_folder_there_is_no_channel_and_no_alarm(tmp_path: Path) -> None:
    """In a clone nobody has made it."""
    with pytest.raises(NoRunFolder):
        open_control_socket(tmp_path / "run" / "s.sock")
    assert not (tmp_path / "run").exists()


def test_closing_leaves_the_socket_of_a_successor_alone(run_folder: Path) -> None:
    """An upgrade may start the next process before the last one has gone."""
    first = opened(run_folder)
    first.path.unlink()
    second = opened(run_folder)
    first.close()
    connect(second.path).close()
    second.close()
