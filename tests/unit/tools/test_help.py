"""The help of every command that is installed, and of their commands: examples that can be typed, statuses, --json."""

from __future__ import annotations

import configparser
import importlib
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from duoproxy.tools.command_line import Tool, ToolGroup

ROOT = Path(__file__).parents[3]
NO_JSON = {
    "authproxy": "it is the service",
    "authproxyctl sample": "it prints a file; authproxyctl options --json is for programs",
    "authproxy_update_sso_enrollment_code": "it only says that there is nothing to do",
}


def scripts() -> Iterator[tuple[str, click.Command]]:
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg", encoding="utf-8")
    written = setup["options.entry_points"]["console_scripts"]
    for name, module, function in re.findall(r"^([\w-]+) = ([\w.]+):(\w+)$", written, re.MULTILINE):
        yield name, getattr(importlib.import_module(module), function)


def commands() -> Iterator[tuple[str, click.Command]]:
    for name, command in scripts():
        yield name, command
        for verb, below in getattr(command, "commands", {}).items():
            yield f"{name} {verb}", below


COMMANDS = dict(commands())


def help_of(name: str) -> str:
    script, *verb = name.split()
    done = CliRunner().invoke(COMMANDS[script], [*verb, "--help"], prog_name=script, terminal_width=200)
    assert done.exit_code == 0, done.output
    return done.output


def examples_in(text: str) -> list[str]:
    """The lines below Example or Examples, up to the next empty one."""
    below = text.partition("  Example")[2].partition("\n")[2].partition("\n\n")[0]
    return [line.strip() for line in below.splitlines()]


def options_of(command: click.Command) -> set[str]:
    return {name for parameter in command.params for name in parameter.opts} | {"--help"}


def test_every_command_is_read() -> None:
    """Nine scripts, two of them with commands of their own."""
    assert len(COMMANDS) >= 9 + 9 + 3


@pytest.mark.parametrize("name", COMMANDS)
def test_help_shows_how_it_is_typed(name: str) -> None:
    """At least one example; each names this command, and its options are options that there are."""
    examples = examples_in(help_of(name))
    assert examples
    for example in examples:
        words = shlex.split(re.split(r" [|<>] |   ", example)[0].removeprefix("sudo "))
        assert " ".join(words).startswith(name), example
        known = options_of(COMMANDS[words[0]])
        if len(words) > 1 and f"{words[0]} {words[1]}" in COMMANDS:
            known = known | options_of(COMMANDS[f"{words[0]} {words[1]}"])
        written = {word.partition("=")[0] for word in words if word.startswith("-")}
        assert written <= known, example


@pytest.mark.parametrize("name", COMMANDS)
def test_help_names_the_exit_statuses(name: str) -> None:
    """All tools: what the status says to a script."""
    assert re.search(r"^ +Exit (codes|status): .*\d", help_of(name), re.MULTILINE)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_speaks_json_unless_that_means_nothing(name: str) -> None:
    """`--json`, for scripts and monitoring."""
    command = COMMANDS[name]
    if isinstance(command, click.Group):
        return
    assert ("--json" in options_of(command)) == (name not in NO_JSON)


@pytest.mark.parametrize("name", ["authproxyctl options --json", "authproxyctl --help", "authproxy_passwd --help"])
def test_output_that_finds_no_room_is_told_in_a_sentence(name: str) -> None:
    """A full disk is no reason for a traceback."""
    script, *rest = name.split()
    program = f"from {COMMANDS[script].callback.__module__} import main; main()"
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-c", program, *rest], stdout=full, stderr=subprocess.PIPE, text=True, timeout=60
        )
    sentence = "The output could not be written (No space left on device). Send it elsewhere.\n"
    assert (done.returncode, done.stderr) == (1, sentence)


def test_every_script_ends_clearly() -> None:
    """Each is one of ours, not a plain command of click's."""
    assert {type(command) for _, command in scripts()} == {Tool, ToolGroup}


@pytest.mark.parametrize("name", ["authproxyctl", "authproxy_support"])
def test_ctrl_c_while_a_tool_still_loads_is_no_traceback(name: str) -> None:
    """Loading takes a second on a busy machine, and an impatient administrator less."""
    module = COMMANDS[name].callback.__module__
    interrupted = (
        "import builtins, duoproxy.tools\n"
        "def load(*_): raise KeyboardInterrupt\n"
        f"builtins.__import__ = load\nimport {module}"
    )
    done = subprocess.run([sys.executable, "-c", interrupted], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (-signal.SIGINT, "\nAborted!\n")
