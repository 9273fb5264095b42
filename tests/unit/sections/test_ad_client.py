"""[ad_client]: a login in order, what each refusal means, and what keeps accounts from being locked."""

from __future__ import annotations

from typing import Any, cast

import pytest
from attrs import evolve
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import capturedLogs

from duoproxy.errors import PrimaryUnreachable
from duoproxy.ldap.active_directory import TICKS_PER_SECOND, unix_s_to_filetime
from duoproxy.ldap.lockout_shield import SHIELD_S
from duoproxy.login.outcome import PrimaryOutcome
from duoproxy.net.ldap_answers import Result
from duoproxy.net.ldap_directory import BindResult, Credentials, Directory, NtlmCredentials, SimpleCredentials
from duoproxy.secret import Secret
from duoproxy.sections.ad_client import AdClient
from duoproxy.sections.ad_client_options import AdClientSettings
from duoproxy.testing import make_environment, make_request, run_now
from tests.unit.net.fake_directory import ALICE, BASE_DN, WRONG_PASSWORD, FakeDirectory

NOW = 1_700_000_000.0
ACCEPTED = PrimaryOutcome(True)
WRONG = Result(49, "", WRONG_PASSWORD)
SHIELDED = "the same wrong password was refused less than a minute ago, and is refused from memory"


def refused(sub_code: str) -> Result:
    return Result(49, "", WRONG_PASSWORD.replace("52e", sub_code))


class House:
    """An [ad_client] on a fake directory that knows alice."""

    def __init__(self, **options: Any) -> None:
        self.clock = Clock()
        self.directory = FakeDirectory()
        self.alice = self.directory.add(
            ALICE,
            sAMAccountName="alice",
            userPrincipalName="alice@corp.example",
            pwdLastSet=unix_s_to_filetime(NOW - 1000),
            lockoutTime=0,
            badPwdCount=0,
            badPasswordTime=0,
        )
        self.directory.entries[0].set("lockoutThreshold", 5)
        self.directory.entries[0].set("lockOutObservationWindow", -1800 * TICKS_PER_SECOND)
        values: dict[str, Any] = {
            "host": {1: "dc1"},
            "search_dn": BASE_DN,
            "service_account_username": "CORP\\svc-duo",
            "service_account_password": Secret("service"),
            "auth_type": "plain",
            **options,
        }
        environment = evolve(make_environment("ad_client", reactor=self.clock), wall_clock=lambda: NOW)
        directory = self.directory

        class OnFakeDirectory(AdClient):
            def _make_directory(self) -> Directory:
                return cast(Directory, directory)

        self.client = OnFakeDirectory(AdClientSettings(**values), environment)

    def log_in(self, password: str = "right", username: str = "alice") -> PrimaryOutcome:
        return run_now(self.client.authenticate(make_request(username, password)))


# ── in order ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_plain_bind_takes_the_dn_that_was_found() -> None:
    """The search finds the entry, and the user binds as it."""
    house = House()
    assert house.log_in() == ACCEPTED
    assert house.directory.binds == [SimpleCredentials(ALICE.encode(), Secret("right"))]


@pytest.mark.parametrize("typed", ["alice", "corp\\alice", "Alice@Corp.Example"])
def test_ntlm_takes_the_name_of_the_account_and_no_domain_that_was_typed(typed: str) -> None:
    """A typed domain could be another one's, and its alice somebody else."""
    house = House(auth_type="ntlm2", ntlm_workstation="DUOPROXY")
    assert house.log_in(username=typed).accepted
    assert house.directory.binds == [NtlmCredentials("alice", "CORP", Secret("right"), "DUOPROXY")]


def test_a_domain_that_is_not_the_directorys_is_refused_before_a_bind() -> None:
    """The alice of another domain is somebody else."""
    house = House(auth_type="ntlm2")
    assert not house.log_in(username="EVIL\\alice").accepted
    assert house.directory.binds == []


def test_ntlm_domain_goes_before_that_of_the_service_account() -> None:
    """The option says whose users they are."""
    house = House(auth_type="ntlm2", ntlm_domain="EMEA")
    house.log_in()
    assert house.directory.binds == [NtlmCredentials("alice", "EMEA", Secret("right"))]


def test_an_empty_password_is_refused_before_anything_is_asked() -> None:
    """It would be an unauthenticated bind, to which many servers say success. Source: RFC 4513 §5.1.2."""
    house = House()
    outcome = house.log_in(password="")
    assert (outcome.accepted, outcome.alternative_is_safe) == (False, None)
    assert outcome.reason == "the password is empty, and an empty one is never sent to a directory"
    assert (house.directory.searches, house.directory.binds) == ([], [])


