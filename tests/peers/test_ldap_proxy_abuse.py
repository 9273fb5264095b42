"""[ldap_server_auto] under attack: what may be sent by who knows a password, or none; slapd tells what arrived.

What an attacker gains is looked for in three places: in what the client hears, in slapd's log of what it was asked, and
in whom the sandbox asked for a second factor. After each of these, somebody else logs in as usual.
"""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from duoproxy.ldap.framing import peek_message
from duoproxy.ldap.messages import Response
from tests.peers.ldap_lab import PEERS as CLIENTS
from tests.peers.ldap_lab import LdapLab, RawClient, code_of, running_ldap_lab
from tests.peers.ports import LOOPBACK, free_port
from tests.peers.server import wait_until
from tests.peers.slapd import (
    BASE,
    PASSWORD,
    PEERS,
    PEOPLE,
    SERVICE_PASSWORD,
    Entry,
    Slapd,
    person,
    running_slapd,
)
from tests.unit.ldap.relay_kit import (
    abandon,
    bind,
    extended,
    message,
    modify,
    number,
    root_dse,
    sasl_bind,
    search,
    start_tls,
    tlv,
)

pytestmark = pytest.mark.needs_peer(*PEERS, *CLIENTS)

MALLORY = f"uid=mallory,{PEOPLE}"
OWN = "what Mallory knows"
APP_DN, APP_PASSWORD = f"cn=app,ou=services,{BASE}", "app secret"
USERS = {
    "alice": "push approve-after 0",
    "slow": "push approve-after 600",
    "frank": "bypass",
    "mallory": "push deny-after 0",
    "*": "push deny-after 0",
}
MANY_VALUES = 100_000
REFERRED = free_port()
ENTRIES = [
    *(person(uid) for uid in ("alice", "slow", "frank")),
    person("mallory", more={"userPassword": OWN}),
    # Entries of an attacker's that have the name of somebody whom Duo lets in, beside their own or instead of it.
    Entry(f"uid=two,{PEOPLE}", ["inetOrgPerson"], {"uid": ["two", "frank"], "sn": "x", "cn": "x", "userPassword": OWN}),
    Entry(f"cn=both,{PEOPLE}", ["inetOrgPerson"], {"uid": ["both", "frank"], "sn": "x", "userPassword": OWN}),
    Entry(f"cn=none,{PEOPLE}", ["inetOrgPerson"], {"sn": "x", "userPassword": OWN}),
    Entry(f"ou=services,{BASE}", ["organizationalUnit"]),
    Entry(APP_DN, ["person"], {"sn": "app", "userPassword": APP_PASSWORD}),
    Entry(
        f"cn=services,{PEOPLE}",
        ["inetOrgPerson"],
        {"uid": "services", "sn": "x", "ou": "services", "userPassword": OWN},
    ),
    Entry(f"ou=elsewhere,{BASE}", ["referral", "extensibleObject"], {"ref": f"ldap://{LOOPBACK}:{REFERRED}/dc=x"}),
    person("crowd", more={"description": [f"value {number}" for number in range(MANY_VALUES)]}),
    person("bulky", more={"description": "x" * (1 << 20)}),
]
SHARE = 16


@pytest.fixture(scope="module")
def slapd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slapd]:
    rights = f'limits * size=unlimited\nrootdn "cn=root,ou=services,{BASE}"\nrootpw "{OWN}"\n'
    with running_slapd(tmp_path_factory.mktemp("slapd"), ENTRIES, last=rights) as server:
        yield server


@pytest.fixture(scope="module")
def lab(slapd: Slapd, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LdapLab]:
    listeners: dict[str, dict[str, object]] = {
        "auto": {"debug": "true"},
        "first": {"exempt_primary_bind": "true"},
        "app": {"exempt_ou_1": f"ou=services,{BASE}", "allow_unlimited_binds": "true"},
        "small": {"max_connections": SHARE},
        "hasty": {"network_timeout": "1", "idle_timeout": "2"},
        "open": {"allow_anonymous": "true"},
    }
    folder = tmp_path_factory.mktemp("proxy")
    with running_ldap_lab(folder, slapd.options("starttls"), listeners, USERS) as running:
        yield running


@pytest.fixture(autouse=True)
def others_log_in(lab: LdapLab) -> Iterator[None]:
    """Whatever a test did, the next good login works."""
    lab.controls.reset()
    yield
    assert whoami(lab, "auto", dn("alice"), PASSWORD) == 0


