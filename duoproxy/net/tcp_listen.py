"""A TCP listener on one address or on all, and how the addresses of its peers are written."""

from __future__ import annotations

import socket
from typing import Any, Final

from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort, IProtocolFactory

from duoproxy.errors import ListenError
from duoproxy.net.packet_info import source_endpoint

BACKLOG: Final = 1024
"""Connections that the kernel keeps while we are busy; it may allow less (net.core.somaxconn)."""


def listen_tcp(reactor: Any, interface: str, port: int, factory: IProtocolFactory) -> IListeningPort:
    """Listen for `factory`.

    Args:
        reactor: provides IReactorTCP.
        interface: an address; empty: all, IPv4 and IPv6 on one socket where there is IPv6.
        port: TCP port.
        factory: makes the protocols.

    Raises:
        ListenError: the address cannot be taken; the sentence says why and what to do.
    """
    try:
        listening: IListeningPort = reactor.listenTCP(
            port, factory, backlog=BACKLOG, interface=interface or _all_addresses()
        )
    except CannotListenError as fault:
        raise ListenError(_refused(interface, port, fault)) from fault
    return listening


def plain_address(host: str) -> str:
    """Write the address of a peer as administrators do: an IPv4 address is one, also on a socket that has IPv6 too."""
    return source_endpoint((host, 0))[0]


def _all_addresses() -> str:
    if not socket.has_ipv6:
        return ""
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as probe:
            probe.bind(("::", 0))
    except OSError:
        return ""
    return "::"


def _refused(interface: str, port: int, fault: CannotListenError) -> str:
    place = f"{interface or 'all addresses'}, TCP port {port}"
    reason = getattr(fault.socketError, "strerror", None) or str(fault.socketError)
    return (
        f"Cannot listen on {place}: {reason}. Stop the program that has the port, or give this section another "
        "`port` or `interface`; a port below 1024 needs root or CAP_NET_BIND_SERVICE."
    )
