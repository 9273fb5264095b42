"""The requests of one connection to a directory that wait: their message ids, and which answer belongs to which.

Owns what a whole answer is, and the bounds on it. It has no socket and no clock; what it cannot place is no LDAP.

Source: RFC 4511 §4.1.1 (message ids), §4.5.2 (the answer to a search), §4.11 (Abandon).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from attrs import define, field, frozen
from twisted.internet.defer import Deferred

from duoproxy.ldap.ber import fault
from duoproxy.ldap.framing import MAX_MESSAGE_ID
from duoproxy.ldap.messages import Response
from duoproxy.net import ldap_sentences as sentences
from duoproxy.net.ldap_answers import Entry, Received, Reference, Result
from duoproxy.net.ldap_faults import LdapFault, LdapTooBusy

MAX_ANSWER_BYTES: Final = 32 * 1024 * 1024
"""All messages that answer one request."""
MAX_ANSWER_MESSAGES: Final = 10_000
MAX_OUTSTANDING: Final = 256
MAX_ABANDONED: Final = 256
"""Abandoned requests whose answer may still come; beyond, the connection is given up."""

_SEARCH_PARTS: Final = frozenset({Response.SEARCH_ENTRY, Response.SEARCH_REFERENCE})


@frozen
class Answers:
    """Everything that came back for one request.

    Attributes:
        result: how it ended.
        entries: what a search found.
        references: where else a search would have to go on; they are not followed.
    """

    result: Result
    entries: tuple[Entry, ...] = ()
    references: tuple[Reference, ...] = ()


@define(eq=False)
class PendingRequest:
    """A request that waits for its answer.

    Attributes:
        message_id: its own.
        final: the response that ends it.
        switches: with its success the octets on the connection become something else; nothing may come behind it.
        sent_at: seconds of the reactor.
        whole: fires with the answer.
    """

    message_id: int
    final: Response
    switches: bool
    sent_at: float
    whole: Deferred[Answers]
    entries: list[Entry] = field(factory=list)
    references: list[Reference] = field(factory=list)
    octets: int = 0
    messages: int = 0

    @property
    def exclusive(self) -> bool:
        """Whether nothing else may be under way with it, and it cannot be abandoned: a bind, or StartTLS."""
        return self.final is not Response.SEARCH_DONE

    def take(self, received: Received, octets: int) -> Result | None:
        """Take a part of the answer; give the result once it is whole.

        Args:
            received: the part.
            octets: how long its message was.

        Raises:
            RemoteProtocolError: CLOSE: it answers something else, or there is no end of it.
        """
        self.octets += octets
        self.messages += 1
        if self.octets > MAX_ANSWER_BYTES or self.messages > MAX_ANSWER_MESSAGES:
            raise fault("an answer without end")
        answer = received.answer
        if received.operation is self.final and isinstance(answer, Result):
            return answer
        if received.operation is Response.INTERMEDIATE:
            return None
        if self.exclusive or received.operation not in _SEARCH_PARTS:
            raise fault(f"a {received.operation.name} response is no answer to what was asked")
        if isinstance(answer, Entry):
            self.entries.append(answer)
        elif isinstance(answer, Reference):
            self.references.append(answer)
        return None


class PendingRequests:
    """All of one connection."""

    def __init__(self) -> None:
        self._waiting: dict[int, PendingRequest] = {}
        self._abandoned: set[int] = set()
        self._next_id = 1

    def __len__(self) -> int:
        """How many wait."""
        return len(self._waiting)

    @property
    def is_used_up(self) -> bool:
        """Whether no further request should be sent: ids run out (one is left for an Abandon), or too many were given
        up.
        """
        return self._next_id >= MAX_MESSAGE_ID - 1 or len(self._abandoned) > MAX_ABANDONED

    def take_id(self) -> int:
        """Give an id that was never used on this connection."""
        message_id = self._next_id
        self._next_id += 1
        return message_id

    def add(self, final: Response, switches: bool, now: float, give_up: Callable[[int], None]) -> PendingRequest:
        """Let a request wait.

        Args:
            final: the response that will end it.
            switches: as in `PendingRequest`.
            now: seconds of the reactor.
            give_up: is told the id when whoever waits is cancelled.

        Raises:
            LdapTooBusy: too many wait.
            RuntimeError: one of those that wait, or this one, must be alone.
        """
        if len(self._waiting) >= MAX_OUTSTANDING:
            raise LdapTooBusy(*sentences.too_many_outstanding(MAX_OUTSTANDING))
        message_id = self.take_id()
        pending = PendingRequest(message_id, final, switches, now, Deferred(lambda _: give_up(message_id)))
        if self._waiting and (pending.exclusive or any(other.exclusive for other in self._waiting.values())):
            raise RuntimeError("nothing may be under way together with a bind or StartTLS")
        self._waiting[message_id] = pending
        return pending

    def find(self, received: Received) -> PendingRequest | None:
        """Find the request that a message answers; None for one that was abandoned, whose answer may pass.

        Raises:
            RemoteProtocolError: CLOSE: nobody asked.

        Source: RFC 4511 §4.11.
        """
        message_id = received.message_id
        pending = self._waiting.get(message_id)
        if pending is None and message_id not in self._abandoned:
            raise fault(f"an answer to message {message_id}, which was not asked")
        if pending is None and received.operation is Response.SEARCH_DONE:
            self._abandoned.discard(message_id)
        return pending

    def finish(self, pending: PendingRequest, result: Result) -> None:
        """Give whoever waits the whole answer."""
        del self._waiting[pending.message_id]
        pending.whole.callback(Answers(result, tuple(pending.entries), tuple(pending.references)))

    def give_up(self, message_id: int) -> PendingRequest | None:
        """Take out a request for which nobody waits any more; None: it was answered, or failed."""
        pending = self._waiting.pop(message_id, None)
        if pending is not None and not pending.exclusive:
            self._abandoned.add(message_id)
        return pending

    def fail_all(self, why: LdapFault) -> None:
        """Tell everybody who waits that no answer will come."""
        waiting, self._waiting = self._waiting, {}
        for each in waiting.values():
            each.whole.errback(why)
