"""Whatever one side sends, what crosses fits into a packet of the other side, and what must not cross does not."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from duoproxy.radius.attributes import AttributeId, all_values, vendor_attribute
from duoproxy.radius.hiding import decrypt_salted, encrypt_salted
from duoproxy.radius.packet import Code, Packet, encode_attributes
from duoproxy.radius.relay import PassThrough, reply_attributes_for_device
from duoproxy.testing import repeatable_random
from tests.fuzz.targets import radius_relay
from tests.fuzz.targets.radius_relay import DEVICE, DICTIONARY, UPSTREAM

quick = settings(max_examples=200, deadline=None)
MPPE_KEY = AttributeId(311, 16)

numbers = st.sampled_from([1, 2, 3, 18, 24, 25, 26, 33, 60, 69, 79, 101]) | st.integers(0, 255)
vendors = st.sampled_from([9, 311, 429, 24757, 25461]) | st.integers(0, (1 << 32) - 1)
inside = st.builds(
    lambda vendor, octets: vendor.to_bytes(4, "big") + octets,
    vendors,
    st.binary(max_size=60) | st.binary(max_size=60).map(lambda value: bytes((16, len(value) + 2)) + value),
)
attributes = st.lists(st.tuples(numbers, st.binary(max_size=60)) | st.tuples(st.just(26), inside), max_size=12)


@quick
@given(st.integers(0, 255), attributes)
def test_any_attributes_cross_or_stay_out(chosen: int, carried: list[tuple[int, bytes]]) -> None:
    """Credentials, State and Proxy-State never cross; a Reject takes only what a Reject may carry."""
    radius_relay.target(bytes((chosen,)) + encode_attributes(carried))


@quick
@given(st.lists(st.binary(max_size=120), max_size=8))
def test_every_key_arrives_as_it_was_sent(keys: list[bytes]) -> None:
    """RFC 2548 §2.4.2: opened with one hop's secret, hidden anew with the other's, each under a salt of its own."""
    sent = tuple(
        vendor_attribute(311, 16, encrypt_salted(key, UPSTREAM[0], UPSTREAM[1], bytes((0x80, number))))
        for number, key in enumerate(keys)
    )
    packet = Packet(Code.ACCESS_ACCEPT, 0, bytes(16), sent)
    relayed = reply_attributes_for_device(
        packet, UPSTREAM[1], UPSTREAM[0], PassThrough(everything=True), DICTIONARY, *DEVICE, repeatable_random(), True
    )
    received = all_values(relayed, MPPE_KEY)
    assert [decrypt_salted(value, *DEVICE) for value in received] == keys
    assert len({value[:2] for value in received}) == len(keys)
