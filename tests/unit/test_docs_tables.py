"""The tables of docs/: standards, limits, logs, commands. What they name exists, and what they say is so."""

from __future__ import annotations

import ast
import configparser
import importlib
import json
import re
from pathlib import Path

import click
import pytest

from duoproxy.login.events import Stage, StageEvent
from duoproxy.login.outcome import Cause
from duoproxy.service.auth_events import event_line
from duoproxy.testing import FakePrimary, FakeSecondFactor, make_environment, make_request
from duoproxy.tools.authproxyctl import main as authproxyctl
from duoproxy.tools.connectivity import main as connectivity
from duoproxy.tools.explain import main as explain
from duoproxy.tools.foreground import main as foreground
from duoproxy.tools.login import EXIT_STATUS, INTERRUPTED
from duoproxy.tools.login import main as duoproxy_login
from duoproxy.tools.passwd import main as passwd
from duoproxy.tools.primary_only import main as primary_only
from duoproxy.tools.status import status_command
from duoproxy.tools.support import main as support

ROOT = Path(__file__).parents[2]
CODE = re.compile(r"`([^`]+)`")
RFC = re.compile(r"RFC ?([0-9]{3,5})")


def page(name: str) -> str:
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


def rows(text: str) -> list[list[str]]:
    """The cells of every table row; heads and rules are left out."""
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    cells = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]
    return [row for row in cells if row]


# ── docs/standards.md ────────────────────────────────────────────────────────────────────────────────────────────

NAMED = sorted({code for code in CODE.findall(page("standards.md")) if re.match(r"(duoproxy|tests)/", code)})


