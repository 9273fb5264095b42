"""Host names of RADIUS servers and directories: looked up in a thread, at start and every minute.

The last good answer is kept. The system's own resolver is asked (`getaddrinfo`: /etc/hosts, DNS), which blocks; a login
never waits for it after the first look-up of a name. Reference: §10.1, `host` of radius_client.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Final

from attrs import define, field
from twisted.internet.defer import Deferred, TimeoutError
from twisted.internet.task import LoopingCall
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger

from duoproxy.net.radius_sentences import name_lookup_failed, name_moved

REFRESH_S: Final = 60.0
FIRST_ANSWER_WAIT_S: Final = 5.0
"""How long after the first question about a name a start or a login waits for an answer."""
MAX_NAMES: Final = 256

Lookup = Callable[[str], Awaitable[list[str]]]
"""All addresses of a name, best first; raises OSError when there are none."""


@define
class _Name:
    address: str | None = None
    addresses: tuple[str, ...] = ()
    looking_up: bool = False
    wait_until: float | None = None
    waiting: list[Deferred[None]] = field(factory=list)


class Resolver:
    """A cache of names that refreshes itself."""

    def __init__(
        self, *, reactor: Any, log_namespace: str, names: Iterable[str] = (), lookup: Lookup | None = None
    ) -> None:
        """Prepare; nothing is looked up yet.

        Args:
            reactor: gives time (`IReactorTime`) and, for the default look-up, threads (`IReactorThreads`).
            log_namespace: the section in whose name is logged.
            names: what to look up at `start`; a name that is asked for later is added then.
            lookup: what asks the system; `getaddrinfo` in a thread when None.
        """
        self._reactor = reactor
        self._log = Logger(namespace=log_namespace)
        self._lookup = lookup or _lookup_in_thread(reactor)
        self._names: dict[str, _Name] = {name: _Name() for name in names if not is_address(name)}
        self._refreshing = LoopingCall(self._refresh)
        self._refreshing.clock = reactor

    async def start(self) -> None:
        """Look all names up, wait for them at most `FIRST_ANSWER_WAIT_S`, and go on to refresh them."""
        self._refreshing.start(REFRESH_S, now=True)
        for name in list(self._names):
            await self.resolve(name)

    async def stop(self) -> None:
        """Look nothing up any more; whoever still waits gets what is known."""
        if self._refreshing.running:
            self._refreshing.stop()
        for known in self._names.values():
            _wake(known)

    async def resolve(self, name: str) -> str | None:
        """Give an address of `name`: the last good answer at once; the first one may take `FIRST_ANSWER_WAIT_S`.

        Returns:
            an address in text form (`name` itself when it is one), or None when the name has never had any.
        """
        if is_address(name):
            return name
        known = self._names.get(name)
        if known is None:
            if len(self._names) >= MAX_NAMES:
                return None
            known = self._names[name] = _Name()
            self._begin(name, known)
        if known.address is None and known.looking_up and known.wait_until is not None:
            await self._first_answer(known, known.wait_until - self._reactor.seconds())
        return known.address

    async def resolve_all(self, name: str) -> tuple[str, ...]:
        """Give every address of `name`, as `resolve` does with one; the one that `resolve` gives comes first."""
        address = await self.resolve(name)
        known = self._names.get(name)
        others = known.addresses if known is not None else ()
        return (address, *(other for other in others if other != address)) if address is not None else ()

    async def _first_answer(self, known: _Name, wait_s: float) -> None:
        if wait_s <= 0:
            return
        waiting: Deferred[None] = Deferred()
        waiting.addTimeout(wait_s, self._reactor)
        known.waiting.append(waiting)
        try:
            await waiting
        except TimeoutError:
            pass
        finally:
            if waiting in known.waiting:
                known.waiting.remove(waiting)

    def _refresh(self) -> None:
        for name, known in self._names.items():
            self._begin(name, known)

    def _begin(self, name: str, known: _Name) -> None:
        if known.looking_up:
            return  # the system's resolver is slow: one thread per name, never a second
        known.looking_up = True
        if known.wait_until is None:
            known.wait_until = self._reactor.seconds() + FIRST_ANSWER_WAIT_S
        Deferred.fromCoroutine(self._look_up(name, known)).addErrback(self._log_fault)

    async def _look_up(self, name: str, known: _Name) -> None:
        try:
            addresses = await self._lookup(name)
        except OSError as error:
            text = name_lookup_failed(name, error.strerror or str(error), known.address or "")
            self._log.warn("{sentence}", sentence=text, name=name)
        else:
            self._keep(name, known, addresses)
        finally:
            known.looking_up = False
            _wake(known)

    def _keep(self, name: str, known: _Name, addresses: list[str]) -> None:
        if addresses:
            known.addresses = tuple(addresses)
        if not addresses or known.address in addresses:
            return  # names with several addresses rotate; the one in use stays while it is among them
        if known.address is not None:
            self._log.info("{sentence}", sentence=name_moved(name, known.address, addresses[0]), name=name)
        known.address = addresses[0]

    def _log_fault(self, failure: Any) -> None:
        self._log.failure("A fault while looking up a name; its last address is kept.", failure)


def _wake(known: _Name) -> None:
    waiting, known.waiting = known.waiting, []
    for each in waiting:
        each.callback(None)


def is_address(host: str) -> bool:
    """Tell whether `host` is an IP address, so that nothing has to be looked up."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _lookup_in_thread(reactor: Any) -> Lookup:
    async def look_up(name: str) -> list[str]:
        return await deferToThreadPool(reactor, reactor.getThreadPool(), _addresses_of, name)

    return look_up


def _addresses_of(name: str) -> list[str]:
    """Ask the system; blocks."""
    found = socket.getaddrinfo(name, None, type=socket.SOCK_DGRAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))
