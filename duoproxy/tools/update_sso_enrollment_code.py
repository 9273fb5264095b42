"""authproxy_update_sso_enrollment_code: recognised, so that a script that calls it is told what happened to it.

In the original it joined a proxy to Duo Single Sign-On, for its section [sso]. There is no [sso] here, so there is
nothing to join.
"""

from __future__ import annotations

import sys

import click

from duoproxy.tools.command_line import HELP, Tool

NOT_THERE = 3
"""Exit status: what is asked for does not exist in this program. Nothing was changed."""

_EXPLANATION = """\
authproxy_update_sso_enrollment_code joined an authentication proxy to Duo Single Sign-On, whose section is [sso].
duoproxy has no [sso]: nothing was changed, and the code was neither used nor kept. A code that you got from the Duo
Admin Panel can be used once; use it with Duo's own Authentication Proxy, which may run beside duoproxy on another
machine. RADIUS and LDAP logins do not need it."""


@click.command(
    cls=Tool,
    context_settings=HELP,
    epilog=f"Exit status: always {NOT_THERE} (2: wrong usage), since there is no [sso] to enroll.",
)
@click.argument("code")
def main(code: str) -> None:
    """Say what this command was, and that there is no [sso] here. CODE is not used.

    \b
    Example:
      authproxy_update_sso_enrollment_code CODE
    """  # noqa: D301 - \b is meant: click keeps the lines behind it
    click.echo(_EXPLANATION, err=True)
    sys.exit(NOT_THERE)
