"""Whole PEAP logins over one listener in memory: a small PEAP peer, both factors faked, datagram by datagram."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred
from twisted.logger import capturedLogs

from duoproxy.duoapi.messages import Factor
from duoproxy.errors import PrimaryUnreachable, ServiceUnavailable
from duoproxy.login.auto_backoff import AutoBackoff
from duoproxy.login.dialogue import DialogueOptions
from duoproxy.login.open_questions import MAX_QUESTIONS_OF_USER
from duoproxy.login.outcome import PrimaryOutcome, PrimaryQuestion
from duoproxy.login.policy import Failmode
from duoproxy.login.request import LoginRequest
from duoproxy.net.eap_server import STOP_WAITS_FOR_RESPONSE_S
from duoproxy.net.radius_client import UpstreamReply
from duoproxy.radius.attributes import AttributeId, Type, all_values, joined, vendor_attribute
from duoproxy.radius.hiding import encrypt_salted
from duoproxy.radius.packet import Code, Packet, decode_packet
from duoproxy.radius.relay import DeviceRequest, PassThrough
from duoproxy.secret import Secret
from duoproxy.sections.eap_login import SAID_BY_EAP
from duoproxy.sections.radius_login_server import carries_state
from duoproxy.service.log_text import format_line
from duoproxy.testing import ALLOWED, DENIED, FakePrimary
from tests.twisted.eap_login_case import (
    DEVICE,
    IDENTITY,
    PASSWORD,
    POLICY,
    STATION,
    UPSTREAM_SECRET,
    EapLoginCase,
)
from tests.twisted.listener_case import SlowDuo
from tests.twisted.radius_fakes import FakeTransport, open_reply
from tests.unit.eap.peap_peer import PeapPeer


class EapLoginTests(EapLoginCase):
    """What becomes of logins."""

    def test_password_and_word_let_in_with_equal_keys(self) -> None:
        """Both versions; two prompts; one line for the end, with the inner name."""
        for version in (0, 1):
            self.begin()
            reply, log = self.log_in(PASSWORD, "push", version=version)
            assert reply is not None
            self.assertEqual(reply.code, Code.ACCESS_ACCEPT)
            self.assert_keys(reply, self.last_request)
            self.assertEqual(len(self.peer.prompts), 2)
            self.assertIn("user='alice'", log)
            self.assertIn("result=accept cause=approved", log)
            self.assertIn(f"'alice' asks from 10.0.0.5 (PEAPv{version}, TLSv1.3, outside the tunnel 'anonymous').", log)
        self.assertEqual([query.factor for query in self.duo.asked], [Factor.PUSH] * 2)
        self.assertEqual(self.primary.tried, [PASSWORD] * 2)

    def test_a_device_that_lets_the_server_begin_sends_an_eap_start(self) -> None:
        """RFC 3579 §2.1: no octet, or one without a meaning: the identity is asked for, and the login goes on."""
        self.begin()
        for start in (b"", b"\0"):
            self.peer = PeapPeer(identity=b"alice", answers=[PASSWORD.encode(), b"push"])
            octets = self.send(start, None)
            reply = self.reply_to(octets)
            assert reply is not None
            request = joined(reply.attributes, Type.EAP_MESSAGE)
            assert request is not None
            self.assertEqual((request[0], request[4]), (1, 1))
            [state] = all_values(reply.attributes, Type.STATE)
            eap: bytes = self.peer.respond(request)
            reply, self.last_request = self.talk(self.peer, first=(eap, state))
            assert reply is not None
            self.assertEqual(reply.code, Code.ACCESS_ACCEPT)
            self.assert_keys(reply, self.last_request)

    def test_a_retry_with_new_identifiers_joins_the_push(self) -> None:
        """The newest request gets the Accept, with keys hidden for it; there is one push; the older get silence."""
        self.duo = SlowDuo()
        self.begin()
        reply, _ = self.log_in(PASSWORD, "push")
        self.assertIsNone(reply)
        older = self.last_request
        eap, state = self.waiting
        self.clock.advance(5)
        newer = self.send(eap, state)
        self.assertIsNone(self.reply_to(newer))
        self.duo.pending.callback(ALLOWED)
        reply = self.reply_to(newer)
        assert reply is not None
        self.assertIsNone(self.reply_to(older))
        request = joined(reply.attributes, Type.EAP_MESSAGE)
        [state] = all_values(reply.attributes, Type.STATE)
        assert request is not None
        last = self.send(self.peer.respond(request), state)
        reply = self.reply_to(last)
        assert reply is not None
        self.assertEqual(reply.code, Code.ACCESS_ACCEPT)
        self.assert_keys(reply, last)
        self.assertEqual(len(self.duo.asked), 1)

    def test_one_user_has_only_so_many_pushes_at_once(self) -> None:
        """One valid password does not buy a telephone that never stops; and what is refused leaves its place."""
        self.duo = SlowDuo()
        self.begin()
        for _ in range(MAX_QUESTIONS_OF_USER):
            self.assertIsNone(self.log_in(PASSWORD, "push")[0])
        reply, log = self.log_in(PASSWORD, "phone", identity=b"CORP\\Alice")
        assert reply is not None
        self.assertEqual(reply.code, Code.ACCESS_REJECT)
        self.assertIn("factor=phone result=reject cause=too-many-questions", log)
        self.assertIn("8 pushes or calls to this user wait for an answer already.", log)
        self.assertEqual(len(self.duo.asked), MAX_QUESTIONS_OF_USER)
        self.assertIsNone(self.log_in(PASSWORD, "push", identity=b"bob")[0])

    def test_an_accept_that_was_lost_is_given_again_and_nothing_is_asked_again(self) -> None:
        """The same step with new identifiers, after its end: the cached reply, keys hidden anew."""
        self.begin()
        self.log_in(PASSWORD, "push")
        again = self.send(*self.waiting)
        repeated = self.reply_to(again)
        assert repeated is not None
        self.assertEqual(repeated.code, Code.ACCESS_ACCEPT)
        self.assert_keys(repeated, again)
        self.assertEqual(len(self.duo.asked), 1)
        changed = self.send(self.waiting[0], self.waiting[1], (Type.NAS_PORT, bytes(4)))
        refused = self.reply_to(changed)
        assert refused is not None
        self.assertEqual(refused.code, Code.ACCESS_REJECT)

    def test_what_the_primary_asks_is_asked_inside_the_tunnel(self) -> None:
        """GTC once more for each question, then the prompt for the factor; nobody has proven anything before."""
        asked: list[LoginRequest] = []

        class Asking(FakePrimary):
            async def authenticate(self, request: LoginRequest) -> PrimaryOutcome:
                question = PrimaryQuestion("Code of your token: ", self.token)
                return PrimaryOutcome(False, "asks", question=question)

            async def token(self, request: LoginRequest) -> PrimaryOutcome:
                asked.append(request)
                return PrimaryOutcome(request.password == Secret("111"), "wrong token")

        self.primary = Asking(PASSWORD)
        for version in (0, 1):
            self.begin()
            reply, _ = self.log_in(PASSWORD, "111", "push", version=version)
            assert reply is not None
            self.assertEqual(reply.code, Code.ACCESS_ACCEPT)
            self.assert_keys(reply, self.last_request)
            self.assertEqual(self.peer.prompts[1], b"Code of your token: ")
            self.assertEqual(len(self.peer.prompts), 3)
        self.assertEqual([request.username for request in asked], ["alice"] * 2)
        reply, log = self.log_in(PASSWORD, "999")
        assert reply is not None
        self.assertEqual((reply.code, len(self.duo.asked)), (Code.ACCESS_REJECT, 2))
        self.assertIn("cause=password-refused", log)
        self.assertEqual(self.begun[-1].proven_user, "")

    def test_a_wrong_password_is_an_eap_failure_and_nothing_beside_it(self) -> None:
        """One attribute, and the signature; Duo is not asked."""
        for version in (0, 1):
            self.begin()
            reply, log = self.log_in("wrong", version=version)
            assert reply is not None
            self.assertEqual(reply.code, Code.ACCESS_REJECT)
            self.assertEqual([number for number, _ in reply.attributes], [80, 79])
            self.assertIn("cause=password-refused", log)
        self.assertEqual(self.duo.preauths, [])

    def test_a_refusal_is_shown_inside_the_tunnel_unless_that_is_off(self) -> None:
        """One more question; its answer counts for nothing."""
        self.duo.auth_answer = DENIED
        for shown in (True, False):
            self.begin(failure_text=shown)
            reply, _ = self.log_in(PASSWORD, "push", "push")
            assert reply is not None
            self.assertEqual(reply.code, Code.ACCESS_REJECT)
            self.assertEqual(b"Login request denied." in self.peer.prompts, shown)
        self.assertEqual(len(self.duo.asked), 2)

    def test_a_stored_password_means_automatic_and_repeats_are_held_back(self) -> None:
        """The same answer to every prompt: one push; after it was denied none for a while."""
        self.duo.auth_answer = DENIED
        self.begin(backoff=AutoBackoff())
        for expected in ("cause=factor-refused", "cause=backed-off"):
            _, log = self.log_in(PASSWORD)
            self.assertIn(expected, log)
        self.assertEqual([query.factor for query in self.duo.asked], [Factor.PUSH])
        self.station = ((31, b"02-00-00-00-00-02"),)
        _, log = self.log_in(PASSWORD)
        self.assertIn("cause=factor-refused", log)
        self.assertEqual(len(self.duo.asked), 2)

    def test_who_proved_a_password_is_known_by_one_name_however_it_is_spelled(self) -> None:
        """For the room of the listener: from the second prompt on, and nobody before."""
        self.begin()
        for identity, answers in ((b"alice", ["wrong"]), (b"CORP\\Alice", [PASSWORD, ""]), (b"alice@corp", [PASSWORD])):
            self.log_in(*answers, identity=identity)
        self.begin(dialogue=DialogueOptions(factor_prompt=False))
        self.log_in(PASSWORD, identity=b"bob")
        self.duo.auth_answer = DENIED
        self.log_in(PASSWORD, "push", identity=b"carol")
        self.assertEqual([login.proven_user for login in self.begun], ["", "alice", "alice", "bob", ""])
        self.begin()
        self.log_in(PASSWORD, "push", identity=b"carol")
        self.assertEqual(self.begun[-1].proven_user, "carol")

    def test_a_login_takes_as_long_as_its_user(self) -> None:
        """Seconds in the line of its end: all, and those of the second factor."""
        self.duo = SlowDuo()
        self.begin()
        self.log_in(PASSWORD, "push")
        self.clock.advance(7)
        with capturedLogs() as events:
            self.duo.pending.callback(ALLOWED)
        log = "".join(map(format_line, events))
        self.assertIn("duration=7.000s primary=0.000s second_factor=7.000s", log)

    def test_names_and_passwords_are_read_in_the_encoding_of_the_section(self) -> None:
        """Latin-1 with pw_codec; what is in no encoding is refused with a remedy."""
        self.primary = FakePrimary("pässwörd")
        self.begin(pw_codec="latin-1")
        reply, log = self.log_in("pässwörd".encode("latin-1"), "push", identity="jürgen".encode("latin-1"))
        assert reply is not None
        self.assertEqual(reply.code, Code.ACCESS_ACCEPT)
        self.assertEqual(all_values(reply.attributes, Type.USER_NAME), ["jürgen".encode("latin-1")])
        self.assertEqual(self.duo.preauths[0][0], "jürgen")
        self.begin()
        for identity, password in ((b"alice", b"p\xe4ss"), (b"j\xfcrgen", b"password")):
            reply, log = self.log_in(password, identity=identity)
            assert reply is not None
            self.assertEqual(reply.code, Code.ACCESS_REJECT)
            self.assertIn("Set pw_codec of [radius_server_eap] to the encoding that the device sends", log)

    def test_why_a_conversation_broke_off_at_a_prompt_is_in_the_line_of_its_end(self) -> None:
        """The user did come back, but not with an answer: an administrator must not look for a user who left."""
        why = {
            b"\x03\x1a": "The EAP conversation ended before an answer: a Nak, while a further prompt was sent.",
            b"\6" + bytes(2000): "The EAP conversation ended before an answer: an answer of 2000 octets; the limit",
            b"\6p\xe4ss": "The answer is not in the encoding of pw_codec.",
        }
        for inner, sentence in why.items():
            self.begin()
            self.peer = PeapPeer(version=0, answers=[PASSWORD.encode(), b"push"])
            instead = {b"\6push": inner}

            def changed(said: bytes, instead: dict[bytes, bytes] = instead) -> bytes:
                return instead.get(said, said)

            self.peer.change_inner = changed
            with capturedLogs() as events:
                reply, _ = self.talk(self.peer)
            assert reply is not None
            self.assertEqual(reply.code, Code.ACCESS_REJECT)
            ended = [line for line in map(format_line, events) if "cause=prompt-unanswered" in line]
            self.assertEqual([sentence in line for line in ended], [True], sentence)
        self.assertEqual(self.duo.asked, [])

    def test_a_name_with_hidden_characters_is_refused_before_anybody_is_asked(self) -> None:
        """What the password check passes over would make a stranger of the user."""
        self.begin()
        reply, log = self.log_in(PASSWORD, identity="alice\u200b".encode())
        assert reply is not None
        self.assertEqual(reply.code, Code.ACCESS_REJECT)
        self.assertIn("has characters that cannot be seen", log)
        self.assertEqual((self.primary.tried, self.duo.preauths), ([], []))

    def test_an_unreachable_primary_is_an_eap_failure(self) -> None:
        """The device gets an answer."""
        self.primary = FakePrimary(PASSWORD, fault=PrimaryUnreachable("RADIUS server 10.0.0.5", "no answer"))
        self.begin()
        reply, log = self.log_in(PASSWORD)
        assert reply is not None
        self.assertEqual(reply.code, Code.ACCESS_REJECT)
        self.assertIn("cause=primary-unreachable", log)

    def test_failmode_decides_when_duo_is_away(self) -> None:
        """Both ways."""
        self.duo.preauth_answer = ServiceUnavailable("Duo", "no answer")
        for failmode, code in ((Failmode.SAFE, Code.ACCESS_ACCEPT), (Failmode.SECURE, Code.ACCESS_REJECT)):
            self.begin(policy=evolve(POLICY, failmode=failmode))
            reply, _ = self.log_in(PASSWORD)
            assert reply is not None
            self.assertEqual(reply.code, code)

    def test_a_fault_of_ours_is_a_refusal_with_a_login_id(self) -> None:
        """Whatever it is, it lets nobody in."""
        self.primary = FakePrimary(PASSWORD, fault=ZeroDivisionError())
        self.begin()
        reply, log = self.log_in(PASSWORD)
        assert reply is not None
        self.assertEqual(reply.code, Code.ACCESS_REJECT)
        self.assertIn("result=reject cause=fault", log)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_a_user_who_does_not_come_back_is_told_of_once(self) -> None:
        """The prompt was not answered: the login ends with its own cause, and an event."""
        self.begin()
        self.eap.start()
        peer = PeapPeer(answers=[PASSWORD.encode()])
        eap, state = IDENTITY, None
        with capturedLogs() as events:
            while len(peer.prompts) < 2:
                reply = self.reply_to(self.send(eap, state))
                assert reply is not None
                request = joined(reply.attributes, Type.EAP_MESSAGE)
                assert request is not None
                [state], eap = all_values(reply.attributes, Type.STATE), peer.respond(request)
            self.clock.pump([5.0] * 60)
        log = "".join(format_line(event) for event in events)
        self.assertEqual(log.count("result=reject cause=prompt-unanswered"), 1)
        self.assertEqual(self.eap.open_conversations, 0)
        self.eap.stop()

    def test_a_stop_while_the_push_rings_ends_in_an_eap_failure(self) -> None:
        """One EAP-Failure and one line with its cause; nobody is asked something whose answer nobody would hear."""
        self.duo = SlowDuo()
        self.begin()
        reply, _ = self.log_in(PASSWORD, "push")
        self.assertIsNone(reply)
        with capturedLogs() as events:
            self.logins.shut_down()
            self.successResultOf(Deferred.fromCoroutine(self.server.stop()))
        reply = self.reply_to(self.last_request)
        assert reply is not None
        self.assertEqual(reply.code, Code.ACCESS_REJECT)
        failure = joined(reply.attributes, Type.EAP_MESSAGE)
        assert failure is not None
        self.assertEqual((failure[0], len(failure)), (4, 4))
        log = "".join(format_line(event) for event in events)
        self.assertEqual(log.count("result=reject cause=shutdown"), 1)

    def test_conversations_go_on_while_a_stop_waits_and_none_begins(self) -> None:
        """A stop waits for peers that were told something a short time ago; new ones go to another proxy."""
        self.begin()
        peer = PeapPeer(identity=b"alice", answers=[PASSWORD.encode(), b"push"])
        reply = self.reply_to(self.send(IDENTITY, None))
        assert reply is not None
        request = joined(reply.attributes, Type.EAP_MESSAGE)
        assert request is not None
        self.server.drain(carries_state)
        self.assertIsNone(self.reply_to(self.send(IDENTITY, None)))
        self.assertEqual((self.server.pending, self.eap.waiting), (0, 1))
        self.clock.advance(STOP_WAITS_FOR_RESPONSE_S + 1)
        self.assertEqual(self.eap.waiting, 0)
        [state] = all_values(reply.attributes, Type.STATE)
        self.peer = peer
        reply, _ = self.talk(peer, first=(peer.respond(request), state))
        assert reply is not None
        self.assertEqual(reply.code, Code.ACCESS_ACCEPT)

    # ── attributes ─────────────────────────────────────────────────────────────────────────────────────────────

    def _accepted_upstream(self, *attributes: Sequence[Any]) -> PrimaryOutcome:
        packet = Packet(Code.ACCESS_ACCEPT, 1, bytes(16), tuple(attributes))  # type: ignore[arg-type]
        return PrimaryOutcome(True, wire=UpstreamReply(packet, bytes(16), Secret(UPSTREAM_SECRET), "10.0.0.5"))

    def test_what_the_primary_grants_passes_through_but_not_what_eap_says(self) -> None:
        """Class does; its keys, its name for the user and its text do not."""
        key = vendor_attribute(311, 16, encrypt_salted(b"k" * 32, UPSTREAM_SECRET, bytes(16), b"\x80\1"))
        granted = self._accepted_upstream((25, b"staff"), (1, b"another"), (18, b"Welcome"), key, (102, b"x"))
        self.primary = FakePrimary("another", refused=granted)
        self.begin(pass_through=PassThrough(everything=True, never=SAID_BY_EAP))
        reply, _ = self.log_in(PASSWORD, "push")
        assert reply is not None
        self.assert_keys(reply, self.last_request)
        self.assertEqual(all_values(reply.attributes, Type.CLASS), [b"staff"])
        self.assertEqual(all_values(reply.attributes, Type.USER_NAME), [b"alice"])
        self.assertEqual(all_values(reply.attributes, Type.REPLY_MESSAGE), [])
        self.assertEqual(all_values(reply.attributes, Type.EAP_KEY_NAME), [])

    def test_why_the_primary_refuses_is_shown_inside_the_tunnel_where_that_was_named(self) -> None:
        """Reply-Message of its Access-Reject: never beside EAP-Message, and never where failure_text is off."""
        said = ((18, b"Your password has expired: "), (18, "ändern Sie es.".encode()), (25, b"staff"))
        packet = Packet(Code.ACCESS_REJECT, 1, bytes(16), said)
        wire = UpstreamReply(packet, bytes(16), Secret(UPSTREAM_SECRET), "10.0.0.5")
        self.primary = FakePrimary(PASSWORD, refused=PrimaryOutcome(False, "refused", wire=wire))
        named, everything = frozenset({AttributeId(0, Type.REPLY_MESSAGE)}), PassThrough(True, never=SAID_BY_EAP)
        for pass_through, failure_text, shown in (
            (PassThrough(names=named, never=SAID_BY_EAP), True, True),
            (everything, True, True),
            (everything, False, False),
            (PassThrough(never=SAID_BY_EAP), True, False),
        ):
            self.begin(pass_through=pass_through, failure_text=failure_text)
            reply, _ = self.log_in("wrong", "whatever")
            assert reply is not None
            self.assertEqual((reply.code, [number for number, _ in reply.attributes]), (Code.ACCESS_REJECT, [80, 79]))
            text = "Your password has expired: ändern Sie es.".encode()
            self.assertEqual(self.peer.prompts[1:], [text] if shown else [])

    def test_the_primary_is_given_the_request_and_what_may_go_upstream(self) -> None:
        """The device's own attributes, and the choice of this section."""
        seen: list[object] = []

        class Curious(FakePrimary):
            async def authenticate(self, request: Any) -> PrimaryOutcome:
                seen.append(request.wire)
                return PrimaryOutcome(True)

        self.primary = Curious(PASSWORD)
        named = PassThrough(names=frozenset({AttributeId(0, 31)}), never=SAID_BY_EAP)
        self.begin(pass_through=named)
        self.log_in(PASSWORD, "push")
        [wire] = seen
        assert isinstance(wire, DeviceRequest)
        self.assertEqual(wire.pass_through, named)
        self.assertIn(STATION[0], wire.packet.attributes)

    def test_the_password_is_nowhere_in_the_log(self) -> None:
        """Nor in an event."""
        self.begin()
        _, log = self.log_in(PASSWORD, "push")
        self.assertNotIn(PASSWORD, log + str(self.events))
        self.assertEqual(
            [(event["auth_stage"], event["status"]) for event in self.events],
            [("Primary authentication", "Allow"), ("Secondary authentication", "Allow")],
        )


