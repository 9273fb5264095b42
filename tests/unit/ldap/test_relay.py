"""The machine between a client and the directory: facts in, actions out."""

from __future__ import annotations

import pytest

from duoproxy.ldap import relay_requests as subject
from duoproxy.ldap.framing import MAX_MESSAGE_ID, peek_message
from duoproxy.ldap.messages import read_bind, read_cancelled, write_simple_bind
from duoproxy.ldap.relay import Relay
from duoproxy.ldap.relay_actions import DropServer, EndClient, ToClient, ToServer
from duoproxy.ldap.relay_policy import RelayPolicy
from duoproxy.ldap.relay_requests import MAX_OWN_ID
from duoproxy.ldap.relay_table import Phase
from duoproxy.secret import Secret
from tests.unit.ldap.relay_kit import (
    ALICE,
    PASSWORD,
    Conversation,
    abandon,
    bind,
    bound,
    cancel,
    done,
    entry,
    extended,
    message,
    modify,
    notice,
    number,
    ours,
    result,
    root_dse,
    sasl_bind,
    search,
    start_tls,
    tlv,
    told,
    unbind,
)

PAGED = tlv(0xA0, tlv(0x30, tlv(0x04, b"1.2.840.113556.1.4.319"), tlv(0x01, b"\xff"), tlv(0x04, b"\x30\x05")))


# ── binds ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_directory_yes_is_held_back_until_the_login_is_accepted() -> None:
    """The client hears of its success when both factors are proven, not before."""
    talk = Conversation()
    assert talk.client(bind(1)) == [("judge", ALICE, 1)]
    assert talk.try_password() == [("server", 1, "BIND")]
    assert talk.server(bound(1)) == [("answered", 0)]
    assert talk.phase() is Phase.BINDING
    assert talk.accept() == [("client", 1, "BIND", 0)]
    assert talk.phase() is Phase.BOUND


def test_held_answer_goes_out_as_the_directory_wrote_it() -> None:
    """Response controls and texts of a bind are the directory's."""
    talk = Conversation()
    talk.client(bind(300))
    talk.try_password()
    octets = message(300, tlv(0x61, number(0, 0x0A), tlv(0x04), tlv(0x04, b"welcome")), PAGED)
    talk.relay.from_server(octets)
    assert talk.relay.accept_bind() == [ToClient(octets)]


def test_refused_login_ends_the_session_at_the_directory() -> None:
    """Denied by Duo: the directory's session is the user's, so it is ended; the client is anonymous."""
    talk = Conversation()
    talk.client(bind(1))
    talk.try_password()
    talk.server(bound(1))
    assert talk.refuse(49, "Login request denied.") == ["drop", ("client", 1, "BIND", 49)]
    assert talk.relay.phase is Phase.ANONYMOUS
    assert talk.client(search(2)) == [("client", 2, "SEARCH_DONE", 8)]


def test_wrong_password_is_answered_in_the_words_of_the_directory() -> None:
    """49 with the sub-code of Active Directory; its connection is anonymous and stays."""
    talk = Conversation()
    talk.client(bind(7))
    talk.try_password()
    refused = bound(7, 49, b"data 52e, v4563")
    talk.relay.from_server(refused)
    assert talk.relay.refuse_bind(49, "ours", relay=True) == [ToClient(refused)]


def test_failed_bind_of_a_bound_connection_leaves_nobody_bound_anywhere() -> None:
    """RFC 4511 §4.2.1: whoever was bound before is not any more, on both sides."""
    talk = Conversation(allow_unlimited_binds=True).log_in()
    talk.client(bind(2))
    talk.try_password()
    talk.server(bound(2, 49))
    assert talk.refuse(relay=True) == ["drop", ("client", 2, "BIND", 49)]
    assert talk.client(modify(3)) == [("client", 3, "MODIFY", 8)]


