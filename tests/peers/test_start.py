"""`twistd duoauthproxy` as an administrator starts it: the plugin is found, and a start that cannot be says why."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.peers import proxy
from tests.peers.sandbox import new_ports, sandbox_sections

DEADLINE_S = 20


def run_to_its_end(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, **proxy.proxy_environment()},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )


def test_twistd_lists_the_plugin_from_any_folder(tmp_path: Path) -> None:
    """`twistd --help` lists duoauthproxy."""
    listed = run_to_its_end([str(Path(sys.executable).with_name("twistd")), "--help"], tmp_path)
    assert "duoauthproxy" in listed.stdout


def test_a_start_that_fails_prints_every_problem_and_ends_with_status_1(tmp_path: Path) -> None:
    """A start that fails prints every configuration problem on stderr, exits 1, no traceback."""
    sections: proxy.Sections = {
        "radius_client": {"host": "127.0.0.1", "secret": "s3cret", "retries": "x"},
        "radius_server_auto": {"port": "99999"},
    }
    path = proxy.write_configuration(tmp_path, sections)
    ended = run_to_its_end(proxy.proxy_command(path), tmp_path)
    assert ended.returncode == 1
    for place in ("[radius_client] retries", "[radius_server_auto] port", "[radius_server_auto] ikey"):
        assert place in ended.stderr
    assert "Traceback" not in ended.stdout + ended.stderr


def test_a_file_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    """An unreadable file has its own sentence, and no traceback."""
    ended = run_to_its_end(proxy.proxy_command(tmp_path / "nowhere.cfg"), tmp_path)
    assert ended.returncode == 1
    assert "nowhere.cfg" in ended.stderr
    assert "Traceback" not in ended.stdout + ended.stderr


def test_a_start_that_fails_late_ends_too(tmp_path: Path) -> None:
    """What only a section's start can find is one sentence in the log, and the process ends with status 1."""
    (tmp_path / "roots.pem").write_text("no certificate", "utf-8")
    sections = sandbox_sections(new_ports(), server={"http_ca_certs_file": "roots.pem"})
    ended = run_to_its_end(proxy.proxy_command(proxy.write_configuration(tmp_path, sections)), tmp_path)
    assert ended.returncode == 1
    assert "roots.pem" in ended.stdout + ended.stderr
    assert "Traceback" not in ended.stdout + ended.stderr
