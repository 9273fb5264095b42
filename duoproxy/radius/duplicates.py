"""The machine for identical datagrams: one request is worked on once, and its answer can be given again.

Owns what "the same request" means on a listener, how long an answer is kept, and how much work may be in flight. It is
fed requests whose Message-Authenticator was checked already: what failed that check must never come here. It knows no
login: an exchange is octets in and octets (or silence) out.

Source: RFC 5080 §2.2.2.
"""

from __future__ import annotations

import enum
from collections import OrderedDict
from hashlib import sha256

from attrs import frozen

MAX_IN_FLIGHT = 16_384
MAX_CACHED_REPLIES = 65_536
CACHE_LIFE_S = 30.0
MIN_RETRY_INTERVAL_S = 0.5
"""Two arrivals closer than this are one datagram that the network doubled, not a device that tries again."""

SocketAddress = tuple[str, int]
"""Host in text form, and port."""

_Slot = tuple[SocketAddress, SocketAddress, int]
_Key = tuple[SocketAddress, SocketAddress, bytes]


class Exchange:
    """One request, from its first arrival until its answer is forgotten.

    Attributes:
        source: the device's address and port.
        local: the address and port that were asked.
        identifier: the Identifier of the request.
        superseded: a newer authentic request took its Identifier: its answer must not be sent any more.
        finished: the answer (or the silence) is decided.
        retry_interval_s: the longest time between two of its arrivals; 0 before the first retransmission.
    """

    __slots__ = (
        "_key",
        "_reply",
        "_slot",
        "finished",
        "finished_at",
        "identifier",
        "last_arrival",
        "local",
        "retry_interval_s",
        "source",
        "superseded",
    )

    def __init__(self, key: _Key, identifier: int, now: float) -> None:
        self.source, self.local, _ = self._key = key
        self._slot: _Slot = (self.source, self.local, identifier)
        self._reply: bytes | None = None
        self.identifier = identifier
        self.superseded = False
        self.finished = False
        self.finished_at = 0.0
        self.last_arrival = now
        self.retry_interval_s = 0.0

    def _arrived_again(self, now: float) -> None:
        gap = now - self.last_arrival
        if gap >= MIN_RETRY_INTERVAL_S:
            self.retry_interval_s = max(self.retry_interval_s, gap)
        self.last_arrival = now


def gave_up(silent_s: float, interval_s: float) -> bool:
    """Tell whether a device seems to have given up: it retried, and is silent for over twice its own interval.

    Args:
        silent_s: since its last arrival.
        interval_s: the longest time between two of its arrivals; 0: it never retried, and nothing is known.
    """
    return interval_s >= MIN_RETRY_INTERVAL_S and silent_s > 2 * interval_s + 1


class Arrival(enum.Enum):
    """What is to be done with a datagram."""

    NEW = "new"
    IN_PROGRESS = "in progress"
    REPEAT = "repeat"
    OVERLOAD = "overload"


@frozen
class Received:
    """The machine's decision on one datagram.

    Attributes:
        arrival: NEW: work on it, and call `finish`; IN_PROGRESS: be silent; REPEAT: send `reply` again, or be silent
            when there is none; OVERLOAD: be silent, there is too much in flight.
        exchange: the exchange it belongs to; None with OVERLOAD.
        reply: the octets to send, with REPEAT only.
        superseded: exchanges in progress that this one replaces.
    """

    arrival: Arrival
    exchange: Exchange | None
    reply: bytes | None = None
    superseded: tuple[Exchange, ...] = ()


