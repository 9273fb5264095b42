"""Encrypts the clear secrets of a configuration file in place: nothing but their lines changes.

Comments, order, blanks and line ends stay; `radius_secret_1 = …` becomes `radius_secret_protected_1 = v1:…`. What is no
clear secret stays as it is: `file:`, `env:` and `credential:` references, the placeholder of the sample file, sections
that are not served, lines that cannot be read.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

from attrs import frozen

from duoproxy.config.catalogue import Catalogue
from duoproxy.config.file_kinds import MAX_SECRET_BYTES, PLACEHOLDER, is_clear_text
from duoproxy.config.ini import MAX_FILE_BYTES, IniEntry, IniFile, parse_ini
from duoproxy.config.option_index import Named, protected_key
from duoproxy.config.protected import NONCE_BYTES, ProtectionKey, is_protected_value, protect, unprotect
from duoproxy.config.schema import Role
from duoproxy.errors import DuoproxyError
from duoproxy.secret import Secret

_LINE_END: Final = re.compile(rb"(\r\n|\n|\r)")
_ENTRY: Final = re.compile(rb"(?P<before>\s*)(?P<key>[^=]*?)(?P<equals>\s*=\s*)(?P<value>.*?)(?P<after>[ \t]*)")


class ProtectFileFault(DuoproxyError):
    """The file cannot be changed; `str()` is a sentence with the remedy."""


@frozen
class Found:
    """A line that holds a secret.

    Attributes:
        line: its number.
        section: where it stands.
        key: as it is written.
        new_key: of the encrypted twin.
        value: what stands there.
    """

    line: int
    section: str
    key: str
    new_key: str
    value: Secret


@frozen
class Contents:
    """A file that was read.

    Attributes:
        octets: all of it.
        clear: secrets in clear text.
        protected: values of ours.
        passed_over: sentences about what looks like a secret and cannot be changed.
    """

    octets: bytes
    clear: tuple[Found, ...]
    protected: tuple[Found, ...]
    passed_over: tuple[str, ...]


def read_contents(path: Path, catalogue: Catalogue) -> Contents:
    """Read a file and find its secrets.

    Raises:
        ProtectFileFault: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            octets = file.read(MAX_FILE_BYTES + 1)
    except OSError as fault:
        raise ProtectFileFault(f"{path} cannot be read ({fault.strerror}). Name a configuration file.") from None
    ini = parse_ini(octets, str(path))
    if not ini.sections and ini.problems:
        raise ProtectFileFault(f"{path}: {ini.problems[0].sentences}")
    clear: list[Found] = []
    protected: list[Found] = []
    for section, entry, named in _secrets(ini, catalogue):
        new_key = protected_key(named.option, named.number)
        found = Found(entry.line, section, entry.key, new_key, Secret(entry.value))
        if named.protected and is_protected_value(entry.value):
            protected.append(found)
        elif not named.protected and _is_clear(entry):
            clear.append(found)
    return Contents(octets, tuple(clear), tuple(protected), tuple(_passed_over(ini, catalogue)))


def protected_octets(contents: Contents, key: ProtectionKey, random_bytes: Callable[[int], bytes]) -> bytes:
    """Give the file with every clear secret encrypted."""
    new = {one.line: (one.new_key, protect(one.value, key, random_bytes(NONCE_BYTES))) for one in contents.clear}
    return _with_lines(contents.octets, new)


def rotated_octets(
    contents: Contents, keys: Sequence[ProtectionKey], key: ProtectionKey, random_bytes: Callable[[int], bytes]
) -> bytes:
    """Give the file with every protected value encrypted anew.

    Args:
        contents: the file.
        keys: that open its values.
        key: that they are encrypted with from now on.
        random_bytes: as `os.urandom`.

    Raises:
        ProtectionFault: a value does not open.
    """
    new = {}
    for one in contents.protected:
        opened = unprotect(one.value.reveal_text(), keys, "the key file")
        new[one.line] = (one.key, protect(opened, key, random_bytes(NONCE_BYTES)))
    return _with_lines(contents.octets, new)


def replace_file(path: Path, octets: bytes) -> None:
    """Put a new content in the place of a file, in one step, with its owner, mode and security label.

    Raises:
        ProtectFileFault: that cannot be done; the file is as it was.
    """
    target = Path(os.path.realpath(path))
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(8)}")
    try:
        about = target.stat()
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600), "wb") as file:
            file.write(octets)
            file.flush()
            os.fsync(file.fileno())
            if (about.st_uid, about.st_gid) != (os.geteuid(), os.getegid()):
                os.fchown(file.fileno(), about.st_uid, about.st_gid)
        shutil.copystat(target, temporary)
        os.rename(temporary, target)
    except OSError as fault:
        temporary.unlink(missing_ok=True)
        raise ProtectFileFault(f"{path} cannot be replaced ({fault.strerror}). Run the tool as root.") from None


def _secrets(ini: IniFile, catalogue: Catalogue) -> list[tuple[str, IniEntry, Named]]:
    found: list[tuple[str, IniEntry, Named]] = []
    for section in ini.sections:
        resolved = catalogue.resolve(section.name)
        if resolved is None:
            continue
        index = catalogue.inheritable if resolved[0].role is Role.MAIN else resolved[0].index
        for entry in section.entries:
            named = index.find(entry.key)
            if named is not None and named.option.kind.secret and entry.usable:
                found.append((section.name, entry, named))
    return found


def _is_clear(entry: IniEntry) -> bool:
    is_secret = is_clear_text(entry.value) and entry.value not in ("", PLACEHOLDER)
    return is_secret and len(entry.value.encode()) <= MAX_SECRET_BYTES


def _passed_over(ini: IniFile, catalogue: Catalogue) -> Iterator[str]:
    """Tell of what is left in clear text though it seems to be a secret, or cannot be read and may be one."""
    for problem in ini.problems:
        if problem.is_error and problem.line is not None:
            yield f"Line {problem.line} is left as it is: {problem.what}."
    for section in ini.sections:
        resolved = catalogue.resolve(section.name)
        if resolved is None:
            if any(_is_secret_anywhere(entry.key, catalogue) for entry in section.entries):
                yield f"[{section.name}] is left as it is: it is not served here."
            continue
        index = catalogue.inheritable if resolved[0].role is Role.MAIN else resolved[0].index
        for entry in section.entries:
            near = [option for _, option in index.near(entry.key)] if index.find(entry.key) is None else []
            if any(option.kind.secret for option in near):
                yield f"Line {entry.line} [{section.name}] {entry.key} is left as it is: the option is unknown."


def _is_secret_anywhere(key: str, catalogue: Catalogue) -> bool:
    found = (schema.index.find(key) for schema in catalogue.schemas.values())
    return any(named is not None and named.option.kind.secret for named in found)


def _with_lines(octets: bytes, new: dict[int, tuple[str, str]]) -> bytes:
    """Put new entries into lines; everything else of the file stays as it is, to the octet."""
    parts = _LINE_END.split(octets)
    for number, (key, value) in new.items():
        entry = _ENTRY.fullmatch(parts[2 * (number - 1)])
        if entry is None:
            raise ProtectFileFault(f"Line {number} cannot be changed. Write it anew as NAME = VALUE.")
        parts[2 * (number - 1)] = b"".join(
            [entry["before"], key.encode(), entry["equals"], value.encode(), entry["after"]]
        )
    return b"".join(parts)
