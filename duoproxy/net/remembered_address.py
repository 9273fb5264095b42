"""The address at which a host was reached last: further connections go there without asking for it again.

Owns how long an address is good. A look-up takes a thread, and the search for an address that answers makes several
objects for each connection; hundreds of new connections a second cannot afford either. Who answers there is proven by
TLS, on each connection, so an address that is out of date costs time and nothing else. So it is kept, however old,
while names cannot be looked up, are not answered, or lead to somebody else: whoever can silence or poison the DNS must
not make an outage of the service.
"""

from __future__ import annotations

import contextlib
import errno
import socket
from typing import Any, Final, NoReturn, cast

from twisted.internet.defer import CancelledError, Deferred, fail
from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.error import ConnectError, ConnectingCancelledError, DNSLookupError, NoProtocol
from twisted.internet.interfaces import IConnector, IProtocol, IProtocolFactory, IStreamClientEndpoint
from twisted.internet.protocol import ClientFactory
from twisted.python.failure import Failure
from zope.interface import implementer

from duoproxy.net.deadlines import Expired

REMEMBERED_S: Final = 60.0
"""How long an address is used before its host is looked up again."""
LOOK_UP_S: Final = 5.0
"""How long others use the old address while one connection looks up the new one."""
ANSWER_S: Final = 3.0
"""How long a remembered address may take to accept a connection, before another one is looked for."""
SEARCH_S: Final = 3.0
"""How long a look-up, and a connection to what it finds, may take before the address that is known is used again."""

LACKING_HERE: Final = frozenset(
    {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EADDRNOTAVAIL, errno.EADDRINUSE}
)
"""What this machine lacks when it cannot open a connection, as numbers of the system. The last two: a free local port,
of which any user of the machine can take all.
"""


LOOK_UP_DESCRIPTORS: Final = 4
"""That a look-up takes at once: of files that the system reads for it, and a socket."""


def lacking_here(fault: Exception) -> int | None:
    """Say what this machine lacked, as a number of the system; None: nothing that is known.

    A name that was not found, or no answer at all, says nothing of that, so it is tried whether a look-up has what it
    needs: Twisted forgets one that fails for lack of a descriptor. Of a host with several addresses it tells what
    happened at the last one, so it is tried whether there is a port as well.
    """
    if isinstance(fault, DNSLookupError | Expired):
        return _lacking_for_look_up()
    if not isinstance(fault, ConnectError):
        return None
    return fault.osError if _is_lack(fault.osError) else _lacking(socket.SOCK_STREAM)


def _is_lack(number: object) -> bool:
    """Tell whether a number of the system is a lack; without IPv6 no address of it "can be assigned", which is none."""
    return number in LACKING_HERE and (number != errno.EADDRNOTAVAIL or _speaks_ipv6())


def _speaks_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as trial:
            trial.bind(("::1", 0))
    except OSError as fault:
        return fault.errno not in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)
    return True


def _lacking_for_look_up() -> int | None:
    return _lacking(*[socket.SOCK_DGRAM] * LOOK_UP_DESCRIPTORS)


def _lacking(*kinds: socket.SocketKind) -> int | None:
    """Say what this machine lacks for sockets of these kinds, with a port each."""
    try:
        with contextlib.ExitStack() as trial:
            for kind in kinds:
                trial.enter_context(socket.socket(socket.AF_INET, kind)).bind(("", 0))
    except OSError as fault:
        return fault.errno if fault.errno in LACKING_HERE else None
    return None


