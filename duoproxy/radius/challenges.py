"""The machine for the State of Access-Challenges: which question an answer belongs to, and whether it comes in time.

Owns what a State is worth: it is random, belongs to one device and one user of one section, and is used once. While the
step that used it is in progress the same request belongs to that step; afterwards it gets the same reply again. Any
other State, or another request with a used one, is strange, and never the beginning of a login. Owns also who has to go
when too many users are being waited for: the one who was asked first, but before him whoever has more than a few
questions open, so that one valid password does not buy the places of others. Users who have proven nothing yet (the
primary asks them) have room of their own, so that nobody can push aside those who have; there each device has a share.

What a conversation and a reply are, it does not know; it is fed time and has no clock.

Source: RFC 2865 §2.1, §4.4, §5.24; reference §10.3.
"""

from __future__ import annotations

import enum
import itertools
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Final, Generic, TypeVar

from attrs import define, field, frozen

MAX_OPEN: Final = 10_000
"""Questions that wait for an answer, of users with a proven password; and as many of others."""
MAX_SPARED: Final = 4
"""Questions of one user, or of one device to users who have proven nothing; with one more the oldest is the first to go
when there is no room.
"""
MAX_REPLIES: Final = 10_000
"""Used States whose reply is kept for a device that asks again; oldest out first."""
CHALLENGE_LIFE_S: Final = 120.0
"""So long an answer is waited for."""
REPLY_LIFE_S: Final = 30.0
"""So long the reply to a used State is given again."""
STATE_BYTES: Final = 16
"""Of randomness in a State, which is sent as hexadecimal digits."""

ConversationT = TypeVar("ConversationT")
ReplyT = TypeVar("ReplyT")


class Standing(enum.Enum):
    """What a request with a State is."""

    ANSWER = "the answer to its question"
    IN_PROGRESS = "the same as the request whose answer is being checked"
    REPEAT = "the same as the request that was answered"
    STRANGE = "unknown, too late, of somebody else, or another answer to a question that was answered"


@frozen
class Asker:
    """Whose State it is.

    Attributes:
        device: address of the device.
        user: the User-Name, octets.
    """

    device: str
    user: bytes


@frozen
class Found(Generic[ConversationT, ReplyT]):
    """What became of a State.

    Attributes:
        standing: what the request is.
        conversation: for ANSWER: the conversation to go on with.
        reply: for REPEAT: the reply to give again.
    """

    standing: Standing
    conversation: ConversationT | None = None
    reply: ReplyT | None = None


@frozen
class _Waiting(Generic[ConversationT]):
    """A question without an answer, until the moment `until`."""

    asker: Asker
    conversation: ConversationT
    until: float
    holder: Hashable


class _Room(Generic[ConversationT]):
    """Questions that wait, the oldest first, at most so many."""

    def __init__(self, places: int) -> None:
        self._places = places
        self.waiting: OrderedDict[bytes, _Waiting[ConversationT]] = OrderedDict()
        self._spared_of: dict[Hashable, OrderedDict[bytes, None]] = {}
        self._first_to_go: OrderedDict[bytes, None] = OrderedDict()

    def enter(self, state: bytes, waiting: _Waiting[ConversationT]) -> list[ConversationT]:
        """Put a question; gives the conversations that had to go for it."""
        given_up = []
        while len(self.waiting) >= self._places:
            given_up.append(self.leave(next(iter(self._first_to_go or self.waiting))).conversation)
        self.waiting[state] = waiting
        own = self._spared_of.setdefault(waiting.holder, OrderedDict())
        own[state] = None
        if len(own) > MAX_SPARED:
            self._first_to_go[own.popitem(last=False)[0]] = None
        return given_up

    def leave(self, state: bytes) -> _Waiting[ConversationT]:
        """Take a question away."""
        waiting = self.waiting.pop(state)
        self._first_to_go.pop(state, None)
        own = self._spared_of.get(waiting.holder)
        if own is not None:
            own.pop(state, None)
            if not own:
                del self._spared_of[waiting.holder]
        return waiting

    def leave_late(self, now: float) -> list[ConversationT]:
        """Take away those whose time is over; gives their conversations."""
        late = []
        while self.waiting and now >= next(iter(self.waiting.values())).until:
            late.append(self.leave(next(iter(self.waiting))).conversation)
        return late


@define(eq=False)
class _Used(Generic[ReplyT]):
    """A State whose answer came; `reply` is None while that is being checked."""

    asker: Asker
    fingerprint: bytes | None
    reply: ReplyT | None = field(default=None, repr=False)
    replied_at: float = 0.0


