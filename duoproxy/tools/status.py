"""authproxyctl status: how the running service is doing, for a person at eight in the morning, or as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import click

from duoproxy.errors import DuoproxyError
from duoproxy.service.control_messages import ControlFault
from duoproxy.service.places import Places
from duoproxy.tools.command_line import HELP, counted, takes_configuration, takes_json
from duoproxy.tools.control_client import Absence, NoAnswer, ask
from duoproxy.tools.durations import in_words, local_time

EXIT_NOT_RUNNING: Final = 3
EXIT_UNKNOWN: Final = 4
REMINDER_DAYS: Final = 30
"""From so many days before its end on, a certificate is something to do."""
_LABEL: Final = 26
_KNOWN = frozenset(
    {"kind", "role", "listeners", "pending", "waiting", "dropped", "early_devices", "upstreams", "duo"}
    | {"certificate_days", "weakened", "failure"}
)


@click.command(
    "status",
    epilog="Exit codes: 0 running, 2 wrong usage, 3 not running, 4 unknown.",
    context_settings=HELP,
)
@takes_configuration
@takes_json
def status_command(configuration: Path, as_json: bool) -> None:
    """Say how the running service is doing: listeners, servers, Duo, logins, certificates, and what is to do.

    \b
    Examples:
      authproxyctl status
      authproxyctl status --json | jq .sections
    """  # noqa: D301 - \b is meant: click keeps the lines behind it
    try:
        told = ask(Places(configuration), "status")
    except (NoAnswer, ControlFault) as fault:
        _say_absent(fault, as_json)
    else:
        click.echo(json.dumps({"running": True, **told}, indent=2) if as_json else status_text(told), nl=as_json)


def _say_absent(fault: DuoproxyError, as_json: bool) -> None:
    known = isinstance(fault, NoAnswer) and fault.absence is Absence.NOT_RUNNING
    if as_json:
        click.echo(json.dumps({"running": False if known else None, "problem": str(fault)}, indent=2))
    else:
        click.echo(str(fault), err=not known)
    raise SystemExit(EXIT_NOT_RUNNING if known else EXIT_UNKNOWN)


def status_text(told: Mapping[str, Any]) -> str:
    """Lay the answer of the service out: what it is, what is to do, then section by section."""
    lines = [*_head(told), ""]
    to_do = [*_to_do(told)]
    if to_do:
        lines += ["To do:", *(f"  ! {sentence}" for sentence in to_do), ""]
    for name, section in _sections(told).items():
        lines += [f"[{name}]", *(f"  {label:<{_LABEL}}{text}" for label, text in _rows(section)), ""]
    return "\n".join(lines[:-1]) + "\n"


def _head(told: Mapping[str, Any]) -> Iterator[str]:
    states = {"ready": "is running", "starting": "is starting", "stopping": "is stopping"}
    state = states.get(told.get("state", ""), "is running")
    up, since = in_words(told.get("uptime_s", 0)), local_time(told.get("started_at", 0))
    yield f"{told.get('program')} {told.get('version')} {state}: process {told.get('pid')}, for {up} (since {since})."
    yield f"Configuration: {told.get('configuration')}"
    pending = sum(section.get("pending", 0) for section in _sections(told).values())
    yield f"Pending logins: {pending}"
    window = told.get("primary_only", {})
    if window.get("active"):
        yield f"PRIMARY-ONLY for {in_words(window.get('remaining_s', 0))} more: a password is enough, Duo is not asked."


def _sections(told: Mapping[str, Any]) -> Mapping[str, Mapping[str, Any]]:
    sections: Mapping[str, Mapping[str, Any]] = told.get("sections", {})
    return sections


def _to_do(told: Mapping[str, Any]) -> Iterator[str]:
    """What somebody should look at, the most urgent first."""
    for name, section in _sections(told).items():
        if section.get("failure"):
            yield f"[{name}]: {section['failure']}."
        duo = section.get("duo", {})
        if duo.get("reachable") is False:
            yield f"[{name}]: Duo does not answer: {duo.get('failure')}."
        elif duo.get("failure"):
            yield f"[{name}]: Duo refuses us: {duo.get('failure')}."
        resting = [one["server"] for one in section.get("upstreams", ()) if one.get("resting_s") is not None]
        if resting:
            yield f"[{name}]: no answer from {', '.join(resting)}."
    for name, section in _sections(told).items():
        days = section.get("certificate_days")
        if days is not None and days <= REMINDER_DAYS:
            ends = "has expired" if days < 0 else f"ends in {counted(days, 'day')}" if days else "ends within a day"
            yield f"[{name}]: its certificate {ends}: renew it, and restart the proxy."
        for early in section.get("early_devices", ()):
            yield _early(name, early)
    yield from told.get("warnings", ())


def _early(name: str, early: Mapping[str, Any]) -> str:
    if not early["interval_s"]:
        return (
            f"[{name}]: device {early['device']} asks once, and gave up within {early['silent_s']:g} s, before the "
            "answer: set its time-out to 60 s or more."
        )
    return (
        f"[{name}]: device {early['device']} asks every {early['interval_s']:g} s, and gave up {early['silent_s']:g} s "
        "before the answer: set its time-out to 60 s or more."
    )


def _rows(section: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for listener in section.get("listeners", ()):
        yield "listens on", f"{listener['protocol'].upper()} {_endpoint(listener)}"
    if "pending" in section:
        waiting = section.get("waiting", 0)
        more = f"; {waiting} conversation{'' if waiting == 1 else 's'} open" if waiting else ""
        yield "pending logins", f"{section['pending']}{more}"
    for upstream in section.get("upstreams", ()):
        rests = upstream.get("resting_s")
        yield "server", f"{upstream['server']}: {'well' if rests is None else f'no answer, rests {rests:.0f} s more'}"
    if "duo" in section:
        yield "Duo", _duo(section["duo"])
    if "certificate_days" in section:
        days = section["certificate_days"]
        yield "certificate", "EXPIRED" if days < 0 else f"{counted(days, 'day')} left"
    if section.get("dropped"):
        yield "dropped since the start", ", ".join(f"{number} {what}" for what, number in section["dropped"].items())
    for sentence in section.get("weakened", ()):
        yield "note", sentence
    for key, value in section.items():
        if key not in _KNOWN:
            yield key, _plain(value)
    if not set(section) - {"kind", "role"}:
        yield "state", "nothing to tell"


def _endpoint(listener: Mapping[str, Any]) -> str:
    address = str(listener["address"])
    shown = f"[{address}]" if ":" in address else address
    return f"{shown}:{listener['port']}" if address else f"port {listener['port']}, all addresses"


def _duo(duo: Mapping[str, Any]) -> str:
    reachable, ago = duo.get("reachable"), duo.get("answered_s_ago")
    where = f"{duo.get('api_host')} (API {duo.get('generation')})"
    if reachable is None:
        return f"{where}: not asked yet"
    last = f", last answer {in_words(ago)} ago" if ago is not None else ""
    return f"{where}: {'reachable' if reachable else 'DOES NOT ANSWER'}{last}"


def _plain(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, Sequence):
        return ", ".join(map(str, value))
    return json.dumps(value)
