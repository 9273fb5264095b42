"""One request for a password check, as it waits for the first valid reply of the servers that it was sent to.

Owns the waiting; whether a datagram is a valid reply, and which server is asked next, is decided elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable

from attrs import define, field, frozen
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from duoproxy.net.radius_reply_check import AskedServer
from duoproxy.net.udp import Endpoint
from duoproxy.radius.packet import Packet
from duoproxy.radius.retransmission import Retransmission, Send, SourceIdentifier
from duoproxy.secret import Secret


@frozen
class UpstreamReply:
    """An authentic reply.

    Attributes:
        packet: Access-Accept, -Reject or -Challenge.
        request_authenticator: 16 octets, of the request that it answers.
        secret: shared with the server that sent it.
        host: that server, as the configuration names it.
        place: its number, from 0, and its address: who answers its Access-Challenge asks there again.
    """

    packet: Packet
    request_authenticator: bytes
    secret: Secret
    host: str
    place: tuple[int, Endpoint] = (0, ("", 0))


@define(eq=False)
class Exchange:
    """One login's wait for a reply, whichever of the servers that were asked it comes from.

    Attributes:
        reactor: `IReactorTime`.
        reply: the first valid one.
        stopped: the section is being stopped.
        questions: all that were sent, so that their Identifiers are given back at the end.
    """

    reactor: IReactorTime
    reply: UpstreamReply | None = None
    stopped: bool = False
    questions: list[Question] = field(factory=list)
    _waiting: Deferred[bool] | None = field(default=None, init=False)

    @property
    def over(self) -> bool:
        """Whether nobody need be asked any more."""
        return self.stopped or self.reply is not None

    async def wait_until(self, due: float) -> bool:
        """Wait; tells whether the moment `due` came. False: something happened before."""
        self._waiting = Deferred()
        timer = self.reactor.callLater(max(0.0, due - self.reactor.seconds()), self._waiting.callback, True)
        try:
            return await self._waiting
        finally:
            self._waiting = None
            if timer.active():
                timer.cancel()

    def answer(self, reply: UpstreamReply) -> None:
        """Take the reply; the wait is over."""
        self.reply = reply
        self._wake()

    def stop(self) -> None:
        """End without a reply."""
        self.stopped = True
        self._wake()

    def look_again(self) -> None:
        """End the present wait, because something happened to a question."""
        self._wake()

    def _wake(self) -> None:
        if self._waiting is not None and not self._waiting.called:
            self._waiting.callback(False)


@define(eq=False)
class Question:
    """One server, asked in one exchange; a `duoproxy.net.radius_sources.Question`.

    Attributes:
        exchange: that waits for the reply.
        endpoint: where it is sent.
        taken: source port and Identifier.
        asked: what the reply is held against.
        octets: the request, the same at every try.
        take_reply: takes each datagram that may be the reply.
        was_refused: ICMP said that nothing listens there.
    """

    exchange: Exchange
    endpoint: Endpoint
    taken: SourceIdentifier
    asked: AskedServer
    octets: bytes
    take_reply: Callable[[Question, bytes], None]
    was_refused: bool = False

    def reply_received(self, datagram: bytes) -> None:
        """Take what may be the reply."""
        self.take_reply(self, datagram)

    def refused(self) -> None:
        """Take the news that nothing listens there."""
        self.was_refused = True
        self.exchange.look_again()

    async def ask(self, schedule: Retransmission, send: Callable[[Question], object]) -> None:
        """Send by `schedule` until there is nothing more to expect from this server."""
        action: object = schedule.start(self.exchange.reactor.seconds())
        while isinstance(action, Send):
            send(self)
            due = schedule.next_timeout()
            if due is None or await self._ends_before(due):
                return
            action = schedule.timeout(due)  # not the clock's time: rounding must not bring it before `due`

    async def _ends_before(self, due: float) -> bool:
        while not (self.was_refused or self.exchange.over):
            if await self.exchange.wait_until(due):
                return False
        return True