@pytest.mark.parametrize(
    ("octets", "code"),
    [
        (bind(2, ALICE, b""), 53),
        (bind(2, b"", b""), 48),
        (bind(2, b"", PASSWORD), 49),
        (bind(2, b"  ", PASSWORD), 49),
        (bind(2, ALICE, b"open\0"), 49),
        (bind(2, ALICE + b"\0", PASSWORD), 49),
        (bind(2, b"x" * 4097, PASSWORD), 49),
        (bind(2, ALICE, b"x" * 4097), 49),
        (bind(2, version=2), 2),
        (sasl_bind(2), 7),
        (sasl_bind(2, b"GSS-SPNEGO"), 7),
        (message(2, tlv(0x60, number(3), tlv(0x04), tlv(0x89, b"NTLM"))), 7),
    ],
)
def test_bind_that_goes_no_further_ends_the_session_that_was_there(octets: bytes, code: int) -> None:
    """Empty passwords, SASL, other versions: refused by ourselves, and nobody is bound after it."""
    talk = Conversation().log_in()
    assert talk.client(octets) == ["drop", ("client", 2, "BIND", code)]
    assert talk.relay.phase is Phase.ANONYMOUS


def test_refused_bind_without_a_session_touches_no_directory() -> None:
    """Nothing is opened, and nothing ended, for a bind that we refuse."""
    assert Conversation().client(bind(1, ALICE, b"")) == [("client", 1, "BIND", 53)]


def test_empty_password_cannot_be_sent_in_place_of_another() -> None:
    """RFC 4513 §5.1.2: whoever judges a bind cannot turn it into an unauthenticated one by mistake."""
    talk = Conversation()
    talk.client(bind(1))
    with pytest.raises(RuntimeError):
        talk.try_password(ALICE, b"")


def test_second_reading_of_a_password_takes_the_next_id() -> None:
    """Append mode: the left part first, then the whole field."""
    talk = Conversation()
    talk.client(bind(1))
    assert talk.try_password(ALICE, b"left") == [("server", 1, "BIND")]
    assert talk.server(bound(1, 49)) == [("answered", 49)]
    assert talk.try_password(ALICE, b"left,123456") == [("server", ours(1), "BIND")]
    assert talk.server(bound(ours(1))) == [("answered", 0)]
    assert talk.accept() == [("client", 1, "BIND", 0)]


def test_bind_is_not_sent_while_one_waits_for_its_answer() -> None:
    """One at a time, also for whoever judges."""
    talk = Conversation()
    talk.client(bind(1))
    talk.try_password()
    with pytest.raises(RuntimeError):
        talk.try_password()


def test_bind_keeps_its_controls() -> None:
    """A critical control of a bind is for the directory to judge."""
    relay = Relay(RelayPolicy())
    relay.from_client(message(1, bind(1)[5:], PAGED))
    (sent,) = relay.send_bind(b"uid=other,dc=x", Secret(b"pw"))
    assert sent == ToServer(write_simple_bind(1, b"uid=other,dc=x", Secret(b"pw"), PAGED))


def test_bind_abandons_what_was_under_way() -> None:
    """RFC 4511 §4.2.1: nothing of whoever was bound before is answered after the bind."""
    talk = Conversation(allow_unlimited_binds=True).log_in()
    talk.client(search(2), search(3))
    assert talk.client(bind(4)) == [
        ("server", ours(1), "ABANDON"),
        ("server", ours(2), "ABANDON"),
        ("judge", ALICE, 2),
    ]
    assert talk.server(entry(2), done(2), done(3)) == []


def test_acceptance_after_the_directory_has_gone_is_none() -> None:
    """The session that was approved is not there any more: unavailable."""
    talk = Conversation()
    talk.client(bind(1))
    talk.try_password()
    talk.server(bound(1))
    held = [talk.relay.holds_yes]
    assert told(talk.relay.server_lost("gone")) == []
    assert [*held, talk.relay.holds_yes] == [True, False]
    assert talk.accept() == [("client", 1, "BIND", 52)]
    assert talk.relay.phase is Phase.ANONYMOUS


def test_directory_that_goes_under_a_bind_is_told_to_whoever_judges() -> None:
    """No answer is no refusal."""
    talk = Conversation()
    talk.client(bind(1))
    talk.try_password()
    assert told(talk.relay.server_lost("gone")) == ["bind lost"]
    assert talk.refuse(52) == [("client", 1, "BIND", 52)]


