"""What goes into a support file, and how it is written: one zip, readable by who made it, with no secret in it.

Everything passes the `Redactor`, whatever it is: what was masked before must be clean a second time.
"""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from attrs import frozen

from duoproxy.config.catalogue import Catalogue
from duoproxy.config.problems import Problem
from duoproxy.config.shown import shown_sections
from duoproxy.config.validate import ReadFile, read_configuration
from duoproxy.errors import DuoproxyError
from duoproxy.service.control_messages import ControlFault
from duoproxy.service.places import Places
from duoproxy.tools.connectivity_report import Report
from duoproxy.tools.control_client import NoAnswer, ask
from duoproxy.tools.known_secrets import known_secrets
from duoproxy.tools.port_checks import service_process
from duoproxy.tools.redaction import Redactor
from duoproxy.tools.support_files import log_parts
from duoproxy.tools.system_facts import service_facts, system_facts, versions

BUNDLE_MODE: Final = 0o600
_READ_ME: Final = """\
Made by authproxy_support of duoproxy, {when}.

configuration.txt   {file}, every secret masked, comments left out; its problems
connectivity.txt    what authproxy_connectivity_tool found
status.json         what the running service says of itself
service.txt         its process: limits, memory, where it listens
system.txt          the machine: system, time, memory, disk
versions.txt        duoproxy, Python, OpenSSL, packages
log/                the ends of the logs

Secrets of the configuration (also of files, the environment and credentials that it names) were taken out of every
file here, as they are and in hex, base64 and URL form. Names of users, addresses and host names are in it: look at it
before you give it to somebody.
"""


class SupportFault(DuoproxyError):
    """The file cannot be made; `str()` is a sentence with the remedy."""


@frozen
class Subject:
    """The installation that a support file is about.

    Attributes:
        path: its configuration file.
        read: what could be read of that; None when nothing could.
        problems: of the file.
        catalogue: the kinds of sections.
        log_folder: where its logs are.
        redactor: takes its secrets out.
    """

    path: Path
    read: ReadFile | None
    problems: Sequence[Problem]
    catalogue: Catalogue
    log_folder: Path
    redactor: Redactor


def subject_of(path: Path, catalogue: Catalogue, environ: Mapping[str, str]) -> Subject:
    """Read what a support file is about."""
    read, problems = read_configuration(path, catalogue, environ=environ)
    main = read.main.settings if read is not None else None
    folder = Path(main.log_dir) if main is not None and main.log_dir else Places(path).log_folder
    secrets = known_secrets(path, read, catalogue, environ) if read is not None else ()
    return Subject(path, read, problems, catalogue, folder, Redactor(secrets))


def write_bundle(target: Path, subject: Subject, report: Report | None, when: str) -> list[str]:
    """Write the zip.

    Args:
        target: a file that is not there yet.
        subject: what it is about.
        report: of the connectivity tool; None: it was not wanted.
        when: the moment, for the names in it.

    Returns:
        the names of what is in it.

    Raises:
        SupportFault: it cannot be written.
    """
    try:
        descriptor = os.open(target, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, BUNDLE_MODE)
    except OSError as fault:
        raise SupportFault(f"{target} cannot be written ({fault.strerror}). Name another file with -o.") from None
    names = []
    try:
        with os.fdopen(descriptor, "w+b") as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            os.fchmod(file.fileno(), BUNDLE_MODE)
            for name, octets in _members(subject, report, when):
                archive.writestr(f"duoauthproxy-support/{name}", octets)
                names.append(name)
    except OSError as fault:
        target.unlink(missing_ok=True)  # half a zip helps nobody
        raise SupportFault(f"{target} cannot be written ({fault.strerror}). Name another file with -o.") from None
    return names


def _members(subject: Subject, report: Report | None, when: str) -> Iterator[tuple[str, bytes]]:
    redactor = subject.redactor
    status = _status(subject.path)
    texts = {
        "README.txt": _READ_ME.format(when=when, file=subject.path),
        "configuration.txt": _configuration(subject),
        "status.json": json.dumps(status, indent=2, ensure_ascii=False, default=str),
        "service.txt": service_facts(_pid(status, subject.path)),
        "system.txt": system_facts(subject.log_folder),
        "versions.txt": versions(),
    }
    if report is not None:
        texts["connectivity.txt"] = "\n".join([*report.lines(), ""])
    for name, text in texts.items():
        yield name, redactor.known(text.encode("utf-8", "surrogateescape"))
    for part in log_parts(subject.log_folder):
        head = f"[… {part.left_out} octets before this are left out]\n".encode() if part.left_out else b""
        yield f"log/{part.name}", head + redactor.all(part.octets)


def _configuration(subject: Subject) -> str:
    lines = [str(problem) for problem in subject.problems] + [""]
    if subject.read is None:
        return "\n".join(lines)
    for section in shown_sections(subject.read, subject.catalogue):
        lines += [f"[{section.name}]", *(f"{key}={value}" for key, value in section.entries.items()), ""]
    return "\n".join(lines)


def _status(path: Path) -> Mapping[str, Any]:
    try:
        return ask(Places(path), "status")
    except (NoAnswer, ControlFault) as fault:
        return {"answer": str(fault)}


def _pid(status: Mapping[str, Any], path: Path) -> int | None:
    pid = status.get("pid")
    if isinstance(pid, int):
        return pid
    running = service_process(path)
    return running.pid if running is not None else None