def test_a_user_who_is_not_found_is_refused_without_a_bind() -> None:
    """And without a second reading of the password, which would find nobody either."""
    house = House()
    assert house.log_in(username="zoe") == PrimaryOutcome(
        False, f"there is no entry below {BASE_DN} with this sAMAccountName", alternative_is_safe=False
    )
    assert house.directory.binds == []


@pytest.mark.parametrize(
    ("nested", "how"), [(False, "directly"), (True, "directly, by the primary group or through other groups")]
)
def test_who_is_in_none_of_the_groups_is_refused_without_a_bind(nested: bool, how: str) -> None:
    """The password is not even sent; what was looked for stands in the log."""
    house = House(security_group_dn={1: f"CN=VPN,OU=Groups,{BASE_DN}"}, nested_groups=nested)
    house.directory.add_group("VPN")
    assert house.log_in() == PrimaryOutcome(
        False, f"{ALICE} is in none of the groups of security_group_dn ({how})", alternative_is_safe=False
    )
    assert house.directory.binds == []


def test_a_member_of_the_second_group_is_admitted() -> None:
    """security_group_dn_2 (ours): one of them is enough."""
    house = House(security_group_dn={1: f"CN=A,OU=Groups,{BASE_DN}", 2: f"CN=B,OU=Groups,{BASE_DN}"})
    house.directory.add_group("A")
    house.directory.add_group("B", ALICE)
    assert house.log_in().accepted


def test_ldap_filter_and_group_have_to_be_fulfilled_both() -> None:
    """The filter is a condition on the entry, the group one more."""
    house = House(ldap_filter="(department=Sales)", security_group_dn={1: f"CN=A,OU=Groups,{BASE_DN}"})
    house.directory.add_group("A", ALICE)
    assert "fulfils ldap_filter" in house.log_in().reason
    house.alice.set("department", "Sales")
    assert house.log_in().accepted


def test_ntlm_without_a_login_name_says_what_to_write() -> None:
    """An OpenLDAP entry has no sAMAccountName; nothing is bound."""
    house = House(auth_type="ntlm2", username_attribute="uid")
    house.alice.set("sAMAccountName")
    house.alice.set("uid", "alice")
    outcome = house.log_in()
    assert outcome.reason.endswith("for a directory that is not Active Directory write auth_type=plain")
    assert (outcome.alternative_is_safe, house.directory.binds) == (False, [])


def test_a_directory_that_is_away_is_no_refusal() -> None:
    """The device then gets silence, and asks its next server."""
    house = House()
    house.directory.unreachable = True
    with pytest.raises(PrimaryUnreachable):
        house.log_in()


def test_a_password_that_cannot_be_sent_is_a_refusal() -> None:
    """Nothing went out; the log says why."""
    house = House()
    house.directory.bind_results = ["the password contains a NUL octet, behind which a directory may see nothing"]
    outcome = house.log_in()
    assert (outcome.accepted, outcome.reason[:29]) == (False, "the password contains a NUL o")


# ── refusals ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("result", "cause"),
    [
        (refused("530"), "the account may not log in at this hour, data 530"),
        (refused("531"), "the account may not log in from here, data 531"),
        (refused("532"), "the password has expired, data 532"),
        (refused("533"), "the account is disabled, data 533"),
        (refused("701"), "the account has expired, data 701"),
        (refused("773"), "the password must be changed first, data 773"),
        (refused("775"), "the account is locked, data 775"),
        (Result(53, "", "Account disabled"), "it is not willing to do this (unwillingToPerform)"),
        (Result(8, "", ""), "it takes this bind only signed or encrypted (strongerAuthRequired)"),
        (Result(10), "it names another server for this (referral)"),
        (Result(14), "it wants one more step of the bind than there is (saslBindInProgress)"),
        (Result(123), "it answers with a result that is not known here"),
    ],
)
def test_every_other_result_than_success_lets_nobody_in(result: Result, cause: str) -> None:
    """Expired and must-change are never success; no second password is tried on such an account."""
    house = House()
    house.directory.bind_results = [result]
    outcome = house.log_in()
    assert (outcome.accepted, outcome.alternative_is_safe) == (False, False)
    assert outcome.reason.startswith(f"dc1:389: {cause}")
    assert outcome.user_message == ""


# ── append mode ──────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("count", "safe"), [(0, True), (2, True), (3, False), (4, False)])
def test_a_second_password_may_follow_while_the_account_cannot_lock_by_it(count: int, safe: bool) -> None:
    """badPwdCount + 2 < the threshold (5), with the count as it was before the first of the two."""
    house = House()
    house.alice.set("badPwdCount", count)
    house.alice.set("badPasswordTime", unix_s_to_filetime(NOW - 60))
    house.directory.bind_results = [WRONG]
    assert house.log_in("wrong").alternative_is_safe is safe


