"""The EAP listener's steps: State by State to one end, whatever the device and the machine do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from attrs import define, evolve, field
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from duoproxy.eap.actions import (
    Accept,
    Action,
    Ask,
    Discard,
    Fail,
    JudgeAnswer,
    Judgement,
    Refuse,
    SendRequest,
    SessionKeys,
    Succeed,
)
from duoproxy.net.eap_server import SWEEP_S, EapServer
from duoproxy.net.radius_messages import ReceivedRequest, Reply
from duoproxy.radius.attributes import AttributeId, Type, all_values, first, vendor_attribute
from duoproxy.radius.authenticators import MessageAuthenticator
from duoproxy.radius.hiding import decrypt_salted
from duoproxy.radius.packet import Attribute, Code, Packet
from duoproxy.radius.retries import fingerprint
from duoproxy.secret import Secret
from duoproxy.service.log_text import format_line
from duoproxy.testing import repeatable_random, run_now

SECRET = b"a long shared secret"
IDENTITY = b"\2\1\0\7\1al"
ANSWER = b"\2\2\0\6\x19\0"
MICROSOFT = 311
SEND_KEY = AttributeId(MICROSOFT, 16)
KEYS = SessionKeys(Secret(bytes(32) + b"s" * 32), Secret(bytes(64)), b"\x19session")
SUCCESS = Succeed(b"\3\2\0\4", KEYS, "alice")
FAILURE = Fail(b"\4\2\0\4", "unknown ca")
REQUEST = SendRequest(b"\1\2\0\6\x19\x21", None)
JUDGE = JudgeAnswer("alice", Secret("pencil"))


@define(eq=False)
class Machine:
    """Does what its script says, one line for each packet or judgement."""

    script: list[Action]
    outer_identity: str = "anonymous"
    summary: str = "PEAPv1, TLSv1.3"
    last_request: bytes = b"\1\x09\0\6\x19\0"
    last_timeout_s: int | None = None
    answers: int = 0
    until: float = 60.0
    fed: list[bytes] = field(factory=list)

    def _next(self) -> list[Action]:
        action = self.script.pop(0)
        self.answers += isinstance(action, JudgeAnswer)
        return [action]

    def start(self, now: float) -> list[Action]:
        return self._next()

    def receive(self, eap: bytes, now: float, mtu_bytes: int) -> list[Action]:
        self.fed.append(eap)
        return self._next()

    def answer_judged(self, judgement: Judgement, now: float) -> list[Action]:
        return self._next()

    def next_timeout(self) -> float | None:
        return self.until

    def timeout(self, now: float) -> list[Action]:
        return [Fail(b"", "given up")]


@define(eq=False)
class Login:
    """Judges as it is told."""

    judgement: Any = field(factory=Accept)
    login_id: str = "l0g1n"
    proven_user: str = ""
    accepted: bool = False
    ended: int = 0
    why: str = ""

    async def judge(self, identity: str, answer: Secret, received: ReceivedRequest, tunnel: str) -> Judgement:
        if isinstance(self.judgement, Deferred):
            await self.judgement
        if isinstance(self.judgement, Exception):
            raise self.judgement
        self.proven_user = "alice"
        self.accepted = isinstance(self.judgement, Accept)
        judged: Judgement = self.judgement
        return judged

    def granted(self, answered: ReceivedRequest) -> Sequence[Attribute]:
        return [(Type.CLASS, b"staff")]

    def abandoned(self, why: str) -> None:
        self.ended += 1
        self.why = why


def request(*attributes: Attribute, eap: bytes | None = IDENTITY, host: str = "10.0.0.1") -> ReceivedRequest:
    carried = [*attributes, *([(79, eap)] if eap is not None else [])]
    packet = Packet(Code.ACCESS_REQUEST, 1, b"r" * 16, tuple((int(number), value) for number, value in carried))
    its_fingerprint = fingerprint(bytes(32), host, packet.attributes, None)
    return ReceivedRequest(
        packet, host, 1645, Secret(SECRET), MessageAuthenticator.VALID, 0.0, "10.0.0.9", its_fingerprint
    )


class EapServerTests(SynchronousTestCase):
    """One request after the other."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.login = Login()
        self.machine = Machine([])
        self.server = self.make()

    def make(self, max_open: int = 10) -> EapServer:
        def make_machine(now: float) -> Any:
            return self.machine

        return EapServer(
            section_name="eap",
            reactor=self.clock,
            make_machine=make_machine,
            make_login=lambda: self.login,
            random_bytes=repeatable_random(),
            max_open=max_open,
            max_fragment_bytes=1024,
        )

    def ask(self, received: ReceivedRequest) -> tuple[Reply | None, str]:
        with capturedLogs() as events:
            reply = run_now(self.server.handle(received))
        return reply, "".join(format_line(event) for event in events)

    def reply_to(self, received: ReceivedRequest) -> tuple[int, dict[int, bytes]]:
        reply, _ = self.ask(received)
        assert reply is not None
        attributes = reply.attributes_for(received)
        return reply.code, dict(attributes)

    def state_after_first_step(self, *script: Action) -> bytes:
        self.machine.script = [REQUEST, *script]
        code, attributes = self.reply_to(request())
        self.assertEqual(code, Code.ACCESS_CHALLENGE)
        return attributes[Type.STATE]

    def test_a_conversation_goes_from_state_to_state_to_one_accept(self) -> None:
        """Challenge, challenge, Accept; each State is new, and the end has none."""
        first_state = self.state_after_first_step(REQUEST, JUDGE, SUCCESS)
        code, attributes = self.reply_to(request((Type.STATE, first_state), eap=ANSWER))
        self.assertEqual((code, attributes[Type.EAP_MESSAGE]), (Code.ACCESS_CHALLENGE, REQUEST.eap))
        second_state = attributes[Type.STATE]
        self.assertNotEqual(first_state, second_state)
        code, attributes = self.reply_to(request((Type.STATE, second_state), eap=ANSWER))
        self.assertEqual((code, attributes[Type.EAP_MESSAGE]), (Code.ACCESS_ACCEPT, SUCCESS.eap))
        self.assertEqual((attributes[Type.USER_NAME], attributes[Type.CLASS]), (b"alice", b"staff"))
        self.assertNotIn(Type.STATE, attributes)
        self.assertNotIn(Type.REPLY_MESSAGE, attributes)
        self.assertEqual(self.server.open_conversations, 0)

    def test_an_eap_start_begins_a_conversation(self) -> None:
        """An empty EAP-Message, or one octet."""
        for start in (b"", b"\0"):
            self.machine.script = [REQUEST]
            code, _ = self.reply_to(request(eap=start))
            self.assertEqual(code, Code.ACCESS_CHALLENGE)
        self.assertEqual(self.machine.fed, [])

    def test_the_same_request_after_the_end_gets_the_same_accept_with_keys_for_itself(self) -> None:
        """A device that did not get its answer asks with a new authenticator: keys are hidden for that one."""
        state = self.state_after_first_step(JUDGE, SUCCESS)
        self.ask(request((Type.STATE, state), eap=ANSWER))
        again = request((Type.STATE, state), eap=ANSWER)
        again = evolve(again, packet=evolve(again.packet, identifier=9, authenticator=b"N" * 16))
        reply, _ = self.ask(again)
        assert reply is not None
        self.assertEqual(reply.code, Code.ACCESS_ACCEPT)
        hidden = first(reply.attributes_for(again), SEND_KEY)
        assert hidden is not None
        self.assertEqual(decrypt_salted(hidden, SECRET, b"N" * 16), b"s" * 32)
        self.assertEqual(self.machine.script, [])

    def test_a_second_request_while_the_user_is_asked_is_met_with_silence(self) -> None:
        """One step, one question: without joining, the device waits for the answer to the first."""
        self.login.judgement = Deferred()
        state = self.state_after_first_step(JUDGE, SUCCESS)
        waiting = Deferred.fromCoroutine(self.server.handle(request((Type.STATE, state), eap=ANSWER)))
        reply, log = self.ask(request((Type.STATE, state), eap=ANSWER))
        self.assertIsNone(reply)
        self.assertIn("its State is that of a step in progress, but it is not the same request.", log)
        self.assertNoResult(waiting)
        waiting.addErrback(lambda _: None)
        waiting.cancel()

    def test_a_state_that_nobody_has_is_an_eap_failure(self) -> None:
        """Unknown, or of another device: never a new login, and its Identifier is that of the response."""
        state = self.state_after_first_step()
        for received in (
            request((Type.STATE, b"x" * 16), eap=ANSWER),
            request((Type.STATE, state), eap=ANSWER, host="10.0.0.2"),
        ):
            code, attributes = self.reply_to(received)
            self.assertEqual((code, attributes), (Code.ACCESS_REJECT, {Type.EAP_MESSAGE: b"\4\2\0\4"}))
        self.assertEqual(self.machine.fed, [IDENTITY])

    def test_what_the_machine_discards_is_answered_with_its_last_request(self) -> None:
        """RFC 3579 §2.2: the request again, with Error-Cause 202, and a State to go on with."""
        state = self.state_after_first_step(Discard("a wrong Identifier"), REQUEST)
        with capturedLogs() as events:
            code, attributes = self.reply_to(request((Type.STATE, state), eap=ANSWER))
        self.assertEqual([event["log_level"].name for event in events], ["warn"])
        self.assertIn("was ignored, and the last request was sent again: a wrong Identifier.", format_line(events[0]))
        self.assertEqual((code, attributes[Type.EAP_MESSAGE]), (Code.ACCESS_CHALLENGE, self.machine.last_request))
        self.assertEqual(attributes[Type.ERROR_CAUSE], b"\0\0\0\xca")
        code, _ = self.reply_to(request((Type.STATE, attributes[Type.STATE]), eap=ANSWER))
        self.assertEqual(code, Code.ACCESS_CHALLENGE)

    def test_what_begins_no_conversation_leaves_nothing(self) -> None:
        """A first packet that the machine discards is met with silence, one that it fails on with a failure."""
        self.machine.script = [Discard("no identity")]
        reply, log = self.ask(request())
        self.assertIsNone(reply)
        self.assertIn("it has no State, and its EAP packet begins no conversation (no identity).", log)
        self.machine.script = [FAILURE]
        self.assertEqual(self.reply_to(request())[0], Code.ACCESS_REJECT)
        self.assertEqual(self.server.open_conversations, 0)

    def test_a_failure_before_a_password_is_told_with_its_reason(self) -> None:
        """The client does not trust the certificate."""
        state = self.state_after_first_step(FAILURE)
        reply, log = self.ask(request((Type.STATE, state), eap=ANSWER))
        assert reply is not None
        self.assertEqual((reply.code, list(reply.attributes_for(request()))), (3, [(Type.EAP_MESSAGE, b"\4\2\0\4")]))
        self.assertIn("the EAP conversation of 'anonymous' failed before a password came: unknown ca.", log)
        self.assertEqual(self.login.ended, 1)

    def test_a_failure_after_the_answer_was_right_is_told(self) -> None:
        """Nobody got in, though both factors were right."""
        state = self.state_after_first_step(JUDGE, REQUEST, Fail(b"\4\2\0\4", "no Result TLV"))
        _, attributes = self.reply_to(request((Type.STATE, state), eap=ANSWER))
        reply, log = self.ask(request((Type.STATE, attributes[Type.STATE]), eap=ANSWER))
        assert reply is not None
        self.assertEqual(reply.code, Code.ACCESS_REJECT)
        self.assertIn("were right, but the tunnel failed at its end: no Result TLV.", log)

    def test_a_success_that_no_login_decided_is_none(self) -> None:
        """Two must agree: the machine and the login."""
        state = self.state_after_first_step(SUCCESS)
        self.assertEqual(self.reply_to(request((Type.STATE, state), eap=ANSWER))[0], Code.ACCESS_REJECT)
        self.login.judgement = Ask("factor?")
        state = self.state_after_first_step(JUDGE, SUCCESS)
        self.assertEqual(self.reply_to(request((Type.STATE, state), eap=ANSWER))[0], Code.ACCESS_REJECT)

    def test_a_fault_of_ours_is_an_eap_failure(self) -> None:
        """Whatever goes wrong, the device gets an end, and the conversation is over."""
        self.login.judgement = ZeroDivisionError()
        state = self.state_after_first_step(JUDGE, SUCCESS)
        code, attributes = self.reply_to(request((Type.STATE, state), eap=ANSWER))
        self.assertEqual((code, attributes), (Code.ACCESS_REJECT, {Type.EAP_MESSAGE: b"\4\2\0\4"}))
        self.assertEqual(self.server.open_conversations, 0)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual(self.login.why, "A fault in duoproxy itself ended the conversation.")

    def test_a_step_that_is_cancelled_ends_its_conversation(self) -> None:
        """The service stops."""
        self.login.judgement = Deferred()
        state = self.state_after_first_step(JUDGE, SUCCESS)
        waiting = Deferred.fromCoroutine(self.server.handle(request((Type.STATE, state), eap=ANSWER)))
        waiting.cancel()
        self.failureResultOf(waiting, CancelledError)
        self.assertEqual(self.server.open_conversations, 0)

    def test_pap_is_rejected_with_a_sentence(self) -> None:
        """A request without EAP-Message."""
        reply, log = self.ask(request((Type.USER_PASSWORD, b"h" * 16), eap=None))
        assert reply is not None
        self.assertEqual((reply.code, reply.attributes_for(request())), (Code.ACCESS_REJECT, ()))
        self.assertIn("it carries no EAP-Message, and [eap] takes PEAP with GTC only.", log)

    def test_a_credential_beside_eap_is_rejected(self) -> None:
        """RFC 3579 §3.3: it could be read in two ways. Vendors' attributes that are no credential may stand there."""
        for other in (
            (Type.USER_PASSWORD, b"x" * 16),
            (Type.CHAP_PASSWORD, bytes(17)),
            (Type.ARAP_PASSWORD, bytes(16)),
            vendor_attribute(MICROSOFT, 1, bytes(50)),  # MS-CHAP-Response
            vendor_attribute(MICROSOFT, 25, bytes(50)),  # MS-CHAP2-Response
        ):
            self.machine.script = [REQUEST]
            reply, log = self.ask(request(other))
            assert reply is not None
            failure = [(Type.EAP_MESSAGE, b"\4\1\0\4")]
            self.assertEqual((reply.code, list(reply.attributes_for(request()))), (Code.ACCESS_REJECT, failure), other)
            self.clock.advance(60)
            self.assertIn("it carries EAP-Message and another credential beside it", log)
        self.assertEqual(self.machine.fed, [])
        self.assertEqual(self.reply_to(request(vendor_attribute(9, 1, b"shell")))[0], Code.ACCESS_CHALLENGE)

    def test_session_timeout_and_key_name_are_given_where_they_belong(self) -> None:
        """Session-Timeout beside a prompt; EAP-Key-Name to who asks."""
        state = self.state_after_first_step(evolve(REQUEST, session_timeout_s=60), JUDGE, SUCCESS)
        _, attributes = self.reply_to(request((Type.STATE, state), eap=ANSWER))
        self.assertEqual(attributes[Type.SESSION_TIMEOUT], b"\0\0\0\x3c")
        received = request((Type.STATE, attributes[Type.STATE]), (Type.EAP_KEY_NAME, b""), eap=ANSWER)
        self.assertEqual(self.reply_to(received)[1][Type.EAP_KEY_NAME], b"\x19session")

    def test_one_line_is_written_of_conversations_that_nobody_goes_on_with(self) -> None:
        """They expire; the login inside is ended; the next line comes a minute later."""
        self.server.start()
        for _ in range(3):
            self.state_after_first_step()
        self.assertEqual(self.server.open_conversations, 3)
        with capturedLogs() as events:
            self.clock.pump([SWEEP_S] * 12)
        self.assertEqual((self.server.open_conversations, self.login.ended), (0, 3))
        self.assertEqual(self.login.why, "The user did not come back with an answer.")
        lines = [format_line(event) for event in events]
        self.assertEqual(len(lines), 1)
        self.assertIn("nothing more came of 'anonymous' before a password was given", lines[0])
        self.server.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def nobody_goes_on_after(self, judgement: Judgement, answer_s: float) -> str:
        """The log of a listener of its own, when no request comes after an answer that took so long."""
        self.setUp()
        self.server.start()
        state = self.state_after_first_step(JUDGE, REQUEST)
        self.login.judgement = Deferred()
        received = evolve(request((Type.STATE, state), eap=ANSWER), received_at=self.clock.seconds())
        waiting = Deferred.fromCoroutine(self.server.handle(received))
        self.clock.advance(answer_s)
        pending, self.login.judgement = self.login.judgement, judgement
        pending.callback(None)
        self.successResultOf(waiting)
        with capturedLogs() as events:
            self.clock.pump([SWEEP_S] * 12)
        self.server.stop()
        self.assertEqual(self.server.open_conversations, 0)
        return "".join(format_line(event) for event in events)

    def test_status_names_devices_that_gave_up_and_nobody_who_may_have_left(self) -> None:
        """Each once, with the time that its user took; not for a question, a text for the user, or a quick answer."""
        for judgement, answer_s, silent_s in (
            (Accept(), 31, 31.0),
            (Refuse(), 12, 12.0),
            (Refuse("Login timed out."), 60, None),
            (Ask("factor?"), 31, None),
            (Accept(), 0.2, None),
        ):
            self.nobody_goes_on_after(judgement, answer_s)
            told = [{"device": "10.0.0.1", "silent_s": silent_s, "interval_s": 0.0}] if silent_s else []
            self.assertEqual(self.server.early_devices, told)

    def test_a_device_that_gave_up_before_the_answer_is_named(self) -> None:
        """The user approved, or refused, and nobody came for the rest."""
        for judgement in (Accept(), Refuse()):
            log = self.nobody_goes_on_after(judgement, 31)
            self.assertIn("Login l0g1n: 10.0.0.1 had given up when the answer came after 31 s. Set the RADIUS", log)

    def test_after_a_text_for_the_user_it_is_not_certain_who_gave_up(self) -> None:
        """The window may have been closed."""
        log = self.nobody_goes_on_after(Refuse("Login timed out."), 60)
        self.assertIn("nothing more came from 10.0.0.1 after a refusal that took 60 s: the user left", log)

    def test_nobody_is_named_after_a_question_to_the_user(self) -> None:
        """The user need not answer."""
        self.assertEqual(self.nobody_goes_on_after(Ask("factor?"), 31), "")

    def test_after_a_quick_answer_it_was_no_time_out(self) -> None:
        """Whoever was let in, and did not go on, has a supplicant to look at; a refused one may just be gone."""
        log = self.nobody_goes_on_after(Accept(), 0.2)
        self.assertIn("were right, but the tunnel failed at its end: nothing more came.", log)
        self.assertEqual(self.nobody_goes_on_after(Refuse("no"), 0.2), "")

    def test_a_device_is_named_once_a_minute(self) -> None:
        """Users of a device that gives up too early are many."""
        self.server.start()
        waiting = []
        pending: Deferred[None] = Deferred()
        self.login.judgement = pending
        for _ in range(3):
            state = self.state_after_first_step(JUDGE, Fail(b"", "x"))
            self.machine.script = [JUDGE]
            waiting.append(Deferred.fromCoroutine(self.server.handle(request((Type.STATE, state), eap=ANSWER))))
        self.clock.advance(31)
        self.login.judgement = Refuse()
        self.machine.script = [REQUEST] * 3
        pending.callback(None)
        with capturedLogs() as events:
            self.clock.pump([SWEEP_S] * 12)
        self.assertEqual([format_line(event).count("had given up") for event in events], [1])
        self.server.stop()

    def test_a_station_that_begins_again_while_its_user_is_asked_names_its_device(self) -> None:
        """The client gave up before the answer: told at once, and not for another station, user or device."""
        mine = (31, b"02-00-00-00-00-01")
        for attribute, host, named in (
            (mine, "10.0.0.1", True),
            ((31, b"02-00-00-00-00-02"), "10.0.0.1", False),
            (mine, "10.0.0.2", False),
            ((31, b""), "10.0.0.1", False),
        ):
            self.server = self.make()
            asked: Deferred[None] = Deferred()
            self.login.judgement = asked
            state = self.state_after_first_step(JUDGE)
            first_login = Deferred.fromCoroutine(self.server.handle(request(mine, (Type.STATE, state), eap=ANSWER)))
            self.clock.advance(15)
            self.machine.script = [REQUEST]
            reply, _ = self.ask(request(host=host))
            assert reply is not None
            [state] = all_values(reply.attributes_for(request()), Type.STATE)
            self.machine.script = [JUDGE, REQUEST]
            with capturedLogs() as events:
                second = Deferred.fromCoroutine(
                    self.server.handle(request(attribute, (Type.STATE, state), eap=ANSWER, host=host))
                )
            log = "".join(format_line(event) for event in events)
            self.assertEqual("the same station at 10.0.0.1 began a new login after 15 s" in log, named, log)
            self.assertEqual([early["silent_s"] for early in self.server.early_devices], [15.0] if named else [])
            for one in (first_login, second):
                one.addErrback(lambda _: None)
                one.cancel()
            asked.addErrback(lambda _: None)

    def test_when_there_is_no_room_the_oldest_goes_unless_it_is_being_answered(self) -> None:
        """An unfinished one is given up, and its login ended; one whose user is being asked is not."""
        self.server = self.make(max_open=1)
        old = self.state_after_first_step()
        self.machine.script = [REQUEST]
        reply, log = self.ask(request())
        assert reply is not None
        self.assertIn("Gave up the oldest unfinished EAP conversation of 10.0.0.1 for a newer one: 1 are open", log)
        self.assertEqual(self.login.ended, 1)
        self.assertEqual(self.login.why, "The conversation was given up for newer ones: see max_conversations.")
        self.assertEqual(self.reply_to(request((Type.STATE, old), eap=ANSWER))[0], Code.ACCESS_REJECT)
        self.login.judgement = Deferred()
        self.machine.script = [JUDGE, REQUEST]
        [state] = all_values(reply.attributes_for(request()), Type.STATE)
        waiting = Deferred.fromCoroutine(self.server.handle(request((Type.STATE, state), eap=ANSWER)))
        self.machine.script = [REQUEST, REQUEST]
        reply, log = self.ask(request())
        self.assertIsNone(reply)
        self.assertIn("Raise max_conversations if this machine has the memory.", log)
        waiting.addErrback(lambda _: None)
        waiting.cancel()

    def test_who_proved_a_password_goes_after_strangers(self) -> None:
        """A newer conversation in which nobody did is given up for a newcomer before it."""
        self.server = self.make(max_open=4)
        self.login.judgement = Ask("factor?")
        state = self.state_after_first_step(JUDGE, REQUEST)
        _, attributes = self.reply_to(request((Type.STATE, state), eap=ANSWER))
        strangers = [self.state_after_first_step() for _ in range(4)]
        self.machine.script = [REQUEST]
        self.assertEqual(self.server.open_conversations, 4)
        self.assertEqual(self.reply_to(request((Type.STATE, strangers[0]), eap=ANSWER))[0], Code.ACCESS_REJECT)
        self.assertEqual(
            self.reply_to(request((Type.STATE, attributes[Type.STATE]), eap=ANSWER))[0], Code.ACCESS_CHALLENGE
        )
