"""Ranges of addresses and the device that one belongs to."""

from __future__ import annotations

import ipaddress

import pytest

from duoproxy.radius.addresses import AddressRange, DeviceTable, parse_address_range


def number(text: str) -> int:
    return int(ipaddress.ip_address(text))


@pytest.mark.parametrize(
    ("text", "first", "last", "version"),
    [
        ("10.0.0.1", "10.0.0.1", "10.0.0.1", 4),
        (" 10.0.0.1 ", "10.0.0.1", "10.0.0.1", 4),
        ("10.0.0.0/8", "10.0.0.0", "10.255.255.255", 4),
        ("10.0.0.7/24", "10.0.0.0", "10.0.0.255", 4),
        ("10.0.0.0/255.255.255.0", "10.0.0.0", "10.0.0.255", 4),
        ("0.0.0.0/0", "0.0.0.0", "255.255.255.255", 4),
        ("10.0.0.1-10.0.0.9", "10.0.0.1", "10.0.0.9", 4),
        ("10.0.0.1 - 10.0.0.9", "10.0.0.1", "10.0.0.9", 4),
        ("::1", "::1", "::1", 6),
        ("2001:db8::/32", "2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", 6),
        ("2001:db8::1-2001:db8::f", "2001:db8::1", "2001:db8::f", 6),
        ("::ffff:10.0.0.1", "10.0.0.1", "10.0.0.1", 4),
        ("::ffff:10.0.0.0/104", "10.0.0.0", "10.255.255.255", 4),
        ("::fffe:0:0/95", "::fffe:0:0", "::ffff:ffff:ffff", 6),
        ("fe80::1%eth0", "fe80::1", "fe80::1", 6),
    ],
)
def test_notations_of_a_range(text, first, last, version):
    """An address, a network, or the first and the last address."""
    parsed = parse_address_range(text)
    assert (parsed.first, parsed.last, parsed.version) == (number(first), number(last), version)
    assert str(parsed) == text.strip()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "is no address"),
        ("vpn.example.com", "is no address"),
        ("10.0.0.256", "is no address"),
        ("10.0.0.1%", "is no address"),
        ("10.0.0.1%eth0", "is no address"),
        ("10.0.0.0/33", "is no address"),
        ("10.0.0.1-", "is no range"),
        ("vpn-gw.example.com", "is no range"),
        ("10.0.0.9-10.0.0.1", "ends before it begins"),
        ("10.0.0.1-::1", "mixes IPv4 and IPv6"),
    ],
)
def test_what_is_no_range_says_why(text, why):
    """A value that cannot be read is an error with a reason."""
    with pytest.raises(ValueError, match=why):
        parse_address_range(text)


def table(*texts: str) -> DeviceTable:
    return DeviceTable([parse_address_range(text) for text in texts])


def test_narrowest_range_decides():
    """Of overlapping ranges the narrowest holds the address, in whatever order they stand."""
    devices = table("0.0.0.0/0", "10.1.2.3", "10.0.0.0/8", "10.1.2.0-10.1.2.9", "10.1.0.0/16")
    assert [devices.lookup(a) for a in ("10.1.2.3", "10.1.2.4", "10.1.9.9", "10.9.9.9", "11.0.0.1")] == [1, 3, 4, 2, 0]


def test_unknown_address_belongs_to_nobody():
    """An address in no range, a name, and IPv6 beside IPv4 ranges find nothing."""
    devices = table("10.0.0.0/8")
    assert [devices.lookup(a) for a in ("11.0.0.1", "::1", "", "gateway", "10.0.0.1:1812")] == [None] * 5


def test_versions_are_apart():
    """IPv4 0.0.0.1 and IPv6 ::1 are the same number and not the same address."""
    devices = table("0.0.0.0-0.0.0.9", "::-::9")
    assert (devices.lookup("0.0.0.1"), devices.lookup("::1")) == (0, 1)


def test_ipv4_inside_ipv6_is_the_ipv4_address():
    """A dual-stack socket shows IPv4 devices as ::ffff:a.b.c.d."""
    assert table("10.0.0.1", "10.0.0.0/8").lookup("::ffff:10.0.0.1") == 0
    assert table("10.0.0.0/8").lookup("::ffff:10.0.0.1") == 0


def test_scope_of_a_link_local_address_does_not_matter():
    """fe80::1%eth0 is the device fe80::1."""
    assert table("fe80::1").lookup("fe80::1%eth0") == 0


def test_equal_ranges_are_an_error():
    """Nothing could choose between two equal ranges, however they are written."""
    for other in ("10.0.0.0/24", "10.0.0.0-10.0.0.255", "10.0.0.5/24"):
        with pytest.raises(ValueError, match="are the same addresses"):
            table("10.0.0.0/24", other)


def test_ranges_are_equal_whatever_their_text():
    """The text is for the administrator only."""
    assert parse_address_range("10.0.0.0/31") == parse_address_range("10.0.0.0-10.0.0.1")
    assert AddressRange(1, 2, 4, "a") != AddressRange(1, 2, 6, "a")
