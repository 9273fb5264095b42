"""From root to the service user, once and for good.

Root binds the ports and reads what only root may read; then this process becomes the service user, with the log group
as its only group and CAP_NET_BIND_SERVICE as its only capability (a listener that a reload adds may need it). Logs,
process id and everything later are opened by the service user, so that root never writes where somebody else has
rights. What cannot be given up is an error: the start ends.
"""

from __future__ import annotations

import grp
import os
import pwd
import resource
import stat
from pathlib import Path

from attrs import frozen

from duoproxy.errors import DuoproxyError
from duoproxy.service.log_files import FOLDER_MODE

_ROOT = 0
_WRITABLE_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH


class PrivilegeFault(DuoproxyError):
    """Rights cannot be given up as they should; `str()` is a sentence with cause and remedy."""


@frozen
class Identity:
    """Who the service is to run as.

    Attributes:
        user: name of the service user.
        user_id: its number.
        group: name of the log group.
        group_id: its number.
    """

    user: str
    user_id: int
    group: str
    group_id: int


def find_identity(user: str, group: str = "") -> Identity:
    """Look a user and a group up.

    Args:
        user: a name or a number.
        group: a name or a number; empty: the user's own.

    Raises:
        PrivilegeFault: there is none of that name, or it is root.
    """
    try:
        account = pwd.getpwuid(int(user)) if user.isdecimal() else pwd.getpwnam(user)
    except KeyError:
        raise PrivilegeFault(
            f"There is no user {user}. Make one (useradd --system {user}), or name another one with --user."
        ) from None
    if account.pw_uid == _ROOT:
        raise PrivilegeFault("The service user cannot be root. Name a user without rights of its own with --user.")
    try:
        its_group = _group(group or str(account.pw_gid))
    except KeyError:
        raise PrivilegeFault(
            f"There is no group {group or account.pw_gid}. Make one (groupadd --system), or name another one with "
            "--group."
        ) from None
    return Identity(account.pw_name, account.pw_uid, its_group.gr_name, its_group.gr_gid)


def _group(written: str) -> grp.struct_group:
    return grp.getgrgid(int(written)) if written.isdecimal() else grp.getgrnam(written)


def forbid_core_dumps() -> None:
    """Let no crash write the memory of this process, in which secrets are, into a file.

    Only the soft limit: who looks for a fault may allow one, `prlimit --core=unlimited --pid PID`.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, hard))


def make_folder_for(identity: Identity, folder: Path) -> None:
    """Make a folder of the service user, as root, where nobody but root could have put something else.

    One that is there already is left as it is.

    Raises:
        PrivilegeFault: the folder above is missing, or others than root may write to it.
    """
    if os.path.lexists(folder):
        return
    remedy = f"Make it: install -d -m 0750 -o {identity.user} -g {identity.group} {folder}"
    try:
        above = os.stat(folder.parent)
        if above.st_uid != _ROOT or above.st_mode & _WRITABLE_BY_OTHERS:
            raise PrivilegeFault(f"The folder {folder} is missing. {remedy}")
        os.mkdir(folder, FOLDER_MODE)
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as fault:
        raise PrivilegeFault(f"The folder {folder} is missing and cannot be made: {fault.strerror}. {remedy}") from None
    try:
        os.fchown(descriptor, identity.user_id, identity.group_id)
        os.fchmod(descriptor, FOLDER_MODE)
    finally:
        os.close(descriptor)


def become(identity: Identity) -> None:
    """Turn this process into the service user; before the first thread is started.

    Nothing happens when it is that user already.

    Raises:
        PrivilegeFault: it cannot be, or it could be undone.
    """
    if os.geteuid() == identity.user_id and os.getuid() == identity.user_id:
        return
    if os.geteuid() != _ROOT:
        raise PrivilegeFault(f"Only root can become {identity.user}. Start as root, or leave --user out.")
    # Only here: ctypes wants memory that can be written and run, which systemd's sandbox has no need to allow.
    from duoproxy.service import capabilities

    try:
        kept = capabilities.permitted_capabilities() & {capabilities.CAP_NET_BIND_SERVICE}
        capabilities.bound_capabilities(kept)
        capabilities.keep_capabilities_over_change_of_user(True)
        os.setgroups([identity.group_id])
        os.setresgid(identity.group_id, identity.group_id, identity.group_id)
        os.setresuid(identity.user_id, identity.user_id, identity.user_id)
        capabilities.set_capabilities(kept)
        capabilities.keep_capabilities_over_change_of_user(False)
        capabilities.forbid_new_privileges()
    except OSError as fault:
        raise PrivilegeFault(
            f"Root cannot become {identity.user} here: {fault.strerror}. A container needs the capabilities SETUID, "
            f"SETGID and SETPCAP for it; or start as {identity.user} from the beginning."
        ) from None
    _make_sure(identity, capabilities.permitted_capabilities() == kept)


def _make_sure(identity: Identity, capabilities_are_gone: bool) -> None:
    """Look whether the rights are gone indeed."""
    user, group = identity.user_id, identity.group_id
    as_wanted = (
        os.getresuid() == (user, user, user)
        and os.getresgid() == (group, group, group)
        and os.getgroups() == [group]
        and capabilities_are_gone
    )
    if not as_wanted or _is_root_again():
        raise PrivilegeFault(f"Root became {identity.user}, but kept rights that it should not have. Please report it.")


def _is_root_again() -> bool:
    try:
        os.setuid(_ROOT)
    except OSError:
        return False
    return True
