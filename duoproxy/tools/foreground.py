"""authproxy: the service in the foreground, which containers and supervisors run."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from duoproxy import __version__
from duoproxy.errors import DuoproxyError
from duoproxy.service.places import Places
from duoproxy.tools.command_line import HELP, Tool, give_up, takes_configuration
from duoproxy.tools.service_identity import identity_of_installation


@click.command(
    cls=Tool,
    context_settings=HELP,
    epilog="Exit codes: 0 stopped by SIGTERM or SIGINT, 1 it cannot start, 2 wrong usage.",
)
@click.version_option(__version__, message="duoproxy %(version)s")
@takes_configuration
@click.option(
    "--user", default="", help="Who root becomes when the ports are taken; without it whom the installation names."
)
@click.option("--group", default="", help="The group of the logs; without it that of the log folder.")
def main(configuration: Path, user: str, group: str) -> None:
    """Run the proxy in the foreground, until SIGTERM or SIGINT.

    Logs go where the configuration says: log_stdout=true for a container. A second signal ends it without waiting for
    pending logins, SIGUSR1 opens the log files anew.

    \b
    Examples:
      authproxy
      authproxy -c ./authproxy.cfg
    """  # noqa: D301 - \b is meant: click keeps the lines behind it
    run_twistd(["-n", "--pidfile=", "duoauthproxy", "-c", str(configuration), *_identity(configuration, user, group)])


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
        give_up(str(fault))
    return ["--user", identity.user, "--group", identity.group]
