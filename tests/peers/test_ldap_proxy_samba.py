"""[ldap_server_auto] in front of a real Active Directory: the names that it takes, and what it says of refusals."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.peers.ldap_lab import PEERS as CLIENTS
from tests.peers.ldap_lab import LdapLab, running_ldap_lab
from tests.peers.ldap_proxy_lab import PYTHON_LDAP, ProxyLab, run_python_ldap, running_proxy_lab
from tests.peers.ldap_scenarios_ad import (
    ADMIN,
    ALL,
    BULKY,
    EVERYTHING,
    MANY,
    MANY_DN,
    MIB,
    PAT,
    SEARCHES,
    change_entries,
    change_password,
    fill,
    identity,
    search,
    session,
)
from tests.peers.samba import (
    BASE,
    DOMAIN,
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

pytestmark = pytest.mark.needs_peer(*PEERS, *CLIENTS, *PYTHON_LDAP)

ALICE, DAVE, OUTSIDER = Account("alice"), Account("dave"), Account("outsider")
MUST_CHANGE = Account("mustchange", more={"pwdLastSet": "0"})
PRETENDER = Account("pretender", more={"displayName": f"CN=made up,OU=Service,{BASE}"})
SERVICE_ACCOUNT = Account(SERVICE, password=SERVICE_PASSWORD)
# What a domain controller may take for a name of Bob stands in Eve's entry, and in Bob's own another UPN.
EVE = Account("eve", password="Eves-Own-Pass1!", more={"displayName": "bob", "mail": f"bob@{REALM}"})
BOB = Account("bob", password="Bobs-Own-Pass1!", more={"userPrincipalName": f"robert@{REALM}"})
COMMA = Account("comma", r"Bob\, \22The\22 Builder \+ #1")
ACCOUNTS = [SERVICE_ACCOUNT, ALICE, DAVE, OUTSIDER, MUST_CHANGE, PRETENDER, EVE, BOB, COMMA, ADMIN, PAT, BULKY]


@pytest.fixture(scope="module")
def domain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SambaDomain]:
    groups = [Group("VPN Users", [ALICE.dn, DAVE.dn, PRETENDER.dn])]
    with running_domain(tmp_path_factory.mktemp("samba"), ACCOUNTS, groups) as running:
        fill(running)
        running.run()
        yield running


def client_options(domain: SambaDomain) -> dict[str, object]:
    return {
        "host": domain.address,
        "transport": "ldaps",
        "ssl_ca_certs_file": domain.ca_file,
        "auth_type": "plain",
        "service_account_username": f"{SERVICE}@{REALM.lower()}",
        "service_account_password": SERVICE_PASSWORD,
        "search_dn": BASE,
    }


@pytest.fixture(scope="module")
def lab(domain: SambaDomain, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LdapLab]:
    client = {**client_options(domain), "security_group_dn": group_dn("VPN Users")}
    listeners = {"auto": {"exempt_ou_1": f"OU=Service,{BASE}"}}
    users = {"alice": "push approve-after 0", "dave": "push deny-after 0", "*": "push approve-after 0"}
    with running_ldap_lab(tmp_path_factory.mktemp("proxy"), client, listeners, users) as running:
        yield running


@pytest.fixture(scope="module")
def octets(domain: SambaDomain, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProxyLab]:
    """A proxy for everybody, with taps around it; LDAPS behind it."""
    with running_proxy_lab(
        tmp_path_factory.mktemp("octets"),
        directory=(domain.address, 389, 636),
        client=client_options(domain),
        listeners={"auto": {"allow_unlimited_binds": "true"}},
        users={"*": "push approve-after 0"},
        service_name=f"{SERVICE}@{REALM.lower()}".encode(),
    ) as running:
        yield running


@pytest.mark.parametrize("name", [ALICE.dn, f"alice@{REALM.lower()}", f"{DOMAIN}\\alice"])
def test_each_form_of_a_name_is_asked_for_as_one_user(lab: LdapLab, name: str) -> None:
    r"""DN, UPN and DOMAIN\user: the push is alice's, and the session too."""
    begin = len(lab.server.output())
    search = ("-LLL", "-b", BASE, "(sAMAccountName=alice)", "memberOf")
    answer = lab.run("ldapsearch", lab.url("auto"), "-D", name, "-w", PASSWORD, *search)
    assert (answer.code, f"dn: {ALICE.dn}" in answer.output) == (0, True), answer
    assert "user='alice'" in lab.server.output()[begin:]
    assert "cause=approved" in lab.server.output()[begin:]


@pytest.mark.parametrize(
    ("name", "password", "text"),
    [
        (f"dave@{REALM.lower()}", PASSWORD, "Login request denied."),
        (f"alice@{REALM.lower()}", "wrong", "data 52e"),
        (f"mustchange@{REALM.lower()}", PASSWORD, "data 773"),
        (f"nobody@{REALM.lower()}", PASSWORD, "data 52e"),
        (OUTSIDER.dn, PASSWORD, "This account may not log in here."),
    ],
)
def test_refusals_are_those_of_the_directory_or_ours(lab: LdapLab, name: str, password: str, text: str) -> None:
    """49, with the words of whoever refused."""
    answer = lab.run("ldapsearch", lab.url("auto", ldaps=True), "-D", name, "-w", password, "-b", BASE)
    assert (answer.code, text in answer.errors) == (49, True), answer


