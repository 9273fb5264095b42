"""One connection to a directory: each answer to its request, each wait with its deadline, and nothing on stdout."""

from __future__ import annotations

import contextlib
import io
from typing import Any

from ldaptor.protocols import pureldap
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from duoproxy.ldap.framing import MAX_MESSAGE_ID
from duoproxy.net import ldap_connection as subject
from duoproxy.net import ldap_pending
from duoproxy.net.ldap_faults import LdapConnectionLost, LdapFault, LdapNotConnected, LdapTimeout, LdapTooBusy
from tests.twisted.ldap_wire import (
    NOTICE,
    Conversation,
    Wire,
    bind_response,
    done,
    element,
    entry,
    extended,
    message,
    search_request,
)


class ConnectionCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.talk = Conversation()
        self.stdout = io.StringIO()
        self.enterContext(contextlib.redirect_stdout(self.stdout))
        self.addCleanup(lambda: self.assertEqual(self.stdout.getvalue(), ""))

    def fault_of(self, waiting: Deferred[Any], kind: type[LdapFault] = LdapConnectionLost) -> str:
        return str(self.failureResultOf(waiting, kind).value)

    def assert_broken(self, waiting: Deferred[Any], what: str) -> None:
        self.assertIn(what, self.fault_of(waiting))
        self.assertTrue(self.talk.wire.aborting)
        self.assertFalse(self.talk.connection.is_usable)


class AnswerTests(ConnectionCase):
    def test_search_gives_entries_references_and_result(self) -> None:
        """All that belongs to one request, when its end has come."""
        waiting = self.talk.ask()
        uri = element(0x04, b"ldap://elsewhere/")
        reference = element(0x30, element(0x02, b"\1"), element(0x73, uri))
        self.talk.answer(entry(1, "cn=a", mail=[b"a@x"]), reference)
        self.assertNoResult(waiting)
        self.talk.answer(done(1))
        answers = self.successResultOf(waiting)
        self.assertEqual([one.dn for one in answers.entries], [b"cn=a"])
        self.assertEqual(answers.entries[0].values("MAIL"), (b"a@x",))
        self.assertEqual(answers.references[0].uris, ("ldap://elsewhere/",))
        self.assertEqual(answers.result.code, 0)

    def test_pipelined_searches_get_their_own_answers(self) -> None:
        """RFC 4511 §4.1.1.1: answers are matched by message id, in whatever order they come."""
        first, second = self.talk.ask(), self.talk.ask()
        self.assertEqual([request.id for request in self.talk.sent()], [1, 2])
        self.talk.answer(entry(2, "cn=b"), done(2), entry(1, "cn=a"), done(1))
        self.assertEqual(self.successResultOf(first).entries[0].dn, b"cn=a")
        self.assertEqual(self.successResultOf(second).entries[0].dn, b"cn=b")

    def test_octets_may_come_one_by_one(self) -> None:
        """A stream has no borders."""
        waiting = self.talk.ask()
        for octet in entry(1, "cn=a") + done(1):
            self.talk.answer(bytes((octet,)))
        self.assertEqual(len(self.successResultOf(waiting).entries), 1)

    def test_referral_of_a_result_is_given(self) -> None:
        """RFC 4511 §4.1.10: result 10 names other servers."""
        waiting = self.talk.ask()
        result = element(0x0A, b"\x0a") + element(0x04) + element(0x04) + element(0xA3, element(0x04, b"ldap://b/"))
        self.talk.answer(element(0x30, element(0x02, b"\1"), element(0x65, result)))
        answers = self.successResultOf(waiting)
        self.assertEqual((answers.result.code, answers.result.referrals), (10, ("ldap://b/",)))

    def test_intermediate_response_is_passed_over(self) -> None:
        """RFC 4511 §4.13: nobody asked for it, and it ends nothing."""
        waiting = self.talk.ask()
        self.talk.answer(element(0x30, element(0x02, b"\1"), element(0x79)), done(1))
        self.assertEqual(self.successResultOf(waiting).result.code, 0)

    def test_search_waits_for_nobody_else(self) -> None:
        """A bind changes who the connection is: nothing may be under way with it."""
        self.talk.ask()
        binding = self.talk.ask(operation=pureldap.LDAPBindRequest())
        self.failureResultOf(binding, RuntimeError)

    def test_too_many_requests_at_once(self) -> None:
        """What is under way is bounded."""
        for _ in range(ldap_pending.MAX_OUTSTANDING):
            self.talk.ask()
        self.assertIn("256 requests wait", self.fault_of(self.talk.ask(), LdapTooBusy))


