"""What Linux says beside a datagram, whatever it says: an address in text form, or None."""

from __future__ import annotations

import ipaddress
import socket

from duoproxy.net.packet_info import IP_PKTINFO, leave_from, local_host_of
from tests.fuzz.shaping import first_octet

KINDS = (
    *((socket.IPPROTO_IP, IP_PKTINFO), (socket.IPPROTO_IPV6, socket.IPV6_PKTINFO)),
    *((socket.IPPROTO_IP, socket.IPV6_PKTINFO), (socket.SOL_SOCKET, 29)),
)


def target(data: bytes) -> None:
    chosen, octets = first_octet(data)
    kind = KINDS[chosen % len(KINDS)]
    host = local_host_of([(socket.SOL_SOCKET, 1, octets), (*kind, octets)])
    if host is None:
        return
    assert kind in KINDS[:2]
    address = ipaddress.ip_address(host)
    assert not isinstance(address, ipaddress.IPv6Address) or address.ipv4_mapped is None
    if "%" not in host:
        # A reply leaves from the address that was asked: the same address, back in the kernel's form.
        family = socket.AF_INET if address.version == 4 else socket.AF_INET6
        assert (
            local_host_of([(level, kind, _as_received(value)) for level, kind, value in leave_from(host, family)])
            == host
        )


def _as_received(value: bytes) -> bytes:
    """IPv4 names the address to leave from where it later names the one that was asked: `ipi_spec_dst`, `ipi_addr`."""
    return value[:8] + value[4:8] if len(value) == 12 else value
