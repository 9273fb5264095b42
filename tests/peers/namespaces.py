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
        server_address: ours, as it sees us.
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
def user_machine(kind: str, subnet: int) -> Iterator[UserMachine]:
    """Make a machine that reaches ours and nothing else.

    Args:
        kind: two letters, for its name.
        subnet: the third octet of its addresses; each kind has its own, so that several can stand side by side.
    """
    machine = UserMachine(f"dp{kind}{os.getpid()}", f"10.97.{subnet}.1", f"10.97.{subnet}.2")
    ours, theirs = f"{machine.name}a", f"{machine.name}b"
    _ip("netns", "add", machine.name)
    try:
        _ip("link", "add", ours, "type", "veth", "peer", "name", theirs, "netns", machine.name)
        _ip("addr", "add", f"{machine.server_address}/30", "dev", ours)
        _ip("link", "set", ours, "up")
        _ip("-n", machine.name, "addr", "add", f"{machine.user_address}/30", "dev", theirs)
        _ip("-n", machine.name, "link", "set", theirs, "up")
        _ip("-n", machine.name, "link", "set", "lo", "up")
        yield machine
    finally:
        # The interfaces go with it.
        _ip("netns", "delete", machine.name)


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True, timeout=DEADLINE_S)
