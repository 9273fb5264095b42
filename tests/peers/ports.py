"""Free ports on loopback, safe with several pytest-xdist workers: the kernel gives them."""

from __future__ import annotations

import contextlib
import socket

LOOPBACK = "127.0.0.1"

# A port that was handed out is not handed out again in this process, though nobody may have bound it yet.
_given: set[int] = set()
_ATTEMPTS = 200


def free_port(host: str = LOOPBACK) -> int:
    """Find a port that is free on `host` for TCP and for UDP, and was not given out before.

    Raises:
        RuntimeError: none was found.
    """
    for _ in range(_ATTEMPTS):
        port = _free_for_both(host)
        if port is not None and port not in _given:
            _given.add(port)
            return port
    raise RuntimeError(f"no port of {host} is free for both TCP and UDP")


def free_ports(number: int, host: str = LOOPBACK) -> list[int]:
    """Find `number` different free ports."""
    return [free_port(host) for _ in range(number)]


def _free_for_both(host: str) -> int | None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as udp, socket.socket(family, socket.SOCK_STREAM) as tcp:
        udp.bind((host, 0))
        port: int = udp.getsockname()[1]
        with contextlib.suppress(OSError):
            tcp.bind((host, port))
            return port
    return None