def dn(uid: str) -> str:
    return f"uid={uid},{PEOPLE}"


def whoami(lab: LdapLab, label: str, name: str, password: str) -> int:
    return lab.run("ldapwhoami", lab.url(label), "-D", name, "-w", password).code


def asked(lab: LdapLab) -> set[str]:
    """Who was asked for a second factor."""
    return set(lab.controls.call("/sandbox/state")["asked"])


def bound_client(lab: LdapLab, label: str = "auto", name: str = "", password: str = PASSWORD) -> RawClient:
    client = RawClient(lab.ports[label])
    client.send(bind(1, (name or dn("alice")).encode(), password.encode()))
    assert code_of(client.receive()) == 0
    return client


def resident_kib(lab: LdapLab) -> int:
    status = Path(f"/proc/{lab.server.pid}/status").read_text("ascii")
    return int(re.findall(r"^VmRSS:\s+(\d+)", status, re.MULTILINE)[0])


def expect_notice(client: RawClient, code: int = 2) -> None:
    notice = client.receive()
    assert (peek_message(notice).message_id, code_of(notice), client.receive()) == (0, code, b"")


# ── octets ───────────────────────────────────────────────────────────────────────────────────────────────────────


def nested(depth: int, tag: int = 0xA0) -> bytes:
    """A filter of so many ANDs in each other."""
    octets = tlv(0x87, b"objectClass")
    for _ in range(depth):
        octets = tlv(tag, octets)
    return octets


def filtered(message_id: int, octets: bytes) -> bytes:
    parts = (tlv(0x04, BASE.encode()), number(2, 0x0A), number(0, 0x0A), number(0), number(0), tlv(0x01, b"\0"))
    return message(message_id, tlv(0x63, *parts, octets, tlv(0x30)))


IMPOSSIBLE = {
    "2 GiB": b"\x30\x84\x80\x00\x00\x00",
    "2^63": b"\x30\x88\x7f\xff\xff\xff\xff\xff\xff\xff",
    "a length of nine octets": b"\x30\x89" + b"\0" * 9,
    "one octet more than 16 MiB": b"\x30\x84\x01\x00\x00\x01",
    "indefinite": b"\x30\x80\x02\x01\x02",
    "a message id of 1 MB": tlv(0x30, tlv(0x02, b"\0" * 1_000_000 + b"\1"), tlv(0x42)),
    "a negative message id": tlv(0x30, tlv(0x02, b"\xff"), tlv(0x63)),
    "message id 0": extended(0),
    "an answer": message(2, tlv(0x65, number(0, 0x0A), tlv(0x04), tlv(0x04))),
    "no operation of LDAP": message(2, tlv(0x7E)),
    "a tag of two octets": message(2, b"\x7f\x81\x01\x00"),
    "something behind the controls": message(2, tlv(0x63), tlv(0xA0) + tlv(0xA0)),
}


@pytest.mark.parametrize("octets", IMPOSSIBLE.values(), ids=IMPOSSIBLE)
@pytest.mark.parametrize("is_bound", [False, True], ids=["a stranger", "a user"])
def test_impossible_message_ends_the_connection(lab: LdapLab, octets: bytes, is_bound: bool) -> None:
    """At its first octets, with a notice; what is announced is not waited for, and not kept."""
    client = bound_client(lab) if is_bound else RawClient(lab.ports["auto"])
    before = resident_kib(lab)
    client.send(octets)
    expect_notice(client)
    assert resident_kib(lab) - before < 8_000


BINDS = {
    "a version of 60 kB": tlv(0x60, tlv(0x02, b"\0" * 60_000 + b"\3"), tlv(0x04), tlv(0x80)),
    "a version that is REAL": tlv(0x60, tlv(0x09, b"\x80\x01\x03"), tlv(0x04), tlv(0x80)),
    "a name that is a huge OID": tlv(0x60, number(3), tlv(0x06, b"\xff" * 50_000), tlv(0x80)),
    "a name in an octet string in pieces": tlv(0x60, number(3), tlv(0x24, tlv(0x04, b"uid=a")), tlv(0x80, b"x")),
    "two passwords": tlv(0x60, number(3), tlv(0x04, b"uid=a"), tlv(0x80, b"x"), tlv(0x80, b"y")),
    "nothing": tlv(0x60),
}


