"""[ldap_server_auto] under attack: what may be sent by who knows a password, or none; slapd tells what arrived.

What an attacker gains is looked for in three places: in what the client hears, in slapd's log of what it was asked, and
in whom the sandbox asked for a second factor. After each of these, somebody else logs in as usual.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from duoproxy.ldap.framing import peek_message
from duoproxy.ldap.messages import Response
from tests.peers.ldap_abuse.lab import (
    APP_DN,
    APP_PASSWORD,
    MALLORY,
    OWN,
    AbuseLab,
    dn,
    expect_notice,
)
from tests.peers.ldap_lab import PEERS as CLIENTS
from tests.peers.ldap_lab import code_of
from tests.peers.server import wait_until
from tests.peers.slapd import BASE, PASSWORD, PEERS, PEOPLE, SERVICE_PASSWORD
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


# ── binds ────────────────────────────────────────────────────────────────────────────────────────────────────────

MECHANISMS = ("EXTERNAL", "PLAIN", "GSSAPI", "GSS-SPNEGO", "NTLM", "DIGEST-MD5", "SCRAM-SHA-256", "")
SICILY = {"package discovery": 0x89, "negotiate": 0x8A, "response": 0x8B}


@pytest.mark.parametrize("label", ["auto", "first", "open"])
def test_binds_that_are_not_simple_reach_nobody(abuse: AbuseLab, label: str) -> None:
    """SASL, and Microsoft's own NTLM: 7, also where a first bind is exempt."""
    binds = abuse.seen().count(" BIND ")
    client = abuse.connect(label)
    requests = [sasl_bind(number, name.encode()) for number, name in enumerate(MECHANISMS, 1)]
    ntlm = [message(50 + tag, tlv(0x60, number(3), tlv(0x04), tlv(tag, b"NTLMSSP\0"))) for tag in SICILY.values()]
    for request in [*requests, *ntlm]:
        client.send(request)
        assert code_of(client.receive()) == 7
    client.close()
    assert abuse.seen().count(" BIND ") == binds


@pytest.mark.parametrize("label", ["auto", "first", "app", "open"])
@pytest.mark.parametrize("name", [dn("alice"), APP_DN, f"cn=root,ou=services,{BASE}", "alice@example.test"])
def test_empty_password_reaches_nobody(abuse: AbuseLab, label: str, name: str) -> None:
    """53, where anonymous binds are allowed too; a password of NUL is none either, and a name of blanks is no name."""
    binds = abuse.seen().count(" BIND ")
    client = abuse.connect(label)
    for count, (who, password) in enumerate([(name, b""), (name, b"\0"), ("", b"x"), (" ", b"")], 1):
        client.send(bind(count, who.encode(), password))
        assert code_of(client.receive()) in (49, 53)
    client.close()
    assert abuse.seen().count(" BIND ") == binds


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
def test_name_of_a_bind_is_never_a_filter(abuse: AbuseLab, name: str) -> None:
    """Stars, parentheses, backslashes, NUL: nobody is found, nobody is asked, nobody is in."""
    begin = len(abuse.seen())
    client = abuse.connect()
    client.send(bind(1, name.encode("latin-1"), PASSWORD.encode()))
    assert code_of(client.receive()) in NO
    client.close()
    assert not abuse.asked()
    filters = re.findall(r'filter="(.*)"', abuse.seen()[begin:])
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
def test_name_gets_nobody_else_asked(abuse: AbuseLab, name: str, users: set[str]) -> None:
    """With a password of one's own one is oneself, however the name is spelled and whatever else the entry says.

    Duo lets Frank in without asking; who gets asked as Frank is in.
    """
    assert abuse.whoami("auto", name, OWN) in NO
    assert abuse.asked() == users


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
def test_user_is_not_exempt_for_a_name_that_looks_so(abuse: AbuseLab, name: str) -> None:
    """What counts is where the entry stands."""
    assert abuse.whoami("app", name, OWN) == 49


def test_exempt_session_exempts_nobody_else(abuse: AbuseLab) -> None:
    """On the application's connection a user is asked for; and after the refusal the connection is nobody's."""
    client = abuse.bound("app", APP_DN, APP_PASSWORD)
    client.send(bind(2, MALLORY.encode(), OWN.encode()))
    assert code_of(client.receive()) == 49
    for request in (search(3, BASE.encode()), modify(4), extended(5)):
        client.send(request)
        assert code_of(client.receive()) == 8
    client.close()


