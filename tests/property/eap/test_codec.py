"""The codecs of EAP: encoding is undone by decoding, and any octets give a value or our error."""

from __future__ import annotations

import contextlib

from hypothesis import given, settings
from hypothesis import strategies as st

from duoproxy.eap.methods.gtc import MAX_PROMPT_BYTES, encode_prompt
from duoproxy.eap.methods.identity import read_identity, shown_identity
from duoproxy.eap.methods.inner import decode_inner, encode_inner
from duoproxy.eap.packet import Code, EapPacket, decode_eap, encode_eap, read_nak
from duoproxy.eap.peap_tlv import MAX_TLVS, Tlv, decode_tlvs, encode_tlvs, read_binding, read_result, unknown_mandatory
from duoproxy.eap.tls_fragments import Fragment, Incoming, Outgoing, decode_fragment, encode_fragment
from duoproxy.eap_over_radius import eap_of, mtu_bytes
from duoproxy.errors import RemoteProtocolError
from duoproxy.radius.attributes import Type, split_long

OCTET = st.integers(0, 255)
PACKETS = st.one_of(
    st.builds(EapPacket, st.sampled_from([Code.REQUEST, Code.RESPONSE]), OCTET, OCTET, st.binary(max_size=300)),
    st.builds(EapPacket, st.sampled_from([Code.SUCCESS, Code.FAILURE]), OCTET),
)
TLVS = st.lists(st.builds(Tlv, st.integers(0, 0x3FFF), st.binary(max_size=60), st.booleans()), max_size=MAX_TLVS)
FRAGMENTS = st.builds(
    Fragment,
    st.integers(0, 7),
    st.booleans(),
    st.booleans(),
    st.none() | st.integers(0, 2**32 - 1),
    st.binary(max_size=50),
)


@given(PACKETS)
def test_packet_is_read_as_it_was_written(packet):
    """decode∘encode is the identity."""
    assert decode_eap(encode_eap(packet)) == packet


@given(st.binary(max_size=300))
def test_any_octets_are_a_packet_or_our_error(octets):
    """Any octets give a value or `RemoteProtocolError`, and encoding gives back what was read."""
    with contextlib.suppress(RemoteProtocolError):
        packet = decode_eap(octets)
        assert octets.startswith(encode_eap(packet))
        read_nak(packet)


@given(PACKETS, st.integers(1, 20))
def test_packet_that_was_cut_short_is_no_packet(packet, missing):
    """Whatever is missing at the end, Length tells."""
    octets = encode_eap(packet)[:-missing]
    with contextlib.suppress(RemoteProtocolError):
        decode_eap(octets)
        raise AssertionError("half a packet was taken")


@given(TLVS)
def test_tlvs_are_read_as_they_were_written(tlvs):
    """decode∘encode is the identity."""
    assert decode_tlvs(encode_tlvs(tlvs)) == tuple(tlvs)


@given(st.binary(max_size=200))
def test_any_octets_are_tlvs_or_our_error(octets):
    """Any octets give TLVs or `RemoteProtocolError`; what they say is read, or an error again."""
    with contextlib.suppress(RemoteProtocolError):
        tlvs = decode_tlvs(octets)
        unknown_mandatory(tlvs)
        read_result(tlvs)
        read_binding(tlvs)


@given(FRAGMENTS)
def test_fragment_is_read_as_it_was_written(fragment):
    """decode∘encode is the identity."""
    assert decode_fragment(encode_fragment(fragment)) == fragment


@given(st.lists(FRAGMENTS, max_size=20), st.integers(0, 200))
def test_any_fragments_keep_the_bound(fragments, limit):
    """Any fragments give a message within the limit, nothing yet, or an error."""
    incoming = Incoming(limit)
    for fragment in fragments:
        try:
            message = incoming.add(fragment)
        except RemoteProtocolError:
            return
        assert message is None or len(message) <= limit
        assert len(incoming._parts) <= limit


@given(st.binary(min_size=1, max_size=2000), st.lists(st.integers(1, 300), min_size=1, max_size=30))
def test_any_cut_is_put_together_again(message, rooms):
    """However much fits into each packet, the other side gets the message."""
    outgoing, incoming = Outgoing(), Incoming(2000)
    outgoing.load(message)
    for number in range(2001):
        room = max(rooms[number % len(rooms)], 6)
        data = outgoing.next_fragment(1, room)
        assert len(data) <= room
        whole = incoming.add(decode_fragment(data))
        assert (whole is None) == outgoing.pending
        if whole is not None:
            assert whole == message
            return
    raise AssertionError("a message without an end")


@given(PACKETS, st.sampled_from([0, 1]))
def test_inner_packet_comes_through(packet, version):
    """What one side takes off, the other puts on, whatever the answer looks like."""
    if packet.code is not Code.RESPONSE:
        return
    looks_like_a_header = version == 0 and packet.type == Code.RESPONSE and packet.data
    if not looks_like_a_header:
        assert decode_inner(encode_inner(packet, version), version, packet.identifier) == packet


@given(st.binary(min_size=1, max_size=60), st.sampled_from([0, 1]), OCTET)
def test_any_octets_are_an_inner_packet_or_our_error(octets, version, identifier):
    """Any octets give a value or `RemoteProtocolError`."""
    with contextlib.suppress(RemoteProtocolError):
        decode_inner(octets, version, identifier)


@given(st.text(max_size=3000))
@settings(max_examples=50)
def test_prompt_is_bounded_and_whole(text):
    """A prompt has 1 to `MAX_PROMPT_BYTES` octets, in whole characters."""
    octets = encode_prompt(text)
    assert 1 <= len(octets) <= MAX_PROMPT_BYTES
    octets.decode()


@given(st.binary(max_size=300))
def test_any_identity_is_a_name_or_our_error(octets):
    """No octet of a name is lost, and a hint for logs is printable."""
    assert shown_identity(octets).isprintable()
    with contextlib.suppress(RemoteProtocolError):
        assert read_identity(octets).encode("utf-8", "surrogateescape") == octets


@given(st.binary(min_size=1, max_size=3000))
def test_eap_message_is_joined_as_it_was_cut(octets):
    """RFC 3579 §3.1."""
    assert eap_of(split_long(Type.EAP_MESSAGE, octets)) == octets


@given(
    st.lists(st.tuples(st.sampled_from([Type.FRAMED_MTU, Type.NAS_PORT_TYPE]), st.binary(max_size=5))),
    st.integers(200, 2000),
)
def test_length_of_a_packet_is_in_its_range(attributes, limit):
    """Whatever a device says, a packet has 196 octets or more, and no more than the administrator allows."""
    assert min(196, limit) <= mtu_bytes(dict(attributes), limit) <= limit
