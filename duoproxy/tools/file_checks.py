"""Who may read and write the files of an installation: the configuration, keys, the log folder.

Modes are judged as they are for the account of the service, which is not the one that runs a check; what that account
is follows from who owns the run folder and the log folder.
"""

from __future__ import annotations

import contextlib
import grp
import os
import pwd
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from attrs import frozen

from duoproxy.config.file_kinds import InputFile
from duoproxy.config.schema import SectionSchema
from duoproxy.net.tls import load_trust_roots
from duoproxy.sections.checks import CheckFinding, CheckLevel
from duoproxy.service.places import Places

KEY_MARK: Final = b"PRIVATE KEY-----"
MAX_KEY_FILE_BYTES: Final = 65_536
"""Octets of a file in which a private key is looked for."""


@frozen
class Account:
    """An account of this machine.

    Attributes:
        name: its name, or number.
        uid: its number.
        groups: the numbers of its groups.
        primary_group: the number of its own group.
    """

    name: str
    uid: int
    groups: frozenset[int]
    primary_group: int

    def may(self, wanted: int, about: os.stat_result) -> bool:
        """Tell whether it has all of some rights (4 read, 2 write, 1 search) to a file, by the mode alone."""
        if self.uid == 0:
            return True
        if about.st_uid == self.uid:
            return about.st_mode >> 6 & wanted == wanted
        shift = 3 if about.st_gid in self.groups else 0
        return about.st_mode >> shift & wanted == wanted


def service_account(*folders: Path) -> Account | None:
    """Give the account of the service: who owns the first of these folders that is not root's; None: there is none."""
    for folder in folders:
        with contextlib.suppress(OSError):
            uid = folder.stat().st_uid
            if uid != 0:
                return account(uid)
    return None


def account(uid: int) -> Account:
    """Look an account up."""
    try:
        entry = pwd.getpwuid(uid)
    except KeyError:
        return Account(f"uid {uid}", uid, frozenset(), uid)
    return Account(entry.pw_name, uid, frozenset(os.getgrouplist(entry.pw_name, entry.pw_gid)), entry.pw_gid)


def installation_findings(configuration: Path, log_folder: Path, ca_file: Path | None) -> Iterator[CheckFinding]:
    """Look at what all sections need: the configuration file, the log folder, the authorities.

    Args:
        configuration: the file that is tested.
        log_folder: where logs go.
        ca_file: `http_ca_certs_file` of [main].
    """
    service = service_account(Places(configuration).run_folder, log_folder)
    yield from _configuration_findings(configuration, service)
    yield from _log_folder_findings(log_folder, service)
    key = Places(configuration).protection_key_file
    if os.path.exists(key):
        yield from _key_findings(key, service)
    if ca_file is not None:
        load_trust_roots(ca_file)


def named_file_findings(schema: SectionSchema, settings: Any, service: Account | None) -> Iterator[CheckFinding]:
    """Look at the files that the options of a section name."""
    for option in schema.options:
        path = getattr(settings, option.name)
        if isinstance(option.kind, InputFile) and isinstance(path, Path) and os.path.isfile(path):
            yield from _key_findings(path, service) if _is_key(path) else _reading_findings(path, service)


def _configuration_findings(file: Path, service: Account | None) -> Iterator[CheckFinding]:
    with contextlib.suppress(OSError):
        about = file.stat()
        yield from _reading_findings(file, service)
        if about.st_mode & stat.S_IWOTH:
            what = f"everybody on this machine can write into {file}"
            yield CheckFinding(CheckLevel.ERROR, what, f"Run chmod o-w {file}")
        if file.parent.stat().st_mode & stat.S_IWOTH and not file.parent.stat().st_mode & stat.S_ISVTX:
            what = f"everybody on this machine can replace files in {file.parent}"
            yield CheckFinding(CheckLevel.ERROR, what, f"Run chmod o-w {file.parent}")


def _log_folder_findings(folder: Path, service: Account | None) -> Iterator[CheckFinding]:
    try:
        about = folder.stat()
    except FileNotFoundError:
        if not os.access(_nearest_folder(folder), os.W_OK | os.X_OK):
            what = f"there is no folder {folder}, and this account may not make it"
            yield CheckFinding(CheckLevel.WARNING, what, "Make it, and give it to the account of the service")
        return
    except OSError as fault:
        yield CheckFinding(CheckLevel.ERROR, f"the log folder {folder} cannot be looked at ({fault.strerror})")
        return
    service = service or account(os.geteuid())
    if not service.may(3, about) or (service.uid == os.geteuid() and not os.access(folder, os.W_OK | os.X_OK)):
        what = f"the log folder {folder} may not be written to by {service.name}"
        yield CheckFinding(CheckLevel.ERROR, what, f"Run chmod u+rwx {folder}, or name another folder in log_dir")
    if about.st_mode & stat.S_IWOTH and not about.st_mode & stat.S_ISVTX:
        what = f"everybody on this machine can replace files in {folder}"
        yield CheckFinding(CheckLevel.WARNING, what, f"Run chmod o-w {folder}")


def _nearest_folder(folder: Path) -> Path:
    return next((parent for parent in folder.parents if os.path.isdir(parent)), Path("/"))


def _key_findings(file: Path, service: Account | None) -> Iterator[CheckFinding]:
    mode = file.stat().st_mode
    if mode & (stat.S_IROTH | stat.S_IWOTH):
        what = f"everybody on this machine can read the key in {file}"
        yield CheckFinding(CheckLevel.WARNING, what, f"Run chmod o= {file}; who may have read it has it")
    yield from _reading_findings(file, service)


def _reading_findings(file: Path, service: Account | None) -> Iterator[CheckFinding]:
    if service is None:
        return
    about = file.stat()
    if not service.may(4, about):
        what = f"{file} may not be read by {service.name}, the account of the service"
        remedy = f"Run chgrp {_group_name(service)} {file} && chmod g+r {file}"
        yield CheckFinding(CheckLevel.ERROR, what, remedy)


def _group_name(service: Account) -> str:
    with contextlib.suppress(KeyError):
        return grp.getgrgid(service.primary_group).gr_name
    return str(service.primary_group)


def _is_key(file: Path) -> bool:
    try:
        with file.open("rb") as opened:
            return KEY_MARK in opened.read(MAX_KEY_FILE_BYTES)
    except OSError:
        return True  # what we may not read is treated as one
