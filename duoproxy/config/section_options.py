"""From the entries of one section to its frozen settings: which option a key names, and what its text means.

Everything about one section alone is found here; what concerns several sections is in `duoproxy.config.cross_checks`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from attrs import Factory, define, frozen

from duoproxy.config.catalogue import Catalogue
from duoproxy.config.findings import Findings
from duoproxy.config.ini import IniEntry, IniSection
from duoproxy.config.kind import ParseContext, ValueParseError
from duoproxy.config.option import OldName, Option
from duoproxy.config.option_index import Named
from duoproxy.config.problems import quoted
from duoproxy.config.protected_values import open_protected
from duoproxy.config.schema import Role, SectionSchema


@frozen
class Assignment:
    """An entry of the file that names an option of a section.

    Attributes:
        named: the option and its number.
        entry: key, text and line.
        section: the section where it stands: the section itself, or `main` when it is inherited.
    """

    named: Named
    entry: IniEntry
    section: str

    @property
    def option(self) -> Option:
        """The option that is named."""
        return self.named.option


@define
class SectionReading:
    """What has been read of one section so far.

    Attributes:
        schema: its kind.
        number: its number in the heading.
        ini: heading and entries.
        assignments: by (option name, number).
        values: by option name, then number.
        faulty: (option name, number) of what was written, but cannot be used.
        settings: the settings object, or None while there is an error in the section.
    """

    schema: SectionSchema
    number: int | None
    ini: IniSection
    assignments: dict[tuple[str, int], Assignment] = Factory(dict)
    values: dict[str, dict[int, Any]] = Factory(dict)
    faulty: set[tuple[str, int]] = Factory(set)
    settings: Any = None

    @property
    def name(self) -> str:
        """The name between the brackets."""
        return self.ini.name

    def place(self, key: str) -> tuple[int, str]:
        """Find line and section where an option (with its number) is written; the heading when it is not."""
        named = self.schema.index.find(key)
        assignment = self.assignments.get((named.option.name, named.number)) if named is not None else None
        if assignment is not None:
            return assignment.entry.line, assignment.section
        return self.ini.line, self.name


def assign(reading: SectionReading, main: IniSection | None, catalogue: Catalogue, findings: Findings) -> None:
    """Tell which option each entry names; complain about entries that name none. Inherited ones come from `main`."""
    index = reading.schema.index
    for entry in reading.ini.entries:
        named = index.find(entry.key)
        if named is not None:
            _assign_one(reading, named, entry, reading.name, findings)
        elif not findings.full:
            _unknown_option(reading, entry, catalogue, findings)
    if main is None or reading.schema.role is Role.MAIN:
        return
    for entry in main.entries:
        named = index.find(entry.key)
        if named and named.option.inherited and (named.option.name, named.number) not in reading.assignments:
            _assign_one(reading, named, entry, main.name, findings)


def parse_values(reading: SectionReading, context: ParseContext, findings: Findings) -> None:
    """Parse what was assigned, into `reading.values`."""
    for (name, number), assignment in reading.assignments.items():
        entry, option = assignment.entry, assignment.option
        try:
            if entry.usable:
                reading.values.setdefault(name, {})[number] = _parse(assignment, context, findings)
            else:
                reading.faulty.add((name, number))
        except ValueParseError as error:
            reading.faulty.add((name, number))
            remedy = error.remedy
            example = "" if option.kind.secret else option.example or _shown_default(option)
            if error.wants_example and example:
                remedy = f"{remedy}, such as {example}"
            findings.error(entry.line, assignment.section, entry.key, error.what, remedy)


def make_settings(reading: SectionReading, folder: Path) -> None:
    """Build the settings object; the section has no errors."""
    arguments: dict[str, Any] = {}
    for option in reading.schema.options:
        values = reading.values.get(option.name, {})
        if option.is_numbered:
            arguments[option.name] = values
        elif values:
            arguments[option.name] = values[1]
        elif isinstance(option.default, Path):
            arguments[option.name] = folder / option.default
    reading.settings = reading.schema.settings_class(**arguments)


def _assign_one(reading: SectionReading, named: Named, entry: IniEntry, section: str, findings: Findings) -> None:
    key = (named.option.name, named.number)
    first = reading.assignments.setdefault(key, Assignment(named, entry, section))
    if first.entry is not entry:
        what = f"the same option stands in line {first.entry.line} as {first.entry.key}"
        findings.error(entry.line, section, entry.key, what, "Delete one of the two lines")


def _parse(assignment: Assignment, context: ParseContext, findings: Findings) -> Any:
    """Parse one value; a trailing comment is cut, and warnings of the kind become problems."""
    entry, kind = assignment.entry, assignment.option.kind
    text = entry.value
    uncommented = text.partition(";")[0].partition("#")[0].rstrip() if kind.ends_at_comment else text
    if uncommented != text:
        text = uncommented
        what = "a comment stands behind the value and is ignored"
        findings.warning(entry.line, assignment.section, entry.key, what, "Put comments on lines of their own")
    if not text and not kind.accepts_empty:
        raise ValueParseError(
            "there is nothing right of the =", f"Write {kind.describe()}, or delete the line", wants_example=False
        )
    if assignment.named.old_name is not None:
        text = _in_new_words(assignment.named.old_name, text)
    try:
        return open_protected(text, kind, context) if assignment.named.protected else kind.parse(text, context)
    finally:
        for what, remedy in context.warnings:
            findings.warning(entry.line, assignment.section, entry.key, what, remedy)
        context.warnings.clear()


def _in_new_words(old: OldName, text: str) -> str:
    if not old.values:
        return text
    if text.lower() not in old.values:
        remedy = f"Write {' or '.join(old.values)}"
        raise ValueParseError(f"{quoted(text)} is not one of the choices", remedy, wants_example=False)
    return old.values[text.lower()]


def _shown_default(option: Option) -> str:
    return "" if option.required or option.default is None else option.kind.show(option.default)


def _unknown_option(reading: SectionReading, entry: IniEntry, catalogue: Catalogue, findings: Findings) -> None:
    """Tell about a key that names no option here: an error when it is, or is near, one that restricts who gets in."""
    index = catalogue.inheritable if reading.schema.role is Role.MAIN else reading.schema.index
    if index.find(entry.key):
        return
    near = index.near(entry.key)
    restricting = [spelling for spelling, option in near if option.restricts]
    if restricting:
        what = f"the option is unknown, and near to {restricting[0]}, which decides who gets in"
        findings.error(entry.line, reading.name, entry.key, what, f"Write {restricting[0]}, or delete the line")
        return
    owners = [name for name in catalogue.owners(entry.key) if name != reading.schema.name]
    if owners and catalogue.restricts(entry.key):
        what = "it has no effect in this section, and decides who gets in where it belongs"
        remedy = f"Write it into {' or '.join(f'[{name}]' for name in owners)}, or delete the line"
        findings.error(entry.line, reading.name, entry.key, what, remedy)
        return
    if near:
        remedy = f"Did you mean {near[0][0]}?"
    elif owners:
        remedy = f"It is an option of {', '.join(f'[{name}]' for name in owners)}"
    else:
        remedy = f"See authproxyctl options {reading.schema.name}, or delete the line"
    findings.warning(entry.line, reading.name, entry.key, "the option is unknown and ignored", remedy)
