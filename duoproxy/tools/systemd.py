"""The service under systemd: whether it is, and `systemctl` for it."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

UNIT: Final = "duoauthproxy.service"
RUNS_WHEN_THERE: Final = Path("/run/systemd/system")
"""Source: sd_booted(3)."""
_SEARCHED = "/usr/bin:/bin:/usr/sbin:/sbin"

Run = Callable[[Sequence[str]], "subprocess.CompletedProcess[str]"]


def _run(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - the arguments are ours, and nothing goes through a shell
        list(command), capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False
    )


class Systemd:
    """`systemctl` for our unit."""

    def __init__(self, program: str, run: Run = _run) -> None:
        """Keep how to call it.

        Args:
            program: its path.
            run: runs a command.
        """
        self._program = program
        self._call = run

    def knows_unit(self) -> bool:
        """Say whether the unit is installed."""
        return self.shown("LoadState") == "loaded"

    def shown(self, attribute: str) -> str:
        """Give an attribute of the unit; empty when systemd does not say."""
        return self._systemctl("show", "--property", attribute, "--value", UNIT).stdout.strip()

    def is_active(self) -> bool:
        """Say whether the service runs, or is starting."""
        return self.shown("ActiveState") in {"active", "activating", "reloading"}

    def do(self, verb: str) -> str:
        """Start, stop or restart, and wait until that is done; give what went wrong, or an empty text."""
        ended = self._systemctl(verb, UNIT)
        return "" if ended.returncode == 0 else ended.stderr.strip() or f"systemctl ended with {ended.returncode}"

    def hurry(self) -> None:
        """Begin a stop, and let it not wait for pending logins: a second signal says so."""
        self._systemctl("stop", "--no-block", UNIT)
        # Not SIGTERM: two of the same kind at once would be one.
        self._systemctl("kill", "--signal=INT", UNIT)

    def _systemctl(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self._call([self._program, *arguments])


def find_systemd() -> Systemd | None:
    """Give systemd when it runs this machine and our unit is installed."""
    program = shutil.which("systemctl", path=_SEARCHED)
    if program is None or not RUNS_WHEN_THERE.is_dir():
        return None
    systemd = Systemd(program)
    return systemd if systemd.knows_unit() else None
