"""The directory's side of one client: a connection that is opened by the first octet for it, and ended with a goodbye.

Owns the waiting for that connection, what is kept until it is there, and who is stopped when one side does not read.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final, Protocol

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IPushProducer, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from duoproxy.errors import PrimaryUnreachable
from duoproxy.net.deadlines import Expired, within
from duoproxy.net.ldap_relay import RelayConnection
from duoproxy.net.reading import Reading

MAX_QUEUED_BYTES: Final = 65_536
"""For the directory, while the connection to it is being opened; beyond, the client is not read."""

_log = Logger()
_FULL, _OPENING = "directory does not read", "directory is not there yet"


class FarSideOwner(Protocol):
    """Whoever sends to the directory."""

    def server_opened(self) -> None:
        """Hear that a connection is there; what the directory says now is the begin of a stream."""

    def server_data(self, data: bytes) -> None:
        """Take what the directory sent."""

    def server_gone(self, why: str) -> None:
        """Hear that the directory closed the connection."""

    def server_missing(self, why: str) -> None:
        """Hear that there is no connection to be had."""


class FarSide:
    """The directory, for one client.

    Attributes:
        reading: whether the directory is read.
        server: which server it is; empty while there is none.
        server_data: takes what the directory sent (`RelayReceiver`): the owner, with nobody in between.
    """

    def __init__(
        self,
        reactor: IReactorTime,
        open_relay: Callable[[], Awaitable[RelayConnection]],
        open_limit_s: float,
        owner: FarSideOwner,
        client_reading: Reading,
    ) -> None:
        """Prepare; nothing is opened yet.

        Args:
            reactor: time.
            open_relay: opens a connection; raises `PrimaryUnreachable`.
            open_limit_s: seconds in which that must succeed.
            owner: who is told.
            client_reading: of the client, who is not read while the directory does not.
        """
        self.reading = Reading(self._pause, self._resume)
        self.server = ""
        self._reactor = reactor
        self._open_relay = open_relay
        self._open_limit_s = open_limit_s
        self._owner = owner
        self.server_data = owner.server_data
        self._client_reading = client_reading
        self._connection: RelayConnection | None = None
        self._opening: Deferred[None] | None = None
        self._queue: list[bytes] = []
        self._queued_bytes = 0

    @property
    def is_opening(self) -> bool:
        """Whether a connection is on its way."""
        return self._opening is not None

    def send(self, octets: bytes) -> None:
        """Send octets, over a new connection if there is none."""
        if self._connection is not None:
            self._connection.write(octets)
            return
        self._queue.append(octets)
        self._queued_bytes += len(octets)
        if self._queued_bytes > MAX_QUEUED_BYTES:
            self._client_reading.stop(_OPENING)
        if self._opening is None:
            opening = Deferred.fromCoroutine(self._open())
            self._opening = None if opening.called else opening
            opening.addErrback(_expect_cancel)

    def drop(self, goodbye: bytes) -> None:
        """End the connection, if there is one or one on its way; the owner hears nothing of it any more."""
        self._forget_queue()
        opening, self._opening = self._opening, None
        if opening is not None:
            opening.cancel()
        connection, self._connection, self.server = self._connection, None, ""
        if connection is not None:
            connection.close(goodbye)
        self._client_reading.go_on(_FULL)

    async def _open(self) -> None:
        try:
            opening = Deferred.fromCoroutine(_as_coroutine(self._open_relay()))
            connection = await within(self._reactor, self._open_limit_s, opening)
        except Expired:
            self._missing(f"no connection to the directory within {self._open_limit_s:g} s")
        except PrimaryUnreachable as fault:
            self._missing(str(fault))
        except CancelledError:
            raise
        except Exception:  # noqa: BLE001 - whatever it is, the client must hear of it
            _log.failure("A fault in duoproxy itself while a connection to the directory was opened.")
            self._missing("an internal error")
        else:
            self._opening = None
            self._begin(connection)

    def _begin(self, connection: RelayConnection) -> None:
        self._connection, self.server = connection, connection.server
        self._owner.server_opened()
        queue = b"".join(self._queue)
        self._forget_queue()
        connection.begin(self, _Full(self._client_reading))
        connection.write(queue)
        if self.reading.is_stopped:
            connection.pause()

    def _missing(self, why: str) -> None:
        self._opening = None
        self._forget_queue()
        self._owner.server_missing(why)

    def _forget_queue(self) -> None:
        self._queue, self._queued_bytes = [], 0
        self._client_reading.go_on(_OPENING)

    def server_gone(self, why: str) -> None:
        """Source: `RelayReceiver`."""
        self._connection, self.server = None, ""
        self._client_reading.go_on(_FULL)
        self._owner.server_gone(why)

    def _pause(self) -> None:
        if self._connection is not None:
            self._connection.pause()

    def _resume(self) -> None:
        if self._connection is not None:
            self._connection.resume()


async def _as_coroutine(awaited: Awaitable[RelayConnection]) -> RelayConnection:
    return await awaited


def _expect_cancel(failure: Failure) -> None:
    failure.trap(CancelledError)


@implementer(IPushProducer)
class _Full:
    """Hears when the directory does not read, and stops the client."""

    def __init__(self, client_reading: Reading) -> None:
        self._client_reading = client_reading

    def pauseProducing(self) -> None:
        self._client_reading.stop(_FULL)

    def resumeProducing(self) -> None:
        self._client_reading.go_on(_FULL)

    def stopProducing(self) -> None:
        """The connection is gone, which `server_gone` tells."""
