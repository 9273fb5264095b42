"""authproxy_support: gathers what others need to help, without a secret in it, into one zip.

Exit codes: 0 written, 1 it cannot be written, 2 wrong usage. Reference: §3.
"""

from __future__ import annotations

import datetime
import json
import os
from pathlib import Path

import click

from duoproxy.tools.command_line import HELP, Tool, give_up, installed_catalogue, takes_configuration, takes_json
from duoproxy.tools.connectivity import run_in_reactor
from duoproxy.tools.connectivity_run import Audience, run_report, with_credentials
from duoproxy.tools.support_bundle import SupportFault, subject_of, write_bundle


@click.command(
    cls=Tool,
    context_settings=HELP,
    epilog="Exit codes: 0 written, 1 it cannot be written, 2 wrong usage.",
)
@takes_configuration
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    default=Path(),
    help="Where the zip goes: a folder, or the name of a new file. Without it: the current folder.",
)
@click.option("--no-connectivity", is_flag=True, help="Do not test the connectivity, which can take minutes.")
@takes_json
def main(configuration: Path, output: Path, no_connectivity: bool, as_json: bool) -> None:
    """Gather what others need to help into one zip.

    In it: the ends of the logs, the configuration with every secret masked, the connectivity report, what the running
    service says of itself, versions, and facts of the machine. Secrets of the configuration are taken out of all of
    it; names of users and addresses are not. Run it as root. The zip is readable by you alone.

    \b
    Examples:
      authproxy_support
      authproxy_support -o /root
      authproxy_support --no-connectivity -o case-1234.zip
      authproxy_support --json | jq -r .file
    """  # noqa: D301 - \b is meant: click keeps the lines behind it
    now = datetime.datetime.now(datetime.UTC)
    target = output / f"duoauthproxy-support-{now:%Y%m%d-%H%M%S}.zip" if os.path.isdir(output) else output
    catalogue = installed_catalogue()
    report = None
    if not no_connectivity:
        click.echo("Testing the connectivity, which may take some minutes …", err=True)
        report = run_in_reactor(lambda reactor: run_report(configuration, reactor=reactor, audience=Audience()))
    subject = subject_of(configuration, catalogue, with_credentials(os.environ))
    try:
        names = write_bundle(target, subject, report, f"{now:%Y-%m-%d %H:%M:%S} UTC")
    except SupportFault as fault:
        give_up(str(fault))
    if as_json:
        click.echo(json.dumps({"file": str(target), "holds": list(names)}, indent=2))
        return
    click.echo(f"{target} was written, with {', '.join(names)}.")
    click.echo("It holds names of users, addresses and host names, and no secrets. Look at it before you give it away.")
