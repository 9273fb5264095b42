"""Collects every secret that a configuration leads to, so that they can be taken out of what is given to others."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from duoproxy.config.catalogue import Catalogue
from duoproxy.config.file_kinds import PLACEHOLDER, PLACEHOLDER_SECRET, InputFile, is_clear_text
from duoproxy.config.protected import ProtectionFault
from duoproxy.config.section_options import SectionReading
from duoproxy.config.shown import shown_sections
from duoproxy.config.validate import ReadFile
from duoproxy.secret import MASK, Secret
from duoproxy.service.places import Places
from duoproxy.tools.protection_keys import credential_folders, find_keys

MAX_KEY_FILE_BYTES: Final = 65_536
"""Octets that are read of a key file."""
_PEM_KEY: Final = re.compile(rb"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----(.*?)-----END", re.DOTALL)


def known_secrets(path: Path, read: ReadFile, catalogue: Catalogue, environ: Mapping[str, str]) -> Iterator[bytes]:
    """Give the octets of every secret.

    Args:
        path: the configuration file.
        read: what was read of it.
        catalogue: the kinds of sections.
        environ: the environment, which secrets may stand in.
    """
    for reading in [read.main, *read.headings.sections]:
        yield from _of_section(reading)
        yield from _of_files(reading)
    yield from _of_masked_entries(read, catalogue)
    yield from _of_environment(read, environ)
    yield from _of_protection_keys(path, environ)


def _of_section(reading: SectionReading) -> Iterator[bytes]:
    for values in reading.values.values():
        for value in values.values():
            if isinstance(value, Secret) and value is not PLACEHOLDER_SECRET:
                yield value.reveal()
                # `user_1 = alice:password` of the sandbox
                yield value.reveal().partition(b":")[2]


def _of_files(reading: SectionReading) -> Iterator[bytes]:
    """Give the lines of private keys that options name."""
    for option in reading.schema.options:
        if isinstance(option.kind, InputFile):
            for value in reading.values.get(option.name, {}).values():
                yield from _key_lines(_content(value))


def _of_masked_entries(read: ReadFile, catalogue: Catalogue) -> Iterator[bytes]:
    """Give whatever is masked when the file is shown: a misspelt option may hold a secret, too."""
    entries = {section.name: {entry.key: entry.value for entry in section.entries} for section in read.ini.sections}
    for shown in shown_sections(read, catalogue):
        for key, value in shown.entries.items():
            written = entries.get(shown.name, {}).get(key, "")
            if value.startswith(MASK) and is_clear_text(written) and written not in ("", PLACEHOLDER):
                yield written.encode("utf-8", "surrogateescape")


def _of_environment(read: ReadFile, environ: Mapping[str, str]) -> Iterator[bytes]:
    """Give the variables that are named, also those that nothing but this masking is given."""
    for section in read.ini.sections:
        for entry in section.entries:
            source, _, name = entry.value.partition(":")
            if source == "env" and environ.get(name):
                yield environ[name].encode("utf-8", "surrogateescape")


def _of_protection_keys(path: Path, environ: Mapping[str, str]) -> Iterator[bytes]:
    try:
        ring = find_keys(Places(path).protection_key_file, credential_folders(environ))
    except ProtectionFault:
        return
    for key in ring.keys if ring is not None else ():
        yield key.octets
        yield key.line().partition(":")[2].encode()


def _key_lines(content: bytes) -> Iterator[bytes]:
    for found in _PEM_KEY.finditer(content):
        yield from (line.strip() for line in found[1].splitlines() if len(line.strip()) > 1)


def _content(file: object) -> bytes:
    if not isinstance(file, Path):
        return b""
    try:
        with file.open("rb") as opened:
            return opened.read(MAX_KEY_FILE_BYTES)
    except OSError:
        return b""
