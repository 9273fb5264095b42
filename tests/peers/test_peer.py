"""What a missing peer means, and what `make peers` is told to install."""

from __future__ import annotations

import pytest

from tests.peers import peer
from tests.peers.peer import Absence, Peer, meaning_of_absence

NOWHERE = Peer("nowhere", "nowhere-utils", ("no-such-program-anywhere",), services=("nowhere.service",))
SHELL = Peer("shell", "dash", ("no-such-program-anywhere", "sh"), services=("shell.service",))


@pytest.fixture(autouse=True)
def declared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peer, "PEERS", (NOWHERE, SHELL))


@pytest.mark.parametrize(
    ("environment", "meaning"),
    [
        ({}, Absence.SKIP),
        ({"PEERS": "", "CI": ""}, Absence.SKIP),
        ({"CI": "false"}, Absence.SKIP),
        ({"PEERS": "required"}, Absence.FAILURE),
        ({"PEERS": "install"}, Absence.FAILURE),
        ({"CI": "true"}, Absence.FAILURE),
    ],
)
def test_a_missing_peer_is_a_skip_on_a_laptop_and_a_failure_in_ci(
    environment: dict[str, str], meaning: Absence
) -> None:
    """A missing peer is a skip with its reason on a laptop, and a failure in CI."""
    assert meaning_of_absence(environment) is meaning


def test_the_first_program_that_is_installed_counts() -> None:
    """A peer may be called differently by different distributions."""
    path = SHELL.path()
    assert path is not None
    assert path.endswith("/sh")


def test_a_peer_that_is_a_file_is_looked_for_below_the_root() -> None:
    """A module of another peer has no program of its own; its file decides."""
    assert Peer("passwords", "base-passwd", files=("etc/passw?",)).is_here()
    assert not Peer("nothing", "nothing", files=("etc/no-such-file-anywhere",)).is_here()


def test_the_reason_names_the_package_and_the_command_that_brings_it() -> None:
    """A peer that is not installed is a listed skip with the command that brings it."""
    assert peer.reason(peer.missing(["shell", "nowhere"])) == (
        "not installed: nowhere (Debian package nowhere-utils); `sudo make peers` brings it"
    )


def test_an_undeclared_peer_is_an_error_and_not_a_skip() -> None:
    """A misspelt name in needs_peer must not quietly skip a test for ever."""
    with pytest.raises(LookupError, match="no peer is called 'radclint'"):
        peer.missing(["radclint"])


@pytest.mark.parametrize(("question", "answer"), [("packages", "nowhere-utils\n"), ("services", "nowhere.service\n")])
def test_make_peers_is_told_only_what_is_missing(
    question: str, answer: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """`make peers` installs what is not here, and keeps only the services of that from starting."""
    assert peer.main([question]) == 0
    assert capsys.readouterr().out == answer


def test_an_unknown_question_prints_the_usage(capsys: pytest.CaptureFixture[str]) -> None:
    """The command explains itself."""
    assert peer.main(["everything"]) == 2
    assert "packages of all missing peers" in capsys.readouterr().err
