"""Connects to a host at the address at which it was last, without asking for it again.

A look-up takes a thread, and the search for an address that answers makes several objects for each connection; hundreds
of new connections a second cannot afford either. What is thought of an address stands in `duoproxy.net.known_address`.
"""

from __future__ import annotations

from typing import Any, Final, NoReturn, cast

from twisted.internet.defer import CancelledError, Deferred, fail
from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.error import ConnectError, ConnectingCancelledError, DNSLookupError, NoProtocol
from twisted.internet.interfaces import IConnector, IProtocol, IProtocolFactory, IStreamClientEndpoint
from twisted.internet.protocol import ClientFactory
from twisted.python.failure import Failure
from zope.interface import implementer

from duoproxy.net.known_address import KnownAddress
from duoproxy.net.lacking import is_lack, lacking_for_look_up

ANSWER_S: Final = 3.0
"""How long a remembered address may take to accept a connection, before another one is looked for."""
SEARCH_S: Final = 3.0
"""How long a look-up, and a connection to what it finds, may take before the address that is known is used again."""


@implementer(IStreamClientEndpoint)
class RememberedEndpoint:
    """Connects to a host: at the address that worked a moment ago, else as `HostnameEndpoint` does.

    Attributes:
        known: the address, and what is thought of it.
        search_s: as `SEARCH_S`; less where whoever connects has no time for that and the known address, too.
    """

    def __init__(self, reactor: Any, host: str, port: int, *, awaits_proof: bool = False) -> None:
        """Prepare; nothing is looked up yet.

        Args:
            reactor: gives time, TCP and name resolution.
            host: name or address.
            port: TCP port.
            awaits_proof: whoever connects tells `known` where the host proves its name, and where not.
        """
        self.known = KnownAddress(awaits_proof=awaits_proof)
        self.search_s = SEARCH_S
        self._reactor = reactor
        self._host = host
        self._port = port

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        """Open a connection; fails as `HostnameEndpoint` does. Source: IStreamClientEndpoint."""
        address, now = self.known.address, self._reactor.seconds()
        if address is None:
            return self._search(protocolFactory)
        if self.known.is_good(now):
            return self._go(address, protocolFactory).addErrback(self._look_further, protocolFactory)
        self.known.look_up_begins(now)
        search = self._search(protocolFactory).addTimeout(self.search_s, self._reactor, _took_too_long)
        return search.addErrback(self._go_back, address, protocolFactory)

    def _search(self, factory: IProtocolFactory) -> Deferred[IProtocol]:
        lacking = lacking_for_look_up()
        if lacking is not None:
            return fail(ConnectError(lacking))
        endpoint = HostnameEndpoint(self._reactor, self._host, self._port)
        return endpoint.connect(factory).addCallback(self._found)

    def _found(self, protocol: IProtocol) -> IProtocol:
        self.known.answered(cast(Any, protocol).transport.getPeer().host, self._reactor.seconds())
        return protocol

    def _go(self, address: str, factory: IProtocolFactory) -> Deferred[IProtocol]:
        attempt = _Attempt(factory)
        attempt.connector = self._reactor.connectTCP(address, self._port, attempt, timeout=ANSWER_S)
        return attempt.made.addErrback(self._not_there)

    def _not_there(self, fault: Failure) -> Failure:
        if not _is_ours(fault):
            self.known.gives_no_answer()
        return fault

    def _look_further(self, fault: Failure, factory: IProtocolFactory) -> Deferred[IProtocol]:
        """Go the long way when nobody answers at the address any more; not when it is we who cannot connect."""
        if _is_ours(fault):
            return fail(fault)
        self.known.doubt()
        return self._search(factory).addErrback(lambda later: fault if later.check(DNSLookupError) else later)

    def _go_back(self, fault: Failure, address: str, factory: IProtocolFactory) -> Deferred[IProtocol]:
        """Keep the last good address while names cannot be looked up, or lead to where nobody answers."""
        if _is_ours(fault):
            return fail(fault)
        if fault.check(TimeoutError):
            self.known.look_up_hung(self._reactor.seconds())
        return self._go(address, factory)


def _took_too_long(result: object, limit_s: float) -> NoReturn:
    raise TimeoutError(f"no connection within {limit_s:g} s")


def _is_ours(fault: Failure) -> bool:
    """Whether it was given up by us, or lacked something here."""
    given_up = fault.check(CancelledError, ConnectingCancelledError) is not None
    return given_up or is_lack(getattr(fault.value, "osError", None))


class _Attempt(ClientFactory[Any]):
    """One attempt to connect to one address; it fires before its protocol hears of the connection.

    Attributes:
        made: fires with the protocol, or with why there is none.
        connector: what is tried; set as soon as it is.
    """

    noisy = False

    def __init__(self, factory: IProtocolFactory) -> None:
        self.made: Deferred[IProtocol] = Deferred(self._cancel)
        self.connector: IConnector | None = None
        self._factory = factory

    def buildProtocol(self, addr: Any) -> Any:
        if self.made.called:
            return None
        protocol = self._factory.buildProtocol(addr)
        if protocol is None:
            self.made.errback(NoProtocol())
        else:
            self.made.callback(protocol)
        return protocol

    def clientConnectionFailed(self, connector: IConnector, reason: Failure) -> None:
        if not self.made.called:
            self.made.errback(reason)

    def _cancel(self, made: Deferred[IProtocol]) -> None:
        made.errback(ConnectingCancelledError(None))
        if self.connector is not None:
            self.connector.stopConnecting()
