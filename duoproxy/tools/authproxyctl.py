"""authproxyctl: what an administrator asks about a configuration, without starting anything and without root.

Also what is needed before a first start: `make-cert`. What starts, stops and asks the service stands in
`service_control` and `status`.

Exit codes: 0 fine (warnings too), 1 problems in the file, 2 wrong usage.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from duoproxy import __version__
from duoproxy.config.catalogue import Catalogue
from duoproxy.config.near import nearest
from duoproxy.config.problems import Problem
from duoproxy.config.render import completion, docs_page, options_text, sample
from duoproxy.config.schema import SectionSchema
from duoproxy.config.validate import Reach, check_configuration
from duoproxy.service.options import DEFAULT_CONFIG
from duoproxy.tools.command_line import EXIT_PROBLEM, HELP, ToolGroup, counted, give_up, installed_catalogue
from duoproxy.tools.make_cert import MakeCertFault, make_certificate
from duoproxy.tools.service_control import restart, start, stop
from duoproxy.tools.status import status_command

_EPILOG = "Exit codes: 0 fine, 1 problems, 2 wrong usage."


@click.group(cls=ToolGroup, epilog=_EPILOG, context_settings=HELP)
@click.pass_context
def main(context: click.Context) -> None:
    """Start and stop duoproxy, check and describe its configurations.

    \b
    Examples:
      authproxyctl check                      the file of this machine
      authproxyctl check ./authproxy.cfg      any file, without root
      authproxyctl options radius_client      what may be written there
      authproxyctl sample > authproxy.cfg     a commented file to begin with
      sudo authproxyctl restart               the service of this machine
    """  # noqa: D301 - \b is meant: click keeps the lines behind it
    if context.obj is None:
        context.obj = installed_catalogue


@main.command(epilog=_EPILOG)
@click.argument("file", type=click.Path(path_type=Path), default=DEFAULT_CONFIG)
@click.option("--no-files", is_flag=True, help="Do not look at files, variables and credentials that FILE names.")
@click.option("--json", "as_json", is_flag=True, help="Print the problems as JSON.")
@click.pass_obj
def check(load_catalogue: Callable[[], Catalogue], file: Path, no_files: bool, as_json: bool) -> None:
    """Tell every problem of FILE: errors, which keep the proxy from starting, and warnings.

    \b
    Examples:
      authproxyctl check
      authproxyctl check --no-files copy-from-server.cfg
      authproxyctl check --json authproxy.cfg | jq '.problems[].text'
    """  # noqa: D301 - \b is meant: click keeps the lines behind it
    problems = check_configuration(file, load_catalogue(), reach=Reach.NOTHING if no_files else Reach.SHELL)
    errors = sum(problem.is_error for problem in problems)
    if as_json:
        click.echo(json.dumps(_report(file, problems, errors), indent=2, ensure_ascii=False))
    else:
        for problem in problems:
            click.echo(str(problem))
        click.echo(_summary(file, errors, len(problems) - errors))
    if errors:
        raise SystemExit(EXIT_PROBLEM)


@main.command(epilog=_EPILOG)
@click.argument("section", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print the options as JSON, for editors.")
@click.option("--markdown", "as_page", is_flag=True, help="Print the page of the documentation, in Markdown.")
@click.pass_obj
def options(load_catalogue: Callable[[], Catalogue], section: str | None, as_json: bool, as_page: bool) -> None:
    """Describe the options of SECTION, or list the sections that there are.

    \b
    Examples:
      authproxyctl options
      authproxyctl options radius_server_auto
      authproxyctl options --json > completion.json
      authproxyctl options --markdown main > main.md
    """  # noqa: D301 - \b is meant: click keeps the lines behind it
    if as_json and as_page:
        raise click.UsageError("--json and --markdown exclude each other.")
    catalogue = load_catalogue()
    schemas = list(catalogue.schemas.values()) if section is None else [_find_schema(catalogue, section)]
    if as_json:
        described = [completion(schema) for schema in schemas]
        click.echo(json.dumps(described[0] if section else described, indent=2, ensure_ascii=False))
    elif as_page:
        click.echo("\n".join(docs_page(schema) for schema in schemas), nl=False)
    elif section is None:
        click.echo(_list_of_sections(catalogue))
    else:
        click.echo(options_text(schemas[0]), nl=False)


@main.command("sample", epilog=_EPILOG)
@click.pass_obj
def sample_command(load_catalogue: Callable[[], Catalogue]) -> None:
    """Print a commented configuration with every section and option (`options --json` has them for programs).

    \b
    Example:
      authproxyctl sample > authproxy.cfg
    """  # noqa: D301 - \b is meant: click keeps the lines behind it
    click.echo(sample(load_catalogue()), nl=False)


@main.command("make-cert", epilog=_EPILOG)
@click.argument("name")
@click.option("--rsa", "use_rsa", is_flag=True, help="Make an RSA-2048 key instead of ECDSA P-256.")
@click.option("--days", type=click.IntRange(1, 3650), default=365, show_default=True, help="How long it is valid.")
@click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    default=Path(),
    help="Where the files go; without it the current folder.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the names of the files as one JSON object.")
def make_cert(name: str, use_rsa: bool, days: int, folder: Path, as_json: bool) -> None:
    """Make a key and a self-signed certificate for [radius_server_eap].

    NAME is the DNS name or IP address that the clients are to check. NAME.key (mode 0600) and NAME.pem are written,
    and never over a file that is there. [ldap_server_auto] takes them as ssl_key_path and ssl_cert_path. For more than
    a trial use a certificate of your own authority.

    \b
    Examples:
      authproxyctl make-cert radius.example.com
      authproxyctl make-cert --rsa --days 730 --folder /opt/duoauthproxy/conf radius.example.com
    """  # noqa: D301 - \b is meant: click keeps the lines behind it
    try:
        made = make_certificate(
            name, folder.absolute(), datetime.datetime.now(datetime.UTC), days=days, use_rsa=use_rsa
        )
    except MakeCertFault as fault:
        give_up(str(fault))
    files = {"certs": str(made.certificate), "pkey": str(made.key)}
    click.echo(json.dumps(files) if as_json else "\n".join(f"{option}={path}" for option, path in files.items()))


main.add_command(start)
main.add_command(stop)
main.add_command(restart)


@main.command(epilog=_EPILOG)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")
def version(as_json: bool) -> None:
    """Print the version.

    \b
    Examples:
      authproxyctl version
      authproxyctl version --json | jq -r .version
    """  # noqa: D301 - \b is meant: click keeps the lines behind it
    told = {"program": "duoproxy", "version": __version__}
    click.echo(json.dumps(told) if as_json else " ".join(told.values()))


main.add_command(status_command)


def _find_schema(catalogue: Catalogue, written: str) -> SectionSchema:
    name = written.strip("[] ").lower()
    resolved = catalogue.resolve(name)
    if resolved is not None:
        return resolved[0]
    sentence = catalogue.planned_sentence(name) or catalogue.left_out_sentence(name)
    if sentence is not None:
        raise click.UsageError(f"[{name}] {sentence}")
    near = nearest(name, catalogue.schemas)
    hint = f"Did you mean {near[0]}?" if near else f"There are: {', '.join(catalogue.schemas)}."
    raise click.UsageError(f"There is no section [{name}]. {hint}")


def _list_of_sections(catalogue: Catalogue) -> str:
    not_served = {**catalogue.planned, **catalogue.left_out}
    width = max(len(name) for name in [*catalogue.schemas, *not_served]) + 2
    lines = [f"{name:<{width}}{schema.summary}" for name, schema in catalogue.schemas.items()]
    lines += [f"{name:<{width}}{sentence}" for name, sentence in not_served.items()]
    return "\n".join(lines)


def _summary(file: Path, errors: int, warnings: int) -> str:
    found = [counted(number, word) for number, word in ((errors, "error"), (warnings, "warning")) if number]
    if errors:
        return f"{file}: {', '.join(found)}. The proxy would not start."
    return f"{file}: fine{', ' + found[0] if found else ''}. The proxy would start with it."


def _report(file: Path, problems: Sequence[Problem], errors: int) -> dict[str, Any]:
    return {
        "file": str(file),
        "ok": errors == 0,
        "errors": errors,
        "warnings": len(problems) - errors,
        "problems": [_problem_fields(problem) for problem in problems],
    }


def _problem_fields(problem: Problem) -> dict[str, Any]:
    return {
        "severity": problem.severity.value,
        "file": problem.file,
        "line": problem.line,
        "section": problem.section,
        "option": problem.option,
        "what": problem.what,
        "remedy": problem.remedy,
        "text": str(problem),
    }
