"""[ldap_server_auto] in front of a real slapd, octet by octet: three clients, every operation, every transport.

Each scenario is done at slapd itself and through the proxy. Clients see the same octets; and what goes in on one side
of the proxy comes out on the other, behind the bind.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from typing import Any

import ldap3
import pytest

from duoproxy.ldap.framing import peek_message
from duoproxy.ldap.messages import Response
from tests.peers.ldap_lab import PEERS as CLIENTS
from tests.peers.ldap_lab import Answer, RawClient, run_client
from tests.peers.ldap_proxy_lab import (
    PYTHON_LDAP,
    Door,
    ProxyLab,
    require_unchanged,
    run_python_ldap,
    running_proxy_lab,
)
from tests.peers.ldap_tap import tag_of
from tests.peers.ports import LOOPBACK
from tests.peers.slapd import BASE, PASSWORD, PEERS, PEOPLE, SERVICE_DN, Entry, Slapd, person, running_slapd
from tests.unit.ldap.relay_kit import bind, cancel, extended, search

pytestmark = pytest.mark.needs_peer(*PEERS, *CLIENTS, *PYTHON_LDAP)

MANY = 5_000
MIB = 1 << 20
WRITER = f"uid=writer,{PEOPLE}"
SECURE = ("plain", "starttls", "ldaps")
USERS = {"*": "push approve-after 0"}
MODULES = "moduleload sssvlv\nmoduleload syncprov\n"
RIGHTS = f'overlay sssvlv\noverlay syncprov\nrootdn "{WRITER}"\nlimits * size=unlimited\n'
ENTRIES = [
    *(person(uid) for uid in ("alice", "writer", "pat")),
    *(person(f"many{number:04}") for number in range(MANY)),
    person("bulky", more={"description": "x" * MIB}),
    person("octets", more={"jpegPhoto": bytes(range(256)) * 64, "description": ["ü", " leading", "日本"]}),
    Entry(f"ou=elsewhere,{BASE}", ["referral", "extensibleObject"], {"ref": "ldap://192.0.2.1/dc=x"}),
]


@pytest.fixture(scope="module")
def slapd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slapd]:
    folder = tmp_path_factory.mktemp("slapd")
    with running_slapd(folder, ENTRIES, first=MODULES, last=RIGHTS, stats=False) as server:
        yield server


@pytest.fixture(scope="module")
def lab(slapd: Slapd, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProxyLab]:
    with running_proxy_lab(
        tmp_path_factory.mktemp("proxy"),
        directory=(LOOPBACK, slapd.port, slapd.ldaps_port),
        client=slapd.options("starttls"),
        listeners={"auto": {"allow_unlimited_binds": "true"}},
        users=USERS,
        service_name=SERVICE_DN.encode(),
    ) as running:
        yield running


def dn(uid: str) -> str:
    return f"uid={uid},{PEOPLE}"


# ── OpenLDAP's programs ──────────────────────────────────────────────────────────────────────────────────────────

SEARCHES = {
    "5,000 entries in pages": ("-b", PEOPLE, "-E", "!pr=500/noprompt", "(uid=many*)", "uid"),
    "sorted by the server": ("-b", PEOPLE, "-E", "!sss=-uid:caseIgnoreOrderingMatch", "(uid=many00*)", "uid"),
    "an entry of 1 MiB": ("-b", dn("bulky"), "-s", "base"),
    "octets of all values": ("-b", dn("octets"), "-s", "base"),
    "operational attributes": ("-b", dn("alice"), "-s", "base", "*", "+"),
    "referrals": ("-b", BASE, "(objectClass=organizationalUnit)"),
    "a referral to the base": ("-b", f"cn=x,ou=elsewhere,{BASE}"),
    "a referral as an entry": ("-b", BASE, "-M", "(objectClass=referral)", "ref"),
    "intermediate responses": ("-b", PEOPLE, "-E", "!sync=ro", "(uid=many000*)", "uid"),
    "a known critical control": ("-b", dn("alice"), "-s", "base", "-e", "!assert=(uid=alice)"),
    "one that is not true": ("-b", dn("alice"), "-s", "base", "-e", "!assert=(uid=nobody)"),
    "matched values": ("-b", dn("octets"), "-s", "base", "-E", "!mv=(description=ü)"),
    "an unknown critical control": ("-b", PEOPLE, "-e", "!1.2.3.4.5=:eA=="),
    "another user's rights": ("-b", dn("alice"), "-s", "base", "-e", "!authzid=u:nobody"),
    "the schema": ("-b", "cn=Subschema", "-s", "base", "+"),
    "nothing": ("-b", f"uid=nobody,{PEOPLE}"),
    "a size limit": ("-b", PEOPLE, "-z", "7", "(uid=many*)"),
}


@pytest.mark.parametrize("arguments", SEARCHES.values(), ids=SEARCHES)
def test_ldapsearch_sees_the_same_octets(lab: ProxyLab, arguments: tuple[str, ...]) -> None:
    """Entries, controls, references, intermediate responses, results: none differs, on either side of the proxy."""
    said = lab.compare(lambda door: ask(door, "ldapsearch", "-LLL", *arguments))
    assert said.output or said.errors


def test_list_view_goes_through(lab: ProxyLab) -> None:
    """A page of a sorted list, under a context that slapd makes up anew for each."""
    view = ("-E", "!sss=uid:caseIgnoreOrderingMatch", "-E", "!vlv=0/4/1/0")
    _, through, seen = lab.run(
        lambda door: ask(door, "ldapsearch", *view, "-b", PEOPLE, "(uid=many00*)", "uid"), "plain"
    )
    require_unchanged(seen)
    assert through.output.count("dn: uid=many") >= 5


def ask(door: Door, program: str, *arguments: str, given: str = "") -> Answer:
    secure = ["-ZZ"] if door.start_tls else []
    credentials = ("-D", WRITER, "-w", PASSWORD)
    return run_client(program, door.url, *secure, *credentials, *arguments, given=given, ca_file=door.ca_file)


@pytest.mark.parametrize("secure", SECURE)
def test_transport_changes_nothing(lab: ProxyLab, secure: str) -> None:
    """Plain, StartTLS and LDAPS before the proxy; StartTLS behind it."""
    said = lab.compare(lambda door: ask(door, "ldapsearch", "-LLL", "-b", dn("bulky"), "-s", "base"), secure)
    assert len(said.output) > MIB
    assert all(one.over_tls for one in lab.back.connections)


# ── python-ldap, and ldap3 ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("secure", ["plain", "ldaps"])
def test_python_ldap_sees_the_same_octets(lab: ProxyLab, secure: str) -> None:
    """Pages, sorting, pipelining, add, compare, modify, rename, delete, passwords, refusals, in one session."""
    given = {"user": WRITER, "password": PASSWORD, "people": PEOPLE}
    given["tasks"] = ["who am I", "pages", "sorted", "pipelined", "changes", "password", "refusals"]  # type: ignore[assignment]
    said = dict(lab.compare(lambda door: run_python_ldap(door, given), secure))
    assert said["who am I"] == repr(f"dn:{WRITER}")
    assert f"{[500] * 10}, {MANY}" in said["pages"]
    assert "dn:uid=pat" in said["password"]
    assert "UNAVAILABLE_CRITICAL_EXTENSION" in said["refusals"]


def test_python_ldap_abandons_a_search(lab: ProxyLab) -> None:
    """How much had come by then is chance; what comes next is the same, and late entries reach nobody."""
    given = {"user": WRITER, "password": PASSWORD, "people": PEOPLE, "tasks": ["abandoned"]}
    without, through, seen = lab.run(lambda door: run_python_ldap(door, given), "plain")
    assert through == without
    assert seen.front[0].asked() == seen.direct[0].asked()
    assert seen.front[0].asked_after_bind() == seen.back[0].asked_after_bind()
    assert seen.front[0].answered()[-2:] == seen.direct[0].answered()[-2:]


@pytest.mark.parametrize("secure", ["starttls", "ldaps"])
def test_ldap3_sees_the_same_octets(lab: ProxyLab, secure: str) -> None:
    """A client that shares no line with OpenLDAP's."""
    said = lab.compare(use_ldap3, secure)
    assert said["pages"] == MANY
    assert said["who am I"] == f"dn:{WRITER}"
    assert said["compared"] is True


