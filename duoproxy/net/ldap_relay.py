"""A connection to a directory server for one client of ours: octets both ways, and no request of our own.

It comes about as every other connection to the directory does (trust, transport, failover); from then on what the
server sends goes to whoever relays it, who can stop it from sending, and is told to stop when it does not read.
"""

from __future__ import annotations

from typing import Any, Protocol, cast

from twisted.internet.interfaces import IPushProducer, IReactorTime

from duoproxy.net import ldap_sentences as sentences
from duoproxy.net.ldap_connection import CLOSE_S, LdapConnection
from duoproxy.net.prompt_write import write_promptly


class RelayReceiver(Protocol):
    """Whoever takes what a directory sends."""

    def server_data(self, data: bytes) -> None:
        """Take octets, as they came."""

    def server_gone(self, why: str) -> None:
        """Hear that the connection has ended; `why` is a clause."""


class RelayConnection:
    """One connection.

    Attributes:
        server: the directory server, as an administrator calls it.
    """

    def __init__(self, reactor: IReactorTime, connection: LdapConnection) -> None:
        """Take over a connection on which nothing is under way.

        Raises:
            LdapConnectionLost: it is gone already.
        """
        self.server = connection.peer
        self._reactor = reactor
        self._connection = connection
        self._transport = cast(Any, connection.transport)
        self._receiver: RelayReceiver | None = None
        self._gone = False
        connection.hand_over(self._take)
        connection.gone.addCallback(lambda _: self._end())

    def begin(self, receiver: RelayReceiver, paused_by: IPushProducer) -> None:
        """Begin to relay.

        Args:
            receiver: takes what the server sends.
            paused_by: is told to stop while the server does not read, and to go on when it does.
        """
        self._receiver = receiver
        if self._gone:
            self._tell_gone()
            return
        self._transport.registerProducer(paused_by, True)

    def write(self, octets: bytes) -> None:
        """Send octets to the server."""
        if not self._gone:
            write_promptly(self._transport, octets)

    def pause(self) -> None:
        """Read no more of what the server sends."""
        if not self._gone:
            self._transport.pauseProducing()

    def resume(self) -> None:
        """Read on."""
        if not self._gone:
            self._transport.resumeProducing()

    def close(self, goodbye: bytes) -> None:
        """Send what there is and these last octets, then end the connection; the receiver hears nothing more."""
        self._receiver = None
        if self._gone:
            return
        transport = self._transport
        transport.unregisterProducer()
        transport.write(goodbye)
        transport.loseConnection()
        timer = self._reactor.callLater(CLOSE_S, self._connection.abort)
        self._connection.gone.addCallback(lambda _: timer.cancel() if timer.active() else None)

    def abort(self) -> None:
        """End the connection at once."""
        self._connection.abort()

    def _take(self, data: bytes) -> None:
        if self._receiver is not None:
            self._receiver.server_data(data)

    def _end(self) -> None:
        self._gone = True
        self._tell_gone()

    def _tell_gone(self) -> None:
        receiver, self._receiver = self._receiver, None
        if receiver is not None:
            fault = self._connection.fault
            receiver.server_gone(fault.cause if fault is not None else sentences.connection_lost()[0])
