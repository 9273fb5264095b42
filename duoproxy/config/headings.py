"""Which kinds of sections a file has: headings are sorted into known, planned and unknown ones."""

from __future__ import annotations

from attrs import Factory, define

from duoproxy.config.catalogue import Catalogue
from duoproxy.config.findings import Findings
from duoproxy.config.ini import IniFile, IniSection
from duoproxy.config.schema import Role
from duoproxy.config.section_options import SectionReading

MAIN = "main"
UNKNOWN_SECTION_REMEDY = "Delete it, or install the package that brings it"


@define
class Headings:
    """The sections of one file.

    Attributes:
        main_section: [main] as it stands in the file, or None.
        sections: the others that can be served, in order.
        planned: names of those that this version does not serve yet.
        unknown: the rest.
    """

    main_section: IniSection | None = None
    sections: list[SectionReading] = Factory(list)
    planned: list[str] = Factory(list)
    unknown: list[IniSection] = Factory(list)

    def main(self, catalogue: Catalogue) -> SectionReading:
        """Give [main], an empty one if the file has none."""
        return SectionReading(catalogue.schemas[MAIN], None, self.main_section or IniSection(MAIN, 1, ()))

    def of_role(self, role: Role) -> list[SectionReading]:
        """List the sections of one role."""
        return [reading for reading in self.sections if reading.schema.role is role]

    @property
    def client_names(self) -> tuple[str, ...]:
        """Name the client sections that can be served, in order."""
        return tuple(reading.name for reading in self.of_role(Role.CLIENT))

    @property
    def nameable_clients(self) -> frozenset[str]:
        """Names that `client` may have; planned ones are complained about at their heading, not at `client` too."""
        return frozenset({*self.client_names, *self.planned})


def sort_headings(ini: IniFile, catalogue: Catalogue, findings: Findings) -> Headings:
    """Find the kind of each section, and complain about those that cannot be served."""
    headings = Headings()
    for section in ini.sections:
        _sort_one(section, headings, catalogue, findings)
    serves = bool(headings.of_role(Role.SERVER))
    for section in headings.unknown:
        _tell_unknown(section, serves, catalogue, findings)
    if not serves:
        kinds = ", ".join(f"[{schema.name}]" for schema in catalogue.of_role(Role.SERVER) if not schema.loopback_only)
        what = "no server section is active in this file, so that nothing would listen"
        findings.error(None, "", "", what, f"Write one of: {kinds}")
    return headings


def _sort_one(section: IniSection, headings: Headings, catalogue: Catalogue, findings: Findings) -> None:
    resolved = catalogue.resolve(section.name)
    sentence, left_out = catalogue.planned_sentence(section.name), catalogue.left_out_sentence(section.name)
    if resolved is not None and resolved[0].role is Role.MAIN:
        if resolved[1] is None:
            headings.main_section = section
        else:
            what = "there can be only one [main]"
            findings.error(section.line, section.name, "", what, "Write its options under [main]")
    elif resolved is not None:
        headings.sections.append(SectionReading(resolved[0], resolved[1], section))
    elif left_out is not None:
        what, _, remedy = left_out.partition(". ")
        findings.warning(section.line, section.name, "", what, remedy)
    elif sentence is not None:
        headings.planned.append(section.name)
        what, _, remedy = sentence.partition(". ")
        findings.error(section.line, section.name, "", what, remedy or "Take the section out of this file")
    else:
        headings.unknown.append(section)


def _tell_unknown(section: IniSection, serves: bool, catalogue: Catalogue, findings: Findings) -> None:
    near = catalogue.near_names(section.name)
    if near:
        findings.error(section.line, section.name, "", "the section is unknown", f"Did you mean [{near[0]}]?")
    elif serves:
        findings.warning(section.line, section.name, "", "the section is unknown and ignored", UNKNOWN_SECTION_REMEDY)
    else:
        what = "the section is unknown, and there is no server section beside it"
        findings.error(section.line, section.name, "", what, "See authproxyctl options for the sections that there are")
