"""Who holds a port, read from a /proc that a test has written."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from duoproxy.tools.port_holders import Process, configuration_of, port_holders, process, sockets_of

HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"


def row(address: str, state: str, uid: int, inode: int) -> str:
    return f"   0: {address} 00000000:0000 {state} 00000000:00000000 00:00000000 00000000  {uid}        0 {inode} 2 0\n"


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    net = tmp_path / "net"
    net.mkdir()
    (net / "udp").write_text(HEAD + row("0100007F:0714", "07", 994, 111))  # 127.0.0.1:1812
    (net / "udp6").write_text(HEAD + row("00000000000000000000000001000000:0715", "07", 0, 222))  # [::1]:1813
    (net / "tcp").write_text(HEAD + row("0100007F:0185", "0A", 0, 333) + row("0100007F:0185", "01", 0, 444))
    add(
        tmp_path,
        4711,
        "twistd",
        ["python", "/opt/x/bin/twistd", "duoauthproxy", "-c", "conf/authproxy.cfg"],
        [111, 333],
    )
    (tmp_path / "4711" / "cwd").symlink_to("/opt/x")
    add(tmp_path, 815, "radiusd", ["/usr/sbin/radiusd"], [222])
    (tmp_path / "self").mkdir()
    return tmp_path


def add(proc: Path, pid: int, name: str, arguments: list[str], inodes: list[int]) -> None:
    folder = proc / str(pid)
    (folder / "fd").mkdir(parents=True)
    (folder / "comm").write_text(name + "\n")
    (folder / "cmdline").write_bytes("\0".join(arguments).encode() + b"\0")
    for number, inode in enumerate(inodes):
        os.symlink(f"socket:[{inode}]", folder / "fd" / str(number))


def test_the_process_behind_a_port_is_found(proc: Path) -> None:
    """By the inode of its socket; with the account that made it."""
    [holder] = port_holders("udp", 1812, proc)
    assert holder.uid == 994
    assert [str(one) for one in holder.processes] == ["twistd (process 4711)"]


def test_a_port_of_ipv6_counts_too(proc: Path) -> None:
    """Its table is another."""
    assert [str(one) for one in port_holders("udp", 1813, proc)[0].processes] == ["radiusd (process 815)"]


def test_a_free_port_has_no_holder(proc: Path) -> None:
    """Nor has one that is only connected to."""
    assert port_holders("udp", 1645, proc) == []
    assert len(port_holders("tcp", 389, proc)) == 1


def test_a_process_that_hides_its_files_has_no_name(proc: Path) -> None:
    """Its account is known all the same."""
    for link in (proc / "4711" / "fd").iterdir():
        link.unlink()
    [holder] = port_holders("udp", 1812, proc)
    assert (holder.uid, holder.processes) == (994, ())


def test_a_service_names_its_configuration(proc: Path) -> None:
    """Relative to where it works; without an option it is the installed one."""
    found = process(4711, proc)
    assert found is not None
    assert configuration_of(found, Path("/default.cfg"), proc) == Path("/opt/x/conf/authproxy.cfg")
    short = Process(4711, "authproxy", ("/opt/x/bin/authproxy",))
    assert configuration_of(short, Path("/default.cfg"), proc) == Path("/default.cfg")
    other = Process(815, "radiusd", ("/usr/sbin/radiusd", "-c", "x"))
    assert configuration_of(other, Path("/default.cfg"), proc) is None


def test_a_process_that_is_gone_is_none(proc: Path) -> None:
    """Between two looks."""
    assert process(1, proc) is None


def test_the_sockets_of_a_process_are_listed_with_their_addresses(proc: Path) -> None:
    """Those that listen."""
    assert sockets_of(4711, proc) == ["udp 127.0.0.1:1812", "tcp 127.0.0.1:389"]
    assert sockets_of(815, proc) == ["udp6 [::1]:1813"]


def test_a_name_that_would_play_with_the_terminal_is_shown_harmless(proc: Path) -> None:
    """Every process chooses its own."""
    add(proc, 6, "\x1b[2Jsshd", ["x"], [])
    found = process(6, proc)
    assert found is not None
    assert str(found) == "?[2Jsshd (process 6)"
