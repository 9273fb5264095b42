"""One login over LDAP: from a bind to `run_login`, and from its outcome to the answer.

The directory judges the password, on the connection of the client; the entry says who the user is, for Duo. Binds that
need no second factor (the first one, entries below `exempt_ou_n`) take the same way, and are told as bypasses.

Reference: §2.3, §10.3, §10.4, §10.7.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from attrs import evolve, field, frozen
from twisted.internet.defer import CancelledError

from duoproxy.errors import PrimaryUnreachable
from duoproxy.ldap.messages import ResultCode
from duoproxy.ldap.names import is_at_or_below, looks_like_dn, same_dn
from duoproxy.login.duo_stage import stage_event
from duoproxy.login.ends import accept, reject
from duoproxy.login.events import Stage, StageEvent
from duoproxy.login.factors import AppendMode
from duoproxy.login.flow import run_login
from duoproxy.login.joined_binds import MIN_KEY_BYTES, JoinedBinds
from duoproxy.login.outcome import Cause, Outcome, PrimaryOutcome, Verdict
from duoproxy.login.parties import SecondFactor
from duoproxy.login.policy import LoginPolicy
from duoproxy.login.request import LoginRequest
from duoproxy.net.directory_users import DirectoryUser, NotFound
from duoproxy.net.ldap_answers import printable
from duoproxy.net.ldap_bind_attempt import BindAnswer, BindAttempt, BindVerdict
from duoproxy.secret import Secret
from duoproxy.sections.bind_directory import SHIELDED, BindDirectory
from duoproxy.sections.contracts import Environment
from duoproxy.sections.login_record import LoginRecord

NOBODY: Final = "This account cannot be matched to a user of two-factor authentication."
NOT_HERE: Final = "This account may not log in here."
NO_DIRECTORY: Final = "The directory cannot be reached."
DIRECTORY_LOST: Final = "The connection to the directory was lost: bind again."

_DN_AUTHORIZATION: Final = b"dn:"

RESULT_CODES: Final[Mapping[Cause, ResultCode]] = MappingProxyType(
    {
        Cause.PRIMARY_UNREACHABLE: ResultCode.UNAVAILABLE,
        Cause.FAILMODE_SECURE: ResultCode.BUSY,
        Cause.PRIMARY_ONLY_REFUSED: ResultCode.BUSY,
        Cause.TOO_MANY_QUESTIONS: ResultCode.BUSY,
        Cause.ANSWER_LOST: ResultCode.BUSY,
        Cause.SHUTDOWN: ResultCode.BUSY,
        Cause.DUO_REFUSED_US: ResultCode.UNAVAILABLE,
        Cause.FAULT: ResultCode.OTHER,
    }
)
"""Ends that are no word about the user: applications that see invalidCredentials count a wrong password."""


@frozen
class LdapLoginSettings:
    """What a section decides about its logins.

    Attributes:
        policy: for the flow.
        exempt_primary_bind: whether the first bind of a connection needs no second factor.
        exempt_dns: entries at or below these need none.
        client_ip_from_connection: whether Duo is told the client's address.
        join_binds_s: for so many seconds an approval is good for one more bind; 0: never.
        ikey: for events.
        client_section: name of the client section, for events.
    """

    policy: LoginPolicy
    exempt_primary_bind: bool
    exempt_dns: tuple[str, ...]
    client_ip_from_connection: bool
    join_binds_s: float
    ikey: str
    client_section: str


@frozen
class _Login:
    """One login, as far as it is known.

    Attributes:
        attempt: the bind.
        request: for the flow; its `wire` is the DN for events.
        user: the entry; None where nobody looked for it, or there is none.
        reason: why there is none.
        waived: why no second factor is needed; None: it is.
        unproven: no entry can be read; whether it is the exempt account is for the directory to say, after its yes.
    """

    attempt: BindAttempt
    request: LoginRequest
    user: DirectoryUser | None = None
    reason: str = ""
    waived: Cause | None = field(default=None)
    unproven: bool = False


class LdapLogins(LoginRecord):
    """Judges the binds of one section."""

    def __init__(
        self,
        settings: LdapLoginSettings,
        environment: Environment,
        directory: BindDirectory,
        second_factor: SecondFactor,
    ) -> None:
        """Keep what every login needs."""
        super().__init__(environment, ikey=settings.ikey, client_section=settings.client_section, checks_passwords=True)
        self._settings = settings
        self._directory = directory
        self._second_factor = second_factor
        self._joined = JoinedBinds(settings.join_binds_s, environment.random_bytes(MIN_KEY_BYTES))

    async def judge(self, attempt: BindAttempt) -> BindVerdict:
        """Judge one bind with name and password."""
        started = self._environment.reactor.seconds()
        login = _Login(attempt, self._login_request(attempt))
        self._log_begin(login.request, f"LDAP bind {attempt.number} of port {attempt.port}")
        try:
            found = await self._safely(login.request.login_id, self._look_up(login))
            if isinstance(found, _Login):
                login = found
                outcome = await self._safely(login.request.login_id, self._run(login))
            else:
                outcome = found
        except CancelledError:
            self._log_end(login.request, _given_up(attempt), self._environment.reactor.seconds() - started)
            raise
        self._log_end(login.request, outcome, self._environment.reactor.seconds() - started)
        return _verdict(login, outcome)

    def _login_request(self, attempt: BindAttempt) -> LoginRequest:
        name = printable(attempt.bind.name)
        return LoginRequest(
            login_id=self._new_login_id(),
            username=name,
            password=attempt.bind.password or Secret(""),
            device=attempt.address,
            client_ip=attempt.address.partition("%")[0] if self._settings.client_ip_from_connection else None,
            server_section=self._environment.section_name,
            wire=name,
        )

    # ── who it is ──────────────────────────────────────────────────────────────────────────────────────────────
    async def _look_up(self, login: _Login) -> _Login | Outcome:
        """Find the entry, unless the first bind is exempt and nobody asks who it is."""
        if login.attempt.number == 1 and self._settings.exempt_primary_bind:
            return evolve(login, waived=Cause.EXEMPT_PRIMARY_BIND)
        try:
            user = await self._directory.find(login.attempt.bind.name)
        except PrimaryUnreachable as fault:
            self._tools(login.request).event(StageEvent(Stage.PRIMARY, False, str(fault)))
            return reject(Cause.PRIMARY_UNREACHABLE, NO_DIRECTORY, str(fault))
        if isinstance(user, NotFound):
            written = login.attempt.bind.name
            if looks_like_dn(written.decode("utf-8", "surrogateescape")) and self._is_exempt(written):
                return evolve(login, reason=user.reason, waived=Cause.EXEMPT_OU, unproven=True)
            return evolve(login, reason=user.reason)
        request = evolve(login.request, wire=user.entry.dn_text)
        if self._is_exempt(user.entry.dn):
            return evolve(login, request=request, user=user, waived=Cause.EXEMPT_OU)
        name = self._directory.name_of(user)
        if not name:
            reason = f"{user.entry.dn_text} has not exactly one username_attribute that can be read"
            return evolve(login, request=request, reason=reason)
        return evolve(login, request=evolve(request, username=name), user=user)

    def _is_exempt(self, dn: bytes) -> bool:
        return any(is_at_or_below(dn, top) for top in self._settings.exempt_dns)

    # ── whether they get in ────────────────────────────────────────────────────────────────────────────────────
    async def _run(self, login: _Login) -> Outcome:
        policy = self._settings.policy
        if login.waived is not None:
            policy = evolve(policy, append=AppendMode(allow_concat=False))
        primary = _RelayedBind(self._directory, login)
        request, tools = login.request, self._tools(login.request)
        try:
            outcome = await run_login(
                request,
                policy,
                primary,
                self._second_factor,
                tools,
                waiver=lambda proven: self._waive(login),
                confirm=lambda accepted: _confirm(login.attempt, accepted),
            )
        except CancelledError:
            if primary.accepted:
                ended = reject(Cause.SHUTDOWN) if self._shutting_down else _given_up(login.attempt)
                tools.event(stage_event(ended, 0.0))
            raise
        if outcome.cause is Cause.APPROVED and login.user is not None:
            self._joined.note(login.user.entry.dn, request.password, request.device, tools.clock())
        return outcome

    def _waive(self, login: _Login) -> Outcome | None:
        """Let in without a second factor whose password was right; None for everybody else."""
        if login.waived is Cause.EXEMPT_PRIMARY_BIND:
            detail = "The first bind of a connection needs no second factor (exempt_primary_bind)."
            return accept(login.waived, detail=detail)
        if login.waived is not None:
            detail = f"{login.request.wire} stands at or below exempt_ou_n: no second factor was asked."
            return accept(login.waived, detail=detail)
        request, user = login.request, login.user
        now = self._environment.reactor.seconds()
        if user is None or not self._joined.take(user.entry.dn, request.password, request.device, now):
            return None
        detail = "The same bind was approved a moment ago, and joins that approval (join_binds_s)."
        return accept(Cause.JOINED_BIND, detail=detail)

    def _event_fields(self, request: LoginRequest, event: StageEvent) -> Mapping[str, Any]:
        return {**super()._event_fields(request, event), "dn": request.wire}


class _RelayedBind:
    """Has the directory judge a password, on the client's own connection: the primary of one login.

    Attributes:
        accepted: whether it said yes.
    """

    def __init__(self, directory: BindDirectory, login: _Login) -> None:
        self.accepted = False
        self._directory = directory
        self._login = login

    async def authenticate(self, request: LoginRequest) -> PrimaryOutcome:
        """Bind with the password; then see whether this user may log in here."""
        directory, user, password = self._directory, self._login.user, request.password
        if not password.reveal():
            return PrimaryOutcome(False, "the password is empty, and an empty one is never sent to a directory")
        if user is not None and directory.is_shielded(user, password):
            return PrimaryOutcome(False, SHIELDED, alternative_is_safe=await directory.second_is_safe(user))
        answer = await self._login.attempt.send(self._name(), password)
        if answer.code != ResultCode.SUCCESS:
            refused = await directory.refused(user, password, answer)
            return PrimaryOutcome(False, refused.reason, wire=answer, alternative_is_safe=refused.alternative_is_safe)
        return await self._taken(answer)

    async def _taken(self, answer: BindAnswer) -> PrimaryOutcome:
        """See whether somebody whose password is right may log in here."""
        login = self._login
        if login.unproven and not await self._is_really(login.attempt.bind.name):
            reason = f"{answer.server} took the password, but does not confirm the exempt account: {login.reason}"
            return PrimaryOutcome(False, reason, NOBODY, alternative_is_safe=False)
        if login.user is None and login.waived is None:
            reason = f"{answer.server} took the password, but who it is cannot be told: {login.reason}"
            return PrimaryOutcome(False, reason, NOBODY, alternative_is_safe=False)
        if login.user is not None:
            self._directory.note_success(login.user)
            reason = "" if login.waived is not None else await self._directory.why_not(login.user)
            if reason:
                return PrimaryOutcome(False, reason, NOT_HERE, alternative_is_safe=False)
        self.accepted = True
        return PrimaryOutcome(True, wire=answer)

    def _name(self) -> bytes:
        """A DN goes to the directory as it came; any other name as the DN that was found: both are one user then."""
        name, user = self._login.attempt.bind.name, self._login.user
        if user is None or looks_like_dn(name.decode("utf-8", "surrogateescape")):
            return name
        return user.entry.dn

    async def _is_really(self, dn: bytes) -> bool:
        """See whether the directory takes the connection for this DN, and not its name for somebody else."""
        said = await self._login.attempt.who_am_i()
        return said.startswith(_DN_AUTHORIZATION) and same_dn(said.removeprefix(_DN_AUTHORIZATION), dn)


def _confirm(attempt: BindAttempt, accepted: Outcome) -> Outcome:
    """Give the accept where the client's session is still there to be handed out; else a reject: nobody got in."""
    if attempt.holds_yes:
        return accepted
    detail = (
        f"The second stage ended with {accepted.cause.value}, but the directory had closed the connection on which it "
        "took the password: no session began. See whether it, or a firewall, ends connections that wait for a user."
    )
    return reject(Cause.PRIMARY_UNREACHABLE, DIRECTORY_LOST, detail, accepted.factor)


def _given_up(attempt: BindAttempt) -> Outcome:
    """Say who went before the login had an end."""
    if attempt.directory_fault:
        detail = f"The directory ended the session while the login was under way: {attempt.directory_fault}"
        return reject(Cause.PRIMARY_UNREACHABLE, DIRECTORY_LOST, detail)
    detail = "The client closed its connection. If a user was being asked, raise the client's time-out to 60 s or more."
    return reject(Cause.CLIENT_GONE, detail=detail)


def _verdict(login: _Login, outcome: Outcome) -> BindVerdict:
    """Say what the client is told."""
    exempt = login.waived is not None
    if outcome.verdict is Verdict.ACCEPT:
        return BindVerdict(True, exempt=exempt)
    code = RESULT_CODES.get(outcome.cause, ResultCode.INVALID_CREDENTIALS)
    text = outcome.user_message or (NO_DIRECTORY if outcome.cause is Cause.PRIMARY_UNREACHABLE else "")
    relay = outcome.cause is Cause.PASSWORD_REFUSED
    return BindVerdict(False, code, text, relay=relay, exempt=exempt)
