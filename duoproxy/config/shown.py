"""What of a configuration may be shown to others: the entries of each section as they are written, no secret in them.

Owns the masking for reports and support files. It shows a value only when the option is known and holds no secret: the
value of a misspelt `radius_secert_1` is a secret, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from attrs import frozen

from duoproxy.config.catalogue import Catalogue
from duoproxy.config.file_kinds import PLACEHOLDER_SECRET
from duoproxy.config.ini import IniEntry, IniSection
from duoproxy.config.option import Option
from duoproxy.config.option_index import Named
from duoproxy.config.schema import Role, SectionSchema
from duoproxy.config.section_options import SectionReading
from duoproxy.config.validate import ReadFile
from duoproxy.secret import MASK, Secret

LENGTH_SHOWN: Final = frozenset({"skey"})
"""Secrets of a fixed length, whose length is shown: a wrong one is a copying fault."""


@frozen
class ShownSection:
    """One section as it may be shown.

    Attributes:
        name: the name between the brackets.
        schema: its kind; None for one that is not served.
        entries: option as written (lower case) → value or mask, with what is inherited from [main]; by name.
        reading: what was read of it; None for one that is not served.
    """

    name: str
    schema: SectionSchema | None
    entries: Mapping[str, str]
    reading: SectionReading | None


def shown_sections(read: ReadFile, catalogue: Catalogue) -> list[ShownSection]:
    """List the sections of a file in its order; [main] comes first when the file has none."""
    readings = {reading.name: reading for reading in [read.main, *read.headings.sections]}
    sections = read.ini.sections
    if all(section.name != read.main.name for section in sections):
        sections = (read.main.ini, *sections)
    return [_shown(section, readings.get(section.name), catalogue) for section in sections]


def _shown(section: IniSection, reading: SectionReading | None, catalogue: Catalogue) -> ShownSection:
    if reading is None:
        entries = {entry.key: MASK for entry in section.entries}
        return ShownSection(section.name, None, _sorted(entries.items()), None)
    index = catalogue.inheritable if reading.schema.role is Role.MAIN else reading.schema.index
    shown = {entry.key: _value(entry, index.find(entry.key), reading) for entry in section.entries}
    for assignment in reading.assignments.values():
        if assignment.section != section.name:
            shown.setdefault(assignment.entry.key, _value(assignment.entry, assignment.named, reading))
    return ShownSection(section.name, reading.schema, _sorted(shown.items()), reading)


def _value(entry: IniEntry, named: Named | None, reading: SectionReading) -> str:
    if named is None:
        return MASK
    if named.option.kind.secret:
        return _masked(named.option, named.number, reading)
    return entry.value


def _masked(option: Option, number: int, reading: SectionReading) -> str:
    value = reading.values.get(option.name, {}).get(number)
    if option.name in LENGTH_SHOWN and isinstance(value, Secret) and value is not PLACEHOLDER_SECRET:
        return f"{MASK}[{len(value)}]"
    return MASK


def _sorted(entries: Iterable[tuple[str, str]]) -> dict[str, str]:
    return dict(sorted(entries))