def test_refusal_while_the_answer_is_still_to_come_ends_the_connection_to_the_directory() -> None:
    """A late yes must not bind a connection that the client believes anonymous."""
    talk = Conversation()
    talk.client(bind(1))
    talk.try_password()
    assert talk.refuse(52) == ["drop", ("client", 1, "BIND", 52)]


@pytest.mark.parametrize("code", [14, 49, 51])
def test_acceptance_without_a_yes_of_the_directory_is_refused(code: int) -> None:
    """Whoever judges cannot accept what the directory has not."""
    talk = Conversation()
    talk.client(bind(1))
    talk.try_password()
    talk.server(bound(1, code))
    assert talk.accept() == [("client", 1, "BIND", 52)]


def test_verdict_on_a_client_that_has_gone_says_nothing() -> None:
    """The login ends after its client."""
    talk = Conversation()
    talk.client(bind(1))
    assert told(talk.relay.client_lost()) == ["give up", "drop"]
    assert (talk.accept(), talk.refuse()) == ([], [])


def test_directory_can_be_asked_whom_it_takes_the_connection_for() -> None:
    """RFC 4532, between its yes and ours."""
    talk = Conversation()
    talk.client(bind(1))
    talk.try_password()
    talk.server(bound(1))
    assert told(talk.relay.ask_who()) == [("server", ours(1), "EXTENDED")]
    assert talk.server(result(ours(1), 0x78, 0, b"", tlv(0x8B, b"dn:cn=admin"))) == [("who", b"dn:cn=admin")]
    assert talk.accept(exempt=True) == [("client", 1, "BIND", 0)]


def test_directory_that_does_not_say_who_is_bound_says_nothing() -> None:
    """Active Directory of Samba: protocolError."""
    talk = Conversation()
    talk.client(bind(1))
    talk.try_password()
    talk.server(bound(1))
    talk.relay.ask_who()
    assert talk.server(result(ours(1), 0x78, 2)) == [("who", b"")]


def test_nobody_is_asked_about_before_a_yes() -> None:
    """There is nobody bound."""
    talk = Conversation()
    with pytest.raises(RuntimeError):
        talk.relay.ask_who()
    talk.client(bind(1))
    talk.try_password()
    talk.server(bound(1, 49))
    with pytest.raises(RuntimeError):
        talk.relay.ask_who()


def test_directory_that_goes_under_the_question_is_told_to_whoever_judges() -> None:
    """As under a bind."""
    talk = Conversation()
    talk.client(bind(1))
    talk.try_password()
    talk.server(bound(1))
    talk.relay.ask_who()
    assert told(talk.relay.server_lost("gone")) == ["bind lost"]


# ── how many binds ───────────────────────────────────────────────────────────────────────────────────────────────


def test_second_bind_ends_the_connection() -> None:
    """Reference §10.7: 53, a text that names the option, Notice of Disconnection, close."""
    talk = Conversation().log_in()
    actions = talk.relay.from_client(bind(2))
    assert told(actions) == [("client", 2, "BIND", 53), "drop", ("client", 0, "EXTENDED", 53), "end"]
    assert isinstance(actions[0], ToClient)
    assert b"This connection has bound once, which is" in actions[0].octets
    assert b"allow_unlimited_binds" in actions[0].octets


@pytest.mark.parametrize("accepted", [True, False])
def test_two_binds_are_allowed_where_the_first_is_exempt(accepted: bool) -> None:
    """A service account, then a user; the third ends the connection, whatever became of the first."""
    talk = Conversation()
    talk.client(bind(1))
    talk.try_password()
    talk.server(bound(1, 0 if accepted else 49))
    _ = talk.accept(exempt=True) if accepted else talk.refuse(exempt=True)
    talk.log_in(2)
    *_, said, end = talk.relay.from_client(bind(3))
    assert told([said, end]) == [("client", 0, "EXTENDED", 53), "end"]
    assert isinstance(said, ToClient)
    assert b"This connection has bound 2 times, which is" in said.octets


def test_later_exempt_bind_allows_no_third() -> None:
    """What counts is the first."""
    talk = Conversation(allow_unlimited_binds=False)
    talk.client(bind(1))
    talk.refuse()
    assert talk.client(bind(2))[-1] == "end"


