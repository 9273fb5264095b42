"""The open EAP conversations of one listener, found by the State that each step was given.

Owns what a State is worth: it is random, belongs to one device and to one step, and is used once. After its step the
same request gets the same reply again; another request with it gets nothing. (The same request during the step joins it
in `duoproxy.radius.retries`.) Who has to go when there are too many says `duoproxy.net.eap_room`. What a conversation
is, it does not know; it is fed time and has no clock.

Source: RFC 2865 §5.24, RFC 3579 §2.6.1; reference §10.3.
"""

from __future__ import annotations

import enum
from collections import OrderedDict
from collections.abc import Callable
from typing import Final, Generic, TypeVar

from attrs import define, field, frozen

from duoproxy.net.eap_room import EapRoom
from duoproxy.net.radius_messages import Reply

MAX_OPEN: Final = 10_000
"""Conversations that are not over, by default."""
MAX_ENDED: Final = 10_000
"""Ended ones whose last reply is kept for a device that asks again; oldest out first."""
REPLY_LIFE_S: Final = 30.0
"""So long the reply to a used State is given again."""
STATE_BYTES: Final = 16
"""Of randomness in a State, which is sent as hexadecimal digits."""

T = TypeVar("T")


@define(eq=False)
class Session(Generic[T]):
    """One conversation, and its last two steps.

    Attributes:
        device: the address of the device that it belongs to.
        conversation: the conversation itself; None when it is over.
        busy: a step is in progress.
    """

    device: str
    conversation: T | None
    busy: bool = False
    _state: bytes = b""
    _fingerprint: bytes | None = None
    _used_state: bytes = b""
    _used_fingerprint: bytes | None = None
    _reply: Reply | None = field(default=None, repr=False)
    _replied_at: float = 0.0
    _until: float = 0.0


class Standing(enum.Enum):
    """What a request with a State is."""

    NEXT = "the next step of its conversation"
    IN_PROGRESS = "its step is in progress for another request"
    REPEAT = "the same as the request that was answered last"
    STRANGE = "unknown, too late, or another request with a State that was used"


@frozen
class Found(Generic[T]):
    """What became of a State.

    Attributes:
        standing: what the request is.
        session: for NEXT: its conversation.
        reply: for REPEAT: the reply to give again.
    """

    standing: Standing
    session: Session[T] | None = None
    reply: Reply | None = None


class EapSessions(Generic[T]):
    """The conversations of one listener; `T` is whatever the caller calls a conversation."""

    def __init__(self, random_bytes: Callable[[int], bytes], max_open: int = MAX_OPEN) -> None:
        """Begin with none.

        Args:
            random_bytes: as `os.urandom`.
            max_open: how many may be open at once.
        """
        self._random_bytes = random_bytes
        self._room: EapRoom[Session[T]] = EapRoom(max_open)
        self._by_state: dict[bytes, Session[T]] = {}
        self._ended: OrderedDict[Session[T], None] = OrderedDict()

    def __len__(self) -> int:
        """The number of open conversations."""
        return len(self._room)

    def open_since(self, moment: float) -> int:
        """Count the open ones that were answered at `moment` (seconds, monotonic) or later, and wait for their peer."""
        return sum(not session.busy and session._replied_at >= moment for session in self._room)

    @property
    def remembered(self) -> int:
        """The number of ended conversations whose last reply is kept."""
        return len(self._ended)

    def begin(self, device: str, conversation: T) -> tuple[Session[T] | None, list[Session[T]]]:
        """Open a conversation; its first step is in progress.

        Args:
            device: address of the device.
            conversation: anything.

        Returns:
            the session, or None when there is no room: a step is in progress in all the others; and those that were
            given up for it.
        """
        given_up: list[Session[T]] = []
        while self._room.full:
            victim = self._room.next_to_go(device)
            if victim is None:
                return None, given_up
            self._give_up(victim)
            given_up.append(victim)
        session = Session(device, conversation, busy=True)
        self._room.enter(session)
        return session, given_up

    def find(self, state: bytes, device: str, its_fingerprint: bytes | None, now: float) -> Found[T]:
        """Find the conversation of a request; when it is the next step, that step is in progress from now on.

        Args:
            state: the State of the request.
            device: address of the device.
            its_fingerprint: what two requests share that are the same but for their signatures.
            now: seconds, monotonic.
        """
        session = self._by_state.get(state)
        if session is None or session.device != device:
            return Found(Standing.STRANGE)
        if state == session._state:
            return Found(Standing.IN_PROGRESS) if session.busy else self._next_step(session, its_fingerprint, now)
        same = its_fingerprint is not None and its_fingerprint == session._used_fingerprint
        if same and session._reply is not None and now - session._replied_at < REPLY_LIFE_S:
            return Found(Standing.REPEAT, reply=session._reply)
        return Found(Standing.STRANGE)

    def _next_step(self, session: Session[T], its_fingerprint: bytes | None, now: float) -> Found[T]:
        if session.conversation is None or now >= session._until:
            return Found(Standing.STRANGE)
        session.busy, session._fingerprint = True, its_fingerprint
        return Found(Standing.NEXT, session)

    def spare(self, session: Session[T], user: str) -> None:
        """Note that `user` proved a password in a conversation: it is not given up for others without need."""
        if session.conversation is not None:
            self._room.spare(session, user)

    def go_on(self, session: Session[T], make_reply: Callable[[bytes], Reply], until: float, now: float) -> Reply:
        """End a step with a challenge.

        Args:
            session: its step is in progress.
            make_reply: makes the challenge with this State.
            until: the moment at which the conversation is given up if nothing comes.
            now: seconds, monotonic.

        Returns:
            the challenge.
        """
        # As digits: a device that keeps a State as text (ocserv 1.1 does) would cut it at its first zero.
        state = self._random_bytes(STATE_BYTES).hex().encode("ascii")
        reply = make_reply(state)
        self._answered(session, reply, now)
        session._state, session._fingerprint, session._until = state, None, until
        self._by_state[state] = session
        return reply

    def end(self, session: Session[T], reply: Reply | None, now: float) -> None:
        """End a conversation; `reply` is given again to the same request, None is silence."""
        if session.conversation is None:
            return
        self._answered(session, reply, now)
        self._close(session)
        session.conversation = None
        if reply is None or not session._used_state:
            self._forget(session)
            return
        self._ended[session] = None
        while len(self._ended) > MAX_ENDED:
            self._forget(self._ended.popitem(last=False)[0])

    def expire(self, now: float) -> list[Session[T]]:
        """Forget what is too old; give the open ones among them, their conversations still in them."""
        while self._ended:
            oldest = next(iter(self._ended))
            if now - oldest._replied_at < REPLY_LIFE_S:
                break
            del self._ended[oldest]
            self._forget(oldest)
        late = [session for session in self._room if not session.busy and now >= session._until]
        for session in late:
            self._give_up(session)
        return late

    def _answered(self, session: Session[T], reply: Reply | None, now: float) -> None:
        """Turn the State of the step that was in progress into a used one."""
        self._by_state.pop(session._used_state, None)
        session._used_state, session._used_fingerprint = session._state, session._fingerprint
        session._reply, session._replied_at = reply, now
        session._state, session._fingerprint, session.busy = b"", None, False

    def _give_up(self, session: Session[T]) -> None:
        """Forget an open one; its conversation stays in it for the caller to end."""
        self._close(session)
        self._forget(session)

    def _close(self, session: Session[T]) -> None:
        self._room.leave(session)
        self._by_state.pop(session._state, None)

    def _forget(self, session: Session[T]) -> None:
        self._by_state.pop(session._used_state, None)
        session._reply = None
