"""Reading the end user's own address from an attribute that a device fills in as it likes.

Devices send an address, an address with a port (`1.2.3.4:5`, `1.2.3.4[4500]`, `[2001:db8::1]:5`), a MAC address, a
telephone number or a name. Only an address is one; everything else is None.
"""

from __future__ import annotations

import ipaddress
import re

MAX_TEXT_OCTETS = 64

_WITH_PORT = re.compile(
    r"""(?: (?P<four>[0-9.]{7,15}) (?: :[0-9]{1,5} | \[[0-9]{1,5}\] )?
          | \[(?P<bracketed>[0-9a-fA-F:.]{2,45})\] (?: :[0-9]{1,5} )?
          | (?P<six>[0-9a-fA-F:.]{2,45}) (?: \[[0-9]{1,5}\] )? )""",
    re.VERBOSE,
)


def read_client_address(value: bytes, data_type: str) -> str | None:
    """Read an address from the value of an attribute.

    Args:
        value: the octets of the attribute.
        data_type: its type in the dictionary; `ipaddr` and `ipv6addr` are binary, everything else is read as text.

    Returns:
        the address in its usual text form, or None when the value is not one.
    """
    if (data_type, len(value)) in {("ipaddr", 4), ("ipv6addr", 16)}:
        return _usual_form(ipaddress.ip_address(value))
    if not value or len(value) > MAX_TEXT_OCTETS:
        return None
    match = _WITH_PORT.fullmatch(value.decode("ascii", "replace").strip())
    if match is None:
        return None
    text = match["four"] or match["bracketed"] or match["six"]
    try:
        return _usual_form(ipaddress.ip_address(text))
    except ValueError:
        return None


def _usual_form(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> str:
    """Write an address so that policies about networks know it: an IPv4 address inside IPv6 is the IPv4 address."""
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address)
