"""The machine of a user, as a network namespace: only a pair of interfaces leads to ours. Needs root."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass

DEADLINE_S = 60.0


@dataclass(frozen=True)
class UserMachine:
    """A network namespace.

    Attributes:
        name: of the namespace; at most 12 characters, so that interfaces can be named after it.
        server_address: of the server, as it sees it.
        user_address: its own.
    """

    name: str
    server_address: str
    user_address: str

    def command(self, *words: str) -> list[str]:
        """Make the command line that runs a program there."""
        return ["ip", "netns", "exec", self.name, *words]

    def ping(self, address: str) -> bool:
        """Whether an address answers it."""
        command = self.command("ping", "-c", "1", "-W", "1", address)
        return subprocess.run(command, capture_output=True, timeout=DEADLINE_S, check=False).returncode == 0


@contextlib.contextmanager
def user_machine(kind: str, subnet: int, server: str = "") -> Iterator[UserMachine]:
    """Make a machine that reaches the server's and nothing else.

    Args:
        kind: two letters, for its name.
        subnet: the third octet of its addresses; each kind has its own, so that several can stand side by side.
        server: the namespace of the server; our own when empty.
    """
    machine = UserMachine(f"dp{kind}{os.getpid()}", f"10.97.{subnet}.1", f"10.97.{subnet}.2")
    ours, theirs = f"{machine.name}a", f"{machine.name}b"
    run_ip("netns", "add", machine.name)
    try:
        there = ["-n", server] if server else []
        run_ip(*there, "link", "add", ours, "type", "veth", "peer", "name", theirs, "netns", machine.name)
        run_ip(*there, "addr", "add", f"{machine.server_address}/30", "dev", ours)
        run_ip(*there, "link", "set", ours, "up")
        run_ip("-n", machine.name, "addr", "add", f"{machine.user_address}/30", "dev", theirs)
        run_ip("-n", machine.name, "link", "set", theirs, "up")
        run_ip("-n", machine.name, "link", "set", "lo", "up")
        yield machine
    finally:
        # The interfaces go with it.
        run_ip("netns", "delete", machine.name)


def run_ip(*arguments: str) -> None:
    """Run one command of iproute2."""
    subprocess.run(["ip", *arguments], check=True, capture_output=True, timeout=DEADLINE_S)
