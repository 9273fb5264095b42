"""What the options of one section say together: missing ones, pairs, numbering, and the section's own checks."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from duoproxy.config.file_kinds import PLACEHOLDER_SECRET
from duoproxy.config.findings import Findings
from duoproxy.config.option import Numbering, Option
from duoproxy.config.schema import Finding
from duoproxy.config.section_options import SectionReading


def check_options(reading: SectionReading, findings: Findings) -> None:
    """Check what can be checked without a settings object."""
    followers: set[str] = set()
    for option in reading.schema.options:
        _check_required(reading, option, findings)
        if option.paired_with:
            _check_pair(reading, option.name, option.paired_with, findings)
            _check_pair(reading, option.paired_with, option.name, findings)
            followers.add(option.paired_with)
        if option.one_per:
            _check_orphans(reading, option, findings)
        elif option.is_numbered and option.name not in followers:
            _check_gap(reading, option, findings)
        if option.kind.distinct:
            _check_distinct(reading, option, findings)


def check_settings(reading: SectionReading, findings: Findings) -> None:
    """Let the section look at its settings."""
    schema = reading.schema
    for tell, look in ((findings.error, schema.check), (findings.warning, schema.advise)):
        for option, what, remedy in _look(look, reading):
            if _was_not_looked_at(reading, option):
                continue  # what is found is about the value that stands in for it
            line, section = reading.place(option)
            tell(line, section, option, what, remedy)


def _look(look: Callable[[object], Iterable[Finding]] | None, reading: SectionReading) -> Iterable[Finding]:
    return look(reading.settings) if look is not None else ()


def _was_not_looked_at(reading: SectionReading, key: str) -> bool:
    named = reading.schema.index.find(key)
    return named is not None and reading.values.get(named.option.name, {}).get(named.number) is PLACEHOLDER_SECRET


def _written(reading: SectionReading, name: str) -> set[int]:
    """Tell which numbers of an option are written, whether they can be used or not."""
    return set(reading.values.get(name, {})) | {number for other, number in reading.faulty if other == name}


def _check_required(reading: SectionReading, option: Option, findings: Findings) -> None:
    if not option.required:
        return
    written = _written(reading, option.name)
    first_needed = option.numbered is not Numbering.FROM_ONE
    if (1 in written) if first_needed else written:
        return
    if any(_written(reading, partner) for partner in _partners(reading, option)):
        return  # told by the pair
    findings.error(reading.ini.line, reading.name, option.key(), "the option is missing", how_to_write(option))


def _partners(reading: SectionReading, option: Option) -> set[str]:
    """Name the options whose numbers go with those of `option`, whichever of the two says so."""
    named = {option.paired_with} - {""}
    return named | {other.name for other in reading.schema.options if other.paired_with == option.name}


def how_to_write(option: Option, number: int = 1) -> str:
    """Say what line to write for an option that is missing."""
    if option.example and not option.kind.secret:
        return f"Write {option.key(number)} = {option.example}"
    return f"Write {option.key(number)} = and behind it {option.kind.describe()}"


def _check_pair(reading: SectionReading, name: str, partner: str, findings: Findings) -> None:
    """Each number of `name` needs the same one of `partner`."""
    option, needed = reading.schema.option(name), reading.schema.option(partner)
    if option is None or needed is None:
        raise LookupError(f"{name} and {partner} are not both options of [{reading.schema.name}]")
    for number in sorted(_written(reading, name) - _written(reading, partner)):
        line, section = reading.place(option.key(number))
        what = f"the option is missing, though there is {option.key(number)}"
        findings.error(line, section, needed.key(number), what, how_to_write(needed, number))


def _check_orphans(reading: SectionReading, option: Option, findings: Findings) -> None:
    """A `port_3` without a `host_3` does nothing."""
    lead = reading.schema.option(option.one_per)
    if lead is None:
        raise LookupError(f"{option.one_per} is not an option of [{reading.schema.name}]")
    for number in sorted(_written(reading, option.name) - _written(reading, lead.name) - {1}):
        line, section = reading.place(option.key(number))
        what = f"the option has no effect, because there is no {lead.key(number)}"
        findings.warning(line, section, option.key(number), what, f"Write {lead.key(number)} too, or delete the line")


def _check_gap(reading: SectionReading, option: Option, findings: Findings) -> None:
    """Numbers follow each other; a gap may be a line that was lost."""
    numbers = sorted(_written(reading, option.name))
    for expected, number in enumerate(numbers, start=1):
        if number != expected:
            line, section = reading.place(option.key(number))
            what = f"there is no {option.key(expected)} before it"
            findings.warning(line, section, option.key(number), what, "Number the lines from 1 without gaps")
            return


def _check_distinct(reading: SectionReading, option: Option, findings: Findings) -> None:
    values = reading.values.get(option.name, {})
    by_value: dict[object, int] = {}
    for number in sorted(values):
        first = by_value.setdefault(values[number], number)
        if first != number:
            line, section = reading.place(option.key(number))
            what = f"the value is the same as that of {option.key(first)}"
            findings.error(line, section, option.key(number), what, "Delete one of the two")
