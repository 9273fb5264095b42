"""States of challenges: whose answer a request is, what a used State is worth, and who has to go."""

from __future__ import annotations

import itertools
import tracemalloc

import pytest

from duoproxy.radius.challenges import (
    CHALLENGE_LIFE_S,
    MAX_REPLIES,
    REPLY_LIFE_S,
    Asker,
    ChallengeTable,
    Found,
    Standing,
)
from duoproxy.testing import repeatable_random

ALICE = Asker("10.0.0.1", b"alice")
BOB = Asker("10.0.0.1", b"bob")
ALICE_ELSEWHERE = Asker("10.0.0.2", b"alice")
ONE, ANOTHER = b"one request", b"another request"
STRANGE: Found[str, str] = Found(Standing.STRANGE)


def make(max_open: int = 10) -> ChallengeTable[str, str]:
    return ChallengeTable(repeatable_random(), max_open)


def asked(table: ChallengeTable[str, str], name: str = "talk", now: float = 0.0) -> bytes:
    state, given_up = table.ask(ALICE, name, now)
    assert given_up == []
    return state


def test_a_state_leads_to_its_question() -> None:
    """16 octets of randomness; each question has its own."""
    table = make()
    first, second = asked(table, "first"), asked(table, "second")
    assert len({first, second}) == 2
    assert len(first) == 32
    assert first.isalnum()
    assert table.take(second, ALICE, ONE, 1.0) == Found(Standing.ANSWER, conversation="second")
    assert table.take(first, ALICE, ANOTHER, 1.0) == Found(Standing.ANSWER, conversation="first")


def test_a_state_is_used_once() -> None:
    """Another answer with it is strange, while the first one is being checked and after."""
    table = make()
    state = asked(table)
    table.take(state, ALICE, ONE, 1.0)
    assert table.take(state, ALICE, ANOTHER, 1.0) == STRANGE
    table.finish(state, "reject", 2.0)
    assert table.take(state, ALICE, ANOTHER, 2.0) == STRANGE
    assert len(table) == 0


def test_who_has_many_questions_open_loses_his_own_first() -> None:
    """Of one account the newest few are spared; then the oldest of all goes."""
    table = make(max_open=8)
    others = [table.ask(Asker("10.0.0.1", name), name.decode(), 0.0)[0] for name in (b"a", b"b")]
    gone = [table.ask(BOB, f"bob {number}", 1.0, holder="bob")[1] for number in range(10)]
    assert [one for given_up in gone for one in given_up] == ["bob 0", "bob 1", "bob 2", "bob 3"]
    late = [table.ask(Asker("10.0.0.1", name), name.decode(), 2.0)[1] for name in (b"c", b"d", b"e")]
    assert late == [["bob 4"], ["bob 5"], ["a"]]
    assert table.take(others[1], Asker("10.0.0.1", b"b"), ONE, 3.0).conversation == "b"


def test_no_account_is_kept_when_its_questions_are_gone() -> None:
    """Answered, given up or too late: nothing of anybody stays."""
    table = make(max_open=20)
    states = [table.ask(BOB, "talk", 0.0)[0] for _ in range(30)]
    assert table.take(states[-1], BOB, ONE, 1.0).standing is Standing.ANSWER
    assert len(table.expire(CHALLENGE_LIFE_S)) == 19
    room = table._of_proven
    assert (len(table), room._spared_of, room._first_to_go) == (0, {}, {})


@pytest.mark.parametrize("somebody_else", [BOB, ALICE_ELSEWHERE])
def test_a_state_belongs_to_one_user_of_one_device(somebody_else: Asker) -> None:
    """For anybody else it is unknown, before and after it is used; and it stays good for its owner."""
    table = make()
    state = asked(table)
    assert table.take(state, somebody_else, ONE, 1.0) == STRANGE
    assert table.take(state, ALICE, ONE, 1.0).standing is Standing.ANSWER
    assert table.take(state, somebody_else, ONE, 1.0) == STRANGE
    table.finish(state, "accept", 2.0)
    assert table.take(state, somebody_else, ONE, 2.0) == STRANGE


def test_a_state_of_another_section_is_unknown() -> None:
    """Every section has a table of its own."""
    assert make().take(asked(ChallengeTable(lambda size: b"\7" * size)), ALICE, ONE, 0.0) == STRANGE


@pytest.mark.parametrize("state", [b"", b"\0" * 16, b"x" * 253])
def test_a_guessed_state_is_strange(state: bytes) -> None:
    """There is no default and no beginning."""
    table = make()
    asked(table)
    assert table.take(state, ALICE, ONE, 0.0) == STRANGE
    assert len(table) == 1


def test_the_same_request_during_its_step_belongs_to_it() -> None:
    """A retry of the answer while the push rings."""
    table = make()
    state = asked(table)
    table.take(state, ALICE, ONE, 1.0)
    assert table.take(state, ALICE, ONE, 60.0) == Found(Standing.IN_PROGRESS)


