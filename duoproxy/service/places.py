"""Where things stand in an installation: the layout that the service and the tools agree on.

The configuration file names it all: logs and run-time files stand beside the folder that holds it, as in
`/opt/duoauthproxy/{conf,log,run}`.
"""

from __future__ import annotations

import sys
from pathlib import Path

from attrs import frozen

from duoproxy.config.protected import key_file_beside

DEFAULT_BASE = Path("/opt/duoauthproxy")
# Where the installer puts the virtual environment, below the base.
ENVIRONMENT_IN_BASE = ("usr", "local")


@frozen
class Places:
    """The files of one installation.

    Attributes:
        configuration: the configuration file, absolute.
    """

    configuration: Path

    @property
    def base(self) -> Path:
        """The folder of the installation: the one above the folder of the configuration file."""
        return self.configuration.parent.parent

    @property
    def log_folder(self) -> Path:
        """Where logs go unless `log_dir` says otherwise."""
        return self.base / "log"

    @property
    def run_folder(self) -> Path:
        """Where files stand that matter only while the service runs, or until a short time ends."""
        return self.base / "run"

    @property
    def pid_file(self) -> Path:
        """The process id of the running service."""
        return self.run_folder / "duoauthproxy.pid"

    @property
    def control_socket(self) -> Path:
        """The Unix socket on which the running service answers the tools."""
        return self.run_folder / "duoauthproxy.sock"

    @property
    def primary_only_file(self) -> Path:
        """Until when logins need the password only; survives a restart."""
        return self.run_folder / "primary_only.json"

    @property
    def protection_key_file(self) -> Path:
        """The key that `_protected` values are made with."""
        return key_file_beside(self.configuration.parent)


def installed_base(environment: Path | None = None) -> Path:
    """Give the folder of the installation that the running Python belongs to.

    Args:
        environment: the virtual environment; this process's own when not given.

    Returns:
        the folder above `usr/local` for an environment that the installer made; `/opt/duoauthproxy` otherwise.
    """
    prefix = environment or Path(sys.prefix)
    if prefix.parts[-2:] == ENVIRONMENT_IN_BASE and (prefix.parents[1] / "conf").is_dir():
        return prefix.parents[1]
    return DEFAULT_BASE


def default_configuration(environment: Path | None = None) -> Path:
    """Give the configuration file that tools and service read when none is named."""
    return installed_base(environment) / "conf" / "authproxy.cfg"
