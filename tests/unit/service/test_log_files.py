"""One log file: no games with links, rotation, opening anew."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from duoproxy.service.log_files import LOG_MODE, ROTATION_PAUSE_BYTES, LogFile

NOBODY = 65534
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="files of another user can be made by root only")


def log_file(folder: Path, max_bytes: int = 0, max_files: int = 0) -> LogFile:
    return LogFile(folder / "authproxy.log", max_bytes, max_files)


def refusal(folder: Path) -> str:
    """Open the log of a folder, which is refused; give the reason."""
    with pytest.raises(OSError, match=r".") as raised:
        log_file(folder).open()
    return str(raised.value.strerror)


def test_a_symbolic_link_is_not_followed(tmp_path: Path) -> None:
    """Whoever may write into the log folder cannot make the service write elsewhere."""
    target = tmp_path / "target"
    target.write_text("precious")
    (tmp_path / "authproxy.log").symlink_to(target)
    assert refusal(tmp_path) == "it is a symbolic link"
    assert target.read_text() == "precious"


def test_a_link_to_nothing_makes_no_file(tmp_path: Path) -> None:
    """Nor can they make the service create a file elsewhere."""
    (tmp_path / "authproxy.log").symlink_to(tmp_path / "target")
    assert refusal(tmp_path) == "it is a symbolic link"
    assert not (tmp_path / "target").exists()


def test_a_hard_link_is_refused_and_its_mode_is_left_alone(tmp_path: Path) -> None:
    """A second name of somebody's file is no log."""
    target = tmp_path / "target"
    target.write_text("precious")
    target.chmod(0o600)
    (tmp_path / "authproxy.log").hardlink_to(target)
    assert refusal(tmp_path) == "it is gone or has another name as well (a hard link)"
    assert (target.read_text(), target.stat().st_mode & 0o777) == ("precious", 0o600)


def test_a_pipe_does_not_stop_the_start(tmp_path: Path) -> None:
    """A named pipe would wait for a reader."""
    os.mkfifo(tmp_path / "authproxy.log")
    assert refusal(tmp_path) == "it is a pipe and no file"


@as_root
def test_a_file_of_somebody_else_is_refused(tmp_path: Path) -> None:
    """Its owner could read and change what is logged; the sentence names both."""
    path = tmp_path / "authproxy.log"
    path.touch()
    os.chown(path, NOBODY, NOBODY)
    assert refusal(tmp_path) == "it belongs to nobody, and this process is root"


def test_modes_are_set_also_under_a_strict_umask(tmp_path: Path) -> None:
    """0640: the log group reads, others do not; whatever twistd sets as umask."""
    before = os.umask(0o077)
    try:
        log_file(tmp_path).open()
    finally:
        os.umask(before)
    assert (tmp_path / "authproxy.log").stat().st_mode & 0o777 == LOG_MODE == 0o640


def test_rotated_files_move_on_and_the_last_one_goes(tmp_path: Path) -> None:
    """authproxy.log.1 is the youngest; other names in the folder are nobody's business."""
    (tmp_path / "authproxy.log.old").write_text("kept")
    file = log_file(tmp_path, max_bytes=5, max_files=2)
    file.open()
    for number in range(4):
        file.write(f"line {number}\n")
    file.close()
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {
        "authproxy.log": "line 3\n",
        "authproxy.log.1": "line 2\n",
        "authproxy.log.2": "line 1\n",
        "authproxy.log.old": "kept",
    }


def test_a_rotation_follows_no_link_either(tmp_path: Path) -> None:
    """A link under the name of a rotated file is moved on or removed, never written through."""
    target = tmp_path / "target"
    target.write_text("precious")
    (tmp_path / "authproxy.log.1").symlink_to(target)
    file = log_file(tmp_path, max_bytes=5, max_files=1)
    file.open()
    file.write("line 0\n")
    file.write("line 1\n")
    file.close()
    assert target.read_text() == "precious"
    assert (tmp_path / "authproxy.log.1").read_text() == "line 0\n"
    assert not (tmp_path / "authproxy.log.1").is_symlink()


def test_a_rotation_that_cannot_be_is_said_once_and_the_file_grows_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder that lost its rights costs no line, and is not tried again at each of them."""
    tried: list[object] = []

    def refuse(*names: object) -> None:
        tried.append(names)
        raise PermissionError(13, "Permission denied", "authproxy.log")

    monkeypatch.setattr(os, "rename", refuse)
    file = log_file(tmp_path, max_bytes=5)
    file.open()
    for number in range(3):
        file.write(f"line {number}\n")
    assert (tmp_path / "authproxy.log").read_text() == (
        "line 0\nThis file could not be rotated: Permission denied (authproxy.log). It grows on.\nline 1\nline 2\n"
    )
    assert len(tried) == 1
    file.write("x" * ROTATION_PAUSE_BYTES)
    file.write("y")
    assert len(tried) == 2
    file.close()


def test_opened_anew_it_writes_into_the_new_file(tmp_path: Path) -> None:
    """logrotate renames, SIGUSR1 follows: nothing is lost in between."""
    file = log_file(tmp_path)
    file.open()
    file.write("one\n")
    (tmp_path / "authproxy.log").rename(tmp_path / "moved")
    file.write("two\n")
    file.open()
    file.write("three\n")
    file.close()
    assert (tmp_path / "moved").read_text() == "one\ntwo\n"
    assert (tmp_path / "authproxy.log").read_text() == "three\n"


def test_when_it_cannot_be_opened_anew_the_open_one_goes_on(tmp_path: Path) -> None:
    """A trap at SIGUSR1 costs no line."""
    file = log_file(tmp_path)
    file.open()
    (tmp_path / "authproxy.log").rename(tmp_path / "moved")
    (tmp_path / "authproxy.log").symlink_to(tmp_path / "target")
    with pytest.raises(OSError, match="symbolic link"):
        file.open()
    file.write("still here\n")
    file.close()
    assert (tmp_path / "moved").read_text() == "still here\n"


def test_after_its_end_nothing_is_raised(tmp_path: Path) -> None:
    """What is written to a closed log, or names that no encoding has, end no login."""
    file = log_file(tmp_path)
    file.open()
    file.write("\udcff\n")
    file.close()
    file.write("lost")
    file.close()
    assert (tmp_path / "authproxy.log").read_text() == "\\udcff\n"
