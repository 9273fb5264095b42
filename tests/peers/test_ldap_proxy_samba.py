"""[ldap_server_auto] in front of a real Active Directory: the names that it takes, and what it says of refusals."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.peers.ldap_lab import PEERS as CLIENTS
from tests.peers.ldap_lab import LdapLab, running_ldap_lab
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

pytestmark = pytest.mark.needs_peer(*PEERS, *CLIENTS)

ALICE, DAVE, OUTSIDER = Account("alice"), Account("dave"), Account("outsider")
MUST_CHANGE = Account("mustchange", more={"pwdLastSet": "0"})
PRETENDER = Account("pretender", more={"displayName": f"CN=made up,OU=Service,{BASE}"})
ACCOUNTS = [Account(SERVICE, password=SERVICE_PASSWORD), ALICE, DAVE, OUTSIDER, MUST_CHANGE, PRETENDER]


@pytest.fixture(scope="module")
def domain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SambaDomain]:
    groups = [Group("VPN Users", [ALICE.dn, DAVE.dn, PRETENDER.dn])]
    with running_domain(tmp_path_factory.mktemp("samba"), ACCOUNTS, groups) as running:
        running.run()
        yield running


@pytest.fixture(scope="module")
def lab(domain: SambaDomain, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LdapLab]:
    client = {
        "host": domain.address,
        "transport": "ldaps",
        "ssl_ca_certs_file": domain.ca_file,
        "auth_type": "plain",
        "service_account_username": f"{SERVICE}@{REALM.lower()}",
        "service_account_password": SERVICE_PASSWORD,
        "search_dn": BASE,
        "security_group_dn": group_dn("VPN Users"),
    }
    listeners = {"auto": {"exempt_ou_1": f"OU=Service,{BASE}"}}
    users = {"alice": "push approve-after 0", "dave": "push deny-after 0", "*": "push approve-after 0"}
    with running_ldap_lab(tmp_path_factory.mktemp("proxy"), client, listeners, users) as running:
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
