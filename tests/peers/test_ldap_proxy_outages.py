"""[ldap_server_auto] when Duo or the directory is away or broken, and what appended factors do: each bind, its result.

An outage is never invalidCredentials (49), which applications count and lock accounts for; and it lets nobody in unless
failmode says so. After each fault the next good bind works.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from duoproxy.ldap.framing import peek_message
from duoproxy.ldap.messages import Response
from tests.peers import tcp_relay
from tests.peers.authority import Authority
from tests.peers.ldap_lab import PEERS as CLIENTS
from tests.peers.ldap_lab import LdapLab, RawClient, code_of, running_ldap_lab
from tests.peers.ports import free_port
from tests.peers.slapd import PASSWORD, PEERS, PEOPLE, Slapd, person, running_slapd
from tests.peers.tcp_relay import Meddle, TcpRelay, says
from tests.unit.ldap.relay_kit import bind, search

pytestmark = pytest.mark.needs_peer(*PEERS, *CLIENTS)

TIMEOUT_S = 1
USERS = {
    "alice": "push approve-after 0",
    "bea": "push approve-after 600",
    "carol": "passcode 424242",
    "dave": "push deny-after 0",
    "sam": "sms",
}
LISTENERS: dict[str, dict[str, object]] = {
    "secure": {"allow_unlimited_binds": "true", "api_timeout": "1"},
    "safe": {"failmode": "safe", "allow_unlimited_binds": "true", "api_timeout": "1"},
}
DUO_FAULTS: dict[str, dict[str, object]] = {
    "close": {},
    "status": {"status": 503},
    "hang": {},
    "stall": {},
    "garbage": {},
    "huge": {},
    "redirect": {},
}
SUCCESS_FOR_NOBODY = bytes.fromhex("300c02016361070a010004000400")
DIRECTORY_FAULTS: dict[str, Meddle] = {
    "mute": tcp_relay.mute,
    "reset in a message": tcp_relay.reset_in_message,
    "no LDAP": says(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
    "2 GiB": says(b"\x30\x84\x80\x00\x00\x00\x02\x01\x01\x61\x07"),
    "a yes to nobody": says(SUCCESS_FOR_NOBODY),
}


@pytest.fixture(scope="module")
def slapd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slapd]:
    with running_slapd(tmp_path_factory.mktemp("slapd"), map(person, USERS)) as server:
        yield server


@pytest.fixture(scope="module")
def hop(slapd: Slapd) -> Iterator[TcpRelay]:
    """Between the proxy and slapd; it meddles, or is not there."""
    with tcp_relay.tcp_relay(free_port(), slapd.port) as relay:
        yield relay


@pytest.fixture(scope="module")
def lab(slapd: Slapd, hop: TcpRelay, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LdapLab]:
    client = {**slapd.options(), "port": hop.port, "timeout": TIMEOUT_S}
    nobody = {"api_host": f"localhost:{free_port()}"}
    away = {f"{label} alone": {**options, **nobody} for label, options in LISTENERS.items()}
    listeners: dict[str, dict[str, object]] = {**LISTENERS, **away, "patient": {}}
    with running_ldap_lab(tmp_path_factory.mktemp("proxy"), client, listeners, USERS) as running:
        yield running


def whoami(lab: LdapLab, label: str, uid: str = "alice", password: str = PASSWORD) -> tuple[int, str]:
    answer = lab.run("ldapwhoami", lab.url(label), "-D", f"uid={uid},{PEOPLE}", "-w", password)
    return answer.code, answer.errors


# ── Duo ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("kind", DUO_FAULTS)
def test_duo_that_is_away_is_busy_or_let_in_as_failmode_says(lab: LdapLab, kind: str) -> None:
    """secure: 51; safe: in, with a line. A wrong password is 49 in both, and gets nobody in."""
    lab.controls.fault(kind, **DUO_FAULTS[kind])
    try:
        begin = len(lab.server.output())
        assert whoami(lab, "secure")[0] == 51
        assert whoami(lab, "safe")[0] == 0
        assert whoami(lab, "safe", password="wrong")[0] == 49
        assert "failmode" in lab.server.output()[begin:]
    finally:
        lab.server.wait(lambda: reset(lab), "the sandbox to be there again")
    assert whoami(lab, "secure")[0] == 0


def test_duo_where_nobody_listens_is_away(lab: LdapLab) -> None:
    """The same, when each connection is refused."""
    assert [whoami(lab, label)[0] for label in ("secure alone", "safe alone")] == [51, 0]
    assert whoami(lab, "safe alone", password="wrong")[0] == 49


def reset(lab: LdapLab) -> bool:
    try:
        lab.controls.reset()
    except OSError:
        return False
    return True


@pytest.mark.parametrize("label", LISTENERS)
def test_duo_that_refuses_the_proxy_lets_nobody_in(lab: LdapLab, label: str) -> None:
    """Our own misconfiguration: 52 in both modes, for it is no outage and no word about the user."""
    lab.controls.fault("status", status=401)
    code, text = whoami(lab, label)
    lab.controls.reset()
    assert (code, text != "") == (52, True)


def test_duo_that_goes_while_the_user_is_asked_lets_nobody_in(lab: LdapLab) -> None:
    """Whoever was asked may have said no: 51, with failmode=safe too."""
    lab.controls.fault("close", calls=["auth"])
    code, _ = whoami(lab, "safe")
    lab.controls.reset()
    assert code == 51


# ── the directory ────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("label", LISTENERS)
def test_directory_that_is_away_is_unavailable(lab: LdapLab, hop: TcpRelay, label: str) -> None:
    """52 in both modes: without a directory nobody's password is right."""
    hop.close()
    try:
        assert whoami(lab, label)[0] == 52
    finally:
        hop.open()
    lab.server.wait(lambda: whoami(lab, label)[0] == 0, "a login after the directory came back", 30)


