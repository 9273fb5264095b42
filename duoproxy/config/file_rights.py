"""With whose eyes root reads the files that a configuration names.

The account of the service often owns its configuration, and could write into it. What such a configuration names is
read with the rights of its owner, also by root: otherwise whoever took over that account would have root open any file
of the machine, and send it wherever a section sends its secrets.
"""

from __future__ import annotations

import os
import pwd
from pathlib import Path

_ROOT = 0
_READ, _SEARCH = 4, 1


def owner_whose_rights_count(configuration: Path) -> int | None:
    """Give the owner of a configuration that root reads and another owns; None: the rights of this process count."""
    if os.geteuid() != _ROOT:
        return None
    try:
        owner = configuration.stat().st_uid
    except OSError:
        return None
    return owner if owner != _ROOT else None


def may_read(user_id: int, descriptor: int) -> bool:
    """Tell whether a user may read an open file by its mode, and may get to it by those of the folders above it."""
    groups = _groups_of(user_id)
    if not _may(user_id, groups, os.fstat(descriptor), _READ):
        return False
    try:
        folders = Path(os.readlink(f"/proc/self/fd/{descriptor}")).parents
        return all(_may(user_id, groups, folder.stat(), _SEARCH) for folder in folders)
    except OSError:
        return False


def name_of_user(user_id: int) -> str:
    """Give a user's name, or the number where it has none."""
    try:
        return pwd.getpwuid(user_id).pw_name
    except KeyError:
        return f"uid {user_id}"


def _groups_of(user_id: int) -> frozenset[int]:
    try:
        account = pwd.getpwuid(user_id)
    except KeyError:
        return frozenset()
    return frozenset(os.getgrouplist(account.pw_name, account.pw_gid))


def _may(user_id: int, groups: frozenset[int], about: os.stat_result, wanted: int) -> bool:
    if about.st_uid == user_id:
        return bool(about.st_mode >> 6 & wanted)
    shift = 3 if about.st_gid in groups else 0
    return bool(about.st_mode >> shift & wanted)