def use_ldap3(door: Door) -> dict[str, Any]:
    tls = ldap3.Tls(validate=ssl.CERT_REQUIRED, ca_certs_file=str(door.ca_file))
    server = ldap3.Server(door.url, get_info=ldap3.NONE, tls=tls)
    begin = ldap3.AUTO_BIND_TLS_BEFORE_BIND if door.start_tls else ldap3.AUTO_BIND_NO_TLS
    new = f"uid=third,{PEOPLE}"
    connection = ldap3.Connection(server, WRITER, PASSWORD, auto_bind=begin)
    standard = connection.extend.standard
    pages = standard.paged_search(PEOPLE, "(uid=many*)", attributes=["uid"], paged_size=1000, generator=False)
    said: dict[str, Any] = {"pages": len(pages), "who am I": standard.who_am_i()}
    connection.add(new, ["inetOrgPerson"], {"sn": "Third", "cn": "Third"})
    said["compared"] = connection.compare(new, "sn", "third")
    connection.modify(new, {"sn": [(ldap3.MODIFY_ADD, ["More"])]}, controls=[("2.16.840.1.113730.3.4.2", True, None)])
    connection.modify_dn(new, "uid=fourth")
    connection.search(PEOPLE, "(uid=fourth)", attributes=["*"])
    said["found"] = [(entry["dn"], dict(entry["raw_attributes"])) for entry in connection.response]
    connection.delete(f"uid=fourth,{PEOPLE}")
    connection.search(PEOPLE, "(uid=alice)", controls=[("1.2.3.4.5", True, b"x")])
    said["refused"] = {key: connection.result[key] for key in ("result", "message", "dn")}
    standard.modify_password(dn("pat"), PASSWORD, "new password")
    said["password"] = connection.result["result"]
    standard.modify_password(dn("pat"), None, PASSWORD)
    connection.search(dn("bulky"), "(objectClass=*)", ldap3.BASE, attributes=["description"])
    said["bulky"] = len(connection.response[0]["raw_attributes"]["description"][0])
    connection.unbind()
    return said