def test_unlimited_binds_are_unlimited() -> None:
    """allow_unlimited_binds = true."""
    talk = Conversation(allow_unlimited_binds=True)
    for message_id in range(1, 20):
        talk.log_in(message_id)


def test_bind_that_we_refuse_ourselves_does_not_count() -> None:
    """SASL and anonymous binds use up neither the number nor the exemption."""
    talk = Conversation(allow_anonymous=True)
    talk.client(sasl_bind(1))
    talk.client(bind(2, b"", b""))
    talk.server(bound(2))
    assert talk.client(bind(3)) == [("judge", ALICE, 1)]


# ── anonymous ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_anonymous_bind_is_relayed_where_it_is_allowed() -> None:
    """The directory answers, and the client stays nobody."""
    talk = Conversation(allow_anonymous=True)
    assert talk.client(bind(1, b"", b"")) == [("server", 1, "BIND")]
    assert talk.client(search(2)) == [("client", 2, "SEARCH_DONE", 1)]
    assert talk.server(bound(1)) == [("client", 1, "BIND", 0)]
    assert talk.relay.phase is Phase.ANONYMOUS
    assert talk.client(search(3)) == [("server", 3, "SEARCH")]


def test_anonymous_bind_that_the_directory_refuses_ends_the_old_session() -> None:
    """The client is nobody, so nobody is bound there."""
    talk = Conversation(allow_anonymous=True).log_in()
    talk.client(bind(2, b"", b""))
    assert talk.server(bound(2, 48)) == ["drop", ("client", 2, "BIND", 48)]


def test_anonymous_bind_without_a_directory_is_unavailable() -> None:
    """Nobody judges it, so we answer."""
    talk = Conversation(allow_anonymous=True)
    talk.client(bind(1, b"", b""))
    assert told(talk.relay.server_lost("gone")) == [("client", 1, "BIND", 52)]


# ── relaying ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_messages_go_on_octet_for_octet() -> None:
    """Controls, critical ones too, and whatever else stands in a message."""
    relay = Conversation().log_in().relay
    octets = search(500, controls=PAGED)
    assert relay.from_client(octets) == [ToServer(octets)]
    answer = message(500, entry(500)[6:], PAGED)
    assert relay.from_server(answer) == [ToClient(answer)]


def test_reused_id_is_another_one_at_the_directory() -> None:
    """A late answer to the abandoned search cannot be taken for one to the new."""
    talk = Conversation().log_in()
    assert talk.client(search(2)) == [("server", 2, "SEARCH")]
    assert talk.client(abandon(3, 2)) == [("server", 3, "ABANDON")]
    assert talk.client(search(2)) == [("server", ours(1), "SEARCH")]
    assert talk.server(entry(2), done(2)) == []
    assert talk.server(entry(ours(1)), done(ours(1))) == [
        ("client", 2, "SEARCH_ENTRY"),
        ("client", 2, "SEARCH_DONE", 0),
    ]


def test_abandon_names_the_id_that_the_directory_knows() -> None:
    """RFC 4511 §4.11, through replaced ids."""
    talk = Conversation().log_in(9)
    assert talk.client(search(3)) == [("server", ours(1), "SEARCH")]
    (sent,) = talk.relay.from_client(abandon(4, 3))
    assert sent == ToServer(abandon(ours(2), ours(1)))


def test_abandon_of_nothing_is_ignored() -> None:
    """RFC 4511 §4.11: there is no answer to it."""
    assert Conversation().log_in().client(abandon(2, 77)) == []


def test_cancel_names_the_id_that_the_directory_knows() -> None:
    """RFC 3909 §2.1: the one extended request with a message id inside."""
    talk = Conversation().log_in(9)
    talk.client(search(3))
    (sent,) = talk.relay.from_client(cancel(4, 3))
    assert isinstance(sent, ToServer)
    assert sent == ToServer(cancel(ours(2), ours(1)))
    assert read_cancelled(sent.octets, peek_message(sent.octets)) == ours(1)


def test_cancel_of_nothing_is_answered() -> None:
    """RFC 3909 §3: noSuchOperation."""
    assert Conversation().log_in().client(cancel(2, 77)) == [("client", 2, "EXTENDED", 119)]


