"""Asks upstream RADIUS servers: one after the other, each several times, until one gives an authentic answer.

Schedules, Identifiers and the rest of failed servers are machines of their own; this file is what drives them. What is
asked is built by the caller, for each server anew, because its secret and its Request Authenticator hide the password.

Source: RFC 2865 §2.5, RFC 5080 §2.2.1, §2.2.2; reference §1.3, §10.4.
"""

from __future__ import annotations

import contextlib
import ipaddress
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

from attrs import frozen
from twisted.logger import Logger

from duoproxy.errors import PrimaryUnreachable
from duoproxy.net import radius_sentences as sentences
from duoproxy.net.host_health import HostHealth, Turn
from duoproxy.net.log_limit import LimitedLog
from duoproxy.net.packet_info import canonical_host
from duoproxy.net.radius_exchange import Exchange, Question, UpstreamReply
from duoproxy.net.radius_packet_log import PacketLog
from duoproxy.net.radius_reply_check import AskedServer, ReplyCheck
from duoproxy.net.radius_sources import SourcePorts
from duoproxy.net.radius_status import STATUS_TRIES, STATUS_WAIT_S, StatusWatch
from duoproxy.net.resolver import Resolver, is_address
from duoproxy.net.udp import DatagramTransport, Endpoint, open_udp, source_host_towards
from duoproxy.radius.attributes import Type
from duoproxy.radius.authenticators import encode_request
from duoproxy.radius.packet import AUTHENTICATOR_BYTES, Attribute, Code
from duoproxy.radius.retransmission import Retransmission, SourceIdentifier
from duoproxy.secret import Secret

if TYPE_CHECKING:
    from duoproxy.radius.dictionary import Dictionary

__all__ = ["RadiusUpstream", "RequestTooLong", "UpstreamHost", "UpstreamReply"]

Build = Callable[[bytes, bytes, str], Sequence[Attribute]]
"""Makes the attributes of a request from its Request Authenticator, the shared secret, and our own address on the way
to the server (empty when there is no route).
"""

MAX_ENDPOINTS: Final = 256
"""Addresses of servers that are remembered, so that a late answer is told from a stranger's."""

_NO_SERVER: Final = "no RADIUS server gave a valid answer"


class RequestTooLong(ValueError):
    """What was to be asked does not fit into a packet; `str()` is a clause that says why."""


@frozen
class UpstreamHost:
    """One server.

    Attributes:
        host: address or name.
        port: UDP port.
        secret: the shared secret.
        secret_option: the option that has it, for the log.
    """

    host: str
    port: int
    secret: Secret
    secret_option: str = "secret"


