"""[sandbox_directory] on the wire: what our own client's messages, and odd ones, are answered."""

from __future__ import annotations

from typing import Any

import pytest
from ldaptor.protocols import pureber, pureldap
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport

from duoproxy.ldap.ber import write_element
from duoproxy.ldap.framing import MessageFramer, peek_message
from duoproxy.ldap.messages import NOTICE_OF_DISCONNECTION, Response
from duoproxy.net.ldap_answers import Entry, Received, Result, read_answer
from duoproxy.net.ldap_filters import IN_CHAIN, all_of, any_of, equal, matches_rule, parse_filter, present
from duoproxy.sandbox.directory_accounts import LOCKED_S, DirectoryAccounts, Person
from duoproxy.sandbox.directory_listener import (
    IDLE_CONNECTION_S,
    MAX_CONNECTIONS,
    MAX_MESSAGE_BYTES,
    DirectoryListener,
)
from duoproxy.secret import Secret

BASE_DN = "DC=corp,DC=example"
ALICE = f"CN=alice,CN=Users,{BASE_DN}"
GROUP = f"CN=VPN Users,OU=Groups,{BASE_DN}"
PEOPLE = (
    Person("svc-duo", Secret("service"), is_in_group=False),
    Person("alice", Secret("right")),
    Person("Smith, John", Secret("right")),
    *(Person(f"refused{code}", Secret("right"), code) for code in ("532", "533", "701", "773", "775")),
)


class Client:
    """One connection to a directory."""

    def __init__(self, threshold: int = 3) -> None:
        self.clock = Clock()
        accounts = DirectoryAccounts(BASE_DN, PEOPLE, threshold, self.clock.seconds() + 1_700_000_000)
        self.listener = DirectoryListener(self.clock, accounts, lambda: self.clock.seconds() + 1_700_000_000)
        self.wire = StringTransport()
        protocol = self.listener.make_connection()
        assert protocol is not None
        self.protocol = protocol
        self.protocol.makeConnection(self.wire)
        self._framer = MessageFramer(1 << 24)
        self._next_id = 1

    def send(self, octets: bytes) -> list[Received]:
        """Send octets, and give what came back."""
        self.protocol.dataReceived(octets)
        answered = self.wire.value()
        self.wire.clear()
        return [read_answer(one) for one in self._framer.feed(answered)]

    def ask(self, operation: Any, controls: Any = None) -> list[Any]:
        """Send one request; give its answers, the result last."""
        self._next_id += 1
        message = pureldap.LDAPMessage(operation, controls=controls, id=self._next_id)
        answers = self.send(bytes(message.toWire()))
        assert {one.message_id for one in answers} <= {self._next_id}
        return [one.answer for one in answers]

    def bind(self, name: str = "svc-duo@corp.example", password: str = "service", version: int = 3) -> Result:
        [result] = self.ask(pureldap.LDAPBindRequest(version=version, dn=name.encode(), auth=password.encode()))
        assert isinstance(result, Result)
        return result

    def search(self, wanted: Any, base: str = BASE_DN, scope: int = 2, limit: int = 0, *names: str) -> list[Any]:
        request = pureldap.LDAPSearchRequest(
            baseObject=base.encode(), scope=scope, sizeLimit=limit, filter=wanted, attributes=list(names)
        )
        return self.ask(request)

    def found(self, wanted: Any, base: str = BASE_DN, scope: int = 2) -> list[str]:
        """The first part of each DN that is found, sorted."""
        *entries, result = self.search(wanted, base, scope)
        assert result.code == 0, result
        return sorted(entry.dn_text.partition(",CN=")[0] for entry in entries)

    def value(self, name: str, of: str = ALICE) -> bytes | None:
        entry, _ = self.search(present("objectClass"), of, 0)
        assert isinstance(entry, Entry)
        return entry.first(name)


@pytest.fixture
def client() -> Client:
    return Client()


@pytest.fixture
def bound(client: Client) -> Client:
    assert client.bind().code == 0
    return client


# ── binds ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "name",
    [ALICE, "cn=ALICE, cn=users, dc=corp, dc=example", "alice@corp.example", "Alice@CORP.example", "CORP\\alice"],
)
def test_an_account_binds_by_its_dn_and_its_names(client: Client, name: str) -> None:
    """As Active Directory takes them."""
    assert client.bind(name, "right") == Result(0)


@pytest.mark.parametrize("name", ["alice", "nobody@corp.example", GROUP, "CN=x", "\0"])
def test_other_names_are_refused_like_wrong_passwords(client: Client, name: str) -> None:
    """Nobody learns which names there are."""
    result = client.bind(name, "right")
    assert (result.code, "data 52e" in result.diagnostic) == (49, True)


