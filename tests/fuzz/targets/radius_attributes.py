"""The views on attributes, the dictionary's included: they end, account for every octet, and show one line each."""

from __future__ import annotations

from duoproxy.radius.attributes import (
    AttributeId,
    Type,
    all_values,
    first,
    joined,
    split_long,
    text_attributes,
    vendor_of,
    vendor_parts,
)
from duoproxy.radius.dictionary import load_dictionary
from tests.fuzz.shaping import lenient_attributes

LAYOUTS = ((1, 1), (2, 1), (2, 2), (4, 0), (4, 2), (1, 0), (1, 2), (2, 0), (4, 1))
DICTIONARY = load_dictionary()


def target(data: bytes) -> None:
    attributes = lenient_attributes(data)
    for number, value in attributes:
        if number == Type.VENDOR_SPECIFIC:
            _vendor_specific(value)
        values = all_values(attributes, number)
        assert first(attributes, number) == values[0]
        assert joined(attributes, number) == b"".join(values)
    assert b"".join(value for _, value in split_long(Type.EAP_MESSAGE, data)) == data
    text = data.decode("utf-8", "replace")
    parts = [value.decode("utf-8") for _, value in text_attributes(Type.REPLY_MESSAGE, text)]
    assert text.startswith("".join(parts))
    shown = DICTIONARY.format_attributes(attributes)
    assert len(shown) >= len(attributes)
    assert all(line.isprintable() for line in shown)


def _vendor_specific(value: bytes) -> None:
    for type_octets, length_octets in LAYOUTS:
        parts = vendor_parts(value, type_octets, length_octets)
        if parts is not None:
            assert 4 + sum(type_octets + length_octets + len(inner) for _, inner in parts) == len(value)
    vendor = vendor_of(value)
    if vendor:
        for number, inner in vendor_parts(value) or ():
            assert inner in all_values([(26, value)], AttributeId(vendor, number))
