"""Whether each port that a section listens on is free, or held by our own service, or by somebody else."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from duoproxy.config.schema import Listener
from duoproxy.errors import ListenError
from duoproxy.net.udp import bind_udp
from duoproxy.sections.checks import CheckFinding, CheckLevel
from duoproxy.service.places import Places, default_configuration
from duoproxy.tools.file_checks import service_account
from duoproxy.tools.port_holders import Holder, Process, configuration_of, port_holders, process
from duoproxy.tools.service_process import read_pid_file

_NO_RIGHT: Final = frozenset({errno.EACCES, errno.EPERM})


def port_findings(listener: Listener, configuration: Path) -> Sequence[CheckFinding]:
    """Try to take a port, and tell who has it where that cannot be.

    Args:
        listener: transport, interface, port.
        configuration: the file that is tested; the service that serves it may hold the port.
    """
    transport, interface, port = listener
    fault = _try(transport, interface, port)
    if fault is None:
        return []
    where = f"{transport.upper()} port {port} on {interface or 'all addresses'}"
    if fault.errno in _NO_RIGHT:
        return _without_right(transport, port, where, configuration)
    if fault.errno == errno.EADDRINUSE:
        return _taken(transport, port, where, configuration)
    if fault.errno == errno.EADDRNOTAVAIL:
        what = f"{where} cannot be listened on: this machine does not have that address"
        remedy = "Write one of its own addresses (`ip address` lists them) in the option interface, or leave it out"
        return [CheckFinding(CheckLevel.ERROR, what, remedy)]
    what = f"{where} cannot be listened on ({fault.strerror})"
    return [CheckFinding(CheckLevel.ERROR, what, "Check the options interface and port")]


def _try(transport: str, interface: str, port: int) -> OSError | None:
    """Take the port as the service would, and give it back at once."""
    if transport == "udp":
        try:
            bind_udp(interface, port).close()
        except ListenError as fault:
            cause = fault.__cause__
            return cause if isinstance(cause, OSError) else OSError(errno.EINVAL, str(fault))
        return None
    family = socket.AF_INET6 if ":" in interface else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as tcp:
        tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tcp.bind((interface, port))
            tcp.listen(1)
        except OSError as fault:
            return fault
    return None


def _without_right(transport: str, port: int, where: str, configuration: Path) -> Sequence[CheckFinding]:
    if port_holders(transport, port):
        return _taken(transport, port, where, configuration)
    what = f"{where} is free, but this account may not take it; the service may, as systemd or root starts it"
    return [CheckFinding(CheckLevel.INFO, what)]


def _taken(transport: str, port: int, where: str, configuration: Path) -> Sequence[CheckFinding]:
    holders = port_holders(transport, port)
    if any(_is_ours(holder, configuration) for holder in holders):
        return []
    processes = list(dict.fromkeys(str(one) for holder in holders for one in holder.processes))
    option = "Stop it, or write another number in the option port of this section and on the devices"
    if processes:
        what = f"{where} is held by {', '.join(processes)}, which is not the service of this file"
        return [CheckFinding(CheckLevel.ERROR, what, option)]
    accounts = ", ".join(dict.fromkeys(holder.account for holder in holders if holder.uid != os.geteuid()))
    if not accounts:
        return [CheckFinding(CheckLevel.ERROR, f"{where} is held by a program that has no name here", option)]
    what = f"{where} is held by a program of {accounts}, and only root may know which"
    return [CheckFinding(CheckLevel.WARNING, what, "Run the tool as root; it is well if that is the service itself")]


def _is_ours(holder: Holder, configuration: Path) -> bool:
    """Whether the service of this file has the socket; what another account runs under its name is not it."""
    if holder.uid not in _accounts(configuration):
        return False
    if any(_serves(one, configuration) for one in holder.processes):
        return True
    running = service_process(configuration)
    if running is None or holder.processes:
        return running is not None and running in holder.processes
    with contextlib.suppress(OSError):  # the names are hidden from us; accounts are not
        return holder.uid == os.stat(f"/proc/{running.pid}").st_uid
    return False


def _accounts(configuration: Path) -> set[int]:
    """Who may run the service: root, the account of the service, and whoever asks."""
    places = Places(configuration)
    service = service_account(places.run_folder, places.log_folder)
    return {0, os.geteuid(), *([service.uid] if service is not None else [])}


def _serves(found: Process, configuration: Path) -> bool:
    if found.pid == os.getpid():
        return True
    served = configuration_of(found, default_configuration())
    return served is not None and _same_file(served, configuration)


def service_process(configuration: Path) -> Process | None:
    """Find the running service of a file by its pid file; None when there is none, or the id is another program's."""
    written = read_pid_file(Places(configuration).pid_file)
    if written is None:
        return None
    found = process(written[0])
    return found if found is not None and _serves(found, configuration) else None


def _same_file(one: Path, other: Path) -> bool:
    try:
        return os.path.samefile(one, other)
    except OSError:
        return os.path.realpath(one) == os.path.realpath(other)