class DeadlineTests(ConnectionCase):
    def test_search_that_takes_too_long_is_abandoned(self) -> None:
        """RFC 4511 §4.11: the server is told that nobody waits any more."""
        late, other = self.talk.ask(limit_s=5), self.talk.ask(limit_s=60)
        self.talk.sent()
        self.talk.clock.advance(1)
        self.talk.answer(entry(2))
        self.talk.clock.advance(4)
        text = self.fault_of(late, LdapTimeout)
        self.assertEqual(text, "no answer within 5 s; look at the load of that server, and at timeout")
        (abandon,) = self.talk.sent()
        self.assertEqual((type(abandon.value), abandon.value.value), (pureldap.LDAPAbandonRequest, 1))
        self.assertNoResult(other)
        self.assertTrue(self.talk.connection.is_usable)

    def test_late_answer_to_an_abandoned_search_is_dropped(self) -> None:
        """It was under way; that is no fault."""
        late, other = self.talk.ask(limit_s=5), self.talk.ask(limit_s=60)
        self.talk.clock.advance(1)
        self.talk.answer(entry(2))
        self.talk.clock.advance(4)
        self.failureResultOf(late, LdapTimeout)
        self.talk.answer(entry(1), done(1), done(2))
        self.assertEqual(len(self.successResultOf(other).entries), 1)

    def test_abandoned_search_is_answered_once_only(self) -> None:
        """After its end, the id belongs to nobody."""
        self.failureResultOf(self._timed_out_beside_a_living_one(), LdapTimeout)
        self.talk.answer(done(1))
        waiting = self.talk.ask()
        self.talk.answer(done(1))
        self.assert_broken(waiting, "an answer to message 1, which was not asked")

    def _timed_out_beside_a_living_one(self) -> Deferred[Any]:
        late, other = self.talk.ask(limit_s=5), self.talk.ask(limit_s=60)
        self.talk.clock.advance(1)
        self.talk.answer(done(2))
        self.successResultOf(other)
        self.talk.clock.advance(4)
        return late

    def test_connection_that_is_silent_altogether_is_given_up(self) -> None:
        """Nothing came since the request: further ones go over another connection."""
        late = self.talk.ask(limit_s=5)
        self.talk.clock.advance(5)
        self.failureResultOf(late, LdapTimeout)
        self.assertFalse(self.talk.connection.is_usable)
        self.assertTrue(self.talk.wire.disconnecting)

    def test_bind_that_takes_too_long_ends_the_connection(self) -> None:
        """A bind cannot be abandoned: nobody knows who the connection is."""
        binding = self.talk.run(self.talk.connection.bind(pureldap.LDAPBindRequest(), limit_s=5))
        self.talk.clock.advance(5)
        self.failureResultOf(binding, LdapTimeout)
        self.assertTrue(self.talk.wire.aborting)
        self.assertEqual([type(request.value) for request in self.talk.sent()], [pureldap.LDAPBindRequest])

    def test_cancelled_search_is_abandoned(self) -> None:
        """A login that is given up leaves nothing behind."""
        waiting = self.talk.ask()
        self.talk.sent()
        waiting.cancel()
        self.failureResultOf(waiting)
        (abandon,) = self.talk.sent()
        self.assertIsInstance(abandon.value, pureldap.LDAPAbandonRequest)
        self.assertEqual(self.talk.connection.outstanding, 0)

    def test_no_timer_is_left_behind(self) -> None:
        """Neither by an answer nor by the end of the connection."""
        self.talk.ask()
        self.talk.answer(done(1))
        unanswered = self.talk.ask()
        self.talk.connection.close()
        self.talk.connection.connectionLost(Failure(ConnectionDone()))
        self.fault_of(unanswered)
        self.assertEqual(self.talk.clock.getDelayedCalls(), [])