@pytest.mark.parametrize(
    ("attribute", "value", "safe"),
    [("lockoutTime", unix_s_to_filetime(NOW - 5), False), ("badPwdCount", None, None)],
)
def test_what_was_locked_is_not_tried_and_what_cannot_be_read_is_not_known(
    attribute: str, value: int | None, safe: bool | None
) -> None:
    """Unreadable: the login may decide by its own, stricter rule."""
    house = House()
    house.alice.set(attribute, *([] if value is None else [value]))
    house.directory.bind_results = [WRONG]
    assert house.log_in("wrong").alternative_is_safe is safe


def test_a_directory_without_a_policy_leaves_it_open() -> None:
    """OpenLDAP: nothing of it can be read."""
    house = House()
    house.directory.entries[0].set("lockoutThreshold")
    house.directory.bind_results = [Result(49)]
    assert house.log_in("wrong").alternative_is_safe is None


# ── the shield ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_same_wrong_password_is_not_sent_again_within_a_minute() -> None:
    """A phone that repeats an old password costs one count a minute, from the first refusal on."""
    house = House()
    house.directory.bind_results = [WRONG]
    house.log_in("old")
    for _ in range(11):
        house.clock.advance(5)
        outcome = house.log_in("old")
        assert (outcome.accepted, outcome.reason.startswith(SHIELDED)) == (False, True)
    assert house.directory.passwords() == ["old"]
    house.clock.advance(SHIELD_S - 55)
    house.log_in("old")
    assert house.directory.passwords() == ["old", "old"]


class Slow:
    """Makes each bind of a house wait until the test answers it."""

    def __init__(self, house: House) -> None:
        self.waiting: list[Deferred[BindResult]] = []
        self.house = house
        house.directory.bind_user = self._bind  # type: ignore[method-assign]

    async def _bind(self, credentials: Credentials) -> BindResult:
        self.house.directory.binds.append(credentials)
        self.waiting.append(Deferred())
        return await self.waiting[-1]

    def begin(self, password: str) -> Deferred[PrimaryOutcome]:
        """Log in, and do not wait."""
        return Deferred.fromCoroutine(self.house.client.authenticate(make_request("alice", password)))


def ended(login: Deferred[PrimaryOutcome]) -> PrimaryOutcome:
    found: list[PrimaryOutcome] = []
    login.addCallback(found.append)
    return found[0]


def test_the_same_password_several_times_at_once_is_one_try() -> None:
    """A device that logs in five times at once costs one count: the others wait for what comes of the first."""
    slow = Slow(house := House())
    logins = [slow.begin("old") for _ in range(5)]
    assert house.directory.passwords() == ["old"]
    slow.waiting[0].callback(BindResult(WRONG, "dc1:389"))
    first, *others = [ended(login) for login in logins]
    assert not first.accepted
    assert "52e" in first.reason
    assert [(other.accepted, other.reason.startswith(SHIELDED)) for other in others] == [(False, True)] * 4
    assert house.directory.passwords() == ["old"]


def test_the_right_password_several_times_at_once_is_proven_each_time() -> None:
    """Who waited for a success binds all the same: no login is accepted without a bind of its own."""
    slow = Slow(house := House())
    logins = [slow.begin("right") for _ in range(3)]
    slow.waiting[0].callback(BindResult(Result(0), "dc1:389"))
    assert house.directory.passwords() == ["right"] * 3
    slow.waiting[1].callback(BindResult(Result(0), "dc1:389"))
    slow.waiting[2].callback(BindResult(refused("775"), "dc1:389"))
    assert [ended(login).accepted for login in logins] == [True, True, False]


def test_another_password_does_not_wait_for_the_one_that_is_being_tried() -> None:
    """Only the same password waits, and one login that is given up holds up nobody."""
    slow = Slow(house := House())
    logins = [slow.begin("old"), slow.begin("right"), slow.begin("old"), slow.begin("old")]
    assert house.directory.passwords() == ["old", "right"]
    for given_up in (logins[2], logins[0]):
        given_up.addErrback(lambda _: None)
        given_up.cancel()
    assert house.directory.passwords() == ["old", "right", "old"]


def test_another_password_is_sent_at_once() -> None:
    """The shield knows one password, not the user."""
    house = House()
    house.directory.bind_results = [WRONG, Result(0)]
    house.log_in("old")
    assert house.log_in("right").accepted


@pytest.mark.parametrize("attribute", ["pwdLastSet", "lockoutTime"])
def test_a_password_that_was_reset_works_at_once(attribute: str) -> None:
    """The shield forgets as soon as pwdLastSet or lockoutTime of the entry is another."""
    house = House()
    house.directory.bind_results = [WRONG, Result(0)]
    house.log_in("new")
    house.alice.set(attribute, unix_s_to_filetime(NOW))
    assert house.log_in("new").accepted