@pytest.mark.parametrize("code", ["532", "533", "701", "773"])
def test_an_account_says_what_is_wrong_with_it_only_to_who_has_the_password(client: Client, code: str) -> None:
    """With a wrong password it is 52e, as of everybody."""
    assert f"data {code}," in client.bind(f"refused{code}@corp.example", "right").diagnostic
    assert "data 52e," in client.bind(f"refused{code}@corp.example", "wrong").diagnostic


def test_a_locked_account_is_locked_for_everybody(client: Client) -> None:
    """775 comes with a wrong password too."""
    for password in ("right", "wrong"):
        assert "data 775," in client.bind("refused775@corp.example", password).diagnostic


def test_an_empty_password_is_no_success(client: Client) -> None:
    """Source: RFC 4513 §5.1.2."""
    assert client.bind(ALICE, "").code == 53


def test_wrong_passwords_are_counted_and_lock(bound: Client) -> None:
    """badPwdCount goes up and back to 0; at the threshold lockoutTime is set, and the right password is refused."""
    assert bound.value("badPwdCount") == b"0"
    other = bound.listener.make_connection()
    assert other is not None
    for count in (b"1", b"2"):
        bound.bind(ALICE, "wrong")
        bound.bind()
        assert bound.value("badPwdCount") == count
    bound.bind(ALICE, "right")
    bound.bind()
    assert bound.value("badPwdCount") == b"0"
    for _ in range(3):
        bound.bind(ALICE, "wrong")
    assert "data 775," in bound.bind(ALICE, "right").diagnostic
    bound.bind()
    assert bound.value("lockoutTime") != b"0"


def test_a_lock_ends(bound: Client) -> None:
    """After LOCKED_S; a success then clears it."""
    for _ in range(3):
        bound.bind(ALICE, "wrong")
    bound.clock.advance(LOCKED_S + 1)
    assert bound.bind(ALICE, "right").code == 0
    bound.bind()
    assert bound.value("lockoutTime") == b"0"


def test_a_count_begins_anew_after_a_while(bound: Client) -> None:
    """As the observation window of the domain says."""
    bound.bind(ALICE, "wrong")
    bound.clock.advance(LOCKED_S + 1)
    bound.bind(ALICE, "wrong")
    bound.bind()
    assert bound.value("badPwdCount") == b"1"


def test_threshold_0_never_locks() -> None:
    """lockout_threshold=0."""
    client = Client(threshold=0)
    for _ in range(20):
        client.bind(ALICE, "wrong")
    assert client.bind(ALICE, "right").code == 0


def test_other_binds_are_refused_with_a_remedy(client: Client) -> None:
    """SASL and version 2."""
    [result] = client.ask(pureldap.LDAPBindRequest(dn=b"", auth=(b"GSS-SPNEGO", b"x"), sasl=True))
    assert (result.code, result.diagnostic) == (7, "the sandbox takes simple binds only: auth_type=plain")
    assert client.bind(version=2).code == 2


# ── searches ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_nobody_searches_without_a_bind(client: Client) -> None:
    """Only the root DSE is open; a bind that fails ends what there was."""
    [result] = client.search(present("objectClass"))
    assert (result.code, "successful bind must be completed" in result.diagnostic) == (1, True)
    [entry, result] = client.search(present("objectClass"), "", 0)
    assert (entry.values("supportedLDAPVersion"), entry.values("supportedCapabilities")) == ((b"3",), ())
    assert client.bind().code == 0
    client.bind(ALICE, "wrong")
    [result] = client.search(present("objectClass"))
    assert result.code == 1


def test_an_anonymous_bind_succeeds_and_may_not_search(client: Client) -> None:
    """As Active Directory does it."""
    assert client.bind("", "").code == 0
    [result] = client.search(present("objectClass"))
    assert result.code == 1


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("(sAMAccountName=ALICE)", ["CN=alice"]),
        ("(samaccountname=álice)", ["CN=alice"]),
        ("(cn=Smith, John)", ["CN=Smith\\, John"]),
        ("(&(objectClass=user)(|(cn=alice)(cn=svc-duo)))", ["CN=alice", "CN=svc-duo"]),
        ("(&(cn=*)(!(objectClass=user)))", ["CN=VPN Users,OU=Groups,DC=corp,DC=example"]),
        ("(cn=al*)", ["CN=alice"]),
        ("(cn=*l*c*)", ["CN=alice"]),
        ("(cn=a*c*e)", ["CN=alice"]),
        ("(cn=*duo)", ["CN=svc-duo"]),
        ("(cn=alice*alice)", []),
        (f"(memberOf:{IN_CHAIN}:={GROUP.lower()})", None),
        ("(&(cn=ref*)(userAccountControl:1.2.840.113556.1.4.803:=2))", ["CN=refused533"]),
        ("(nothing=at all)", []),
    ],
)
def test_the_filters_that_are_spoken(bound: Client, text: str, found: list[str] | None) -> None:
    """And, or, not, equality, presence, substrings, bits, in chain."""
    everybody = sorted(f"CN={p.name}".replace(",", "\\,") for p in PEOPLE if p.is_in_group)
    assert bound.found(parse_filter(text)) == (everybody if found is None else found)


