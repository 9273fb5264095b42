"""[ad_client]: Active Directory or another LDAP directory checks the password.

In order: the service account finds the entry, the groups are checked, and the user binds with the password. What the
directory says of a refusal is for the log; the user is told nothing of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from duoproxy.config.schema import Role, SectionSchema
from duoproxy.errors import PrimaryUnreachable
from duoproxy.ldap.lockout_policy import second_attempt_is_safe
from duoproxy.ldap.lockout_shield import MIN_KEY_BYTES, LockoutShield
from duoproxy.ldap.refusals import Refusal, RefusalKind, explain
from duoproxy.login.outcome import PrimaryOutcome
from duoproxy.login.request import LoginRequest
from duoproxy.net.directory_groups import GroupCheck, top_of_tree
from duoproxy.net.directory_policy import LockoutPolicies
from duoproxy.net.directory_users import DirectoryUser, NotFound, UserFinder
from duoproxy.net.ldap_binds import Credentials, NtlmCredentials, SimpleCredentials
from duoproxy.net.ldap_directory import Directory
from duoproxy.net.ldap_filters import parse_filter
from duoproxy.net.ldap_sentences import group_missing
from duoproxy.secret import Secret
from duoproxy.sections.ad_client_options import (
    AdClientSettings,
    advice,
    directory_hosts,
    directory_transport,
    directory_trust,
    findings,
    plain_service_name,
    service_credentials,
    users_ntlm_domain,
)
from duoproxy.sections.bind_directory import DIRECTORY, SHIELDED, RelayedDirectory
from duoproxy.sections.checks import Check
from duoproxy.sections.contracts import ClientSection, Environment, upstream_status
from duoproxy.sections.directory_checks import TriedDirectory, directory_checks

_PROTECTING = ("transport", "ssl_verify", "ssl_verify_hostname")

_NO_LOGIN_NAME = (
    "the entry has no sAMAccountName that the service account can read, and auth_type=ntlm2 needs it; for a directory "
    "that is not Active Directory write auth_type=plain"
)


class AdClient(ClientSection):
    """Finds users, checks their groups and binds as them.

    Attributes:
        bind_directory: the directory, for sections that relay LDAP.
    """

    schema = SectionSchema(
        name="ad_client",
        role=Role.CLIENT,
        summary="Active Directory or another LDAP directory checks the password.",
        settings_class=AdClientSettings,
        offers=frozenset({DIRECTORY}),
        asks=lambda client: [("tcp", asked.host, asked.port) for asked in directory_hosts(client)],
        check=findings,
        advise=advice,
    )
    settings: AdClientSettings

    def __init__(self, settings: AdClientSettings, environment: Environment) -> None:
        super().__init__(settings, environment)
        self._log = Logger(namespace=environment.section_name)
        self._directory = self._make_directory()
        self._users = self._make_users()
        groups = tuple(settings.security_group_dn.values())
        self._groups = GroupCheck(self._directory, groups, nested=settings.nested_groups)
        domain_dn = top_of_tree(settings.search_dn)
        self._policies = LockoutPolicies(self._directory, domain_dn, environment.reactor.seconds)
        self._shield = LockoutShield(environment.random_bytes(MIN_KEY_BYTES)) if settings.lockout_shield else None
        self.bind_directory = self._make_bind_directory()
        self._binding: dict[bytes, list[Deferred[None]]] = {}
        self._probing: Deferred[None] | None = None

    def _make_directory(self) -> Directory:
        settings, environment = self.settings, self.environment
        return Directory(
            section_name=environment.section_name,
            reactor=environment.reactor,
            hosts=directory_hosts(settings),
            transport=directory_transport(settings),
            trust=directory_trust(settings),
            service_account=service_credentials(settings),
            timeout_s=settings.timeout,
            random=lambda: int.from_bytes(environment.random_bytes(4), "big") / 2**32,
        )

    def _make_users(self) -> UserFinder:
        settings = self.settings
        condition = parse_filter(settings.ldap_filter) if settings.ldap_filter else None
        return UserFinder(
            self._directory,
            settings.search_dn,
            settings.username_attribute,
            settings.at_attribute,
            condition,
            users_ntlm_domain(settings),
        )

    def _make_bind_directory(self) -> RelayedDirectory:
        return RelayedDirectory(
            self.environment.section_name,
            self._directory,
            self._users,
            self._groups,
            self._policies,
            self._shield,
            self.settings.timeout,
            (self.environment.reactor.seconds, self.environment.wall_clock),
        )

    async def start(self) -> None:
        """Look the servers up; what is wrong with them is logged as soon as it is known, and the start goes on."""
        self._say_service_name()
        await self._directory.start()
        self._probing = Deferred.fromCoroutine(self._probe())
        self._probing.addErrback(self._probe_failed)

    async def stop(self) -> None:
        """End every connection."""
        probing, self._probing = self._probing, None
        if probing is not None:
            probing.cancel()
        await self._directory.stop()

    def connectivity(self) -> Sequence[Check]:
        """Try each server as the service account, and look for the groups."""
        settings = self.settings
        hosts = [str(host) for host in directory_hosts(settings)]
        groups = tuple(settings.security_group_dn.values())
        return directory_checks(
            TriedDirectory(self._make_directory, hosts, settings.search_dn, groups, settings.timeout)
        )

    def status(self) -> Mapping[str, object]:
        """Tell which servers rest, and what of their certificates is not checked."""
        upstreams = upstream_status(self._directory.health(), self.environment.reactor.seconds())
        doubts = [f"{option}: {what}" for option, what, _ in advice(self.settings) if option in _PROTECTING]
        return {"upstreams": upstreams, "weakened": doubts}

    async def authenticate(self, request: LoginRequest) -> PrimaryOutcome:
        """Find the user, check the groups, bind with the password."""
        if not request.password.reveal():
            return PrimaryOutcome(False, "the password is empty, and an empty one is never sent to a directory")
        user = await self._users.find(request.username)
        if isinstance(user, NotFound):
            return PrimaryOutcome(False, user.reason, alternative_is_safe=False)
        if self.settings.auth_type != "plain" and not user.login_name:
            return PrimaryOutcome(False, _NO_LOGIN_NAME, alternative_is_safe=False)
        if not await self._groups.admits(user):
            return PrimaryOutcome(False, self._not_a_member(user), alternative_is_safe=False)
        if self._shield is None:
            return await self._bind(user, request.password)
        return await self._bind_behind(self._shield, user, request.password)

    async def _bind_behind(self, shield: LockoutShield, user: DirectoryUser, password: Secret) -> PrimaryOutcome:
        """Bind unless the shield knows better; while a password is being tried, others with the same one wait for that.

        A device that logs in several times at once would otherwise lock the account before its first answer.
        """
        key = shield.key(self.environment.section_name, user.entry.dn, password)
        is_first = key not in self._binding
        if not is_first:
            turn: Deferred[None] = Deferred()
            self._binding[key].append(turn)
            await turn
        if self._is_shielded(user, password):
            return PrimaryOutcome(False, SHIELDED, alternative_is_safe=await self._second_is_safe(user))
        if not is_first:
            return await self._bind(user, password)
        self._binding[key] = []
        try:
            return await self._bind(user, password)
        finally:
            for turn in self._binding.pop(key):
                turn.callback(None)

    async def _bind(self, user: DirectoryUser, password: Secret) -> PrimaryOutcome:
        bound = await self._directory.bind_user(self._credentials(user, password))
        if bound.succeeded:
            if self._shield is not None:
                self._shield.note_success(user.entry.dn)
            return PrimaryOutcome(accepted=True)
        if bound.result is None:
            return PrimaryOutcome(False, bound.not_sent)
        if bound.objection:
            return PrimaryOutcome(False, f"{bound.server}: {bound.objection}", alternative_is_safe=False)
        refusal = explain(bound.result.code, bound.result.diagnostic, bound.server)
        self._note(refusal, user, password)
        safe = await self._second_is_safe(user) if refusal.kind is RefusalKind.WRONG_PASSWORD else False
        return PrimaryOutcome(False, refusal.sentence, alternative_is_safe=safe)

    def _credentials(self, user: DirectoryUser, password: Secret) -> Credentials:
        """A plain bind takes the DN that was found; NTLM the account's own name, never what was typed."""
        settings = self.settings
        if settings.auth_type == "plain":
            return SimpleCredentials(user.entry.dn, password)
        return NtlmCredentials(user.login_name, users_ntlm_domain(settings), password, settings.ntlm_workstation)

    # ── against lock-outs ──────────────────────────────────────────────────────────────────────────────────────

    def _is_shielded(self, user: DirectoryUser, password: Secret) -> bool:
        if self._shield is None:
            return False
        now, account = self.environment.reactor.seconds(), user.account
        section = self.environment.section_name
        return self._shield.refused_before(
            section, user.entry.dn, password, account.pwd_last_set, account.lockout_time, now
        )

    def _note(self, refusal: Refusal, user: DirectoryUser, password: Secret) -> None:
        if self._shield is not None and refusal.is_wrong_password_52e:
            now, account = self.environment.reactor.seconds(), user.account
            section = self.environment.section_name
            self._shield.note_refusal(section, user.entry.dn, password, account.pwd_last_set, account.lockout_time, now)

    async def _second_is_safe(self, user: DirectoryUser) -> bool | None:
        policy = await self._policies.of(user.account)
        return second_attempt_is_safe(user.account, policy, self.environment.wall_clock())

    # ── words ──────────────────────────────────────────────────────────────────────────────────────────────────

    def _not_a_member(self, user: DirectoryUser) -> str:
        how = "directly, by the primary group or through other groups" if self.settings.nested_groups else "directly"
        return f"{user.entry.dn_text} is in none of the groups of security_group_dn ({how})"

    def _say_service_name(self) -> None:
        name = plain_service_name(self.settings)
        if self.settings.auth_type == "plain" and name not in (
            self.settings.service_account_username,
            self.settings.bind_dn,
        ):
            self._log.info(
                "The service account binds as {name}: the domain comes from search_dn. Write service_account_username "
                "with its domain, or bind_dn, if that is not its name.",
                name=name,
            )

    async def _probe(self) -> None:
        """Try every server, and look for the groups, before the first user does."""
        found = await self._directory.probe(self.settings.search_dn)
        for sentence in found:
            self._log.error("{sentence}", sentence=sentence)
        if found:
            return
        try:
            missing = await self._groups.missing()
        except PrimaryUnreachable as fault:
            self._log.error("{sentence}", sentence=str(fault))
            return
        for group in missing:
            what, remedy = group_missing(group)
            self._log.error("{what}. {remedy}.", what=what, remedy=remedy)

    def _probe_failed(self, failure: Failure) -> None:
        if failure.check(CancelledError) is not None:
            return
        self._log.failure("The directory could not be probed, by an internal error.", failure=failure)
