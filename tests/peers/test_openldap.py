"""[ad_client] against a real OpenLDAP: whole logins, with slapd on loopback."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.peers.directory_lab import DirectoryLab, running_directory_lab
from tests.peers.slapd import (
    BASE,
    PASSWORD,
    PEERS,
    PEOPLE,
    SERVICE_DN,
    Entry,
    Slapd,
    group,
    group_dn,
    person,
    running_slapd,
)

pytestmark = pytest.mark.needs_peer(*PEERS)

LONG_NAME = "long" * 50
DEPTH = 20
"""So many steps up from a user to the security group are taken."""


def dn(uid: str) -> str:
    """Where a user stands."""
    return f"uid={uid},{PEOPLE}"


def stairs(name: str, steps: int, member: str) -> list[Entry]:
    """Make groups in each other: `name`1 has the user, each further one the one before."""
    members = [member, *(group_dn(f"{name}{step}") for step in range(1, steps))]
    return [group(f"{name}{step}", [member]) for step, member in enumerate(members, 1)]


ENTRIES = [
    person("alice", more={"mail": "alice@example.test", "employeeType": "staff"}),
    person("bob"),
    person("carol"),
    person("dave"),
    person("una"),
    person("deep"),
    person("deeper"),
    person("zoë"),
    person(LONG_NAME),
    person("weird", r"Weird\, User (x)"),
    person("bulky", more={"description": "x" * 100_000}),
    person("twin1", more={"mail": "twin@example.test"}),
    person("twin2", more={"mail": "twin@example.test"}),
    group("vpn", [dn("alice"), rf"cn=Weird\, User (x),{PEOPLE}"]),
    group("unique", [dn("bob")], "uniqueMember"),
    group("inner", [dn("carol")]),
    group("outer", [group_dn("inner"), group_dn("unique")]),
    group("loop1", [group_dn("loop2"), dn("dave")]),
    group("loop2", [group_dn("loop1")]),
    *stairs("stair", DEPTH, dn("deep")),
    *stairs("ladder", DEPTH + 1, dn("deeper")),
    Entry(f"ou=elsewhere,{BASE}", ["referral", "extensibleObject"], {"ref": "ldap://192.0.2.1/dc=example,dc=test"}),
]


@pytest.fixture(scope="module")
def slapd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slapd]:
    with running_slapd(tmp_path_factory.mktemp("slapd"), ENTRIES) as server:
        yield server


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slapd]:
    """One that takes passwords over encrypted connections only, and gives one entry at most."""
    first = "security simple_bind=128\nsizelimit 1\n"
    with running_slapd(tmp_path_factory.mktemp("strict"), ENTRIES, first=first) as server:
        yield server


@pytest.fixture(scope="module")
def lab(slapd: Slapd, strict: Slapd, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DirectoryLab]:
    def grouped(name: str, **more: object) -> dict[str, object]:
        return slapd.options("clear", security_group_dn=group_dn(name), **more)

    clients = {
        "clear": slapd.options(),
        "starttls": slapd.options("starttls"),
        "ldaps": slapd.options("ldaps"),
        "by-name": slapd.options("starttls", host="localhost"),
        "strict-clear": strict.options(),
        "strict-starttls": strict.options("starttls"),
        "strict-ldaps": strict.options("ldaps"),
        "ntlm": slapd.options(auth_type="ntlm2"),
        "no-dn": slapd.options(bind_dn=None),
        "dn-as-name": slapd.options(bind_dn=None, service_account_username=SERVICE_DN),
        "referred": slapd.options(search_dn=f"ou=elsewhere,{BASE}"),
        "nowhere": slapd.options(search_dn=f"ou=nowhere,{BASE}"),
        "cn": slapd.options(username_attribute="cn"),
        "bulky": slapd.options(at_attribute="description"),
        "filter": slapd.options(ldap_filter="(&(employeeType=staff)(!(sn=x)))"),
        "unknown-attribute": slapd.options(username_attribute="sAMAccountName"),
        "vpn": grouped("vpn"),
        "unique": grouped("unique"),
        "outer": grouped("outer"),
        "nested": grouped("outer", nested_groups="true"),
        "loop": grouped("loop2", nested_groups="true"),
        "stairs": grouped(f"stair{DEPTH}", nested_groups="true"),
        "ladder": grouped(f"ladder{DEPTH + 1}", nested_groups="true"),
        "nobody": grouped("nobody", nested_groups="true"),
    }
    with running_directory_lab(tmp_path_factory.mktemp("lab") / "proxy", clients) as running:
        yield running


# ── how passwords are checked ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "label", ["clear", "starttls", "ldaps", "by-name", "strict-starttls", "strict-ldaps", "dn-as-name"]
)
def test_a_user_logs_in(lab: DirectoryLab, label: str) -> None:
    """Clear, StartTLS, LDAPS, also where the server asks for encryption; the service account by its DN."""
    assert lab.login(label, "alice", PASSWORD).cause == "approved"
    refused = lab.login(label, "alice", "wrong")
    assert (refused.accepted, refused.shown, refused.cause) == (False, "", "password-refused")
    assert refused.detail.partition(": ")[2] == (
        "name or password is wrong (invalidCredentials), result 49; a locked or expired account may be answered so, "
        "too: look at its password policy"
    )


@pytest.mark.parametrize("user", ["ALICE", "alice@example.test", r"EXAMPLE\alice", "zoë", "ZOË", "weird", LONG_NAME])
def test_a_user_is_found_by_each_form_of_the_name(lab: DirectoryLab, user: str) -> None:
    """username_attribute=uid, at_attribute=mail; umlauts, 200 characters, a DN with comma and parentheses."""
    assert lab.login("starttls", user, PASSWORD).cause == "approved"


def test_a_name_with_comma_and_parentheses(lab: DirectoryLab) -> None:
    """The name itself has what is special in filters and DNs."""
    assert lab.login("cn", "Weird, User (x)", PASSWORD).cause == "approved"


@pytest.mark.parametrize("user", ["ｕｎａ", "ｕNA"])
def test_a_name_that_only_the_directory_takes_for_the_same(lab: DirectoryLab, user: str) -> None:
    """OpenLDAP matches other widths of letters; Duo would take them for another user, so the name is ambiguous."""
    login = lab.login("clear", user, PASSWORD)
    assert (login.accepted, login.shown) == (False, "")
    assert login.detail == f"the directory matches the name to {dn('una')}, whose uid is another: the name is ambiguous"


def test_an_empty_password_is_never_sent(lab: DirectoryLab, slapd: Slapd) -> None:
    """An empty password would be an unauthenticated bind: it is refused before anything is sent."""
    assert lab.login("clear", "bob", PASSWORD).cause == "approved"

    def operations() -> int:
        return len(re.findall("BIND dn|SRCH base", slapd.server.output()))

    before = operations()
    login = lab.login("clear", "bob", "")
    assert (login.accepted, login.shown) == (False, "")
    assert login.detail == "the password is empty, and an empty one is never sent to a directory"
    assert before > 0
    assert operations() == before


def test_an_entry_with_a_value_of_100_kb(lab: DirectoryLab) -> None:
    """Large values do not stand in the way."""
    assert lab.login("bulky", "bulky", PASSWORD).cause == "approved"


@pytest.mark.parametrize(("user", "is_let_in"), [("alice", True), ("bob", False)])
def test_a_filter_restricts_the_search(lab: DirectoryLab, user: str, is_let_in: bool) -> None:
    """ldap_filter: a further condition on the entry."""
    login = lab.login("filter", user, PASSWORD)
    assert login.accepted is is_let_in
    if not is_let_in:
        assert login.detail == f"there is no entry below {BASE} with this uid that fulfils ldap_filter"


@pytest.mark.parametrize("label", ["clear", "strict-starttls"])
def test_two_entries_of_one_name(lab: DirectoryLab, label: str) -> None:
    """More than one entry is nobody; also where the server's own size limit hides the second."""
    login = lab.login(label, "twin@example.test", PASSWORD)
    assert (login.accepted, login.shown) == (False, "")
    assert login.detail == f"there is more than one entry below {BASE} with this mail: the name is ambiguous"


