"""One login over LDAP: who is asked, who is exempt, and what the client is told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import pytest
from attrs import define, evolve, field
from twisted.internet.defer import CancelledError, Deferred

from duoproxy.duoapi.messages import AuthAnswer, AuthQuery, Factor, Preauth, PreauthResult
from duoproxy.errors import AnswerLost, PrimaryUnreachable, ServiceRefused, ServiceUnavailable
from duoproxy.ldap.messages import BindRequest
from duoproxy.login.factors import AppendMode
from duoproxy.login.open_questions import MAX_QUESTIONS_OF_USER
from duoproxy.login.outcome import Cause
from duoproxy.login.parties import SecondFactorLogin
from duoproxy.login.policy import Failmode, LoginPolicy
from duoproxy.net.ldap_bind_attempt import BindAnswer, BindAttempt, BindVerdict
from duoproxy.secret import Secret
from duoproxy.sections.ldap_login import RESULT_CODES, LdapLogins, LdapLoginSettings
from duoproxy.testing import DENIED, FakeSecondFactor, make_environment, run_now
from tests.unit.net.fake_directory import ALICE, BASE_DN, WRONG_PASSWORD
from tests.unit.sections.test_ad_client import House

SERVICE_DN = f"CN=svc-app,OU=Service,{BASE_DN}"
SETTINGS = LdapLoginSettings(
    policy=LoginPolicy(append=AppendMode(), failmode=Failmode.SECURE, checks_passwords=True),
    exempt_primary_bind=False,
    exempt_dns=(),
    client_ip_from_connection=True,
    join_binds_s=0,
    ikey="DI",
    client_section="ad_client",
)


@define
class FakeAttempt:
    """A bind whose directory knows some passwords."""

    bind: BindRequest
    passwords: Mapping[bytes, bytes]
    number: int = 1
    address: str = "10.0.0.5"
    port: int = 50_000
    fault: Exception | None = None
    who: bytes = b""
    holds_yes: bool = True
    directory_fault: str = ""
    sent: list[tuple[bytes, str]] = field(factory=list)

    async def who_am_i(self) -> bytes:
        return self.who

    async def send(self, name: bytes, password: Secret) -> BindAnswer:
        self.sent.append((name, password.reveal_text()))
        if self.fault is not None:
            raise self.fault
        right = self.passwords.get(name) == password.reveal()
        return BindAnswer(0 if right else 49, "" if right else WRONG_PASSWORD, "dc1:389")


class Door:
    """The logins of one section on a fake directory and a fake Duo."""

    def __init__(self, *, options: dict[str, Any] | None = None, **settings: Any) -> None:
        self.house = House(**(options or {}))
        self.house.directory.add(SERVICE_DN, sAMAccountName="svc-app", userPrincipalName="svc-app@corp.example")
        self.duo = FakeSecondFactor()
        self.events: list[Mapping[str, object]] = []
        self.environment = make_environment("ldap_server_auto", reactor=self.house.clock, auth_event=self.events.append)
        directory = self.house.client.bind_directory
        self.logins = LdapLogins(evolve(SETTINGS, **settings), self.environment, directory, self.duo)
        self.passwords = {ALICE.encode(): b"right", SERVICE_DN.encode(): b"service"}
        self.attempt: FakeAttempt | None = None

    def bind(self, name: str = ALICE, password: str = "right", **attempt: Any) -> BindVerdict:
        request = BindRequest(3, name.encode(), Secret(password))
        self.attempt = FakeAttempt(request, self.passwords, **attempt)
        return run_now(self.logins.judge(cast(BindAttempt, self.attempt)))

    @property
    def sent(self) -> list[tuple[bytes, str]]:
        assert self.attempt is not None
        return self.attempt.sent

    @property
    def reasons(self) -> list[object]:
        return [event["bypass_reason"] for event in self.events if event["bypass_reason"]]


# ── who it is ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_duo_is_asked_for_the_name_of_the_entry() -> None:
    """Not for the DN; and it is told where the connection comes from."""
    door = Door()
    assert door.bind() == BindVerdict(True)
    assert door.duo.preauths == [("alice", "10.0.0.5")]
    assert door.sent == [(ALICE.encode(), "right")]


@pytest.mark.parametrize("name", ["alice@corp.example", "CORP\\alice", "corp\\ALICE"])
def test_other_names_bind_as_the_dn_that_was_found(name: str) -> None:
    """Whom the directory lets in is whom Duo is asked for, whatever the directory makes of the name."""
    door = Door()
    assert door.bind(name).accepted
    assert door.sent == [(ALICE.encode(), "right")]
    assert door.duo.preauths == [("alice", "10.0.0.5")]


def test_address_of_the_connection_may_be_kept_from_duo() -> None:
    """client_ip_from_connection = false."""
    door = Door(client_ip_from_connection=False)
    door.bind()
    assert door.duo.preauths == [("alice", None)]


def test_address_of_a_link_is_told_without_its_interface() -> None:
    """fe80::1%eth0 is an address here and nowhere else: Duo would refuse the whole question."""
    door = Door()
    door.bind(address="fe80::1%eth0")
    assert door.duo.preauths == [("alice", "fe80::1")]


@pytest.mark.parametrize("name", ["Alice Ärmel", "alice", "<SID=1-2-3>", f"CN=Nobody,{BASE_DN}", "nobody@corp.example"])
def test_name_that_is_not_found_lets_nobody_in(name: str) -> None:
    """Active Directory takes display names and more; the password may be right, but who it is cannot be told."""
    door = Door()
    door.passwords[name.encode()] = b"right"
    verdict = door.bind(name)
    assert (verdict.accepted, verdict.code) == (False, 49)
    assert "cannot be matched" in verdict.text
    assert door.sent == [(name.encode(), "right")]
    assert door.duo.preauths == []


def test_wrong_password_of_an_unknown_name_is_answered_by_the_directory() -> None:
    """Its own words, and no hint that we do not know the name."""
    verdict = Door().bind("nobody@corp.example", "wrong")
    assert (verdict.accepted, verdict.relay, verdict.text) == (False, True, "")


def test_entry_with_two_names_is_ambiguous() -> None:
    """An attacker who may add a name to the own entry chooses nobody else's phone."""
    door = Door()
    door.house.alice.set("sAMAccountName", "alice", "bob")
    assert not door.bind().accepted
    assert door.duo.preauths == []


