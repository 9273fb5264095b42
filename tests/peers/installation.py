"""An installation as the installer leaves it (conf, log, run): `authproxyctl` as root, the service as nobody."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.peers.proxy import Sections, configuration_text, proxy_environment
from tests.peers.server import wait_until

DEADLINE_S = 60.0
SERVICE_USER = pwd.getpwnam("nobody")
# The interpreter of the tests may stand in a folder that is closed to others (/root); the service imports as nobody.
_MOUNTS = """
if [ -n "$COVERED" ]; then
    mount --bind "$BASE" "$KEPT"
    mount -t tmpfs -o mode=0755 none "$COVERED"
    mkdir -p "$BASE"
    mount --bind "$KEPT" "$BASE"
fi
if [ -e "$RESOLV" ]; then mount --bind "$RESOLV" /etc/resolv.conf; fi
exec "$@"
"""
_AUTHPROXYCTL = "from duoproxy.tools.authproxyctl import main; main(prog_name='authproxyctl')"


@dataclass
class Installation:
    """One installation.

    Attributes:
        folder: the base.
        environment: variables for its programs beside those of the tree.
    """

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def configuration(self) -> Path:
        return self.folder / "conf" / "authproxy.cfg"

    @property
    def log(self) -> Path:
        return self.folder / "log" / "authproxy.log"

    @property
    def pid_file(self) -> Path:
        return self.folder / "run" / "duoauthproxy.pid"

    def configure(self, sections: Sections) -> None:
        """Write the configuration, for root only."""
        self.configuration.write_text(configuration_text(sections))
        self.configuration.chmod(0o600)

    def text(self) -> str:
        """What the log says."""
        return self.log.read_text("utf-8", "replace") if self.log.exists() else ""

    def wait_for_log(self, text: str) -> None:
        """Wait until the log has it."""
        wait_until(lambda: text in self.text(), f"{text!r} in the log:\n{self.text()}", DEADLINE_S)

    def pid(self) -> int:
        """The process id of the running service."""
        return int(self.pid_file.read_text())

    def visible(self, command: Sequence[str]) -> tuple[list[str], dict[str, str]]:
        """Give command and variables with which a program sees an interpreter that everybody may read."""
        base = Path(sys.base_prefix)
        closed = [str(one) for one in reversed(base.parents) if not one.stat().st_mode & 0o001]
        mounts = {
            "BASE": str(base),
            "COVERED": closed[0] if closed else "",
            "KEPT": str(self.folder / "python"),
            "RESOLV": str(self.folder / "resolv.conf"),
        }
        variables = {**proxy_environment(), **mounts, **self.environment}
        return ["unshare", "--mount", "sh", "-ec", _MOUNTS, "sh", *command], variables

    def run(self, command: Sequence[str]) -> subprocess.CompletedProcess[str]:
        """Run a program to its end."""
        words, variables = self.visible(command)
        return subprocess.run(
            words,
            env={**os.environ, **variables},
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
            check=False,
        )

    def ctl(self, verb: str, *more: str) -> subprocess.CompletedProcess[str]:
        """Run authproxyctl on this installation."""
        return self.run([sys.executable, "-c", _AUTHPROXYCTL, verb, "-c", str(self.configuration), *more])

    def start(self) -> None:
        """Start the service without the connectivity report; it has to become ready."""
        started = self.ctl("start", "--no-report")
        assert started.returncode == 0, started.stderr + self.text()

    def twistd(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run twistd."""
        return self.run([str(Path(sys.executable).with_name("twistd")), *arguments])


@contextlib.contextmanager
def installation(sections: Sections, environment: Mapping[str, str] | None = None) -> Iterator[Installation]:
    """Make an installation below /tmp; what runs of it at the end is stopped.

    pytest's own folders are closed to the service user.
    """
    made = Installation(Path(tempfile.mkdtemp(prefix="duo-")), dict(environment or {}))
    made.folder.chmod(0o755)
    for name in ("conf", "log", "run", "python"):
        (made.folder / name).mkdir()
    for name in ("log", "run"):
        os.chown(made.folder / name, SERVICE_USER.pw_uid, SERVICE_USER.pw_gid)
        (made.folder / name).chmod(0o750)
    made.configure(sections)
    try:
        yield made
    finally:
        if made.pid_file.exists():
            made.ctl("stop", "--now")
        shutil.rmtree(made.folder)
