"""The stand-in directory on TCP: connections, who they are, and which requests are answered how.

Source: RFC 4511 §4, §5.1; RFC 4513 §5.1.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IPushProducer
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from duoproxy.errors import ListenError, RemoteProtocolError
from duoproxy.ldap.ber import fault
from duoproxy.ldap.framing import MessageFramer, MessageHead, peek_message
from duoproxy.ldap.messages import (
    FINAL_RESPONSE,
    START_TLS,
    Request,
    ResultCode,
    read_bind,
    read_extended_name,
    write_notice_of_disconnection,
    write_result,
)
from duoproxy.sandbox.directory_accounts import DirectoryAccounts
from duoproxy.sandbox.directory_filters import UnsupportedFilter
from duoproxy.sandbox.directory_messages import has_critical_control, read_search, write_entry
from duoproxy.sandbox.directory_tree import BASE, DirectoryEntry

MAX_MESSAGE_BYTES: Final = 65_536
MAX_CONNECTIONS: Final = 256
IDLE_CONNECTION_S: Final = 900.0

NO_ATTRIBUTES: Final = "1.1"

_NOT_BOUND = (
    "000004DC: LdapErr: DSID-0C090A5C, comment: In order to perform this operation a successful bind must be completed "
    "on the connection., data 0, v4563"
)


@implementer(IPushProducer)
class DirectoryConnection(Protocol):
    """One client. Answers each request before it looks at the next, and reads on only while its answers are taken."""

    transport: Any

    def __init__(
        self,
        reactor: Any,
        accounts: DirectoryAccounts,
        wall_clock: Callable[[], float],
        gone: Callable[[DirectoryConnection], None],
    ) -> None:
        """Prepare.

        Args:
            reactor: IReactorTime.
            accounts: who there is.
            wall_clock: seconds since 1970.
            gone: is told when the connection has ended.
        """
        self._reactor = reactor
        self._accounts = accounts
        self._wall_clock = wall_clock
        self._gone = gone
        self._framer = MessageFramer(MAX_MESSAGE_BYTES)
        self._who: DirectoryEntry | None = None
        self._ended = False
        self._idle_timer: Any = None
        self._answerers: dict[int, Callable[[bytes, MessageHead], None]] = {
            Request.BIND: self._bind,
            Request.SEARCH: self._search,
            Request.EXTENDED: self._extended,
        }

    def connectionMade(self) -> None:
        """Wait for requests, for a while."""
        self.transport.registerProducer(self, True)
        self._idle_timer = self._reactor.callLater(IDLE_CONNECTION_S, self._close)

    def dataReceived(self, data: bytes) -> None:
        """Answer the requests that are whole."""
        if self._idle_timer.active():
            self._idle_timer.reset(IDLE_CONNECTION_S)
        messages, broken = self._framer.split(data)
        for octets in messages:
            self._take(octets)
        if broken:
            self._end(broken)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Forget it."""
        self._ended = True
        if self._idle_timer.active():
            self._idle_timer.cancel()
        self._gone(self)

    def pauseProducing(self) -> None:
        """The client does not take its answers: read no more."""
        self.transport.pauseProducing()

    def resumeProducing(self) -> None:
        """Read on."""
        self.transport.resumeProducing()

    def stopProducing(self) -> None:
        """Nothing is produced without requests."""

    def _take(self, octets: bytes) -> None:
        if self._ended:
            return
        try:
            self._answer(octets, peek_message(octets))
        except RemoteProtocolError as problem:
            self._end(str(problem))

    def _answer(self, octets: bytes, head: MessageHead) -> None:
        if head.operation_tag == Request.UNBIND:
            self._close()
        elif head.operation_tag == Request.ABANDON:
            return  # whatever it names has been answered
        elif head.operation_tag not in FINAL_RESPONSE:
            raise fault(f"0x{head.operation_tag:02x} is no request of LDAP")
        elif has_critical_control(octets, head):
            self._result(head, ResultCode.UNAVAILABLE_CRITICAL_EXTENSION, "the sandbox has no controls")
        else:
            self._answerers.get(head.operation_tag, self._refuse)(octets, head)

    def _bind(self, octets: bytes, head: MessageHead) -> None:
        self._who = None
        request = read_bind(octets, head)
        if request.version != 3:
            self._result(head, ResultCode.PROTOCOL_ERROR, "only version 3 of LDAP is spoken here")
        elif request.password is None:
            self._result(
                head, ResultCode.AUTH_METHOD_NOT_SUPPORTED, "the sandbox takes simple binds only: auth_type=plain"
            )
        else:
            answer = self._accounts.bind(request.name, request.password, self._wall_clock())
            self._who = answer.entry
            self._result(head, answer.code, answer.text)

    def _search(self, octets: bytes, head: MessageHead) -> None:
        try:
            request = read_search(octets, head)
        except UnsupportedFilter as fault:
            self._result(head, ResultCode.INAPPROPRIATE_MATCHING, str(fault))
            return
        is_root = not request.base and request.scope == BASE
        if self._who is None and not is_root:
            self._result(head, ResultCode.OPERATIONS_ERROR, _NOT_BOUND)
            return
        found = self._accounts.tree.search(request.base, request.scope, request.wanted, request.size_limit)
        for entry in found.entries:
            shown = [] if NO_ATTRIBUTES in request.attributes else entry.shown(request.attributes)
            if request.types_only:
                shown = [(name, ()) for name, _ in shown]
            self.transport.write(write_entry(head.message_id, entry.dn, shown))
        self._result(head, found.code)

    def _extended(self, octets: bytes, head: MessageHead) -> None:
        if read_extended_name(octets, head) == START_TLS:
            self._result(head, ResultCode.UNAVAILABLE, "the sandbox has no TLS: transport=clear")
        else:
            self._result(head, ResultCode.PROTOCOL_ERROR, "the sandbox does not know this extended request")

    def _refuse(self, _octets: bytes, head: MessageHead) -> None:
        self._result(head, ResultCode.UNWILLING_TO_PERFORM, "the sandbox is only read")

    def _result(self, head: MessageHead, code: int, text: str = "") -> None:
        self.transport.write(write_result(head.message_id, FINAL_RESPONSE[head.operation_tag], code, text))

    def _end(self, why: str) -> None:
        if not self._ended:
            self.transport.write(write_notice_of_disconnection(ResultCode.PROTOCOL_ERROR, why))
            self._close()

    def _close(self) -> None:
        self._ended = True
        self.transport.unregisterProducer()
        self.transport.loseConnection()


