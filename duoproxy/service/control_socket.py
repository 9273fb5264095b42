"""The file of the control socket: made for root and the service's user only, and never through a symbolic link.

It is made by the service's user in a folder of its own, so that root has no business there; a stale socket is replaced,
one that somebody answers on is left alone.
"""

from __future__ import annotations

import os
import socket
import stat
import struct
from pathlib import Path
from typing import Final

from attrs import frozen

from duoproxy.errors import DuoproxyError

SOCKET_MODE: Final = 0o600
BACKLOG: Final = 16
_WRITABLE_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH
_CREDENTIALS = struct.Struct("3i")


class ControlSocketFault(DuoproxyError):
    """The socket cannot be made: one sentence."""


class NoRunFolder(ControlSocketFault):
    """There is no folder for it: nobody installed the service, as in a clone."""


@frozen(eq=False)
class ListeningSocket:
    """A socket that listens, and the file that leads to it.

    Attributes:
        listener: not blocking.
        path: of the file.
        inode: of the file, so that only our own is taken away.
    """

    listener: socket.socket
    path: Path
    inode: int

    def close(self) -> None:
        """Stop listening, and take the file away if it is still ours."""
        self.listener.close()
        try:
            if os.lstat(self.path).st_ino == self.inode:
                self.path.unlink()
        except OSError:
            return


def open_control_socket(path: Path) -> ListeningSocket:
    """Listen on `path`.

    Raises:
        NoRunFolder: its folder does not exist.
        ControlSocketFault: it cannot be made, or would not be safe.
    """
    folder = _open_folder(path.parent)
    try:
        _remove_stale(folder, path)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
        try:
            inode = _bind(listener, folder, path)
        except OSError as fault:
            listener.close()
            raise ControlSocketFault(f"{path} cannot be made: {fault.strerror or fault}.") from fault
        return ListeningSocket(listener, path, inode)
    finally:
        os.close(folder)


def peer_uid(connection: socket.socket) -> int:
    """Give the user at the other end, as the kernel noted it when the connection was made."""
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    uid: int = _CREDENTIALS.unpack(credentials)[1]
    return uid


def reachable_name(folder: int, path: Path) -> str:
    """Give a name for a socket that is short enough for the kernel, however deep its folder stands."""
    return f"/proc/self/fd/{folder}/{path.name}"


def _open_folder(folder: Path) -> int:
    try:
        opened = os.open(folder, os.O_DIRECTORY | os.O_NOFOLLOW | os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        raise NoRunFolder(f"there is no folder {folder}") from None
    except OSError as fault:
        raise ControlSocketFault(f"{folder} cannot be used: {fault.strerror}.") from fault
    found = os.fstat(opened)
    if found.st_uid not in (0, os.geteuid()) or found.st_mode & _WRITABLE_BY_OTHERS:
        os.close(opened)
        raise ControlSocketFault(
            f"{folder} can be written by others than root and the service's user: give it to that user, mode 0755."
        )
    return opened


def _remove_stale(folder: int, path: Path) -> None:
    """Take away a socket that nobody answers on; everything else that stands there stays."""
    try:
        found = os.stat(path.name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(found.st_mode):
        raise ControlSocketFault(f"{path} is there, and is no socket: remove it.")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as trial:
        trial.settimeout(1.0)
        try:
            trial.connect(reachable_name(folder, path))
        except (ConnectionRefusedError, FileNotFoundError):
            pass
        except OSError as fault:
            raise ControlSocketFault(f"{path} is in use ({fault}).") from fault
        else:
            raise ControlSocketFault(f"{path} is answered by another process: stop that one, or give each its folder.")
    try:
        os.unlink(path.name, dir_fd=folder)
    except OSError as fault:
        raise ControlSocketFault(f"the old {path} cannot be removed: {fault.strerror}.") from fault


def _bind(listener: socket.socket, folder: int, path: Path) -> int:
    """Bind without a moment in which others could connect; gives the inode of the file."""
    former = os.umask(0o777 & ~SOCKET_MODE)
    try:
        listener.bind(reachable_name(folder, path))
    finally:
        os.umask(former)
    listener.listen(BACKLOG)
    return os.stat(path.name, dir_fd=folder, follow_symlinks=False).st_ino
