"""One call to the API: signed, sent, and sent again where that is allowed.

Owns the two rules of sending. What asks nobody (preauth, check, ping, the state of a transaction) may be repeated
inside its budget. What asks the user is written once: on a connection that is new or has just answered, and never again
after an octet of it was accepted for writing, except when the service says that it did not carry it out.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from attrs import define, frozen
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger

from duoproxy.duoapi import sentences
from duoproxy.duoapi.answers import TOO_MANY_REQUESTS, ErrorAnswer, HttpAnswer, UnexpectedAnswer, read_answer
from duoproxy.duoapi.clock import ServiceClock, read_date
from duoproxy.duoapi.limits import CallLimits, LoginBudget, rate_limit_pause_s
from duoproxy.duoapi.sentences import Clauses
from duoproxy.duoapi.signing import ApiCall, Signature, SignedRequest, signed_request
from duoproxy.errors import AnswerLost, ServiceRefused, ServiceUnavailable
from duoproxy.net.duo_channel import Channel, Lost, NotSent
from duoproxy.net.duo_connections import DuoConnections, LackingHere, TooManyOpen
from duoproxy.net.log_limit import LogLimit
from duoproxy.secret import Secret

FRESH_S = 5.0
CERTIFICATE_LOG_S = 60.0
CLOCK_LOG_S = 600.0
REPEATS = 1
REPEAT_PAUSE_S = 1.0


@frozen
class Keys:
    """Who we are to the service.

    Attributes:
        section: name of the INI section.
        ikey: the integration key.
        skey: the secret key.
        host: the API host as it is signed: as in a URL, without port.
        service: the service's name in sentences.
    """

    section: str
    ikey: str
    skey: Secret
    host: str
    service: str


@define
class Reach:
    """What is known of the way to the service.

    Attributes:
        answered_at: when it answered last (seconds of the reactor), whatever it said; None: it never did.
        failed_at: when it could not be asked, or gave no answer, last.
        failure: why.
        refusal: why it refused us, if that was its last answer.
    """

    answered_at: float | None = None
    failed_at: float | None = None
    failure: str = ""
    refusal: str = ""

    @property
    def is_there(self) -> bool | None:
        """Whether it answered when it was asked last; None: it was not asked yet."""
        if self.failed_at is None:
            return None if self.answered_at is None else True
        return self.answered_at is not None and self.answered_at > self.failed_at


class DuoCalls:
    """Makes calls with the keys of one section.

    Attributes:
        reach: what is known of the way to the service.
    """

    def __init__(
        self,
        reactor: IReactorTime,
        keys: Keys,
        connections: DuoConnections,
        limits: CallLimits,
        random: Callable[[], float],
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        """Prepare.

        Args:
            reactor: gives time.
            keys: who we are.
            connections: to the API host.
            limits: of single calls.
            random: gives 0 to 1, for pauses.
            wall_clock: gives Unix seconds.
        """
        self._reactor = reactor
        self._keys = keys
        self._connections = connections
        self._limits = limits
        self._random = random
        self._wall_clock = wall_clock
        self._clock = ServiceClock()
        self._log = Logger(namespace=keys.section)
        self.reach = Reach()
        self._certificate_log = LogLimit(CERTIFICATE_LOG_S)
        self._clock_log = LogLimit(CLOCK_LOG_S)

    async def ask(self, call: ApiCall, signature: Signature, budget: LoginBudget) -> object:
        """Make a call that asks no user, and give the content of its answer.

        What fails at once is tried once more on a new connection; what took its time is not.

        Args:
            call: what to ask.
            signature: how it is signed.
            budget: is running.

        Raises:
            ServiceUnavailable: no answer, a broken one, or a fault of the service.
            ServiceRefused: a bound of our own.
            ErrorAnswer: the service refuses us (4xx), after waiting where it said so.
        """
        attempts = _Attempts()
        while True:
            try:
                answer = await self._once(call, signature, budget)
            except (NotSent, Lost) as fault:
                if not (fault.again and attempts.take_repeat(fault)):
                    raise self._unavailable(fault) from fault
                continue
            self._say_stray(attempts)
            try:
                return read_answer(answer)
            except UnexpectedAnswer as fault:
                raise self.unavailable(sentences.unexpected(str(fault))) from fault
            except ErrorAnswer as error:
                if await self._not_carried_out(error, answer, attempts, budget):
                    continue
                if error.refuses_us:
                    raise
                if not attempts.take_repeat() or not await self._pause(REPEAT_PAUSE_S, budget):
                    raise self.unavailable(sentences.server_trouble(error)) from error

    async def ask_user(self, call: ApiCall, signature: Signature, budget: LoginBudget, answer_s: float) -> object:
        """Make a call that asks the user, at most once, and give the content of its answer.

        A 429 and a refused time are answers that say that the request was not carried out: it may be made again.

        Args:
            call: what to ask.
            signature: how it is signed.
            budget: is running; stops while the user is waited for.
            answer_s: seconds for the whole call.

        Raises:
            ServiceUnavailable: the request could not be sent.
            ServiceRefused: a bound of our own.
            ErrorAnswer: the service refuses us (4xx).
            AnswerLost: the request was sent, and no answer that can be used came.
        """
        attempts = _Attempts()
        while True:
            started = self._reactor.seconds()
            channel = await self._fresh(budget, attempts, answer_s)
            budget.pause()
            left_s = answer_s - (self._reactor.seconds() - started)
            try:
                answer = await self._exchange(channel, self._sign(call, signature), left_s)
            except NotSent as fault:
                budget.resume()
                if not attempts.take_repeat():
                    raise self._unavailable(fault) from fault
                continue
            except Lost as fault:
                raise self.answer_lost(fault.clauses) from fault
            try:
                return read_answer(answer)
            except UnexpectedAnswer as fault:
                raise self.answer_lost(sentences.unexpected(str(fault))) from fault
            except ErrorAnswer as error:
                budget.resume()
                if await self._not_carried_out(error, answer, attempts, budget):
                    continue
                if error.refuses_us:
                    raise
                raise self.answer_lost(sentences.server_trouble(error)) from error

    async def poll(self, call: ApiCall, signature: Signature, until_s: float) -> object:
        """Ask for the state of a transaction until there is an answer.

        Args:
            call: what to ask.
            signature: how it is signed.
            until_s: seconds of the reactor; the user was asked already, so nothing but time ends this.

        Raises:
            AnswerLost: no answer by then, or a refusal.
        """
        while True:
            budget = LoginBudget(self._reactor.seconds, until_s - self._reactor.seconds())
            with budget.running():
                try:
                    return read_answer(await self._once(call, signature, budget, call_s=budget.remaining_s()))
                except (NotSent, Lost) as fault:
                    clauses, again = fault.clauses, fault.again
                except UnexpectedAnswer as fault:
                    clauses, again = sentences.unexpected(str(fault)), False
                except ErrorAnswer as error:
                    clauses, again = sentences.server_trouble(error), error.is_rate_limit or not error.refuses_us
                if not again or not await self._pause(REPEAT_PAUSE_S + self._random(), budget):
                    raise self.answer_lost(clauses)

    def unavailable(self, clauses: Clauses) -> ServiceUnavailable:
        """Make the error for what happened before the user was asked."""
        self._note_failure(clauses)
        return ServiceUnavailable(self._keys.service, clauses.cause, clauses.remedy)

    def answer_lost(self, clauses: Clauses) -> AnswerLost:
        """Make the error for what happened when the user may have been asked."""
        self._note_failure(clauses)
        said = sentences.answer_lost(clauses)
        return AnswerLost(self._keys.service, said.cause, said.remedy)

    def refused(self, error: ErrorAnswer) -> ServiceRefused:
        """Make the error for a refusal of our keys, clock, application or rate."""
        said = sentences.refusal(error, self._keys.section, self._keys.ikey)
        self.reach.refusal = said.cause
        return ServiceRefused(self._keys.service, said.cause, said.remedy, status=error.status, code=error.code)

    def rate_limited(self, fault: ServiceUnavailable) -> ServiceRefused:
        """Make the error for what failed after a rate limit, which whoever provoked it must not turn into a bypass."""
        said = sentences.rate_limit_and_then(fault.cause)
        return ServiceRefused(self._keys.service, said.cause, said.remedy, status=TOO_MANY_REQUESTS)

    def too_slow_here(self, fault: ServiceUnavailable, stalled_s: float) -> ServiceRefused:
        """Make the error for what failed while this process stood still, which can be provoked as well."""
        said = sentences.too_slow_here(stalled_s, fault.cause)
        return ServiceRefused(self._keys.service, said.cause, said.remedy)

    async def _once(
        self, call: ApiCall, signature: Signature, budget: LoginBudget, call_s: float | None = None
    ) -> HttpAnswer:
        """Send one request; an idle connection that turns out to be dead is no attempt."""
        started = self._reactor.seconds()
        limit_s = self._limits.call_s if call_s is None else call_s

        def left_s() -> float:
            return float(min(limit_s - (self._reactor.seconds() - started), budget.remaining_s()))

        idle = self._connections.take_idle()
        if idle is not None:
            try:
                return await self._exchange(idle, self._sign(call, signature), left_s())
            except (NotSent, Lost) as fault:
                if not fault.again:
                    raise
        channel = await self._connect(min(left_s(), self._limits.connect_s))
        return await self._exchange(channel, self._sign(call, signature), left_s())

    async def _fresh(self, budget: LoginBudget, attempts: _Attempts, call_s: float) -> Channel:
        """Give a connection that is new or has just answered."""
        idle = self._connections.take_idle(FRESH_S)
        if idle is not None:
            return idle
        while True:
            try:
                channel = await self._connect(min(self._limits.connect_s, budget.remaining_s(), call_s))
            except NotSent as fault:
                if not (fault.again and attempts.take_repeat(fault)):
                    raise self._unavailable(fault) from fault
                continue
            self._say_stray(attempts)
            return channel

    async def _connect(self, limit_s: float) -> Channel:
        if limit_s <= 0:
            raise NotSent(sentences.budget_spent(), again=False)
        try:
            return await self._connections.connect(limit_s)
        except TooManyOpen as fault:
            said = sentences.too_many_pending(fault.limit)
            raise ServiceRefused(self._keys.service, said.cause, said.remedy) from fault
        except LackingHere as fault:
            said = sentences.lacking_here(fault.reason)
            raise ServiceRefused(self._keys.service, said.cause, said.remedy) from fault

    async def _exchange(self, channel: Channel, request: SignedRequest, answer_s: float) -> HttpAnswer:
        asked_at = self._reactor.seconds()
        answer = await channel.exchange(request, answer_s, self._limits.body_s)
        self._connections.give_back(channel)
        self.reach.answered_at, self.reach.refusal = self._reactor.seconds(), ""
        self._observe(answer, self._reactor.seconds() - asked_at)
        return answer

    def _note_failure(self, clauses: Clauses) -> None:
        self.reach.failed_at, self.reach.failure = self._reactor.seconds(), clauses.cause

    def _sign(self, call: ApiCall, signature: Signature) -> SignedRequest:
        keys = self._keys
        now_s = self._clock.time_s(self._wall_clock())
        return signed_request(call, signature, keys.host, now_s, keys.ikey, keys.skey)

    async def _not_carried_out(
        self, error: ErrorAnswer, answer: HttpAnswer, attempts: _Attempts, budget: LoginBudget
    ) -> bool:
        """Tell whether the request shall be made again, because the service did not look at what it asks."""
        if error.is_rate_limit:
            budget.was_rate_limited = True
            pause_s = rate_limit_pause_s(attempts.pauses, self._random())
            attempts.pauses += 1
            return await self._pause(pause_s, budget)
        date_s = read_date(answer.date)
        if not error.is_clock or date_s is None or attempts.clock_corrected:
            return False
        attempts.clock_corrected = True
        self._clock.adopt(date_s, self._wall_clock())
        self._say_clock()
        return True

    async def _pause(self, pause_s: float, budget: LoginBudget) -> bool:
        """Wait, if the budget allows it; tell whether it did."""
        if pause_s >= budget.remaining_s():
            return False
        await deferLater(self._reactor, pause_s)
        return True

    def _observe(self, answer: HttpAnswer, waited_s: float) -> None:
        """Compare clocks: each answer came over verified TLS."""
        date_s = read_date(answer.date)
        if date_s is not None:
            self._clock.observe(date_s, self._wall_clock(), waited_s)
            self._say_clock()

    def _say_clock(self) -> None:
        offset_s = self._clock.offset_s
        if offset_s and self._clock_log.passes("clock", self._reactor.seconds()) is not None:
            sentence = sentences.clock_drift(self._keys.service, offset_s, self._keys.section)
            self._log.warn("{sentence}", sentence=sentence)

    def _unavailable(self, fault: NotSent | Lost) -> ServiceUnavailable:
        """Make the error for a request that got no answer; a certificate has a line of its own in the log."""
        if isinstance(fault, NotSent) and fault.certificate:
            self._say_certificate("certificate", sentences.certificate_log, fault.clauses)
        return self.unavailable(fault.clauses)

    def _say_certificate(self, fact: str, sentence_of: Callable[[str, Clauses, str], str], what: Clauses) -> None:
        if self._certificate_log.passes(fact, self._reactor.seconds()) is not None:
            self._log.error("{sentence}", sentence=sentence_of(self._keys.service, what, self._keys.section))

    def _say_stray(self, attempts: _Attempts) -> None:
        """Tell of a certificate that was refused before the attempt that went well: somebody may be at the DNS."""
        stray, attempts.stray = attempts.stray, None
        if stray is not None:
            self._say_certificate("stray", sentences.stray_certificate_log, stray)


@define
class _Attempts:
    """What one call has used up.

    Attributes:
        repeats: attempts on a new connection that are left.
        pauses: pauses that a rate limit has asked for.
        clock_corrected: whether the service's time was taken already.
        stray: what was wrong with a certificate that was refused, if another attempt is made.
    """

    repeats: int = REPEATS
    pauses: int = 0
    clock_corrected: bool = False
    stray: Clauses | None = None

    def take_repeat(self, fault: NotSent | Lost | None = None) -> bool:
        """Use up a repeat, if one is left, because of a fault."""
        if self.repeats == 0:
            return False
        self.repeats -= 1
        if isinstance(fault, NotSent) and fault.certificate:
            self.stray = fault.clauses
        return True
