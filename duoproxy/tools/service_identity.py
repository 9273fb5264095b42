"""Who the service runs as in an installation: what the installer wrote into the owners of its folders."""

from __future__ import annotations

import grp
import os
import pwd
from pathlib import Path

from duoproxy.service.privileges import Identity, PrivilegeFault, find_identity

SERVICE_USER = "duo_authproxy_svc"
LOG_GROUP = "duo_authproxy_grp"
_ROOT = 0


def identity_of_installation(run_folder: Path, log_folder: Path, user: str = "", group: str = "") -> Identity:
    """Find the service user and the log group.

    Args:
        run_folder: its owner is the service user, unless that is root.
        log_folder: its group is the log group, unless that is root's.
        user: who was named on the command line; wins.
        group: likewise.

    Raises:
        PrivilegeFault: there is nobody to run as.
    """
    user = user or _owner(run_folder) or (SERVICE_USER if _is_user(SERVICE_USER) else "")
    if not user:
        raise PrivilegeFault(
            f"Nobody is there to run the proxy as: {run_folder} belongs to no service user, and there is no user "
            f"{SERVICE_USER}. Name one with --user, or make it: useradd --system {SERVICE_USER}"
        )
    return find_identity(user, group or _group(log_folder) or (LOG_GROUP if _is_group(LOG_GROUP) else ""))


def _owner(folder: Path) -> str:
    try:
        number = os.lstat(folder).st_uid
    except OSError:
        return ""
    return "" if number == _ROOT else str(number)


def _group(folder: Path) -> str:
    try:
        number = os.lstat(folder).st_gid
    except OSError:
        return ""
    return "" if number == _ROOT else str(number)


def _is_user(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True


def _is_group(name: str) -> bool:
    try:
        grp.getgrnam(name)
    except KeyError:
        return False
    return True
