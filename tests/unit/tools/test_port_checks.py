"""Whether a port is free, ours, or another's: what is said of each."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from duoproxy.service.places import Places
from duoproxy.tools import port_checks
from duoproxy.tools.port_checks import port_findings, service_process
from duoproxy.tools.port_holders import Holder, Process

LISTENER = ("udp", "", 1812)
STRANGER = 54_321
Hold = Callable[..., None]


@pytest.fixture
def configuration(tmp_path: Path) -> Path:
    path = tmp_path / "conf" / "authproxy.cfg"
    path.parent.mkdir()
    path.touch()
    return path


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Hold:
    """Let the port be taken by these."""

    def hold(*holders: Holder, number: int = errno.EADDRINUSE) -> None:
        fault = OSError(number, os.strerror(number))
        monkeypatch.setattr(port_checks, "_try", lambda transport, interface, port: fault)
        monkeypatch.setattr(port_checks, "port_holders", lambda transport, port: list(holders))

    return hold


def service(configuration: Path, pid: int = 4711) -> Process:
    return Process(pid, "twistd", ("twistd", "duoauthproxy", "-c", str(configuration)))


def said(configuration: Path) -> list[str]:
    return [f"{one.level.value}: {one}" for one in port_findings(LISTENER, configuration)]


def test_the_service_of_this_file_may_have_its_port(configuration: Path, held: Hold) -> None:
    """Root's, or that of the account that asks."""
    held(Holder(os.geteuid(), (service(configuration),)))
    assert said(configuration) == []


def test_who_only_calls_itself_the_service_is_named(configuration: Path, held: Hold) -> None:
    """Anybody can choose the words of a command line."""
    held(Holder(STRANGER, (service(configuration),)))
    assert said(configuration) == [
        "error: UDP port 1812 on all addresses is held by twistd (process 4711), which is not the service of this "
        "file. Stop it, or write another number in the option port of this section and on the devices."
    ]


def test_the_service_itself_knows_its_own_port(configuration: Path, held: Hold) -> None:
    """Whatever it is called: `test_connectivity_on_startup`."""
    held(Holder(os.geteuid(), (Process(os.getpid(), "python", ("python",)),)))
    assert said(configuration) == []


def test_a_holder_without_a_name_is_a_warning_with_its_account(configuration: Path, held: Hold) -> None:
    """It may be the service: root would know."""
    held(Holder(STRANGER, ()))
    assert said(configuration) == [
        f"warn: UDP port 1812 on all addresses is held by a program of uid {STRANGER}, and only root may know which. "
        "Run the tool as root; it is well if that is the service itself."
    ]


def test_a_port_that_this_account_may_not_take_is_no_problem(configuration: Path, held: Hold) -> None:
    """Below 1024, without root."""
    held(number=errno.EACCES)
    assert said(configuration) == [
        "info: UDP port 1812 on all addresses is free, but this account may not take it; the service may, as systemd "
        "or root starts it."
    ]


def test_an_address_of_another_machine(configuration: Path, held: Hold) -> None:
    """With where to look for our own."""
    held(number=errno.EADDRNOTAVAIL)
    assert said(configuration) == [
        "error: UDP port 1812 on all addresses cannot be listened on: this machine does not have that address. Write "
        "one of its own addresses (`ip address` lists them) in the option interface, or leave it out."
    ]


def test_a_pipe_in_the_place_of_the_pid_file_keeps_nobody_waiting(configuration: Path) -> None:
    """The run folder belongs to the service's account, and root asks for the process."""
    pid_file = Places(configuration).pid_file
    pid_file.parent.mkdir(exist_ok=True)
    pid_file.unlink(missing_ok=True)
    os.mkfifo(pid_file)
    assert service_process(configuration) is None
