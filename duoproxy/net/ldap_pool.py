"""The connections to one directory server: a few for searches, bound as the service account, and those of users.

Searches of many logins share a connection, one behind the other. A user's bind has a connection of its own, because it
changes who the connection is; afterwards the next user may have it. How many there are, how long one may idle, and how
many logins may wait is bounded.

A connection that dies under a request is replaced once, by a new one.
"""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar

from twisted.internet.defer import Deferred, DeferredList, DeferredSemaphore

from duoproxy.net import ldap_sentences as sentences
from duoproxy.net.deadlines import Expired, within
from duoproxy.net.ldap_answers import Result
from duoproxy.net.ldap_binds import Credentials, bind
from duoproxy.net.ldap_connect import Connector, Greeting
from duoproxy.net.ldap_connection import LdapConnection
from duoproxy.net.ldap_faults import LdapConnectionLost, LdapNotConnected, LdapTimeout, LdapTooBusy
from duoproxy.net.ldap_pending import Answers
from duoproxy.net.ldap_service import ServiceAccount

MAX_SERVICE_CONNECTIONS: Final = 4
PIPELINE: Final = 8
"""With so many searches under way on each, one more connection is opened."""
MAX_SEARCHES: Final = 128
MAX_USER_CONNECTIONS: Final = 64
MAX_WAITING: Final = 1_000
"""Searches that wait for their turn, and binds as many."""
MAX_IDLE_USER_CONNECTIONS: Final = MAX_USER_CONNECTIONS
"""All that a burst of logins opened: with 16, a third of the CPU of 32 logins at once went into new TLS connections."""
IDLE_S: Final = 60.0
"""Firewalls forget connections that idle, and tell nobody."""

_T = TypeVar("_T")


