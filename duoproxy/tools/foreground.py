"""authproxy: the service in the foreground, which containers and supervisors run."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from duoproxy import __version__
from duoproxy.errors import DuoproxyError
from duoproxy.service.options import DEFAULT_CONFIG, configuration_path
from duoproxy.service.places import Places
from duoproxy.tools.service_identity import identity_of_installation


@click.command(
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 stopped by SIGTERM or SIGINT, 1 it cannot start, 2 wrong usage.",
)
@click.version_option(__version__, message="duoproxy %(version)s")
@click.option(
    "-c",
    "--config",
    "file",
    type=click.Path(path_type=Path),
    default=DEFAULT_CONFIG,
    show_default=True,
    help="The configuration file.",
)
@click.option(
    "--user", default="", help="Who root becomes when the ports are taken; without it whom the installation names."
)
@click.option("--group", default="", help="The group of the logs; without it that of the log folder.")
def main(file: Path, user: str, group: str) -> None:
    """Run the proxy in the foreground, until SIGTERM or SIGINT.

    Logs go where the configuration says: log_stdout=true for a container. A second signal ends it without waiting for
    pending logins, SIGUSR1 opens the log files anew.

    \b
    Examples:
      authproxy
      authproxy -c ./authproxy.cfg
    """  # noqa: D301 - \b is meant: click keeps the lines behind it
    path = configuration_path(str(file))
    run_twistd(["-n", "--pidfile=", "duoauthproxy", "-c", str(path), *_identity(path, user, group)])


def run_twistd(arguments: Sequence[str]) -> None:
    """Become twistd in this process; does not come back before the service has stopped."""
    from twisted.scripts.twistd import run

    sys.argv = ["twistd", *arguments]
    run()


def _identity(path: Path, user: str, group: str) -> list[str]:
    """Give the options for a start as root; where nobody is named anywhere, root stays and the log warns of it."""
    if os.geteuid() != 0 and not user:
        return []
    places = Places(path)
    try:
        identity = identity_of_installation(places.run_folder, places.log_folder, user, group)
    except DuoproxyError as fault:
        if not user:
            return []
        click.echo(str(fault), err=True)
        raise SystemExit(1) from None
    return ["--user", identity.user, "--group", identity.group]
