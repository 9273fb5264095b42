"""The command line of `twistd duoauthproxy`."""

from __future__ import annotations

import os
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

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

    synopsis = "[-c FILE] [--user USER [--group GROUP]]"
    longdesc = "RADIUS and LDAP proxy that puts a second factor in front of logins."
    optParameters = [  # noqa: RUF012 - the name and the type are Twisted's
        ["config", "c", DEFAULT_CONFIG, "the configuration file"],
        ["user", "u", "", "the user to become when the ports are taken; for a start as root"],
        ["group", "g", "", "the group of the logs, the user's only one; without it the user's own group"],
    ]

    def postOptions(self) -> None:
        """Let the service's own log take the place of twistd's, unless the administrator asked for another."""
        parent = self.parent
        if parent is None:
            return
        if not parent.get("logger") and not parent.get("logfile"):
            parent["logger"] = "duoproxy.service.make_service.log_observer_for_twistd"
        self._take_over_identity(parent)

    def _take_over_identity(self, parent: MutableMapping[str, Any]) -> None:
        """Let `twistd --uid U --gid G` mean the same as `--user U --group G`.

        twistd itself would change after its log was opened by root, and keep no capability.
        """
        if parent.get("euid"):
            raise usage.UsageError("--euid is not served: root's rights are given up for good. Use --user and --group.")
        for ours, theirs in (("user", "uid"), ("group", "gid")):
            if parent.get(theirs) is not None:
                self[ours] = self[ours] or str(parent[theirs])
                parent[theirs] = None
        if self["group"] and not self["user"]:
            raise usage.UsageError("--group needs --user.")