# ── what the server will not do ────────────────────────────────────────────────────────────────────────────────────

UNREACHABLE = {
    "strict-clear": (
        "the service account is refused: it answers on encrypted connections only (confidentialityRequired), result "
        '13: "confidentiality required"; set transport=starttls or ldaps'
    ),
    "no-dn": (
        'the service account is refused: it cannot read a DN (invalidDNSyntax), result 34: "invalid DN"; check '
        "search_dn, bind_dn and security_group_dn; a directory other than AD needs bind_dn"
    ),
}


@pytest.mark.parametrize("label", UNREACHABLE)
def test_a_service_account_that_the_server_does_not_take(
    lab: DirectoryLab, slapd: Slapd, strict: Slapd, label: str
) -> None:
    """The log says what to set, at the start already."""
    port = strict.port if label.startswith("strict") else slapd.port
    login = lab.login(label, "alice", PASSWORD)
    assert (login.accepted, login.shown, login.cause) == (False, "", "primary-unreachable")
    assert login.detail == f"directory 127.0.0.1:{port}: {UNREACHABLE[label]}"
    lab.said(label, "error", f"Directory 127.0.0.1:{port}: {UNREACHABLE[label]}.")


def test_ntlm_where_the_directory_is_not_active_directory(lab: DirectoryLab, slapd: Slapd) -> None:
    """auth_type unset is ntlm2, and never silently plain; the log says what to write."""
    login = lab.login("ntlm", "alice", PASSWORD)
    assert (login.accepted, login.shown, login.cause) == (False, "", "primary-unreachable")
    assert login.detail.startswith(
        f"directory 127.0.0.1:{slapd.port}: the service account is refused: it does not know this kind of bind "
        "(authMethodNotSupported), result 7"
    )
    assert login.detail.endswith("; set auth_type=plain with transport=starttls or ldaps")