@pytest.mark.parametrize("fault", DIRECTORY_FAULTS)
def test_directory_that_is_broken_is_unavailable(lab: LdapLab, hop: TcpRelay, fault: str) -> None:
    """51 or 52, in bounded time, whatever comes in place of its answer; and nobody is asked for a second factor."""
    lab.controls.reset()
    hop.meddle = DIRECTORY_FAULTS[fault]
    hop.cut()
    try:
        assert whoami(lab, "safe")[0] in (51, 52)
        assert lab.controls.asked("alice") == {}
    finally:
        hop.meddle = tcp_relay.honest
        hop.cut()
    lab.server.wait(lambda: whoami(lab, "safe")[0] == 0, "a login after the fault", 30)


def test_session_ends_with_its_directory(lab: LdapLab, hop: TcpRelay) -> None:
    """Notice of Disconnection, result 52; a new connection logs in again."""
    client = RawClient(lab.ports["secure"])
    client.send(bind(1, f"uid=alice,{PEOPLE}".encode(), PASSWORD.encode()))
    assert code_of(client.receive()) == 0
    hop.cut()
    notice = client.receive()
    assert (peek_message(notice).message_id, code_of(notice), client.receive()) == (0, 52, b"")
    lab.server.wait(lambda: whoami(lab, "secure")[0] == 0, "a login on a new connection", 30)


def test_directory_that_shows_another_certificate_gets_no_password(
    slapd: Slapd, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """52; the relay's connections are checked as those of [ad_client] itself are."""
    folder = tmp_path_factory.mktemp("impostor")
    authority = Authority(folder / "tls", "impostor")
    pair = authority.issue("impostor", ["elsewhere.example.test"], ["192.0.2.1"])
    with tcp_relay.tcp_relay(free_port(), slapd.port, pair=pair) as impostor:
        client = {**slapd.options("ldaps"), "port": impostor.port, "ssl_ca_certs_file": authority.ca_file}
        listeners = {"exempt": {"exempt_primary_bind": "true"}, "asked": {}}
        with running_ldap_lab(folder / "proxy", {**client, "timeout": TIMEOUT_S}, listeners, USERS) as lab:
            assert [whoami(lab, label)[0] for label in listeners] == [52, 52]
        assert impostor.received == 0


# ── appended factors ─────────────────────────────────────────────────────────────────────────────────────────────


def test_codes_are_sent_and_one_of_them_is_taken_once(lab: LdapLab) -> None:
    """sms: the bind is refused with words; the next one has a code behind the password, which is spent then."""
    code, text = whoami(lab, "secure", "sam", f"{PASSWORD},sms")
    assert (code, "passcode" in text.lower() or "sms" in text.lower()) == (49, True), text
    users = lab.controls.call("/phone/state")["users"]
    passcode = next(one["sms_codes"][0] for one in users if one["username"] == "sam")
    assert whoami(lab, "secure", "sam", f"{PASSWORD},{passcode}")[0] == 0
    assert whoami(lab, "secure", "sam", f"{PASSWORD},{passcode}")[0] == 49


@pytest.mark.parametrize(
    ("uid", "appended", "code"),
    [
        ("carol", ",424242", 0),
        ("carol", ",424241", 49),
        ("carol", "", 49),
        ("alice", ",push1", 0),
        ("dave", ",push", 49),
    ],
)
def test_appended_factor_decides(lab: LdapLab, uid: str, appended: str, code: int) -> None:
    """A passcode or a word behind the password, with the directory's yes to what is before it."""
    assert whoami(lab, "secure", uid, PASSWORD + appended)[0] == code


def test_approval_after_the_directory_has_gone_is_no_login(lab: LdapLab, hop: TcpRelay) -> None:
    """The session ended while the user was asked: 52, and the log says that nobody got in."""
    lab.controls.reset()
    begin = len(lab.server.output())
    client = RawClient(lab.ports["patient"])
    client.send(bind(1, f"uid=bea,{PEOPLE}".encode(), PASSWORD.encode()))
    question = lab.controls.pending("bea")
    hop.cut()
    lab.controls.answer(question, "approve")
    assert code_of(client.receive()) == 52
    client.close()
    said = lab.server.output()[begin:]
    assert "result=reject cause=primary-unreachable" in said
    assert "no session began" in said
    assert "cause=approved" not in said
    lab.server.wait(lambda: whoami(lab, "secure")[0] == 0, "a login on a new connection", 30)


def test_searches_under_way_are_told_when_the_directory_goes(lab: LdapLab, hop: TcpRelay) -> None:
    """A client that waits for its answer waits no longer."""
    client = RawClient(lab.ports["secure"])
    client.send(bind(1, f"uid=alice,{PEOPLE}".encode(), PASSWORD.encode()))
    assert peek_message(client.receive()).operation_tag == Response.BIND
    hop.meddle = tcp_relay.mute
    client.send(search(2))
    hop.cut()
    hop.meddle = tcp_relay.honest
    assert code_of(client.receive()) == 52
    client.close()