@implementer(IStreamClientEndpoint)
class RememberedEndpoint:
    """Connects to a host: at the address that worked a moment ago, else as `HostnameEndpoint` does.

    Attributes:
        search_s: as `SEARCH_S`; less where whoever connects has no time for that and the known address, too.
    """

    def __init__(self, reactor: Any, host: str, port: int, *, awaits_proof: bool = False) -> None:
        """Prepare; nothing is looked up yet.

        Args:
            reactor: gives time, TCP and name resolution.
            host: name or address.
            port: TCP port.
            awaits_proof: an address is remembered when it is `proven`, and not as soon as somebody answers there.
        """
        self._reactor = reactor
        self._host = host
        self._port = port
        self._awaits_proof = awaits_proof
        self._address: str | None = None
        self.search_s = SEARCH_S
        self._good_until = 0.0
        self._serves = False

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        """Open a connection; fails as `HostnameEndpoint` does. Source: IStreamClientEndpoint."""
        address, now_s = self._address, self._reactor.seconds()
        if address is None:
            return self._search(protocolFactory)
        if now_s < self._good_until:
            return self._go(address, protocolFactory).addErrback(self._look_further, protocolFactory)
        # This one asks for the address; whoever comes meanwhile uses the one that is known.
        self._good_until = now_s + LOOK_UP_S
        search = self._search(protocolFactory).addTimeout(self.search_s, self._reactor, _took_too_long)
        return search.addErrback(self._go_back, address, protocolFactory)

    @property
    def is_remembering(self) -> bool:
        """Whether there is an address that a connection can go to without a look-up."""
        return self._address is not None

    def is_known(self, address: str) -> bool:
        """Whether no other address is better: it is the remembered one, there is none, or it is not known (empty)."""
        return self._address is None or not address or address == self._address

    def has_better(self, address: str) -> bool:
        """Whether another address is worth more than a long wait at this one: the host was there just now."""
        return self._serves and not self.is_known(address)

    def proven(self, address: str) -> None:
        """Note that the host has proven its name at an address: connections go there from now on."""
        if address != self._address:
            self._keep(address)
        self._serves = True

    def not_proven(self, address: str, *, by_somebody_else: bool) -> None:
        """Note that nobody proved the host's name at an address; where names lead astray, the remembered one serves.

        Args:
            address: where.
            by_somebody_else: another host answers there.
        """
        if not self.is_known(address):
            self._good_until = self._reactor.seconds() + REMEMBERED_S
            return
        self._serves = False
        if by_somebody_else:
            self._address = None
        else:
            self.doubt()

    def doubt(self) -> None:
        """Look the host up for the next connection: it was not found where it was before."""
        self._good_until = 0.0

    def doubt_soon(self) -> None:
        """Look the host up in a moment, by one connection: it is not known whether it was found where it was before."""
        self._good_until = min(self._good_until, self._reactor.seconds() + LOOK_UP_S)

    def _search(self, factory: IProtocolFactory) -> Deferred[IProtocol]:
        lacking = _lacking_for_look_up()
        if lacking is not None:
            return fail(ConnectError(lacking))
        endpoint = HostnameEndpoint(self._reactor, self._host, self._port)
        return endpoint.connect(factory).addCallback(self._found)

    def _go(self, address: str, factory: IProtocolFactory) -> Deferred[IProtocol]:
        attempt = _Attempt(factory)
        attempt.connector = self._reactor.connectTCP(address, self._port, attempt, timeout=ANSWER_S)
        return attempt.made.addErrback(self._not_there)

    def _not_there(self, fault: Failure) -> Failure:
        if not _is_ours(fault):
            self._serves = False
        return fault

    def _look_further(self, fault: Failure, factory: IProtocolFactory) -> Deferred[IProtocol]:
        """Go the long way when nobody answers at the address any more; not when it is we who cannot connect."""
        if _is_ours(fault):
            return fail(fault)
        self.doubt()
        return self._search(factory).addErrback(lambda later: fault if later.check(DNSLookupError) else later)

    def _go_back(self, fault: Failure, address: str, factory: IProtocolFactory) -> Deferred[IProtocol]:
        """Keep the last good address while names cannot be looked up, or lead to where nobody answers."""
        if _is_ours(fault):
            return fail(fault)
        if fault.check(TimeoutError):
            # The look-up may have its thread for long: the next one is not made at once.
            self._good_until = self._reactor.seconds() + REMEMBERED_S
        return self._go(address, factory)

    def _found(self, protocol: IProtocol) -> IProtocol:
        address = cast(Any, protocol).transport.getPeer().host
        if not self._awaits_proof or address == self._address:
            self._keep(address)
        return protocol

    def _keep(self, address: str) -> None:
        self._address = address
        self._serves = True
        self._good_until = self._reactor.seconds() + REMEMBERED_S


def _took_too_long(result: object, limit_s: float) -> NoReturn:
    raise TimeoutError(f"no connection within {limit_s:g} s")


def _is_ours(fault: Failure) -> bool:
    """Whether it was given up by us, or lacked something here."""
    given_up = fault.check(CancelledError, ConnectingCancelledError) is not None
    return given_up or _is_lack(getattr(fault.value, "osError", None))


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