@pytest.mark.parametrize(
    ("label", "sentence"),
    [
        (
            "referred",
            "it names another server for this (referral), result 10; set host to the server that has search_dn",
        ),
        (
            "nowhere",
            "there is no such entry (noSuchObject), result 32; check search_dn, bind_dn and security_group_dn",
        ),
    ],
)
def test_a_search_dn_that_is_wrong(lab: DirectoryLab, slapd: Slapd, label: str, sentence: str) -> None:
    """A referral is not followed; the log says what to correct, at the start already."""
    login = lab.login(label, "alice", PASSWORD)
    assert (login.accepted, login.shown) == (False, "")
    assert login.detail == f"127.0.0.1:{slapd.port}: {sentence}"
    lab.said(label, "error", f"Directory 127.0.0.1:{slapd.port}: {sentence}.")


def test_a_username_attribute_that_the_server_does_not_know(lab: DirectoryLab) -> None:
    """Nobody is found by an attribute that is not there."""
    login = lab.login("unknown-attribute", "alice", PASSWORD)
    assert (login.accepted, login.shown) == (False, "")
    assert login.detail == f"there is no entry below {BASE} with this sAMAccountName"


# ── groups ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("label", "user", "is_let_in"),
    [
        ("vpn", "alice", True),
        ("vpn", "weird", True),
        ("vpn", "bob", False),
        ("unique", "bob", True),
        ("unique", "alice", False),
        ("outer", "carol", False),
        ("nested", "carol", True),
        ("nested", "bob", True),
        ("nested", "alice", False),
        ("loop", "dave", True),
        ("loop", "alice", False),
        ("stairs", "deep", True),
        ("ladder", "deeper", False),
        ("nobody", "alice", False),
    ],
)
def test_security_groups(lab: DirectoryLab, label: str, user: str, is_let_in: bool) -> None:
    """groupOfNames and groupOfUniqueNames; nested ones without a matching rule in chain; circles and depth end."""
    assert lab.login(label, user, PASSWORD).accepted is is_let_in


def test_group_questions_ask_for_no_attributes(lab: DirectoryLab, slapd: Slapd) -> None:
    """Group tests ask for 1.1: no member of a large group crosses the network."""
    lab.login("vpn", "alice", PASSWORD)
    slapd.server.wait_for_output(rf'SRCH base="{group_dn("vpn")}" scope=0')
    log = slapd.server.output()
    asked = re.findall(rf'(conn=\d+ op=\d+) SRCH base="{group_dn("vpn")}"', log)
    assert asked
    assert [f"{operation} SRCH attr=1.1\n" in log for operation in asked] == [True] * len(asked)
