"""What Linux says beside a datagram: the local address that it came to, and the ICMP errors that ours caused.

Owns the layouts of `in_pktinfo`, `in6_pktinfo` and `sock_extended_err`, and the forms of socket addresses. An IPv4 peer
of a dual-stack socket is shown as an IPv4 address everywhere outside this module. Source: ip(7), ipv6(7); RFC 3542 §6.
"""

from __future__ import annotations

import errno
import ipaddress
import socket
import struct

from attrs import frozen

Endpoint = tuple[str, int]
"""A host (IPv4 or IPv6 in text form, the latter with `%scope` when it is link-local) and a port."""

AncillaryData = list[tuple[int, int, bytes]]

# The socket module of Python 3.11 does not name these; the numbers are those of Linux.
IP_PKTINFO = 8
IP_RECVERR = 11
IPV6_RECVERR = 25
SO_RCVBUFFORCE = 33

ANCILLARY_BYTES = 256
MAX_ERRORS_PER_READ = 256

_IN_PKTINFO = struct.Struct("=i4s4s")
_IN6_PKTINFO = struct.Struct("=16si")
_SOCK_EXTENDED_ERR = struct.Struct("=IBBBBII")
_FROM_ICMP = frozenset({2, 3})
_MAPPED_PREFIX = bytes(10) + b"\xff\xff"
_MAPPED_TEXT = "::ffff:"


@frozen
class RefusedDatagram:
    """One of our datagrams that an ICMP message called undeliverable (port unreachable).

    Attributes:
        destination: where it was sent.
        quoted: as much of its octets as the ICMP message repeats; may be empty.
    """

    destination: Endpoint
    quoted: bytes


def source_endpoint(socket_address: tuple[object, ...]) -> Endpoint:
    """Turn what `recvmsg` names as the sender into an endpoint."""
    host, port = str(socket_address[0]), int(str(socket_address[1]))
    if host.startswith(_MAPPED_TEXT) and "." in host:
        return host[len(_MAPPED_TEXT) :], port
    if len(socket_address) == 4 and socket_address[3]:
        return f"{host.partition('%')[0]}%{socket_address[3]}", port
    return host, port


def socket_address(endpoint: Endpoint, family: int) -> tuple[str, int] | tuple[str, int, int, int]:
    """Turn an endpoint into what a socket of `family` sends to.

    Raises:
        OSError: the endpoint names an interface that does not exist.
    """
    host, port = endpoint
    if family == socket.AF_INET:
        return endpoint
    address, _, scope = host.partition("%")
    if "." in address and ":" not in address:
        address = _MAPPED_TEXT + address
    return address, port, 0, _scope_id(scope)


def canonical_host(host: str) -> str:
    """Write an address as `source_endpoint` writes it, so that the two can be compared.

    Raises:
        ValueError: `host` is no address.
        OSError: it names an interface that does not exist.
    """
    address, _, scope = host.partition("%")
    parsed = ipaddress.ip_address(address)
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return f"{parsed}%{_scope_id(scope)}" if scope else str(parsed)


def _scope_id(scope: str) -> int:
    if not scope:
        return 0
    return int(scope) if scope.isdigit() else socket.if_nametoindex(scope)


def local_host_of(ancillary: AncillaryData) -> str | None:
    """Read the local address that a datagram came to, None when the kernel did not say it."""
    for level, kind, data in ancillary:
        if level == socket.IPPROTO_IP and kind == IP_PKTINFO and len(data) == _IN_PKTINFO.size:
            return socket.inet_ntoa(data[8:12])
        if level == socket.IPPROTO_IPV6 and kind == socket.IPV6_PKTINFO and len(data) == _IN6_PKTINFO.size:
            return _text_of_ipv6(data)
    return None


def _text_of_ipv6(pktinfo: bytes) -> str:
    octets, interface_index = _IN6_PKTINFO.unpack(pktinfo)
    if octets.startswith(_MAPPED_PREFIX):
        return socket.inet_ntoa(octets[12:])
    text = socket.inet_ntop(socket.AF_INET6, octets)
    return f"{text}%{interface_index}" if text.startswith("fe80:") else text


def leave_from(local_host: str, family: int) -> AncillaryData:
    """Make the ancillary data that lets a datagram leave from `local_host` on a wildcard socket of `family`.

    The interface stays open (index 0), so that routing decides it; but for a link-local address, which has no meaning
    without its interface.
    """
    if family == socket.AF_INET:
        return [(socket.IPPROTO_IP, IP_PKTINFO, _IN_PKTINFO.pack(0, socket.inet_aton(local_host), bytes(4)))]
    address, _, scope = local_host.partition("%")
    if ":" in address:
        octets = socket.inet_pton(socket.AF_INET6, address)
    else:
        octets = _MAPPED_PREFIX + socket.inet_aton(address)
    return [(socket.IPPROTO_IPV6, socket.IPV6_PKTINFO, _IN6_PKTINFO.pack(octets, _scope_id(scope)))]


def ask_for_local_host(sock: socket.socket) -> None:
    """Have the kernel say with each datagram which local address it came to."""
    if sock.family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
    else:
        sock.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)


def ask_for_icmp_errors(sock: socket.socket) -> None:
    """Have the kernel keep ICMP errors, with the datagram that caused each, for `read_refused`."""
    if sock.family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, IPV6_RECVERR, 1)
    else:
        sock.setsockopt(socket.IPPROTO_IP, IP_RECVERR, 1)


def read_refused(sock: socket.socket, max_bytes: int) -> list[RefusedDatagram]:
    """Empty the socket's error queue and give the datagrams that a port-unreachable came back for."""
    sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    refused: list[RefusedDatagram] = []
    for _ in range(MAX_ERRORS_PER_READ):
        try:
            quoted, ancillary, _flags, address = sock.recvmsg(max_bytes, ANCILLARY_BYTES, socket.MSG_ERRQUEUE)
        except OSError:
            break
        if address and _says_refused(ancillary):
            refused.append(RefusedDatagram(source_endpoint(address), quoted))
    return refused


def _says_refused(ancillary: AncillaryData) -> bool:
    for level, kind, data in ancillary:
        if (level, kind) not in ((socket.IPPROTO_IP, IP_RECVERR), (socket.IPPROTO_IPV6, IPV6_RECVERR)):
            continue
        if len(data) < _SOCK_EXTENDED_ERR.size:
            continue
        error_number, origin, *_ = _SOCK_EXTENDED_ERR.unpack_from(data)
        if origin in _FROM_ICMP and error_number == errno.ECONNREFUSED:
            return True
    return False
