"""What the command lines of all tools share: help, the configuration file that they mean, JSON, and a clear end."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, NoReturn, TypeVar

import click

from duoproxy.config.catalogue import Catalogue
from duoproxy.errors import ConfigError
from duoproxy.service.options import DEFAULT_CONFIG, configuration_path

EXIT_PROBLEM: Final = 1
HELP: Final = {"help_option_names": ["-h", "--help"]}
"""Settings of every command: how its help is asked for."""
WIDE_HELP: Final = {**HELP, "max_content_width": 100}
_NOT_WRITTEN: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF})
"""A disk that is full or broken, and a descriptor that is for reading."""

CommandT = TypeVar("CommandT", bound=Callable[..., Any])


class _EndsClearly(click.Command):
    """Ends with a sentence where its output cannot be written; a pipe that nobody reads any more is click's affair."""

    def main(self, *arguments: Any, **settings: Any) -> Any:
        """Run the command, as `click.Command.main` does, until all of its output is written."""
        try:
            try:
                return super().main(*arguments, **settings)
            finally:
                if sys.stdout is not None:
                    sys.stdout.flush()
        except OSError as fault:
            if fault.errno not in _NOT_WRITTEN or fault.filename is not None:
                raise
            _leave_stdout()
            with contextlib.suppress(OSError):
                click.echo(f"The output could not be written ({fault.strerror}). Send it elsewhere.", err=True)
            raise SystemExit(EXIT_PROBLEM) from None


class Tool(_EndsClearly):
    """A tool without commands of its own."""


class ToolGroup(_EndsClearly, click.Group):
    """A tool with commands of its own."""


def _leave_stdout() -> None:
    """Send what is still kept for standard output nowhere: Python would try again at its end, with a traceback."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def takes_configuration(command: CommandT) -> CommandT:
    """Give a command the option -c; its argument `configuration` is an absolute path."""
    return click.option(
        "-c",
        "--config",
        "configuration",
        # Whether it can be read is told by whoever reads it, with what to do.
        type=click.Path(path_type=Path, readable=False),
        default=DEFAULT_CONFIG,
        show_default=True,
        callback=lambda _context, _option, written: configuration_path(str(written)),
        help="The configuration file.",
    )(command)


def takes_json(command: CommandT) -> CommandT:
    """Give a command the option --json; its argument is `as_json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")(command)


def installed_catalogue() -> Catalogue:
    """Load the sections of this installation, or give up.

    They bring Twisted along, which many a command does not need: so they are loaded when they are asked for.
    """
    from duoproxy.sections.registry import load_registry

    try:
        return load_registry().catalogue
    except ConfigError as fault:
        give_up(str(fault))


def counted(number: int, word: str) -> str:
    """Write a number with its word: `1 error`, `2 errors`."""
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def give_up(sentence: str, status: int = EXIT_PROBLEM) -> NoReturn:
    """Say why nothing comes of it, and end with an exit status: on standard error, or where JSON is wanted as JSON."""
    context = click.get_current_context(silent=True)
    as_json = context is not None and bool(context.params.get("as_json"))
    click.echo(json.dumps({"problem": sentence}) if as_json else sentence, err=not as_json)
    raise SystemExit(status)
