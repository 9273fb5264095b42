"""From a configuration file to a `Configuration`, or to all of its problems: the one validator.

`authproxyctl check`, the start of the service and everything else that reads a configuration call it.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs
from attrs import frozen

from duoproxy.config.catalogue import Catalogue
from duoproxy.config.cross_checks import check_circles, check_listeners, put_on_loopback, resolve_client
from duoproxy.config.file_kinds import OutputFile, is_clear_text
from duoproxy.config.file_rights import owner_whose_rights_count
from duoproxy.config.findings import Findings
from duoproxy.config.headings import Headings, sort_headings
from duoproxy.config.ini import IniFile, read_ini
from duoproxy.config.kind import AttributeDictionary, ParseContext, Reach, ValueParseError
from duoproxy.config.problems import Problem
from duoproxy.config.schema import Role
from duoproxy.config.section_checks import check_options, check_settings
from duoproxy.config.section_options import SectionReading, assign, make_settings, parse_values
from duoproxy.errors import ConfigError, DuoproxyError

__all__ = [
    "Catalogue",
    "Configuration",
    "ConfiguredSection",
    "Reach",
    "ReadFile",
    "check_configuration",
    "load_configuration",
    "read_configuration",
]

DICTIONARY_OPTION = "dictionary_file"
"""The option of [main] that has to be read before any other option that names attributes."""


@frozen
class ConfiguredSection:
    """One section that can be made.

    Attributes:
        name: the name between the brackets.
        kind: the name without its number.
        number: the number in the heading, or None.
        settings: an instance of the schema's settings class.
        line: line of the heading.
        client: name of its client section, for a server that takes one.
    """

    name: str
    kind: str
    number: int | None
    settings: Any
    line: int
    client: str | None = None


@frozen
class Configuration:
    """A file without errors. Two are equal when they ask for the same (warnings and dictionary apart).

    Attributes:
        path: the file.
        main: settings of [main].
        clients: client sections in the order of the file.
        servers: server sections in the order of the file.
        warnings: what is doubtful.
        dictionary: what the catalogue's `dictionary_loader` gave.
    """

    path: Path
    main: Any
    clients: tuple[ConfiguredSection, ...]
    servers: tuple[ConfiguredSection, ...]
    warnings: tuple[Problem, ...] = attrs.field(eq=False)
    dictionary: Any = attrs.field(eq=False, repr=False)


@frozen
class ReadFile:
    """A file with whatever could be read of it, for those who show and test it part by part.

    Attributes:
        ini: sections and entries as they stand there.
        main: [main], an empty one if the file has none.
        headings: the other sections; `settings` of one is None while it has errors.
        servers: what `Configuration.servers` would be; settings may be None.
        dictionary: what the catalogue's `dictionary_loader` gave.
    """

    ini: IniFile
    main: SectionReading
    headings: Headings
    servers: tuple[ConfiguredSection, ...]
    dictionary: Any


def read_configuration(
    path: Path, catalogue: Catalogue, *, environ: Mapping[str, str] = os.environ, reach: Reach = Reach.SHELL
) -> tuple[ReadFile | None, list[Problem]]:
    """Give whatever could be read of a file, with all its problems; the arguments are those of `load_configuration`."""
    validation = _Validation(path, catalogue, environ, reach)
    return validation.read(), validation.findings.problems()


def load_configuration(
    path: Path,
    catalogue: Catalogue,
    *,
    environ: Mapping[str, str] = os.environ,
    reach: Reach = Reach.SERVICE,
) -> Configuration:
    """Read and check a file.

    Args:
        path: the file; relative paths in it start at its folder.
        catalogue: the kinds of sections.
        environ: the environment, for secrets that stand there.
        reach: how far values are followed to where they point; with another than SERVICE the settings are good for
            nothing but to be looked at.

    Raises:
        ConfigError: with every problem of the file, warnings too.
    """
    validation = _Validation(path, catalogue, environ, reach)
    configuration = validation.run()
    if configuration is None:
        raise ConfigError(validation.findings.problems())
    return configuration


def check_configuration(
    path: Path, catalogue: Catalogue, *, environ: Mapping[str, str] = os.environ, reach: Reach = Reach.SHELL
) -> list[Problem]:
    """List every problem of a file; the arguments are those of `load_configuration`."""
    try:
        return list(load_configuration(path, catalogue, environ=environ, reach=reach).warnings)
    except ConfigError as error:
        return list(error.problems)


class _Validation:
    """The steps from a path to a configuration; each adds to `findings`."""

    def __init__(self, path: Path, catalogue: Catalogue, environ: Mapping[str, str], reach: Reach) -> None:
        self.findings = Findings(str(path))
        self._path = path
        self._catalogue = catalogue
        self._environ = environ
        self._reach = reach

    def run(self) -> Configuration | None:
        """Take all steps; None when there are errors."""
        read = self.read()
        if read is None or self.findings.has_errors:
            return None
        return Configuration(
            path=self._path,
            main=read.main.settings,
            clients=tuple(_configured(reading) for reading in read.headings.of_role(Role.CLIENT)),
            servers=read.servers,
            warnings=tuple(self.findings.problems()),
            dictionary=read.dictionary,
        )

    def read(self) -> ReadFile | None:
        """Read everything that can be read, good or bad; None when there is no section at all."""
        ini = read_ini(self._path)
        self.findings.extend(ini.problems)
        if not ini.sections:
            return None
        headings = sort_headings(ini, self._catalogue, self.findings)
        main = headings.main(self._catalogue)
        readings = [main, *headings.sections]
        for reading in readings:
            assign(reading, main.ini, self._catalogue, self.findings)
        self._warn_of_main(main, headings)
        context = self._context(main, headings)
        for reading in readings:
            self._read_section(reading, context)
        servers = self._check_together(headings)
        self._check_rights(readings)
        return ReadFile(ini, main, headings, servers, context.dictionary)

    def _context(self, main: SectionReading, headings: Headings) -> ParseContext:
        context = ParseContext(
            folder=self._path.parent,
            environ=self._environ,
            client_sections=headings.nameable_clients,
            reach=self._reach,
            reads_as=owner_whose_rights_count(self._path),
        )
        made = frozenset(path for one in [main, *headings.sections] for path in _made_files(one, context))
        context = attrs.evolve(context, made_files=made)
        return attrs.evolve(context, dictionary=self._dictionary(main, context))

    def _dictionary(self, main: SectionReading, context: ParseContext) -> AttributeDictionary:
        """Load the attribute names, with the administrator's file if it is a good one."""
        assignment = main.assignments.get((DICTIONARY_OPTION, 1))
        if assignment is not None and context.follows_files:
            try:
                paths = assignment.option.kind.parse(assignment.entry.value, context)
                return self._catalogue.dictionary_loader(*(paths if isinstance(paths, tuple) else (paths,)))
            except ValueParseError:
                pass  # told when [main] is read
            except (DuoproxyError, OSError, ValueError) as error:
                what = f"the dictionary cannot be used: {error}"
                line, section = main.place(DICTIONARY_OPTION)
                self.findings.error(line, section, DICTIONARY_OPTION, what, "Mend the file, or delete the option")
        return self._catalogue.dictionary_loader()

    def _read_section(self, reading: SectionReading, context: ParseContext) -> None:
        own = Findings(self.findings.file)
        parse_values(reading, context, own)
        check_options(reading, own)
        if not own.has_errors and not reading.faulty:
            make_settings(reading, context.folder)
            check_settings(reading, own)
        self.findings.extend(own.problems())

    def _check_together(self, headings: Headings) -> tuple[ConfiguredSection, ...]:
        put_on_loopback(headings.sections, self.findings)
        servers = headings.of_role(Role.SERVER)
        check_listeners(servers, self.findings)
        clients = headings.of_role(Role.CLIENT)
        resolved = [(server, resolve_client(server, clients, self.findings)) for server in servers]
        check_circles(resolved, clients, self.findings)
        return tuple(_configured(server, client) for server, client in resolved)

    def _warn_of_main(self, main: SectionReading, headings: Headings) -> None:
        """Tell about options in [main] that no section of this file inherits."""
        used = {id(assignment.entry) for one in [main, *headings.sections] for assignment in one.assignments.values()}
        for entry in main.ini.entries:
            if id(entry) not in used and self._catalogue.inheritable.find(entry.key):
                what = "no section of this file has this option, so that it has no effect"
                self.findings.warning(entry.line, main.name, entry.key, what, "Delete the line")

    def _check_rights(self, readings: list[SectionReading]) -> None:
        """Warn of a file with secrets that everybody can read; those of a sandbox protect nothing."""
        secrets = any(_has_clear_text_secret(reading) for reading in readings)
        if self._reach is Reach.NOTHING or not secrets or any(reading.schema.loopback_only for reading in readings):
            return
        try:
            mode = self._path.stat().st_mode
        except OSError:
            return
        if stat.S_ISREG(mode) and mode & stat.S_IROTH:
            what = "everybody on this machine can read this file, and there are secrets in it"
            self.findings.warning(None, "", "", what, f"Run chmod o-r {self._path} to change that")


def _configured(reading: SectionReading, client: str | None = None) -> ConfiguredSection:
    return ConfiguredSection(
        reading.name, reading.schema.name, reading.number, reading.settings, reading.ini.line, client
    )


def _made_files(reading: SectionReading, context: ParseContext) -> list[Path]:
    """List the files that a section will make."""
    options = [option for option in reading.schema.options if isinstance(option.kind, OutputFile)]
    paths: list[Path] = []
    for option in options:
        assignment = reading.assignments.get((option.name, 1))
        if assignment is not None:
            paths.append(context.path(assignment.entry.value))
        elif isinstance(option.default, Path):
            paths.append(context.path(str(option.default)))
    return paths


def _has_clear_text_secret(reading: SectionReading) -> bool:
    return any(
        assignment.option.kind.secret and not assignment.named.protected and is_clear_text(assignment.entry.value)
        for assignment in reading.assignments.values()
    )