def test_of_two_names_the_one_in_the_dn_counts() -> None:
    """uid=erin in the DN, erin and e.r in the entry."""
    door = Door(options={"username_attribute": "uid"})
    dn = f"uid=erin,{BASE_DN}"
    door.house.directory.add(dn, uid=["e.r", "erin"])
    door.passwords[dn.encode()] = b"right"
    assert door.bind(dn).accepted
    assert door.duo.preauths == [("erin", "10.0.0.5")]


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"search_dn": f"OU=Staff,{BASE_DN}"}, "search_dn"),
        ({"ldap_filter": "(department=Sales)"}, "ldap_filter"),
        ({"security_group_dn": {1: f"CN=VPN,OU=Groups,{BASE_DN}"}}, "security_group_dn"),
    ],
)
def test_conditions_of_the_client_section_hold_for_binds(options: dict[str, Any], reason: str) -> None:
    """Who may not log in by the client section may not by this one; Duo is not asked."""
    door = Door(options=options)
    verdict = door.bind()
    assert (verdict.accepted, verdict.code, verdict.text) == (False, 49, "This account may not log in here.")
    assert reason in str(door.events[-1]["msg"])
    assert door.duo.preauths == []


# ── what the client is told ──────────────────────────────────────────────────────────────────────────────────────


def test_refused_password_is_answered_by_the_directory() -> None:
    """Its own octets go out."""
    verdict = Door().bind(password="wrong")
    assert (verdict.accepted, verdict.relay) == (False, True)


