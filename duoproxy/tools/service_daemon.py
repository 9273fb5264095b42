"""The service without systemd: twistd as a daemon, found again by its process id file."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Final

from duoproxy.config.file_rights import owner_whose_rights_count
from duoproxy.config.validate import load_configuration
from duoproxy.errors import ConfigError, DuoproxyError
from duoproxy.sections.main import MAX_SHUTDOWN_GRACE_S, MainSettings
from duoproxy.service.draining import STOP_MARGIN_S
from duoproxy.service.places import Places
from duoproxy.service.privileges import PrivilegeFault, make_folder_for
from duoproxy.tools.service_identity import identity_of_installation
from duoproxy.tools.service_process import ServiceProcess, find_service

START_S: Final = 90.0
"""A start may take so long; sections wait a few seconds for names at most."""
KILLED_S: Final = 5.0
"""A process may need so long to end when it is killed."""
_TWISTD_SAYS: Final = ("An error has occurred: ", "Please look at log file")


class Daemon:
    """Starts and stops the service of one configuration file."""

    def __init__(self, configuration: Path, user: str = "", group: str = "") -> None:
        """Keep what to start.

        Args:
            configuration: the file, absolute.
            user: who the service is to be when root starts it; empty: whom the installation names.
            group: likewise its group.
        """
        self.configuration = configuration
        self._places = Places(configuration)
        self._user = user
        self._group = group

    @property
    def pid_file(self) -> Path:
        """Where the process id stands."""
        return self._places.pid_file

    def start(self) -> str:
        """Start it and wait until it is ready; give what went wrong, or an empty text."""
        try:
            command = self._command()
            self._prepare_run_folder()
            # Whatever is there names no process of ours.
            with contextlib.suppress(FileNotFoundError):
                self.pid_file.unlink()
        except DuoproxyError as fault:
            return str(fault)
        except OSError as fault:
            return f"{self.pid_file} cannot be removed: {fault.strerror}. Run this as root or as the service user."
        try:
            ended = subprocess.run(  # noqa: S603 - the arguments are ours, and nothing goes through a shell
                command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=START_S, check=False
            )
        except subprocess.TimeoutExpired:
            self._end_what_hangs()
            return f"The proxy was not ready after {START_S:g} s, and was ended. Its log says what it waited for."
        if ended.returncode == 0:
            return ""
        return _said(ended.stderr) or f"The start ended with status {ended.returncode}. Its log says why."

    def stop(self, now: bool) -> str:
        """Stop it and wait until it has ended; give what went wrong, or an empty text."""
        found = find_service(self.pid_file)
        if found is None:
            return ""
        with found:
            try:
                found.send(signal.SIGTERM)
                if now:
                    found.send(signal.SIGINT)  # a second signal; two of the same kind at once would be one
            except PermissionError:
                return f"Process {found.pid} cannot be ended from this account. Run this as root."
            return self._waited(found, STOP_MARGIN_S if now else self._grace_s() + STOP_MARGIN_S)

    def _waited(self, found: ServiceProcess, at_most_s: float) -> str:
        if found.wait_for_end(at_most_s):
            return ""
        found.send(signal.SIGKILL)
        if found.wait_for_end(KILLED_S):
            self._forget_pid()
            return ""
        return f"Process {found.pid} does not end, not even when it is killed. Look at it with ps -l {found.pid}"

    def _command(self) -> list[str]:
        twistd = Path(sys.executable).with_name("twistd")
        command = [
            str(twistd),
            f"--pidfile={self.pid_file}",
            "--rundir=/",
            "duoauthproxy",
            "-c",
            str(self.configuration),
        ]
        if os.geteuid() != 0:
            return command
        identity = identity_of_installation(self._places.run_folder, self._log_folder(), self._user, self._group)
        make_folder_for(identity, self._places.run_folder)
        return [*command, "--user", identity.user, "--group", identity.group]

    def _prepare_run_folder(self) -> None:
        folder = self._places.run_folder
        if not os.path.isdir(folder):
            raise PrivilegeFault(f"The folder {folder} for the process id is missing. Make it for the service user.")

    def _log_folder(self) -> Path:
        """Give the folder whose group is the log group: `log_dir` counts only if the configuration is root's own.

        Whoever took over the account that owns it would else choose the group of the service among all folders.
        """
        if owner_whose_rights_count(self.configuration) is not None:
            return self._places.log_folder
        main = self._main()
        return Path(main.log_dir) if main is not None and main.log_dir else self._places.log_folder

    def _grace_s(self) -> int:
        main = self._main()
        # The running service may have read another file than there is now.
        return main.shutdown_grace if main is not None else MAX_SHUTDOWN_GRACE_S

    def _main(self) -> MainSettings | None:
        from duoproxy.sections.registry import load_registry  # brings Twisted along, which `version` does not need

        try:
            main: MainSettings = load_configuration(self.configuration, load_registry().catalogue).main
        except ConfigError:
            return None
        return main

    def _end_what_hangs(self) -> None:
        found = find_service(self.pid_file)
        if found is None:
            return
        with found:
            found.send(signal.SIGKILL)
            found.wait_for_end(KILLED_S)
        self._forget_pid()

    def _forget_pid(self) -> None:
        with contextlib.suppress(OSError):
            self.pid_file.unlink()


def _said(standard_error: str) -> str:
    """Give the sentences of a start that failed, without what twistd puts round them."""
    lines = [line for line in standard_error.splitlines() if line and not line.startswith(_TWISTD_SAYS)]
    return "\n".join(dict.fromkeys(lines))
