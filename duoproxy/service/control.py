"""The control channel: on a Unix socket the running service answers the tools of its administrator.

Owns who may ask (root and the user of the service, by the file's mode and by what the kernel says of the peer), how
much and for how long. What a command does stands in `duoproxy.service.control_commands`.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from twisted.internet.interfaces import IReadDescriptor
from twisted.internet.protocol import Factory, connectionDone
from twisted.logger import Logger
from twisted.protocols.basic import LineOnlyReceiver
from twisted.protocols.policies import TimeoutMixin
from twisted.python.failure import Failure
from zope.interface import implementer

from duoproxy.service.control_messages import (
    MAX_REQUEST_BYTES,
    ControlFault,
    decode_request,
    encode_answer,
    encode_refusal,
)
from duoproxy.service.control_socket import (
    ControlSocketFault,
    ListeningSocket,
    NoRunFolder,
    open_control_socket,
    peer_uid,
)

MAX_CONNECTIONS: Final = 16
"""Tools that talk at the same time; whoever comes then is closed at once."""
CONNECTION_S: Final = 10.0
"""A tool that is silent for so long, or does not fetch its answer, is closed."""

Command = Callable[[Mapping[str, Any], int], Mapping[str, object]]
"""Carries out a command: its arguments, and the user id of who asks. It raises ControlFault with a sentence."""


class ControlProtocol(LineOnlyReceiver, TimeoutMixin):
    """One connection of a tool: a line in, a line out."""

    delimiter = b"\n"
    MAX_LENGTH = MAX_REQUEST_BYTES

    def __init__(self, channel: ControlChannel, uid: int) -> None:
        """Belong to `channel`; `uid` is the user at the other end."""
        self._channel = channel
        self._uid = uid

    def callLater(self, delay: float, call: Callable[[], None]) -> Any:
        """Take time from the reactor of the service."""
        return self._channel.reactor.callLater(delay, call)

    def connectionMade(self) -> None:
        """Begin to wait for a request."""
        self._channel.connections.add(self)
        self.setTimeout(CONNECTION_S)  # type: ignore[no-untyped-call]

    def lineReceived(self, line: bytes) -> None:
        """Answer a request; one that cannot be carried out gets a sentence."""
        self.resetTimeout()  # type: ignore[no-untyped-call]
        self.sendAnswer(self._channel.answer(line, self._uid))

    def sendAnswer(self, answer: bytes) -> None:
        """Write an answer, which has its line end."""
        if self.transport is not None:
            self.transport.write(answer)

    def lineLengthExceeded(self, line: bytes) -> None:
        """Close: no request is so long."""
        self.sendAnswer(encode_refusal(f"A request has at most {MAX_REQUEST_BYTES} octets."))
        if self.transport is not None:
            self.transport.loseConnection()

    def timeoutConnection(self) -> None:
        """Close, and do not wait for somebody who does not read."""
        if self.transport is not None:
            self.transport.abortConnection()  # type: ignore[attr-defined]

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Make room for others."""
        self.setTimeout(None)  # type: ignore[no-untyped-call]
        self._channel.connections.discard(self)


@implementer(IReadDescriptor)
class _Acceptor:
    """Takes connections; Twisted's own port would let everybody in, for it opens the mode of the file."""

    def __init__(self, channel: ControlChannel, listening: ListeningSocket) -> None:
        self._channel = channel
        self._listening = listening

    def fileno(self) -> int:
        return self._listening.listener.fileno()

    def logPrefix(self) -> str:
        return "control"

    def doRead(self) -> None:
        try:
            connection, _ = self._listening.listener.accept()
        except OSError:
            return
        with connection:  # Twisted makes a descriptor of its own
            self._channel.accepted(connection)

    def connectionLost(self, reason: Failure) -> None:
        self._listening.close()


class ControlChannel:
    """The socket of one service.

    Attributes:
        reactor: provides IReactorTime, IReactorFDSet and IReactorSocket.
        connections: those that are open.
    """

    def __init__(self, reactor: Any, path: Path, commands: Mapping[str, Command]) -> None:
        """Prepare; nothing is opened yet.

        Args:
            reactor: as above.
            path: of the socket.
            commands: what can be asked.
        """
        self.reactor = reactor
        self.connections: set[ControlProtocol] = set()
        self._path = path
        self._commands = dict(commands)
        self._listening: ListeningSocket | None = None
        self._acceptor: _Acceptor | None = None
        self._log = Logger(namespace="duoproxy.control")

    def start(self) -> None:
        """Listen, as the user that the service runs as. Without a socket the service works, and a line says so."""
        without = "authproxyctl status, duoproxy-explain and authproxy_primary_only cannot reach this process"
        try:
            self._listening = open_control_socket(self._path)
        except NoRunFolder as fault:
            self._log.info("No control channel, for {fault}: {without}.", fault=fault, without=without)
            return
        except ControlSocketFault as fault:
            self._log.warn("No control channel: {fault} Until then {without}.", fault=fault, without=without)
            return
        self._acceptor = _Acceptor(self, self._listening)
        self.reactor.addReader(self._acceptor)

    def stop(self) -> None:
        """Close every connection and the socket."""
        if self._acceptor is not None:
            self.reactor.removeReader(self._acceptor)
            self._acceptor = None
        if self._listening is not None:
            self._listening.close()
            self._listening = None
        for connection in list(self.connections):
            connection.timeoutConnection()

    def accepted(self, connection: socket.socket) -> None:
        """Take a connection of root or of our own user; nobody else gets an answer."""
        uid = peer_uid(connection)
        if uid not in (0, os.geteuid()):
            self._log.warn("A control connection of user id {uid} was refused: only root may ask.", uid=uid)
            return
        if len(self.connections) >= MAX_CONNECTIONS:
            self._log.warn("A control connection was refused: {number} are open.", number=MAX_CONNECTIONS)
            return
        connection.setblocking(False)
        factory = Factory.forProtocol(lambda: ControlProtocol(self, uid))
        factory.noisy = False
        self.reactor.adoptStreamConnection(connection.fileno(), socket.AF_UNIX, factory)

    def answer(self, line: bytes, uid: int) -> bytes:
        """Carry out a request, and give the octets of its answer; whatever it is, nothing is raised."""
        try:
            request = decode_request(line)
            command = self._commands.get(request.command)
            if command is None:
                return encode_refusal(f"This service knows no command {request.command!r}.")
            return encode_answer(command(request.arguments, uid))
        except ControlFault as fault:
            return encode_refusal(str(fault))
        except Exception:  # noqa: BLE001 - a fault in telling must not end the service
            self._log.failure("A control request failed by a fault in duoproxy itself.")
            return encode_refusal("A fault in duoproxy itself: the log of the service has the details.")
