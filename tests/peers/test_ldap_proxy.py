"""[ldap_server_auto] between OpenLDAP's clients and a real slapd: it gives what a direct connection gives."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from duoproxy.ldap.framing import peek_message
from duoproxy.ldap.messages import Response, read_result
from tests.peers.ldap_lab import PEERS as CLIENTS
from tests.peers.ldap_lab import Answer, LdapLab, RawClient, run_client, running_ldap_lab
from tests.peers.ports import LOOPBACK
from tests.peers.server import wait_until
from tests.peers.slapd import (
    BASE,
    PASSWORD,
    PEERS,
    PEOPLE,
    SERVICE_DN,
    SERVICE_PASSWORD,
    Entry,
    Slapd,
    person,
    running_slapd,
)
from tests.unit.ldap.relay_kit import abandon, bind, message, modify, root_dse, sasl_bind, search, start_tls, unbind

pytestmark = pytest.mark.needs_peer(*PEERS, *CLIENTS)

BEHAVIOUR = {
    "alice": "push approve-after 0",
    "dave": "push deny-after 0",
    "carol": "passcode 424242",
    "frank": "bypass",
    "slow": "push approve-after 600",
    "*": "push approve-after 0",
}
APP_DN = f"cn=app,ou=services,{BASE}"
MANY = 300
ENTRIES = [
    *(person(uid) for uid in ("alice", "dave", "carol", "frank", "slow", "comma")),
    person("weird", r"Weird\, User (x)"),
    *(person(f"user{number:03}") for number in range(MANY)),
    person("bulky", more={"description": "x" * 1_000_000}),
    Entry(f"ou=services,{BASE}", ["organizationalUnit"]),
    Entry(APP_DN, ["person"], {"sn": "app", "userPassword": "app secret"}),
    Entry(f"ou=elsewhere,{BASE}", ["referral", "extensibleObject"], {"ref": "ldap://192.0.2.1/dc=x"}),
]
ROOT_DN = f"cn=manager,{BASE}"
RIGHTS = f'rootdn "{ROOT_DN}"\nrootpw "root secret"\noverlay sssvlv\nlimits dn.exact="{APP_DN}" size=unlimited\n'


def dn(uid: str) -> str:
    return f"uid={uid},{PEOPLE}"


def as_user(uid: str, password: str = PASSWORD) -> tuple[str, ...]:
    return "-D", dn(uid), "-w", password


APP = ("-D", APP_DN, "-w", "app secret")


@pytest.fixture(scope="module")
def slapd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slapd]:
    first = "moduleload sssvlv\n"
    with running_slapd(tmp_path_factory.mktemp("slapd"), ENTRIES, first=first, last=RIGHTS) as server:
        yield server


@pytest.fixture(scope="module")
def lab(slapd: Slapd, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LdapLab]:
    listeners: dict[str, dict[str, object]] = {
        "auto": {},
        "first": {"exempt_primary_bind": "true"},
        "app": {"exempt_ou_1": f"ou=services,{BASE}", "exempt_ou_2": ROOT_DN, "allow_unlimited_binds": "true"},
        "open": {"allow_anonymous": "true"},
        "joined": {"join_binds_s": "30"},
        "no-search": {"allow_searches_after_bind": "false"},
    }
    folder = tmp_path_factory.mktemp("proxy")
    with running_ldap_lab(folder, slapd.options("starttls"), listeners, BEHAVIOUR) as running:
        yield running


def events(lab: LdapLab) -> list[dict[str, object]]:
    file = lab.server.folder / "log" / "authevents.log"
    return [json.loads(line) for line in file.read_text("utf-8").splitlines()]


def direct(slapd: Slapd, program: str, *arguments: str) -> Answer:
    """Ask slapd itself, over StartTLS, as the proxy does."""
    return run_client(program, f"ldap://{LOOPBACK}:{slapd.port}", "-ZZ", *arguments, ca_file=slapd.ca_file)


# ── the same as without it ───────────────────────────────────────────────────────────────────────────────────────

SAME = {
    "an entry": ("-b", dn("alice"), "-s", "base"),
    "a subtree": ("-b", PEOPLE, "(uid=user1*)", "cn", "sn"),
    "attributes of operation": ("-b", dn("alice"), "-s", "base", "+"),
    "pages": ("-b", PEOPLE, "-E", "pr=50/noprompt", "(uid=user*)", "uid"),
    "sorted": ("-b", PEOPLE, "-E", "!sss=-uid", "(uid=user*)", "uid"),
    "a size limit": ("-b", PEOPLE, "-z", "5", "(uid=user*)", "uid"),
    "nothing there": ("-b", f"uid=nobody,{PEOPLE}"),
    "a bad filter": ("-b", PEOPLE, "(uid=(x))"),
    "a referral": ("-b", BASE, "(objectClass=organizationalUnit)", "ou"),
    "a referral to the base": ("-b", f"cn=x,ou=elsewhere,{BASE}"),
    "an unknown critical control": ("-b", PEOPLE, "-e", "!1.2.3.4.5"),
    "an unknown control": ("-b", dn("alice"), "-s", "base", "-e", "1.2.3.4.5"),
    "assertion": ("-b", dn("alice"), "-s", "base", "-e", "!assert=(uid=bob)"),
    "matched values": ("-b", dn("alice"), "-s", "base", "-E", "!mv=(uid=alice)"),
    "the root DSE": ("-b", "", "-s", "base", "+"),
    "the schema": ("-b", "cn=Subschema", "-s", "base", "attributeTypes"),
    "an entry of 1 MB": ("-b", dn("bulky"), "-s", "base"),
    "types only": ("-b", dn("alice"), "-s", "base", "-A"),
}


@pytest.mark.parametrize("arguments", SAME.values(), ids=SAME)
def test_search_gives_what_a_direct_one_gives(lab: LdapLab, slapd: Slapd, arguments: tuple[str, ...]) -> None:
    """Entries, their order, result, controls, referrals, texts: line by line."""
    search_as_alice = (*as_user("alice"), "-LLL", *arguments)
    through = lab.run("ldapsearch", lab.url("auto"), *search_as_alice)
    without = direct(slapd, "ldapsearch", *search_as_alice)
    assert (through.code, through.output, through.errors) == (without.code, without.output, without.errors)


def test_compare_and_who_am_i_come_through(lab: LdapLab) -> None:
    """The session is the user's."""
    compared = lab.run("ldapcompare", lab.url("auto"), *as_user("alice"), dn("alice"), "sn:alice")
    assert (compared.code, compared.output.strip()) == (6, "TRUE")
    asked = lab.run("ldapwhoami", lab.url("auto"), *as_user("alice"))
    assert asked.output.strip() == f"dn:{dn('alice')}"


