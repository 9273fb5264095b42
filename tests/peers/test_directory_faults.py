"""[ad_client] when its directory is broken: faults between the proxy and slapd, and certificates that prove nothing.

After each fault: the login ended in bounded time, the log has the sentence, and the next login works.
"""

from __future__ import annotations

import datetime
import re
import socket
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.peers import tcp_relay
from tests.peers.authority import Authority, KeyPair
from tests.peers.directory_lab import DirectoryLab, Login, running_directory_lab
from tests.peers.ports import LOOPBACK, free_port
from tests.peers.server import wait_until
from tests.peers.slapd import PASSWORD, PEERS, Slapd, person, running_slapd
from tests.peers.tcp_relay import Meddle, TcpRelay, says

pytestmark = pytest.mark.needs_peer(*PEERS)

TIMEOUT_S = 1.0
BOUND_S = 3.0
"""What a login with a time-out of 1 s may take on a loaded machine."""
SECOND = "127.0.0.2"
REST_S = 12
"""The first rest of a server: 10 s, 20 % more at most."""

TO_THE_DIRECTORY = "check that host, port and transport lead to the directory"
NO_ANSWER = "no answer within <n> s; look at the load of that server, and at timeout"
LOST = "the connection ended before the answer; look at the log of that server"
# A message of 2 GiB is announced, and its first octets come.
HUGE = b"\x30\x84\x80\x00\x00\x00\x02\x01\x01\x61\x07"
# BindResponse to the first message: busy.
BUSY = bytes.fromhex("300c02010161070a013304000400")
# Notice of Disconnection: unavailable, "going down". Source: RFC 4511 §4.4.1.
NOTICE = (
    bytes.fromhex("302e02010078290a01340400040a") + b"going down" + bytes.fromhex("8a16") + b"1.3.6.1.4.1.1466.20036"
)
FAULTS: dict[str, tuple[Meddle, str]] = {
    "mute": (tcp_relay.mute, NO_ANSWER),
    "reset": (tcp_relay.reset_in_message, LOST),
    "garbage": (
        says(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
        f"what came is not LDAP: an LDAP message begins with 0x30, not 0x48; {TO_THE_DIRECTORY}",
    ),
    "huge": (
        says(HUGE),
        "what came is not LDAP: an LDAP message of 2147483654 octets; the limit is 8388608; " + TO_THE_DIRECTORY,
    ),
    "indefinite": (
        says(b"\x30\x80\x02\x01\x01"),
        "what came is not LDAP: an indefinite length, which LDAP does not allow; " + TO_THE_DIRECTORY,
    ),
    "notice": (says(NOTICE), 'it closed the connection, result 52: "going down"; look at its log'),
}

# BindResponse: success, for a message that nobody sent.
SUCCESS_FOR_NOBODY = bytes.fromhex("300c02016361070a010004000400")
BIND_FAULTS = {
    **FAULTS,
    "busy": (says(BUSY), "it is busy (busy), result 51; look at its log"),
    "nobody's": (
        says(SUCCESS_FOR_NOBODY),
        f"what came is not LDAP: an answer to message 99, which was not asked; {TO_THE_DIRECTORY}",
    ),
}
"""What may become of the answer to a user's bind."""

BAD_FIRST = {**{fault: FAULTS[fault][0] for fault in ("mute", "garbage", "reset")}, "busy": says(BUSY)}
"""What the first of two servers may do, so that the second is asked."""


def localhost() -> list[str]:
    """The addresses of localhost on this machine."""
    return list(dict.fromkeys(str(found[4][0]) for found in socket.getaddrinfo("localhost", None)))


@dataclass(frozen=True)
class Shown:
    """A certificate behind the hop.

    Attributes:
        names: in its subjectAltName.
        reason: why it is refused; empty where it is not.
        authority: who signs it.
        valid: for how many days.
        more: further options of the section.
    """

    names: tuple[str, ...]
    reason: str
    authority: str = "Our authority"
    valid: int = 5
    more: tuple[tuple[str, object], ...] = ()


CERTIFICATES = {
    "good": Shown(("localhost",), ""),
    "other-authority": Shown(
        ("localhost",), "the certificate of its issuer is not known (issuer: CN=Other authority)", "Other authority"
    ),
    "other-name": Shown(
        ("dc2.example.test", "dc3.example.test"),
        "it is for dc2.example.test, dc3.example.test, not for localhost (issuer: CN=Our authority)",
    ),
    "no-name": Shown((), "it is for no host (no name in subjectAltName), not for localhost (issuer: CN=Our authority)"),
    "wildcard": Shown(("*",), "it is for *, not for localhost (issuer: CN=Our authority)"),
    "expired": Shown(("localhost",), "it has expired (issuer: CN=Our authority)", valid=-1),
    "unchecked-name": Shown((), "", more=(("ssl_verify_hostname", "false"),)),
    "unchecked-name-other-authority": Shown(
        (),
        "the certificate of its issuer is not known (issuer: CN=Other authority)",
        "Other authority",
        more=(("ssl_verify_hostname", "false"),),
    ),
    "unchecked": Shown((), "", "Other authority", valid=-1, more=(("ssl_verify", "false"),)),
    "system-store": Shown(
        ("localhost",),
        "the certificate of its issuer is not known (issuer: CN=Our authority)",
        more=(("ssl_ca_certs_file", None),),
    ),
}
TRUST_REMEDY = (
    "set ssl_ca_certs_file to the certificate of the authority that issues it; where the host name alone does not fit, "
    "correct host, or set ssl_verify_hostname=false"
)
TRANSPORTS = ("ldaps", "starttls")


@dataclass(frozen=True)
class Faults:
    """The running proxy and the hops in front of its directory.

    Attributes:
        lab: the proxy.
        hop: in front of the only server of the section "one".
        first: in front of the preferred server of the sections that have two.
        second: in front of the other one.
        certified: by transport and certificate.
        good: a certificate for localhost of the authority that is trusted.
    """

    lab: DirectoryLab
    hop: TcpRelay
    first: TcpRelay
    second: TcpRelay
    certified: dict[tuple[str, str], TcpRelay]
    good: KeyPair

    def refused(self, sentence: str) -> Login:
        """Log in at "one", and hold against a directory that cannot be asked, for this cause."""
        login = self.lab.login("one", "alice", PASSWORD)
        assert (login.accepted, login.shown, login.cause) == (False, "", "primary-unreachable")
        pattern = re.escape(f"directory {LOOPBACK}:{self.hop.port}: {sentence}").replace("<n>", r"[\d.]+")
        assert re.fullmatch(pattern, login.detail), login.detail
        assert login.duration_s < BOUND_S
        return login

    def works(self, label: str = "one") -> None:
        """Log in, with everything as it should be."""
        login = self.lab.login(label, "alice", PASSWORD)
        assert login.cause == "approved", login


@pytest.fixture(scope="module")
def slapd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slapd]:
    with running_slapd(tmp_path_factory.mktemp("slapd"), [person("alice")]) as server:
        yield server