def test_great_ids_are_replaced() -> None:
    """A client that begins at the end of the range does not use it up."""
    talk = Conversation().log_in(MAX_OWN_ID + 5)
    for message_id in (MAX_MESSAGE_ID, MAX_OWN_ID + 1, MAX_MESSAGE_ID - 1):
        assert isinstance(talk.client(search(message_id))[0], tuple)
    assert talk.server(done(ours(2))) == [("client", MAX_MESSAGE_ID, "SEARCH_DONE", 0)]


def test_used_up_ids_end_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """No id is used twice."""
    monkeypatch.setattr(subject, "MAX_MESSAGE_ID", MAX_OWN_ID + 1)
    talk = Conversation().log_in(9)
    talk.client(search(2))
    assert talk.client(search(3)) == ["drop", ("client", 0, "EXTENDED", 2), "end"]


@pytest.mark.parametrize("octets", [search(0), bind(0), search(2), bind(2), abandon(2, 1)])
def test_id_that_is_taken_ends_the_connection(octets: bytes) -> None:
    """RFC 4511 §4.1.1.1: 0, or one whose answer is still to come."""
    talk = Conversation().log_in()
    talk.client(search(2))
    assert talk.client(octets) == ["drop", ("client", 0, "EXTENDED", 2), "end"]


def test_id_of_the_pending_bind_is_taken() -> None:
    """The bind has no answer yet."""
    talk = Conversation()
    talk.client(bind(5))
    assert talk.client(bind(5)) == ["give up", "drop", ("client", 0, "EXTENDED", 2), "end"]


def test_too_many_outstanding_requests_are_busy(monkeypatch: pytest.MonkeyPatch) -> None:
    """The map of ids is bounded."""
    monkeypatch.setattr(subject, "MAX_OUTSTANDING", 2)
    talk = Conversation().log_in()
    talk.client(search(2), search(3))
    assert talk.client(modify(4)) == [("client", 4, "MODIFY", 51)]
    talk.server(done(2))
    assert talk.client(modify(5)) == [("server", 5, "MODIFY")]


def test_searches_may_be_refused_after_a_bind() -> None:
    """allow_searches_after_bind = false: the search is refused, other requests are not; exempt binds may search."""
    talk = Conversation(allow_searches_after_bind=False).log_in()
    assert talk.client(search(2)) == [("client", 2, "SEARCH_DONE", 53)]
    assert talk.client(modify(3)) == [("server", 3, "MODIFY")]
    assert Conversation(allow_searches_after_bind=False).log_in(exempt=True).client(search(2)) == [
        ("server", 2, "SEARCH")
    ]


def test_intermediate_responses_belong_to_their_request() -> None:
    """RFC 4511 §4.13: they end nothing."""
    talk = Conversation().log_in()
    talk.client(extended(2))
    assert talk.server(message(2, tlv(0x79)), result(2, 0x78)) == [
        ("client", 2, "INTERMEDIATE"),
        ("client", 2, "EXTENDED", 0),
    ]
    assert not talk.relay.waits_for_server


# ── the directory misbehaves, or goes ────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "octets",
    [bound(2), entry(77), result(2, 0x78), message(2, tlv(0x63)), b"\x30\x00", entry(0), b"\x30\x03\x02\x01\x02"],
)
def test_what_answers_nothing_ends_the_connection(octets: bytes) -> None:
    """A yes to no bind, an answer that was not asked, no LDAP."""
    talk = Conversation().log_in()
    talk.client(search(2))
    assert talk.server(octets) == ["drop", ("client", 0, "EXTENDED", 52), "end"]


def test_answer_of_another_kind_is_no_answer_to_a_bind() -> None:
    """Only a BindResponse answers a bind."""
    talk = Conversation()
    talk.client(bind(1))
    talk.try_password()
    assert talk.server(done(1)) == ["give up", "drop", ("client", 0, "EXTENDED", 52), "end"]


def test_second_answer_to_a_bind_ends_the_connection() -> None:
    """No, then yes: whom the directory takes the connection for cannot be told any more."""
    talk = Conversation()
    talk.client(bind(1))
    talk.try_password()
    talk.server(bound(1, 49))
    assert talk.server(bound(1, 0)) == ["give up", "drop", ("client", 0, "EXTENDED", 52), "end"]