@pytest.mark.parametrize(
    ("secure", "arguments"), [("plain", ()), ("StartTLS", ("-ZZ",)), ("LDAPS", ())], ids=["plain", "StartTLS", "LDAPS"]
)
def test_bind_over_each_transport(lab: LdapLab, secure: str, arguments: tuple[str, ...]) -> None:
    """Plain, StartTLS and LDAPS; behind it the directory is reached by StartTLS."""
    url = lab.url("auto", ldaps=secure == "LDAPS")
    answer = lab.run("ldapwhoami", url, *arguments, *as_user("alice"))
    assert (answer.code, answer.output.strip()) == (0, f"dn:{dn('alice')}")


@pytest.mark.needs_peer("curl")
@pytest.mark.parametrize("secure", ["ldap", "ldaps"])
def test_curl_gets_what_a_direct_one_gets(lab: LdapLab, slapd: Slapd, secure: str) -> None:
    """A client that reads ahead and then looks at its socket alone does not wait for what it has."""
    ldaps = secure == "ldaps"
    direct = f"{secure}://127.0.0.1:{slapd.ldaps_port if ldaps else slapd.port}"
    search = f"/{PEOPLE}?uid?sub?(uid=user00*)"
    said = []
    for url, ca_file in ((direct, slapd.ca_file), (lab.url("auto", ldaps=ldaps), lab.ca_file)):
        command = ["curl", "-sS", "--max-time", "20", "--cacert", str(ca_file), "-u", f"{dn('alice')}:{PASSWORD}"]
        done = subprocess.run([*command, url + search], capture_output=True, text=True, timeout=30, check=False)
        assert done.returncode == 0, done.stderr
        said.append(done.stdout)
    assert said[0] == said[1]
    assert said[0].count("DN: ") == 10