class EndTests(ConnectionCase):
    def test_lost_connection_fails_every_request(self) -> None:
        """With one sentence each."""
        waiting = [self.talk.ask(), self.talk.ask()]
        self.talk.connection.connectionLost(Failure(ConnectionLost()))
        for each in waiting:
            self.assertIn("the connection ended before the answer", self.fault_of(each))
        self.successResultOf(self.talk.connection.gone)

    def test_request_after_the_end_fails(self) -> None:
        """By its Deferred, not by raising into whoever calls."""
        self.talk.connection.connectionLost(Failure(ConnectionLost()))
        self.fault_of(self.talk.ask())

    def test_notice_of_disconnection_is_told_to_every_request(self) -> None:
        """RFC 4511 §4.4.1: the server says why, and those who wait do not wait for its TCP."""
        waiting = [self.talk.ask(), self.talk.ask()]
        self.talk.answer(extended(0, 52, "going down", NOTICE))
        for each in waiting:
            self.assert_broken(each, 'it closed the connection, result 52: "going down"')

    def test_other_unsolicited_notifications_are_ignored(self) -> None:
        """RFC 4511 §4.4."""
        waiting = self.talk.ask()
        self.talk.answer(extended(0, 0, "", b"1.2.3.4"), done(1))
        self.successResultOf(waiting)

    def test_close_says_goodbye(self) -> None:
        """RFC 4511 §4.3: Unbind, and no answer to it; a server that never closes is cut off."""
        self.talk.connection.close()
        self.assertEqual([type(request.value) for request in self.talk.sent()], [pureldap.LDAPUnbindRequest])
        self.assertTrue(self.talk.wire.disconnecting)
        self.talk.clock.advance(subject.CLOSE_S)
        self.assertTrue(self.talk.wire.aborting)

    def test_second_close_does_nothing(self) -> None:
        """Whoever closes need not know whether somebody has."""
        self.talk.connection.close()
        self.talk.connection.close()
        self.assertEqual(len(self.talk.sent()), 1)

    def test_message_ids_that_run_out_end_the_connection(self) -> None:
        """RFC 4511 §4.1.1.1: an id of the session is never used for two."""
        self.talk.connection._pending._next_id = MAX_MESSAGE_ID - 2
        waiting = self.talk.ask()
        self.assertFalse(self.talk.connection.is_usable)
        self.talk.answer(done(MAX_MESSAGE_ID - 2))
        self.successResultOf(waiting)
        self.assertTrue(self.talk.wire.disconnecting)


