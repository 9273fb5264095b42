"""duoproxy-explain: what happened to a login, step by step, in words, and what to do.

The running service is asked first; what it does not know any more is looked for in authproxy.log. Exit codes: 0 told,
1 no such login, 2 wrong usage, 4 neither service nor log could be read.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import click

from duoproxy.errors import ConfigError
from duoproxy.service.control_commands import MAX_EXPLAINED
from duoproxy.service.control_messages import ControlFault
from duoproxy.service.logs import LOG_NAME
from duoproxy.service.places import Places
from duoproxy.tools.advice import NO_LOGIN, UNFINISHED, Advice, advice_for
from duoproxy.tools.command_line import WIDE_HELP, Tool, give_up, takes_configuration, takes_json
from duoproxy.tools.control_client import NoAnswer, ask
from duoproxy.tools.durations import local_time
from duoproxy.tools.log_reader import log_files, logins_in

EXIT_NO_SUCH_LOGIN: Final = 1
EXIT_UNREADABLE: Final = 4

Login = Mapping[str, Any]


@click.command(
    cls=Tool,
    epilog="Exit codes: 0 told, 1 no such login, 2 wrong usage, 4 neither service nor log could be read.",
    context_settings=WIDE_HELP,
)
@click.argument("login_id", required=False)
@click.option("-u", "--user", default="", help="The last login of this user, as the device names them; case aside.")
@click.option("-n", "--last", type=click.IntRange(1, MAX_EXPLAINED), help="So many logins, the newest first.")
@takes_configuration
@takes_json
def main(login_id: str | None, user: str, last: int | None, configuration: Path, as_json: bool) -> None:
    """Tell what happened to a login, and what to do about it.

    LOGIN_ID stands in every line of authproxy.log about the login, and in authevents.log.

    \b
    Examples:
      duoproxy-explain 91c5100739
      duoproxy-explain --user alice
      duoproxy-explain --user alice --last 5
      duoproxy-explain --last 10 --json
    """  # noqa: D301 - \b is meant: click keeps the lines behind it
    if bool(login_id) == bool(user or last):
        raise click.UsageError("Name a login id, or --user, or --last, such as: duoproxy-explain --user alice")
    logins, problem = _found(Places(configuration), login_id or "", user, last or 1)
    if not logins and problem:
        give_up(problem, EXIT_UNREADABLE)
    if as_json:
        click.echo(json.dumps({"logins": [{**login, **_advice_fields(login)} for login in logins]}, indent=2))
    elif logins:
        click.echo("\n".join(login_text(login) for login in logins), nl=False)
    if not logins:
        give_up(_nothing(login_id or "", user), EXIT_NO_SUCH_LOGIN)


def _found(places: Places, login_id: str, user: str, last: int) -> tuple[Sequence[Login], str]:
    """Find logins, and say why not where one of the two sources could not be read."""
    problem = ""
    try:
        asked = {"login_id": login_id} if login_id else {"user": user, "last": last}
        logins: Sequence[Login] = ask(places, "explain", asked)["logins"]
        if logins:
            return logins, ""
    except (NoAnswer, ControlFault) as fault:
        problem = str(fault)
    try:
        folder = log_folder_of(places)
        files = log_files(folder, LOG_NAME)
        records = logins_in(files, login_id=login_id, user=user, last=last)
    except OSError as fault:
        return [], f"{problem}\n{fault.filename or 'The log'} cannot be read: {fault.strerror or fault}.".lstrip()
    if problem and not files:
        return [], f"{problem}\nThere is no {LOG_NAME} in {folder} either; with log_stdout=true look where that goes."
    return [record.as_mapping() for record in records], ""


def log_folder_of(places: Places) -> Path:
    """Give the folder of the logs: `log_dir` of the configuration, if that can be read, else where it is by default."""
    from duoproxy.config.validate import Reach, load_configuration
    from duoproxy.sections.registry import load_registry

    try:
        main_section = load_configuration(places.configuration, load_registry().catalogue, reach=Reach.NOTHING).main
    except ConfigError:
        return places.log_folder
    return Path(main_section.log_dir) if main_section.log_dir else places.log_folder


def login_text(login: Login) -> str:
    """Tell one login: its end, who and where, the steps with their times, and what to do."""
    advice = _advice(login)
    lines = [
        f"Login {login['login_id']}: {_end(login)}",
        f"  {', '.join(_circumstances(login))}",
        "",
        *_step_lines(login),
        "",
        f"  What happened: {advice.meaning}",
    ]
    if login.get("detail"):
        lines.append(f"  In detail:     {login['detail']}")
    if advice.remedy:
        lines.append(f"  What to do:    {advice.remedy}")
    return "\n".join([*lines, ""])


def _end(login: Login) -> str:
    user = login.get("user") or "somebody"
    words = {"accept": "was let in", "reject": "was rejected", "silence": "got no answer"}
    if not login.get("ended"):
        return f"{user}: no end yet" if _began(login) else f"{user}: never became a login"
    said = words.get(str(login.get("result")), str(login.get("result")))
    return f"{user} {said} ({login.get('cause')}) after {login.get('duration_s', 0):.3f} s"


def _circumstances(login: Login) -> Iterator[str]:
    yield local_time(login.get("began_at", 0))
    if login.get("device"):
        yield f"device {login['device']}"
    if login.get("section"):
        yield f"section [{login['section']}]"
    if login.get("factor") not in (None, "", "none"):
        yield f"factor {login['factor']}"
    if login.get("ended"):
        yield f"password {login.get('primary_s', 0):.3f} s"
        yield f"second factor {login.get('second_factor_s', 0):.3f} s"


def _step_lines(login: Login) -> Iterator[str]:
    steps = login.get("steps", ())
    for number, step in enumerate(steps):
        if login.get("steps_left_out") and number == len(steps) // 2:
            yield f"              … {login['steps_left_out']} steps are not kept …"
        mark = "!" if step["level"] in ("warn", "error", "critical") else " "
        yield f"  {mark} {step['after_s']:9.3f} s  {step['text']}"


def _began(login: Login) -> bool:
    return bool(login.get("user"))


def _advice(login: Login) -> Advice:
    if login.get("ended"):
        return advice_for(str(login.get("cause")))
    return UNFINISHED if _began(login) else NO_LOGIN


def _advice_fields(login: Login) -> dict[str, str]:
    advice = _advice(login)
    return {"meaning": advice.meaning, "remedy": advice.remedy}


def _nothing(login_id: str, user: str) -> str:
    what = f"No login {login_id}" if login_id else f"No login of {user}" if user else "No login"
    return (
        f"{what} was found, neither in the running service nor in its logs. If the device says that it asked: "
        "authproxyctl status tells what was dropped before it became a login."
    )
