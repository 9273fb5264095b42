"""A directory with all of its servers: searches and binds go to the first one that is well.

Owns failover: a server that is not reached, does not answer in time, or says "not now" is left out for a while, and one
login at a time finds out whether it is back. Everything that a login needs from a directory goes through `Directory`;
whoever uses it sees values (`Found`, `BindResult`) and one fault, `PrimaryUnreachable`.

Source: RFC 4511 §4.2, §4.5; reference §1.2, §10.2, §10.4.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, TypeVar

from attrs import frozen
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from duoproxy.errors import PrimaryUnreachable
from duoproxy.ldap.messages import ResultCode
from duoproxy.ldap.refusals import RefusalKind, explain
from duoproxy.net import ldap_sentences as sentences
from duoproxy.net.host_health import HostHealth, Turn
from duoproxy.net.ldap_answers import Entry, Reference, Result
from duoproxy.net.ldap_binds import Credentials, NtlmCredentials, SimpleCredentials, unusable
from duoproxy.net.ldap_connect import Connector, DirectoryHost, Transport
from duoproxy.net.ldap_connection import LdapConnection
from duoproxy.net.ldap_faults import LdapFault, LdapNotNow, LdapTooBusy, ServiceBindRefused
from duoproxy.net.ldap_filters import Filter
from duoproxy.net.ldap_pool import ServerConnections
from duoproxy.net.ldap_relay import RelayConnection
from duoproxy.net.ldap_searches import NO_ATTRIBUTES, Scope, existence_request, search_request
from duoproxy.net.ldap_service import ServiceAccount
from duoproxy.net.resolver import Resolver, is_address
from duoproxy.net.tls import StrictClientTls, TrustRoots

__all__ = [
    "BindResult",
    "Credentials",
    "Directory",
    "DirectoryHost",
    "Found",
    "NtlmCredentials",
    "Scope",
    "SimpleCredentials",
    "Transport",
    "Trust",
]

CLEAN_UP_S: Final = 15.0
OPENING_SHARE: Final = 0.9
"""How much of a server's time a connection may take, so that its own reason comes before "no answer"."""

_T = TypeVar("_T")


@frozen
class Trust:
    """Which certificates a directory may have.

    Attributes:
        roots: whom to trust.
        verify_hostname: whether the certificate must be for the host.
        verify: whether it is looked at at all.
    """

    roots: TrustRoots
    verify_hostname: bool = True
    verify: bool = True


@frozen
class Found:
    """What a search found.

    Attributes:
        result: how it ended; entries may also be there when it is not `SUCCESS` (size limit).
        entries: the entries.
        references: where else the search would go on; nobody does.
        server: who answered.
    """

    result: Result
    entries: tuple[Entry, ...]
    references: tuple[Reference, ...]
    server: str


@frozen
class BindResult:
    """What came of a user's bind.

    Attributes:
        result: what the server answered; None when nothing was sent.
        server: who answered; empty when nothing was sent.
        not_sent: why nothing was sent; empty otherwise.
    """

    result: Result | None
    server: str = ""
    not_sent: str = ""

    @property
    def succeeded(self) -> bool:
        """Whether the password is right and the account may log in."""
        return self.result is not None and self.result.code == ResultCode.SUCCESS and not self.objection

    @property
    def objection(self) -> str:
        """Why a bind that the server took lets nobody in (the password must be changed first); empty otherwise."""
        return self.result.objection if self.result is not None else ""