def test_denied_push_has_words() -> None:
    """invalidCredentials with Duo's text."""
    door = Door()
    door.duo.auth_answer = DENIED
    assert door.bind() == BindVerdict(False, 49, "Login request denied.")


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (ServiceUnavailable("Duo", "no connection"), 51),
        (ServiceRefused("Duo", "wrong keys"), 52),
        (AnswerLost("Duo", "connection lost"), 51),
    ],
)
def test_outage_of_duo_is_never_a_wrong_password(fault: Exception, code: int) -> None:
    """An application that sees 49 counts it, and shows it to the user as one."""
    door = Door()
    if isinstance(fault, AnswerLost):
        door.duo.auth_answer = fault
    else:
        door.duo.preauth_answer = fault
    verdict = door.bind()
    assert (verdict.accepted, verdict.code) == (False, code)
    assert verdict.text


def test_outage_of_duo_lets_in_where_failmode_says_so() -> None:
    """failmode = safe: logged as a bypass."""
    door = Door(policy=evolve(SETTINGS.policy, failmode=Failmode.SAFE))
    door.duo.preauth_answer = ServiceUnavailable("Duo", "no connection")
    assert door.bind().accepted
    assert door.reasons == ["failmode-safe"]


def test_outage_of_the_directory_is_unavailable() -> None:
    """At the search, or at the bind: 52."""
    door = Door()
    verdict = door.bind(fault=PrimaryUnreachable("directory", "no answer"))
    assert (verdict.code, verdict.text) == (52, "The directory cannot be reached.")
    door.house.directory.unreachable = True
    assert door.bind().code == 52
    assert [event["status"] for event in door.events] == ["Reject", "Reject"]


def test_fault_of_ours_is_other() -> None:
    """80, and nobody is let in."""
    verdict = Door().bind(fault=ZeroDivisionError())
    assert (verdict.accepted, verdict.code) == (False, 80)


def test_only_words_about_the_user_are_invalid_credentials() -> None:
    """Each cause that says nothing of the user has another result code."""
    outages = {
        Cause.PRIMARY_UNREACHABLE,
        Cause.FAILMODE_SECURE,
        Cause.PRIMARY_ONLY_REFUSED,
        Cause.TOO_MANY_QUESTIONS,
        Cause.DUO_REFUSED_US,
        Cause.ANSWER_LOST,
        Cause.SHUTDOWN,
        Cause.FAULT,
    }
    assert set(RESULT_CODES) == outages


def test_duo_bypass_lets_in() -> None:
    """Duo says allow at once."""
    door = Door()
    door.duo.preauth_answer = Preauth(PreauthResult.ALLOW)
    assert door.bind().accepted
    assert door.reasons == ["duo-bypass"]


def test_events_name_the_entry() -> None:
    """authevents.log: dn beside username."""
    door = Door()
    door.bind("alice@corp.example")
    assert [(event["dn"], event["username"]) for event in door.events] == [(ALICE, "alice")] * 2


@define
class RingingPhones:
    """A Duo whose users do not answer."""

    duo: FakeSecondFactor
    asked: list[AuthQuery] = field(factory=list)
    ringing: list[Deferred[AuthAnswer]] = field(factory=list)

    def begin_login(self) -> SecondFactorLogin:
        return self

    async def preauth(self, username: str, client_ip: str | None) -> Preauth:
        return await self.duo.preauth(username, client_ip)

    async def authenticate(self, query: AuthQuery) -> AuthAnswer:
        if query.passcode is not None:
            return await self.duo.authenticate(query)
        self.asked.append(query)
        self.ringing.append(Deferred())
        return await self.ringing[-1]


