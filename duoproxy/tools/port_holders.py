"""Who holds a port of this machine, as /proc tells: which process, and whether it is our own service.

Reads only. Without root the processes of other accounts have no names; the account is known even then.
"""

from __future__ import annotations

import contextlib
import ipaddress
import os
import pwd
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from attrs import frozen

MAX_PROCESSES: Final = 100_000
"""Processes that are looked at."""
MAX_SOCKETS: Final = 200_000
"""Sockets that are looked at."""
MAX_ARGUMENT_BYTES: Final = 65_536
"""Octets that are read of a command line."""
_LISTENING: Final = "0A"
_SERVICE_PROGRAMS: Final = frozenset({"duoauthproxy", "authproxy"})


@frozen
class Process:
    """A process.

    Attributes:
        pid: its id.
        name: as the kernel has it, 15 characters at most.
        arguments: its command line.
    """

    pid: int
    name: str
    arguments: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.name} (process {self.pid})"


@frozen
class Holder:
    """A socket on the port.

    Attributes:
        uid: the account that made it.
        processes: who has it open; empty when only root may know.
    """

    uid: int
    processes: tuple[Process, ...]

    @property
    def account(self) -> str:
        """The name of the account, or its number."""
        try:
            return pwd.getpwuid(self.uid).pw_name
        except KeyError:
            return f"uid {self.uid}"


def port_holders(transport: str, port: int, proc: Path = Path("/proc")) -> list[Holder]:
    """List the sockets that are bound to a port (`tcp`: listening on it), whatever their address."""
    found = [one for family in ("", "6") for one in _sockets(proc / "net" / f"{transport}{family}", transport, port)]
    if not found:
        return []
    owners = _owners({inode for inode, _ in found}, proc)
    return [Holder(uid, tuple(owners.get(inode, ()))) for inode, uid in found]


def process(pid: int, proc: Path = Path("/proc")) -> Process | None:
    """Look a process up; None when there is none of this id."""
    try:
        name = (proc / str(pid) / "comm").read_text("utf-8", "replace").strip()
        with (proc / str(pid) / "cmdline").open("rb") as file:
            line = file.read(MAX_ARGUMENT_BYTES)
    except OSError:
        return None
    # Every process chooses its own name, and it is shown on root's terminal.
    name = "".join(mark if mark.isprintable() else "?" for mark in name)
    return Process(pid, name, tuple(part.decode("utf-8", "replace") for part in line.split(b"\0") if part))


def configuration_of(found: Process, default: Path, proc: Path = Path("/proc")) -> Path | None:
    """Give the configuration file that a process serves; None when it is no service of duoproxy's."""
    arguments = found.arguments
    if not any(Path(argument).name in _SERVICE_PROGRAMS for argument in arguments):
        return None
    folder = Path("/")
    with contextlib.suppress(OSError):
        folder = (proc / str(found.pid) / "cwd").readlink()
    return folder / (_named_file(arguments) or default)


def sockets_of(pid: int, proc: Path = Path("/proc")) -> list[str]:
    """List where a process listens: transport, address and port as /proc has them, decoded."""
    own = _open_files(proc / str(pid) / "fd")
    return [
        f"{transport}{family} {_address(columns[1])}"
        for transport in ("udp", "tcp")
        for family in ("", "6")
        for columns in _rows(proc / "net" / f"{transport}{family}")
        if f"socket:[{columns[9]}]" in own and (transport == "udp" or columns[3] == _LISTENING)
    ]


def _address(column: str) -> str:
    """Read an address of /proc/net: words in the order of this machine's octets, then the port."""
    host, _, port = column.partition(":")
    words = [
        bytes.fromhex(host[at : at + 8])[:: -1 if sys.byteorder == "little" else 1] for at in range(0, len(host), 8)
    ]
    shown = ipaddress.ip_address(b"".join(words))
    return f"[{shown}]:{int(port, 16)}" if shown.version == 6 else f"{shown}:{int(port, 16)}"


def _named_file(arguments: Sequence[str]) -> str:
    for number, argument in enumerate(arguments):
        if argument in ("-c", "--config") and number + 1 < len(arguments):
            return arguments[number + 1]
        if argument.startswith("--config="):
            return argument.partition("=")[2]
    return ""


def _sockets(table: Path, transport: str, port: int) -> Iterator[tuple[int, int]]:
    """Give inode and uid of the sockets of one table."""
    for columns in _rows(table):
        is_port = columns[1].rpartition(":")[2] == f"{port:04X}"
        if is_port and (transport == "udp" or columns[3] == _LISTENING):
            yield int(columns[9]), int(columns[7])


def _rows(table: Path) -> Iterator[list[str]]:
    """Give the columns of a table of /proc/net, as proc(5) names them."""
    with contextlib.suppress(OSError), table.open("r", encoding="ascii", errors="replace") as file:
        for number, line in enumerate(file):
            columns = line.split()
            if number > MAX_SOCKETS:
                return
            if number > 0 and len(columns) >= 10:
                yield columns


def _owners(inodes: set[int], proc: Path) -> dict[int, list[Process]]:
    """Find who has sockets open, as far as we may see it."""
    wanted = {f"socket:[{inode}]": inode for inode in inodes}
    owners: dict[int, list[Process]] = {}
    for pid in _pids(proc):
        for link in _open_files(proc / str(pid) / "fd"):
            if link in wanted and (found := process(pid, proc)) is not None:
                owners.setdefault(wanted[link], []).append(found)
    return owners


def _pids(proc: Path) -> list[int]:
    with contextlib.suppress(OSError):
        return sorted(int(name) for name in os.listdir(proc) if name.isdigit())[:MAX_PROCESSES]
    return []


def _open_files(folder: Path) -> set[str]:
    links: set[str] = set()
    with contextlib.suppress(OSError):
        for name in os.listdir(folder):
            with contextlib.suppress(OSError):
                links.add(os.readlink(folder / name))
    return links
