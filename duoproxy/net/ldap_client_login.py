"""The login of a client's bind: it is judged, and whoever judges it asks the directory on the client's own connection.

Owns the waiting: for the verdict, and for what the directory says to a bind and to a WhoAmI. Who may log in is the
business of whoever judges; what the octets are, that of `duoproxy.ldap.relay`.

Source: RFC 4511 §4.2; RFC 4532.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from duoproxy.errors import PrimaryUnreachable, RemoteProtocolError
from duoproxy.ldap.messages import ResultCode
from duoproxy.ldap.relay import Relay
from duoproxy.ldap.relay_actions import Action, BindAnswered, BindLost, GiveUpBind, JudgeBind, WhoAnswered
from duoproxy.net.deadlines import Expired, within
from duoproxy.net.ldap_bind_attempt import BindAnswer, BindAttempt, BindVerdict
from duoproxy.net.ldap_client_limits import ClientLimits, ClientTimes
from duoproxy.net.ldap_far_side import FarSide
from duoproxy.secret import Secret

_DIRECTORY = "the directory"


class JudgesBinds(Protocol):
    """Whoever has clients, as far as their logins need it."""

    reactor: IReactorTime
    limits: ClientLimits
    answer_limit_s: float

    def judge(self, attempt: BindAttempt) -> Awaitable[BindVerdict]:
        """Judge a bind."""

    def login_failed(self, failure: Failure) -> None:
        """Log a fault of ours in a login."""


class ClientLogin:
    """At most one login of one client at a time.

    Attributes:
        address: of the client.
        port: of the client.
        directory_fault: why the directory ended a login; empty: it did not.
    """

    def __init__(
        self,
        service: JudgesBinds,
        address: str,
        port: int,
        relay: Relay,
        far_side: FarSide,
        times: ClientTimes,
        perform: Callable[[list[Action]], None],
    ) -> None:
        """Prepare.

        Args:
            service: what all clients share.
            address: of the client.
            port: of the client.
            relay: the machine of the client.
            far_side: its connection to the directory.
            times: its times; the end of a login is one.
            perform: does what the machine says.
        """
        self.address = address
        self.port = port
        self.directory_fault = ""
        self._service = service
        self._relay = relay
        self._far_side = far_side
        self._times = times
        self._perform = perform
        self._running: Deferred[None] | None = None
        self._answer: Deferred[BindAnswer] | None = None
        self._who: Deferred[bytes] | None = None

    # ── the verdict ────────────────────────────────────────────────────────────────────────────────────────────
    def begin(self, action: JudgeBind) -> None:
        """Have a bind judged; the machine is told of the verdict."""
        running = Deferred.fromCoroutine(self._log_in(BindAttempt(self, action)))
        self._running = None if running.called else running
        running.addErrback(self._failed)

    async def _log_in(self, attempt: BindAttempt) -> None:
        try:
            verdict = await self._service.judge(attempt)
        finally:
            self._running = None
        if verdict.accepted:
            self._perform(self._relay.accept_bind(exempt=verdict.exempt))
        else:
            refused = self._relay.refuse_bind(verdict.code, verdict.text, exempt=verdict.exempt, relay=verdict.relay)
            self._perform(refused)
        self._times.active_at = self._service.reactor.seconds()

    def _failed(self, failure: Failure) -> None:
        if failure.check(CancelledError) is None:
            self._service.login_failed(failure)
        self._perform(self._relay.refuse_bind(ResultCode.OTHER, "An internal error of the authentication proxy."))

    def cancel(self) -> None:
        """Bring the login that is under way to its end now; it is told, and the client gets an answer."""
        if self._running is not None:
            self._running.cancel()

    def give_up(self, action: GiveUpBind) -> None:
        """End the login that is under way: its client, or its directory, is gone."""
        self.directory_fault = action.reason if action.by_directory else ""
        running, self._running = self._running, None
        if running is not None:
            running.cancel()

    # ── what the directory says ────────────────────────────────────────────────────────────────────────────────
    async def send_bind(self, name: bytes, password: Secret) -> BindAnswer:
        """Send a bind in place of the client's, and wait for its answer.

        Raises:
            PrimaryUnreachable: there is none.
        """
        waiting: Deferred[BindAnswer] = Deferred()
        self._answer = waiting
        limit_s = self._service.answer_limit_s
        try:
            self._perform(self._relay.send_bind(name, password))
            if self._far_side.is_opening:
                limit_s += self._service.limits.network_s
            return await within(self._service.reactor, limit_s, waiting)
        except Expired:
            server = self._far_side.server or _DIRECTORY
            raise PrimaryUnreachable(server, f"no answer to the bind within {limit_s:g} s") from None
        except RemoteProtocolError as fault:
            raise PrimaryUnreachable(_DIRECTORY, str(fault)) from None
        finally:
            self._answer = None

    @property
    def holds_yes(self) -> bool:
        """Whether the directory's yes is held back for the client, and still good."""
        return self._relay.holds_yes

    async def who_is_bound(self) -> bytes:
        """Ask the directory whom it takes the connection for.

        Raises:
            PrimaryUnreachable: it does not answer.
        """
        waiting: Deferred[bytes] = Deferred()
        self._who = waiting
        try:
            self._perform(self._relay.ask_who())
            return await within(self._service.reactor, self._service.answer_limit_s, waiting)
        except (Expired, RuntimeError, RemoteProtocolError):
            raise PrimaryUnreachable(_DIRECTORY, "it does not say who is bound") from None
        finally:
            self._who = None

    def answered(self, action: BindAnswered) -> None:
        """Take the directory's answer to the bind."""
        waiting, self._answer = self._answer, None
        if waiting is not None:
            waiting.callback(BindAnswer(action.code, action.text, self._far_side.server))

    def who_answered(self, action: WhoAnswered) -> None:
        """Take the directory's answer to the WhoAmI."""
        waiting, self._who = self._who, None
        if waiting is not None:
            waiting.callback(action.authorization_id)

    def lost(self, action: BindLost) -> None:
        """Hear that no answer will come."""
        answer, self._answer = self._answer, None
        who, self._who = self._who, None
        for waiting in (answer, who):
            if waiting is not None:
                waiting.errback(PrimaryUnreachable(_DIRECTORY, action.reason))

    def withdraw(self) -> Callable[[str], None] | None:
        """Take back the bind that waits for an answer, and give what tells it why; None when none waits."""
        waiting, self._answer = self._answer, None
        if waiting is None:
            return None
        return lambda why: waiting.errback(PrimaryUnreachable(_DIRECTORY, why))