def test_a_success_forgets_what_was_refused() -> None:
    """The directory counts from 0 again."""
    house = House()
    house.directory.bind_results = [WRONG, Result(0), WRONG]
    for password in ("old", "right", "old"):
        house.log_in(password)
    assert house.directory.passwords() == ["old", "right", "old"]


@pytest.mark.parametrize("result", [refused("533"), refused("773"), refused("775"), Result(53), Result(80)])
def test_only_a_wrong_password_is_remembered(result: Result) -> None:
    """A disabled account is asked each time: an administrator may have enabled it."""
    house = House()
    house.directory.bind_results = [result, Result(0)]
    house.log_in("right")
    assert house.log_in("right").accepted


def test_the_shield_can_be_switched_off() -> None:
    """lockout_shield=false: each try is a bind."""
    house = House(lockout_shield=False)
    house.directory.bind_results = [WRONG]
    house.log_in("old")
    house.log_in("old")
    assert house.directory.passwords() == ["old", "old"]


def test_what_the_shield_refuses_leaves_room_for_the_other_reading() -> None:
    """In append mode the first reading may be shielded, and the second is the right one; the rule of counts holds."""
    house = House()
    house.directory.bind_results = [WRONG]
    house.log_in("old")
    assert house.log_in("old").alternative_is_safe is True
    house.alice.set("badPwdCount", 4)
    house.alice.set("badPasswordTime", unix_s_to_filetime(NOW - 60))
    assert house.log_in("old").alternative_is_safe is False


def test_the_shield_never_accepts() -> None:
    """Whatever was refused or accepted before, each accept has its own bind."""
    house = House()
    for _ in range(3):
        assert house.log_in().accepted
    assert house.directory.passwords() == ["right"] * 3


def test_a_group_is_asked_before_the_shield() -> None:
    """Who is taken out of the group is told so."""
    house = House(security_group_dn={1: f"CN=A,OU=Groups,{BASE_DN}"})
    house.directory.add_group("A", ALICE)
    house.directory.bind_results = [WRONG]
    house.log_in("old")
    house.directory.entries[-1].set("member")
    assert "is in none of the groups" in house.log_in("old").reason


# ── start ────────────────────────────────────────────────────────────────────────────────────────────────────────


def start(house: House) -> list[str]:
    """Start, and give what is logged."""
    with capturedLogs() as events:
        run_now(house.client.start())
    return [str(event["log_format"]).format(**event) for event in events]


def test_a_start_without_faults_says_nothing() -> None:
    """Nor does a second start's worth of binds happen."""
    house = House()
    assert start(house) == []
    run_now(house.client.stop())


def test_the_start_says_what_is_wrong_with_each_server() -> None:
    """Before the first user finds out; the start goes on."""
    house = House()
    house.directory.sentences = ["Directory dc1:389: one.", "Directory dc2:389: two."]
    assert start(house) == house.directory.sentences


def test_the_start_names_groups_that_are_not_there() -> None:
    """A slip in security_group_dn locks everybody out."""
    gone = f"CN=Gone,OU=Groups,{BASE_DN}"
    house = House(security_group_dn={1: gone})
    assert start(house) == [
        f"The group {gone} of security_group_dn cannot be found: nobody can log in by it. Check its DN, and that the "
        "service account may read it."
    ]


def test_the_start_goes_on_when_the_groups_cannot_be_looked_for() -> None:
    """The directory went away in between."""
    house = House(security_group_dn={1: f"CN=Gone,OU=Groups,{BASE_DN}"})
    house.directory.unreachable = True
    assert start(house) == ["directory dc1:389: no answer within 10 s"]


def test_the_start_says_as_whom_the_service_account_binds() -> None:
    """Where the name is not the one that was written."""
    house = House(service_account_username="svc-duo")
    assert start(house) == [
        "The service account binds as svc-duo@corp.example: the domain comes from search_dn. Write "
        "service_account_username with its domain, or bind_dn, if that is not its name."
    ]


def test_a_fault_of_the_probe_does_not_stop_the_start() -> None:
    """It is logged with its traceback."""
    house = House()

    async def broken(base: str) -> list[str]:
        raise LookupError(base)

    house.directory.probe = broken  # type: ignore[method-assign]
    assert start(house) == ["The directory could not be probed, by an internal error."]


def test_stop_ends_a_probe_that_waits() -> None:
    """Silently: nobody is interested any more."""
    house = House()

    async def waits(base: str) -> list[str]:
        await Deferred()
        return []

    house.directory.probe = waits  # type: ignore[method-assign]
    assert start(house) == []
    with capturedLogs() as events:
        run_now(house.client.stop())
    assert events == []
