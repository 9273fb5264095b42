"""The command line of `twistd duoauthproxy`."""

from __future__ import annotations

import os
from pathlib import Path

from twisted.python import usage

from duoproxy.service.places import default_configuration

DEFAULT_CONFIG = str(default_configuration())


def configuration_path(written: str) -> Path:
    """Give the configuration file as an absolute path: its folder and the one above it have to have names, and twistd
    may change to another folder (`--rundir`) before all files are read.

    Args:
        written: as on the command line.
    """
    return Path(os.path.abspath(written))


class Options(usage.Options):
    """`twistd duoauthproxy -c authproxy.cfg`."""

    synopsis = "[-c FILE]"
    longdesc = "RADIUS and LDAP proxy that puts a second factor in front of logins."
    optParameters = [  # noqa: RUF012 - the name and the type are Twisted's
        ["config", "c", DEFAULT_CONFIG, "the configuration file"],
    ]

    def postOptions(self) -> None:
        """Let the service's own log take the place of twistd's, unless the administrator asked for another."""
        parent = self.parent
        if parent is not None and not parent.get("logger") and not parent.get("logfile"):
            parent["logger"] = "duoproxy.service.make_service.log_observer_for_twistd"
