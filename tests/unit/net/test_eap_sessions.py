"""Conversations by State: what a request with a State is, and who has to go when there are too many."""

from __future__ import annotations

import pytest

from duoproxy.net.eap_sessions import MAX_ENDED, REPLY_LIFE_S, EapSessions, Session, Standing
from duoproxy.net.radius_messages import Reply
from duoproxy.radius.attributes import Type
from duoproxy.radius.packet import Code
from duoproxy.testing import repeatable_random

NAS, OTHER_NAS = "10.0.0.1", "10.0.0.2"
ONE, ANOTHER = b"one request", b"another request"
FAR = 1000.0
ACCEPT = Reply(Code.ACCESS_ACCEPT, [(Type.CLASS, b"staff")])


def challenge(state: bytes) -> Reply:
    return Reply(Code.ACCESS_CHALLENGE, [(Type.STATE, state)])


def make(max_open: int = 10) -> EapSessions[str]:
    return EapSessions(repeatable_random(), max_open)


def opened(sessions: EapSessions[str], device: str = NAS, name: str = "talk") -> Session[str]:
    session, _ = sessions.begin(device, name)
    assert session is not None
    return session


def state_of(reply: Reply) -> bytes:
    [(_, state)] = reply.attributes  # type: ignore[misc]
    return state


def asked(sessions: EapSessions[str], session: Session[str], now: float = 0.0, until: float = FAR) -> bytes:
    return state_of(sessions.go_on(session, challenge, until, now))


def test_each_step_has_a_state_of_its_own_that_leads_to_the_next() -> None:
    """A State is used once; the next step has another one."""
    sessions = make()
    session = opened(sessions)
    states = [asked(sessions, session)]
    for _ in range(3):
        found = sessions.find(states[-1], NAS, ONE, 1.0)
        assert (found.standing, found.session) == (Standing.NEXT, session)
        states.append(asked(sessions, session))
    assert len(set(states)) == 4
    assert all(len(state) == 32 and state.isalnum() for state in states)


def test_a_state_belongs_to_one_device() -> None:
    """The State of another device is unknown, and stays what it was."""
    sessions = make()
    state = asked(sessions, opened(sessions))
    assert sessions.find(state, OTHER_NAS, ONE, 1.0).standing is Standing.STRANGE
    assert sessions.find(state, NAS, ONE, 1.0).standing is Standing.NEXT


@pytest.mark.parametrize("state", [b"", b"\0" * 16, b"a guess"])
def test_a_state_that_was_never_given_is_strange(state: bytes) -> None:
    """Unknown: never a new login."""
    sessions = make()
    asked(sessions, opened(sessions))
    assert sessions.find(state, NAS, ONE, 1.0).standing is Standing.STRANGE


def test_a_state_whose_step_is_in_progress_begins_no_second_one() -> None:
    """Only one request at a time is a step."""
    sessions = make()
    state = asked(sessions, opened(sessions))
    sessions.find(state, NAS, ONE, 1.0)
    for fingerprint in (ONE, ANOTHER, None):
        assert sessions.find(state, NAS, fingerprint, 2.0).standing is Standing.IN_PROGRESS


def test_the_same_request_after_its_step_gets_the_same_reply() -> None:
    """A used State: the cached reply is the answer, for a while."""
    sessions = make()
    session = opened(sessions)
    state = asked(sessions, session)
    sessions.find(state, NAS, ONE, 1.0)
    reply = sessions.go_on(session, challenge, FAR, 2.0)
    found = sessions.find(state, NAS, ONE, 2.0 + REPLY_LIFE_S - 0.1)
    assert (found.standing, found.reply) == (Standing.REPEAT, reply)
    assert sessions.find(state, NAS, ONE, 2.0 + REPLY_LIFE_S).standing is Standing.STRANGE


@pytest.mark.parametrize("fingerprint", [ANOTHER, None])
def test_another_request_with_a_used_state_is_strange(fingerprint: bytes | None) -> None:
    """The rest of the request must be the same."""
    sessions = make()
    session = opened(sessions)
    state = asked(sessions, session)
    sessions.find(state, NAS, ONE, 1.0)
    asked(sessions, session)
    assert sessions.find(state, NAS, fingerprint, 2.0).standing is Standing.STRANGE


def test_the_end_of_a_conversation_is_repeated_too() -> None:
    """A device that did not get its Accept asks again; the conversation itself is gone."""
    sessions = make()
    session = opened(sessions)
    state = asked(sessions, session)
    sessions.find(state, NAS, ONE, 1.0)
    sessions.end(session, ACCEPT, 2.0)
    assert (len(sessions), sessions.remembered, session.conversation) == (0, 1, None)
    assert sessions.find(state, NAS, ONE, 3.0).reply is ACCEPT
    assert sessions.find(state, OTHER_NAS, ONE, 3.0).standing is Standing.STRANGE
    sessions.expire(1.9 + REPLY_LIFE_S)
    assert sessions.find(state, NAS, ONE, 1.9 + REPLY_LIFE_S).reply is ACCEPT
    sessions.expire(2.0 + REPLY_LIFE_S)
    assert sessions.remembered == 0
    assert sessions.find(state, NAS, ONE, 3.0).standing is Standing.STRANGE