class ReplayTests(EapLoginCase):
    """Somebody who recorded a login, datagram by datagram, and plays it again."""

    def replayed(self, datagrams: Sequence[bytes]) -> list[Packet]:
        """Send them again as they were; give the replies."""
        replies = []
        for octets in datagrams:
            before = len(self.transport.sent)
            self.transport.deliver(octets, DEVICE)
            replies += [open_reply(sent, octets) for sent, _, _ in self.transport.sent[before:]]
        return replies

    def record_a_login(self) -> list[bytes]:
        self.begin()
        reply, _ = self.log_in(PASSWORD, "push")
        assert reply is not None
        self.assertEqual(reply.code, Code.ACCESS_ACCEPT)
        return list(self.delivered)

    def assert_nobody_was_asked_again(self) -> None:
        self.assertEqual((self.primary.tried, len(self.duo.asked)), ([PASSWORD], 1))

    def test_at_once_it_gets_the_same_octets_and_nobody_is_asked(self) -> None:
        """The same datagrams have the same replies: what the listener sees twice is no second login."""
        recorded = self.record_a_login()
        first = [sent for sent, _, _ in self.transport.sent]
        replies = self.replayed(recorded)
        self.assertEqual([sent for sent, _, _ in self.transport.sent[len(first) :]], first)
        self.assertEqual([reply.code for reply in replies][-1], Code.ACCESS_ACCEPT)
        self.assert_nobody_was_asked_again()

    def test_later_and_at_another_proxy_it_lets_nobody_in(self) -> None:
        """A conversation begins, and every State of the recording is strange: no Accept, and nobody is asked."""
        recorded = self.record_a_login()
        for scene in ("later", "after a restart"):
            if scene == "later":
                self.clock.advance(600)
            else:
                self.transport = FakeTransport()
                self.begin()
            codes = [reply.code for reply in self.replayed(recorded)]
            self.assertEqual(codes, [Code.ACCESS_CHALLENGE] + [Code.ACCESS_REJECT] * (len(recorded) - 1), scene)
        self.assert_nobody_was_asked_again()

    def test_its_messages_in_a_new_conversation_prove_nothing(self) -> None:
        """What the peer said, under the States of now: TLS has other keys, and the end is an EAP-Failure."""
        recorded = self.record_a_login()
        self.clock.advance(600)
        state: bytes | None = None
        codes: list[int] = []
        for octets in recorded:
            eap = joined(decode_packet(octets).attributes, Type.EAP_MESSAGE)
            assert eap is not None
            reply = self.reply_to(self.send(eap, state))
            assert reply is not None
            codes.append(reply.code)
            if reply.code != Code.ACCESS_CHALLENGE:
                break
            [state] = all_values(reply.attributes, Type.STATE)
        self.assertEqual(codes[-1], Code.ACCESS_REJECT)
        self.assertGreater(len(codes), 1)
        self.assert_nobody_was_asked_again()