def test_display_name_is_nobodys_exemption(lab: LdapLab) -> None:
    """A name below exempt_ou_1 that is no entry lets nobody in, whatever the directory makes of it."""
    name = f"CN=made up,OU=Service,{BASE}"
    answer = lab.run("ldapsearch", lab.url("auto"), "-D", name, "-w", PASSWORD, "-b", BASE)
    assert answer.code == 49


# ── octet by octet ───────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("arguments", SEARCHES.values(), ids=SEARCHES)
def test_ldapsearch_sees_the_same_octets(octets: ProxyLab, arguments: tuple[str, ...]) -> None:
    """Sorting, references, extended DNs, and each refusal of the domain controller."""
    said = octets.compare(lambda door: search(door, *arguments), "ldaps")
    assert said.output or said.errors


@pytest.mark.parametrize("secure", ["starttls", "ldaps"])
def test_transport_changes_nothing(octets: ProxyLab, secure: str) -> None:
    """A megabyte, over StartTLS and LDAPS before the proxy, LDAPS behind it."""
    said = octets.compare(lambda door: search(door, "-b", BULKY.dn, "-s", "base", "jpegPhoto"), secure)
    assert len(said.output) > MIB


def test_pages_are_complete(octets: ProxyLab) -> None:
    """More than 5,000 entries, ours all among them, each once."""
    pages = octets.compare(lambda door: search(door, *EVERYTHING), "ldaps")
    names = [line for line in pages.output.splitlines() if line.startswith("dn:")]
    assert len(set(names)) == len(names) > ALL
    assert sum(name.startswith("dn: CN=many") for name in names) == MANY


def test_python_ldap_sees_the_same_octets(octets: ProxyLab) -> None:
    """Pages, and twenty searches at once."""
    given = {"user": ADMIN.dn, "password": ADMIN.password, "people": MANY_DN, "naming": "cn"}
    told = octets.compare(lambda door: run_python_ldap(door, {**given, "tasks": ["pages", "pipelined"]}), "ldaps")
    assert f"{MANY}, " in dict(told)["pages"]


def test_entries_are_changed_with_the_same_octets(octets: ProxyLab) -> None:
    """Add, compare, modify, rename, move, delete, with ldap3: the same answers, and nothing changed on the way."""
    said = octets.compare(change_entries, "ldaps", same_octets=False)
    assert said["told"] == [True, True, False, True, True, True, True, True, False]
    assert said["refused"][0] == 32


@pytest.mark.parametrize("secure", ["starttls", "ldaps"])
def test_passwords_are_changed_with_the_same_octets(octets: ProxyLab, secure: str) -> None:
    """unicodePwd, by the user with the old one and by an administrator; the new password is the one that is taken."""
    said = octets.compare(change_password, secure, same_octets=False)
    assert said == [True, 0, True, True, True, 0]


# ── whoever the session is for is who was asked ──────────────────────────────────────────────────────────────────

TAKEN = (BOB.dn, BOB.dn.upper(), f"robert@{REALM}", f"{DOMAIN}\\bob")
NAMES = [
    BOB.dn,
    BOB.dn.upper(),
    BOB.dn.replace("CN=bob", r"cn = \62ob"),
    BOB.dn.replace("CN=bob", "CN=#0403626f62"),
    f"bob@{REALM}",
    f"BOB@{REALM.upper()}",
    f"robert@{REALM}",
    f"{DOMAIN}\\bob",
    f"{REALM}\\bob",
    f"{DOMAIN}\\BOB ",
    "bob",
    f"bob@{DOMAIN}",
    f"{REALM}/Users/bob",
    f"{DOMAIN}\\bob@{REALM}",
    f"bob@{REALM}\\eve",
    f"{EVE.dn}\0",
    f"{EVE.dn},",
    f"<GUID={BOB.dn}>",
    f"bob*@{REALM}",
    f"{DOMAIN}\\bob)(cn=*",
]


@pytest.mark.parametrize("name", NAMES)
def test_session_belongs_to_whoever_was_asked(octets: ProxyLab, name: str) -> None:
    """However a name is spelled, and whoever the domain controller takes it for: Duo asks the user of the session."""
    direct, front = octets.doors("ldaps")
    for account in (BOB, EVE):
        with session(direct, account.dn, account.password) as known:
            own = identity(known)
        octets.lab.controls.reset()
        with session(front, name, account.password) as connection:
            asked = [user for user in ("bob", "eve", "robert") if octets.lab.controls.asked(user)]
            assert asked == ([account.name] if connection.bound else [])
            assert not connection.bound or identity(connection) == own
            assert connection.bound or account is not BOB or name not in TAKEN


def test_name_with_special_characters_is_itself(octets: ProxyLab) -> None:
    """Commas, quotes, plus and number sign in the DN: found, bound, asked."""
    octets.lab.controls.reset()
    with session(octets.doors("ldaps")[1], COMMA.dn, PASSWORD) as connection:
        assert connection.bound
    assert octets.lab.controls.asked(COMMA.name)