def test_the_same_request_after_its_step_gets_the_same_reply_for_a_while() -> None:
    """30 seconds from the reply."""
    table = make()
    state = asked(table)
    table.take(state, ALICE, ONE, 1.0)
    table.finish(state, "accept", 50.0)
    assert table.take(state, ALICE, ONE, 50.0 + REPLY_LIFE_S - 0.1) == Found(Standing.REPEAT, reply="accept")
    assert table.take(state, ALICE, ONE, 50.0 + REPLY_LIFE_S) == STRANGE


def test_requests_that_cannot_be_told_apart_are_never_the_same() -> None:
    """Without a fingerprint nothing is a retry."""
    table = make()
    state = asked(table)
    table.take(state, ALICE, None, 1.0)
    assert table.take(state, ALICE, None, 1.0) == STRANGE


def test_a_step_without_a_reply_leaves_nothing() -> None:
    """Silence is not repeated: the State is unknown from then on."""
    table = make()
    state = asked(table)
    table.take(state, ALICE, ONE, 1.0)
    table.finish(state, None, 2.0)
    assert table.take(state, ALICE, ONE, 2.0) == STRANGE
    assert table.remembered == 0


def test_an_answer_is_waited_for_two_minutes() -> None:
    """To the moment; then the conversation is given back once."""
    table = make()
    in_time, late = asked(table, "in time", 5.0), asked(table, "late", 5.0)
    assert table.take(in_time, ALICE, ONE, 5.0 + CHALLENGE_LIFE_S - 0.1).standing is Standing.ANSWER
    assert table.take(late, ALICE, ONE, 5.0 + CHALLENGE_LIFE_S) == STRANGE
    assert table.expire(5.0 + CHALLENGE_LIFE_S) == ["late"]
    assert table.expire(5.0 + CHALLENGE_LIFE_S) == []


def test_the_oldest_question_makes_room() -> None:
    """Whoever was asked first has to go; steps in progress are not touched."""
    table = make(max_open=2)
    busy = asked(table, "busy")
    table.take(busy, ALICE, ONE, 0.0)
    oldest, younger = asked(table, "oldest", 1.0), asked(table, "younger", 2.0)
    _, given_up = table.ask(BOB, "newest", 3.0)
    assert given_up == ["oldest"]
    assert len(table) == 2
    assert table.take(oldest, ALICE, ONE, 3.0) == STRANGE
    assert table.take(busy, ALICE, ONE, 3.0).standing is Standing.IN_PROGRESS
    assert table.take(younger, ALICE, ONE, 3.0).standing is Standing.ANSWER


def test_a_million_abandoned_logins_leave_ten_thousand() -> None:
    """The bound holds however many begin; a tenth of a million is begun here."""
    table: ChallengeTable[int, str] = ChallengeTable(repeatable_random())
    given_up = sum(len(table.ask(ALICE, number, 0.0)[1]) for number in range(100_000))
    assert (len(table), given_up) == (10_000, 90_000)


@pytest.mark.long
def test_a_million_abandoned_logins_take_no_more_memory_than_the_first_twenty_thousand() -> None:
    """Of users with a proven password and of others; nobody's question is forgotten without being given up."""
    random = itertools.count()
    table: ChallengeTable[int, str] = ChallengeTable(lambda size: next(random).to_bytes(size, "big"))
    given_up = sum(len(table.ask(ALICE, number, 0.0, proven=number % 2 == 0)[1]) for number in range(20_000))
    tracemalloc.start()
    for number in range(1_000_000):
        given_up += len(table.ask(ALICE, number, 0.0, proven=number % 2 == 0)[1])
    grown, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (len(table), given_up) == (20_000, 1_000_000)
    assert grown < 20_000 * 600


def test_nobody_without_a_password_pushes_aside_who_has_one() -> None:
    """Those whom the primary asks something have room of their own."""
    table = make(max_open=2)
    proven = asked(table, "proven")
    for number in range(5):
        table.ask(BOB, f"primary asks {number}", 1.0, proven=False)
    assert len(table) == 3
    assert table.asked_since(1.0) == 2
    assert table.take(proven, ALICE, ONE, 2.0).standing is Standing.ANSWER
    assert sorted(table.expire(CHALLENGE_LIFE_S + 1.0)) == ["primary asks 3", "primary asks 4"]


def test_replies_are_kept_up_to_a_bound() -> None:
    """Oldest out first."""
    table = make()
    states = []
    for _ in range(MAX_REPLIES + 1):
        states.append(asked(table))
        table.take(states[-1], ALICE, ONE, 0.0)
        table.finish(states[-1], "reject", 0.0)
    assert table.remembered == MAX_REPLIES
    assert table.take(states[0], ALICE, ONE, 0.0) == STRANGE
    assert table.take(states[1], ALICE, ONE, 0.0).standing is Standing.REPEAT


def test_old_replies_are_forgotten() -> None:
    """Nothing is left when their time is over."""
    table = make()
    state = asked(table)
    table.take(state, ALICE, ONE, 0.0)
    table.finish(state, "reject", 0.0)
    table.expire(REPLY_LIFE_S)
    assert table.remembered == 0