CHANGES = """dn: uid=new,{people}
changetype: add
objectClass: inetOrgPerson
uid: new
cn: new
sn: new

dn: uid=new,{people}
changetype: modify
replace: description
description: changed

dn: uid=new,{people}
changetype: modrdn
newrdn: uid=renamed
deleteoldrdn: 1

dn: uid=renamed,{people}
changetype: delete
"""


def test_entries_are_added_changed_renamed_and_deleted(lab: LdapLab) -> None:
    """By an account that has no entry (the rootdn), which is exempt since slapd says that it is bound."""
    root = ("-D", ROOT_DN, "-w", "root secret")
    done = lab.run("ldapmodify", lab.url("app"), *root, given=CHANGES.format(people=PEOPLE))
    assert (done.code, done.output.count("entry")) == (0, 4), done
    set_password = lab.run("ldappasswd", lab.url("app", ldaps=True), *root, "-s", "new secret", dn("user000"))
    assert set_password.code == 0, set_password
    assert lab.run("ldapwhoami", lab.url("auto"), *as_user("user000", "new secret")).code == 0


def test_refusal_of_a_change_is_that_of_the_directory(lab: LdapLab, slapd: Slapd) -> None:
    """An account without the right."""
    change = f"dn: {dn('alice')}\nchangetype: modify\nreplace: description\ndescription: new\n"
    refused = lab.run("ldapmodify", lab.url("app"), *APP, given=change)
    without = run_client("ldapmodify", f"ldap://{LOOPBACK}:{slapd.port}", *APP, given=change)
    assert (refused.code, refused.errors) == (without.code, without.errors)
    assert refused.code == 50


# ── who gets in ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_wrong_password_is_refused_as_the_directory_does(lab: LdapLab, slapd: Slapd) -> None:
    """49, and its own text."""
    through = lab.run("ldapwhoami", lab.url("auto"), *as_user("alice", "wrong"))
    without = direct(slapd, "ldapwhoami", *as_user("alice", "wrong"))
    assert (through.code, through.errors) == (49, without.errors)


@pytest.mark.parametrize(
    ("uid", "password", "code", "text"),
    [
        ("dave", PASSWORD, 49, "Login request denied."),
        ("carol", PASSWORD, 49, "None of your devices"),
        ("carol", f"{PASSWORD},424242", 0, ""),
        ("carol", f"{PASSWORD},111111", 49, "Incorrect passcode"),
        ("carol", "wrong,424242", 49, ""),
        ("frank", PASSWORD, 0, ""),
        ("alice", f"{PASSWORD},push", 0, ""),
        ("alice", "", 53, "A bind with a name needs a password."),
    ],
)
def test_second_factor_decides(lab: LdapLab, uid: str, password: str, code: int, text: str) -> None:
    """The right password is not enough, and the refusal says why."""
    answer = lab.run("ldapwhoami", lab.url("auto"), "-D", dn(uid), "-w", password)
    assert (answer.code, text in answer.errors) == (code, True)


def test_names_with_special_characters_are_themselves(lab: LdapLab) -> None:
    """A comma in the DN."""
    answer = lab.run("ldapwhoami", lab.url("auto"), "-D", rf"cn=Weird\, User (x),{PEOPLE}", "-w", PASSWORD)
    assert answer.code == 0


def test_sasl_is_refused(lab: LdapLab) -> None:
    """authMethodNotSupported."""
    client = RawClient(lab.ports["auto"])
    client.send(sasl_bind(1))
    assert code_of(client.receive()) == 7
    client.close()


