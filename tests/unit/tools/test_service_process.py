"""The service is found by its process id file, and nothing else is ever signalled."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from duoproxy.tools.service_process import find_service

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="files of another user can be made by root only")

# Says that its handlers stand, then waits.
PROGRAM = "import signal; signal.signal(signal.SIGTERM, lambda *_: exit(7)); print('up', flush=True); signal.pause()"


def started(*arguments: str) -> subprocess.Popen[str]:
    """Run something that waits."""
    process = subprocess.Popen([sys.executable, "-c", PROGRAM, *arguments], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "up\n"
    return process


@pytest.fixture
def service() -> Iterator[subprocess.Popen[str]]:
    """A process that calls itself duoauthproxy."""
    with started("duoauthproxy", "-c", "authproxy.cfg") as process:
        yield process
        process.kill()


@pytest.fixture
def pid_file(tmp_path: Path, service: subprocess.Popen[str]) -> Path:
    """The file that it wrote."""
    path = tmp_path / "duoauthproxy.pid"
    path.write_text(f"{service.pid}\n")
    return path


def test_the_service_is_found_and_its_end_is_waited_for(pid_file: Path, service: subprocess.Popen[str]) -> None:
    """A signal reaches it, and whoever asked knows when it has ended."""
    found = find_service(pid_file)
    assert found is not None
    with found:
        assert found.pid == service.pid
        assert not found.wait_for_end(0)
        found.send(signal.SIGTERM)
        assert found.wait_for_end(20)
        assert service.wait() == 7
        found.send(signal.SIGTERM)
    assert find_service(pid_file) is None


@pytest.mark.parametrize("written", ["", "x", "-1", "0", "1", "99999999999999999999", "4194304\n"])
def test_what_names_no_process_of_ours_is_nothing(tmp_path: Path, written: str) -> None:
    """Least of all process 1, or all processes."""
    path = tmp_path / "duoauthproxy.pid"
    path.write_text(written)
    assert find_service(path) is None


def test_without_a_file_nothing_runs(tmp_path: Path) -> None:
    """Missing file, folder or a link to somewhere."""
    assert find_service(tmp_path / "missing") is None
    assert find_service(tmp_path / "missing" / "missing") is None
    assert find_service(tmp_path) is None


def test_another_program_is_not_the_service(tmp_path: Path) -> None:
    """A number that was given to another program is not signalled."""
    with started("sshd") as process:
        path = tmp_path / "duoauthproxy.pid"
        path.write_text(str(process.pid))
        assert find_service(path) is None
        process.kill()


def test_a_process_that_is_younger_than_the_file_is_not_the_service(
    pid_file: Path, service: subprocess.Popen[str]
) -> None:
    """The service of before the last boot may have had the same number."""
    an_hour_ago = time.time() - 3600
    os.utime(pid_file, (an_hour_ago, an_hour_ago))
    assert find_service(pid_file) is None


@as_root
def test_the_owner_of_the_file_can_point_at_no_process_of_somebody_else(
    pid_file: Path, service: subprocess.Popen[str]
) -> None:
    """Root does not end root's processes because the service user wrote their number down."""
    os.chown(pid_file, 65534, 65534)
    assert find_service(pid_file) is None


def test_a_link_is_not_followed_and_a_pipe_not_waited_for(pid_file: Path, tmp_path: Path) -> None:
    """The folder belongs to the service user."""
    (tmp_path / "link").symlink_to(pid_file)
    os.mkfifo(tmp_path / "pipe")
    assert find_service(tmp_path / "link") is None
    assert find_service(tmp_path / "pipe") is None
