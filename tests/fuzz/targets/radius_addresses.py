"""Address ranges: a range that finds its own addresses, or a clause that says what is wrong."""

from __future__ import annotations

import ipaddress

from duoproxy.radius.addresses import AddressRange, DeviceTable, parse_address_range

WORDS = (b"10.0.0.1", b"/8", b"/128", b"::ffff:", b"::", b"-", b"%eth0", b"fe80::1", b"2001:db8::", b"255.255.255.255")


def target(data: bytes) -> None:
    text = data.decode("utf-8", "surrogateescape")
    try:
        found = parse_address_range(text)
    except ValueError as error:
        assert str(error)
        DeviceTable([]).lookup(text)
        return
    assert 0 <= found.first <= found.last < 1 << (32 if found.version == 4 else 128)
    assert parse_address_range(str(found)) == found
    table = DeviceTable([found])
    ends = [_address(number, found.version) for number in (found.first, found.last)]
    assert not all(map(_is_mapped, ends)), "no device is ever found in this range"
    for address in ends:
        assert _is_mapped(address) or table.lookup(str(address)) == 0
    outside = found.last + 1
    if outside < 1 << (32 if found.version == 4 else 128):
        assert table.lookup(str(_address(outside, found.version))) is None
    _two_are_distinct(found)


def _address(number: int, version: int) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    return ipaddress.IPv4Address(number) if version == 4 else ipaddress.IPv6Address(number)


def _is_mapped(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """An IPv4 address inside IPv6 belongs to IPv4 ranges only, also at the edge of a wider IPv6 range."""
    return isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None


def _two_are_distinct(found: AddressRange) -> None:
    try:
        DeviceTable([found, found])
    except ValueError:
        return
    raise AssertionError("two equal ranges are taken")
