"""What Linux says beside a datagram."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz.targets import packet_info


@settings(max_examples=200, deadline=None)
@given(
    st.integers(0, 3),
    st.binary(max_size=30) | st.binary(min_size=12, max_size=12) | st.binary(min_size=20, max_size=20),
)
def test_any_ancillary_data_name_an_address_or_none(kind: int, octets: bytes) -> None:
    """An address that a reply can leave from, never IPv4 inside IPv6."""
    packet_info.target(bytes((kind,)) + octets)