def functions_of(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


@pytest.mark.parametrize("name", NAMED)
def test_a_module_or_test_of_the_standards_exists(name: str) -> None:
    """A path of the table is a file of the tree, and what stands behind :: a test in it."""
    file, _, test = name.partition("::")
    assert (ROOT / file).is_file()
    if test:
        assert test in functions_of(ROOT / file)


def test_each_row_of_the_standards_names_a_module_and_a_test() -> None:
    """No row claims what nothing holds."""
    claims = [row for row in rows(page("standards.md")) if len(row) == 4 and row[0] != "source"]
    assert claims
    assert [row for row in claims if "`duoproxy/" not in row[2] or "`tests/" not in row[3]] == []


def test_every_rfc_that_a_protocol_module_names_is_in_the_standards() -> None:
    """A module that follows an RFC has its row."""
    folders = [ROOT / "duoproxy" / room for room in ("radius", "eap", "duoapi", "login", "ldap")]
    named = {
        number for folder in folders for path in folder.rglob("*.py") for number in RFC.findall(path.read_text("utf-8"))
    }
    assert named - set(RFC.findall(page("standards.md"))) == set()


# ── docs/reference/limits.md ─────────────────────────────────────────────────────────────────────────────────────

LIMIT = re.compile(r"\| [^|]+ \| (?P<value>[0-9.,]+) \| `(?P<name>[A-Z_]+)` in `duoproxy/(?P<file>[a-z_/]+)\.py` \|")
LIMITS = [(found["file"], found["name"], found["value"]) for found in LIMIT.finditer(page("reference/limits.md"))]


@pytest.mark.parametrize(("file", "name", "value"), LIMITS)
def test_a_limit_of_docs_is_that_of_the_code(file: str, name: str, value: str) -> None:
    """The number in the table is the constant."""
    module = importlib.import_module(f"duoproxy.{file.replace('/', '.')}")
    assert float(getattr(module, name)) == float(value.replace(",", ""))


def test_every_row_of_the_limits_is_read() -> None:
    """A row that the pattern does not fit would be held by nothing."""
    assert len(LIMITS) == len([row for row in rows(page("reference/limits.md")) if row[0] != "bound"])
    assert LIMITS


def test_a_module_with_limits_has_all_of_them_in_the_table() -> None:
    """A new MAX_… of a listed module gets its row."""
    listed = {(file, name) for file, name, _ in LIMITS}
    unlisted = []
    for file in sorted({file for file, _, _ in LIMITS}):
        source = (ROOT / "duoproxy" / f"{file}.py").read_text(encoding="utf-8")
        names = re.findall(r"^(MAX_[A-Z0-9_]+)(?:: [^=]+)? = ", source, re.MULTILINE)
        unlisted += [(file, name) for name in names if (file, name) not in listed]
    assert unlisted == []


# ── docs/reference/logs.md ───────────────────────────────────────────────────────────────────────────────────────


def test_the_example_event_has_the_fields_that_are_written() -> None:
    """The example of authevents.log, and the table below it, name every field and no other."""
    from duoproxy.login.policy import LoginPolicy
    from duoproxy.radius.attributes import AttributeId
    from duoproxy.radius.relay import PassThrough
    from duoproxy.sections.login_shell import LoginShellSettings
    from duoproxy.sections.radius_login import RadiusLogins

    settings = LoginShellSettings(LoginPolicy(), PassThrough(), AttributeId(0, 31), "utf-8", "DI", "radius_client")
    logins = RadiusLogins(settings, make_environment("radius_server_auto"), FakePrimary("x"), FakeSecondFactor())
    fields = logins._event_fields(make_request("alice", "x"), StageEvent(Stage.SECONDARY, True, "Success"))
    written = json.loads(event_line(fields, "proxy1", 0.0))

    text = page("reference/logs.md")
    found = re.search(r"```json\n(.*?)```", text, re.DOTALL)
    assert found is not None
    example = json.loads(found[1])
    assert set(example) == set(written)
    envelope = [name for name in written if name.startswith("log_") and name != "login_id"]
    assert [example[name] for name in envelope] == [written[name] for name in envelope]
    in_table = {code for row in rows(text[found.end() :]) for code in CODE.findall(row[0])}
    assert in_table == set(written)


# ── docs/reference/commands.md ───────────────────────────────────────────────────────────────────────────────────


def test_the_table_of_duoproxy_login_lists_its_options() -> None:
    """All of them, with their short forms."""
    part = page("reference/commands.md").partition("## duoproxy-login")[2].partition("\n## ")[0]
    listed = {code for row in rows(part) for code in CODE.findall(row[0]) if code.startswith("-")}
    assert listed == {name for parameter in duoproxy_login.params for name in parameter.opts}


def test_the_table_of_duoproxy_login_lists_its_statuses() -> None:
    """0 to 5, and 130."""
    part = page("reference/commands.md").partition("## duoproxy-login")[2].partition("\n## ")[0]
    listed = {int(row[0]) for row in rows(part) if row[0].isdigit()}
    assert listed == {*EXIT_STATUS.values(), 2, INTERRUPTED}


@pytest.mark.parametrize(
    ("title", "commands"),
    [
        ("### authproxyctl status", [status_command]),
        ("## duoproxy-explain", [explain]),
        ("## authproxy_primary_only", [primary_only, *primary_only.commands.values()]),
        ("## authproxy_connectivity_tool", [connectivity]),
        ("## authproxy_passwd", [passwd]),
        ("## authproxy_support", [support]),
    ],
)
def test_the_tables_of_an_administrators_tools_list_options_and_statuses(
    title: str, commands: list[click.Command]
) -> None:
    """All of them; the statuses are those that --help names."""
    part = page("reference/commands.md").partition(f"{title}\n")[2].partition("\n## ")[0]
    listed = {code for row in rows(part) for code in CODE.findall(row[0]) if code.startswith("-")}
    options = [one for command in commands for one in command.params if isinstance(one, click.Option)]
    assert listed == {name for option in options for name in option.opts}
    statuses = {row[0] for row in rows(part) if row[0].isdigit()}
    assert statuses == set(re.findall(r"\b([0-9]) ", commands[0].epilog or ""))


def test_every_way_in_without_a_second_factor_is_a_bypass_reason() -> None:
    """Whoever watches authevents.log knows all of them."""
    row = next(row for row in rows(page("reference/logs.md")) if row[0] == "`bypass_reason`")
    assert set(CODE.findall(row[1])) == {cause.value for cause in Cause if cause.is_bypass}


def test_every_console_script_has_its_part() -> None:
    """What is installed is described."""
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg", encoding="utf-8")
    scripts = re.findall(r"^([\w-]+) = ", setup["options.entry_points"]["console_scripts"], re.MULTILINE)
    assert len(scripts) >= 9
    assert [name for name in scripts if f"\n## {name}\n" not in page("reference/commands.md")] == []


def test_every_command_of_authproxyctl_and_its_options_are_described() -> None:
    """In its table, or in a part of its own."""
    assert isinstance(authproxyctl, click.Group)
    part = page("reference/commands.md").partition("\n## authproxyctl\n")[2].partition("\n## ")[0]
    words = set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", part))
    for name, command in authproxyctl.commands.items():
        assert f"`authproxyctl {name}" in part
        assert {option for one in command.params for option in one.opts if option.startswith("-")} - words == set()


def test_the_options_of_authproxy_are_described() -> None:
    """As its --help lists them."""
    part = page("reference/commands.md").partition("\n## authproxy\n")[2].partition("\n## ")[0]
    listed = {code for row in rows(part) for code in CODE.findall(row[0]) if code.startswith("-")}
    assert listed == {name for parameter in foreground.params for name in parameter.opts}


# ── docs/architecture.md ─────────────────────────────────────────────────────────────────────────────────────────

WALK = [
    (CODE.findall(row[1])[0], name)
    for row in rows(page("architecture.md"))
    if len(row) == 3 and re.fullmatch(r"`[a-z_/]+\.py`", row[1])
    for name in CODE.findall(row[2])
]
MACHINES = [
    (CODE.findall(row[1])[0], CODE.findall(row[0])[0])
    for row in rows(page("architecture.md"))
    if len(row) == 4 and row[1].endswith(".py`")
]


@pytest.mark.parametrize(("file", "name"), WALK)
def test_a_step_of_a_login_is_where_the_architecture_says(file: str, name: str) -> None:
    """The function is defined in that file."""
    assert name in functions_of(ROOT / "duoproxy" / file)


@pytest.mark.parametrize(("file", "name"), MACHINES)
def test_a_machine_is_where_the_architecture_says(file: str, name: str) -> None:
    """The class is defined in that file."""
    assert f"class {name}" in (ROOT / "duoproxy" / file).read_text(encoding="utf-8")


def test_every_file_that_the_architecture_names_exists() -> None:
    """Below duoproxy, unless it is a test."""
    named = {code for code in CODE.findall(page("architecture.md")) if re.fullmatch(r"[a-z_]+/[a-z_/]+\.py", code)}
    assert [name for name in named if not ((ROOT / "duoproxy" / name).is_file() or (ROOT / name).is_file())] == []
    assert len(WALK) > 20
    assert MACHINES


def test_the_architecture_can_be_read_in_one_go() -> None:
    """A page that nobody finishes is of no use."""
    assert len(page("architecture.md").splitlines()) < 260


# ── docs/explanation/security.md ─────────────────────────────────────────────────────────────────────────────────

ATTACKS = [row for row in rows(page("explanation/security.md")) if len(row) == 3 and row[0] != "attack"]


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda row: row[0])
def test_an_answer_to_an_attack_has_its_test(attack: list[str]) -> None:
    """The test that the table names is there."""
    file, _, test = CODE.findall(attack[2])[0].partition("::")
    assert (ROOT / file).is_file()
    assert not test or test in functions_of(ROOT / file)


def test_the_attacks_are_read() -> None:
    """A row that the pattern does not fit would be held by nothing."""
    assert len(ATTACKS) > 40
