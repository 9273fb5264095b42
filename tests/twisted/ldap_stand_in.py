"""A stand-in for a directory: LDAP on loopback, with answers that a test writes."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, TypeVar, cast

from attrs import define, field
from cryptography import x509
from ldaptor.protocols import pureldap
from twisted.internet import reactor
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import deferLater
from twisted.logger import LogLevel, globalLogPublisher
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.trial.unittest import TestCase

from duoproxy.ldap.framing import FramingError, MessageFramer
from duoproxy.net.ldap_directory import Directory, DirectoryHost, SimpleCredentials, Transport, Trust
from duoproxy.secret import Secret
from tests.twisted.https_stand_in import ADDRESS, LOOPBACK, Authority, ServerTls, ShiftedReactor
from tests.twisted.ldap_wire import bind_response, done, entry, extended, read_request

AUTHORITY = Authority()
GOOD_CERTIFICATE = AUTHORITY.server_options(ADDRESS, x509.DNSName("localhost"))
SERVICE = SimpleCredentials(b"cn=service,dc=x", Secret("service password"))
ALICE = SimpleCredentials(b"uid=alice,dc=x", Secret("alice password"))
PASSWORDS = {b"cn=service,dc=x": b"service password", b"uid=alice,dc=x": b"alice password"}
# Long enough for a slow machine, short enough for a test that waits for it.
SHORT_S = 0.4

_T = TypeVar("_T")


@define(eq=False)
class Served:
    """One request that came.

    Attributes:
        id: its message id.
        value: the request, as ldaptor reads it.
        connection: which connection it came over.
    """

    id: int
    value: Any
    connection: ServerProtocol

    @property
    def kind(self) -> str:
        """What it is, in a word."""
        return type(self.value).__name__.removeprefix("LDAP").removesuffix("Request").lower()


Behaviour = Callable[[Served], bytes | None]


def usual(request: Served) -> bytes | None:
    """Answer as a directory does when all is well."""
    if request.kind == "bind":
        right = PASSWORDS.get(request.value.dn) == request.value.auth
        return bind_response(request.id, 0 if right else 49, "" if right else "data 52e, v1")
    if request.kind == "search":
        return entry(request.id, "uid=alice,dc=x", uid=[b"alice"]) + done(request.id)
    return None


@define(eq=False)
class DirectoryStandIn(Factory):
    """Answers each request with what `answer` gives: octets to write, or None to stay silent."""

    noisy = False
    answer: Behaviour = usual
    start_tls: ServerTls | None = None
    connections: list[ServerProtocol] = field(factory=list)
    requests: list[Served] = field(factory=list)
    deaf: bool = False
    octets: int = 0
    port: Any = None
    number: int = 0

    def listen(self, tls: ServerTls | None = None) -> None:
        """Listen on a free port of loopback; with `tls` from the first octet on."""
        factory: Any = self if tls is None else TLSMemoryBIOFactory(tls, False, self, clock=reactor)
        self.port = cast(Any, reactor).listenTCP(self.number, factory, interface=LOOPBACK)
        self.number = int(self.port.getHost().port)

    def close(self) -> Deferred[Any]:
        """Listen no more and end every connection."""
        for connection in self.connections:
            connection.abort()
        return maybeDeferred(self.port.stopListening)

    def buildProtocol(self, addr: Any) -> ServerProtocol:
        protocol = ServerProtocol(self, len(self.connections))
        self.connections.append(protocol)
        return protocol

    @property
    def kinds(self) -> list[str]:
        """What was asked, in order."""
        return [request.kind for request in self.requests if request.kind not in ("unbind", "extended")]

    @property
    def open_count(self) -> int:
        """How many connections are there."""
        return sum(not connection.is_gone for connection in self.connections)


class ServerProtocol(Protocol):
    """The server's side of one connection."""

    transport: Any

    def __init__(self, stand_in: DirectoryStandIn, number: int) -> None:
        self.stand_in = stand_in
        self.number = number
        self.is_gone = False
        self._framer = MessageFramer(1 << 20)

    def dataReceived(self, data: bytes) -> None:
        self.stand_in.octets += len(data)
        try:
            messages = self._framer.feed(data)
        except FramingError:
            if not self.stand_in.deaf:
                self.abort()
            return
        for octets in messages:
            message = read_request(octets)
            self._serve(Served(message.id, message.value, self))

    def _serve(self, request: Served) -> None:
        self.stand_in.requests.append(request)
        if isinstance(request.value, pureldap.LDAPExtendedRequest) and self.stand_in.start_tls is not None:
            self.transport.write(extended(request.id))
            self.transport.startTLS(self.stand_in.start_tls)
            return
        answer = self.stand_in.answer(request)
        if answer is not None:
            self.transport.write(answer)

    def abort(self) -> None:
        """Break the connection off."""
        if not self.is_gone and self.transport is not None:
            self.transport.abortConnection()

    def connectionLost(self, reason: Any = None) -> None:
        self.is_gone = True


class DirectoryCase(TestCase):
    """Starts stand-ins and makes directories of them."""

    timeout = 20

    def setUp(self) -> None:
        self.reactor = ShiftedReactor(reactor)
        self.server = DirectoryStandIn()
        self.other = DirectoryStandIn()
        self.lines: list[tuple[LogLevel, str]] = []
        observer: Any = self._note
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)

    def _note(self, event: Any) -> None:
        if "sentence" in event:
            text = event["sentence"].replace(f":{self.server.number}", ":ONE").replace(f":{self.other.number}", ":TWO")
            self.lines.append((event["log_level"], text))

    def listen(self, server: DirectoryStandIn | None = None, tls: ServerTls | None = None) -> DirectoryStandIn:
        """Start a server that ends with the test."""
        server = server or self.server
        server.listen(tls)
        self.addCleanup(server.close)
        return server

    def directory(self, *servers: DirectoryStandIn, host: str = LOOPBACK, **settings: Any) -> Directory:
        """Make a directory of stand-ins (of `self.server` when none is named)."""
        arguments: dict[str, Any] = {
            "section_name": "ad_client",
            "reactor": self.reactor,
            "hosts": [DirectoryHost(host, server.number) for server in servers or (self.server,)],
            "transport": Transport.CLEAR,
            "trust": Trust(AUTHORITY.roots),
            "service_account": SERVICE,
            "timeout_s": 5.0,
            "random": lambda: 0.5,
        }
        directory = Directory(**{**arguments, **settings})
        self.addCleanup(lambda: Deferred.fromCoroutine(directory.stop()))
        return directory

    async def fails(self, expected: type[BaseException], waiting: Coroutine[Any, Any, Any]) -> str:
        """Wait for a fault and give its text, without the changing ports."""
        with self.assertRaises(expected) as caught:
            await waiting
        text = str(caught.exception)
        return text.replace(f":{self.server.number}", ":ONE").replace(f":{self.other.number}", ":TWO")

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait for a condition, with a deadline."""
        deadline = reactor.seconds() + 5
        while not condition():
            self.assertLess(reactor.seconds(), deadline, "the condition did not come true")
            await deferLater(reactor, 0.005)

    def begin(self, coroutine: Coroutine[Any, Any, _T]) -> Deferred[_T]:
        """Begin something that waits."""
        return Deferred.fromCoroutine(coroutine)