def test_notice_of_disconnection_is_relayed_as_such() -> None:
    """RFC 4511 §4.4.1: the client learns why, and its connection ends."""
    talk = Conversation().log_in()
    assert talk.relay.from_server(notice()) == [ToClient(notice()), DropServer(unbind(2)), EndClient()]


def test_notice_during_a_login_gives_it_up() -> None:
    """Nobody can be bound on a connection that is going."""
    talk = Conversation()
    talk.client(bind(1))
    talk.try_password()
    talk.server(bound(1))
    assert talk.server(notice()) == [("client", 0, "EXTENDED", 52), "give up", "drop", "end"]


def test_other_notifications_are_relayed() -> None:
    """RFC 4511 §4.4: unsolicited, and not the end."""
    octets = result(0, 0x78, 0, b"", tlv(0x8A, b"1.3.6.1.1.21.4"))
    assert Conversation().log_in().relay.from_server(octets) == [ToClient(octets)]


def test_directory_that_goes_takes_a_bound_client_with_it() -> None:
    """Nobody may believe to be bound who is not."""
    talk = Conversation().log_in()
    assert told(talk.relay.server_lost("gone")) == ["drop", ("client", 0, "EXTENDED", 52), "end"]


def test_directory_that_goes_leaves_an_anonymous_client() -> None:
    """Its requests are unavailable; the next one opens a new connection."""
    talk = Conversation()
    talk.client(root_dse(1))
    assert told(talk.relay.server_lost("gone")) == [("client", 1, "SEARCH_DONE", 52)]
    assert talk.client(root_dse(2)) == [("server", 2, "SEARCH")]


# ── StartTLS, and the end ────────────────────────────────────────────────────────────────────────────────────────


def test_start_tls_is_answered_before_tls_begins() -> None:
    """RFC 4511 §4.14.2: success, then the handshake."""
    talk = Conversation(offers_tls=True)
    assert talk.client(start_tls(1)) == [("client", 1, "EXTENDED", 0), "begin TLS"]
    assert talk.client(start_tls(2)) == [("client", 2, "EXTENDED", 1)]


def test_start_tls_waits_for_nobody() -> None:
    """RFC 4511 §4.14.1: with requests outstanding it is not in its turn."""
    talk = Conversation(offers_tls=True)
    talk.client(root_dse(1))
    assert talk.client(start_tls(2)) == [("client", 2, "EXTENDED", 1)]


def test_start_tls_over_tls_is_out_of_turn() -> None:
    """LDAPS is TLS already."""
    assert Conversation(offers_tls=True, over_tls=True).client(start_tls(1)) == [("client", 1, "EXTENDED", 1)]


@pytest.mark.parametrize(
    "octets",
    [
        b"\x30\x03\x02\x01\x01",
        message(1, tlv(0x60)),
        message(1, tlv(0x60, number(3), tlv(0x04, b"a"), tlv(0x80, b"b"), tlv(0x80, b"c"))),
        message(1, b"\x60\x07\x02\x01\x03\x04\x7f\x80\x00"),
        message(1, tlv(0x77)),
        message(1, tlv(0x63)),
        message(1, tlv(0x50)),
        message(1, tlv(0x78)),
        message(1, tlv(0x77, tlv(0x80, b"1.3.6.1.1.8"))),
    ],
)
def test_what_cannot_be_read_ends_the_connection(octets: bytes) -> None:
    """RFC 4511 §4.1.1: protocolError in a Notice of Disconnection; whoever was bound is not any more."""
    talk = Conversation().log_in(2)
    assert talk.client(octets) == ["drop", ("client", 0, "EXTENDED", 2), "end"]
    assert talk.client(search(9)) == []
    assert talk.server(entry(9)) == []


def test_bind_is_read_exactly() -> None:
    """Name, password and controls are what the octets say."""
    octets = message(3, bind(3)[5:], PAGED)
    request = read_bind(octets, peek_message(octets))
    assert (request.name, request.version, request.controls) == (ALICE, 3, PAGED)
    assert request.password == Secret(PASSWORD)
