"""Texts and files that people and devices write: addresses, ranges, dictionary files.

What must hold of each result stands in the fuzz target of the same decoder; the strategies here get further into it.
"""

from __future__ import annotations

import ipaddress

from hypothesis import given, settings
from hypothesis import strategies as st

from duoproxy.radius.addresses import DeviceTable, parse_address_range
from duoproxy.radius.client_address import read_client_address
from tests.fuzz.targets import client_address, radius_addresses, radius_dictionary

quick = settings(max_examples=200, deadline=None)
addresses = st.ip_addresses() | st.sampled_from(
    [ipaddress.ip_address(text) for text in ("::", "::ffff:10.0.0.1", "::ffff:0.0.0.0", "0.0.0.0", "fe80::1")]
)
scopes = st.sampled_from(["", "", "%eth0", "%", "%1"])
hosts = st.builds("{}{}".format, addresses, scopes)
ranges = st.one_of(
    hosts,
    st.builds("{}/{}".format, hosts, st.integers(0, 130)),
    st.builds("{}-{}".format, hosts, hosts),
    st.text("0123456789abcdf:.-/% ", max_size=50),
)


@quick
@given(ranges)
def test_any_range_finds_its_own_addresses_or_is_refused(text: str) -> None:
    """An address, a network or a range, in either notation, or ValueError."""
    radius_addresses.target(text.encode())


@quick
@given(st.lists(st.builds("{}/{}".format, st.ip_addresses(v=4), st.integers(0, 32)), max_size=8), st.ip_addresses(v=4))
def test_the_narrowest_of_any_networks_decides(texts: list[str], address: ipaddress.IPv4Address) -> None:
    """As long as all are different, and whatever their order."""
    networks = [ipaddress.ip_network(text, strict=False) for text in texts]
    if len(set(networks)) < len(networks):
        return
    found = DeviceTable([parse_address_range(text) for text in texts]).lookup(str(address))
    holding = [index for index, network in enumerate(networks) if address in network]
    assert found == max(holding, key=lambda index: networks[index].prefixlen, default=None)


@quick
@given(addresses, st.sampled_from(["{}", "{}:5000", "{}[4500]", "[{}]", "[{}]:4500", " {} ", "{}:", "{},"]))
def test_address_of_the_user_is_found_in_what_devices_write(address, form: str) -> None:
    """With a port, in brackets or plain; whatever else it is, is none."""
    octets = form.format(address).encode()
    client_address.target(b"\0" + octets)
    plain = getattr(address, "ipv4_mapped", None) or address
    if form == "{}":
        assert read_client_address(octets, "string") == str(plain)


@quick
@given(st.integers(0, 255), st.binary(max_size=80))
def test_any_octets_are_an_address_of_the_user_or_none(data_type: int, octets: bytes) -> None:
    """Whatever type the dictionary says."""
    client_address.target(bytes((data_type,)) + octets)


names = st.sampled_from(["Acme", "Other", "Acme-Role", "A-1", "dictionary", "b", "folder/b", "missing"]) | st.text(
    max_size=5
)
numbers = st.integers(-1, 300).map(str) | st.sampled_from(
    ["0x10", "0xffffffff", "4294967296", "1.2", "99999999999999999999"]
)
types = st.sampled_from(["string", "integer", "octets", "tlv", "string[16]", "vsa", "date", "nothing"])
flags = st.sampled_from(
    ["", "has_tag", "encrypt=1", "has_tag,encrypt=2", "array", "Acme", "format=1,1", "format=2,2,c", "x"]
)
lines = st.one_of(
    st.builds("ATTRIBUTE {} {} {} {}".format, names, numbers, types, flags),
    st.builds("VALUE {} {} {}".format, names, names, numbers),
    st.builds("VENDOR {} {} {}".format, names, numbers, flags),
    st.builds("{} {}".format, st.sampled_from(["BEGIN-VENDOR", "END-VENDOR", "BEGIN-TLV", "END-TLV"]), names),
    st.builds("{} {}".format, st.sampled_from(["$INCLUDE", "$INCLUDE-"]), names),
    st.text(max_size=20),
)
files = st.lists(st.lists(lines, max_size=6).map("\n".join), min_size=1, max_size=4)


@quick
@given(files)
def test_any_lines_are_a_dictionary_or_one_error_that_can_be_shown(texts: list[str]) -> None:
    """Every keyword in any order, files that include one another; each name is found again, each value shown."""
    radius_dictionary.target("\x1e".join(texts).encode("utf-8", "replace"))


@quick
@given(st.lists(st.sampled_from(["ATTRIBUTE X 241 string", "VENDOR Acme 9", "BEGIN-VENDOR Acme"]), max_size=3), lines)
def test_any_line_after_good_ones_is_taken_or_refused(good: list[str], line: str) -> None:
    """So that lines which need others before them are reached."""
    radius_dictionary.target("\n".join([*good, line]).encode("utf-8", "replace"))