class RadiusUpstream:
    """The servers of one client section, in the order of preference."""

    def __init__(
        self,
        *,
        section_name: str,
        reactor: Any,
        hosts: Sequence[UpstreamHost],
        retries: int,
        retry_wait_s: float,
        random_bytes: Callable[[int], bytes],
        resolve: Callable[[str], Awaitable[str | None]] | None = None,
        require_message_authenticator: str = "auto",
        dictionary: Dictionary | None = None,
        debug: bool = False,
        open_socket: Callable[[int], DatagramTransport] = open_udp,
        own_address: Callable[[str], str | None] = source_host_towards,
    ) -> None:
        """Prepare; nothing is opened yet.

        Args:
            section_name: in whose name is logged.
            reactor: `IReactorTime`, `IReactorFDSet` and, for names, `IReactorThreads`.
            hosts: at least one.
            retries: tries per server.
            retry_wait_s: seconds after each try.
            random_bytes: as `os.urandom`.
            resolve: gives the address of a name; None: a resolver of its own.
            require_message_authenticator: `auto`, `yes` or `no`, of replies.
            dictionary: for the debug log.
            debug: whether packets are logged, with secrets masked.
            open_socket: makes a socket of an address family; tests have their own.
            own_address: our address on the way to a server.
        """
        if not hosts:
            raise ValueError("an upstream needs a server")
        self._section_name = section_name
        self._reactor = reactor
        self._hosts = tuple(hosts)
        self._retries = retries
        self._retry_wait_s = retry_wait_s
        self._random_bytes = random_bytes
        self._own_address = own_address
        self._log = Logger(namespace=section_name)
        self._packets = PacketLog(self._log, dictionary if debug else None)
        self._limited = LimitedLog(self._log, reactor.seconds)
        self._check = ReplyCheck(section_name, require_message_authenticator, self._limited)
        self._health = HostHealth(len(self._hosts), lambda: int.from_bytes(random_bytes(2), "big") / 0xFFFF)
        self._watch = StatusWatch(reactor, self._health, self._answers_status)
        self._sources = SourcePorts(reactor, self._unexpected, open_socket)
        self._exchanges: set[Exchange] = set()
        self._resolver: Resolver | None = None
        if resolve is None:
            names = [host.host for host in hosts]
            self._resolver = Resolver(reactor=reactor, log_namespace=section_name, names=names)
            resolve = self._resolver.resolve
        self._resolve = resolve
        addresses = [host.host for host in hosts if is_address(host.host) and "%" not in host.host]
        self._fixed = {address: canonical_host(address) for address in addresses}  # read once, not for each login
        self._endpoints: set[Endpoint] = set()
        self._stopped = False

    async def start(self) -> None:
        """Look the names up, warn of those that have no address, and begin to find out who answers Status-Server."""
        if self._resolver is not None and not all(is_address(host.host) for host in self._hosts):
            await self._resolver.start()
        for index, host in enumerate(self._hosts):
            if await self._endpoint(host) is not None:
                self._watch.learn(index)

    async def stop(self) -> None:
        """Close the sockets; exchanges in progress end with `PrimaryUnreachable`."""
        self._stopped = True
        self._watch.stop()
        for exchange in list(self._exchanges):
            exchange.stop()
        self._sources.close()
        if self._resolver is not None:
            await self._resolver.stop()

    def health(self) -> list[tuple[str, float | None]]:
        """Give each server with the end of its rest (seconds of the reactor's clock), None when it is well."""
        return [(_shown(host), self._health.resting_until(index)) for index, host in enumerate(self._hosts)]

    @property
    def ignored(self) -> int:
        """Datagrams from a server's address that were no authentic reply (forged, unsigned, malformed)."""
        return self._check.ignored

    async def exchange(self, build: Build, challenge: UpstreamReply | None = None) -> UpstreamReply:
        """Ask until a server answers.

        Args:
            build: makes the attributes (without Message-Authenticator), once for each server that is asked.
            challenge: what is answered: only the server that sent it is asked, where it was asked before.

        Raises:
            PrimaryUnreachable: none of them gave a valid answer.
            RequestTooLong: what `build` makes does not fit into a packet.
        """
        with self._new_exchange() as exchange:
            if challenge is None:
                await self._ask_in_turn(exchange, build)
            else:
                index, endpoint = challenge.place
                await self._take_turn(Turn(index, probe=False), exchange, build, endpoint)
        if exchange.reply is None:
            raise self._unreachable(_NO_SERVER)
        return exchange.reply

    @contextlib.contextmanager
    def _new_exchange(self) -> Iterator[Exchange]:
        """Make an exchange that `stop` ends, and give back at its end what it took."""
        exchange = Exchange(self._reactor)
        self._exchanges.add(exchange)
        try:
            yield exchange
        finally:
            self._exchanges.discard(exchange)
            for question in exchange.questions:
                self._sources.release(question.taken, question.endpoint)

    async def _answers_status(self, index: int) -> bool:
        """Send Status-Server to one server; one that cannot be sent has no answer. Source: RFC 5997 §3, §4.2."""
        endpoint = await self._endpoint(self._hosts[index])
        if endpoint is None or self._stopped:
            return False
        with self._new_exchange() as exchange:
            try:
                question = self._question(index, endpoint, exchange, _identity, Code.STATUS_SERVER)
            except PrimaryUnreachable:
                return False
            schedule = Retransmission([index], STATUS_TRIES, STATUS_WAIT_S)
            await question.ask(schedule, lambda asking: self._sources.send(asking.taken, asking))
        return exchange.reply is not None

    async def _ask_in_turn(self, exchange: Exchange, build: Build) -> None:
        tried: set[int] = set()
        while not (exchange.over or self._stopped):
            turn = self._health.next_turn(tried, self._reactor.seconds())
            if turn is None:
                return
            tried.add(turn.index)
            try:
                await self._take_turn(turn, exchange, build)
            finally:
                self._health.end_turn(turn)

    async def _take_turn(self, turn: Turn, exchange: Exchange, build: Build, endpoint: Endpoint | None = None) -> None:
        host, asked_at = self._hosts[turn.index], self._reactor.seconds()
        endpoint = endpoint or await self._endpoint(host)
        if exchange.over:
            return
        if endpoint is None:
            self._health.failed(turn, asked_at, self._reactor.seconds())
            return
        question = self._question(turn.index, endpoint, exchange, build)
        schedule = Retransmission([turn.index], self._retries, self._retry_wait_s)
        await question.ask(schedule, lambda asking: self._sources.send(asking.taken, asking))
        if not exchange.over:
            self._failed(turn, asked_at, question.was_refused)

    async def _endpoint(self, host: UpstreamHost) -> Endpoint | None:
        fixed = self._fixed.get(host.host)
        if fixed is not None:
            return fixed, host.port
        address = host.host if is_address(host.host) else await self._resolve(host.host)
        if address is not None:
            with contextlib.suppress(OSError):  # a link-local address whose interface is gone
                return canonical_host(address), host.port
        self._limited.warn("name", host.host, lambda: sentences.upstream_name_unknown(host.host))
        return None

    def _question(
        self, index: int, endpoint: Endpoint, exchange: Exchange, build: Build, code: Code = Code.ACCESS_REQUEST
    ) -> Question:
        host = self._hosts[index]
        secret = host.secret.reveal()
        request_authenticator = self._random_bytes(AUTHENTICATOR_BYTES)
        attributes = build(request_authenticator, secret, self._own_address(endpoint[0]) or "")
        is_login = code is Code.ACCESS_REQUEST
        asked = AskedServer(index, _shown(host), secret, request_authenticator, host.secret_option, is_login)
        question = Question(exchange, endpoint, self._take(endpoint), asked, b"", self._reply_received)
        exchange.questions.append(question)  # before what may raise, so that the Identifier is given back
        identifier = question.taken.identifier
        try:
            question.octets = encode_request(code, identifier, request_authenticator, attributes, secret)
        except ValueError as fault:
            raise RequestTooLong(str(fault)) from fault
        self._packets.note("to", asked.name, code, identifier, attributes)
        if len(self._endpoints) < MAX_ENDPOINTS:
            self._endpoints.add(endpoint)
        return question

    def _take(self, endpoint: Endpoint) -> SourceIdentifier:
        try:
            taken = self._sources.take(endpoint)
        except OSError as error:
            text = error.strerror or str(error)
            self._limited.warn("socket", "", lambda: sentences.upstream_socket_refused(text))
            raise self._unreachable(f"no socket could be opened: {text}") from error
        if taken is None:
            raise self._unreachable("too many requests wait for an answer")
        return taken

    def _reply_received(self, question: Question, datagram: bytes) -> None:
        """Take a datagram from the server that was asked, with the Identifier of `question`."""
        exchange, asked = question.exchange, question.asked
        if exchange.reply is not None:
            return  # a second reply to a request that was sent twice
        packet = self._check.accepts(datagram, asked)
        if packet is None:
            return
        self._packets.note("from", asked.name, packet.code, packet.identifier, packet.attributes)
        if self._health.answered(asked.index, self._reactor.seconds()):
            self._log.info("{sentence}", sentence=sentences.upstream_back(asked.name), peer=asked.name)
            if asked.is_login:
                self._watch.learn(asked.index)
        host, place = self._hosts[asked.index], (asked.index, question.endpoint)
        exchange.answer(UpstreamReply(packet, asked.request_authenticator, host.secret, host.host, place))

    def _failed(self, turn: Turn, asked_at: float, refused: bool) -> None:
        name = _shown(self._hosts[turn.index])
        rest_s = self._health.failed(turn, asked_at, self._reactor.seconds())
        if rest_s is None:
            return
        if refused:
            sentence = sentences.upstream_refused(name)
        else:
            sentence = sentences.upstream_silent(name, rest_s)
        self._log.warn("{sentence}", sentence=sentence, peer=name)
        self._watch.rests(turn.index, rest_s)

    def _unexpected(self, source: Endpoint) -> None:
        """Tell of strangers; late and second replies of our own servers are everyday, and told of in debug only."""
        if source in self._endpoints:
            self._log.debug("A late answer from {peer} was ignored.", peer=source[0])
            return
        what = "it comes from no server that was asked"
        self._limited.warn("unexpected", "", lambda: sentences.upstream_strange_reply(source[0], what))

    def _unreachable(self, cause: str) -> PrimaryUnreachable:
        names = ", ".join(_shown(host) for host in self._hosts)
        system = f"RADIUS server{'s' if len(self._hosts) > 1 else ''} {names}"
        return PrimaryUnreachable(system, cause, f"look for the lines of [{self._section_name}] before this one")


def _identity(request_authenticator: bytes, secret: bytes, own_address: str) -> list[Attribute]:
    """Say who asks for a server's status: our address, where there is a route. Source: RFC 5997 §3."""
    if not own_address:
        return [(Type.NAS_IDENTIFIER, b"duoproxy")]
    address = ipaddress.ip_address(own_address)
    return [(Type.NAS_IP_ADDRESS if address.version == 4 else Type.NAS_IPV6_ADDRESS, address.packed)]


def _shown(host: UpstreamHost) -> str:
    return f"[{host.host}]:{host.port}" if ":" in host.host else f"{host.host}:{host.port}"
