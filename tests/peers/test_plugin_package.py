"""tests/plugin_example, pip-installed beside duoproxy in a virtual environment of its own: its sections are at home.

Nothing is downloaded: what both need is taken from the environment that the tests run in.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.peers.controls import Controls
from tests.peers.ports import free_ports
from tests.peers.proxy import READY, ROOT, Sections, write_configuration
from tests.peers.sandbox import IKEY, SKEY
from tests.peers.server import RunningServer, output_matches, start_server, wait_until

DEADLINE_S = 100
PASSWORD = "one for all"
# What pip needs of the tree; a copy, because setuptools builds in place.
TREE = ("duoproxy", "twisted", "setup.cfg", "pyproject.toml", "README.md", "LICENSE")
RIVAL = {
    "pyproject.toml": '[build-system]\nrequires = ["setuptools>=77"]\nbuild-backend = "setuptools.build_meta"\n',
    "setup.cfg": "[metadata]\nname = duoproxy-rival\nversion = 1.0\n\n[options]\npy_modules = rival_sections\n\n"
    "[options.entry_points]\nduoproxy.sections =\n    line_server = rival_sections:LineServer\n",
    "rival_sections.py": "from duoproxy_example.line_server import LineServer as LineServer\n",
}


@dataclass(frozen=True)
class Installed:
    """A virtual environment with duoproxy and the example.

    Attributes:
        folder: of the environment.
    """

    folder: Path

    @property
    def python(self) -> str:
        return str(self.folder / "bin/python")

    def environment(self, more: Mapping[str, str]) -> dict[str, str]:
        """Variables for a process; the tree is not in its path."""
        return {"PYTHONPATH": "", "PYTHONUNBUFFERED": "1", **more}

    def twistd(self) -> list[str]:
        """Twisted's own script, run by the Python of this environment."""
        return [self.python, str(Path(sys.executable).with_name("twistd"))]

    def authproxyctl(self, *arguments: object, **more: str) -> subprocess.CompletedProcess[str]:
        """Run the command that pip has installed."""
        return self.run([str(self.folder / "bin/authproxyctl"), *map(str, arguments)], **more)

    def run(self, command: list[str], **more: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end, outside the tree."""
        return subprocess.run(
            command,
            cwd=self.folder,
            env={**os.environ, **self.environment(more)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
            check=False,
        )

    def pip_install(self, *arguments: object) -> None:
        """Install without the network: neither for what is needed, nor for what builds."""
        options = ["--quiet", "--no-index", "--no-deps", "--no-build-isolation", "--ignore-installed", "--no-cache-dir"]
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", self.python, "install", *options]
        done = self.run([*pip, *map(str, arguments)])
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    folder = tmp_path_factory.mktemp("plugin")
    made = Installed(folder / "venv")
    venv.EnvBuilder(symlinks=True).create(made.folder)
    packages = next((made.folder / "lib").glob("python3*/site-packages"))
    (packages / "of_the_tests.pth").write_text(f"{sysconfig.get_path('purelib')}\n", "utf-8")
    ignored = shutil.ignore_patterns("__pycache__", "dropin.cache")
    for name in TREE:
        source, copy = ROOT / name, folder / "tree" / name
        copy.parent.mkdir(exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, copy, ignore=ignored)
        else:
            shutil.copy(source, copy)
    shutil.copytree(ROOT / "tests/plugin_example", folder / "example", ignore=ignored)
    made.pip_install(folder / "tree", folder / "example")
    return made


def sections(port: int, api: int, alice: str = "approve-after 0") -> Sections:
    """Write a configuration of the two sections of the example, on the sandbox."""
    keys = {"ikey": IKEY, "skey": SKEY}
    return {
        "one_password_client": {"user_1": "alice", "user_2": "dave", "password": PASSWORD},
        "line_server": {
            **keys,
            "api_host": f"localhost:{api}",
            "http_ca_certs_file": "sandbox-ca.pem",
            "failmode": "secure",
            "port": port,
        },
        "sandbox_duo": {
            **keys,
            "ca_file": "sandbox-ca.pem",
            "port": api,
            "user_1": f"alice push {alice}",
            "user_2": "dave push deny-after 0",
        },
    }


def start(installed: Installed, folder: Path, port: int, api: int, alice: str = "approve-after 0") -> RunningServer:
    configuration = write_configuration(folder, sections(port, api, alice))
    return start_server(
        "proxy",
        [*installed.twistd(), "-n", "--pidfile=", "duoauthproxy", "-c", str(configuration)],
        folder=folder,
        ready=output_matches(READY),
        environment=installed.environment({}),
    )


def ask(port: int, line: str) -> str:
    """Log in by the protocol of [line_server]."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(f"{line}\n".encode())
        return connection.makefile("r", encoding="utf-8").readline().strip()


def test_the_installed_copy_is_what_runs(installed: Installed) -> None:
    """Neither the tree nor the environment of the tests: duoproxy and the example stand in the new environment."""
    script = "import duoproxy, duoproxy_example; print(duoproxy.__file__); print(duoproxy_example.__file__)"
    done = installed.run([installed.python, "-c", script])
    assert [line.startswith(str(installed.folder)) for line in done.stdout.splitlines()] == [True, True], done.stderr


def test_twistd_lists_the_plugin(installed: Installed) -> None:
    """The plugin is found after `pip install .` in any environment."""
    assert "duoauthproxy" in installed.run([*installed.twistd(), "--help"]).stdout


def test_a_login_goes_over_both_sections_of_the_example(installed: Installed, tmp_path: Path) -> None:
    """[line_server] takes it, [one_password_client] checks the password, Duo is asked: accept, deny, wrong password."""
    port, api = free_ports(2)
    server = start(installed, tmp_path, port, api)
    try:
        assert ask(port, f"alice {PASSWORD}") == "OK Success. Logging you in..."
        assert ask(port, f"dave {PASSWORD}") == "NO Login request denied."
        assert ask(port, "alice wrong") == "NO"
        assert ask(port, f"nobody {PASSWORD}") == "NO"
        controls = Controls(api, tmp_path / "sandbox-ca.pem")
        assert [controls.asked(name) for name in ("alice", "dave", "nobody")] == [{"push": 1}, {"push": 1}, {}]
        assert "factor=push result=accept cause=approved" in server.output()
        assert PASSWORD not in server.output()
    finally:
        server.stop()


def test_a_stop_waits_for_a_login_of_the_example(installed: Installed, tmp_path: Path) -> None:
    """At SIGTERM the port is closed, the push that rings is still answered, and nothing is left to complain of."""
    port, api = free_ports(2)
    server = start(installed, tmp_path, port, api, alice="approve-after 2")
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
            connection.sendall(f"alice {PASSWORD}\n".encode())
            wait_until(lambda: Controls(api, tmp_path / "sandbox-ca.pem").asked("alice") == {"push": 1}, "a push")
            os.kill(server.pid, signal.SIGTERM)
            wait_until(lambda: refused(port), "the port is closed")
            assert connection.makefile("r", encoding="utf-8").readline() == "OK Success. Logging you in...\n"
        wait_until(lambda: server.status() is not None, "the end of the process")
        assert server.status() == 0
        assert "Traceback" not in server.output()
    finally:
        server.stop()


def refused(port: int) -> bool:
    """Nobody listens any more."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def test_its_options_are_checked(installed: Installed, tmp_path: Path) -> None:
    """`authproxyctl check` knows them: a good file is fine; a slip, a missing and a wrong value are told with lines."""
    good = write_configuration(tmp_path, sections(7000, 7001))
    done = installed.authproxyctl("check", good)
    assert (done.returncode, done.stdout) == (0, f"{good}: fine. The proxy would start with it.\n")
    broken = tmp_path / "broken.cfg"
    text = good.read_text("utf-8").replace("port=7000", "port=x\nfailmod=secure").replace(f"password={PASSWORD}\n", "")
    broken.touch(mode=0o600)
    broken.write_text(text, "utf-8")
    told = installed.authproxyctl("check", broken)
    assert told.returncode == 1
    for place in ("[line_server] port: 'x' is", "[line_server] failmod: ", "[one_password_client] password: "):
        assert place in told.stdout


def test_its_options_are_described(installed: Installed) -> None:
    """`authproxyctl options`: the section is listed, and its own and inherited options are explained."""
    assert "line_server " in installed.authproxyctl("options").stdout
    described = installed.authproxyctl("options", "line_server").stdout
    assert described.startswith("[line_server]\n")
    assert "  port  (optional, default: 7000)\n" in described
    assert "  failmode  (optional, default: safe)\n" in described


def test_its_options_stand_in_the_sample_and_in_the_docs(installed: Installed) -> None:
    """Sample and docs page are made from the same declarations; the secret is a placeholder."""
    sample = installed.authproxyctl("sample").stdout
    for line in (";[line_server]", ";[one_password_client]"):
        assert line in sample.splitlines()
    page = installed.authproxyctl("options", "--markdown", "one_password_client").stdout
    assert page.startswith("# [one_password_client]\n\nEverybody who is named has the same password.\n")
    assert "\n## user\n" in page
    assert "\n## password\n" in page


def test_nothing_in_duoproxy_knows_it(installed: Installed) -> None:
    """No file of the installed duoproxy names the example or its sections: only the entry points lead there."""
    package = next((installed.folder / "lib").glob("python3*/site-packages/duoproxy"))
    files = [path for path in package.rglob("*") if path.is_file() and path.suffix != ".pyc"]
    assert len(files) > 50
    words = (b"duoproxy_example", b"line_server", b"one_password_client")
    assert [path.name for path in files for word in words if word in path.read_bytes()] == []


def test_two_packages_that_own_one_name_are_an_error_naming_both(installed: Installed, tmp_path: Path) -> None:
    """Nothing starts, and nothing is checked, until one of them is gone."""
    rival = tmp_path / "rival"
    rival.mkdir()
    for name, text in RIVAL.items():
        (rival / name).write_text(text, "utf-8")
    beside = tmp_path / "beside"
    installed.pip_install("--target", beside, rival)
    configuration = write_configuration(tmp_path, sections(7000, 7001))
    sentence = (
        "error: [line_server]: two packages own this section: duoproxy-example "
        "(duoproxy_example.line_server:LineServer) and duoproxy-rival (rival_sections:LineServer). "
        "Uninstall one of the packages, or ask its author.\n"
    )
    command = [*installed.twistd(), "-n", "--pidfile=", "duoauthproxy", "-c", str(configuration)]
    for done in (
        installed.run(command, PYTHONPATH=str(beside)),
        installed.authproxyctl("check", configuration, PYTHONPATH=str(beside)),
    ):
        assert (done.returncode, done.stderr) == (1, sentence)