class ChallengeTable(Generic[ConversationT, ReplyT]):
    """The questions of one section.

    The steps in progress have a request in flight each, so the bound on requests in flight bounds them too.
    """

    def __init__(self, random_bytes: Callable[[int], bytes], max_open: int = MAX_OPEN) -> None:
        """Begin with none.

        Args:
            random_bytes: as `os.urandom`.
            max_open: how many questions to users with a proven password may wait at once, and how many to others.
        """
        self._random_bytes = random_bytes
        self._of_proven: _Room[ConversationT] = _Room(max_open)
        self._of_others: _Room[ConversationT] = _Room(max_open)
        self._rooms = (self._of_proven, self._of_others)
        self._in_progress: dict[bytes, _Used[ReplyT]] = {}
        self._answered: OrderedDict[bytes, _Used[ReplyT]] = OrderedDict()

    def __len__(self) -> int:
        """The number of questions that wait."""
        return sum(len(room.waiting) for room in self._rooms)

    @property
    def remembered(self) -> int:
        """The number of used States, those in progress among them."""
        return len(self._in_progress) + len(self._answered)

    def asked_since(self, moment: float) -> int:
        """Count the questions that were put at `moment` (seconds, monotonic) or later, and wait for their answer."""
        since = moment + CHALLENGE_LIFE_S
        newest = (reversed(room.waiting.values()) for room in self._rooms)
        young = [itertools.takewhile(lambda one: one.until >= since, waiting) for waiting in newest]
        return sum(1 for _ in itertools.chain(*young))

    def ask(
        self, asker: Asker, conversation: ConversationT, now: float, *, proven: bool = True, holder: str = ""
    ) -> tuple[bytes, list[ConversationT]]:
        """Put a question.

        Args:
            asker: who may answer it.
            conversation: anything.
            now: seconds, monotonic.
            proven: whether the user has proven a password.
            holder: who is spared for a few questions: the user, always spelled in one way, or who else cannot make
                himself many; empty: the User-Name as it is spelled.

        Returns:
            its State, and the conversations that were given up to make room.
        """
        # As digits: a device that keeps a State as text (ocserv 1.1 does) would cut it at its first zero.
        state = self._random_bytes(STATE_BYTES).hex().encode("ascii")
        waiting = _Waiting(asker, conversation, now + CHALLENGE_LIFE_S, holder or asker.user)
        return state, (self._of_proven if proven else self._of_others).enter(state, waiting)

    def take(
        self, state: bytes, asker: Asker, its_fingerprint: bytes | None, now: float
    ) -> Found[ConversationT, ReplyT]:
        """Find what a State stands for; when it is an answer, its step is in progress until `finish`.

        Args:
            state: the State of the request.
            asker: whose request it is.
            its_fingerprint: what two requests share that are the same but for their signatures; None: nothing is the
                same as it.
            now: seconds, monotonic.
        """
        room = self._of_proven if state in self._of_proven.waiting else self._of_others
        waiting = room.waiting.get(state)
        if waiting is not None and waiting.asker == asker and now < waiting.until:
            room.leave(state)
            self._in_progress[state] = _Used(asker, its_fingerprint)
            return Found(Standing.ANSWER, conversation=waiting.conversation)
        used = self._in_progress.get(state) or self._answered.get(state)
        if used is None or used.asker != asker or its_fingerprint is None or used.fingerprint != its_fingerprint:
            return Found(Standing.STRANGE)
        if state in self._in_progress:
            return Found(Standing.IN_PROGRESS)
        if now - used.replied_at >= REPLY_LIFE_S:
            return Found(Standing.STRANGE)
        return Found(Standing.REPEAT, reply=used.reply)

    def finish(self, state: bytes, reply: ReplyT | None, now: float) -> None:
        """End the step that `take` began; `reply` is given again to the same request, None is silence for ever."""
        used = self._in_progress.pop(state)
        if reply is None:
            return
        used.reply, used.replied_at = reply, now
        self._answered[state] = used
        while len(self._answered) > MAX_REPLIES:
            self._answered.popitem(last=False)

    def expire(self, now: float) -> list[ConversationT]:
        """Forget what is too old; give the conversations whose answer did not come."""
        while self._answered and now - next(iter(self._answered.values())).replied_at >= REPLY_LIFE_S:
            self._answered.popitem(last=False)
        return [conversation for room in self._rooms for conversation in room.leave_late(now)]
