"""What counts as the end user's address."""

from __future__ import annotations

import pytest

from duoproxy.radius.client_address import read_client_address


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("192.0.2.7", "192.0.2.7"),
        (" 192.0.2.7 ", "192.0.2.7"),
        ("192.0.2.7:5060", "192.0.2.7"),
        ("192.0.2.7[4500]", "192.0.2.7"),
        ("2001:db8::1", "2001:db8::1"),
        ("[2001:db8::1]:443", "2001:db8::1"),
        ("2001:db8::1[4500]", "2001:db8::1"),
        ("::ffff:1.2.3.4", "1.2.3.4"),
        ("[::ffff:1.2.3.4]:5", "1.2.3.4"),
    ],
)
def test_an_address_with_or_without_port_is_read(text: str, address: str) -> None:
    """Addresses are sent with a port in two notations; the port is not part of the address."""
    assert read_client_address(text.encode(), "string") == address


@pytest.mark.parametrize(
    "text",
    ["", "00-11-22-33-44-55", "00:11:22:33:44:55", "alice-laptop", "+49 30 1234", "1.2.3", "1.2.3.4.5", "999.1.1.1"],
)
def test_anything_else_is_not_an_address(text: str) -> None:
    """A MAC address, a name or a telephone number is left out."""
    assert read_client_address(text.encode(), "string") is None


def test_binary_addresses_are_read_by_the_type_of_the_attribute() -> None:
    """NAS-IP-Address and its like carry octets, not text."""
    assert read_client_address(bytes([10, 1, 2, 3]), "ipaddr") == "10.1.2.3"
    assert read_client_address(bytes(15) + b"\1", "ipv6addr") == "::1"
    assert read_client_address(bytes(10) + b"\xff\xff\1\2\3\4", "ipv6addr") == "1.2.3.4"
    assert read_client_address(b"\xff\xfe\xfd\xfc", "string") is None