class ServerConnections:
    """What is open to one server."""

    def __init__(self, reactor: Any, connector: Connector, account: ServiceAccount, open_limit_s: float) -> None:
        """Prepare; nothing is opened yet.

        Args:
            reactor: time and threads.
            connector: opens connections.
            account: binds connections for searches.
            open_limit_s: seconds in which a connection for searches comes about.
        """
        self._reactor = reactor
        self._connector = connector
        self._account = account
        self._open_limit_s = open_limit_s
        self._service: list[LdapConnection] = []
        self._idle_users: list[LdapConnection] = []
        self._all: set[LdapConnection] = set()
        self._searches = DeferredSemaphore(MAX_SEARCHES)
        self._binds = DeferredSemaphore(MAX_USER_CONNECTIONS)
        self._opening: Deferred[None] | None = None
        self._waiting: list[Deferred[LdapConnection]] = []
        self._stopped = False

    @property
    def open_count(self) -> int:
        """How many connections there are."""
        return len(self._all)

    async def search(self, operation: Any, limit_s: float) -> Answers:
        """Search as the service account.

        Args:
            operation: an `LDAPSearchRequest` of ldaptor's.
            limit_s: seconds, for everything that it takes.

        Raises:
            LdapFault: no answer.
        """
        until = self._reactor.seconds() + limit_s

        async def ask_on(fresh: bool) -> Answers:
            connection = await self._service_connection(until - self._reactor.seconds(), fresh)
            return await connection.request(operation, limit_s=until - self._reactor.seconds())

        async def ask() -> Answers:
            try:
                return await ask_on(False)
            except LdapConnectionLost:
                return await ask_on(True)

        return await self._in_turn(self._searches, limit_s, ask)

    async def bind_user(self, credentials: Credentials, limit_s: float) -> Result:
        """Bind as a user, on a connection of its own.

        Args:
            credentials: the user's; fit to be sent.
            limit_s: seconds, for everything that it takes.

        Raises:
            LdapFault: no answer.
        """
        until = self._reactor.seconds() + limit_s

        return await self._in_turn(self._binds, limit_s, lambda: self._bind_user(credentials, until))

    async def _in_turn(self, slots: DeferredSemaphore, limit_s: float, ask: Callable[[], Awaitable[_T]]) -> _T:
        """Ask when there is room."""
        if len(slots.waiting) >= MAX_WAITING:
            raise LdapTooBusy(*sentences.too_many_waiting(MAX_WAITING))
        try:
            await within(self._reactor, limit_s, slots.acquire())
        except Expired:
            raise LdapTimeout(*sentences.no_answer(limit_s)) from None
        try:
            return await ask()
        finally:
            self._release(slots)

    def _release(self, slots: DeferredSemaphore) -> None:
        """Let the next one in; not from within this one's end, or a thousand that fail at once would nest."""
        if slots.waiting:
            self._reactor.callLater(0, slots.release)
        else:
            slots.release()

    # ── the service account's ────────────────────────────────────────────────────────────────────────────────────
    async def _service_connection(self, limit_s: float, fresh: bool) -> LdapConnection:
        """Give a connection for one more search; a fresh one has come about after this call."""
        self._service = [connection for connection in self._service if connection.is_usable]
        best = min(self._service, key=lambda connection: connection.outstanding, default=None)
        if best is not None and not fresh:
            if best.outstanding >= PIPELINE and len(self._service) < MAX_SERVICE_CONNECTIONS:
                self._begin_opening()
            return best
        waiting: Deferred[LdapConnection] = Deferred()
        self._waiting.append(waiting)
        self._begin_opening()
        try:
            return await within(self._reactor, limit_s, waiting)
        except Expired:
            raise LdapTimeout(*sentences.no_answer(limit_s)) from None
        finally:
            if waiting in self._waiting:
                self._waiting.remove(waiting)

    def _begin_opening(self) -> None:
        """Open one connection, however many wait for it: a wrong service password is tried once for all of them."""
        if self._opening is None:
            opening = Deferred.fromCoroutine(self._open_service())
            self._opening = None if opening.called else opening

    async def _open_service(self) -> None:
        outcome: LdapConnection | Exception
        try:
            self._account.require_tries()
            outcome = await self._open(self._open_limit_s, self._account.bind)
            self._service.append(outcome)
        except Exception as fault:  # noqa: BLE001 - whatever it was, it is told to those who wait
            outcome = LdapNotConnected(*sentences.stopping()) if self._stopped else fault
        self._opening = None
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            if isinstance(outcome, Exception):
                each.errback(outcome)
            else:
                each.callback(outcome)

    # ── users' ───────────────────────────────────────────────────────────────────────────────────────────────────
    async def _bind_user(self, credentials: Credentials, until: float) -> Result:
        """Bind on an idle connection or a new one.

        An idle connection that turns out to be dead is replaced once. A new one is not: its server may have counted a
        wrong password already, and a second try would count it twice.
        """
        idle = self._take_idle()
        if idle is not None:
            with contextlib.suppress(LdapConnectionLost):
                return await self._bind_on(idle, credentials, until)
        connection = await self._open(until - self._reactor.seconds(), _nothing)
        return await self._bind_on(connection, credentials, until)

    async def _bind_on(self, connection: LdapConnection, credentials: Credentials, until: float) -> Result:
        answered = False
        try:
            result = await bind(self._reactor, connection, credentials, until - self._reactor.seconds())
            answered = True
        finally:
            self._give_back(connection, answered)
        return result

    def _take_idle(self) -> LdapConnection | None:
        self._idle_users = [connection for connection in self._idle_users if connection.is_usable]
        return self._idle_users.pop() if self._idle_users else None

    def _give_back(self, connection: LdapConnection, answered: bool) -> None:
        """Keep a connection for the next user, unless its keys are this user's."""
        if not answered or connection.is_sealed or not connection.is_usable or self._stopped:
            connection.close()
            return
        self._idle_users.append(connection)
        if len(self._idle_users) > MAX_IDLE_USER_CONNECTIONS:
            self._idle_users.pop(0).close()

    # ── all ──────────────────────────────────────────────────────────────────────────────────────────────────────
    async def _open(self, limit_s: float, greeting: Greeting) -> LdapConnection:
        self._require_running()
        connection = await self._connector.open(limit_s, greeting)
        self._all.add(connection)
        connection.gone.addCallback(lambda _: self._all.discard(connection))
        try:
            self._require_running()
        except LdapNotConnected:
            connection.close()
            raise
        return connection

    def _require_running(self) -> None:
        if self._stopped:
            raise LdapNotConnected(*sentences.stopping())

    def close_idle(self) -> None:
        """End what nobody has used for `IDLE_S`; called now and then."""
        long_ago = self._reactor.seconds() - IDLE_S
        for connection in [*self._service, *self._idle_users]:
            if not connection.outstanding and connection.idle_since <= long_ago:
                connection.close()

    async def stop(self) -> None:
        """End every connection and wait until all are gone; requests in progress fail."""
        self._stopped = True
        if self._opening is not None:
            self._opening.cancel()
        connections = list(self._all)
        for connection in connections:
            connection.close()
        await DeferredList([connection.gone for connection in connections])


async def _nothing(connection: LdapConnection, limit_s: float) -> None:
    """What a user's connection needs before the bind."""
