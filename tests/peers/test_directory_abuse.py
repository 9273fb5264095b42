"""What strangers and odd directories do to [ad_client]: injection, empty passwords, groups without end, referrals.

Every account has the same password: a name that would match anybody else's entry would log in.
"""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Iterator

import pytest

from tests.peers.ad_client_driver import Driver, running_driver
from tests.peers.ports import LOOPBACK, free_port
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
from tests.peers.tcp_relay import honest, says, tcp_relay

pytestmark = pytest.mark.needs_peer(*PEERS)

MEMBERS = 5_000
RING = 60
"""Groups each of which is a member of all others."""
MANY = 1_100
"""More groups than are looked at for one user (1,000)."""
LIMIT_S = 5.0
TIMEOUT_S = 1.0

ODD_NAMES = [
    "*",
    "a*e",
    "(x)",
    "back\\slash",
    "comma, name",
    "plus+sign",
    "equals=sign",
    '"quoted"',
    "#hash",
    "<x>;",
    "ö/ß",
]
"""Names that real entries have, of what is special in filters and DNs."""

INJECTIONS = [
    "al*",
    "**",
    "alic*e",
    ")(uid=*",
    "*)(uid=*))(|(uid=*",
    "alice)(objectClass=*",
    "alice)(&",
    "x)(|(uid=alice)",
    "(uid=alice)",
    "&(uid=alice)",
    "!alice",
    "|alice",
    "alice\0",
    "\0alice",
    "alice\0)(uid=*",
    r"\61lice",
    r"alic\65",
    r"\2a",
    r"\28",
    r"\00",
    "\\",
    "\\\\",
    "alice\\",
    "alice\\,",
    r"alice\20",
    "alice,ou=people",
    f"uid=alice,{PEOPLE}",
    "uid=alice",
    "#616c696365",
    '"alice"',
    "alice+sn=alice",
    "alice;",
    "<alice>",
    "alice=",
    "alice\nx",
    "a\u200blice",
    "\u202ealice",
    "al\u00adice",
    "ａｌｉｃｅ",
    "alıce",
    "k\ufb00in",
    "\u212aiffin",
    "ali ce",
    "*@example.test",
    "alice@*",
    "@",
    "@example.test",
    "alice@",
    "CORP\\",
    "CORP\\**",
    "CORP\\)(uid=*",
    "CORP\\CORP\\alice",
    "\\alice",
    "CORP\\alice\0",
    "",
    " ",
    "\0",
    "\ud800",
    "alice\udc80",
    "a" * 10_000,
    "*" * 10_000,
    "\\" * 10_000,
    "(" * 10_000,
    "\0" * 10_000,
    "ö" * 10_000,
    "alice" + " " * 10_000 + "x",
]


def dn(uid: str) -> str:
    """Where a user stands."""
    return f"uid={uid},{PEOPLE}"


@pytest.fixture(scope="module")
def attacker() -> Iterator[socket.socket]:
    """Where referrals lead to: nobody is to come."""
    with socket.create_server((LOOPBACK, 0)) as listener:
        listener.setblocking(False)
        yield listener


@pytest.fixture(scope="module")
def slapd(attacker: socket.socket, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slapd]:
    url = f"ldap://{LOOPBACK}:{attacker.getsockname()[1]}"
    odd = [
        Entry(f"cn=odd{n},{PEOPLE}", ["inetOrgPerson"], {"sn": "x", "uid": odd, "userPassword": f"{PASSWORD} {n}"})
        for n, odd in enumerate(ODD_NAMES)
    ]
    ring = [group_dn(f"ring{number}") for number in range(RING)]
    entries = [
        *(person(name) for name in ("alice", "kiffin", "bob", "ringed", "joiner")),
        person("first", more={"mail": [f"mail{number}@example.test" for number in range(10_000)]}),
        *odd,
        group("large", [dn(f"member{number}") for number in range(1, MEMBERS - 1)] + [dn("alice"), dn("first")]),
        group("around", [group_dn("large")]),
        *(group(f"ring{number}", [dn("ringed"), *ring]) for number in range(RING)),
        group("goal", [group_dn("nobody")]),
        group("last", [dn("joiner")]),
        *(group(f"many{number}", [dn("joiner")]) for number in range(MANY)),
        Entry(f"ou=elsewhere,{BASE}", ["referral", "extensibleObject"], {"ref": f"{url}/{PEOPLE}"}),
        Entry(
            f"uid=referred,{PEOPLE}",
            ["referral", "extensibleObject"],
            {"uid": "referred", "ref": f"{url}/{dn('alice')}"},
        ),
    ]
    with running_slapd(tmp_path_factory.mktemp("slapd"), entries) as server:
        yield server