def test_exempt_first_bind_is_not_saved_up(abuse: AbuseLab) -> None:
    """A first bind that fails, or is refused by ourselves, leaves no exemption for one more."""
    client = abuse.connect("first")
    client.send(bind(1, APP_DN.encode(), b"wrong"))
    assert code_of(client.receive()) == 49
    client.send(bind(2, MALLORY.encode(), OWN.encode()))
    assert code_of(client.receive()) == 49
    assert abuse.asked() == {"mallory"}
    client.close()


def test_root_of_the_directory_is_exempt_when_it_is_itself(abuse: AbuseLab) -> None:
    """rootdn has no entry; the directory confirms who is bound."""
    assert abuse.whoami("app", f"cn=root,ou=services,{BASE}", OWN) == 0
    assert abuse.whoami("app", f"cn=root,ou=services,{BASE}", "wrong") == 49
    assert abuse.whoami("auto", f"cn=root,ou=services,{BASE}", OWN) == 49


def test_second_bind_keeps_no_rights_of_the_first(abuse: AbuseLab) -> None:
    """Bound as the application, then as Alice: the session is hers, and what was under way is abandoned."""
    client = abuse.bound("app", APP_DN, APP_PASSWORD)
    client.send(search(2, PEOPLE.encode()), bind(3, dn("alice").encode(), PASSWORD.encode()))
    while peek_message(answer := client.receive()).operation_tag != Response.BIND:
        pass
    assert (peek_message(answer).message_id, code_of(answer)) == (3, 0)
    client.send(extended(4))
    assert client.receive().endswith(b"dn:" + dn("alice").encode())
    client.close()


# ── order, and message ids ───────────────────────────────────────────────────────────────────────────────────────


def test_nothing_of_a_user_goes_on_before_the_second_factor(abuse: AbuseLab) -> None:
    """Everything that is sent behind a bind that waits is refused by us; slapd sees the bind alone."""
    begin = len(abuse.seen())
    client = abuse.connect()
    client.send(bind(1, dn("slow").encode(), PASSWORD.encode()))
    abuse.lab.controls.pending("slow")
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
    wait_until(lambda: "cause=client-gone" in abuse.log(), "the login that was given up")
    seen = abuse.seen()[begin:]
    assert "dc=early" not in seen
    assert MALLORY not in seen
    assert "mallory" not in abuse.asked()


@pytest.mark.parametrize("is_pending_bind", [True, False], ids=["of the bind", "of a search"])
def test_message_id_that_is_in_use_ends_the_connection(abuse: AbuseLab, is_pending_bind: bool) -> None:
    """Whose answer would it be?"""
    client = abuse.connect()
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


def test_reused_id_hears_nothing_of_what_was_abandoned(abuse: AbuseLab) -> None:
    """A hundred times: a search of everybody is abandoned, and its id asks for one entry."""
    client = abuse.bound()
    for _ in range(100):
        client.send(search(2, PEOPLE.encode()), abandon(3, 2), search(2, dn("frank").encode(), 0))
        found = []
        while peek_message(octets := client.receive()).operation_tag == Response.SEARCH_ENTRY:
            found.append(octets)
        # What the directory said before it read the Abandon was on its way.
        assert code_of(octets) == 0
        assert dn("frank").encode() in found[-1]
    client.close()


# ── secrets ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_no_password_is_in_any_file_or_command_line(abuse: AbuseLab) -> None:
    """After all this, with debug=true: neither right passwords nor wrong ones, nor those of broken binds."""
    secrets = [PASSWORD, OWN, APP_PASSWORD, SERVICE_PASSWORD, "a slip of the hand"]
    abuse.whoami("auto", dn("alice"), "a slip of the hand")
    abuse.whoami("auto", dn("alice"), "a slip of the hand,123456")
    client = abuse.connect()
    client.send(message(1, tlv(0x60, number(3), tlv(0x04, b"x"), tlv(0x80, OWN.encode()), tlv(0x80))))
    expect_notice(client)
    written = [abuse.log(), Path(f"/proc/{abuse.lab.server.pid}/cmdline").read_text("ascii")]
    written += [file.read_text("utf-8", "replace") for file in (abuse.lab.server.folder / "log").iterdir()]
    assert len(written) > 2
    assert [secret for secret in secrets for text in written if secret in text] == []