def test_the_questions_of_ad_client_are_understood(bound: Client) -> None:
    """The search for a user, for a group's member, and for a primary group."""
    wanted = all_of(equal("sAMAccountName", "alice"), parse_filter("(!(department=x))"))
    assert bound.found(wanted) == ["CN=alice"]
    member = any_of(equal("member", ALICE), equal("uniqueMember", ALICE))
    assert len(bound.found(member, GROUP, 0)) == 1
    assert bound.found(matches_rule("memberOf", IN_CHAIN, GROUP), ALICE, 0) == ["CN=alice"]
    sid = bound.value("objectSid")
    assert sid is not None
    assert bound.found(equal("objectSid", sid)) == ["CN=alice"]


@pytest.mark.parametrize(
    ("base", "scope", "count"),
    [(BASE_DN, 0, 1), (BASE_DN, 1, 2), (BASE_DN, 2, 4 + len(PEOPLE)), (f"CN=Users,{BASE_DN}", 1, len(PEOPLE))],
)
def test_scopes(bound: Client, base: str, scope: int, count: int) -> None:
    """This entry, those right below, all from here down."""
    assert len(bound.found(present("objectClass"), base, scope)) == count


@pytest.mark.parametrize(
    ("base", "code"), [("DC=other,DC=example", 32), ("no dn", 34), ("", 32), (f"CN=x,{ALICE}", 32)]
)
def test_bases_that_are_not_there(bound: Client, base: str, code: int) -> None:
    """noSuchObject and invalidDNSyntax."""
    assert [answer.code for answer in bound.search(present("cn"), base)] == [code]


def test_a_size_limit_is_kept_and_told(bound: Client) -> None:
    """So many entries, then sizeLimitExceeded; with exactly so many it is a success."""
    assert [getattr(a, "code", None) for a in bound.search(present("cn"), BASE_DN, 2, 2)] == [None, None, 4]
    assert bound.search(equal("cn", "alice"), BASE_DN, 2, 1)[-1].code == 0


def test_only_what_was_asked_for_is_given(bound: Client) -> None:
    """The named attributes that are there; `1.1`: none; `*`: all."""
    entry, _ = bound.search(equal("cn", "alice"), BASE_DN, 2, 0, "BADPWDCOUNT", "nothing", "sAMAccountName")
    assert sorted(entry.attributes) == ["badpwdcount", "samaccountname"]
    entry, _ = bound.search(equal("cn", "alice"), BASE_DN, 2, 0, "1.1")
    assert entry.attributes == {}
    entry, _ = bound.search(equal("cn", "alice"), BASE_DN, 2, 0, "*")
    assert len(entry.attributes) > 10


def test_filters_that_are_not_spoken_have_a_result_of_their_own(bound: Client) -> None:
    """By size, by sound, by an unknown rule, without end: inappropriateMatching, and the connection stays."""
    deep = "(!" * 25 + "(cn=x)" + ")" * 25
    for text in ("(badPwdCount>=1)", "(cn~=alice)", "(cn:1.2.3:=x)", deep):
        [result] = bound.search(parse_filter(text))
        assert result.code == 18
    assert bound.found(equal("cn", "alice")) == ["CN=alice"]


# ── other requests ───────────────────────────────────────────────────────────────────────────────────────────────


def test_nothing_can_be_written(bound: Client) -> None:
    """Each request has its own kind of answer."""
    delete = pureldap.LDAPDelRequest(entry=ALICE)
    add = pureldap.LDAPAddRequest(entry="cn=x", attributes=pureber.BERSequence([]))
    for operation, response_tag in ((delete, 0x6B), (add, 0x69)):
        bound.protocol.dataReceived(bytes(pureldap.LDAPMessage(operation, id=9).toWire()))
        answer = bound.wire.value()
        bound.wire.clear()
        assert peek_message(answer).operation_tag == response_tag
        assert b"the sandbox is only read" in answer
    assert bound.value("cn") == b"alice"