def test_one_password_rings_at_most_eight_telephones_at_once() -> None:
    """The ninth bind is busy; a passcode is checked all the same, and whoever leaves gives the place back."""
    door = Door()
    phones = RingingPhones(door.duo)
    door.logins._second_factor = phones

    def begin(password: str = "right") -> Deferred[BindVerdict]:
        attempt = FakeAttempt(BindRequest(3, ALICE.encode(), Secret(password)), door.passwords)
        return Deferred.fromCoroutine(door.logins.judge(cast(BindAttempt, attempt)))

    waiting = [begin() for _ in range(8)]
    verdict = run_now(door.logins.judge(cast(BindAttempt, _attempt_of(door))))
    assert (verdict.accepted, verdict.code, len(phones.asked)) == (False, 51, 8)
    assert run_now(door.logins.judge(cast(BindAttempt, _attempt_of(door, "right,123456")))).accepted
    waiting[0].addErrback(lambda failure: failure.trap(CancelledError))
    waiting[0].cancel()
    begin()
    assert len(phones.asked) == 9


def test_telephones_that_ring_for_other_sections_count() -> None:
    """Whoever has a password does not get eight more for each way to log in; a passcode is checked all the same."""
    door = Door()
    for _ in range(MAX_QUESTIONS_OF_USER):
        assert door.environment.open_questions.begin(AuthQuery("CORP\\alice", Factor.PUSH))
    assert (door.bind().code, door.duo.asked) == (51, [])
    assert door.bind(password="right,123456").accepted


def _attempt_of(door: Door, password: str = "right") -> FakeAttempt:
    return FakeAttempt(BindRequest(3, ALICE.encode(), Secret(password)), door.passwords)


# ── append mode ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_passcode_behind_the_password_goes_to_duo() -> None:
    """The directory sees the left part only."""
    door = Door()
    assert door.bind(password="right,123456").accepted
    assert door.sent == [(ALICE.encode(), "right")]
    assert door.duo.asked[0].passcode == Secret("123456")


def test_password_with_a_comma_is_tried_whole_where_that_cannot_lock() -> None:
    """The left part is refused, the counts allow a second try: the whole string, with the automatic factor."""
    door = Door()
    door.passwords[ALICE.encode()] = b"right,123456"
    assert door.bind(password="right,123456").accepted
    assert [password for _, password in door.sent] == ["right", "right,123456"]
    assert door.duo.asked[0].passcode is None


def test_whole_password_is_not_tried_where_it_could_lock() -> None:
    """badPwdCount + 2 must stay below the threshold."""
    door = Door()
    door.house.alice.set("badPwdCount", 4)
    door.house.alice.set("badPasswordTime", 133_444_736_000_000_000)
    door.bind(password="wrong,123456")
    assert [password for _, password in door.sent] == ["wrong"]


def test_same_wrong_password_is_refused_from_memory() -> None:
    """lockout_shield: an application that repeats it does not lock the account."""
    door = Door()
    door.bind(password="wrong")
    verdict = door.bind(password="wrong")
    assert (verdict.accepted, verdict.code, door.sent) == (False, 49, [])


def test_left_part_that_is_empty_reaches_no_directory() -> None:
    """`,123456` is no password; the whole is tried where that cannot lock."""
    door = Door()
    verdict = door.bind(password=",123456")
    assert not verdict.accepted
    assert "" not in [password for _, password in door.sent]


# ── exemptions ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_first_bind_may_be_exempt() -> None:
    """exempt_primary_bind: a bypass event with its DN; the directory judges all the same."""
    door = Door(exempt_primary_bind=True)
    assert door.bind(SERVICE_DN, "service") == BindVerdict(True, exempt=True)
    assert door.reasons == ["exempt-primary-bind"]
    assert door.events[-1]["dn"] == SERVICE_DN
    assert door.house.directory.searches == []
    refused = door.bind(SERVICE_DN, "wrong")
    assert (refused.accepted, refused.exempt, refused.relay) == (False, True, True)


def test_second_bind_is_not_exempt() -> None:
    """Only the first of a connection."""
    door = Door(exempt_primary_bind=True)
    assert door.bind(number=2) == BindVerdict(True)
    assert door.duo.preauths == [("alice", "10.0.0.5")]


