"""What the sandbox starts with when the file lists no users, and what it tells people at its start."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence

from duoproxy.sandbox.accounts import ANYBODY, Behaviour, DeviceKind, Standing, parse_behaviour

DEMO_PASSWORD = "password"
DEMO_USERS = (
    "alice push",
    "bob phone",
    "carol passcode 424242",
    "dave deny",
    "erin enroll",
    "frank bypass",
    "grace locked",
    "heidi timeout",
    "ivan approve-after 2",
    "judy phone push",
)
NOT_SECURE = "NOT SECURE: the sandbox stands in for Duo. It is for trying things out, on this machine only."
DIRECTORY_NOT_SECURE = "NOT SECURE: the sandbox stands in for a directory. Its passwords are public."
SUB_CODE_WORDS = {
    "532": "the password has expired",
    "533": "the account is disabled",
    "701": "the account has expired",
    "773": "the password must be changed",
    "775": "the account is locked",
}
"""What Active Directory refuses accounts with, and what it means."""
MAX_LISTED = 50


def demo_behaviours() -> tuple[Behaviour, ...]:
    """The users of a sandbox that lists none."""
    return tuple(parse_behaviour(line) for line in DEMO_USERS)


def login_command(program: str, behaviour: Behaviour, password: str) -> str:
    """The command that logs a user in; without a password the command asks for it.

    Args:
        program: how `duoproxy-login` is called here.
        behaviour: the user.
        password: the password, or empty when it is not known.
    """
    words = [program, "--user", behaviour.name]
    if password and behaviour.standing is Standing.ACTIVE and behaviour.passcode:
        password = f"{password},{behaviour.passcode}"
    return shlex.join([*words, "--password", password] if password else words)


def banner(base_url: str, behaviours: Sequence[Behaviour], program: str, password: str) -> tuple[str, ...]:
    """The lines that each start prints: addresses, users, commands.

    Args:
        base_url: `https://localhost:18443`.
        behaviours: the users.
        program: how `duoproxy-login` is called here.
        password: everybody's password, or empty when it is not known here.
    """
    lines = [
        NOT_SECURE,
        f"Duo stand-in:  {base_url}",
        f"Phone page:    {base_url}/phone/   (your browser warns of the throw-away certificate: go on)",
        "Log in from a second terminal:",
    ]
    for behaviour in behaviours[:MAX_LISTED]:
        if behaviour.name == ANYBODY:
            lines.append(f"  any other name {behaviour.describe()}")
            continue
        lines.append(f"  {login_command(program, behaviour, password)}")
        lines.append(f"      {behaviour.name} {behaviour.describe()}{_second_phone(behaviour)}")
    if len(behaviours) > MAX_LISTED:
        lines.append(f"  and {len(behaviours) - MAX_LISTED} more users")
    return tuple(lines)


def directory_banner(
    url: str,
    names: Sequence[str],
    refused: Mapping[str, str],
    outsider: str,
    program: str,
    login_port: int | None,
    password: str,
) -> tuple[str, ...]:
    """The lines that the stand-in directory prints at each start.

    Args:
        url: `ldap://127.0.0.1:18389/DC=corp,DC=example`.
        names: the users.
        refused: who is refused although the password is right, and the sub-code for it.
        outsider: who is not in the group; may be empty.
        program: how `duoproxy-login` is called here.
        login_port: where the proxy asks this directory; None: no command is printed.
        password: everybody's password, or empty when it is not known here.
    """
    lines = [DIRECTORY_NOT_SECURE, f"Directory stand-in:  {url}"]
    taken = [name for name in names if name not in refused and name != outsider]
    if login_port is None or not taken:
        return tuple(lines)
    words = [program, "--port", str(login_port), "--user", taken[0]]
    lines.append("Log in from a second terminal, with the password checked by the directory:")
    lines.append(f"  {shlex.join([*words, '--password', password] if password else words)}")
    if len(taken) > 1:
        lines.append(f"      the same for {', '.join(taken[1:MAX_LISTED])}")
    if outsider:
        lines.append(f"      {outsider} is refused: not in the group CN=VPN Users")
    for name, code in list(refused.items())[:MAX_LISTED]:
        lines.append(f"      {name} is refused: {SUB_CODE_WORDS.get(code, 'another reason')} (data {code})")
    return tuple(lines)


def _second_phone(behaviour: Behaviour) -> str:
    """For a user with several phones: how the others are asked for."""
    phones = [kind for kind in behaviour.devices if kind.is_phone]
    if len(phones) < 2 or behaviour.standing is not Standing.ACTIVE:
        return ""
    words = [f"{'push' if kind is DeviceKind.SMARTPHONE else 'phone'}{n}" for n, kind in enumerate(phones, 1)]
    return f" (has {len(phones)} phones: append {' or '.join(words)} to choose, as in PASSWORD,{words[-1]})"
