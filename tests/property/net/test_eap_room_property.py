"""Whoever comes, proves a password, is answered and leaves: the room of an EAP listener stays fair."""

from __future__ import annotations

import itertools

from attrs import define
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from duoproxy.net.eap_room import MAX_SPARED_OF_USER, SPARED_SHARE, EapRoom

PLACES = 12
DEVICES = st.sampled_from(["10.0.0.1", "10.0.0.2", "10.0.0.3"])
USERS = st.sampled_from(["alice", "bob", "mallory"])


@define(eq=False)
class Guest:
    """Somebody, in the order in which they came."""

    number: int
    device: str
    busy: bool = False
    here: bool = True


class RoomMachine(RuleBasedStateMachine):
    """The room beside a plain list of who is in it, and who proved what when."""

    guests = Bundle("guests")

    def __init__(self) -> None:
        super().__init__()
        self.room: EapRoom[Guest] = EapRoom(PLACES)
        self.numbers = itertools.count()
        self.inside: list[Guest] = []
        self.proved: dict[Guest, str] = {}

    @rule(target=guests, device=DEVICES, busy=st.booleans())
    def come(self, device: str, busy: bool) -> Guest:
        guest = Guest(next(self.numbers), device, busy)
        if self.room.full:
            victim = self.room.next_to_go(device)
            if victim is None:
                self.judge_refusal(device)
                guest.here = False
                return guest
            self.judge(victim)
            self.go(victim)
        self.room.enter(guest)
        self.inside.append(guest)
        return guest

    def judge_refusal(self, device: str) -> None:
        """All are busy; or all but the protected, of whom none goes for a device that has half of the rest."""
        protected = self.protected()
        others = [one for one in self.inside if one not in protected]
        assert all(one.busy for one in others), "somebody waited, and nobody had to go"
        has_half = 2 * sum(one.device == device for one in others) > PLACES - int(SPARED_SHARE * PLACES)
        assert has_half or all(one.busy for one in protected)

    def judge(self, victim: Guest) -> None:
        """What every choice must keep to, whatever came before it."""
        assert victim in self.inside
        assert not victim.busy
        if victim in self.protected():
            assert all(one.busy for one in self.inside if one not in self.protected()), "a stranger could have gone"

    def protected(self) -> set[Guest]:
        """The newest of each user who proved a password, and of all of them the newest three quarters of the room."""
        newest: list[Guest] = []
        of_user: dict[str, int] = {}
        for guest, user in reversed(self.proved.items()):
            of_user[user] = of_user.get(user, 0) + 1
            if of_user[user] <= MAX_SPARED_OF_USER and len(newest) < int(SPARED_SHARE * PLACES):
                newest.append(guest)
        return set(newest)

    def go(self, guest: Guest) -> None:
        self.room.leave(guest)
        self.inside.remove(guest)
        self.proved.pop(guest, None)
        guest.here = False

    @rule(guest=consumes(guests))
    def leave(self, guest: Guest) -> None:
        if guest.here:
            self.go(guest)

    @rule(guest=guests, busy=st.booleans())
    def step(self, guest: Guest, busy: bool) -> None:
        guest.busy = busy

    @rule(guest=guests, user=USERS)
    def prove(self, guest: Guest, user: str) -> None:
        if guest.here:
            self.proved.pop(guest, None)
            self.proved[guest] = user
            self.room.spare(guest, user)
            # Who lost it to others does not get it back when they leave.
            self.proved = {one: its for one, its in self.proved.items() if one in self.protected()}

    @invariant()
    def the_same_are_inside(self) -> None:
        assert len(self.room) == len(self.inside) <= PLACES
        assert set(self.room) == set(self.inside)

    @invariant()
    def one_user_holds_few_and_all_together_leave_some(self) -> None:
        spared = self.room._spared
        assert len(spared) <= int(SPARED_SHARE * PLACES)
        assert all(list(spared.values()).count(user) <= MAX_SPARED_OF_USER for user in spared.values())
        assert set(spared) == self.protected()


TestRoom = RoomMachine.TestCase
TestRoom.settings = settings(max_examples=60, stateful_step_count=60, deadline=None)