@pytest.fixture(scope="module")
def driver(slapd: Slapd, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Driver]:
    def nested(name: str) -> dict[str, object]:
        return slapd.options("clear", security_group_dn=group_dn(name), nested_groups="true")

    sections = {
        "ad_client": slapd.options(),
        "ad_client2": slapd.options(at_attribute="uid", ldap_filter="(|(sn=*)(uid=x))"),
        "ad_client3": slapd.options(search_dn=f"ou=elsewhere,{BASE}"),
        "ad_client4": slapd.options(security_group_dn=group_dn("large")),
        "ad_client5": nested("around"),
        "ad_client6": nested("goal"),
        "ad_client7": slapd.options(security_group_dn=f"cn=*,{BASE}", security_group_dn_2=group_dn("is not there")),
        "ad_client8": nested("last"),
    }
    with running_driver(tmp_path_factory.mktemp("driver"), sections) as running:
        yield running


def binds(slapd: Slapd) -> list[str]:
    """Read whom slapd was asked to let in, the service account aside."""
    found = re.findall(r'BIND dn="(.*)" method=128', slapd.server.output())
    return [name for name in found if name != SERVICE_DN]


# ── names ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("section", ["ad_client", "ad_client2"])
def test_a_name_is_never_part_of_a_filter_or_a_dn(driver: Driver, slapd: Slapd, section: str) -> None:
    """Filter and DN injection, NUL, what is no text, 10,000 characters: nobody is let in, and nobody is tried."""
    before = binds(slapd)
    started = time.monotonic()
    answers = driver.ask_all(section, [(name, PASSWORD) for name in INJECTIONS])
    let_in = [name[:40] for name, answer in zip(INJECTIONS, answers, strict=True) if answer.accepted]
    assert let_in == []
    assert [answer.reason for answer in answers if answer.unreachable] == []
    assert binds(slapd) == before
    assert time.monotonic() - started < LIMIT_S
    assert driver.ask(section, "alice", PASSWORD).accepted


@pytest.mark.parametrize(("number", "name"), list(enumerate(ODD_NAMES)))
def test_an_odd_name_is_itself_and_nobody_else(driver: Driver, number: int, name: str) -> None:
    """Entries whose names are made of what is special log in with their own passwords, and with no other."""
    user = rf"CORP\{name}" if "\\" in name else name
    assert driver.ask("ad_client", user, f"{PASSWORD} {number}").accepted
    assert not driver.ask("ad_client", user, PASSWORD).accepted


# ── passwords ──────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("password", ["", "\0", "\0\0\0", f"{PASSWORD}\0", f"{PASSWORD}\0x", f"\0{PASSWORD}"])
def test_an_empty_password_lets_nobody_in(driver: Driver, slapd: Slapd, password: str) -> None:
    """An empty password with a DN would be an unauthenticated bind; with a NUL it may be one. Neither is sent."""
    before = binds(slapd)
    answer = driver.ask("ad_client", "alice", password)
    assert not answer.accepted
    assert "empty" in answer.reason or "NUL" in answer.reason
    assert binds(slapd) == before


def test_logins_at_once_do_not_mix(driver: Driver) -> None:
    """Connections of users are used again by others: each login has its own answer, and no rights of the one before."""
    logins = [(user, password) for _ in range(40) for user in ("alice", "bob") for password in (PASSWORD, "wrong", "")]
    answers = driver.ask_all("ad_client", logins)
    assert [answer.accepted for answer in answers] == [password == PASSWORD for _, password in logins]


# ── groups and entries ─────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("section", "user", "is_let_in"),
    [
        ("ad_client4", "first", True),
        ("ad_client4", "alice", True),
        ("ad_client4", "bob", False),
        ("ad_client5", "alice", True),
        ("ad_client5", "bob", False),
        ("ad_client7", "alice", False),
    ],
)
def test_a_large_group_and_one_that_is_not_there(driver: Driver, section: str, user: str, is_let_in: bool) -> None:
    """5,000 members, also of a group in the group; a group that does not exist lets nobody in."""
    started = time.monotonic()
    assert driver.ask(section, user, PASSWORD).accepted is is_let_in
    assert time.monotonic() - started < LIMIT_S


