"""What the control channel can be asked: status, explain, primary_only. Nothing of it reads or shows a secret."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from attrs import frozen
from twisted.logger import Logger

from duoproxy import __version__
from duoproxy.sections.contracts import ClientSection, Section, ServerSection
from duoproxy.service.control import Command
from duoproxy.service.control_messages import ControlFault
from duoproxy.service.journal import Journal
from duoproxy.service.primary_only import MAX_MINUTES, MIN_MINUTES, PrimaryOnly, PrimaryOnlyFault

MAX_EXPLAINED: Final = 100
"""Logins in one answer."""


@frozen(eq=False)
class Running:
    """What is known of a running service.

    Attributes:
        configuration: path of its file.
        clients: by the names of their sections.
        servers: the same.
        state: gives `starting`, `ready` or `stopping`.
        warnings: what the start had to warn of.
        started_at: seconds since 1970.
        uptime_s: gives seconds since the start.
    """

    configuration: str
    clients: Mapping[str, ClientSection]
    servers: Mapping[str, ServerSection]
    state: Callable[[], str]
    warnings: Sequence[str]
    started_at: float
    uptime_s: Callable[[], float]


def commands(running: Running, journal: Journal, primary_only: PrimaryOnly) -> dict[str, Command]:
    """Make the commands of a service."""

    def status(arguments: Mapping[str, Any], uid: int) -> Mapping[str, object]:
        return _status(running, journal, primary_only)

    def explain(arguments: Mapping[str, Any], uid: int) -> Mapping[str, object]:
        return _explain(journal, arguments)

    def switch(arguments: Mapping[str, Any], uid: int) -> Mapping[str, object]:
        return _primary_only(primary_only, arguments, uid)

    return {"status": status, "explain": explain, "primary_only": switch}


def _status(running: Running, journal: Journal, primary_only: PrimaryOnly) -> Mapping[str, object]:
    sections: dict[str, Section] = {**running.clients, **running.servers}
    return {
        "program": "duoproxy",
        "version": __version__,
        "state": running.state(),
        "pid": os.getpid(),
        "uptime_s": round(running.uptime_s()),
        "started_at": running.started_at,
        "configuration": running.configuration,
        "primary_only": primary_only.status(),
        "logins_remembered": len(journal),
        "warnings": list(running.warnings),
        "sections": {name: _section_status(name, section) for name, section in sections.items()},
    }


def _section_status(name: str, section: Section) -> Mapping[str, object]:
    role = "client" if isinstance(section, ClientSection) else "server"
    try:
        told = section.status()
    except Exception:  # noqa: BLE001 - a section of somebody else must not hide how the others are
        Logger(namespace=name).failure("The section could not say how it is doing.")
        told = {"failure": "the section could not say how it is doing; the log has the details"}
    return {"kind": section.schema.name, "role": role, **told}


def _explain(journal: Journal, arguments: Mapping[str, Any]) -> Mapping[str, object]:
    login_id = arguments.get("login_id")
    if isinstance(login_id, str) and login_id:
        record = journal.find(login_id)
        return {"logins": [record.as_mapping()] if record is not None else []}
    number, user = arguments.get("last", 1), arguments.get("user", "")
    if type(number) is not int or not 1 <= number <= MAX_EXPLAINED:
        raise ControlFault(f"The number of logins is one from 1 to {MAX_EXPLAINED}.")
    if not isinstance(user, str):
        raise ControlFault("The user is a name.")
    return {"logins": [record.as_mapping() for record in journal.latest(number, user)]}


def _primary_only(primary_only: PrimaryOnly, arguments: Mapping[str, Any], uid: int) -> Mapping[str, object]:
    action, minutes = arguments.get("action"), arguments.get("minutes")
    try:
        if action == "start":
            if type(minutes) is not int:
                raise ControlFault(f"The minutes are a number from {MIN_MINUTES} to {MAX_MINUTES}.")
            primary_only.start(minutes, uid)
        elif action == "stop":
            return {"was_active": primary_only.stop(uid), **primary_only.status()}
        elif action != "status":
            raise ControlFault("The action is start, stop or status.")
    except PrimaryOnlyFault as fault:
        raise ControlFault(str(fault)) from fault
    return primary_only.status()