def test_anonymous_binds_only_where_they_are_allowed(lab: LdapLab, slapd: Slapd) -> None:
    """allow_anonymous; the directory says what nobody may do."""
    assert lab.run("ldapwhoami", lab.url("auto")).code == 48
    answer = lab.run("ldapwhoami", lab.url("open"))
    assert (answer.code, answer.output.strip()) == (0, "anonymous")
    assert lab.run("ldapsearch", lab.url("open"), "-LLL", "-b", PEOPLE).code == 32


def test_first_bind_is_exempt_where_the_option_says_so(lab: LdapLab) -> None:
    """A bypass event names the DN; the user's bind behind it is asked for."""
    client = RawClient(lab.ports["first"])
    client.send(bind(1, SERVICE_DN.encode(), SERVICE_PASSWORD.encode()))
    assert code_of(client.receive()) == 0
    client.send(bind(2, dn("dave").encode(), PASSWORD.encode()))
    assert code_of(client.receive()) == 49
    client.send(bind(3, dn("alice").encode(), PASSWORD.encode()))
    assert code_of(client.receive()) == 53
    assert code_of(client.receive()) == 53
    assert client.receive() == b""
    bypass = [event for event in events(lab) if event["bypass_reason"] == "exempt-primary-bind"]
    assert [event["dn"] for event in bypass] == [SERVICE_DN]


def test_accounts_below_a_dn_are_exempt(lab: LdapLab) -> None:
    """exempt_ou_n: the application's account, not its users."""
    assert lab.run("ldapwhoami", lab.url("app"), *APP).code == 0
    assert lab.run("ldapwhoami", lab.url("app"), *as_user("dave")).code == 49
    assert events(lab)[-1]["bypass_reason"] is None
    assert "exempt-ou" in {event["bypass_reason"] for event in events(lab)}


def test_second_bind_joins_where_the_option_says_so(lab: LdapLab) -> None:
    """join_binds_s: one more bind of the same, logged as a bypass."""
    for _ in range(3):
        assert lab.run("ldapwhoami", lab.url("joined"), *as_user("user001")).code == 0
    reasons = [event["bypass_reason"] for event in events(lab) if event["username"] == "user001"]
    assert reasons.count("joined-bind") == 1


def test_searches_may_be_refused_after_a_bind(lab: LdapLab) -> None:
    """allow_searches_after_bind = false."""
    assert lab.run("ldapwhoami", lab.url("no-search"), *as_user("alice")).code == 0
    assert lab.run("ldapsearch", lab.url("no-search"), *as_user("alice"), "-b", PEOPLE).code == 53


def test_duo_is_told_the_address_of_the_connection(lab: LdapLab) -> None:
    """client_ip_from_connection."""
    lab.run("ldapwhoami", lab.url("auto"), *as_user("user002"))
    assert [event["client_ip"] for event in events(lab) if event["username"] == "user002"] == ["127.0.0.1"] * 2


# ── order, and abuse ─────────────────────────────────────────────────────────────────────────────────────────────


def code_of(octets: bytes) -> int:
    return read_result(octets, peek_message(octets))[0]


def bound_client(lab: LdapLab, label: str = "auto", uid: str = "alice") -> RawClient:
    client = RawClient(lab.ports[label])
    client.send(bind(1, dn(uid).encode(), PASSWORD.encode()))
    assert code_of(client.receive()) == 0
    return client


def test_nothing_goes_on_before_the_second_factor(lab: LdapLab, slapd: Slapd) -> None:
    """Requests behind a bind that waits for a push are refused; the directory sees none of them."""
    client = RawClient(lab.ports["auto"])
    client.send(bind(1, dn("slow").encode(), PASSWORD.encode()), search(2, b"dc=never"), bind(3), modify(4))
    answers = [client.receive() for _ in range(3)]
    assert [(peek_message(one).message_id, code_of(one)) for one in answers] == [(2, 1), (3, 1), (4, 1)]
    client.send(unbind(5))
    assert client.receive() == b""
    wait_until(lambda: "cause=client-gone" in lab.server.output(), "the login that was given up")
    assert "dc=never" not in slapd.server.output()


def test_root_dse_can_be_read_before_a_bind(lab: LdapLab) -> None:
    """And nothing else."""
    client = RawClient(lab.ports["auto"])
    client.send(root_dse(1))
    assert peek_message(client.receive()).operation_tag == Response.SEARCH_ENTRY
    assert code_of(client.receive()) == 0
    client.send(search(2, BASE.encode()))
    assert code_of(client.receive()) == 8
    client.close()