@pytest.mark.parametrize("operation", BINDS.values(), ids=BINDS)
def test_bind_that_is_none_ends_the_connection(lab: LdapLab, slapd: Slapd, operation: bytes) -> None:
    """Nothing of it reaches the directory."""
    binds = slapd.server.output().count(" BIND ")
    client = RawClient(lab.ports["auto"])
    client.send(message(1, operation))
    expect_notice(client)
    assert slapd.server.output().count(" BIND ") == binds


@pytest.mark.parametrize("depth", [1_000, 12_000])
def test_deep_filter_is_the_business_of_the_directory(lab: LdapLab, slapd: Slapd, depth: int) -> None:
    """No stranger's gets there; a user's is relayed unread, and what slapd makes of it comes back."""
    octets = filtered(2, nested(depth))
    stranger = RawClient(lab.ports["auto"])
    stranger.send(octets)
    answer = stranger.receive()
    assert code_of(answer) in (2, 8)
    stranger.close()
    said = []
    for port in (slapd.port, lab.ports["auto"]):
        client = RawClient(port)
        client.send(bind(1, dn("alice").encode(), PASSWORD.encode()))
        client.receive()
        client.send(octets)
        while (answer := client.receive()) and peek_message(answer).operation_tag == Response.SEARCH_ENTRY:
            pass
        said.append(answer and peek_message(answer).operation_tag == Response.SEARCH_DONE and code_of(answer))
        client.close()
    # Where slapd closes the connection, the client is told so.
    assert said[0] == said[1] or not said[0]


@pytest.mark.parametrize(
    "octets",
    [
        message(2, tlv(0x6E, tlv(0x04, BASE.encode()), tlv(0x30, tlv(0x04, b"2." + b"9" * 60_000), tlv(0x04, b"x")))),
        filtered(2, tlv(0xA5, tlv(0x04, b"cn"), tlv(0x09, b"\x80\x7f\xff"))),
        message(
            2, tlv(0x63, tlv(0x04, b""), number(0, 0x0A), number(0, 0x0A), tlv(0x02, b"\x7f" * 1_000_000), number(0))
        ),
        extended(2, b"1.2." + b"9" * 100_000),
    ],
    ids=["a huge OID", "REAL", "an integer of 1 MB", "a huge name"],
)
def test_strange_contents_of_a_user_are_the_business_of_the_directory(lab: LdapLab, octets: bytes) -> None:
    """They are relayed as they are; the answer comes back, or the connection ends with a notice."""
    client = bound_client(lab)
    client.send(octets)
    assert code_of(receive_result(client)) >= 0
    client.close()


def receive_result(client: RawClient) -> bytes:
    while peek_message(answer := client.receive()).operation_tag in (Response.SEARCH_ENTRY, Response.SEARCH_REFERENCE):
        pass
    return answer


def test_strangers_that_begin_messages_and_stop_are_in_nobodys_way(lab: LdapLab) -> None:
    """Two hundred half messages, four octets each; users log in meanwhile."""
    clients = [RawClient(lab.ports["auto"]) for _ in range(200)]
    for client in clients:
        client.send(bind(1)[:4])
    assert whoami(lab, "auto", dn("alice"), PASSWORD) == 0
    for client in clients:
        client.close()


def test_message_that_drips_is_given_up(lab: LdapLab) -> None:
    """A user's too, after network_timeout; and a connection on which nothing happens after idle_timeout."""
    dripping, idle = bound_client(lab, "hasty"), bound_client(lab, "hasty")
    dripping.send(search(2)[:3])
    expect_notice(dripping)
    assert idle.receive() == b""


# ── binds ────────────────────────────────────────────────────────────────────────────────────────────────────────

MECHANISMS = ("EXTERNAL", "PLAIN", "GSSAPI", "GSS-SPNEGO", "NTLM", "DIGEST-MD5", "SCRAM-SHA-256", "")
SICILY = {"package discovery": 0x89, "negotiate": 0x8A, "response": 0x8B}


@pytest.mark.parametrize("label", ["auto", "first", "open"])
def test_binds_that_are_not_simple_reach_nobody(lab: LdapLab, slapd: Slapd, label: str) -> None:
    """SASL, and Microsoft's own NTLM: 7, also where a first bind is exempt."""
    binds = slapd.server.output().count(" BIND ")
    client = RawClient(lab.ports[label])
    requests = [sasl_bind(number, name.encode()) for number, name in enumerate(MECHANISMS, 1)]
    ntlm = [message(50 + tag, tlv(0x60, number(3), tlv(0x04), tlv(tag, b"NTLMSSP\0"))) for tag in SICILY.values()]
    for request in [*requests, *ntlm]:
        client.send(request)
        assert code_of(client.receive()) == 7
    client.close()
    assert slapd.server.output().count(" BIND ") == binds


