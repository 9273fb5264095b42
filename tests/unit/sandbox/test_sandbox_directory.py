"""[sandbox_directory]: its options, who is there, and what each start prints."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from attrs import evolve
from twisted.logger import capturedLogs

from duoproxy.config.validate import check_configuration
from duoproxy.sandbox.demo import DEMO_PASSWORD, DIRECTORY_NOT_SECURE
from duoproxy.sandbox.sandbox_directory import (
    DEMO_REFUSED,
    OUTSIDER,
    SERVICE_ACCOUNT,
    SandboxDirectory,
    SandboxDirectorySettings,
    find_faults,
    listens_on,
)
from duoproxy.secret import Secret
from duoproxy.sections.registry import load_registry
from duoproxy.testing import make_environment, run_now


def section(log_stdout: bool = True, **options: Any) -> SandboxDirectory:
    environment = evolve(make_environment("sandbox_directory"), main=SimpleNamespace(log_stdout=log_stdout))
    return SandboxDirectory(SandboxDirectorySettings(**options), environment)


def lines(*texts: str) -> dict[int, Any]:
    return dict(enumerate(texts, 1))


def users(*texts: str) -> dict[int, Secret]:
    return {number: Secret(text) for number, text in lines(*texts).items()}


def bind(made: SandboxDirectory, name: str, password: str) -> str:
    """The sub-code of a bind, or `ok`."""
    answer = made.listener.accounts.bind(f"{name}@corp.example".encode(), Secret(password), 0.0)
    return "ok" if answer.entry is not None else answer.text.partition("data ")[2].partition(",")[0]


def printed(capfd: pytest.CaptureFixture[str], made: SandboxDirectory) -> list[str]:
    with capturedLogs():
        run_now(made.start())
    return [line for line in capfd.readouterr().out.splitlines() if line]


def test_without_a_list_the_users_of_the_demonstration_are_there() -> None:
    """The same names as [sandbox_duo] has, the service account, one outside of the group, and four who are refused."""
    made = section()
    for name in ("alice", "judy", OUTSIDER, SERVICE_ACCOUNT):
        assert bind(made, name, DEMO_PASSWORD) == "ok"
    assert {name: bind(made, name, DEMO_PASSWORD) for name in DEMO_REFUSED} == DEMO_REFUSED
    group = made.listener.accounts.tree.at(made.listener.accounts.group_dn)
    assert group is not None
    members = str(group.values["member"])
    assert "CN=alice," in members
    assert f"CN={OUTSIDER}," not in members
    assert f"CN={SERVICE_ACCOUNT}," not in members


def test_listed_users_take_their_place() -> None:
    """With their passwords, colons in them too; the service account stays, and may be listed."""
    made = section(user=users("alice:correct:horse", "oscar:x"), refused=lines("oscar 533"))
    assert bind(made, "alice", "correct:horse") == "ok"
    assert bind(made, "oscar", "x") == "533"
    assert bind(made, "bob", DEMO_PASSWORD) == "52e"
    assert bind(made, SERVICE_ACCOUNT, DEMO_PASSWORD) == "ok"
    assert bind(section(user=users("svc-duo:other")), SERVICE_ACCOUNT, "other") == "ok"


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        (
            {"user": users("alice")},
            ("user_1", "it is not a name, a colon and a password", "Write it like alice:correct horse"),
        ),
        (
            {"user": users("alice:1", "ALICE:2")},
            ("user_2", "its name is also that of user_1", "Delete one of the two"),
        ),
        (
            {"refused": lines("zoe 533")},
            (
                "refused_1",
                "it is not a user and a sub-code",
                "Write a name and one of: 532, 533, 701, 773, 775",
            ),
        ),
        (
            {"user": users("alice:1"), "refused": lines("alice 52e")},
            (
                "refused_1",
                "it is not a user and a sub-code",
                "Write a name and one of: 532, 533, 701, 773, 775",
            ),
        ),
        (
            {"base_dn": "OU=x"},
            ("base_dn", "it is not the DN of a domain", "Write it as in DC=corp,DC=example"),
        ),
    ],
)
def test_what_cannot_be_read_is_a_fault(options: dict[str, Any], fault: tuple[str, str, str]) -> None:
    """Each with its option, and no password in it."""
    assert list(find_faults(SandboxDirectorySettings(**options))) == [fault]


def test_defaults_are_a_good_section(tmp_path: Path) -> None:
    """It listens on loopback, and lets no other section of the file listen elsewhere."""
    assert list(find_faults(SandboxDirectorySettings())) == []
    assert listens_on(SandboxDirectorySettings()) == [("tcp", "127.0.0.1", 18389)]
    path = tmp_path / "authproxy.cfg"
    path.write_text("[sandbox_directory]\n", "utf-8")
    assert check_configuration(path, load_registry([]).catalogue) == []
    assert SandboxDirectory.schema.loopback_only


def test_each_start_prints_the_commands_that_log_in(capfd: pytest.CaptureFixture[str]) -> None:
    """As they are typed; who is refused is named with the reason."""
    told = printed(capfd, section(login_port=18121))
    assert told[:3] == [
        DIRECTORY_NOT_SECURE,
        "Directory stand-in:  ldap://127.0.0.1:18389/DC=corp,DC=example",
        "Log in from a second terminal, with the password checked by the directory:",
    ]
    assert told[3].endswith("duoproxy-login --port 18121 --user alice --password password")
    assert told[4] == "      the same for bob, carol, dave, erin, frank, grace, heidi, ivan, judy"
    assert told[5:] == [
        "      mallory is refused: not in the group CN=VPN Users",
        "      victor is refused: the password has expired (data 532)",
        "      oscar is refused: the account is disabled (data 533)",
        "      peggy is refused: the password must be changed (data 773)",
        "      trent is refused: the account is locked (data 775)",
    ]


def test_passwords_of_listed_users_are_not_printed(capfd: pytest.CaptureFixture[str]) -> None:
    """The command asks for them."""
    told = "\n".join(printed(capfd, section(login_port=18121, user=users("al ice:geheim"))))
    assert "duoproxy-login --port 18121 --user 'al ice'" in told
    assert "geheim" not in told
    assert "the same for" not in told


def test_without_login_port_no_command_is_printed(capfd: pytest.CaptureFixture[str]) -> None:
    """Nobody knows where to log in."""
    assert printed(capfd, section(interface="::1")) == [
        DIRECTORY_NOT_SECURE,
        "Directory stand-in:  ldap://[::1]:18389/DC=corp,DC=example",
    ]


@pytest.mark.parametrize(("log_stdout", "logged"), [(True, 1), (False, 2)])
def test_each_start_says_not_secure_in_the_log(
    capfd: pytest.CaptureFixture[str], log_stdout: bool, logged: int
) -> None:
    """Everything, unless the log goes to standard output as well."""
    with capturedLogs() as events:
        run_now(section(log_stdout).start())
    assert events[0]["line"] == DIRECTORY_NOT_SECURE
    assert len(events) == logged
    assert DIRECTORY_NOT_SECURE in capfd.readouterr().out
