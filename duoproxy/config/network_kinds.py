"""Kinds of values that name places on a network: addresses, ranges, host names, ports, the API host."""

from __future__ import annotations

import ipaddress
import re

from duoproxy.config.kind import Kind, ParseContext, ValueParseError
from duoproxy.config.problems import quoted
from duoproxy.config.simple_kinds import Integer
from duoproxy.radius.addresses import AddressRange, parse_address_range

MAX_HOST_NAME_CHARS = 253

_LABEL = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?")
_ONLY_DIGITS_AND_DOTS = re.compile(r"[0-9.]+")
_PORT = re.compile(r"[0-9]{1,5}")


class Port(Integer):
    """A UDP or TCP port."""

    def __init__(self, minimum: int = 1) -> None:
        """Set the smallest port (0 lets the system choose: for tests)."""
        super().__init__(minimum, 65535)

    def describe(self) -> str:
        """Say what may be written."""
        return f"a port from {self.minimum} to {self.maximum}"


class _PlaceKind(Kind[str]):
    @property
    def ends_at_comment(self) -> bool:
        """No place has a `;` or `#`."""
        return True


class IpAddress(_PlaceKind):
    """One IPv4 or IPv6 address; the value is its canonical text."""

    def __init__(self, *, wildcard: bool = False) -> None:
        """Set whether 0.0.0.0, :: and nothing mean all addresses (for `interface`); the value is then ""."""
        self._wildcard = wildcard

    @property
    def accepts_empty(self) -> bool:
        """Nothing means all interfaces."""
        return self._wildcard

    def parse(self, text: str, context: ParseContext) -> str:
        """Read the address."""
        if self._wildcard and text == "":
            return ""
        address = _address(text)
        if address is None:
            raise ValueParseError(f"{quoted(text)} is not an IP address", f"Write {self.describe()}")
        return address

    def describe(self) -> str:
        """Say what may be written."""
        return "an IP address"


class AddressRangeKind(Kind[AddressRange]):
    """An address, a network (`10.0.0.0/8`) or a range (`10.0.0.1-10.0.0.9`), IPv4 or IPv6."""

    @property
    def ends_at_comment(self) -> bool:
        """No range has a `;` or `#`."""
        return True

    @property
    def distinct(self) -> bool:
        """A device belongs to one range."""
        return True

    def parse(self, text: str, context: ParseContext) -> AddressRange:
        """Read the range."""
        try:
            return parse_address_range(text)
        except ValueError:
            raise ValueParseError(
                f"{quoted(text)} is not an IP address, network or range", f"Write {self.describe()}"
            ) from None

    def describe(self) -> str:
        """Say what may be written."""
        return "an IP address, a network (10.0.0.0/8) or a range (10.0.0.1-10.0.0.9)"

    def show(self, value: AddressRange) -> str:
        """Write it as in a file."""
        return value.text


class HostName(_PlaceKind):
    """A DNS name; the value is lower case, without a final dot."""

    def parse(self, text: str, context: ParseContext) -> str:
        """Read the name."""
        name = _host_name(text)
        if name is None:
            raise ValueParseError(f"{quoted(text)} is not a host name", f"Write {self.describe()}")
        return name

    def describe(self) -> str:
        """Say what may be written."""
        return "a host name"


class HostOrAddress(_PlaceKind):
    """An IP address or a DNS name."""

    def parse(self, text: str, context: ParseContext) -> str:
        """Read the address or name."""
        place = _address(text) or _host_name(text)
        if place is None:
            raise ValueParseError(
                f"{quoted(text)} is neither an IP address nor a host name", f"Write {self.describe()}"
            )
        return place

    def describe(self) -> str:
        """Say what may be written."""
        return "an IP address or a host name"


class ApiHost(_PlaceKind):
    """The API host of a Duo application: a name, and if need be a port (`api-1234.duosecurity.com`, `127.0.0.1:84`)."""

    def parse(self, text: str, context: ParseContext) -> str:
        """Read name and port; the value is `name` or `name:port`, lower case."""
        remedy = f"Write {self.describe()} as the Duo Admin Panel shows it"
        if "/" in text:
            raise ValueParseError(f"{quoted(text)} is a web address", f"{remedy}, without https:// and path")
        name, colon, port = text.rpartition(":") if text.count(":") == 1 else (text, "", "")
        host = _address(name) or _host_name(name)
        if host is None or ":" in host:
            raise ValueParseError(f"{quoted(text)} is not a host name", remedy)
        if colon and not (_PORT.fullmatch(port) and 1 <= int(port) <= 65535):
            raise ValueParseError(f"{quoted(text)} has no usable port after the colon", remedy)
        return f"{host}:{int(port)}" if colon else host

    def describe(self) -> str:
        """Say what may be written."""
        return "the API hostname"


def _address(text: str) -> str | None:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return None


def _host_name(text: str) -> str | None:
    """Read a DNS name; what looks like a mistyped IPv4 address is none."""
    name = text.removesuffix(".").lower()
    if not name or len(name) > MAX_HOST_NAME_CHARS or _ONLY_DIGITS_AND_DOTS.fullmatch(name):
        return None
    return name if all(_LABEL.fullmatch(label) for label in name.split(".")) else None
