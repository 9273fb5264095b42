"""Where the log goes."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from twisted.logger import LogLevel

from duoproxy.errors import ConfigError
from duoproxy.sections.main import MainSettings
from duoproxy.service.logs import LOG_NAME, Logs, stream_writer

Opener = Callable[[MainSettings, Path], Logs]


@pytest.fixture
def opened() -> Iterator[Opener]:
    """Open logs, and close them after the test."""
    all_logs: list[Logs] = []

    def make(main: MainSettings, folder: Path) -> Logs:
        all_logs.append(Logs(main, folder))
        all_logs[-1].open()
        return all_logs[-1]

    yield make
    for logs in all_logs:
        logs.close()


def _event(text: str, level: object = LogLevel.info, namespace: str = "radius_server_auto") -> dict[str, object]:
    return {"log_time": 0.0, "log_level": level, "log_namespace": namespace, "log_format": "{t}", "t": text}


def test_the_log_file_rotates_by_size_and_keeps_so_many(tmp_path: Path, opened: Opener) -> None:
    """At log_max_size a file becomes authproxy.log.1, and log_max_files of them are kept."""
    [observer] = opened(MainSettings(log_max_size=200, log_max_files=2), tmp_path).observers
    for number in range(50):
        observer(_event(f"line {number}"))
    assert sorted(path.name for path in tmp_path.iterdir()) == [LOG_NAME, f"{LOG_NAME}.1", f"{LOG_NAME}.2"]
    assert "line 49" in (tmp_path / LOG_NAME).read_text()


def test_log_max_size_0_never_rotates(tmp_path: Path, opened: Opener) -> None:
    """So that another program can rotate."""
    [observer] = opened(MainSettings(log_max_size=0, log_max_files=0), tmp_path).observers
    for number in range(50):
        observer(_event(f"line {number}" * 100))
    assert [path.name for path in tmp_path.iterdir()] == [LOG_NAME]


def test_the_log_is_not_readable_by_others(tmp_path: Path, opened: Opener) -> None:
    """User names are nobody else's business."""
    opened(MainSettings(), tmp_path / "log")
    assert (tmp_path / "log" / LOG_NAME).stat().st_mode & 0o007 == 0


def test_debug_events_are_written_with_debug_only(tmp_path: Path, opened: Opener) -> None:
    """`debug=true` writes more."""
    for debug in (False, True):
        folder = tmp_path / str(debug)
        [observer] = opened(MainSettings(debug=debug), folder).observers
        observer(_event("in detail", LogLevel.debug))
        assert ("in detail" in (folder / LOG_NAME).read_text()) is debug


def test_the_chatter_of_libraries_is_left_out(tmp_path: Path, opened: Opener) -> None:
    """What Twisted says of its factories is not about logins; its warnings are written."""
    [observer] = opened(MainSettings(), tmp_path).observers
    observer(_event("Starting factory", namespace="twisted.internet.protocol"))
    observer(_event("something is wrong", LogLevel.warn, namespace="twisted.internet.protocol"))
    text = (tmp_path / LOG_NAME).read_text()
    assert "Starting factory" not in text
    assert "something is wrong" in text


def test_a_log_folder_that_cannot_be_written_is_a_problem_with_a_remedy(tmp_path: Path) -> None:
    """The start says which file and what to do."""
    (tmp_path / "log").write_text("a file")
    with pytest.raises(ConfigError) as raised:
        Logs(MainSettings(), tmp_path / "log").open()
    [problem] = raised.value.problems
    assert (problem.section, problem.option) == ("main", "log_dir")
    assert problem.remedy == "Name a folder that the service user may write to, or set log_stdout=true."


def test_a_full_disk_does_not_end_a_login() -> None:
    """What cannot be written is lost, and nothing is raised."""

    class FullDisk:
        def write(self, text: str) -> int:
            raise OSError(28, "No space left on device")

        def flush(self) -> None:
            raise OSError(28, "No space left on device")

    write = stream_writer(FullDisk())  # type: ignore[arg-type]
    assert write("line\n") is None


@pytest.mark.skipif(os.geteuid() != 0, reason="files of another user can be made by root only")
def test_root_is_told_to_become_the_user_whose_log_it_is(tmp_path: Path) -> None:
    """Whoever tries the proxy as root, beside the logs of the service, hears how to start it."""
    (tmp_path / LOG_NAME).touch()
    os.chown(tmp_path / LOG_NAME, 65534, 65534)
    with pytest.raises(ConfigError) as raised:
        Logs(MainSettings(), tmp_path).open()
    [problem] = raised.value.problems
    assert problem.what.endswith("cannot be written: it belongs to nobody, and this process is root")
    assert problem.remedy == ("Start the proxy as that user: with authproxyctl, or twistd duoauthproxy --user nobody.")