def test_failed_bind_leaves_nobody_bound(lab: LdapLab) -> None:
    """Bound, then a bind that Duo refuses: the search behind it is refused by us, and the session is gone."""
    client = bound_client(lab, "app")
    client.send(bind(2, dn("dave").encode(), PASSWORD.encode()))
    assert code_of(client.receive()) == 49
    client.send(search(3, BASE.encode()))
    assert code_of(client.receive()) == 8
    client.send(bind(4, dn("alice").encode(), PASSWORD.encode()))
    assert code_of(client.receive()) == 0
    client.close()


def test_search_is_abandoned_in_the_middle(lab: LdapLab) -> None:
    """What follows it is answered, under ids that are used again."""
    client = bound_client(lab)
    client.send(search(2, BASE.encode()), abandon(3, 2), search(2, b"uid=nobody," + PEOPLE.encode()))
    while (octets := client.receive()) and peek_message(octets).operation_tag != Response.SEARCH_DONE:
        pass
    assert code_of(octets) == 32
    client.close()


def test_octets_behind_start_tls_are_never_done(lab: LdapLab, slapd: Slapd) -> None:
    """A bind that somebody puts behind StartTLS in the clear reaches nobody."""
    client = RawClient(lab.ports["auto"])
    client.send(start_tls(1), bind(2, b"uid=injected," + PEOPLE.encode(), b"x"))
    assert code_of(client.receive()) == 0
    client.send(search(3))
    wait_until(lambda: "octets behind its StartTLS" in lab.server.output(), "the line about octets in the clear")
    assert "uid=injected" not in slapd.server.output()
    client.close()


@pytest.mark.parametrize(
    "octets",
    [
        b"\x30\x84\x7f\xff\xff\xff",
        b"\x30\x80\x02\x01\x01",
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\x02\x00",
        message(1, b"\x60\x07\x02\x01\x03\x04\x7f\x80\x00"),
        search(0),
    ],
    ids=["2 GiB", "indefinite", "HTTP", "TLS", "inner length", "id 0"],
)
def test_what_is_no_ldap_is_told_and_closed(lab: LdapLab, octets: bytes) -> None:
    """Notice of Disconnection, and the next client is served."""
    client = RawClient(lab.ports["auto"])
    client.send(octets)
    answer = client.receive()
    assert (peek_message(answer).message_id, code_of(answer)) == (0, 2)
    assert client.receive() == b""
    assert lab.run("ldapwhoami", lab.url("auto"), *as_user("alice")).code == 0


def test_probes_cost_nothing_at_the_directory(lab: LdapLab, slapd: Slapd) -> None:
    """Fifty connections that say nothing: no connection behind them, and no line."""
    lines, accepted = len(lab.server.output()), slapd.server.output().count("ACCEPT")
    for _ in range(50):
        RawClient(lab.ports["auto"]).close()
        RawClient(lab.ldaps_ports["auto"]).close()
    assert lab.run("ldapwhoami", lab.url("auto"), *as_user("alice")).code == 0
    assert slapd.server.output().count("ACCEPT") - accepted <= 2
    assert lab.server.output()[lines:].count("\n") <= 2


def test_slow_reader_of_a_large_search_needs_no_memory(lab: LdapLab) -> None:
    """Thirty answers of 1 MB that nobody takes: the directory waits."""
    pid = lab.server.pid

    def resident_kib() -> int:
        status = Path(f"/proc/{pid}/status").read_text("ascii").splitlines()
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))

    client = bound_client(lab)
    before = resident_kib()
    client.send(*(search(number, dn("bulky").encode(), 0) for number in range(2, 32)))
    deadline = time.monotonic() + 2
    highest = before
    while time.monotonic() < deadline:
        highest = max(highest, resident_kib())
    assert highest - before < 12_000
    received = [client.receive() for _ in range(60)]
    assert sum(map(len, received)) > 30_000_000
    client.close()
