"""The client's side of UDP: when to send again, when to try the next host or give up, and which Identifier is free.

Owns one request's schedule over an ordered list of hosts, and the pool of Identifiers. It knows neither sockets nor
what a valid reply looks like: the caller says whether a reply fits.

Deviation: RFC 5080 §2.2.1 asks for growing intervals; the options `retries` and `retry_wait` promise equal ones.

Source: RFC 2865 §2.5, RFC 5080 §2.2.1, §2.2.2.
"""

from __future__ import annotations

import enum
from collections import deque
from collections.abc import Sequence

from attrs import frozen

IDENTIFIERS_PER_PORT = 256
MAX_SOURCE_PORTS = 64


@frozen
class Send:
    """Send the request to a host.

    Attributes:
        host_index: which one.
        first_of_host: make it anew (Identifier, authenticator, this host's secret); else the same octets again.
    """

    host_index: int
    first_of_host: bool


@frozen
class GiveUp:
    """No host answered."""


class Phase(enum.Enum):
    """Where a request stands."""

    IDLE = "idle"
    WAITING = "waiting"
    ANSWERED = "answered"
    GIVEN_UP = "given up"


class Retransmission:
    """One upstream request: `start`, then `timeout` whenever `next_timeout` is reached, until `receive` ends it.

    Attributes:
        phase: where it stands.
    """

    def __init__(self, hosts: Sequence[int], tries: int, wait_s: float) -> None:
        """Plan a request.

        Args:
            hosts: host indexes in the order of preference; at least one.
            tries: how often each host is asked; at least 1.
            wait_s: seconds to wait after each try.
        """
        if not hosts or tries < 1:
            raise ValueError("a request needs a host and a try")
        self.phase = Phase.IDLE
        self._plan = deque(Send(host, number == 0) for host in hosts for number in range(tries))
        self._wait_s = wait_s
        self._asked: set[int] = set()
        self._due: float | None = None

    def start(self, now: float) -> Send:
        """Begin; gives the first datagram to send. `now`: seconds, monotonic."""
        if self.phase is not Phase.IDLE:
            raise RuntimeError(f"the request is {self.phase.value} already")
        self.phase = Phase.WAITING
        return self._send(now)

    def receive(self, host_index: int, *, fits: bool) -> bool:
        """Note a reply.

        One that does not fit is ignored and the wait goes on: otherwise anybody could end it with one datagram. A reply
        that fits counts from every host that was asked, also from one that was given up for the next.

        Args:
            host_index: the host whose address it came from.
            fits: Identifier and authenticators are right for the request that this host was sent.

        Returns:
            whether the request is answered by it.

        Source: RFC 5080 §2.2.2.
        """
        if self.phase is not Phase.WAITING or not fits or host_index not in self._asked:
            return False
        self.phase = Phase.ANSWERED
        self._due = None
        return True

    def next_timeout(self) -> float | None:
        """Give the moment at which `timeout` is to be called, or None when nothing is waited for."""
        return self._due

    def timeout(self, now: float) -> Send | GiveUp | None:
        """Give what the passing of time asks for; None before the moment of `next_timeout`."""
        if self._due is None or now < self._due:
            return None
        if self._plan:
            return self._send(now)
        self.phase = Phase.GIVEN_UP
        self._due = None
        return GiveUp()

    def _send(self, now: float) -> Send:
        action = self._plan.popleft()
        self._asked.add(action.host_index)
        self._due = now + self._wait_s
        return action


@frozen
class SourceIdentifier:
    """An Identifier, and the number of the source port on which it is free."""

    port_index: int
    identifier: int


class IdentifierPool:
    """The Identifiers of one upstream host: 256 for each source port, the least recently used one first.

    An Identifier is free again only when its caller says so: after a valid reply, or at the end of the request. More
    source ports come into use when all Identifiers are taken.

    Source: RFC 5080 §2.2.2.
    """

    def __init__(self, max_source_ports: int = MAX_SOURCE_PORTS) -> None:
        self._max_source_ports = max_source_ports
        self._free: deque[SourceIdentifier] = deque()
        self._taken: set[SourceIdentifier] = set()
        self.source_ports = 0

    @property
    def in_use(self) -> int:
        """How many Identifiers are taken."""
        return len(self._taken)

    def take(self) -> SourceIdentifier | None:
        """Take an Identifier; None when all of all source ports are taken."""
        if not self._free:
            if self.source_ports >= self._max_source_ports:
                return None
            self._free.extend(SourceIdentifier(self.source_ports, number) for number in range(IDENTIFIERS_PER_PORT))
            self.source_ports += 1
        taken = self._free.popleft()
        self._taken.add(taken)
        return taken

    def release(self, identifier: SourceIdentifier) -> None:
        """Give an Identifier back; one that is not taken is left alone."""
        if identifier in self._taken:
            self._taken.remove(identifier)
            self._free.append(identifier)
