"""What the sandbox says at its start."""

from __future__ import annotations

from duoproxy.sandbox.accounts import ANYBODY, parse_behaviour
from duoproxy.sandbox.demo import DEMO_PASSWORD, MAX_LISTED, NOT_SECURE, banner, demo_behaviours, login_command


def test_the_banner_has_addresses_users_and_exact_commands() -> None:
    """A person copies a line into a second terminal, and it works."""
    users = [parse_behaviour(line) for line in ("alice push", "carol passcode 424242", "judy phone push")]
    assert banner("https://localhost:18443", users, "bin/duoproxy-login", "password") == (
        "NOT SECURE: the sandbox stands in for Duo. It is for trying things out, on this machine only.",
        "Duo stand-in:  https://localhost:18443",
        "Phone page:    https://localhost:18443/phone/   (your browser warns of the throw-away certificate: go on)",
        "Log in from a second terminal:",
        "  bin/duoproxy-login --user alice --password password",
        "      alice gets a push: answer it on the phone page",
        "  bin/duoproxy-login --user carol --password password,424242",
        "      carol appends the passcode to the password: PASSWORD,424242",
        "  bin/duoproxy-login --user judy --password password",
        "      judy gets a push: answer it on the phone page (has 2 phones: append phone1 or push2 to choose, as in "
        "PASSWORD,push2)",
    )


def test_commands_can_be_pasted_into_a_shell() -> None:
    """Names with blanks and signs are quoted; a password that is not known here is asked for."""
    behaviour = parse_behaviour("o'hara push")
    assert login_command("duoproxy-login", behaviour, "") == """duoproxy-login --user 'o'"'"'hara'"""


def test_many_users_and_a_name_for_all_are_summed_up() -> None:
    """The list stays readable."""
    users = [parse_behaviour(f"{ANYBODY} approve-after 1"), *(parse_behaviour(f"u{n}") for n in range(MAX_LISTED + 9))]
    lines = banner("https://localhost:1", users, "duoproxy-login", DEMO_PASSWORD)
    assert lines[0] == NOT_SECURE
    assert "  any other name approves by itself after 1 s" in lines
    assert lines[-1] == "  and 10 more users"


def test_the_demonstration_shows_every_end_of_a_login() -> None:
    """Push, call, passcode, deny, enroll, bypass, lock-out, time-out."""
    names = [behaviour.name for behaviour in demo_behaviours()]
    assert names[:9] == ["alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi", "ivan"]
    assert len({behaviour.describe() for behaviour in demo_behaviours()}) >= 9
