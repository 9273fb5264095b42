"""How much a client that speaks LDAP to us may send, and how long it, and the directory for it, may take.

A machine without a clock: when something happened goes in, what is too late comes out. It must not know connections or
messages.

Source: RFC 4511 §4.4.1 (why a connection may be ended).
"""

from __future__ import annotations

from enum import Enum, auto
from typing import Final

from attrs import define, frozen

HANDSHAKE_S: Final = 30.0
"""For a client to come to the end of its TLS handshake."""
MESSAGE_S: Final = 30.0
"""For a client that is not bound to finish a message that it began."""
LAST_WORDS_S: Final = 5.0
"""For a client to take what was written before its connection is broken off."""


@frozen
class ClientLimits:
    """How much a client may send, and how long it may take.

    Attributes:
        unbound_message_bytes: the longest message of a client that is not bound.
        message_bytes: the longest message of one that is, and of the directory.
        idle_s: seconds without a request or an answer.
        network_s: seconds in which a connection to the directory comes about, and the directory says something
            when it owes an answer.
    """

    unbound_message_bytes: int
    message_bytes: int
    idle_s: float
    network_s: float


class Late(Enum):
    """What took too long."""

    NOTHING = auto()
    LAST_WORDS = auto()
    HANDSHAKE = auto()
    MESSAGE = auto()
    ANSWER = auto()
    CLIENT = auto()


@define
class ClientTimes:
    """When something happened on one client's connection: seconds of the reactor; None is for what is not under way.

    Attributes:
        active_at: the last request, answer or end of a login.
        heard_at: the last word of the directory, or the first request since that it owes an answer to.
        handshake_at: the begin of a TLS handshake that is not at its end.
        partial_at: the begin of a message that is not whole.
        ended_at: the end, with last words that the client may still take.
    """

    active_at: float
    heard_at: float
    handshake_at: float | None = None
    partial_at: float | None = None
    ended_at: float | None = None

    def note_partial(self, now: float, *, is_partial: bool) -> None:
        """Note whether a message is begun and not whole (`now`: seconds)."""
        if not is_partial:
            self.partial_at = None
        elif self.partial_at is None:
            self.partial_at = now

    def what_is_late(self, now: float, limits: ClientLimits, *, is_bound: bool, is_timed: bool, owed: bool) -> Late:
        """Find what took too long.

        Args:
            now: seconds.
            limits: the administrator's.
            is_bound: somebody is logged in on the connection.
            is_timed: what is under way, a login or a connection to the directory, has a limit of its own.
            owed: the directory owes an answer.
        """
        if self.ended_at is not None:
            return Late.LAST_WORDS if now - self.ended_at >= LAST_WORDS_S else Late.NOTHING
        if self.handshake_at is not None:
            return Late.HANDSHAKE if now - self.handshake_at >= HANDSHAKE_S else Late.NOTHING
        if self.partial_at is not None and now - self.partial_at >= (limits.network_s if is_bound else MESSAGE_S):
            return Late.MESSAGE
        if is_timed:
            return Late.NOTHING
        if owed and now - self.heard_at >= limits.network_s:
            return Late.ANSWER
        return Late.CLIENT if now - self.active_at >= limits.idle_s else Late.NOTHING