def test_groups_in_a_circle_end(driver: Driver, slapd: Slapd) -> None:
    """60 groups, each a member of all others: each is looked at once, and the user is refused."""
    before = slapd.server.output().count("SRCH base")
    assert not driver.ask("ad_client6", "ringed", PASSWORD).accepted
    assert 0 < slapd.server.output().count("SRCH base") - before < 10


def test_a_user_in_more_groups_than_are_looked_at(driver: Driver) -> None:
    """Beyond the bound nobody is let in through other groups; direct members are."""
    assert driver.ask("ad_client8", "joiner", PASSWORD).accepted
    assert not driver.ask("ad_client6", "joiner", PASSWORD).accepted


def test_an_entry_with_10_000_values(driver: Driver) -> None:
    """All values of the attribute are looked through for the name."""
    assert driver.ask("ad_client", "mail9999@example.test", PASSWORD).accepted
    assert driver.ask("ad_client", "first", PASSWORD).accepted


# ── referrals ──────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("section", "user"), [("ad_client", "referred"), ("ad_client3", "alice"), ("ad_client", "alice")]
)
def test_referrals_are_never_followed(driver: Driver, attacker: socket.socket, section: str, user: str) -> None:
    """A referral among the results, instead of them, or in place of a user: nobody connects to where it leads."""
    assert driver.ask(section, user, PASSWORD).accepted is (section == "ad_client" and user == "alice")
    with pytest.raises(BlockingIOError):
        attacker.accept()


# ── who sits between ───────────────────────────────────────────────────────────────────────────────────────────────

START_TLS_AND_GOODBYE = 31 + 7
"""How many octets the two requests have."""
START_TLS_REFUSED = bytes.fromhex("300c02010178070a010204000400")
# StartTLS is granted, and a success for the bind that has not been sent comes with it.
START_TLS_AND_MORE = bytes.fromhex("300c02010178070a010004000400300c02010261070a010004000400")


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (
            START_TLS_REFUSED,
            "it refuses StartTLS, result 2; give the directory a certificate, or set transport=ldaps",
        ),
        (
            START_TLS_AND_MORE,
            "what came is not LDAP: octets behind the answer after which the connection changes; somebody may have put "
            "them in; check that host, port and transport lead to the directory",
        ),
    ],
    ids=["refused", "injected"],
)
def test_start_tls_cannot_be_stripped(
    slapd: Slapd, tmp_path_factory: pytest.TempPathFactory, answer: bytes, sentence: str
) -> None:
    """Refused by whoever sits between, or answered with more than was asked: no name and no password is sent."""
    with tcp_relay(free_port(), slapd.port) as relay:
        relay.meddle = says(answer)
        options = slapd.options("starttls", port=relay.port, timeout=TIMEOUT_S)
        with running_driver(tmp_path_factory.mktemp("stripped"), {"ad_client": options}) as driver:
            said = driver.ask("ad_client", "alice", PASSWORD)
        assert (said.accepted, said.unreachable) == (False, True)
        assert said.reason == f"directory {LOOPBACK}:{relay.port}: {sentence}"
        assert relay.received <= relay.accepted * START_TLS_AND_GOODBYE  # and nothing else on any connection


def test_an_answer_without_end(slapd: Slapd, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Entry after entry for one search: it ends at a bound, in time and memory, and the next login works."""
    flood = bytes.fromhex("3009020102640404003000") * 20_000

    def meddle(client: socket.socket, answer: bytes) -> bool:
        if answer[5] == 0x61:  # the bind's
            return honest(client, answer)
        client.sendall(flood)
        return True

    with tcp_relay(free_port(), slapd.port) as relay:
        options = slapd.options("clear", port=relay.port, timeout=TIMEOUT_S)
        with running_driver(tmp_path_factory.mktemp("endless"), {"ad_client": options}) as driver:
            assert driver.ask("ad_client", "alice", PASSWORD).accepted
            memory = driver.memory_kib()
            relay.meddle = meddle
            relay.cut()
            said = driver.ask("ad_client", "alice", PASSWORD)
            assert (said.accepted, said.unreachable) == (False, True)
            assert said.reason.startswith(
                f"directory {LOOPBACK}:{relay.port}: what came is not LDAP: an answer without end;"
            )
            assert driver.memory_kib() < memory + 32_768
            relay.meddle = honest
            assert driver.ask("ad_client", "alice", PASSWORD).accepted
