"""Free ports on loopback, safe with several pytest-xdist workers and with whatever else makes connections there.

They lie below those that the kernel gives to connections: between the choice of such a port and the start of the server
that is to have it, any connection of any program could take it.
"""

from __future__ import annotations

import os
import random
import socket
from collections.abc import Mapping
from typing import Final

LOOPBACK = "127.0.0.1"

# Above the ports that the examples in conf/ have, below net.ipv4.ip_local_port_range.
FIRST: Final = 19_000
LAST: Final = 32_767

# A port that was handed out is not handed out again in this process, though nobody may have bound it yet.
_given: set[int] = set()
_ATTEMPTS = 2_000


def free_port(host: str = LOOPBACK) -> int:
    """Find a port that is free on `host` for TCP and for UDP, and was not given out before.

    Raises:
        RuntimeError: none was found.
    """
    candidates = _of_this_worker(os.environ)
    for _ in range(_ATTEMPTS):
        port = random.choice(candidates)
        if port not in _given and _is_free_for_both(host, port):
            _given.add(port)
            return port
    raise RuntimeError(f"no port of {host} is free for both TCP and UDP")


def free_ports(number: int, host: str = LOOPBACK) -> list[int]:
    """Find `number` different free ports."""
    return [free_port(host) for _ in range(number)]


def _of_this_worker(environment: Mapping[str, str]) -> range:
    """Each worker of pytest-xdist has ports of its own: two of them never take the same at once."""
    workers = int(environment.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    number = int(environment.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    return range(FIRST + number % workers, LAST + 1, workers)


def _is_free_for_both(host: str, port: int) -> bool:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as udp, socket.socket(family, socket.SOCK_STREAM) as tcp:
        try:
            udp.bind((host, port))
            tcp.bind((host, port))
        except OSError:
            return False
    return True
