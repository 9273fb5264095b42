"""Which device an address belongs to: ranges of addresses, and the table that finds the narrowest one.

Owns the notation of `radius_ip_n` (one address, CIDR, or first-last) and the choice between ranges that overlap. IPv4
addresses inside IPv6 (`::ffff:10.0.0.1`) are the IPv4 address.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

from attrs import field, frozen

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@frozen
class AddressRange:
    """A range of addresses, both ends included.

    Attributes:
        first: the lowest address, as a number.
        last: the highest.
        version: 4 or 6.
        text: as the administrator wrote it; two ranges are equal whatever their text.
    """

    first: int
    last: int
    version: int
    text: str = field(eq=False)

    def __str__(self) -> str:
        return self.text


def parse_address_range(text: str) -> AddressRange:
    """Read `10.0.0.1`, `10.0.0.0/8`, `10.0.0.1-10.0.0.9`, or the same with IPv6 addresses.

    Raises:
        ValueError: it is none of these; the text of the exception is one clause that says why.
    """
    text = text.strip()
    if "-" in text:
        return _first_to_last(text)
    try:
        if "/" not in text:
            version, number = _number(text)
            return AddressRange(number, number, version, text)
        network = ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise ValueError(f"'{text}' is no address, network (10.0.0.0/8) or range (10.0.0.1-10.0.0.9)") from None
    first, last = network.network_address, network.broadcast_address
    low, high = _plain(first), _plain(last)
    if low.version != high.version:
        low, high = first, last  # an IPv6 network that only ends among the IPv4 addresses
    return AddressRange(int(low), int(high), low.version, text)


def _first_to_last(text: str) -> AddressRange:
    low_text, _, high_text = (part.strip() for part in text.partition("-"))
    try:
        low_version, low = _number(low_text)
        high_version, high = _number(high_text)
    except ValueError:
        raise ValueError(f"'{text}' is no range: write two addresses, such as 10.0.0.1-10.0.0.9") from None
    if low_version != high_version:
        raise ValueError(f"'{text}' mixes IPv4 and IPv6")
    if high < low:
        raise ValueError(f"'{text}' ends before it begins")
    return AddressRange(low, high, low_version, text)


def _number(text: str) -> tuple[int, int]:
    """Version and number of one address; ValueError when it is none."""
    address = _plain(ipaddress.ip_address(text))
    return address.version, int(address)


def _text(version: int, number: int) -> str:
    return str(ipaddress.IPv4Address(number) if version == 4 else ipaddress.IPv6Address(number))


def _plain(address: _Address) -> _Address:
    """The IPv4 address inside an IPv6 address, or the address itself."""
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


class DeviceTable:
    """Finds the range that an address belongs to."""

    def __init__(self, ranges: Sequence[AddressRange]) -> None:
        """Take the ranges; `lookup` answers with their indexes.

        Raises:
            ValueError: two ranges are equal: nothing could choose between them.
        """
        self._single: dict[tuple[int, int], int] = {}
        self._single_text: dict[str, int] = {}
        wide: list[tuple[int, int, int, int, int]] = []
        seen: dict[AddressRange, AddressRange] = {}
        for index, each in enumerate(ranges):
            if each in seen:
                raise ValueError(f"'{each}' and '{seen[each]}' are the same addresses")
            seen[each] = each
            if each.first == each.last:
                self._single[each.version, each.first] = index
                self._single_text[_text(each.version, each.first)] = index
            else:
                wide.append((each.last - each.first, index, each.version, each.first, each.last))
        self._wide = sorted(wide)

    def lookup(self, address: str) -> int | None:
        """Give the index of the narrowest range that holds `address` (the earlier one of two as narrow), or None.

        What is no address belongs to nobody.
        """
        index = self._single_text.get(address)
        if index is not None:
            return index  # as the kernel writes it: most requests need not be parsed
        try:
            version, number = _number(address)
        except ValueError:
            return None
        index = self._single.get((version, number))
        if index is not None:
            return index
        for _, index, its_version, low, high in self._wide:
            if its_version == version and low <= number <= high:
                return index
        return None
