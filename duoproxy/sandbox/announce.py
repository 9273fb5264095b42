"""Where the sandbox's sections tell people what they may type: standard output, and the log."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from twisted.logger import Logger

LOGIN_PROGRAM = "duoproxy-login"


def login_program() -> str:
    """How the login command is called here: the one beside this Python if there is one, else by its name."""
    beside = Path(sys.executable).with_name(LOGIN_PROGRAM)
    if not beside.exists():
        return LOGIN_PROGRAM
    here = Path.cwd()
    return str(beside.relative_to(here)) if beside.is_relative_to(here) else str(beside)


def announce(log: Logger, lines: Sequence[str], *, log_is_stdout: bool) -> None:
    """Print lines and log them; where the log goes to standard output too, it gets the first one only."""
    for line in lines[:1] if log_is_stdout else lines:
        log.warn("{line}", line=line)
    out = sys.__stdout__  # twistd puts the log in place of sys.stdout
    if out is not None:
        out.write("\n".join(["", *lines, "", ""]))
        out.flush()