@pytest.fixture(scope="module")
def faults(slapd: Slapd, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Faults]:
    folder = tmp_path_factory.mktemp("faults")
    authorities = {name: Authority(folder / name, name) for name in ("Our authority", "Other authority")}
    ours = authorities["Our authority"]
    relays: list[TcpRelay] = []

    def relay(addresses: list[str], port: int = 0, pair: KeyPair | None = None, transport: str = "") -> TcpRelay:
        made = TcpRelay(addresses, port or free_port(), slapd.port, pair=pair, start_tls=transport == "starttls")
        relays.append(made)
        made.open()
        return made

    hop, first = relay([LOOPBACK]), relay([LOOPBACK])
    second = relay([SECOND], first.port)
    clients = {"one": slapd.options(port=hop.port, timeout=TIMEOUT_S)}
    for label in ("two", "both", *(f"two {fault}" for fault in BAD_FIRST)):  # each with its own knowledge of the two
        clients[label] = slapd.options(port=first.port, host_2=SECOND, timeout=TIMEOUT_S)
    certified = {}
    for transport in TRANSPORTS:
        for label, shown in CERTIFICATES.items():
            valid = datetime.timedelta(days=shown.valid)
            pair = authorities[shown.authority].issue(f"{transport}-{label}", shown.names, valid=valid)
            made = certified[transport, label] = relay(localhost(), pair=pair, transport=transport)
            options = {"host": "localhost", "port": made.port, "ssl_ca_certs_file": ours.ca_file, **dict(shown.more)}
            clients[f"{transport} {label}"] = slapd.options(transport, **options)
    try:
        with running_directory_lab(folder / "proxy", clients) as lab:
            yield Faults(lab, hop, first, second, certified, ours.issue("good", ["localhost"]))
    finally:
        for each in relays:
            each.end()


