"""Finding, joining and cutting values. Source: RFC 2865 §5, §5.26, RFC 3579 §3.1."""

from __future__ import annotations

import pytest

from duoproxy.radius.attributes import (
    MAX_TEXT_BYTES,
    AttributeId,
    Type,
    all_values,
    first,
    joined,
    split_long,
    text_attributes,
    vendor_attribute,
    vendor_of,
    vendor_parts,
)

CISCO_AVPAIR = AttributeId(9, 1)


def test_first_and_all_values_of_a_type():
    """A type gives its first value, or all of them in order."""
    attributes = [(33, b"a"), (1, b"u"), (33, b"b")]
    assert first(attributes, Type.PROXY_STATE) == b"a"
    assert all_values(attributes, Type.PROXY_STATE) == [b"a", b"b"]
    assert all_values(attributes, AttributeId(0, 33)) == [b"a", b"b"]
    assert first(attributes, Type.STATE) is None
    assert all_values(attributes, Type.STATE) == []


def test_several_vendor_attributes_in_one_and_in_many():
    """Attributes of a vendor are found wherever they stand, several in one Vendor-Specific included."""
    both = (26, b"\0\0\0\x09" + b"\x01\x03a" + b"\x02\x03x" + b"\x01\x03b")
    attributes = [both, vendor_attribute(9, 1, b"c"), vendor_attribute(311, 1, b"d")]
    assert all_values(attributes, CISCO_AVPAIR) == [b"a", b"b", b"c"]
    assert first(attributes, AttributeId(311, 1)) == b"d"
    assert first(attributes, AttributeId(9, 7)) is None


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"\0\0\0",
        b"\0\0\0\x09",
        b"\0\0\0\x09\x01",
        b"\0\0\0\x09\x01\x00",
        b"\0\0\0\x09\x01\x01",
        b"\0\0\0\x09\x01\x09a",
        b"\0\0\0\x09\x01\x03a\x01\x00",
        b"\0\0\0\x09\x01\x03a\x01",
    ],
)
def test_vendor_specific_whose_lengths_do_not_fit_is_opaque(value):
    """A Vendor-Specific that does not fit the usual format gives nothing, and ends the search for nothing else."""
    assert vendor_parts(value) is None
    attributes = [(26, value), vendor_attribute(9, 1, b"good")]
    assert all_values(attributes, CISCO_AVPAIR) == [b"good"]


def test_formats_of_other_vendors():
    """Two-octet and four-octet types, two-octet lengths, and none at all."""
    assert vendor_parts(b"\0\0\x1f\xe4" + b"\0\x07\0\x05x", 2, 2) == [(7, b"x")]
    assert vendor_parts(b"\0\0\x01\xad" + b"\0\0\x90\x01rest", 4, 0) == [(0x9001, b"rest")]
    assert vendor_parts(b"\0\0\x12\xee" + b"\0\x07\x04x", 2, 1) == [(7, b"x")]


def test_vendor_id_of_a_value():
    """The Vendor-Id is the first four octets of a value that has more."""
    assert vendor_of(b"\0\0\x01\x37\x01\x02") == 311
    assert vendor_of(b"\0\0\x01\x37") is None


def test_vendor_attribute_has_the_usual_format():
    """One octet of type, one of length, up to 247 of value."""
    assert vendor_attribute(311, 17, b"key") == (26, b"\0\0\x01\x37\x11\x05key")
    assert len(vendor_attribute(9, 1, bytes(247))[1]) == 253
    for vendor, number, value in ((9, 1, bytes(248)), (9, 256, b""), (1 << 32, 1, b"")):
        with pytest.raises(ValueError, match=r"."):
            vendor_attribute(vendor, number, value)


def test_long_value_is_split_and_joined():
    """A value over 253 octets goes into several attributes, in order."""
    value = bytes(range(256)) * 2
    parts = split_long(Type.EAP_MESSAGE, value)
    assert [len(part) for _, part in parts] == [253, 253, 6]
    assert joined([(1, b"u"), *parts, (80, bytes(16))], Type.EAP_MESSAGE) == value


def test_joined_tells_absent_from_empty():
    """No attribute is None; an empty one is empty."""
    assert joined([(1, b"u")], Type.EAP_MESSAGE) is None
    assert joined([(79, b"")], Type.EAP_MESSAGE) == b""
    assert split_long(79, b"") == []


def test_text_is_cut_between_lines_or_words_where_it_can_be():
    """A device that shows each Reply-Message on a line of its own breaks no word."""
    prompt = "\n".join(f"{number}. Duo Push to XXX-XXX-{number:04}" for number in range(30))
    parts = [value for _, value in text_attributes(Type.REPLY_MESSAGE, prompt)]
    assert len(parts) > 2
    assert all(part.endswith(b"\n") for part in parts[:-1])
    words = text_attributes(Type.REPLY_MESSAGE, "enroll " * 100)
    assert all(value.endswith(b" ") and len(value) > 126 for _, value in words[:-1])


def test_text_is_cut_between_characters():
    """A Reply-Message is never cut inside a UTF-8 character."""
    text = "x" * 252 + "ä" * 200
    parts = [value for _, value in text_attributes(Type.REPLY_MESSAGE, text)]
    assert "".join(part.decode() for part in parts) == text
    assert [len(part) for part in parts] == [252, 252, 148]


def test_empty_text_gives_no_attribute():
    """A text attribute has at least one octet; an empty one is left out."""
    assert text_attributes(Type.REPLY_MESSAGE, "") == []


def test_endless_text_is_cut():
    """A text from elsewhere cannot outgrow a packet."""
    parts = text_attributes(Type.REPLY_MESSAGE, "€" * 5000)
    octets = b"".join(value for _, value in parts)
    assert MAX_TEXT_BYTES - 3 < len(octets) <= MAX_TEXT_BYTES
    assert octets.decode() == "€" * (len(octets) // 3)


def test_text_that_utf_8_cannot_write_is_written_with_a_question_mark():
    """A stray surrogate does not end in an exception."""
    assert text_attributes(18, "a\udc80b") == [(18, b"a?b")]


def test_text_with_a_bound_of_its_own():
    """A prompt may be longer than other texts; it is cut between characters as well."""
    text = "ж" * 2_000
    assert sum(len(value) for _, value in text_attributes(18, text)) == 2_024
    parts = [value for _, value in text_attributes(18, text, 3_035)]
    assert "".join(part.decode() for part in parts) == "ж" * 1_517
