"""The dictionary: names of attributes for configuration files and logs.

Owns the way from a name (or a number, or `Vendor-Id:Type`) to an attribute and back. A login never needs it to read a
packet; where a value is to be relayed, it says how the value is hidden. How the files are written is the business of
`duoproxy.radius.dictionary_files`, how a value is shown that of `duoproxy.radius.attribute_text`.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from importlib import resources
from pathlib import Path

from duoproxy.radius.attribute_text import shown
from duoproxy.radius.attributes import AttributeId, Type, vendor_of, vendor_parts
from duoproxy.radius.definitions import (
    USUAL_FORMAT,
    AttributeDefinition,
    DictionaryError,
    Encryption,
    VendorFormat,
)
from duoproxy.radius.dictionary_files import DictionaryReader
from duoproxy.radius.packet import Attribute

__all__ = [
    "AttributeDefinition",
    "AttributeId",
    "Dictionary",
    "DictionaryError",
    "Encryption",
    "VendorFormat",
    "load_dictionary",
]

MAX_SUGGESTIONS = 3
MAX_VENDOR = (1 << 32) - 1


class Dictionary:
    """Attribute names, as the files gave them. It does not change."""

    def __init__(
        self, definitions: Iterable[AttributeDefinition], vendor_formats: Mapping[int, VendorFormat] | None = None
    ) -> None:
        """Take definitions; of two with one name, or one number, the later counts, but both names stay."""
        self._by_name: dict[str, AttributeDefinition] = {}
        self._by_id: dict[AttributeId, AttributeDefinition] = {}
        for definition in definitions:
            self._by_name[definition.name.casefold()] = definition
            self._by_id[definition.attribute_id] = definition
        self._vendor_formats = dict(vendor_formats or {})

    def __len__(self) -> int:
        """The number of names."""
        return len(self._by_name)

    def find(self, name: str) -> AttributeDefinition | None:
        """Find an attribute by name in any case, by number (`26`), or by `Vendor-Id:Type` (`25461:7`).

        A number that no file names gives a definition of octets.

        Returns:
            the definition, or None when it is neither a known name nor a number that an attribute can have.
        """
        name = name.strip()
        known = self._by_name.get(name.casefold())
        if known is not None:
            return known
        attribute_id = _read_number(name)
        if attribute_id is None or attribute_id.number >= 256 ** self.vendor_format(attribute_id.vendor).type_octets:
            return None
        return self.definition(attribute_id)

    def definition(self, attribute_id: AttributeId) -> AttributeDefinition:
        """Give the definition of a number, one of octets when no file names it."""
        known = self._by_id.get(attribute_id)
        if known is not None:
            return known
        number = str(attribute_id.number)
        name = f"{attribute_id.vendor}:{number}" if attribute_id.vendor else number
        return AttributeDefinition(name, attribute_id)

    def name_of(self, attribute_id: AttributeId) -> str:
        """Give a name that `find` finds again: the dictionary's, else the number."""
        return self.definition(attribute_id).name

    def names(self) -> list[str]:
        """Give all names, sorted."""
        return sorted(definition.name for definition in self._by_name.values())

    def suggestions(self, name: str) -> list[str]:
        """Give up to three known names that someone who wrote `name` may have meant, the nearest first."""
        near = difflib.get_close_matches(name.strip().casefold(), self._by_name, MAX_SUGGESTIONS, 0.7)
        return [self._by_name[each].name for each in near]

    def vendor_format(self, vendor: int) -> VendorFormat:
        """Give the format of a vendor's attributes; most have the usual one."""
        return self._vendor_formats.get(vendor, USUAL_FORMAT)

    def format_attributes(self, attributes: Iterable[Attribute]) -> list[str]:
        """Show attributes for a debug log as `Name = value`, one line each, secrets masked.

        Attributes inside a Vendor-Specific have a line each.
        """
        return [
            f"{definition.name} = {shown(definition, octets)}"
            for number, value in attributes
            for definition, octets in self._looked_into(number, value)
        ]

    def _looked_into(self, number: int, value: bytes) -> list[tuple[AttributeDefinition, bytes]]:
        """The attribute itself, or those inside it when it is a Vendor-Specific that can be looked into."""
        vendor = vendor_of(value) if number == Type.VENDOR_SPECIFIC else None
        if vendor:
            layout = self.vendor_format(vendor)
            parts = None if layout.continuation else vendor_parts(value, layout.type_octets, layout.length_octets)
            if parts is not None:
                return [(self.definition(AttributeId(vendor, inner)), octets) for inner, octets in parts]
        return [(self.definition(AttributeId(0, number)), value)]


def load_dictionary(*extra_files: Path) -> Dictionary:
    """Read our own files, then the administrator's, which may add names and rename ours.

    Raises:
        DictionaryError: a file cannot be read, or has a line that cannot be used.
    """
    reader = DictionaryReader()
    reader.read(resources.files("duoproxy.radius") / "dictionary_data", "dictionary")
    for file in extra_files:
        reader.read(file.parent, file.name)
    return Dictionary(reader.definitions, reader.vendor_formats)


def _read_number(text: str) -> AttributeId | None:
    """Read `26` or `25461:7`."""
    vendor_text, colon, number_text = text.rpartition(":")
    for part in (vendor_text, number_text) if colon else (number_text,):
        if not (part.isascii() and part.isdigit() and len(part) <= 10):
            return None
    vendor, number = int(vendor_text or 0), int(number_text)
    if colon:
        return AttributeId(vendor, number) if 0 < vendor <= MAX_VENDOR else None
    return AttributeId(0, number) if number else None