class HostileTests(ConnectionCase):
    """What is no LDAP ends the connection at once, with its sentence to everybody who waits."""

    def test_garbage(self) -> None:
        """HTTP, TLS, or nothing at all that is known."""
        for octets, words in (
            (b"HTTP/1.1 400 Bad Request\r\n", "begins with 0x30, not 0x48"),
            (b"\x16\x03\x01\x02\x00", "this looks like TLS"),
            (b"\x30\x80\x02\x01\x01", "indefinite"),
        ):
            self.talk = Conversation()
            waiting = self.talk.ask()
            self.talk.answer(octets)
            self.assert_broken(waiting, words)

    def test_huge_length_is_refused_before_anything_is_kept(self) -> None:
        """2 GiB are announced in six octets."""
        waiting = self.talk.ask()
        self.talk.answer(b"\x30\x84\x7f\xff\xff\xff")
        self.assert_broken(waiting, "the limit is 8388608")

    def test_unknown_message_id(self) -> None:
        """An answer to nobody's question: something is very wrong."""
        waiting = self.talk.ask()
        self.talk.answer(done(77))
        self.assert_broken(waiting, "what came is not LDAP: an answer to message 77, which was not asked")

    def test_unknown_operation(self) -> None:
        """Nothing is printed, nothing is skipped, nobody hangs."""
        waiting = self.talk.ask()
        self.talk.answer(element(0x30, element(0x02, b"\1"), element(0x7E)))
        self.assert_broken(waiting, "0x7e is no answer of a directory")

    def test_request_from_the_server(self) -> None:
        """A directory asks nothing."""
        waiting = self.talk.ask()
        self.talk.answer(message(1, search_request()))
        self.assert_broken(waiting, "0x63 is no answer of a directory")

    def test_deep_nesting_is_not_followed(self) -> None:
        """Nothing recurses as deep as a peer wants."""
        nested = b""
        for _ in range(3000):
            nested = element(0x30, nested)
        waiting = self.talk.ask()
        self.talk.answer(element(0x30, element(0x02, b"\1"), element(0x64, element(0x04), nested)))
        self.assert_broken(waiting, "an attribute without a name")

    def test_answer_of_another_kind(self) -> None:
        """A success of a bind is none of a search."""
        waiting = self.talk.ask()
        self.talk.answer(bind_response(1))
        self.assert_broken(waiting, "a BIND response is no answer to what was asked")

    def test_entry_for_a_bind(self) -> None:
        """And the other way round."""
        binding = self.talk.run(self.talk.connection.bind(pureldap.LDAPBindRequest(), limit_s=5))
        self.talk.answer(entry(1))
        self.assert_broken(binding, "a SEARCH_ENTRY response is no answer to what was asked")

    def test_answer_without_end(self) -> None:
        """Entries for ever are cut off, by their number and by their octets."""
        waiting = self.talk.ask()
        for _ in range(ldap_pending.MAX_ANSWER_MESSAGES // 1000 + 1):
            self.talk.answer(entry(1) * 1000)
        self.assert_broken(waiting, "an answer without end")

    def test_answers_before_the_fault_count(self) -> None:
        """What the server said properly does not depend on how the network cut the stream."""
        first, second = self.talk.ask(), self.talk.ask()
        self.talk.answer(done(1), b"garbage")
        self.successResultOf(first)
        self.assert_broken(second, "not 0x67")

    def test_nothing_is_read_after_the_fault(self) -> None:
        """A connection that is given up says nothing any more."""
        waiting = self.talk.ask()
        self.talk.answer(b"garbage")
        self.fault_of(waiting)
        self.talk.answer(done(1))
        self.assertFalse(self.talk.connection.is_usable)


class StartTlsTests(ConnectionCase):
    def test_octets_behind_the_answer_are_an_injection(self) -> None:
        """RFC 4511 §4.14: they came before TLS, and must not be taken for what comes within."""
        for behind in (done(2), b"\x30", b"junk"):
            self.talk = Conversation()
            starting = self.talk.run(self.talk.connection.start_tls(None, 5))  # type: ignore[arg-type]
            self.talk.answer(extended(1), behind)
            self.assert_broken(starting, "somebody may have put them in")

    def test_refused_start_tls_is_a_sentence(self) -> None:
        """Nothing goes on in clear text."""
        starting = self.talk.run(self.talk.connection.start_tls(None, 5))  # type: ignore[arg-type]
        self.talk.answer(extended(1, 2, "unsupported extended operation"))
        self.assertEqual(
            self.fault_of(starting, LdapNotConnected),
            'it refuses StartTLS, result 2: "unsupported extended operation"; give the directory a certificate, or set '
            "transport=ldaps",
        )

    def test_server_that_never_answers(self) -> None:
        """StartTLS cannot be abandoned either."""
        starting = self.talk.run(self.talk.connection.start_tls(None, 5))  # type: ignore[arg-type]
        self.talk.clock.advance(5)
        self.fault_of(starting, LdapTimeout)
        self.assertTrue(self.talk.wire.aborting)


class LayerTests(ConnectionCase):
    def setUp(self) -> None:
        super().setUp()
        self.binding = self.talk.run(self.talk.connection.bind(pureldap.LDAPBindRequest(), limit_s=5, seals=True))

    def _install(self) -> None:
        self.talk.answer(bind_response(1))
        self.successResultOf(self.binding)
        self.talk.connection.install_security_layer(lambda octets: b"S" + octets, lambda octets: octets[1:])
        self.talk.sent()

    def test_messages_go_in_buffers_with_their_length(self) -> None:
        """RFC 4422 §3.7."""
        self._install()
        waiting = self.talk.ask()
        octets = self.talk.wire.value()
        self.assertEqual((int.from_bytes(octets[:4], "big"), octets[4:5]), (len(octets) - 4, b"S"))
        answer = b"S" + entry(2) + done(2)
        self.talk.answer(len(answer).to_bytes(4, "big") + answer)
        self.assertEqual(len(self.successResultOf(waiting).entries), 1)

    def test_message_may_be_spread_over_buffers(self) -> None:
        """Buffers and messages have borders of their own."""
        self._install()
        waiting = self.talk.ask()
        for octet in done(2):
            self.talk.answer(b"\0\0\0\2S", bytes((octet,)))
        self.successResultOf(waiting)

    def test_octets_behind_the_success_are_an_injection(self) -> None:
        """Clear text behind the bind was signed by nobody."""
        self.talk.answer(bind_response(1), done(2))
        self.assert_broken(self.binding, "somebody may have put them in")

    def test_octets_before_the_layer_is_there_are_an_injection(self) -> None:
        """Neither may they come in between."""
        self.talk.answer(bind_response(1))
        self.successResultOf(self.binding)
        self.talk.answer(done(2))
        self.assertTrue(self.talk.wire.aborting)

    def test_refused_bind_leaves_the_connection_as_it_was(self) -> None:
        """Without success there is no layer."""
        self.talk.answer(bind_response(1, 49, "no"))
        self.assertEqual(self.successResultOf(self.binding).code, 49)
        waiting = self.talk.ask()
        self.talk.answer(done(2))
        self.successResultOf(waiting)

    def test_clear_text_within_the_layer_is_refused(self) -> None:
        """An LDAP message, read as a length, is over every limit."""
        self._install()
        waiting = self.talk.ask()
        self.talk.answer(done(2))
        self.assert_broken(waiting, "a sealed buffer of")


class TlsFromTheStartTests(SynchronousTestCase):
    def test_nothing_is_asked_before_the_handshake_is_done(self) -> None:
        """LDAPS: a peer that has not proven who it is gets nothing."""
        talk = Conversation(tls_from_start=True)
        self.assertNoResult(talk.connection.ready)
        self.failureResultOf(talk.ask(), LdapConnectionLost)
        self.assertEqual(talk.wire.value(), b"")
        talk.connection.handshakeCompleted()
        self.successResultOf(talk.connection.ready)
        talk.ask()
        self.assertEqual(len(talk.sent()), 1)

    def test_connection_that_ends_in_the_handshake(self) -> None:
        """A port that speaks no TLS, or a server that does not like ours."""
        talk = Conversation(tls_from_start=True)
        talk.connection.connectionLost(Failure(ConnectionDone()))
        fault = self.failureResultOf(talk.connection.ready, LdapNotConnected).value
        self.assertEqual(
            str(fault),
            "TLS failed (the other side ended it during the handshake); check that transport and port are those of "
            "the directory",
        )


class TransportTests(SynchronousTestCase):
    def test_requests_do_not_wait_for_each_other_s_acknowledgement(self) -> None:
        """Pipelined requests are small: Nagle's algorithm would hold each second one back."""
        asked: list[bool] = []

        class NoDelayWire(Wire):
            def setTcpNoDelay(self, enabled: bool) -> None:
                asked.append(enabled)

        connection = subject.LdapConnection(Conversation().clock, "dc1:389")
        connection.makeConnection(NoDelayWire())
        self.assertEqual(asked, [True])
