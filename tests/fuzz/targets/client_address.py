"""The end user's address out of any attribute: a canonical address, or None."""

from __future__ import annotations

import ipaddress

from duoproxy.radius.client_address import read_client_address
from tests.fuzz.shaping import first_octet

TYPES = ("string", "octets", "ipaddr", "ipv6addr", "integer", "text", "ether")
WORDS = (b"192.0.2.7", b":5000", b"[4500]", b"[2001:db8::1]", b"2001:db8::1", b"::ffff:192.0.2.7", b"00-11-22-33-44-55")


def target(data: bytes) -> None:
    chosen, value = first_octet(data)
    data_type = TYPES[chosen % len(TYPES)]
    address = read_client_address(value, data_type)
    if address is not None:
        assert str(ipaddress.ip_address(address)) == address
        assert address.isprintable()
        assert "%" not in address
        assert read_client_address(address.encode("ascii"), "string") == address
