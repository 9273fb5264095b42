"""Where the logs go when nobody says it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from duoproxy.config.validate import Configuration
from duoproxy.sections.main import MainSettings
from duoproxy.service.make_service import folders_of_root, log_folder
from duoproxy.service.options import configuration_path


@pytest.mark.parametrize(
    ("started_in", "written"),
    [
        ("conf", "authproxy.cfg"),
        (".", "conf/authproxy.cfg"),
        ("log", "../conf/authproxy.cfg"),
        ("conf", "./authproxy.cfg"),
    ],
)
def test_logs_stand_beside_the_folder_of_the_file_wherever_the_start_was(
    started_in: str, written: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without log_dir: the folder `log` beside the folder of the configuration file."""
    for folder in ("conf", "log"):
        (tmp_path / folder).mkdir()
    monkeypatch.chdir(tmp_path / started_in)
    path = configuration_path(written)
    assert log_folder(Configuration(path, MainSettings(), (), (), (), None)) == tmp_path / "log"


def test_a_folder_that_is_named_is_taken(tmp_path: Path) -> None:
    """The option log_dir wins."""
    main = MainSettings(log_dir=tmp_path / "elsewhere")
    assert log_folder(Configuration(Path("/etc/a.cfg"), main, (), (), (), None)) == tmp_path / "elsewhere"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes folders for the service user")
def test_root_makes_a_named_folder_only_for_a_configuration_of_its_own(tmp_path: Path) -> None:
    """Whoever took over the account that owns it would be given a folder below /etc, say."""
    path = tmp_path / "conf" / "authproxy.cfg"
    path.parent.mkdir()
    path.touch()
    named, own, run = tmp_path / "etc" / "settings.d", tmp_path / "log", tmp_path / "run"
    configuration = Configuration(path, MainSettings(log_dir=named), (), (), (), None)
    assert folders_of_root(configuration) == [named, run]
    os.chown(path, 54_321, -1)
    assert folders_of_root(configuration) == [run]
    assert folders_of_root(Configuration(path, MainSettings(), (), (), (), None)) == [own, run]
