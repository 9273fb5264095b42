"""[ldap_server_auto] and octets that are no LDAP, or too much of it: lengths, depths, drips, amounts, many strangers.

Nothing is kept for what is only announced, nothing is decoded that is relayed, and nobody else waits.
"""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from duoproxy.ldap.framing import peek_message
from duoproxy.ldap.messages import Response
from tests.peers.ldap_abuse.lab import (
    MANY_VALUES,
    REFERRED,
    SHARE,
    AbuseLab,
    dn,
    expect_notice,
    receive_result,
)
from tests.peers.ldap_lab import PEERS as CLIENTS
from tests.peers.ldap_lab import RawClient, code_of
from tests.peers.ports import LOOPBACK
from tests.peers.server import wait_until
from tests.peers.slapd import BASE, PASSWORD, PEERS
from tests.unit.ldap.relay_kit import (
    bind,
    extended,
    message,
    number,
    root_dse,
    search,
    tlv,
)

pytestmark = pytest.mark.needs_peer(*PEERS, *CLIENTS)


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
def test_impossible_message_ends_the_connection(abuse: AbuseLab, octets: bytes, is_bound: bool) -> None:
    """At its first octets, with a notice; what is announced is not waited for, and not kept."""
    client = abuse.bound() if is_bound else abuse.connect()
    before = abuse.resident_kib()
    client.send(octets)
    expect_notice(client)
    assert abuse.resident_kib() - before < 8_000


BINDS = {
    "a version of 60 kB": tlv(0x60, tlv(0x02, b"\0" * 60_000 + b"\3"), tlv(0x04), tlv(0x80)),
    "a version that is REAL": tlv(0x60, tlv(0x09, b"\x80\x01\x03"), tlv(0x04), tlv(0x80)),
    "a name that is a huge OID": tlv(0x60, number(3), tlv(0x06, b"\xff" * 50_000), tlv(0x80)),
    "a name in an octet string in pieces": tlv(0x60, number(3), tlv(0x24, tlv(0x04, b"uid=a")), tlv(0x80, b"x")),
    "two passwords": tlv(0x60, number(3), tlv(0x04, b"uid=a"), tlv(0x80, b"x"), tlv(0x80, b"y")),
    "nothing": tlv(0x60),
}


@pytest.mark.parametrize("operation", BINDS.values(), ids=BINDS)
def test_bind_that_is_none_ends_the_connection(abuse: AbuseLab, operation: bytes) -> None:
    """Nothing of it reaches the directory."""
    binds = abuse.seen().count(" BIND ")
    client = abuse.connect()
    client.send(message(1, operation))
    expect_notice(client)
    assert abuse.seen().count(" BIND ") == binds


@pytest.mark.parametrize("depth", [1_000, 12_000])
def test_deep_filter_is_the_business_of_the_directory(abuse: AbuseLab, depth: int) -> None:
    """No stranger's gets there; a user's is relayed unread, and what slapd makes of it comes back."""
    octets = filtered(2, nested(depth))
    stranger = abuse.connect()
    stranger.send(octets)
    answer = stranger.receive()
    assert code_of(answer) in (2, 8)
    stranger.close()
    said = []
    for port in (abuse.slapd.port, abuse.lab.ports["auto"]):
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
def test_strange_contents_of_a_user_are_the_business_of_the_directory(abuse: AbuseLab, octets: bytes) -> None:
    """They are relayed as they are; the answer comes back, or the connection ends with a notice."""
    client = abuse.bound()
    client.send(octets)
    assert code_of(receive_result(client)) >= 0
    client.close()


def test_strangers_that_begin_messages_and_stop_are_in_nobodys_way(abuse: AbuseLab) -> None:
    """Two hundred half messages, four octets each; users log in meanwhile."""
    clients = [abuse.connect() for _ in range(200)]
    for client in clients:
        client.send(bind(1)[:4])
    assert abuse.whoami("auto", dn("alice"), PASSWORD) == 0
    for client in clients:
        client.close()