@pytest.mark.parametrize("label", ["auto", "first", "app", "open"])
@pytest.mark.parametrize("name", [dn("alice"), APP_DN, f"cn=root,ou=services,{BASE}", "alice@example.test"])
def test_empty_password_reaches_nobody(lab: LdapLab, slapd: Slapd, label: str, name: str) -> None:
    """53, where anonymous binds are allowed too; a password of NUL is none either, and a name of blanks is no name."""
    binds = slapd.server.output().count(" BIND ")
    client = RawClient(lab.ports[label])
    for count, (who, password) in enumerate([(name, b""), (name, b"\0"), ("", b"x"), (" ", b"")], 1):
        client.send(bind(count, who.encode(), password))
        assert code_of(client.receive()) in (49, 53)
    client.close()
    assert slapd.server.output().count(" BIND ") == binds


NO = (34, 49)
"""slapd's own answer to a name that is no DN, and the usual one."""
INJECTED = [
    "*",
    "*@example.test",
    "alice)(uid=*@example.test",
    "alice@example.test)(|(uid=*",
    r"X\alice)(objectClass=*",
    r"X\*",
    "alice\\2a@example.test",
    "\\",
    "alice@example.test\0",
    "uid=alice\0,dc=x",
    r"uid=\2a," + PEOPLE,
    f"uid=*,{PEOPLE}",
    "\xe9\xff",
    "alice@" * 600,
]


@pytest.mark.parametrize("name", INJECTED)
def test_name_of_a_bind_is_never_a_filter(lab: LdapLab, slapd: Slapd, name: str) -> None:
    """Stars, parentheses, backslashes, NUL: nobody is found, nobody is asked, nobody is in."""
    begin = len(slapd.server.output())
    client = RawClient(lab.ports["auto"])
    client.send(bind(1, name.encode("latin-1"), PASSWORD.encode()))
    assert code_of(client.receive()) in NO
    client.close()
    assert not asked(lab)
    filters = re.findall(r'filter="(.*)"', slapd.server.output()[begin:])
    assert not [one for one in filters if "=*" in one.replace("objectClass=*", "")]


# Whoever's password it is; the name that they bind with; whom Duo may be asked about.
SPELLINGS = [
    (f"uid=two,{PEOPLE}", {"two"}),
    (f"UID=TWO,{PEOPLE.upper()}", {"two"}),
    (rf"uid=\74wo,{PEOPLE}", {"two"}),
    (f"uid = two , {PEOPLE}", {"two"}),
    (f"uid=#040374776f,{PEOPLE}", set()),
    (f"cn=both,{PEOPLE}", set()),
    (f"cn=none,{PEOPLE}", set()),
    (f"uid=frank,{PEOPLE}", set()),
    (f"uid=frank+cn=frank,{PEOPLE}", set()),
    ("frank@example.test", set()),
    ("frank", set()),
    (r"X\frank", set()),
]


@pytest.mark.parametrize(("name", "users"), SPELLINGS)
def test_name_gets_nobody_else_asked(lab: LdapLab, name: str, users: set[str]) -> None:
    """With a password of one's own one is oneself, however the name is spelled and whatever else the entry says.

    Duo lets Frank in without asking; who gets asked as Frank is in.
    """
    assert whoami(lab, "auto", name, OWN) in NO
    assert asked(lab) == users


# ── exempt binds ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "name",
    [
        MALLORY,
        f"uid=mallory,{PEOPLE},ou=services,{BASE}",
        rf"uid=mallory\,ou=services,{BASE}",
        f"uid=mallory+ou=services,{PEOPLE}",
        f"cn=services,{PEOPLE}",
        f"cn=made up,ou=services,{BASE}",
        f"ou=services,{BASE}",
    ],
)
def test_user_is_not_exempt_for_a_name_that_looks_so(lab: LdapLab, name: str) -> None:
    """What counts is where the entry stands."""
    assert whoami(lab, "app", name, OWN) == 49


def test_exempt_session_exempts_nobody_else(lab: LdapLab) -> None:
    """On the application's connection a user is asked for; and after the refusal the connection is nobody's."""
    client = bound_client(lab, "app", APP_DN, APP_PASSWORD)
    client.send(bind(2, MALLORY.encode(), OWN.encode()))
    assert code_of(client.receive()) == 49
    for request in (search(3, BASE.encode()), modify(4), extended(5)):
        client.send(request)
        assert code_of(client.receive()) == 8
    client.close()


