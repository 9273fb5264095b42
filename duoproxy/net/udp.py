"""A UDP socket for RADIUS: replies leave from the address that was asked, bursts are read in one go, nothing stops it.

Twisted's own UDP port tells a protocol neither the local address of a datagram nor lets it choose one, so this is a
descriptor of its own. It knows octets and endpoints only. Source: RFC 2865 §3, RFC 5080 §2.7 (source of replies).
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable
from typing import Final, Protocol

from twisted.internet.interfaces import IReactorFDSet, IReadDescriptor
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from duoproxy.errors import ListenError
from duoproxy.net import packet_info
from duoproxy.net.packet_info import Endpoint, RefusedDatagram
from duoproxy.net.radius_sentences import listen_refused

__all__ = [
    "DatagramReceiver",
    "DatagramTransport",
    "Endpoint",
    "UdpSocket",
    "bind_udp",
    "open_udp",
    "source_host_towards",
]

MAX_DATAGRAM_BYTES: Final = 4096
"""Octets read of one datagram: no RADIUS packet is longer, and what follows a packet is padding."""

READS_PER_WAKE_UP: Final = 64
RECEIVE_BUFFER_BYTES: Final = 4 * 1024 * 1024

_WILDCARDS = frozenset({"", "0.0.0.0", "::"})
_NO_IPV6 = frozenset({errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL, errno.EPROTONOSUPPORT})
_LEFT_BY_AN_EARLIER_DATAGRAM = frozenset({errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EPROTO})


class DatagramReceiver(Protocol):
    """Takes one datagram."""

    def __call__(self, datagram: bytes, source: Endpoint, local_host: str) -> None:
        """Take `datagram`, which came from `source` to our address `local_host` (empty when that is not known)."""


class DatagramTransport(Protocol):
    """What a RADIUS server or client needs of a socket; tests have one in memory."""

    @property
    def port(self) -> int:
        """The local port."""

    @property
    def receive_buffer_bytes(self) -> int:
        """What the kernel says of the receive buffer, its own overhead included."""

    def start_reading(
        self,
        reactor: IReactorFDSet,
        receiver: DatagramReceiver,
        refused: Callable[[RefusedDatagram], None] | None = None,
    ) -> None:
        """Give every datagram to `receiver` from now on, and every ICMP refusal to `refused`."""

    def send(self, datagram: bytes, destination: Endpoint, local_host: str = "") -> bool:
        """Send `datagram`, from `local_host` when given; false when it could not be handed to the kernel."""

    def close(self) -> None:
        """Stop reading and give the port back."""


@implementer(IReadDescriptor)
class UdpSocket:
    """A bound, non-blocking UDP socket in a reactor; see `bind_udp` and `open_udp`."""

    _log = Logger()

    def __init__(self, sock: socket.socket, local_host: str = "") -> None:
        """Take over `sock`; `local_host` is the one address that it is bound to, empty when to all."""
        self._socket = sock
        self._family = int(sock.family)  # the socket makes a new enumeration of it each time
        self._local_host = local_host
        self._reactor: IReactorFDSet | None = None
        self._receiver: DatagramReceiver | None = None
        self._refused: Callable[[RefusedDatagram], None] | None = None
        self.port: int = sock.getsockname()[1]
        self.unsent = 0
        """Datagrams that the kernel did not take (buffer full, no route)."""

    @property
    def receive_buffer_bytes(self) -> int:
        """The receive buffer that the kernel granted; it counts its own overhead, so this is twice what was asked."""
        return self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)

    def start_reading(
        self,
        reactor: IReactorFDSet,
        receiver: DatagramReceiver,
        refused: Callable[[RefusedDatagram], None] | None = None,
    ) -> None:
        """Give every datagram to `receiver` from now on.

        Args:
            reactor: an `IReactorFDSet`.
            receiver: a fault in it is logged and costs one datagram only.
            refused: told of each of our datagrams that came back as port unreachable; needs `open_udp`.
        """
        self._receiver, self._refused, self._reactor = receiver, refused, reactor
        reactor.addReader(self)

    def send(self, datagram: bytes, destination: Endpoint, local_host: str = "") -> bool:
        """Send `datagram`.

        Args:
            datagram: its octets.
            destination: where to.
            local_host: the local address to leave from, for a socket that is bound to all of them.

        Returns:
            whether the kernel took it. A full buffer or a missing route costs the datagram, as the network itself may.
        """
        for _ in range(2):
            try:
                self._send_once(datagram, destination, local_host)
            except OSError as error:
                if error.errno not in _LEFT_BY_AN_EARLIER_DATAGRAM:
                    break
            else:
                return True
        self.unsent += 1
        return False

    def _send_once(self, datagram: bytes, destination: Endpoint, local_host: str) -> None:
        address = packet_info.socket_address(destination, self._family)
        if self._local_host or not local_host:
            self._socket.sendto(datagram, address)
        else:
            self._socket.sendmsg([datagram], packet_info.leave_from(local_host, self._family), 0, address)

    def close(self) -> None:
        """Stop reading and give the port back; may be called twice."""
        self._receiver = None
        if self._reactor is not None:
            self._reactor.removeReader(self)
            self._reactor = None
        self._socket.close()

    def doRead(self) -> None:
        """Read what is there, at most `READS_PER_WAKE_UP` datagrams, so that timers and others have their turn."""
        for _ in range(READS_PER_WAKE_UP):
            if self._receiver is None:
                return
            try:
                datagram, ancillary, _flags, address = self._socket.recvmsg(
                    MAX_DATAGRAM_BYTES, packet_info.ANCILLARY_BYTES
                )
            except BlockingIOError:
                return
            except OSError:
                self._read_errors()  # an ICMP message about an earlier datagram; it says nothing about this socket
                continue
            local_host = self._local_host or packet_info.local_host_of(ancillary) or ""
            self._deliver(datagram, packet_info.source_endpoint(address), local_host)

    def _deliver(self, datagram: bytes, source: Endpoint, local_host: str) -> None:
        if self._receiver is None:
            return
        try:
            self._receiver(datagram, source, local_host)
        except Exception:  # noqa: BLE001 - Twisted closes a descriptor whose reader raises
            self._log.failure("A fault while taking a datagram from {source}; it was dropped.", source=source[0])

    def _read_errors(self) -> None:
        refused = packet_info.read_refused(self._socket, MAX_DATAGRAM_BYTES)
        for each in refused if self._refused is not None else ():
            if self._refused is not None:
                self._refused(each)

    def connectionLost(self, reason: Failure) -> None:
        """Go on: the reactor calls this when the socket has only an error to report, which a UDP socket outlives."""
        if self._receiver is None or self._reactor is None:
            return
        try:
            self._read_errors()
        except Exception:  # noqa: BLE001 - the reactor would log it and forget this socket
            self._log.failure("A fault while reading ICMP errors; they were ignored.")
        if self._reactor is not None:
            self._reactor.addReader(self)

    def fileno(self) -> int:
        """The file descriptor; -1 when closed."""
        return self._socket.fileno()

    def logPrefix(self) -> str:
        """The name of this descriptor in Twisted's log context."""
        return f"udp:{self.port}"


