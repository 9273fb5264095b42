"""The directory, Duo and the people with phones, as the proxy's section sees them: they do what a test says, and tell
the ledger.
"""

from __future__ import annotations

import enum
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock, deferLater

from duoproxy.config.schema import Role, SectionSchema
from duoproxy.duoapi.messages import AuthAnswer, AuthQuery, Preauth, PreauthResult
from duoproxy.errors import AnswerLost, PrimaryUnreachable, ServiceRefused, ServiceUnavailable
from duoproxy.login.outcome import PrimaryOutcome
from duoproxy.login.request import LoginRequest
from duoproxy.radius.relay import DeviceRequest
from duoproxy.sections.contracts import ClientSection, Environment
from duoproxy.sections.shared_options import SectionSettings
from duoproxy.testing import ALLOWED, ASK, DENIED, REFUSED
from tests.property.login_ledger import Ledger, Login
from tests.property.login_terminals import PASSWORDS
from tests.property.plain_radius import ACCESS_ACCEPT, ACCESS_REJECT

EXEMPT_USER = "operator"
BYPASS_USER = "frank"
DENIED_USER = "dora"


class Directory(ClientSection):
    """Checks passwords, now or after a while, or is away."""

    schema = SectionSchema(name="directory", role=Role.CLIENT, summary="", settings_class=SectionSettings)

    def __init__(self, environment: Environment, ledger: Ledger, silent_when_down: bool) -> None:
        super().__init__(SectionSettings(), environment)
        self.delay_s = 0.0
        self.away = False
        self.proved: list[Login] = []
        self._ledger = ledger
        self._clock: Clock = environment.reactor
        self._verdict_when_down = None if silent_when_down else ACCESS_REJECT

    async def authenticate(self, request: LoginRequest) -> PrimaryOutcome:
        """Compare the password; a user whose password was proved may be asked for a second factor once."""
        assert isinstance(request.wire, DeviceRequest)
        login = self._ledger.password_checked(request.wire.packet.authenticator, request.device, request.login_id)
        if self.delay_s:
            await deferLater(self._clock, self.delay_s, lambda: None)
        if login is None:
            return REFUSED
        if self.away:
            self._ledger.decided(login, self._verdict_when_down, self._clock.seconds())
            raise PrimaryUnreachable("the directory", "it does not answer")
        if PASSWORDS[request.username] != request.password.reveal_text():
            self._ledger.decided(login, ACCESS_REJECT, self._clock.seconds())
            return REFUSED
        if request.username == EXEMPT_USER:
            self._ledger.decided(login, ACCESS_ACCEPT, self._clock.seconds(), "exempt-user")
        else:
            self.proved.append(login)
        return PrimaryOutcome(True)


MOST_PUSHES_OF_USER = 8
"""So many telephones of one user ring at once; a further login is rejected."""


class Weather(enum.Enum):
    """How it stands with Duo."""

    FAIR = "it answers"
    AWAY = "it cannot be reached"
    AWAY_BEFORE_THE_PUSH = "it answers preauth and cannot be reached afterwards"
    REFUSES_US = "it refuses our keys"


class Reaction(enum.Enum):
    """What comes of a push."""

    APPROVE = "approve"
    DENY = "deny"
    IGNORE = "ignore"
    LOSE = "the connection is lost while the user is being asked"


@define(eq=False)
class Push:
    """A user who is being asked."""

    login: Login
    waiting: Deferred[AuthAnswer] = field(factory=Deferred)


class Duo:
    """Stands in for `DuoClient`, as a section uses it."""

    def __init__(self, clock: Clock, ledger: Ledger, directory: Directory, failmode_is_safe: bool) -> None:
        self.weather = Weather.FAIR
        self.pending: list[Push] = []
        self._clock = clock
        self._ledger = ledger
        self._directory = directory
        self._verdict_when_away = (ACCESS_ACCEPT, "failmode-safe") if failmode_is_safe else (ACCESS_REJECT, "")

    def begin_login(self) -> DuoLogin:
        """Serve the user whose password was proved just now; nobody else may come here."""
        return DuoLogin(self, self._directory.proved.pop())

    async def stop(self) -> None:
        """Nothing is open."""

    def decided(self, login: Login, verdict: int, bypass: str = "") -> None:
        """Tell the ledger how a login ends."""
        self._ledger.decided(login, verdict, self._clock.seconds(), bypass)

    def breaks_off(self, login: Login) -> ServiceUnavailable:
        """A login that meets an outage ends as `failmode` says."""
        self.decided(login, *self._verdict_when_away)
        return ServiceUnavailable("Duo", "it cannot be reached")

    async def asks(self, login: Login) -> AuthAnswer:
        """Send a push and wait for the user."""
        push = Push(login)
        self._ledger.user_asked(login)
        self.pending.append(push)
        return await push.waiting

    def user_reacts(self, push: Push, reaction: Reaction) -> None:
        """The user does something about a push."""
        self.pending.remove(push)
        if reaction is Reaction.APPROVE:
            self._ledger.user_approves(push.login)
        self.decided(push.login, ACCESS_ACCEPT if reaction is Reaction.APPROVE else ACCESS_REJECT)
        if reaction is Reaction.LOSE:
            push.waiting.errback(AnswerLost("Duo", "the connection was lost"))
        else:
            push.waiting.callback(_ANSWERS[reaction])


_ANSWERS = {
    Reaction.APPROVE: ALLOWED,
    Reaction.DENY: DENIED,
    Reaction.IGNORE: AuthAnswer(False, "timeout", "Login timed out."),
}


@define
class DuoLogin:
    """One login at Duo."""

    duo: Duo
    login: Login

    async def preauth(self, username: str, client_ip: str | None) -> Preauth:
        """Say what is to be done with this user, or fail."""
        assert username == self.login.user
        if self.duo.weather is Weather.AWAY:
            raise self.duo.breaks_off(self.login)
        if self.duo.weather is Weather.REFUSES_US:
            self.duo.decided(self.login, ACCESS_REJECT)
            raise ServiceRefused("Duo", "it refuses our keys", status=401, code=40102)
        if username == BYPASS_USER:
            self.duo.decided(self.login, ACCESS_ACCEPT, "duo-bypass")
            return Preauth(PreauthResult.ALLOW)
        if username == DENIED_USER:
            self.duo.decided(self.login, ACCESS_REJECT)
            return Preauth(PreauthResult.DENY, "Your account is disabled.")
        if sum(push.login.user == username for push in self.duo.pending) >= MOST_PUSHES_OF_USER:
            self.duo.decided(self.login, ACCESS_REJECT)
        return ASK

    async def authenticate(self, query: AuthQuery) -> AuthAnswer:
        """Push, unless Duo went away meanwhile."""
        assert query.username == self.login.user
        if self.duo.weather is Weather.AWAY_BEFORE_THE_PUSH:
            raise self.duo.breaks_off(self.login)
        return await self.duo.asks(self.login)


def stands_in_for_duo(duo: Duo) -> Any:
    """Give a `make_duo_client` that makes this one."""
    return lambda settings, environment: duo