def test_exempt_first_bind_is_not_saved_up(lab: LdapLab) -> None:
    """A first bind that fails, or is refused by ourselves, leaves no exemption for one more."""
    client = RawClient(lab.ports["first"])
    client.send(bind(1, APP_DN.encode(), b"wrong"))
    assert code_of(client.receive()) == 49
    client.send(bind(2, MALLORY.encode(), OWN.encode()))
    assert code_of(client.receive()) == 49
    assert asked(lab) == {"mallory"}
    client.close()


def test_root_of_the_directory_is_exempt_when_it_is_itself(lab: LdapLab) -> None:
    """rootdn has no entry; the directory confirms who is bound."""
    assert whoami(lab, "app", f"cn=root,ou=services,{BASE}", OWN) == 0
    assert whoami(lab, "app", f"cn=root,ou=services,{BASE}", "wrong") == 49
    assert whoami(lab, "auto", f"cn=root,ou=services,{BASE}", OWN) == 49


def test_second_bind_keeps_no_rights_of_the_first(lab: LdapLab) -> None:
    """Bound as the application, then as Alice: the session is hers, and what was under way is abandoned."""
    client = bound_client(lab, "app", APP_DN, APP_PASSWORD)
    client.send(search(2, PEOPLE.encode()), bind(3, dn("alice").encode(), PASSWORD.encode()))
    while peek_message(answer := client.receive()).operation_tag != Response.BIND:
        pass
    assert (peek_message(answer).message_id, code_of(answer)) == (3, 0)
    client.send(extended(4))
    assert client.receive().endswith(b"dn:" + dn("alice").encode())
    client.close()


# ── order, and message ids ───────────────────────────────────────────────────────────────────────────────────────


def test_nothing_of_a_user_goes_on_before_the_second_factor(lab: LdapLab, slapd: Slapd) -> None:
    """Everything that is sent behind a bind that waits is refused by us; slapd sees the bind alone."""
    begin = len(slapd.server.output())
    client = RawClient(lab.ports["auto"])
    client.send(bind(1, dn("slow").encode(), PASSWORD.encode()))
    lab.controls.pending("slow")
    behind = (
        search(2, b"dc=early"),
        modify(3),
        extended(4),
        root_dse(5),
        bind(6, MALLORY.encode(), OWN.encode()),
        start_tls(7),
    )
    client.send(*behind)
    assert [code_of(client.receive()) for _ in behind] == [1] * len(behind)
    client.send(abandon(8, 1))
    client.close()
    wait_until(lambda: "cause=client-gone" in lab.server.output(), "the login that was given up")
    seen = slapd.server.output()[begin:]
    assert "dc=early" not in seen
    assert MALLORY not in seen
    assert "mallory" not in asked(lab)


@pytest.mark.parametrize("is_pending_bind", [True, False], ids=["of the bind", "of a search"])
def test_message_id_that_is_in_use_ends_the_connection(lab: LdapLab, slapd: Slapd, is_pending_bind: bool) -> None:
    """Whose answer would it be?"""
    client = RawClient(lab.ports["auto"])
    if is_pending_bind:
        client.send(bind(1, dn("slow").encode(), PASSWORD.encode()), search(1))
    else:
        client.send(bind(1, dn("alice").encode(), PASSWORD.encode()))
        assert code_of(client.receive()) == 0
        client.send(search(2, PEOPLE.encode()), search(2, PEOPLE.encode()))
    answers = []
    while octets := client.receive():
        answers.append(octets)
    assert (peek_message(answers[-1]).message_id, code_of(answers[-1])) == (0, 2)


def test_reused_id_hears_nothing_of_what_was_abandoned(lab: LdapLab) -> None:
    """A hundred times: a search of everybody is abandoned, and its id asks for one entry."""
    client = bound_client(lab)
    for _ in range(100):
        client.send(search(2, PEOPLE.encode()), abandon(3, 2), search(2, dn("frank").encode(), 0))
        found = []
        while peek_message(octets := client.receive()).operation_tag == Response.SEARCH_ENTRY:
            found.append(octets)
        # What the directory said before it read the Abandon was on its way.
        assert code_of(octets) == 0
        assert dn("frank").encode() in found[-1]
    client.close()