def test_start_tls_and_other_extended_requests(client: Client) -> None:
    """There is no TLS, and a sentence for it."""
    [result] = client.ask(pureldap.LDAPStartTLSRequest())
    assert (result.code, result.diagnostic) == (52, "the sandbox has no TLS: transport=clear")
    [result] = client.ask(pureldap.LDAPExtendedRequest(requestName=b"1.2.3"))
    assert result.code == 2


def test_a_control_that_must_be_obeyed_is_not_ignored(bound: Client) -> None:
    """unavailableCriticalExtension; one that need not be is passed over. Source: RFC 4511 §4.1.11."""
    request = pureldap.LDAPSearchRequest(baseObject=BASE_DN.encode(), filter=equal("cn", "alice"))
    assert bound.ask(request, [(b"1.2.3", True, None)])[-1].code == 12
    assert bound.ask(request, [(b"1.2.3", False, None)])[-1].code == 0


def test_abandon_has_no_answer_and_unbind_ends(bound: Client) -> None:
    """Source: RFC 4511 §4.3, §4.11."""
    assert bound.ask(pureldap.LDAPAbandonRequest(id=2)) == []
    assert bound.ask(pureldap.LDAPUnbindRequest()) == []
    assert bound.wire.disconnecting


def _said_goodbye(client: Client, octets: bytes) -> str:
    *_, last = client.send(octets)
    assert (last.message_id, last.operation) == (0, Response.EXTENDED)
    assert isinstance(last.answer, Result)
    assert (last.answer.code, last.answer.name) == (2, NOTICE_OF_DISCONNECTION.decode())
    assert client.wire.disconnecting
    return last.answer.diagnostic


@pytest.mark.parametrize(
    "octets",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\x02\x00",
        b"\x30\x84\x7f\xff\xff\xff",
        write_element(0x30, b"\x02\x01\x01", b"\x60\x00"),
        write_element(0x30, b"\x02\x01\x01", b"\x63\x03\x04\x01x"),
        write_element(0x30, b"\x02\x01\x01", b"\x61\x07\x0a\x01\x00\x04\x00\x04\x00"),
        write_element(0x30, b"\x02\x01\x01", b"\x77\x80\x00"),
    ],
    ids=["http", "tls", "2 GiB", "empty bind", "half search", "a response", "indefinite"],
)
def test_what_is_no_request_ends_the_connection_with_a_notice(client: Client, octets: bytes) -> None:
    """Source: RFC 4511 §4.4.1."""
    assert _said_goodbye(client, octets)


def test_a_long_message_is_refused_before_it_is_kept(client: Client) -> None:
    """The header is enough."""
    header = b"\x30\x83" + MAX_MESSAGE_BYTES.to_bytes(3, "big")
    assert "the limit is 65536" in _said_goodbye(client, header)


def test_nothing_is_answered_behind_the_end(client: Client) -> None:
    """Neither what came in the same octets, nor what comes later."""
    bind = bytes(pureldap.LDAPMessage(pureldap.LDAPBindRequest(), id=1).toWire())
    unbind = bytes(pureldap.LDAPMessage(pureldap.LDAPUnbindRequest(), id=2).toWire())
    assert len(client.send(bind + unbind + bind)) == 1
    assert client.send(bind) == []


def test_what_came_whole_before_garbage_is_answered(client: Client) -> None:
    """However the network cuts the stream."""
    bind = bytes(pureldap.LDAPMessage(pureldap.LDAPBindRequest(), id=1).toWire())
    answers = client.send(bind + b"garbage")
    assert [one.message_id for one in answers] == [1, 0]


def test_a_client_that_takes_no_answers_is_read_no_more(client: Client) -> None:
    """What waits to be sent stays bounded."""
    producer: Any = client.wire.producer
    producer.pauseProducing()
    assert client.wire.producerState == "paused"
    producer.resumeProducing()
    assert client.wire.producerState == "producing"


def test_an_idle_connection_ends(client: Client) -> None:
    """After a quarter of an hour without a request."""
    client.clock.advance(IDLE_CONNECTION_S - 1)
    client.bind()
    client.clock.advance(IDLE_CONNECTION_S - 1)
    assert not client.wire.disconnecting
    client.clock.advance(1)
    assert client.wire.disconnecting


def test_so_many_connections_and_no_more(client: Client) -> None:
    """One that ends makes room."""
    others = [client.listener.make_connection() for _ in range(MAX_CONNECTIONS - 1)]
    assert None not in others
    assert client.listener.make_connection() is None
    client.protocol.connectionLost()
    assert client.listener.make_connection() is not None