@pytest.fixture(autouse=True)
def whole(faults: Faults) -> None:
    """Every hop in front of plain LDAP is honest when a test begins, and nothing is connected."""
    for relay in (faults.hop, faults.first, faults.second):
        relay.meddle = tcp_relay.honest
        relay.open()


# ── faults of the network and of the server ────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("connected", [False, True], ids=["fresh", "pooled"])
def test_a_fault_in_an_answer(faults: Faults, fault: str, connected: bool) -> None:
    """On a fresh connection and on one that served a login before: bounded time, its sentence, the next login works."""
    if connected:
        faults.works()
    meddle, sentence = FAULTS[fault]
    faults.hop.meddle = meddle
    faults.refused(sentence)
    faults.hop.meddle = tcp_relay.honest
    faults.works()


@pytest.mark.parametrize("fault", BIND_FAULTS)
def test_a_fault_in_the_answer_to_a_users_bind(faults: Faults, fault: str) -> None:
    """The user was found and the password was sent: whatever comes but the answer, nobody is let in."""
    meddle, sentence = BIND_FAULTS[fault]
    found: list[bytes] = []

    def after_search(client: socket.socket, answer: bytes) -> bool:
        if found:
            return meddle(client, answer)
        found.extend([answer] if b"uid=alice" in answer else [])
        return tcp_relay.honest(client, answer)

    faults.hop.meddle = after_search
    faults.refused(sentence)
    assert found
    faults.hop.meddle = tcp_relay.honest
    faults.works()


def test_one_octet_a_second(faults: Faults) -> None:
    """Octets that keep coming do not move the deadline."""
    faults.hop.meddle = faults.hop.drip
    faults.refused(NO_ANSWER)
    faults.hop.meddle = tcp_relay.honest
    faults.works()


def test_a_server_that_refuses_connections(faults: Faults) -> None:
    """Connection refused: at once, with the port to open."""
    faults.works()
    faults.hop.close()
    sentence = f"no connection (Connection refused); let this machine reach it at TCP port {faults.hop.port}"
    assert faults.refused(sentence).duration_s < TIMEOUT_S
    faults.hop.open()
    faults.works()


def test_a_server_that_swallows_connections(faults: Faults) -> None:
    """A firewall that drops packets: no connection within the time-out."""
    faults.hop.swallow()
    faults.refused(f"no connection within <n> s; let this machine reach it at TCP port {faults.hop.port}")
    faults.hop.open()
    faults.works()


def test_a_server_that_is_busy(faults: Faults) -> None:
    """A result that means "not now" is no refusal of the user."""
    faults.hop.meddle = says(BUSY)
    faults.refused("it is busy (busy), result 51; look at its log")
    faults.hop.meddle = tcp_relay.honest
    faults.works()


def test_a_connection_that_died_is_replaced_once(faults: Faults) -> None:
    """Pooled connections that a firewall or a restart ended cost nobody a login."""
    faults.works()
    faults.hop.cut()
    accepted = faults.hop.accepted
    faults.works()
    assert faults.hop.accepted > accepted


