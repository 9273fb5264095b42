"""Octets that leave in the call that writes them, where that is possible.

Twisted keeps what is written until the reactor says that the socket takes it: per write that is one more event and two
more system calls, most of what relaying a short message costs. A socket whose buffer has room takes the octets at once;
whatever it does not take goes the usual way, with everything that hangs on it (producers that are paused, losses that
are noticed). Order is kept: while anything waits, nothing overtakes it.

It must not know what the octets are.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.tcp import Connection


def write_promptly(transport: Any, octets: bytes) -> None:
    """Write octets as `transport.write` does, over TCP without TLS at once as far as the socket takes them."""
    if octets and isinstance(transport, Connection) and _is_idle(transport):
        try:
            taken = transport.socket.send(octets)  # straight to it: the layers between cost as much as the rest of this
        except OSError:
            taken = 0
        if taken == len(octets):
            return
        octets = octets[taken:]
    transport.write(octets)  # which also finds out about a connection that is lost


def _is_idle(transport: Any) -> bool:
    """Whether the transport is connected, for itself, and nothing waits to be written."""
    return bool(
        transport.connected
        and not transport.TLS
        and not transport.disconnecting
        and not transport.dataBuffer
        and not transport._tempDataBuffer
    )