# ── octets that no library sends ─────────────────────────────────────────────────────────────────────────────────


def receive_until(client: RawClient, tag: int) -> bytes:
    while tag_of(octets := client.receive()) != tag:
        pass
    return octets


def talk(door: Door, *requests: bytes, answers: int) -> list[bytes]:
    """Bind, send all at once, and take so many messages."""
    client = RawClient(door.port)
    client.send(bind(1, WRITER.encode(), PASSWORD.encode()))
    first = client.receive()
    client.send(*requests)
    said = [first, *(client.receive() for _ in range(answers))]
    client.close()
    return said


def test_requests_that_are_sent_at_once_are_answered_as_directly(lab: ProxyLab) -> None:
    """Forty of them in one segment: all are there, each as slapd gave it to its id."""
    requests = [search(number, dn(f"many{number:04}").encode(), 0) for number in range(2, 42)]
    said = lab.compare(lambda door: sorted(talk(door, *requests, answers=80)), same_octets=False)
    assert [tag_of(one) for one in said].count(Response.SEARCH_DONE) == 40


def test_ids_may_go_down_and_come_again(lab: ProxyLab) -> None:
    """Then they are others behind the proxy, and the client hears its own."""
    requests = [extended(number) for number in (900, 7, 2**31 - 1, 3)]

    def scenario(door: Door) -> list[bytes]:
        return [one for request in requests for one in talk(door, request, request[:0], answers=1)[1:]]

    without, through, _ = lab.run(scenario, "plain")
    assert through == without
    said = lab.run(lambda door: talk_in_turn(door, *requests, *requests), "plain")
    assert said[0] == said[1]
    ids = [peek_message(one).message_id for one in said[2].back[0].asked_after_bind()]
    assert ids == sorted(set(ids))


def talk_in_turn(door: Door, *requests: bytes) -> list[bytes]:
    """Bind, then ask one after the other."""
    client = RawClient(door.port)
    said = []
    for request in (bind(1, WRITER.encode(), PASSWORD.encode()), *requests):
        client.send(request)
        said.append(client.receive())
    client.close()
    return said


def test_long_lengths_and_ids_of_a_client_stay_as_they_came(lab: ProxyLab) -> None:
    """BER that no usual client writes: four octets of length, and booleans that are not 0xff."""
    octets = extended(5)
    long_form = b"\x30\x84" + (len(octets) - 2).to_bytes(4, "big") + octets[2:]
    said = lab.compare(lambda door: talk_in_turn(door, long_form))
    assert said[-1].endswith(b"dn:" + WRITER.encode())
    assert lab.back.connections[-1].asked_after_bind() == [long_form]


def test_cancelled_search_is_answered_as_directly(lab: ProxyLab) -> None:
    """RFC 3909: the search ends with canceled (118), and so it is told, or it was over before."""
    client = RawClient(lab.doors("plain")[1].port)
    client.send(bind(1, WRITER.encode(), PASSWORD.encode()))
    client.receive()
    client.send(search(2, PEOPLE.encode()), cancel(3, 2))
    results = {peek_message(one).message_id: one for one in (receive_until_end(client) for _ in range(2))}
    assert set(results) == {2, 3}
    client.send(extended(4))
    assert peek_message(receive_until(client, Response.EXTENDED)).message_id == 4
    client.close()


def receive_until_end(client: RawClient) -> bytes:
    while tag_of(octets := client.receive()) == Response.SEARCH_ENTRY:
        pass
    return octets


def test_several_sessions_at_once_do_not_meet(lab: ProxyLab) -> None:
    """Each client hears what it asked for, under ids that all of them use."""
    clients = [RawClient(lab.doors("plain")[1].port) for _ in range(8)]
    for client in clients:
        client.send(bind(1, WRITER.encode(), PASSWORD.encode()))
    for client in clients:
        assert tag_of(client.receive()) == Response.BIND
    for turn in range(2, 5):
        for number, client in enumerate(clients):
            client.send(search(turn, dn(f"many{number:04}").encode(), 0))
        for number, client in enumerate(clients):
            assert dn(f"many{number:04}").encode() in client.receive()
            assert tag_of(client.receive()) == Response.SEARCH_DONE
    for client in clients:
        client.close()