def bind_udp(interface: str, port: int) -> UdpSocket:
    """Make a socket that listens for devices.

    Args:
        interface: the local address, or empty for all: IPv6 and IPv4 with one socket, IPv4 only where there is no IPv6.
            `0.0.0.0` is all of IPv4, `::` all of IPv6.
        port: the local port, 0 for any.

    Raises:
        ListenError: a sentence that says why not, and what to do.
    """
    try:
        sock = _bound_socket(interface, port)
    except OSError as error:
        raise ListenError(listen_refused(interface, port, error.errno or 0, error.strerror or str(error))) from error
    return UdpSocket(sock, "" if interface in _WILDCARDS else interface)


def open_udp(family: int) -> UdpSocket:
    """Make a socket that asks servers: any free port, and told of ICMP errors.

    Args:
        family: `socket.AF_INET` or `socket.AF_INET6`.

    Raises:
        OSError: no socket, port or address family of that kind is left.
    """
    sock = _configured(family)
    try:
        packet_info.ask_for_icmp_errors(sock)
        sock.bind(("::" if family == socket.AF_INET6 else "0.0.0.0", 0))  # any address: routing chooses it
    except OSError:
        sock.close()
        raise
    return UdpSocket(sock)


def _bound_socket(interface: str, port: int) -> socket.socket:
    if interface == "":
        try:
            return _bind(socket.AF_INET6, "::", port, dual_stack=True)
        except OSError as error:
            if error.errno not in _NO_IPV6:
                raise
        return _bind(socket.AF_INET, "0.0.0.0", port)
    family = socket.AF_INET6 if ":" in interface else socket.AF_INET
    return _bind(family, interface, port)


def _bind(family: int, host: str, port: int, dual_stack: bool = False) -> socket.socket:
    sock = _configured(family)
    try:
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0 if dual_stack else 1)
        if host in _WILDCARDS:
            packet_info.ask_for_local_host(sock)
        sock.bind(packet_info.socket_address((host, port), family))
    except OSError:
        sock.close()
        raise
    return sock


def _configured(family: int) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
    sock.setblocking(False)
    for option in (packet_info.SO_RCVBUFFORCE, socket.SO_RCVBUF):
        try:
            sock.setsockopt(socket.SOL_SOCKET, option, RECEIVE_BUFFER_BYTES)
        except PermissionError:
            continue  # the forced size needs CAP_NET_ADMIN; the plain one is capped by net.core.rmem_max
        break
    return sock


def source_host_towards(host: str) -> str | None:
    """Say which local address a datagram to `host` (an address) would leave from; None when there is no route.

    Nothing is sent.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as sock:
            sock.connect(packet_info.socket_address((host, 9), family))
            return str(sock.getsockname()[0])
    except OSError:
        return None