class DuplicateTable:
    """All exchanges of one listener.

    A device may have in flight at most half of what the others leave free, so that one device alone never takes all.
    """

    def __init__(
        self,
        *,
        max_in_flight: int = MAX_IN_FLIGHT,
        max_cached_replies: int = MAX_CACHED_REPLIES,
        cache_life_s: float = CACHE_LIFE_S,
    ) -> None:
        self._max_in_flight = max_in_flight
        self._max_cached_replies = max_cached_replies
        self._cache_life_s = cache_life_s
        self._exchanges: dict[_Key, Exchange] = {}
        self._by_slot: dict[_Slot, list[Exchange]] = {}
        self._finished: OrderedDict[_Key, Exchange] = OrderedDict()
        self._in_flight_of: dict[str, int] = {}
        self._in_flight = 0

    @property
    def in_flight(self) -> int:
        """How many exchanges have no answer yet."""
        return self._in_flight

    @property
    def cached(self) -> int:
        """How many answered exchanges are remembered."""
        return len(self._finished)

    def receive(
        self, source: SocketAddress, local: SocketAddress, framed: bytes, now: float, *, authentic: bool
    ) -> Received:
        """Decide on one request.

        Args:
            source: where it came from.
            local: the address and port that were asked.
            framed: the packet without padding.
            now: seconds, monotonic.
            authentic: it carries a valid Message-Authenticator. Only such a request can supersede another one with
                its Identifier: anybody can send the others.
        """
        self.timeout(now)
        # The digest stands for the exact octets: the same certainty, and 32 octets to keep instead of up to 4096.
        key = (source, local, sha256(framed).digest())
        known = self._exchanges.get(key)
        if known is not None:
            known._arrived_again(now)
            if known.finished:
                return Received(Arrival.REPEAT, known, known._reply)
            return Received(Arrival.IN_PROGRESS, known)
        if not self._has_room_for(source[0]):
            return Received(Arrival.OVERLOAD, None)
        exchange = Exchange(key, framed[1], now)
        superseded = self._supersede(exchange._slot) if authentic else ()
        self._add(exchange)
        return Received(Arrival.NEW, exchange, None, superseded)

    def finish(self, exchange: Exchange, reply: bytes | None, now: float) -> bool:
        """Note how an exchange ended.

        Args:
            exchange: as `receive` gave it out; finishing it twice changes nothing.
            reply: the octets of the answer; None: silence.
            now: seconds, monotonic.

        Returns:
            whether `reply` is to be sent.
        """
        if exchange.finished:
            return False
        exchange.finished = True
        exchange.finished_at = now
        self._in_flight -= 1
        host = exchange.source[0]
        self._in_flight_of[host] -= 1
        if not self._in_flight_of[host]:
            del self._in_flight_of[host]
        if not exchange.superseded:
            exchange._reply = reply
        self._finished[exchange._key] = exchange
        if len(self._finished) > self._max_cached_replies:
            self._forget_oldest()
        return exchange._reply is not None

    def next_timeout(self) -> float | None:
        """Give the moment at which the oldest answer is to be forgotten, or None."""
        if not self._finished:
            return None
        return next(iter(self._finished.values())).finished_at + self._cache_life_s

    def timeout(self, now: float) -> None:
        """Forget the answers that are old enough."""
        while (due := self.next_timeout()) is not None and due <= now:
            self._forget_oldest()

    def _has_room_for(self, host: str) -> bool:
        own = self._in_flight_of.get(host, 0)
        others = self._in_flight - own
        return own < (self._max_in_flight - others) // 2

    def _add(self, exchange: Exchange) -> None:
        self._exchanges[exchange._key] = exchange
        self._by_slot.setdefault(exchange._slot, []).append(exchange)
        host = exchange.source[0]
        self._in_flight += 1
        self._in_flight_of[host] = self._in_flight_of.get(host, 0) + 1

    def _supersede(self, slot: _Slot) -> tuple[Exchange, ...]:
        """Take the answers of older exchanges away.

        The exchanges themselves stay until they age out: a late copy of an old request must not become a new login.
        """
        older = self._by_slot.pop(slot, None)
        if older is None:
            return ()
        for exchange in older:
            exchange.superseded = True
            exchange._reply = None
        return tuple(exchange for exchange in older if not exchange.finished)

    def _forget_oldest(self) -> None:
        key, exchange = self._finished.popitem(last=False)
        del self._exchanges[key]
        if exchange.superseded:
            return
        same_slot = self._by_slot[exchange._slot]
        same_slot.remove(exchange)
        if not same_slot:
            del self._by_slot[exchange._slot]