def test_message_that_drips_is_given_up(abuse: AbuseLab) -> None:
    """A user's too, after network_timeout; and a connection on which nothing happens after idle_timeout."""
    dripping, idle = abuse.bound("hasty"), abuse.bound("hasty")
    dripping.send(search(2)[:3])
    expect_notice(dripping)
    assert idle.receive() == b""


# ── referrals, and amounts ───────────────────────────────────────────────────────────────────────────────────────


def test_referral_is_followed_by_nobody(abuse: AbuseLab) -> None:
    """A name that the directory refers elsewhere: no connection goes there, with no password."""
    with socket.create_server((LOOPBACK, REFERRED)) as elsewhere:
        elsewhere.setblocking(False)
        assert abuse.whoami("auto", f"uid=alice,ou=elsewhere,{BASE}", PASSWORD) in (10, 49)
        client = abuse.bound()
        client.send(search(2, f"ou=elsewhere,{BASE}".encode()))
        assert code_of(client.receive()) == 10
        client.close()
        with pytest.raises(BlockingIOError):
            elsewhere.accept()


def test_entry_of_100_000_values_goes_through(abuse: AbuseLab) -> None:
    """It is relayed, not read."""
    client = abuse.bound()
    before = abuse.resident_kib()
    client.send(search(2, dn("crowd").encode(), 0))
    assert client.receive().count(b"value ") == MANY_VALUES
    assert code_of(client.receive()) == 0
    assert abuse.resident_kib() - before < 16_000
    client.close()


def test_probes_cost_nothing(abuse: AbuseLab) -> None:
    """A thousand connections that open and close: no memory, no descriptor, no line, no connection to the directory."""
    descriptors = Path(f"/proc/{abuse.lab.server.pid}/fd")
    lines, accepted = len(abuse.log()), abuse.seen().count("ACCEPT")
    open_before = len(os.listdir(descriptors))
    before = abuse.resident_kib()
    for _ in range(1_000):
        abuse.connect().close()
    wait_until(lambda: len(os.listdir(descriptors)) <= open_before + 2, "the descriptors to be free again")
    assert abuse.resident_kib() - before < 4_000
    assert abuse.log()[lines:].count("\n") == 0
    assert abuse.seen().count("ACCEPT") == accepted


def test_one_address_leaves_room_for_others(abuse: AbuseLab) -> None:
    """A fair share of max_connections for each; a line says who had too many, and a place is free again later."""
    clients = [abuse.connect("small") for _ in range(SHARE)]
    served = [client for client in clients if is_served(client)]
    assert len(served) == SHARE // 2
    with socket.create_connection((LOOPBACK, abuse.lab.ports["small"]), source_address=("127.0.0.9", 0)) as other:
        other.settimeout(5)
        other.sendall(root_dse(1))
        assert other.recv(1)
    assert "it has its share of the 16" in abuse.log()
    for client in clients:
        client.close()
    wait_until(lambda: abuse.whoami("small", dn("alice"), PASSWORD) == 0, "a place")


def is_served(client: RawClient) -> bool:
    try:
        client.send(extended(1))
        return client.receive() != b""
    except OSError:
        return False


def test_user_that_never_reads_is_given_up(abuse: AbuseLab) -> None:
    """Forty megabytes for one that takes none: bounded memory, and the end after network_timeout."""
    client = abuse.bound("hasty")
    before, closed = abuse.resident_kib(), abuse.seen().count(" closed")
    client.send(*(search(count, dn("bulky").encode(), 0) for count in range(2, 42)))
    wait_until(lambda: abuse.seen().count(" closed") > closed, "the end of the connection behind", 20)
    assert abuse.resident_kib() - before < 12_000
    taken = 0
    while client.receive():
        taken += 1
    assert taken < 80
    client.close()
