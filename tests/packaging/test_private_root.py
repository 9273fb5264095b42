"""What the tests of packaging stand on: a private root keeps what happens in it."""

from __future__ import annotations

from pathlib import Path

from tests.packaging.conftest import NewRoot


def test_what_is_written_in_a_private_root_stays_there(new_root: NewRoot) -> None:
    """A file that is written in the private root is not on this system."""
    root = new_root()
    root.shell("echo here >/etc/written-in-a-private-root")
    assert root.path("/etc/written-in-a-private-root").read_text() == "here\n"
    assert not Path("/etc/written-in-a-private-root").exists()


def test_a_private_root_has_no_network_but_loopback(new_root: NewRoot) -> None:
    """Only the loopback interface is there."""
    interfaces = new_root().shell("ls /sys/class/net 2>/dev/null; cat /proc/net/dev | tail -n +3 | cut -d: -f1")
    assert set(interfaces.split()) == {"lo"}