class DirectoryListener:
    """A stand-in directory that can be asked.

    Attributes:
        accounts: who there is.
    """

    def __init__(self, reactor: Any, accounts: DirectoryAccounts, wall_clock: Callable[[], float]) -> None:
        """Prepare; `listen` takes the port.

        Args:
            reactor: IReactorTCP.
            accounts: who there is.
            wall_clock: seconds since 1970.
        """
        self.accounts = accounts
        self._reactor = reactor
        self._wall_clock = wall_clock
        self._port: Any = None
        self._connections: set[DirectoryConnection] = set()

    def listen(self, interface: str, port: int) -> int:
        """Listen; give the port.

        Raises:
            ListenError: it is taken.
        """
        factory: Any = Factory.forProtocol(self.make_connection)
        factory.noisy = False
        try:
            self._port = self._reactor.listenTCP(port, factory, interface=interface)
        except CannotListenError as error:
            raise ListenError(
                f"TCP port {port} on {interface} cannot be listened on ({error.socketError}): "
                "another program has it. Stop that program, or let port of [sandbox_directory] name another."
            ) from error
        return int(self._port.getHost().port)

    def make_connection(self) -> DirectoryConnection | None:
        """Make the protocol of one connection; None when there are too many."""
        if len(self._connections) >= MAX_CONNECTIONS:
            return None
        connection = DirectoryConnection(self._reactor, self.accounts, self._wall_clock, self._connections.discard)
        self._connections.add(connection)
        return connection

    async def stop(self) -> None:
        """Stop listening, and end every connection."""
        if self._port is not None:
            await self._port.stopListening()
        for connection in list(self._connections):
            connection.transport.abortConnection()