class Directory:
    """The servers of one client section, in the order of preference."""

    def __init__(
        self,
        *,
        section_name: str,
        reactor: Any,
        hosts: Sequence[DirectoryHost],
        transport: Transport,
        trust: Trust | None,
        service_account: Credentials | None,
        timeout_s: float,
        random: Callable[[], float],
        resolve_all: Callable[[str], Awaitable[tuple[str, ...]]] | None = None,
    ) -> None:
        """Prepare; nothing is opened yet.

        Args:
            section_name: in whose name is logged.
            reactor: time, TCP, and threads for names and NTLM.
            hosts: at least one.
            transport: how connections are protected.
            trust: which certificates will do; needed unless the transport is clear.
            service_account: who searches; None: nobody in particular.
            timeout_s: seconds for each server, before the next one is tried.
            random: gives 0.0 to 1.0.
            resolve_all: gives the addresses of a name; None: a resolver of its own.

        Raises:
            ValueError: no host, or nobody to trust.
        """
        if not hosts:
            raise ValueError("a directory needs a server")
        self._reactor = reactor
        self._hosts = tuple(hosts)
        self._timeout_s = timeout_s
        self._log = Logger(namespace=section_name)
        self._health = HostHealth(len(self._hosts), random)
        self._resolver: Resolver | None = None
        if resolve_all is None:
            names = [host.host for host in hosts]
            self._resolver = Resolver(reactor=reactor, log_namespace=section_name, names=names)
            resolve_all = self._resolver.resolve_all
        account = ServiceAccount(reactor, self._log, service_account)
        self._servers: list[ServerConnections] = []
        self._connectors: list[Connector] = []
        self._relays: set[RelayConnection] = set()
        for host in self._hosts:
            tls = _tls_towards(host, transport, trust)
            connector = Connector(reactor, host, transport, tls, resolve_all)
            self._connectors.append(connector)
            self._servers.append(ServerConnections(reactor, connector, account, OPENING_SHARE * timeout_s))
        self._cleaning = LoopingCall(self._close_idle)
        self._cleaning.clock = reactor
        self._stopped = False

    async def start(self) -> None:
        """Look the names up. What is wrong with the servers is for `probe` to find out."""
        self._cleaning.start(CLEAN_UP_S, now=False)
        if self._resolver is not None and not all(is_address(host.host) for host in self._hosts):
            await self._resolver.start()

    async def stop(self) -> None:
        """End every connection; logins in progress end with `PrimaryUnreachable`."""
        self._stopped = True
        if self._cleaning.running:
            self._cleaning.stop()
        for relay in list(self._relays):
            relay.abort()
        for server in self._servers:
            await server.stop()
        if self._resolver is not None:
            await self._resolver.stop()

    def health(self) -> list[tuple[str, float | None]]:
        """Give each server with the end of its rest (seconds of the reactor's clock), None when it is well."""
        return [(str(host), self._health.resting_until(index)) for index, host in enumerate(self._hosts)]

    async def search(
        self,
        base: bytes | str,
        scope: Scope,
        wanted: Filter,
        attributes: Sequence[str] = NO_ATTRIBUTES,
        *,
        size_limit: int = 0,
    ) -> Found:
        """Search as the service account.

        Args:
            base: a DN; one that came from the directory in its own octets.
            scope: how deep.
            wanted: as `duoproxy.net.ldap_filters` makes them.
            attributes: which ones to give; none when empty.
            size_limit: how many entries at most; 0: as many as the server gives.

        Returns:
            what was found; also when the server refuses the search, except when its result means "not now".

        Raises:
            PrimaryUnreachable: no server answered.
        """
        request = search_request(base, scope, wanted, attributes, size_limit=size_limit, limit_s=self._timeout_s)

        async def ask(index: int) -> Found:
            answers = await self._servers[index].search(request, self._timeout_s)
            server = str(self._hosts[index])
            _require_now(answers.result, server)
            return Found(answers.result, answers.entries, answers.references, server)

        return await self._at_first_well(ask)

    async def bind_user(self, credentials: Credentials) -> BindResult:
        """Check a user's password by a bind.

        Args:
            credentials: the user's. An empty password, and others that must not be sent, are refused here.

        Raises:
            PrimaryUnreachable: no server answered.
        """
        if fault := unusable(credentials):
            return BindResult(None, not_sent=fault)

        async def ask(index: int) -> BindResult:
            result = await self._servers[index].bind_user(credentials, self._timeout_s)
            server = str(self._hosts[index])
            if result.code != ResultCode.SUCCESS:
                _require_now(result, server)
            return BindResult(result, server)

        return await self._at_first_well(ask)

    async def open_relay(self) -> RelayConnection:
        """Open a connection that is nobody's yet, for one client; whoever opens it ends it.

        A server counts as well when it answers a search of its root DSE, whatever it answers.

        Raises:
            PrimaryUnreachable: no server can be reached.
        """

        async def ask(index: int) -> RelayConnection:
            connection = await self._connectors[index].open(self._timeout_s, _greet)
            if self._stopped:
                connection.close()
                raise LdapNotNow(*sentences.stopping())
            relay = RelayConnection(self._reactor, connection)
            self._relays.add(relay)
            connection.gone.addCallback(lambda _: self._relays.discard(relay))
            return relay

        return await self._at_first_well(ask)

    async def probe(self, base: bytes | str = b"") -> list[str]:
        """Try each server as a login would: connection, certificate, service account, and whether `base` is there.

        Args:
            base: the DN that must be there and be readable; empty: the root of the server, which always is.

        Returns:
            a sentence for each server with which something is wrong.
        """
        found: list[str] = []
        for index, host in enumerate(self._hosts):
            fault = await self.probe_host(index, base)
            if fault is not None:
                found.append(f"Directory {host}: {fault}.")
            if isinstance(fault, ServiceBindRefused) and fault.wrong_credentials:
                break  # the next server would say the same, and count it
        return found

    async def probe_host(self, index: int, base: bytes | str = b"") -> LdapFault | None:
        """Try one server as `probe` does, and give what is wrong with it."""
        request = existence_request(base, limit_s=self._timeout_s)
        try:
            answers = await self._servers[index].search(request, self._timeout_s)
        except LdapFault as fault:
            return fault
        if answers.result.code == ResultCode.SUCCESS:
            return None
        refusal = explain(answers.result.code, answers.result.diagnostic, str(self._hosts[index]))
        return LdapFault(refusal.cause, refusal.remedy)

    async def _at_first_well(self, ask: Callable[[int], Awaitable[_T]]) -> _T:
        """Ask one server after the other until one answers."""
        tried: set[int] = set()
        faults: list[tuple[DirectoryHost, LdapFault]] = []
        while not self._stopped:
            turn = self._health.next_turn(tried, self._reactor.seconds())
            if turn is None:
                break
            tried.add(turn.index)
            asked_at = self._reactor.seconds()
            try:
                answer = await ask(turn.index)
            except LdapFault as fault:
                faults.append((self._hosts[turn.index], fault))
                if isinstance(fault, ServiceBindRefused) and fault.wrong_credentials:
                    break  # the next server would say the same, and count it
                self._failed(turn, asked_at, fault)
            else:
                self._answered(turn)
                return answer
            finally:
                self._health.end_turn(turn)
        raise self._unreachable(faults)

    def _answered(self, turn: Turn) -> None:
        if self._health.answered(turn.index, self._reactor.seconds()):
            server = str(self._hosts[turn.index])
            self._log.info("{sentence}", sentence=sentences.server_back(server), peer=server)

    def _failed(self, turn: Turn, asked_at: float, fault: LdapFault) -> None:
        if isinstance(fault, LdapTooBusy) or self._stopped:
            return  # that was this proxy, not the server
        rest_s = self._health.failed(turn, asked_at, self._reactor.seconds())
        if rest_s is not None:
            server = str(self._hosts[turn.index])
            sentence = sentences.server_left_out(server, str(fault), rest_s)
            self._log.warn("{sentence}", sentence=sentence, peer=server)

    def _unreachable(self, faults: Sequence[tuple[DirectoryHost, LdapFault]]) -> PrimaryUnreachable:
        names = ", ".join(str(host) for host, _ in faults) or ", ".join(map(str, self._hosts))
        if not faults:
            return PrimaryUnreachable(f"directory {names}", sentences.stopping()[0])
        if len(faults) == 1:
            return PrimaryUnreachable(f"directory {names}", faults[0][1].cause, faults[0][1].remedy)
        causes = ", ".join(f"{host}: {fault.cause}" for host, fault in faults)
        return PrimaryUnreachable(f"directory {names}", causes, faults[0][1].remedy)

    def _close_idle(self) -> None:
        for server in self._servers:
            server.close_idle()


async def _greet(connection: LdapConnection, limit_s: float) -> None:
    """See whether somebody is there behind an open port."""
    request = existence_request(b"", limit_s=limit_s)
    _require_now((await connection.request(request, limit_s=limit_s)).result, connection.peer)


def _tls_towards(host: DirectoryHost, transport: Transport, trust: Trust | None) -> StrictClientTls | None:
    if transport is Transport.CLEAR or trust is None:
        return None
    return StrictClientTls(host.host, trust.roots, verify_hostname=trust.verify_hostname, verify=trust.verify)


def _require_now(result: Result, server: str) -> None:
    """Raise when a result says that another server, or another time, would do."""
    if result.code == ResultCode.SUCCESS:
        return
    refusal = explain(result.code, result.diagnostic, server)
    if refusal.kind is RefusalKind.NOT_NOW:
        raise LdapNotNow(refusal.cause, refusal.remedy)
