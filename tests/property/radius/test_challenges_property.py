"""The States of challenges, for any order of questions, answers, retries and thefts."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from duoproxy.radius.challenges import CHALLENGE_LIFE_S, REPLY_LIFE_S, Asker, ChallengeTable, Standing
from duoproxy.testing import repeatable_random

MAX_OPEN = 4
ASKERS = [Asker(device, user) for device in ("10.0.0.1", "10.0.0.2") for user in (b"alice", b"bob")]
REQUESTS = [b"push", b"123456"]


class ChallengeMachine(RuleBasedStateMachine):
    """A section that asks; devices and thieves that answer with any State that was ever given."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.table: ChallengeTable[int, str] = ChallengeTable(repeatable_random(), MAX_OPEN)
        self.states: list[bytes] = []
        self.owner: dict[bytes, Asker] = {}
        self.asked_at: dict[bytes, float] = {}
        self.answered_with: dict[bytes, bytes] = {}
        self.in_progress: list[bytes] = []
        self.replied: dict[bytes, tuple[str, float]] = {}
        self.gone: set[int] = set()
        self.used: set[int] = set()

    @rule(asker=st.sampled_from(ASKERS))
    def section_asks(self, asker):
        number = len(self.states)
        state, given_up = self.table.ask(asker, number, self.now)
        assert state not in self.owner
        assert not set(given_up) & (self.gone | self.used)
        self.gone |= set(given_up)
        self.states.append(state)
        self.owner[state], self.asked_at[state] = asker, self.now

    @precondition(lambda self: self.states)
    @rule(data=st.data(), asker=st.sampled_from(ASKERS), request=st.sampled_from(REQUESTS))
    def request_comes(self, data, asker, request):
        state = data.draw(st.sampled_from(self.states))
        number = self.states.index(state)
        found = self.table.take(state, asker, request, self.now)
        same = self.owner[state] == asker and self.answered_with.get(state) == request
        if found.standing is Standing.ANSWER:
            assert found.conversation == number
            assert self.owner[state] == asker
            assert state not in self.answered_with, "a State is used once"
            assert number not in self.gone
            assert self.now < self.asked_at[state] + CHALLENGE_LIFE_S
            self.answered_with[state] = request
            self.in_progress.append(state)
            self.used.add(number)
        elif found.standing is Standing.IN_PROGRESS:
            assert same
            assert state in self.in_progress
        elif found.standing is Standing.REPEAT:
            reply, at = self.replied[state]
            assert same
            assert found.reply == reply
            assert self.now < at + REPLY_LIFE_S
        else:
            assert not (same and state in self.in_progress)

    @precondition(lambda self: self.in_progress)
    @rule(data=st.data(), reply=st.sampled_from(["accept", "reject", None]))
    def step_ends(self, data, reply):
        state = data.draw(st.sampled_from(self.in_progress))
        self.in_progress.remove(state)
        self.table.finish(state, reply, self.now)
        if reply is not None:
            self.replied[state] = (reply, self.now)

    @rule(seconds=st.sampled_from([1.0, 29.0, 31.0, 119.0, 121.0]))
    def time_passes(self, seconds):
        self.now += seconds

    @rule()
    def section_sweeps(self):
        late = set(self.table.expire(self.now))
        assert not late & (self.gone | self.used)
        assert all(self.now >= self.asked_at[self.states[number]] + CHALLENGE_LIFE_S for number in late)
        self.gone |= late

    @invariant()
    def nothing_is_lost_and_nothing_grows(self):
        assert len(self.table) == len(self.states) - len(self.gone) - len(self.used)
        assert len(self.table) <= MAX_OPEN


TestChallenges = ChallengeMachine.TestCase
TestChallenges.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
