"""How many pushes and calls to one user may be open at once."""

from __future__ import annotations

import pytest
from attrs import evolve

from duoproxy.duoapi.messages import AuthQuery, Factor
from duoproxy.login.open_questions import MAX_QUESTIONS_OF_USER, OpenQuestions, account_of
from duoproxy.secret import Secret

PUSH = AuthQuery("alice", Factor.PUSH, "DP1")
PASSCODE = AuthQuery("alice", Factor.PASSCODE, passcode=Secret("123456"))


@pytest.mark.parametrize(
    "name",
    ["alice", "ALICE", " alice ", "CORP\\alice", "alice@example.com", "CORP\\Alice@example.com", "álice", "a.lice"],
)
def test_another_spelling_is_no_other_account(name: str) -> None:
    """Domains, case, accents and stops are what a directory may pass over."""
    assert account_of(name) == "alice"


@pytest.mark.parametrize("name", ["@", "...", "\\", "@example.com"])
def test_every_name_has_an_account(name: str) -> None:
    """A name that nothing would be left of is its own account, or that of its domain."""
    assert account_of(name)


def test_a_user_is_asked_only_so_often_at_once() -> None:
    """The ninth push is not sent, under whatever spelling; one of another user is."""
    questions = OpenQuestions()
    assert all(questions.begin(PUSH) for _ in range(MAX_QUESTIONS_OF_USER))
    assert not questions.begin(evolve(PUSH, factor=Factor.PHONE))
    assert not questions.begin(evolve(PUSH, username="CORP\\Alice"))
    assert questions.begin(evolve(PUSH, username="bob"))


def test_a_question_that_ended_makes_place_for_another() -> None:
    """And in the end nothing is remembered."""
    questions = OpenQuestions()
    for _ in range(MAX_QUESTIONS_OF_USER):
        questions.begin(PUSH)
    questions.end(PUSH)
    assert questions.begin(PUSH)
    for _ in range(MAX_QUESTIONS_OF_USER):
        questions.end(PUSH)
    assert len(questions) == 0


@pytest.mark.parametrize("factor", [Factor.PASSCODE, Factor.SMS])
def test_what_rings_nowhere_is_not_counted(factor: Factor) -> None:
    """Whoever has a passcode gets in while somebody else lets the telephone ring."""
    questions = OpenQuestions()
    for _ in range(MAX_QUESTIONS_OF_USER):
        questions.begin(PUSH)
    assert all(questions.begin(evolve(PASSCODE, factor=factor)) for _ in range(100))
    questions.end(PASSCODE)
    assert not questions.begin(PUSH)
