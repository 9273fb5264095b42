"""[ad_client] against a real Active Directory: whole logins, with Samba as the domain controller.

What a refusal is told to the user is nothing, so every test looks at both: the Reply-Message and the log. How often an
account was counted is read from the directory's own database.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from duoproxy.radius.packet import Code
from tests.peers.connectivity import tool_on
from tests.peers.directory_lab import DirectoryLab, Login, running_directory_lab
from tests.peers.ports import free_ports
from tests.peers.raw_device import exchange, login_request
from tests.peers.samba import (
    BASE,
    DOMAIN,
    NEVER_IN_2019,
    PASSWORD,
    PEERS,
    REALM,
    SERVICE,
    SERVICE_PASSWORD,
    Account,
    Group,
    SambaDomain,
    group_dn,
    running_domain,
)
from tests.peers.sandbox import SandboxPorts, sandbox_sections

pytestmark = pytest.mark.needs_peer(*PEERS)

DISABLED = 514
WRONG = "wr0ng-password"
LONG_NAME = "long" * 50
COMMA_PASSWORD = "C0rrect,123456"

ALICE, BOB, CAROL, DAVE, ERIN = (Account(name) for name in ("alice", "bob", "carol", "dave", "erin"))
PWEXPIRED = Account("pwexpired")
LOCKED = Account("locked")
PAER = Account("pär")
WEIRD = Account("weird", r"Weird\, User (x)")
REFUSED = {
    "mustchange": Account("mustchange", more={"pwdLastSet": "0"}),
    "disabled": Account("disabled", flags=DISABLED),
    "expired": Account("expired", more={"accountExpires": str(NEVER_IN_2019)}),
    "pwexpired": PWEXPIRED,
    "nologonhours": Account("nologonhours", more={"logonHours": bytes(21)}),
}
UMLAUT_PASSWORD = "Pässwörd€1!"
UMLAUT = Account("umlaut", password=UMLAUT_PASSWORD)
BOUND = Account("bound", more={"userWorkstations": "PC1"})
ADMINISTRATOR = Account("svc-admin", password=SERVICE_PASSWORD)
SVC_TRIED = Account("svc-tried", password=SERVICE_PASSWORD)
TEN, TWO = Account("ten"), Account("two")
"""Who has a fine-grained policy, by which so many wrong passwords lock."""
COUNTED = {
    name: Account(name)
    for name in (
        "at-once",
        "at-once-ntlm",
        "once",
        "thrice",
        "outsider",
        "again",
        "reset",
        "unlock",
        "ntlm",
        "unshielded",
    )
}
APPENDING = {
    "append0": Account("append0"),
    "append1": Account("append1"),
    "append-again": Account("append-again"),
    "comma0": Account("comma0", password=COMMA_PASSWORD),
    "comma1": Account("comma1", password=COMMA_PASSWORD),
}
ACCOUNTS = [
    Account(SERVICE, password=SERVICE_PASSWORD),
    ADMINISTRATOR,
    Account("svc-wrong"),
    SVC_TRIED,
    *(ALICE, BOB, CAROL, DAVE, ERIN, LOCKED, PAER, WEIRD, UMLAUT, BOUND, TEN, TWO),
    Account("longname", more={"mail": f"{LONG_NAME}@example.test"}),
    Account("twin1", more={"mail": "twin@example.test"}),
    Account("twin2", more={"mail": "twin@example.test"}),
    *REFUSED.values(),
    *COUNTED.values(),
    *APPENDING.values(),
]
GROUPS = [
    Group("VPN Users", [ALICE.dn, WEIRD.dn]),
    Group("VPN Inner", [CAROL.dn]),
    Group("VPN Primary", [DAVE.dn]),
    Group("VPN Inner Primary", [ERIN.dn]),
    Group("VPN Nested", [group_dn("VPN Inner"), group_dn("VPN Inner Primary"), group_dn("VPN Primary")]),
    Group("Other", [BOB.dn]),
]

WRONG_52E = (
    "name or password is wrong, data 52e; Active Directory hides most other reasons behind this one: the security log "
    "of the domain controller has it"
)
SENTENCES = {
    "mustchange": "the password must be changed first, data 773; the user has to set a new one, at a Windows logon",
    "disabled": "the account is disabled, data 533; enable it if that is not meant",
    "expired": "the account has expired, data 701; set a later end if that is not meant",
    "pwexpired": "the password has expired, data 532; the user has to set a new one",
    "nologonhours": "the account may not log in at this hour, data 530; change its logon hours if that is not meant",
}
LOCKED_775 = (
    "the account is locked, data 775; unlock it or wait, and look for the device that keeps sending a wrong password"
)
FROM_MEMORY = (
    "the same wrong password was refused less than a minute ago, and is refused from memory so that the account does "
    "not lock; correct the password on the user's devices (lockout_shield)"
)
STRONGER_AUTH = (
    "the service account is refused: it takes this bind only signed or encrypted (strongerAuthRequired), result 8: "
    '"BindSimple: Transport encryption required."; set transport=starttls or ldaps, or auth_type=ntlm2'
)
NO_NTLM_IN_TLS = (
    'it takes no NTLM inside TLS, result 8: "SASL:[GSS-SPNEGO]: Sign or Seal are required."; set auth_type=plain, or '
    "transport=clear (ntlm2 signs and seals there), or, where it is Samba, let it have ldap server require strong auth "
    "= allow_sasl_over_tls"
)

TAKEN = {"starttls": "", "ldaps": "", "ntlm": ""}
STRONG_AUTH = {
    "yes": {**TAKEN, "clear": STRONGER_AUTH, "ntlm-starttls": NO_NTLM_IN_TLS, "ntlm-ldaps": NO_NTLM_IN_TLS},
    "allow_sasl_over_tls": {**TAKEN, "clear": STRONGER_AUTH, "ntlm-starttls": "", "ntlm-ldaps": ""},
    "no": {**TAKEN, "clear": "", "ntlm-starttls": "", "ntlm-ldaps": ""},
}
"""What comes of each kind of bind: nothing where it is taken, else the sentence."""


@pytest.fixture(scope="module")
def domain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SambaDomain]:
    with running_domain(tmp_path_factory.mktemp("samba"), ACCOUNTS, GROUPS) as made:
        made.set_primary_group(DAVE, "VPN Primary")
        made.set_primary_group(ERIN, "VPN Inner Primary")
        made.expire_password(PWEXPIRED)
        made.make_administrator(ADMINISTRATOR)
        made.add_policy(TEN, 10)
        made.add_policy(TWO, 2)
        made.run()
        yield made


@pytest.fixture(scope="module")
def lab(domain: SambaDomain, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DirectoryLab]:
    ntlm = {
        "host": domain.address,
        "service_account_username": SERVICE,
        "service_account_password": SERVICE_PASSWORD,
        "search_dn": BASE,
        "ssl_ca_certs_file": domain.ca_file,
    }
    plain = {**ntlm, "auth_type": "plain", "transport": "starttls"}
    several = {"security_group_dn": group_dn("VPN Users"), "security_group_dn_2": group_dn("Other")}
    clients = {
        "starttls": plain,
        "ldaps": {**plain, "transport": "ldaps"},
        "ntlm": ntlm,
        "clear": {**plain, "transport": "clear"},
        "ntlm-starttls": {**ntlm, "transport": "starttls"},
        "ntlm-ldaps": {**ntlm, "transport": "ldaps"},
        "cn": {**plain, "username_attribute": "cn", "at_attribute": "mail"},
        "group": {**plain, "security_group_dn": group_dn("VPN Users")},
        "group-primary": {**plain, "security_group_dn": group_dn("VPN Primary")},
        "group-outer": {**plain, "security_group_dn": group_dn("VPN Nested")},
        "group-nested": {**plain, "security_group_dn": group_dn("VPN Nested"), "nested_groups": "true"},
        "group-several": {**plain, **several},
        "group-missing": {**plain, "security_group_dn": group_dn("Nobody Made It")},
        "group-ntlm": {**ntlm, "security_group_dn": group_dn("VPN Nested"), "nested_groups": "true"},
        "unshielded": {**plain, "lockout_shield": "false"},
        "service-upn": {**ntlm, "service_account_username": f"{SERVICE}@{REALM}"},
        "service-domain": {**ntlm, "service_account_username": rf"{DOMAIN}\{SERVICE}"},
        "service-domain-plain": {**plain, "service_account_username": rf"{DOMAIN}\{SERVICE}"},
        "gc": {**plain, "port": 3268, "security_group_dn": group_dn("VPN Users")},
        "gc-ldaps": {**plain, "port": 3269, "transport": "ldaps"},
        "workstation": {**ntlm, "ntlm_domain": DOMAIN, "ntlm_workstation": "PC1"},
        "other-domain": {**ntlm, "ntlm_domain": "OTHER"},
        "administrator": {**plain, "service_account_username": ADMINISTRATOR.name},
        "wrong-service": {**plain, "service_account_username": "svc-wrong", "service_account_password": WRONG},
    }
    with running_directory_lab(tmp_path_factory.mktemp("lab") / "proxy", clients) as running:
        yield running


@pytest.fixture(autouse=True)
def as_delivered(domain: SambaDomain) -> None:
    """Samba demands signing or encryption unless a test lets it be."""
    domain.run("yes")


def refused(login: Login, domain: SambaDomain, sentence: str, port: int = 389) -> None:
    """Hold against a refusal by the directory: the sentence in the log, and nothing of it for the user."""
    assert (login.accepted, login.shown, login.cause) == (False, "", "password-refused")
    assert login.detail == f"{domain.address}:{port}: {sentence}"


# ── how passwords are checked ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("label", ["starttls", "ldaps", "ntlm"])
@pytest.mark.parametrize(
    "user",
    [
        "alice",
        "ALICE",
        rf"{DOMAIN}\alice",
        f"alice@{REALM}",
        "weird",
        rf"{DOMAIN}\weird",
        "pär",
        "PÄR",
        f"pär@{REALM}",
    ],
)
def test_a_user_logs_in_by_each_form_of_the_name(lab: DirectoryLab, label: str, user: str) -> None:
    r"""Simple binds in TLS, sealed NTLM; `user`, `DOMAIN\user`, `user@domain`; comma, parentheses, umlaut."""
    assert lab.login(label, user, PASSWORD).cause == "approved"


@pytest.mark.parametrize("label", ["starttls", "ntlm"])
def test_a_password_with_letters_beyond_ascii(lab: DirectoryLab, label: str) -> None:
    """UTF-8 in a simple bind, UTF-16 in NTLM."""
    assert lab.login(label, "umlaut", UMLAUT_PASSWORD).cause == "approved"


@pytest.mark.parametrize(
    "label", ["service-upn", "service-domain", "service-domain-plain", "gc", "gc-ldaps", "administrator", "workstation"]
)
def test_forms_of_the_service_account_and_the_global_catalogue(lab: DirectoryLab, label: str) -> None:
    r"""The service account as UPN and as DOMAIN\user; ports 3268 and 3269; ntlm_domain and ntlm_workstation."""
    assert lab.login(label, "alice", PASSWORD).cause == "approved"


def test_a_domain_that_the_server_does_not_know(lab: DirectoryLab, domain: SambaDomain) -> None:
    """ntlm_domain is wrong: the log names it."""
    login = lab.login("other-domain", "alice", PASSWORD)
    assert (login.accepted, login.shown, login.cause) == (False, "", "primary-unreachable")
    assert login.detail == (
        f"directory {domain.address}:389: it reaches no domain controller of the account's domain, data 51f; check "
        "ntlm_domain, and the trust between the domains"
    )


def test_an_account_that_may_log_in_from_one_workstation_only(lab: DirectoryLab, domain: SambaDomain) -> None:
    """ntlm_workstation is what the domain controller compares; without it, and in simple binds, it refuses."""
    assert lab.login("workstation", "bound", PASSWORD).cause == "approved"
    for label in ("ntlm", "starttls"):
        refused(
            lab.login(label, "bound", PASSWORD),
            domain,
            "the account may not log in from here, data 531; add the domain controller and the value of "
            "ntlm_workstation to the computers that it may log on to",
        )


@pytest.mark.parametrize(("label", "port"), [("starttls", 389), ("ldaps", 636), ("ntlm", 389)])
def test_a_wrong_password_is_refused(lab: DirectoryLab, domain: SambaDomain, label: str, port: int) -> None:
    """A wrong password is refused, by each kind of bind."""
    refused(lab.login(label, "bob", f"{WRONG} {label}"), domain, WRONG_52E, port)
    domain.unlock(BOB)


@pytest.mark.parametrize("user", ["Weird, User (x)", "WEIRD, USER (X)", f"{LONG_NAME}@example.test"])
def test_names_that_need_escaping_or_are_long(lab: DirectoryLab, user: str) -> None:
    """Commas, parentheses, 200 characters: in the name itself, by another username_attribute and at_attribute."""
    assert len(LONG_NAME) == 200
    assert lab.login("cn", user, PASSWORD).cause == "approved"


def test_a_name_that_two_entries_have(lab: DirectoryLab) -> None:
    """Exactly one entry is wanted: with two, nobody is let in."""
    login = lab.login("cn", "twin@example.test", PASSWORD)
    assert (login.accepted, login.shown) == (False, "")
    assert login.detail == f"there is more than one entry below {BASE} with this mail: the name is ambiguous"


def test_a_name_that_nobody_has(lab: DirectoryLab) -> None:
    """An unknown user: refused without a bind."""
    login = lab.login("starttls", "nobody", PASSWORD)
    assert (login.accepted, login.shown) == (False, "")
    assert login.detail == f"there is no entry below {BASE} with this sAMAccountName"


def test_a_name_that_only_the_directory_takes_for_the_same(lab: DirectoryLab) -> None:
    """What the directory matches more loosely than letter case is ambiguous: Duo would be asked about another name."""
    login = lab.login("starttls", f"{DOMAIN}\\ alice", PASSWORD)
    assert (login.accepted, login.shown) == (False, "")
    assert login.detail == (
        f"the directory matches the name to {ALICE.dn}, whose sAMAccountName is another: the name is ambiguous"
    )


# ── what the directory says of accounts ────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("label", ["starttls", "ntlm"])
@pytest.mark.parametrize("user", REFUSED)
def test_an_account_that_may_not_log_in(lab: DirectoryLab, domain: SambaDomain, label: str, user: str) -> None:
    """Expired, disabled, to be changed …: never a success; the log says which, users and strangers learn nothing."""
    refused(lab.login(label, user, PASSWORD), domain, SENTENCES[user])
    refused(lab.login(label, user, WRONG), domain, WRONG_52E)
    domain.unlock(REFUSED[user])


def test_a_locked_account(lab: DirectoryLab, domain: SambaDomain) -> None:
    """Three different wrong passwords lock the account; then the right one is refused too, until it is unlocked."""
    for number in range(3):
        refused(lab.login("starttls", "locked", f"{WRONG}{number}"), domain, WRONG_52E)
    assert domain.bad_passwords(LOCKED) == 3
    for label in ("starttls", "ntlm"):
        refused(lab.login(label, "locked", PASSWORD), domain, LOCKED_775)
    domain.unlock(LOCKED)
    for label in ("starttls", "ntlm"):
        assert lab.login(label, "locked", PASSWORD).cause == "approved"


# ── what the domain controller demands ─────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("strong_auth", STRONG_AUTH)
def test_each_setting_of_ldap_server_require_strong_auth(
    lab: DirectoryLab, domain: SambaDomain, strong_auth: str
) -> None:
    """NTLM signs and seals on a clear connection and not inside TLS; where that is not taken, the log has a way out."""
    domain.run(strong_auth)
    for label, sentence in STRONG_AUTH[strong_auth].items():
        login = lab.login(label, "alice", PASSWORD)
        if not sentence:
            assert login.cause == "approved", (label, login)
            continue
        port = 636 if label.endswith("ldaps") else 389
        assert (login.accepted, login.shown, login.cause) == (False, "", "primary-unreachable")
        assert login.detail == f"directory {domain.address}:{port}: {sentence}"


@pytest.mark.parametrize(("label", "sentence"), [("clear", STRONGER_AUTH), ("ntlm-starttls", NO_NTLM_IN_TLS)])
def test_the_start_says_what_the_domain_controller_will_not_take(
    lab: DirectoryLab, domain: SambaDomain, label: str, sentence: str
) -> None:
    """The start probes each directory and says what is wrong before the first user does."""
    lab.said(label, "error", f"Directory {domain.address}:389: {sentence}.")


# ── groups ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("label", "user", "is_let_in"),
    [
        ("group", "alice", True),
        ("group", "weird", True),
        ("group", f"alice@{REALM}", True),
        ("group", "bob", False),
        ("group", "dave", False),
        ("group-primary", "dave", True),
        ("group-primary", "alice", False),
        ("group-outer", "carol", False),
        ("group-outer", "dave", False),
        ("group-nested", "carol", True),
        ("group-nested", "erin", True),
        ("group-nested", "dave", True),
        ("group-nested", "alice", False),
        ("group-several", "alice", True),
        ("group-several", "bob", True),
        ("group-several", "carol", False),
        ("group-missing", "alice", False),
        ("group-ntlm", "carol", True),
        ("group-ntlm", "alice", False),
    ],
)
def test_security_groups(lab: DirectoryLab, label: str, user: str, is_let_in: bool) -> None:
    """Members directly and by the primary group; with nested_groups also through other groups; of one of several."""
    login = lab.login(label, user, PASSWORD)
    assert login.accepted is is_let_in, login
    if not is_let_in:
        nested = label in ("group-nested", "group-ntlm")
        how = "directly, by the primary group or through other groups" if nested else "directly"
        dn = f"CN={user},CN=Users,{BASE}"
        assert (login.shown, login.cause) == ("", "password-refused")
        assert login.detail == f"{dn} is in none of the groups of security_group_dn ({how})"


def test_a_group_that_is_not_there(lab: DirectoryLab) -> None:
    """A security group that does not exist is told at the start."""
    lab.said(
        "group-missing",
        "error",
        f"The group {group_dn('Nobody Made It')} of security_group_dn cannot be found: nobody can log in by it. Check "
        "its DN, and that the service account may read it.",
    )


# ── against lock-outs ──────────────────────────────────────────────────────────────────────────────────────────────


def test_a_wrong_password_counts_once(lab: DirectoryLab, domain: SambaDomain) -> None:
    """One login with a wrong password costs one count; a right one sets the count back."""
    account = COUNTED["once"]
    refused(lab.login("starttls", account.name, WRONG), domain, WRONG_52E)
    assert domain.bad_passwords(account) == 1
    refused(lab.login("ldaps", account.name, f"{WRONG}2"), domain, WRONG_52E, 636)
    assert domain.bad_passwords(account) == 2
    assert lab.login("starttls", account.name, PASSWORD).accepted
    assert domain.bad_passwords(account) == 0


def test_a_wrong_password_counts_once_with_ntlm(lab: DirectoryLab, domain: SambaDomain) -> None:
    """The steps of NTLM are one try."""
    account = COUNTED["ntlm"]
    refused(lab.login("ntlm", account.name, WRONG), domain, WRONG_52E)
    assert domain.bad_passwords(account) == 1


def test_who_is_in_no_group_costs_no_count(lab: DirectoryLab, domain: SambaDomain) -> None:
    """The groups are checked before the password: a stranger cannot lock whom the group keeps out."""
    account = COUNTED["outsider"]
    assert not lab.login("group", account.name, WRONG).accepted
    assert domain.bad_passwords(account) == 0


def test_a_device_that_repeats_a_wrong_password_does_not_lock_the_account(
    lab: DirectoryLab, domain: SambaDomain
) -> None:
    """The shield refuses the same wrong password from memory; another one is tried, and the right one works."""
    account = COUNTED["thrice"]
    refused(lab.login("starttls", account.name, WRONG), domain, WRONG_52E)
    for _ in range(5):
        login = lab.login("starttls", account.name, WRONG)
        assert (login.accepted, login.shown, login.detail) == (False, "", FROM_MEMORY)
    assert domain.bad_passwords(account) == 1
    assert lab.login("starttls", account.name, PASSWORD).accepted
    assert domain.bad_passwords(account) == 0


@pytest.mark.parametrize(("label", "user"), [("starttls", "at-once"), ("ntlm", "at-once-ntlm")])
def test_a_device_that_logs_in_several_times_at_once_costs_one_count(
    lab: DirectoryLab, domain: SambaDomain, label: str, user: str
) -> None:
    """Five logins with the same wrong password, at once: one is tried, the others are refused with it."""

    def ask(_: int) -> int | None:
        answer = exchange(lab.lab.addresses[label], login_request(user, WRONG.encode()))
        return answer[0] if answer else None

    with ThreadPoolExecutor(5) as devices:
        assert list(devices.map(ask, range(5))) == [Code.ACCESS_REJECT] * 5
    assert domain.bad_passwords(COUNTED[user]) == 1
    assert lab.login(label, user, PASSWORD).cause == "approved"


def test_a_success_makes_the_shield_forget(lab: DirectoryLab, domain: SambaDomain) -> None:
    """After a success the directory counts from 0 again, and the same wrong password is asked for again."""
    account = COUNTED["again"]
    refused(lab.login("starttls", account.name, WRONG), domain, WRONG_52E)
    assert lab.login("starttls", account.name, PASSWORD).accepted
    refused(lab.login("starttls", account.name, WRONG), domain, WRONG_52E)
    assert domain.bad_passwords(account) == 1


def test_without_the_shield_every_try_counts(lab: DirectoryLab, domain: SambaDomain) -> None:
    """lockout_shield=false: each repetition goes to the directory."""
    account = COUNTED["unshielded"]
    for _ in range(2):
        refused(lab.login("unshielded", account.name, WRONG), domain, WRONG_52E)
    assert domain.bad_passwords(account) == 2


@pytest.mark.parametrize("label", ["starttls", "ntlm"])
def test_a_reset_password_works_at_once(lab: DirectoryLab, domain: SambaDomain, label: str) -> None:
    """A password that was refused a moment ago works as soon as an administrator has set it."""
    account, new = COUNTED["reset"], f"N3w-Password-{label}!"
    refused(lab.login(label, account.name, new), domain, WRONG_52E)
    assert lab.login(label, account.name, new).detail == FROM_MEMORY
    domain.set_password(account, new)
    assert lab.login(label, account.name, new).cause == "approved"


def test_an_unlocked_account_works_at_once(lab: DirectoryLab, domain: SambaDomain) -> None:
    """An account that an administrator unlocked is asked about again, whatever the shield remembers."""
    account = COUNTED["unlock"]
    for number in range(3):
        lab.login("starttls", account.name, f"{WRONG}{number}")
    refused(lab.login("starttls", account.name, PASSWORD), domain, LOCKED_775)
    domain.unlock(account)
    refused(lab.login("starttls", account.name, f"{WRONG}0"), domain, WRONG_52E)
    assert domain.bad_passwords(account) == 1
    assert lab.login("starttls", account.name, PASSWORD).cause == "approved"


def test_append_mode_tries_twice_where_that_cannot_lock(lab: DirectoryLab, domain: SambaDomain) -> None:
    """Count 0 of 3: 0 + 2 < 3, so that the whole string is tried too, and a password with a comma works."""
    account = APPENDING["comma0"]
    assert lab.login("starttls", account.name, COMMA_PASSWORD).cause == "approved"
    wrong = APPENDING["append0"]
    assert not lab.login("starttls", wrong.name, f"{WRONG},123456").accepted
    assert domain.bad_passwords(wrong) == 2


def test_append_mode_costs_one_count_where_two_could_lock(lab: DirectoryLab, domain: SambaDomain) -> None:
    """Count 1 of 3: 1 + 2 is not less than 3, so that one login costs one count, and the account does not lock."""
    account = APPENDING["append1"]
    refused(lab.login("starttls", account.name, WRONG), domain, WRONG_52E)
    assert domain.bad_passwords(account) == 1
    refused(lab.login("starttls", account.name, f"{WRONG} again,123456"), domain, WRONG_52E)
    assert domain.bad_passwords(account) == 2
    assert lab.login("starttls", account.name, PASSWORD).cause == "approved"
    comma = APPENDING["comma1"]
    refused(lab.login("starttls", comma.name, WRONG), domain, WRONG_52E)
    refused(lab.login("starttls", comma.name, COMMA_PASSWORD), domain, WRONG_52E)
    assert domain.bad_passwords(comma) == 2


def test_append_mode_repeated_costs_nothing(lab: DirectoryLab, domain: SambaDomain) -> None:
    """What append mode tried is remembered: the same string again costs no count."""
    account = APPENDING["append-again"]
    for _ in range(3):
        assert not lab.login("starttls", account.name, f"{WRONG},123456").accepted
        assert domain.bad_passwords(account) == 2
    assert lab.login("starttls", account.name, PASSWORD).cause == "approved"


def test_append_mode_goes_by_the_policy_of_the_account(lab: DirectoryLab, domain: SambaDomain) -> None:
    """A fine-grained policy that can be read: two tries up to 7 of 10, then one; of 2, one from the beginning."""
    domain.unlock(TEN)
    counts = []
    for number in range(6):
        assert not lab.login("administrator", "ten", f"{WRONG}{number},123456").accepted
        counts.append(domain.bad_passwords(TEN))
    assert counts == [2, 4, 6, 8, 9, 10]
    assert not lab.login("administrator", "two", f"{WRONG},123456").accepted
    assert domain.bad_passwords(TWO) == 1


def test_append_mode_where_the_policy_cannot_be_read(lab: DirectoryLab, domain: SambaDomain) -> None:
    """An ordinary service account may not read it: one second try for this user in 30 minutes, and no further one."""
    domain.unlock(TEN)
    counts = []
    for number in range(3):
        assert not lab.login("starttls", "ten", f"{WRONG} unread {number},123456").accepted
        counts.append(domain.bad_passwords(TEN))
    assert counts == [2, 3, 4]


def test_a_factor_behind_the_password_is_taken_off(lab: DirectoryLab, domain: SambaDomain) -> None:
    """`password,push` costs nothing when the password is right."""
    assert lab.login("starttls", "alice", f"{PASSWORD},push").cause == "approved"
    assert domain.bad_passwords(ALICE) == 0


def test_a_wrong_service_password_is_tried_once(lab: DirectoryLab, domain: SambaDomain) -> None:
    """Start and logins together try a refused service account once: it does not lock."""
    lab.said(
        "wrong-service",
        "error",
        f"Directory {domain.address}:389 refuses the service account: name or password is wrong, data 52e. So that it "
        "is not locked, it is not tried again for 60 seconds; until then no user of this section can log in. Check "
        "service_account_username and service_account_password.",
    )
    details = {lab.login("wrong-service", "alice", PASSWORD).detail.split(" and is tried")[0] for _ in range(4)}
    assert details == {
        f"directory {domain.address}:389: the service account was refused (name or password is wrong, data 52e)"
    }
    assert domain.bad_passwords(Account("svc-wrong")) == 1


# ── the connectivity tool ──────────────────────────────────────────────────────────────────────────────────────────


def test_the_connectivity_tool_tries_the_domain_controller(domain: SambaDomain, tmp_path: Path) -> None:
    """Each kind of bind and transport; a wrong password of the service account is counted once, for two hosts."""
    ntlm = {
        "host": domain.address,
        "service_account_username": SVC_TRIED.name,
        "service_account_password": SERVICE_PASSWORD,
        "search_dn": BASE,
        "ssl_ca_certs_file": domain.ca_file,
        "security_group_dn": group_dn("VPN Users"),
    }
    plain = {**ntlm, "auth_type": "plain", "transport": "starttls"}
    sections: dict[str, dict[str, object]] = {
        "ad_client": ntlm,
        "ad_client2": plain,
        "ad_client3": {**plain, "transport": "ldaps"},
        "ad_client4": {**plain, "security_group_dn": group_dn("Nobody Made It")},
        "ad_client5": {**ntlm, "host_2": domain.address, "service_account_password": WRONG},
    }
    sections.update(sandbox_sections(SandboxPorts(*free_ports(2)), client="ad_client"))
    del sections["sandbox_duo"]
    del sections["radius_server_auto"]["http_ca_certs_file"]
    run = tool_on(tmp_path, sections)
    well = ["[info]  The LDAP Client section has no connectivity issues."]
    ill = "[error]  The LDAP Client section has connectivity issues."
    assert [run.tested(f"ad_client{number}") for number in ("", "2", "3")] == [well, well, well]
    assert run.tested("ad_client4") == [
        f"[error]  The group {group_dn('Nobody Made It')} of security_group_dn cannot be found: nobody can log in by "
        "it. Check its DN, and that the service account may read it.",
        ill,
    ]
    assert run.tested("ad_client5") == [
        f"[error]  Directory {domain.address}:389: the service account is refused: name or password is wrong, data "
        "52e. Check service_account_username and service_account_password. Active Directory hides most other reasons "
        "behind this one: the security log of the domain controller has it.",
        f"[info]  Directory {domain.address}:389 was not tried, because {domain.address}:389 refuses the "
        "service account. Each further try would count towards its lock-out.",
        ill,
    ]
    assert domain.bad_passwords(SVC_TRIED) == 1
