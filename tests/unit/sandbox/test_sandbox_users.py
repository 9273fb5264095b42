"""[sandbox_users]: names and passwords from the file."""

from __future__ import annotations

import pytest

from duoproxy.login.outcome import PrimaryOutcome
from duoproxy.login.request import LoginRequest
from duoproxy.radius.dictionary import Dictionary
from duoproxy.sandbox.demo import DEMO_PASSWORD
from duoproxy.sandbox.sandbox_users import SandboxUsers, SandboxUsersSettings, find_faults
from duoproxy.secret import Secret
from duoproxy.sections.contracts import Environment


def section(*users: str) -> SandboxUsers:
    listed = {number: Secret(user) for number, user in enumerate(users, 1)}
    environment = Environment("sandbox_users", None, bytes, Dictionary([]), lambda event: None, None)
    return SandboxUsers(SandboxUsersSettings(user=listed), environment)


def ask(users: SandboxUsers, username: str, password: str) -> PrimaryOutcome:
    request = LoginRequest("1", username, Secret(password), "127.0.0.1", None, "radius_server_auto")
    asking = users.authenticate(request)
    with pytest.raises(StopIteration) as ended:
        asking.send(None)
    outcome: PrimaryOutcome = ended.value.value
    return outcome


def test_name_and_password_have_to_be_those_of_the_file() -> None:
    """The password may hold colons; the name counts as it is written."""
    users = section("alice:correct:horse", "bob:1")
    assert ask(users, "alice", "correct:horse").accepted
    assert ask(users, "bob", "1").accepted
    assert ask(users, "alice", "1").reason == "the password is wrong"
    assert ask(users, "Alice", "correct:horse").reason == "[sandbox_users] lists no user of that name"
    assert not ask(users, "alice", "").accepted


def test_a_star_is_every_other_name() -> None:
    """Names that are listed keep their own password."""
    users = section("alice:1", "*:2")
    assert ask(users, "zoe", "2").accepted
    assert not ask(users, "alice", "2").accepted


def test_without_a_list_the_users_of_the_demonstration_log_in() -> None:
    """The same names as [sandbox_duo] has, all with one password."""
    users = section()
    assert ask(users, "alice", DEMO_PASSWORD).accepted
    assert not ask(users, "alice", "").accepted
    assert not ask(users, "nobody", DEMO_PASSWORD).accepted


def test_lines_that_are_no_name_and_password_are_faults() -> None:
    """Each is told with its number; no password is shown."""
    lines = {1: Secret("alice:pw"), 2: Secret("bob"), 3: Secret(":pw"), 4: Secret("carol:"), 5: Secret("alice:other")}
    found = list(find_faults(SandboxUsersSettings(user=lines)))
    assert [option for option, _, _ in found] == ["user_2", "user_3", "user_4", "user_5"]
    assert found[0] == ("user_2", "it is not a name, a colon and a password", "Write it like alice:correct horse")
    assert found[3][1] == "its name is also that of user_1"
    assert "other" not in str(found)


def test_it_makes_the_file_loopback_only() -> None:
    """A file with passwords in it must not listen for others."""
    assert SandboxUsers.schema.loopback_only