# ── referrals, and amounts ───────────────────────────────────────────────────────────────────────────────────────


def test_referral_is_followed_by_nobody(lab: LdapLab) -> None:
    """A name that the directory refers elsewhere: no connection goes there, with no password."""
    with socket.create_server((LOOPBACK, REFERRED)) as elsewhere:
        elsewhere.setblocking(False)
        assert whoami(lab, "auto", f"uid=alice,ou=elsewhere,{BASE}", PASSWORD) in (10, 49)
        client = bound_client(lab)
        client.send(search(2, f"ou=elsewhere,{BASE}".encode()))
        assert code_of(client.receive()) == 10
        client.close()
        with pytest.raises(BlockingIOError):
            elsewhere.accept()


def test_entry_of_100_000_values_goes_through(lab: LdapLab) -> None:
    """It is relayed, not read."""
    client = bound_client(lab)
    before = resident_kib(lab)
    client.send(search(2, dn("crowd").encode(), 0))
    assert client.receive().count(b"value ") == MANY_VALUES
    assert code_of(client.receive()) == 0
    assert resident_kib(lab) - before < 16_000
    client.close()


def test_probes_cost_nothing(lab: LdapLab, slapd: Slapd) -> None:
    """A thousand connections that open and close: no memory, no descriptor, no line, no connection to the directory."""
    descriptors = Path(f"/proc/{lab.server.pid}/fd")
    lines, accepted = len(lab.server.output()), slapd.server.output().count("ACCEPT")
    open_before = len(os.listdir(descriptors))
    before = resident_kib(lab)
    for _ in range(1_000):
        RawClient(lab.ports["auto"]).close()
    wait_until(lambda: len(os.listdir(descriptors)) <= open_before + 2, "the descriptors to be free again")
    assert resident_kib(lab) - before < 4_000
    assert lab.server.output()[lines:].count("\n") == 0
    assert slapd.server.output().count("ACCEPT") == accepted


def test_one_address_leaves_room_for_others(lab: LdapLab) -> None:
    """A fair share of max_connections for each; a line says who had too many, and a place is free again later."""
    clients = [RawClient(lab.ports["small"]) for _ in range(SHARE)]
    served = [client for client in clients if is_served(client)]
    assert len(served) == SHARE // 2
    with socket.create_connection((LOOPBACK, lab.ports["small"]), source_address=("127.0.0.9", 0)) as other:
        other.settimeout(5)
        other.sendall(root_dse(1))
        assert other.recv(1)
    assert "it has its share of the 16" in lab.server.output()
    for client in clients:
        client.close()
    wait_until(lambda: whoami(lab, "small", dn("alice"), PASSWORD) == 0, "a place")


def is_served(client: RawClient) -> bool:
    try:
        client.send(extended(1))
        return client.receive() != b""
    except OSError:
        return False


def test_user_that_never_reads_is_given_up(lab: LdapLab, slapd: Slapd) -> None:
    """Forty megabytes for one that takes none: bounded memory, and the end after network_timeout."""
    client = bound_client(lab, "hasty")
    before, closed = resident_kib(lab), slapd.server.output().count(" closed")
    client.send(*(search(count, dn("bulky").encode(), 0) for count in range(2, 42)))
    wait_until(lambda: slapd.server.output().count(" closed") > closed, "the end of the connection behind", 20)
    assert resident_kib(lab) - before < 12_000
    taken = 0
    while client.receive():
        taken += 1
    assert taken < 80
    client.close()


# ── secrets ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_no_password_is_in_any_file_or_command_line(lab: LdapLab) -> None:
    """After all this, with debug=true: neither right passwords nor wrong ones, nor those of broken binds."""
    secrets = [PASSWORD, OWN, APP_PASSWORD, SERVICE_PASSWORD, "a slip of the hand"]
    whoami(lab, "auto", dn("alice"), "a slip of the hand")
    whoami(lab, "auto", dn("alice"), "a slip of the hand,123456")
    client = RawClient(lab.ports["auto"])
    client.send(message(1, tlv(0x60, number(3), tlv(0x04, b"x"), tlv(0x80, OWN.encode()), tlv(0x80))))
    expect_notice(client)
    written = [lab.server.output(), Path(f"/proc/{lab.server.pid}/cmdline").read_text("ascii")]
    written += [file.read_text("utf-8", "replace") for file in (lab.server.folder / "log").iterdir()]
    assert len(written) > 2
    assert [secret for secret in secrets for text in written if secret in text] == []
