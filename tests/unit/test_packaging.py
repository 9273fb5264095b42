"""What pip installs: the lists that setup.cfg keeps by hand, compared with the tree; and the init script by itself."""

from __future__ import annotations

import configparser
import subprocess
from fnmatch import fnmatch
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def setup_cfg() -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None)
    parser.read(ROOT / "setup.cfg", encoding="utf-8")
    return parser


def words(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip() and not line.strip().startswith("#")]


def test_every_package_of_the_tree_is_listed(setup_cfg: configparser.ConfigParser) -> None:
    """The packages of setup.cfg are the folders of duoproxy that hold Python, and twisted.plugins."""
    folders = {path.parent.relative_to(ROOT) for path in (ROOT / "duoproxy").rglob("*.py")}
    expected = {".".join(folder.parts) for folder in folders} | {"twisted.plugins"}
    assert set(words(setup_cfg["options"]["packages"])) == expected


def test_every_package_of_ours_can_be_imported_as_a_package() -> None:
    """A folder of duoproxy that holds Python has an __init__.py."""
    folders = {path.parent for path in (ROOT / "duoproxy").rglob("*.py")}
    assert [folder for folder in folders if not (folder / "__init__.py").is_file()] == []


@pytest.mark.parametrize("folder", ["twisted", "twisted/plugins"])
def test_the_plugin_folder_does_not_hide_twisted(folder: str) -> None:
    """twisted/ and twisted/plugins/ have no __init__.py: Twisted's own stand elsewhere, and ours would replace them."""
    assert (ROOT / folder).is_dir()
    assert not (ROOT / folder / "__init__.py").exists()


def test_every_data_file_of_a_package_is_installed(setup_cfg: configparser.ConfigParser) -> None:
    """A file in duoproxy that is not Python fits a pattern of package_data."""
    patterns = [
        f"{package.replace('.', '/')}/{pattern}"
        for package, lines in setup_cfg["options.package_data"].items()
        for pattern in words(lines)
    ]
    data = [
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "duoproxy").rglob("*")
        if path.is_file() and path.suffix not in {".py", ".pyc"}
    ]
    assert [name for name in data if not any(fnmatch(name, pattern) for pattern in patterns)] == []


def test_twistd_finds_the_plugin_in_the_tree() -> None:
    """The file that setup.cfg installs defines one ServiceMaker with the tap name duoauthproxy."""
    namespace: dict[str, object] = {}
    source = (ROOT / "twisted/plugins/duoauthproxy_plugin.py").read_text(encoding="utf-8")
    exec(
        compile(source, "duoauthproxy_plugin.py", "exec"), namespace
    )  # the folder is no package of ours to import from
    maker = namespace["duoauthproxy"]
    assert (maker.tapname, maker.module) == ("duoauthproxy", "duoproxy.service.make_service")  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("verb", "called", "status"),
    [
        ("start", ["start"], 3),
        ("stop", ["stop"], 3),
        ("restart", ["restart"], 3),
        ("force-reload", ["restart"], 3),
        ("status", ["status"], 3),
        ("try-restart", ["status"], 0),
        ("condrestart", ["status"], 0),
        ("reload", [], 2),
        ("", [], 2),
    ],
)
def test_the_init_script_says_what_authproxyctl_says(tmp_path: Path, verb: str, called: list[str], status: int) -> None:
    """Whoever watches by its status gets the true one; what does not run is not restarted by try-restart."""
    control = tmp_path / "authproxyctl"
    control.write_text(f"#!/bin/sh\necho $1 >>{tmp_path}/calls\nexit 3\n")
    control.chmod(0o755)
    assert run_init_script(tmp_path, control, verb) == status
    calls = tmp_path / "calls"
    assert (calls.read_text().split() if calls.exists() else []) == called


@pytest.mark.parametrize(("verb", "status"), [("start", 0), ("stop", 0), ("restart", 0), ("status", 4)])
def test_an_init_script_without_its_program_does_nothing_and_calls_nothing_running(
    tmp_path: Path, verb: str, status: int
) -> None:
    """Removed, but not purged: 4, not known, as `authproxyctl status` means it."""
    assert run_init_script(tmp_path, tmp_path / "gone", verb) == status


def run_init_script(folder: Path, control: Path, verb: str) -> int:
    """Run it on another authproxyctl; its status."""
    script = folder / "duoauthproxy"
    text = (ROOT / "conf/package/duoauthproxy.init").read_text(encoding="utf-8")
    assert "CONTROL=/opt/duoauthproxy/bin/authproxyctl\n" in text
    script.write_text(text.replace("/opt/duoauthproxy/bin/authproxyctl", str(control)), encoding="utf-8")
    return subprocess.run(["sh", str(script), verb], capture_output=True, check=False).returncode
