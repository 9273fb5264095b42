"""authproxy_primary_only: for a while a password is enough, and Duo is not asked; it ends by itself.

Exit codes: 0 done (for `status`: it is on or off), 1 refused, 2 wrong usage, 3 the service is not running, 4 it could
not be asked.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from duoproxy.service.control_messages import ControlFault
from duoproxy.service.options import configuration_path
from duoproxy.service.places import Places
from duoproxy.service.primary_only import DEFAULT_MINUTES, MAX_MINUTES, MIN_MINUTES
from duoproxy.tools.command_line import WIDE_HELP, ToolGroup, takes_configuration, takes_json
from duoproxy.tools.control_client import Absence, NoAnswer, ask
from duoproxy.tools.durations import in_words, local_time

CommandT = TypeVar("CommandT", bound=Callable[..., Any])
EXIT_REFUSED: Final = 1
EXIT_NOT_RUNNING: Final = 3
EXIT_UNKNOWN: Final = 4
_EPILOG = "Exit codes: 0 done, 1 refused, 2 wrong usage, 3 the service is not running, 4 it could not be asked."


@click.group(cls=ToolGroup, epilog=_EPILOG, context_settings=WIDE_HELP)
@takes_configuration
@click.pass_context
def main(context: click.Context, configuration: Path) -> None:
    """Let a password be enough for a while, when Duo is known to be away.

    Each login without a second factor is logged as a bypass. Where no password is checked, logins are rejected.

    \b
    Examples:
      authproxy_primary_only start --minutes 90
      authproxy_primary_only status
      authproxy_primary_only stop
    """  # noqa: D301 - \b is meant: click keeps the lines behind it
    context.obj = Places(configuration)


def _takes_configuration_too(command: CommandT) -> CommandT:
    """Let -c stand behind the command as well, as it does with authproxyctl."""

    def use(context: click.Context, _option: click.Parameter, written: Path | None) -> None:
        if written is not None:
            context.obj = Places(configuration_path(str(written)))

    return click.option(
        "-c",
        "--config",
        type=click.Path(path_type=Path, readable=False),
        expose_value=False,
        callback=use,
        help="The same as before the command.",
    )(command)


@main.command(epilog=_EPILOG)
@_takes_configuration_too
@click.option(
    "--minutes",
    type=click.IntRange(MIN_MINUTES, MAX_MINUTES),
    default=DEFAULT_MINUTES,
    show_default=True,
    help="After so long it ends by itself.",
)
@takes_json
@click.pass_obj
def start(places: Places, minutes: int, as_json: bool) -> None:
    """Begin now, or begin anew with other minutes.

    \b
    Example:
      authproxy_primary_only start --minutes 90
    """  # noqa: D301 - \b is meant: click keeps the lines behind it
    _tell(_asked(places, "start", as_json, minutes=minutes), as_json)


@main.command(epilog=_EPILOG)
@_takes_configuration_too
@takes_json
@click.pass_obj
def stop(places: Places, as_json: bool) -> None:
    """End it now: logins need both factors again.

    \b
    Example:
      authproxy_primary_only stop
    """  # noqa: D301 - \b is meant: click keeps the lines behind it
    _tell(_asked(places, "stop", as_json), as_json)


@main.command(epilog=_EPILOG)
@_takes_configuration_too
@takes_json
@click.pass_obj
def status(places: Places, as_json: bool) -> None:
    """Say whether it is on, and for how long.

    \b
    Example:
      authproxy_primary_only status
    """  # noqa: D301 - \b is meant: click keeps the lines behind it
    _tell(_asked(places, "status", as_json), as_json)


def _asked(places: Places, action: str, as_json: bool, **arguments: object) -> Mapping[str, Any]:
    try:
        return ask(places, "primary_only", {"action": action, **arguments})
    except NoAnswer as fault:
        code, problem = EXIT_NOT_RUNNING if fault.absence is Absence.NOT_RUNNING else EXIT_UNKNOWN, str(fault)
    except ControlFault as fault:
        code, problem = EXIT_REFUSED, str(fault)
    if as_json:
        click.echo(json.dumps({"active": None, "problem": problem}, indent=2))
    else:
        click.echo(problem, err=True)
    raise SystemExit(code)


def _tell(told: Mapping[str, Any], as_json: bool) -> None:
    click.echo(json.dumps(told, indent=2) if as_json else in_sentences(told))


def in_sentences(told: Mapping[str, Any]) -> str:
    """Say whether it is on."""
    if told.get("active"):
        until, left = local_time(told["until"]), in_words(told["remaining_s"])
        return (
            f"Logins are PRIMARY-ONLY for {left} more, until {until}, as user id {told['by_uid']} asked: a password is "
            "enough, and Duo is not asked. Each such login is logged with cause=primary-only."
        )
    was = told.get("was_active")
    return (
        "Logins need both factors." if was is None else f"Logins need both factors{' again' if was else ', as before'}."
    )
