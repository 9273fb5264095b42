"""The second factor: Duo's Auth API as a login sees it.

Owns which generation of the API is spoken, the budget of a login, and what each fault means to the login: unavailable
(nobody was asked), refused (our own fault) or lost (the user may have been asked). How a call is sent stands in
`duoproxy.net.duo_calls`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any, Literal, TypeVar

from twisted.internet.task import deferLater
from twisted.logger import Logger

from duoproxy.duoapi import sentences
from duoproxy.duoapi.answers import ErrorAnswer, UnexpectedAnswer
from duoproxy.duoapi.generations import DIALECTS, ApiDialect
from duoproxy.duoapi.limits import CallLimits, LoginBudget
from duoproxy.duoapi.messages import AuthAnswer, AuthQuery, Generation, Preauth
from duoproxy.duoapi.signing import ApiCall
from duoproxy.errors import ServiceRefused, ServiceUnavailable
from duoproxy.net.connection_limit import DEFAULT_LIMIT, ConnectionLimit
from duoproxy.net.duo_calls import DuoCalls, Keys
from duoproxy.net.duo_connections import DuoConnections, Route, split_api_host
from duoproxy.net.loop_watch import LoopWatch
from duoproxy.net.tls import TrustRoots
from duoproxy.secret import Secret

MIN_POLL_S = 1.0
MAX_STALL_S = 2.0
"""A login in which this process stood still for so long cannot tell that the service is away."""

GenerationChoice = Literal["auto", "v1", "v2"]
Transaction = Literal["blocking", "async"]

_T = TypeVar("_T")


class DuoClient:
    """Duo's service for one section: a `duoproxy.login.flow.SecondFactor`.

    Attributes:
        loop_watch: measures how long this process itself stands still.
    """

    def __init__(
        self,
        *,
        reactor: Any,
        section_name: str,
        ikey: str,
        skey: Secret,
        api_host: str,
        trust_roots: TrustRoots,
        random: Callable[[], float],
        api_timeout_s: float = 0.0,
        generation: GenerationChoice = "auto",
        http_proxy: tuple[str, int] | None = None,
        max_pending_logins: int = DEFAULT_LIMIT,
        limit: ConnectionLimit | None = None,
        transaction: Transaction = "blocking",
        generations: MutableMapping[str, Generation] | None = None,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        """Prepare; nothing is opened before the first call.

        Args:
            reactor: gives time, TCP and name resolution.
            section_name: name of the INI section.
            ikey: the integration key.
            skey: the secret key.
            api_host: name of the API host, with a port where it is not 443.
            trust_roots: whom to trust.
            random: gives 0 to 1, for pauses.
            api_timeout_s: lowers the limit of each call; 0: it does not.
            generation: which generation of the API; `auto`: the second, and the first where the second is refused.
            http_proxy: address and port of an HTTP proxy; the environment's is never used.
            max_pending_logins: how many connections may be in use at once, without `limit`.
            limit: the same bound, shared with other sections.
            transaction: whether a call that asks the user waits for the answer, or begins a transaction.
            generations: which generation an ikey turned out to need; sections that share it learn from each other.
            wall_clock: gives Unix seconds.

        Raises:
            ValueError: `api_host` has a port that is none.
        """
        host, port = split_api_host(api_host)
        route = Route(host, port, http_proxy, section_name)
        keys = Keys(section_name, ikey, skey, route.url_host, sentences.service_name(api_host))
        self.loop_watch = LoopWatch(reactor)
        self._reactor = reactor
        self._keys = keys
        self._log = Logger(namespace=section_name)
        self._limits = CallLimits.capped(api_timeout_s)
        self._connections = DuoConnections(reactor, route, trust_roots, limit or ConnectionLimit(max_pending_logins))
        self._calls = DuoCalls(reactor, keys, self._connections, self._limits, random, wall_clock)
        self._wanted = None if generation == "auto" else Generation(generation)
        self._generations = {} if generations is None else generations
        self._asynchronous = transaction == "async"

    @property
    def dialect(self) -> ApiDialect:
        """The generation of the API that is spoken now."""
        return DIALECTS[self._wanted or self._generations.get(self._keys.ikey, Generation.V2)]

    def begin_login(self) -> DuoLogin:
        """Begin one login, with its own budget."""
        return DuoLogin(self, LoginBudget(self._reactor.seconds))

    async def ping(self) -> float | None:
        """Ask whether the service is there, and give its time in Unix seconds where it tells it; raises as `check`."""
        budget = LoginBudget(self._reactor.seconds)
        with budget.running():
            return (await self.ask(lambda api: api.ping_call(), lambda api, content: api.parse_ping(content), budget))[
                1
            ]

    async def check(self) -> None:
        """Ask whether the keys are good.

        Raises:
            ServiceUnavailable: the service could not be asked.
            ServiceRefused: they are not.
        """
        budget = LoginBudget(self._reactor.seconds)
        with budget.running():
            await self.ask(lambda api: api.check_call(), lambda api, content: api.parse_check(content), budget)

    def status(self) -> dict[str, object]:
        """Say how the way to Duo is, in the words of `Section.status`."""
        reach, now = self._calls.reach, self._reactor.seconds()
        return {
            "api_host": self._keys.host,
            "generation": self.dialect.generation.value,
            "reachable": reach.is_there,
            "answered_s_ago": None if reach.answered_at is None else round(now - reach.answered_at, 1),
            "failure": reach.failure if reach.is_there is False else reach.refusal,
        }

    async def stop(self) -> None:
        """End every connection."""
        await self._connections.stop()

    async def ask(
        self,
        spell: Callable[[ApiDialect], ApiCall],
        parse: Callable[[ApiDialect, object], _T],
        budget: LoginBudget,
    ) -> tuple[ApiDialect, _T]:
        """Make a call that asks no user, in the generation that the application may use.

        Returns:
            the generation that answered, and its answer.

        Raises:
            ServiceUnavailable, ServiceRefused: as in `check`.
        """
        dialect = self.dialect
        try:
            return dialect, await self._ask_in(dialect, spell, parse, budget)
        except ErrorAnswer as error:
            if not error.is_wrong_generation or not self._may_fall_back(dialect):
                self._forget(dialect, error)
                raise self._calls.refused(error) from error
            return await self._ask_older(error, spell, parse, budget)

    async def _ask_older(
        self,
        refusal: ErrorAnswer,
        spell: Callable[[ApiDialect], ApiCall],
        parse: Callable[[ApiDialect, object], _T],
        budget: LoginBudget,
    ) -> tuple[ApiDialect, _T]:
        """Try the first generation after the second was refused, and remember it when it answers."""
        older = DIALECTS[Generation.V1]
        try:
            answer = await self._ask_in(older, spell, parse, budget)
        except ErrorAnswer as error:
            raise self._calls.refused(refusal) from error
        keys = self._keys
        if keys.ikey not in self._generations:
            self._generations[keys.ikey] = Generation.V1
            self._log.info("{sentence}", sentence=sentences.older_generation(keys.service, keys.ikey, keys.section))
        return older, answer

    def _forget(self, refused: ApiDialect, error: ErrorAnswer) -> None:
        """Begin with the second generation again when the first, which was remembered, is refused by now."""
        if self._wanted is None and error.is_wrong_generation and refused.generation is Generation.V1:
            self._generations.pop(self._keys.ikey, None)

    def _may_fall_back(self, refused: ApiDialect) -> bool:
        return self._wanted is None and refused.generation is Generation.V2

    async def _ask_in(
        self,
        dialect: ApiDialect,
        spell: Callable[[ApiDialect], ApiCall],
        parse: Callable[[ApiDialect, object], _T],
        budget: LoginBudget,
    ) -> _T:
        content = await self._calls.ask(spell(dialect), dialect.signature, budget)
        try:
            return parse(dialect, content)
        except UnexpectedAnswer as fault:
            raise self._calls.unavailable(sentences.unexpected(str(fault))) from fault

    async def ask_user(self, dialect: ApiDialect, query: AuthQuery, budget: LoginBudget) -> AuthAnswer:
        """Ask the user, in the generation that answered `preauth`.

        Raises:
            ServiceUnavailable: the user was not asked.
            ServiceRefused: the service refuses us.
            AnswerLost: the user may have been asked.
        """
        until_s = self._reactor.seconds() + self._limits.user_s
        call = dialect.auth_call(query, asynchronous=self._asynchronous)
        answer_s = self._limits.call_s if self._asynchronous else self._limits.user_s
        try:
            content = await self._calls.ask_user(call, dialect.signature, budget, answer_s)
        except ErrorAnswer as error:
            raise self._calls.refused(error) from error
        try:
            if not self._asynchronous:
                return dialect.parse_auth(content)
            budget.pause()
            return await self._follow(dialect, dialect.parse_transaction(content), until_s)
        except UnexpectedAnswer as fault:
            raise self._calls.answer_lost(sentences.unexpected(str(fault))) from fault

    def rate_limited(self, fault: ServiceUnavailable) -> ServiceRefused:
        """Make the error for what failed after a rate limit."""
        return self._calls.rate_limited(fault)

    def too_slow_here(self, fault: ServiceUnavailable, stalled_s: float) -> ServiceRefused:
        """Make the error for what failed while this process stood still."""
        return self._calls.too_slow_here(fault, stalled_s)

    async def _follow(self, dialect: ApiDialect, transaction: str, until_s: float) -> AuthAnswer:
        """Wait for the end of a transaction; a service that answers at once is asked each second, not more often."""
        call = dialect.status_call(transaction)
        while True:
            asked_at = self._reactor.seconds()
            answer = dialect.parse_status(await self._calls.poll(call, dialect.signature, until_s))
            if answer is not None:
                return answer
            too_early_s = asked_at + MIN_POLL_S - self._reactor.seconds()
            if too_early_s > 0:
                await deferLater(self._reactor, too_early_s)


class DuoLogin:
    """One login: a `duoproxy.login.flow.SecondFactorLogin`."""

    def __init__(self, client: DuoClient, budget: LoginBudget) -> None:
        """Begin.

        Args:
            client: the service.
            budget: for everything before the user is asked.
        """
        self._client = client
        self._budget = budget
        self._dialect: ApiDialect | None = None

    async def preauth(self, username: str, client_ip: str | None) -> Preauth:
        """Ask what is to be done with a user.

        Raises:
            ServiceUnavailable: the service could not be asked.
            ServiceRefused: the service refuses us.
        """
        with self._budget.running(), self._unprovoked():
            self._dialect, answer = await self._client.ask(
                lambda api: api.preauth_call(username, client_ip),
                lambda api, content: api.parse_preauth(content),
                self._budget,
            )
        return answer

    async def authenticate(self, query: AuthQuery) -> AuthAnswer:
        """Ask the user, or check a passcode.

        Raises:
            ServiceUnavailable: the user was not asked.
            ServiceRefused: the service refuses us.
            AnswerLost: the user may have been asked, and the answer is not known.
        """
        with self._budget.running(), self._unprovoked():
            return await self._client.ask_user(self._dialect or self._client.dialect, query, self._budget)

    @contextmanager
    def _unprovoked(self) -> Iterator[None]:
        """Turn an outage into a refusal when its time went into waiting for a rate limit, or into standing still here:
        both can be provoked.
        """
        watch = self._client.loop_watch
        with watch.watching() as stalls:
            try:
                yield
            except ServiceUnavailable as fault:
                watch.look()
                if self._budget.was_rate_limited:
                    raise self._client.rate_limited(fault) from fault
                if stalls.total_s >= MAX_STALL_S:
                    raise self._client.too_slow_here(fault, stalls.total_s) from fault
                raise
