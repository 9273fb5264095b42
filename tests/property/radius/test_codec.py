"""The codec and the ciphers, for any values and any octets."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from duoproxy.errors import Disposition, RemoteProtocolError
from duoproxy.radius.attributes import AttributeId, all_values, joined, split_long, text_attributes, vendor_parts
from duoproxy.radius.authenticators import (
    MessageAuthenticator,
    check_message_authenticator,
    encode_reply,
    encode_request,
    reply_is_authentic,
)
from duoproxy.radius.dictionary import load_dictionary
from duoproxy.radius.hiding import decrypt_salted, encrypt_salted, hide_password, reveal_password
from duoproxy.radius.packet import Packet, decode_packet, encode_packet, frame_packet

DICTIONARY = load_dictionary()

quick = settings(max_examples=150, deadline=None)
octet = st.integers(0, 255)
authenticators = st.binary(min_size=16, max_size=16)
secrets = st.binary(min_size=1, max_size=40)
values = st.binary(max_size=253)
attributes = st.lists(st.tuples(octet, values), max_size=15)
unsigned = st.lists(st.tuples(octet.filter(lambda number: number != 80), values), max_size=14)
packets = st.builds(Packet, octet, octet, authenticators, attributes.map(tuple))


@st.composite
def near_packets(draw) -> bytes:
    """Octets that begin like a packet whose Length is right, so that the attributes are reached."""
    body = draw(st.binary(max_size=120))
    size = 20 + len(body) + draw(st.integers(-2, 2))
    return draw(st.binary(min_size=2, max_size=2)) + max(size, 0).to_bytes(2, "big") + bytes(16) + body


@quick
@given(packets)
def test_decoding_what_was_encoded_is_the_identity(packet):
    """decode∘encode is the identity, and encode∘decode too."""
    octets = encode_packet(packet)
    assert frame_packet(octets) == octets
    assert decode_packet(octets) == packet
    assert encode_packet(decode_packet(octets)) == octets


@quick
@given(packets, st.binary(max_size=30))
def test_padding_changes_nothing(packet, padding):
    """Octets after Length are no part of the packet."""
    assert decode_packet(encode_packet(packet) + padding) == packet


@quick
@given(st.one_of(st.binary(max_size=4200), near_packets()))
def test_any_octets_give_a_packet_or_are_to_be_discarded(datagram):
    """Any octets: a value, or RemoteProtocolError with DISCARD, from framing and decoding alike."""
    ends: list[bytes | Packet | Disposition] = []
    for read in (frame_packet, decode_packet):
        try:
            ends.append(read(datagram))
        except RemoteProtocolError as error:
            ends.append(error.disposition)
    framed, decoded = ends
    if isinstance(decoded, Packet):
        assert framed == encode_packet(decoded)
    else:
        assert ends == [Disposition.DISCARD] * 2


@quick
@given(st.one_of(st.binary(min_size=20, max_size=200), near_packets()), secrets)
def test_any_octets_have_a_message_authenticator_or_not(octets, secret):
    """The check ends for any octets, and never calls valid what was not signed."""
    assert check_message_authenticator(octets, secret) is not MessageAuthenticator.VALID
    assert not reply_is_authentic(octets, bytes(16), secret)


@quick
@given(octet, octet, authenticators, unsigned, secrets)
def test_what_is_written_is_signed(code, identifier, authenticator, its_attributes, secret):
    """Requests and replies that we write pass the checks of the other side, and carry what they were given."""
    reply = encode_reply(code, identifier, authenticator, its_attributes, secret)
    assert check_message_authenticator(reply, secret, authenticator) is MessageAuthenticator.VALID
    assert reply_is_authentic(reply, authenticator, secret)
    assert list(decode_packet(reply).attributes[1:]) == its_attributes
    request = encode_request(1, identifier, authenticator, its_attributes, secret)
    assert check_message_authenticator(request, secret) is MessageAuthenticator.VALID
    assert list(decode_packet(request).attributes[1:]) == its_attributes


@quick
@given(st.binary(max_size=128).filter(lambda password: not password.endswith(b"\0")), secrets, authenticators)
def test_password_comes_back(password, secret, authenticator):
    """reveal∘hide is the identity."""
    assert reveal_password(hide_password(password, secret, authenticator), secret, authenticator) == password


@quick
@given(st.binary(max_size=260), secrets, authenticators)
def test_any_hidden_octets_give_a_value_or_an_error(octets, secret, authenticator):
    """Revealing and decrypting any octets gives octets or RemoteProtocolError."""
    for read in (reveal_password, decrypt_salted):
        try:
            plain = read(octets, secret, authenticator)
        except RemoteProtocolError:
            continue
        assert len(plain) < max(len(octets), 1) + 1


@quick
@given(st.binary(max_size=239), secrets, authenticators, st.integers(0x8000, 0xFFFF))
def test_salted_value_comes_back(plain, secret, authenticator, salt):
    """decrypt∘encrypt is the identity."""
    value = encrypt_salted(plain, secret, authenticator, salt.to_bytes(2, "big"))
    assert decrypt_salted(value, secret, authenticator) == plain


@quick
@given(st.binary(max_size=3000), st.integers(0, 255))
def test_long_value_comes_back(value, number):
    """joined∘split is the identity for every value that is not empty."""
    parts = split_long(number, value)
    assert joined(parts, number) == (value or None)
    assert all(0 < len(part) <= 253 for _, part in parts)


@settings(max_examples=50, deadline=None)
@given(st.text(max_size=1200))
def test_text_is_cut_between_characters(text):
    """Every part of a text is valid UTF-8 by itself, and together they are its beginning."""
    parts = [value for _, value in text_attributes(18, text)]
    assert all(0 < len(part) <= 253 for part in parts)
    whole = "".join(part.decode() for part in parts)
    assert text.encode("utf-8", "replace").decode().startswith(whole)


@quick
@given(values, st.sampled_from([(1, 1), (2, 1), (2, 2), (4, 0), (1, 0), (4, 2)]))
def test_any_vendor_specific_can_be_looked_into(value, layout):
    """The parts of a Vendor-Specific account for every octet of it, or it is opaque."""
    parts = vendor_parts(value, *layout)
    if parts is not None:
        assert 4 + sum(sum(layout) + len(inner) for _, inner in parts) == len(value)
    assert isinstance(all_values([(26, value)], AttributeId(9, 1)), list)


@quick
@given(attributes)
def test_any_attributes_can_be_shown(its_attributes):
    """A debug log shows any attributes, each on one printable line."""
    lines = DICTIONARY.format_attributes(its_attributes)
    assert len(lines) >= len(its_attributes)
    assert all(line.isprintable() for line in lines)