def test_states_of_earlier_steps_are_forgotten() -> None:
    """Of a conversation two States are known: the one awaited and the one before."""
    sessions = make()
    session = opened(sessions)
    first = asked(sessions, session)
    sessions.find(first, NAS, ONE, 1.0)
    second = asked(sessions, session)
    sessions.find(second, NAS, ANOTHER, 1.0)
    asked(sessions, session)
    assert sessions.find(first, NAS, ONE, 1.0).standing is Standing.STRANGE
    assert sessions.find(second, NAS, ANOTHER, 1.0).standing is Standing.REPEAT


def test_a_conversation_that_ends_in_silence_leaves_nothing() -> None:
    """The service stops, or nobody is to be answered."""
    sessions = make()
    session = opened(sessions)
    state = asked(sessions, session)
    sessions.find(state, NAS, ONE, 1.0)
    sessions.end(session, None, 2.0)
    assert (len(sessions), sessions.remembered) == (0, 0)
    assert sessions.find(state, NAS, ONE, 2.0).standing is Standing.STRANGE


def test_what_waits_too_long_expires_with_its_conversation() -> None:
    """Its caller can end it; its States are unknown from then on."""
    sessions = make()
    session = opened(sessions)
    state = asked(sessions, session, until=60.0)
    assert sessions.find(state, NAS, ONE, 60.0).standing is Standing.STRANGE
    assert sessions.expire(59.9) == []
    assert [one.conversation for one in sessions.expire(60.0)] == ["talk"]
    assert len(sessions) == 0
    assert sessions.find(state, NAS, ONE, 1.0).standing is Standing.STRANGE


def test_a_step_in_progress_does_not_expire() -> None:
    """The user is being asked; whoever asks has a deadline of its own."""
    sessions = make()
    state = asked(sessions, opened(sessions), until=60.0)
    sessions.find(state, NAS, ONE, 59.0)
    assert sessions.expire(500.0) == []


def test_when_full_the_oldest_unfinished_of_the_largest_device_is_given_up() -> None:
    """A fair share: a device that floods loses its own."""
    sessions = make(max_open=4)
    small = opened(sessions, OTHER_NAS, "small")
    asked(sessions, small)
    for name in ("a", "b", "c"):
        asked(sessions, opened(sessions, NAS, name))
    session, given_up = sessions.begin(OTHER_NAS, "new")
    assert session is not None
    assert [one.conversation for one in given_up] == ["a"]
    session, given_up = sessions.begin(NAS, "d")
    assert [one.conversation for one in given_up] == ["b"]
    assert len(sessions) == 4


def test_who_proved_a_password_or_is_being_answered_is_not_given_up() -> None:
    """A proved password is given up only when nobody else waits, and not for a device that keeps the rest of the room
    busy; a step in progress never: there is no room.
    """
    sessions = make(max_open=2)
    proved = opened(sessions, name="proved")
    sessions.spare(proved, "alice")
    asked(sessions, proved)
    asked(sessions, opened(sessions, name="stranger"))
    ringing, given_up = sessions.begin(NAS, "rings")
    assert [one.conversation for one in given_up] == ["stranger"]
    assert ringing is not None
    assert sessions.begin(NAS, "new") == (None, [])
    _, given_up = sessions.begin("10.9.9.9", "rings too")
    assert [one.conversation for one in given_up] == ["proved"]
    assert sessions.begin(NAS, "new") == (None, [])
    assert len(sessions) == 2
    sessions.end(ringing, None, 1.0)
    sessions.spare(ringing, "alice")
    assert len(sessions) == 1


def test_a_given_up_conversation_is_not_found_any_more() -> None:
    """Neither by its State nor by the one before."""
    sessions = make(max_open=1)
    session = opened(sessions)
    used = asked(sessions, session)
    sessions.find(used, NAS, ONE, 1.0)
    state = asked(sessions, session)
    sessions.begin(NAS, "new")
    assert {sessions.find(each, NAS, ONE, 1.0).standing for each in (used, state)} == {Standing.STRANGE}


def test_ended_ones_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Oldest out first."""
    monkeypatch.setattr("duoproxy.net.eap_sessions.MAX_ENDED", 3)
    sessions = make()
    states = []
    for _ in range(5):
        session = opened(sessions)
        states.append(asked(sessions, session))
        sessions.find(states[-1], NAS, ONE, 1.0)
        sessions.end(session, ACCEPT, 1.0)
    assert MAX_ENDED == 10_000
    assert sessions.remembered == 3
    standings = [sessions.find(state, NAS, ONE, 1.0).standing for state in states]
    assert standings == [Standing.STRANGE] * 2 + [Standing.REPEAT] * 3


def test_nothing_is_left_behind() -> None:
    """After all ends and expiries no table holds anything."""
    sessions = make()
    for number in range(8):
        session = opened(sessions, NAS if number % 2 else OTHER_NAS)
        state = asked(sessions, session, until=60.0)
        if number % 3:
            sessions.find(state, NAS if number % 2 else OTHER_NAS, ONE, 1.0)
            sessions.end(session, ACCEPT if number % 4 else None, 1.0)
    sessions.expire(FAR)
    assert (sessions._by_state, list(sessions._room), len(sessions), sessions.remembered) == ({}, [], 0, 0)
