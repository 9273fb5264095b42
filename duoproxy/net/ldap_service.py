"""The service account: how connections for searches are bound, and what follows when the directory refuses it.

Every wrong password counts towards the lock-out of the account, and every login would try it anew: after a refusal it
is not tried for a minute, doubling to a quarter of an hour. Connections that are bound already go on.

Reference: §1.2 (service_account_username), §10.4.
"""

from __future__ import annotations

from typing import Any, Final

from twisted.logger import Logger

from duoproxy.ldap.messages import ResultCode
from duoproxy.ldap.refusals import INVALID_CREDENTIALS, RefusalKind, explain
from duoproxy.net import ldap_sentences as sentences
from duoproxy.net.ldap_answers import Result
from duoproxy.net.ldap_binds import Credentials, NtlmCredentials, bind
from duoproxy.net.ldap_connection import LdapConnection
from duoproxy.net.ldap_faults import LdapFault, LdapNotNow, ServiceBindRefused

FIRST_PAUSE_S: Final = 60.0
LONGEST_PAUSE_S: Final = 900.0

_STRONGER_AUTH: Final = frozenset({ResultCode.STRONGER_AUTH_REQUIRED, ResultCode.UNWILLING_TO_PERFORM})


class ServiceAccount:
    """The account of one section, on all of its servers."""

    def __init__(self, reactor: Any, log: Logger, credentials: Credentials | None) -> None:
        """Begin without knowing anything bad of it.

        Args:
            reactor: time and threads.
            log: of the section.
            credentials: its name and password; None: searches are anonymous.
        """
        self._reactor = reactor
        self._log = log
        self._credentials = credentials
        self._pause_s = 0.0
        self._paused_until = float("-inf")
        self._refusal: tuple[Result, str] | None = None

    def require_tries(self) -> None:
        """Raise the last refusal while the account is not to be tried.

        Raises:
            ServiceBindRefused: it was refused a short while ago.
        """
        left_s = self._paused_until - self._reactor.seconds()
        if self._refusal is not None and left_s > 0:
            result, cause = self._refusal
            clauses = sentences.service_account_paused(cause, left_s)
            raise ServiceBindRefused(result, *clauses, wrong_credentials=True)

    async def bind(self, connection: LdapConnection, limit_s: float) -> None:
        """Bind a new connection.

        Raises:
            ServiceBindRefused: the account is refused.
            LdapNotNow: the server cannot say.
            LdapFault: no answer.
        """
        if self._credentials is None:
            return
        self.require_tries()
        result = await bind(self._reactor, connection, self._credentials, limit_s)
        if result.code != ResultCode.SUCCESS:
            raise self._refused(result, connection)
        self._pause_s, self._refusal = 0.0, None

    def _refused(self, result: Result, connection: LdapConnection) -> LdapFault:
        refusal = explain(result.code, result.diagnostic, connection.peer)
        if refusal.kind is RefusalKind.NOT_NOW:
            return LdapNotNow(refusal.cause, refusal.remedy)
        clauses = f"the service account is refused: {refusal.cause}", refusal.remedy
        if isinstance(self._credentials, NtlmCredentials) and connection.is_over_tls and result.code in _STRONGER_AUTH:
            clauses = sentences.ntlm_not_over_tls(result.code, result.diagnostic)
        wrong = result.code == INVALID_CREDENTIALS
        if wrong:
            self._pause(result, refusal.cause, connection.peer)
        return ServiceBindRefused(result, *clauses, wrong_credentials=wrong)

    def _pause(self, result: Result, cause: str, server: str) -> None:
        self._refusal = result, cause
        self._pause_s = min(2 * self._pause_s, LONGEST_PAUSE_S) or FIRST_PAUSE_S
        self._paused_until = self._reactor.seconds() + self._pause_s
        sentence = sentences.service_account_refused(server, cause, self._pause_s)
        self._log.error("{sentence}", sentence=sentence, peer=server)
