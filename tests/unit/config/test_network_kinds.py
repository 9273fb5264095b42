"""Addresses, ranges, host names, ports, the API host."""

from __future__ import annotations

import pytest

from duoproxy.config.kind import Kind
from duoproxy.config.kinds import AddressRangeKind, ApiHost, HostName, HostOrAddress, IpAddress, Port
from tests.unit.config.kind_kit import context, fault


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (Port(), "1812", 1812),
        (IpAddress(), "10.1.2.3", "10.1.2.3"),
        (IpAddress(), "2001:DB8:0::1", "2001:db8::1"),
        (IpAddress(wildcard=True), "", ""),
        (HostName(), "Radius.Example.COM.", "radius.example.com"),
        (HostOrAddress(), "10.1.2.3", "10.1.2.3"),
        (HostOrAddress(), "radius_1", "radius_1"),
        (HostOrAddress(), "::1", "::1"),
        (ApiHost(), "API-1234.duosecurity.com", "api-1234.duosecurity.com"),
        (ApiHost(), "127.0.0.1:8443", "127.0.0.1:8443"),
        (ApiHost(), "localhost:08443", "localhost:8443"),
    ],
)
def test_place_is_read(kind: Kind, text: str, value: object) -> None:
    """Values are canonical, so that two ways to write one place are equal."""
    assert kind.parse(text, context()) == value


def test_range_keeps_its_text() -> None:
    """The notation of radius_ip_n: address, network, range."""
    value = AddressRangeKind().parse("10.0.0.1-10.0.0.9", context())
    assert (value.last - value.first, value.text) == (8, "10.0.0.1-10.0.0.9")


RANGE = "Write an IP address, a network (10.0.0.0/8) or a range (10.0.0.1-10.0.0.9)."


@pytest.mark.parametrize(
    ("kind", "text", "sentence"),
    [
        (Port(), "0", "0 is too small. Write a port from 1 to 65535."),
        (Port(), "65536", "65536 is too large. Write a port from 1 to 65535."),
        (IpAddress(), "10.1.2", "'10.1.2' is not an IP address. Write an IP address."),
        (IpAddress(), "eth0", "'eth0' is not an IP address. Write an IP address."),
        (AddressRangeKind(), "10.0.0.0/33", f"'10.0.0.0/33' is not an IP address, network or range. {RANGE}"),
        (
            AddressRangeKind(),
            "10.0.0.9-10.0.0.1",
            f"'10.0.0.9-10.0.0.1' is not an IP address, network or range. {RANGE}",
        ),
        (AddressRangeKind(), "vpn.example", f"'vpn.example' is not an IP address, network or range. {RANGE}"),
        (HostName(), "a..b", "'a..b' is not a host name. Write a host name."),
        (HostName(), "-a.b", "'-a.b' is not a host name. Write a host name."),
        (
            HostOrAddress(),
            "10.1.2.300",
            "'10.1.2.300' is neither an IP address nor a host name. Write an IP address or a host name.",
        ),
        (
            HostOrAddress(),
            "x" * 300,
            f"'{'x' * 60}…' is neither an IP address nor a host name. Write an IP address or a host name.",
        ),
        (
            ApiHost(),
            "https://api-1.duosecurity.com/",
            "'https://api-1.duosecurity.com/' is a web address. "
            "Write the API hostname as the Duo Admin Panel shows it, without https:// and path.",
        ),
        (
            ApiHost(),
            "api 1",
            "'api 1' is not a host name. Write the API hostname as the Duo Admin Panel shows it.",
        ),
        (
            ApiHost(),
            "api-1:99999",
            "'api-1:99999' has no usable port after the colon. Write the API hostname as the Duo Admin Panel shows it.",
        ),
    ],
)
def test_what_is_no_place_has_a_sentence(kind: Kind, text: str, sentence: str) -> None:
    """What is wrong, and what to write."""
    assert fault(kind, text) == sentence