@pytest.mark.parametrize("top", [f"OU=Service,{BASE_DN}", f"ou=service , {BASE_DN.lower()}", SERVICE_DN])
@pytest.mark.parametrize("name", [SERVICE_DN, SERVICE_DN.lower(), "svc-app@corp.example"])
def test_entries_at_or_below_a_dn_are_exempt(top: str, name: str) -> None:
    """exempt_ou_n, by the rules of RFC 4514, by whatever name the entry binds."""
    door = Door(exempt_dns=(top,))
    door.passwords[name.encode()] = b"service"
    assert door.bind(name, "service") == BindVerdict(True, exempt=True)
    assert (door.reasons, door.duo.preauths) == (["exempt-ou"], [])


def test_exempt_entry_needs_no_conditions() -> None:
    """A service account is in no group, and need not stand below search_dn."""
    options = {"search_dn": f"CN=Users,{BASE_DN}", "security_group_dn": {1: f"CN=VPN,OU=Groups,{BASE_DN}"}}
    assert Door(options=options, exempt_dns=(SERVICE_DN,)).bind(SERVICE_DN, "service").accepted


@pytest.mark.parametrize("who", [b"", b"u:CORP\\alice", b"dn:" + ALICE.encode(), b"dn:"])
def test_name_that_only_looks_exempt_is_not(who: bytes) -> None:
    """A display name that is spelled like a DN below the exempt one: the entry counts, and there is none."""
    door = Door(exempt_dns=(f"OU=Service,{BASE_DN}",))
    name = f"CN=made up,OU=Service,{BASE_DN}"
    door.passwords[name.encode()] = b"right"
    verdict = door.bind(name, who=who)
    assert (verdict.accepted, verdict.code, door.reasons) == (False, 49, [])


def test_account_without_an_entry_is_exempt_when_the_directory_confirms_it() -> None:
    """The rootdn of OpenLDAP: the directory says who is bound (RFC 4532)."""
    door = Door(exempt_dns=(f"cn=admin,{BASE_DN}",))
    name = f"cn=admin,{BASE_DN}"
    door.passwords[name.encode()] = b"right"
    assert door.bind(name, who=b"dn:CN=admin," + BASE_DN.encode()).accepted
    assert (door.reasons, door.duo.preauths) == (["exempt-ou"], [])


def test_password_of_an_exempt_bind_is_not_split() -> None:
    """There is no factor behind it."""
    door = Door(exempt_dns=(SERVICE_DN,))
    door.passwords[SERVICE_DN.encode()] = b"a,123456"
    assert door.bind(SERVICE_DN, "a,123456").accepted
    assert len(door.sent) == 1


# ── joined binds ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_second_bind_joins_an_approval_once() -> None:
    """join_binds_s: logged as a bypass; the third is asked again."""
    door = Door(join_binds_s=10)
    assert [door.bind(port=port).accepted for port in (1, 2, 3)] == [True, True, True]
    assert door.reasons == ["joined-bind"]
    assert len(door.duo.asked) == 2


def test_joined_bind_needs_the_password() -> None:
    """The directory is asked first."""
    door = Door(join_binds_s=10)
    door.bind()
    assert not door.bind(password="wrong").accepted
    assert door.bind().accepted
    assert door.reasons == ["joined-bind"]


def test_denied_push_is_joined_by_nobody() -> None:
    """Only an approval counts."""
    door = Door(join_binds_s=10)
    door.duo.auth_answer = DENIED
    door.bind()
    door.duo.auth_answer = AuthAnswer(True, "allow", "")
    door.bind()
    assert door.reasons == []


def test_bind_from_another_address_does_not_join() -> None:
    """The same listener, DN, password and source."""
    door = Door(join_binds_s=10)
    door.bind()
    door.bind(address="10.0.0.6")
    assert door.reasons == []