def test_a_connection_that_dies_under_a_request_is_replaced_once(faults: Faults) -> None:
    """One reset in mid-message: asked once more on a new connection, and the login works."""
    faults.works()
    resets: list[int] = []

    def once(client: socket.socket, answer: bytes) -> bool:
        if resets:
            return tcp_relay.honest(client, answer)
        resets.append(1)
        return tcp_relay.reset_in_message(client, answer)

    faults.hop.meddle = once
    faults.works()
    assert resets == [1]


# ── failing over ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_failing_over_to_the_second_server_and_back(faults: Faults) -> None:
    """host_2 is asked when host cannot answer; the first one rests, and is preferred again when it is back."""
    faults.works("two")
    faults.first.close()
    before = faults.second.accepted
    faults.works("two")
    assert faults.second.accepted > before
    first = f"{LOOPBACK}:{faults.first.port}"
    remedy = f"let this machine reach it at TCP port {faults.first.port}"
    faults.lab.said(
        "two", "warn", f"Directory {first} is left out for <n> seconds: no connection (Connection refused); {remedy}."
    )
    faults.first.open()
    accepted = faults.first.accepted
    faults.works("two")
    assert faults.first.accepted == accepted  # it rests

    def is_back() -> bool:
        faults.works("two")
        return faults.first.accepted > accepted

    wait_until(is_back, "a login that goes to the first server", 2 * REST_S)
    faults.lab.said("two", "info", f"Directory {first} answers again.")


@pytest.mark.parametrize("fault", BAD_FIRST)
def test_failing_over_from_a_server_that_answers_badly(faults: Faults, fault: str) -> None:
    """A time-out, garbage, a reset or "not now" of the first server is answered by the second within the bound."""
    faults.first.meddle = BAD_FIRST[fault]
    accepted = faults.second.accepted
    login = faults.lab.login(f"two {fault}", "alice", PASSWORD)
    assert login.cause == "approved", login
    assert login.duration_s < BOUND_S
    assert faults.second.accepted > accepted


def test_both_servers_away(faults: Faults) -> None:
    """Both are named with their causes; as soon as the first is back, the next login works."""
    faults.first.close()
    faults.second.close()
    login = faults.lab.login("both", "alice", PASSWORD)
    names = [f"{address}:{faults.first.port}" for address in (LOOPBACK, SECOND)]
    causes = ", ".join(f"{name}: no connection (Connection refused)" for name in names)
    remedy = f"let this machine reach it at TCP port {faults.first.port}"
    assert (login.accepted, login.shown, login.cause) == (False, "", "primary-unreachable")
    assert login.detail == f"directory {', '.join(names)}: {causes}; {remedy}"
    faults.first.open()
    faults.works("both")


# ── certificates ───────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("label", [label for label, shown in CERTIFICATES.items() if not shown.reason])
def test_a_certificate_that_is_taken(faults: Faults, transport: str, label: str) -> None:
    """The right one; any host's with ssl_verify_hostname=false; any one at all with ssl_verify=false."""
    faults.works(f"{transport} {label}")


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("label", [label for label, shown in CERTIFICATES.items() if shown.reason])
def test_a_certificate_that_is_refused(faults: Faults, transport: str, label: str) -> None:
    """Said at the start and at each login; nothing is sent; with the right certificate the next login works."""
    relay, shown, section = faults.certified[transport, label], CERTIFICATES[label], f"{transport} {label}"
    cause = f"its certificate is not trusted: {shown.reason}"
    faults.lab.lab.server.wait_for_output(
        rf"^\S+ \[{faults.lab.client(section)}#error\] Directory localhost:{relay.port}: .*{re.escape(cause)}"
    )
    login = faults.lab.login(section, "alice", PASSWORD)
    assert (login.accepted, login.shown, login.cause) == (False, "", "primary-unreachable")
    if len(localhost()) == 1:
        assert login.detail == f"directory localhost:{relay.port}: {cause}; {TRUST_REMEDY}"
    assert cause in login.detail
    assert login.detail.endswith(TRUST_REMEDY)
    assert relay.received == 0
    if label == "system-store":
        return
    if "unchecked" in label:
        relay.pair = faults.certified[transport, "unchecked-name"].pair
    else:
        relay.pair = faults.good
    faults.works(section)
