"""Whole logins with challenges over one listener in memory: both factors faked, datagram by datagram."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred

from duoproxy.duoapi.messages import AuthAnswer, Device, Factor, Preauth, PreauthResult, PromptOption
from duoproxy.errors import PrimaryUnreachable, ServiceUnavailable
from duoproxy.login.dialogue import DialogueOptions
from duoproxy.login.factors import AppendMode
from duoproxy.login.open_questions import MAX_QUESTIONS_OF_USER
from duoproxy.login.outcome import Cause, PrimaryOutcome
from duoproxy.login.policy import Failmode, LoginPolicy
from duoproxy.login.prompt import PromptFormat
from duoproxy.login.texts import USER_TEXTS
from duoproxy.net.radius_client import UpstreamReply
from duoproxy.net.radius_server import RadiusPolicy
from duoproxy.radius.attributes import AttributeId, Type, all_values, first
from duoproxy.radius.challenges import CHALLENGE_LIFE_S
from duoproxy.radius.hiding import decrypt_salted, encrypt_salted
from duoproxy.radius.packet import Attribute, Code, Packet
from duoproxy.radius.relay import PassThrough
from duoproxy.secret import Secret
from duoproxy.sections.challenge_login import STOP_WAITS_FOR_ANSWER_S, ChallengeLogins
from duoproxy.sections.login_shell import LoginShellSettings
from duoproxy.testing import ALLOWED, DENIED, FakePrimary, make_environment
from tests.twisted.listener_case import (
    OTHER_DEVICE,
    PASSWORD,
    ListenerCase,
    SlowDuo,
    start_listener,
    state_of,
    text_of,
)
from tests.twisted.radius_fakes import SECRET

WRONG_CODE = AuthAnswer(False, "deny", "Incorrect passcode. Please try again.")
SENT = AuthAnswer(False, "sent", "New SMS passcodes sent.")
PROMPT = (
    "Duo two-factor login for alice\n\nEnter a passcode or select one of the following options:\n\n"
    " 1. Duo Push to XXX-XXX-1234\n 2. Phone call to XXX-XXX-1234\n 3. SMS passcodes to XXX-XXX-1234\n\n"
    "Passcode or option (1-3): "
)
NO_APPENDING = AppendMode(allow_concat=False)
UPSTREAM_SECRET = b"of the upstream"
NOTHING_PASSES = PassThrough()


class ChallengeCase(ListenerCase):
    """One section with a prompt."""

    def setUp(self) -> None:
        super().setUp()
        self.primary: Any = FakePrimary(PASSWORD.decode())

    def begin(
        self,
        *,
        layout: PromptFormat = PromptFormat.CONSOLE,
        enroll: bool = True,
        failmode: Failmode = Failmode.SECURE,
        pass_through: PassThrough = NOTHING_PASSES,
        pw_codec: str = "utf-8",
        join_retries: bool = True,
        max_open: int = 100,
        section: str = "radius_server_challenge",
        prompt: bool = True,
    ) -> None:
        """Start the section as its class would."""
        environment = make_environment(section, reactor=self.clock, auth_event=self.events.append)
        policy = LoginPolicy(append=NO_APPENDING, failmode=failmode)
        shell = LoginShellSettings(policy, pass_through, AttributeId(0, 31), pw_codec, "DI", "radius_client")
        dialogue = DialogueOptions(
            prompt_format=layout, factor_prompt=prompt, same_answer_means_auto=False, enroll_as_prompt=enroll
        )
        self.logins = ChallengeLogins(shell, dialogue, environment, self.primary, self.duo, max_open)
        self.logins.start()
        self.server, self.transport = start_listener(
            environment, self.logins.handle, policy=RadiusPolicy(join_retries=join_retries)
        )

    def prompted(self, **more: Any) -> bytes:
        """Log in as far as the prompt: its State."""
        reply = self.ask(PASSWORD, **more)
        self.assertEqual(reply.code, Code.ACCESS_CHALLENGE)
        return state_of(reply)


class LoginTests(ChallengeCase):
    """What a user sees."""

    def test_a_challenge_has_prompt_state_and_time(self) -> None:
        """Reply-Message, State and Session-Timeout, and nothing of the primary's reply."""
        self.begin()
        reply = self.ask(PASSWORD)
        self.assertEqual(reply.code, Code.ACCESS_CHALLENGE)
        self.assertEqual(text_of(reply), PROMPT)
        self.assertEqual(len(state_of(reply)), 32)
        self.assertEqual(first(reply.attributes, Type.SESSION_TIMEOUT), (120).to_bytes(4, "big"))
        self.assertEqual({number for number, _ in reply.attributes}, {80, 18, 24, 27})
        self.assertEqual(self.duo.asked, [])

    def test_a_number_a_word_and_a_passcode_answer_it(self) -> None:
        """Number of the prompt, `push1`, `auto`, passcode."""
        self.begin()
        for answer, factor in (
            (b"1", Factor.PUSH),
            (b"2", Factor.PHONE),
            (b"push1", Factor.PUSH),
            (b" Phone ", Factor.PHONE),
            (b"auto", Factor.PUSH),
            (b"123456", Factor.PASSCODE),
            (b"a bypass code", Factor.PASSCODE),
        ):
            reply = self.ask(answer, self.prompted())
            self.assertEqual((reply.code, text_of(reply)), (Code.ACCESS_ACCEPT, "Success. Logging you in..."))
            self.assertEqual(self.duo.asked[-1].factor, factor)
        self.assertEqual(set(self.causes()), {"approved"})

    def test_a_wrong_password_ends_it_without_a_prompt(self) -> None:
        """Nobody learns more from a prompt than that the password was right."""
        self.begin()
        reply = self.ask(b"wrong")
        self.assertEqual(reply.code, Code.ACCESS_REJECT)
        self.assertIsNone(first(reply.attributes, Type.STATE))
        self.assertEqual(self.duo.preauths, [])

    def test_sms_sends_codes_and_asks_again(self) -> None:
        """The new prompt has a State of its own, and a code answers it."""
        self.begin()
        self.duo.auth_answer = SENT
        state = self.prompted()
        again = self.ask(b"3", state)
        self.assertEqual(again.code, Code.ACCESS_CHALLENGE)
        self.assertEqual(text_of(again), "New SMS passcodes sent. Enter one of them.\n\n" + PROMPT)
        self.assertNotEqual(state_of(again), state)
        self.duo.auth_answer = ALLOWED
        self.assertEqual(self.ask(b"1234567", state_of(again)).code, Code.ACCESS_ACCEPT)

    def test_a_wrong_passcode_asks_again_up_to_three_prompts(self) -> None:
        """Three prompts in all, then a reject."""
        self.begin()
        self.duo.auth_answer = WRONG_CODE
        state = self.prompted()
        for _ in range(2):
            reply = self.ask(b"000000", state)
            self.assertEqual(reply.code, Code.ACCESS_CHALLENGE)
            self.assertEqual(text_of(reply), WRONG_CODE.status_message + "\n\n" + PROMPT)
            state = state_of(reply)
        last = self.ask(b"000000", state)
        self.assertEqual((last.code, text_of(last)), (Code.ACCESS_REJECT, WRONG_CODE.status_message))
        self.assertEqual(len(self.duo.asked), 3)

    def test_a_denied_push_is_the_end(self) -> None:
        """No further prompt."""
        self.begin()
        self.duo.auth_answer = DENIED
        reply = self.ask(b"push", self.prompted())
        self.assertEqual((reply.code, text_of(reply)), (Code.ACCESS_REJECT, "Login request denied."))

    def test_the_password_again_or_nothing_never_goes_to_duo(self) -> None:
        """A machine that repeats the password gets prompts, and no push."""
        self.begin()
        state = self.prompted()
        for answer, notice in ((PASSWORD, "That was your password again."), (b"", "Nothing was entered.")):
            reply = self.ask(answer, state)
            self.assertIn(notice, text_of(reply))
            state = state_of(reply)
        self.assertEqual(self.ask(PASSWORD, state).code, Code.ACCESS_REJECT)
        self.assertEqual(self.duo.asked, [])

    def test_layouts(self) -> None:
        """Short for one line, HTML for web pages."""
        self.begin(layout=PromptFormat.SHORT)
        self.assertEqual(text_of(self.ask(PASSWORD)), "1:push 2:phone 3:sms, or passcode: ")
        self.begin(layout=PromptFormat.HTML)
        self.assertIn("<ol><li>Duo Push to XXX-XXX-1234</li>", text_of(self.ask(PASSWORD)))

    def test_a_long_prompt_is_several_attributes_cut_between_characters(self) -> None:
        """At most 253 octets each; together the whole text."""
        labels = ["Телефон Алисы на работе " + str(number) for number in range(9)]
        phones = tuple(Device(f"DP{n}", True, frozenset({"push"}), label) for n, label in enumerate(labels))
        self.duo.preauth_answer = Preauth(PreauthResult.AUTH, devices=phones)
        self.begin()
        reply = self.ask(PASSWORD)
        pieces = all_values(reply.attributes, Type.REPLY_MESSAGE)
        self.assertGreater(len(pieces), 2)
        for piece in pieces:
            self.assertTrue(piece.decode())
            self.assertLessEqual(len(piece), 253)
        self.assertTrue(text_of(reply).endswith("Passcode or option (1-9): "))

    def test_the_longest_prompt_fits(self) -> None:
        """With every line as long as can be, and a Proxy-State."""
        label = "\N{FAMILY}" * 60
        phones = tuple(Device(f"DP{n}", True, frozenset({"push", "phone", "sms"}), label, "9") for n in range(30))
        self.duo.preauth_answer = Preauth(PreauthResult.AUTH, devices=phones)
        self.begin()
        reply = self.ask(PASSWORD, None, (33, b"p" * 253))
        self.assertEqual(reply.code, Code.ACCESS_CHALLENGE)
        self.assertEqual(self.ask(b"1", state_of(reply)).code, Code.ACCESS_ACCEPT)

    def test_the_older_api_brings_its_own_prompt(self) -> None:
        """The service's text as it is, and its numbers."""
        own = "Duo login for alice\n 1. Duo Push\nPasscode or option (1-1): "
        option = PromptOption(1, Factor.PUSH, "push1")
        self.duo.preauth_answer = Preauth(PreauthResult.AUTH, prompt=own, prompt_options=(option,))
        self.begin()
        reply = self.ask(PASSWORD)
        self.assertEqual(text_of(reply), own)
        self.assertEqual(self.ask(b"1", state_of(reply)).code, Code.ACCESS_ACCEPT)
        self.assertEqual(self.duo.asked[0].device_id, "push1")

    def test_enrollment_in_a_prompt_whose_answer_does_not_count(self) -> None:
        """With enroll_challenge the address is shown in a challenge; whatever is answered, a reject follows."""
        url = "https://api-1.example/portal?code=x"
        self.duo.preauth_answer = Preauth(PreauthResult.ENROLL, "Enroll to go on.", enroll_portal_url=url)
        self.begin()
        reply = self.ask(PASSWORD)
        self.assertEqual((reply.code, text_of(reply)), (Code.ACCESS_CHALLENGE, f"Enroll to go on. Enroll at {url}"))
        end = self.ask(b"123456", state_of(reply))
        self.assertEqual(end.code, Code.ACCESS_REJECT)
        self.assertEqual(self.duo.asked, [])
        self.begin(enroll=False)
        reply = self.ask(PASSWORD)
        self.assertEqual((reply.code, text_of(reply)), (Code.ACCESS_REJECT, f"Enroll to go on. Enroll at {url}"))

    def test_users_whom_duo_lets_in_see_no_prompt(self) -> None:
        """Bypass, and failmode safe while Duo is away."""
        self.duo.preauth_answer = Preauth(PreauthResult.ALLOW, "Bypass.")
        self.begin()
        self.assertEqual(self.ask(PASSWORD).code, Code.ACCESS_ACCEPT)
        self.duo.preauth_answer = ServiceUnavailable("Duo", "Connection refused", "Look")
        self.begin(failmode=Failmode.SAFE)
        self.assertEqual(self.ask(PASSWORD).code, Code.ACCESS_ACCEPT)
        self.begin(failmode=Failmode.SECURE)
        self.assertEqual(self.ask(PASSWORD).code, Code.ACCESS_REJECT)

    def test_nobody_who_could_check_the_password_is_silence(self) -> None:
        """The device asks its next server."""
        self.primary = FakePrimary("x", fault=PrimaryUnreachable("the server", "no answer", "Look"))
        self.begin()
        self.assertEqual(self.answers(self.send(PASSWORD)), [])

    def test_what_the_primary_granted_comes_with_the_accept_only(self) -> None:
        """And hidden for the request that is answered."""
        key = AttributeId(311, 16)
        hidden = encrypt_salted(b"session key", UPSTREAM_SECRET, b"u" * 16, b"\x80\x01")
        vendor = (26, (311).to_bytes(4, "big") + bytes((16, len(hidden) + 2)) + hidden)
        packet = Packet(Code.ACCESS_ACCEPT, 1, b"x" * 16, ((25, b"staff"), vendor))
        wire = UpstreamReply(packet, b"u" * 16, Secret(UPSTREAM_SECRET), "10.1.2.10")

        class Granting(FakePrimary):
            async def authenticate(self, request: Any) -> PrimaryOutcome:
                return PrimaryOutcome(True, wire=wire)

        self.primary = Granting("")
        self.begin(pass_through=PassThrough(True))
        reply = self.ask(PASSWORD)
        self.assertIsNone(first(reply.attributes, 25))
        request = self.send(b"push", state_of(reply))
        [accept] = self.answers(request)
        self.assertEqual(first(accept.attributes, 25), b"staff")
        value = first(accept.attributes, key)
        assert value is not None
        self.assertEqual(decrypt_salted(value, SECRET, request[4:20]), b"session key")

    def test_an_answer_in_the_devices_encoding(self) -> None:
        """pw_codec holds for answers too; what is not in it ends nothing."""
        self.begin()
        state = self.prompted()
        self.assertEqual(self.ask(b"\xff\xfe", state).code, Code.ACCESS_REJECT)
        self.assertEqual(self.ask(b"push", state).code, Code.ACCESS_ACCEPT)

    def test_a_fault_of_ours_ends_the_login(self) -> None:
        """A reject with its line, and the State is worth nothing any more."""
        self.begin()
        state = self.prompted()
        self.duo.auth_answer = ZeroDivisionError("never shown")
        self.assertEqual(self.ask(b"push", state).code, Code.ACCESS_REJECT)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.duo.auth_answer = ALLOWED
        self.assertEqual(self.ask(b"123456", state).code, Code.ACCESS_REJECT)

    def test_one_log_line_and_two_events_for_one_login(self) -> None:
        """However many requests it took."""
        self.begin()
        self.clock.advance(1)
        state = self.prompted()
        self.clock.advance(7)
        self.ask(b"1", state)
        [line] = [line for line in self.log().splitlines() if "result=" in line]
        self.assertIn("factor=push result=accept cause=approved duration=7.000s", line)
        self.assertEqual(
            [event["auth_stage"] for event in self.events],
            [
                "Primary authentication",
                "Secondary authentication",
            ],
        )
        self.assertEqual(len({event["login_id"] for event in self.events}), 1)


class StateTests(ChallengeCase):
    """What a State is worth."""

    def refused(self, password: bytes, state: bytes, *more: Attribute, **options: Any) -> None:
        """A reject without text, and nobody is asked anything."""
        before = len(self.primary.tried), len(self.duo.preauths), len(self.duo.asked), self.logins.waiting
        reply = self.ask(password, state, *more, **options)
        self.assertEqual((reply.code, text_of(reply)), (Code.ACCESS_REJECT, ""))
        after = len(self.primary.tried), len(self.duo.preauths), len(self.duo.asked), self.logins.waiting
        self.assertEqual(after, before)

    def test_a_guessed_state_is_refused_and_begins_nothing(self) -> None:
        """Even with the right password."""
        self.begin()
        self.prompted()
        for state in (b"\0", b"\0" * 16, b"x" * 253):
            self.refused(PASSWORD, state)
            self.refused(b"push", state)
        self.assertIn("its State belongs to no open question of its user", self.log())

    def test_a_state_of_another_device_or_user_is_refused_and_stays_good(self) -> None:
        """It belongs to both; whoever steals it cannot use it up either."""
        self.begin()
        state = self.prompted()
        self.refused(b"push", state, device=OTHER_DEVICE)
        self.refused(b"push", state, user=b"mallory")
        self.refused(b"push", state, user=b"Alice")
        self.assertEqual(self.ask(b"push", state).code, Code.ACCESS_ACCEPT)

    def test_a_state_of_another_section_is_refused(self) -> None:
        """Each section knows its own."""
        self.begin()
        state = self.prompted()
        self.begin(section="radius_server_challenge2")
        self.refused(b"push", state)

    def test_two_states_are_refused(self) -> None:
        """Source: RFC 2865 §5.44: at most one."""
        self.begin()
        state = self.prompted()
        self.refused(b"push", state, (24, state))

    def test_a_state_is_refused_after_its_time(self) -> None:
        """Two minutes; the login is told in the log and in the events."""
        self.begin()
        state = self.prompted()
        self.clock.advance(CHALLENGE_LIFE_S)
        self.refused(b"push", state)
        self.clock.pump([5.0] * 2)
        self.assertEqual(self.causes(), ["prompt-unanswered"])
        self.assertEqual(self.logins.waiting, 0)

    def test_an_answer_in_the_last_second_counts(self) -> None:
        """The push may then take as long as it takes."""
        self.begin()
        state = self.prompted()
        self.clock.advance(CHALLENGE_LIFE_S - 1)
        self.assertEqual(self.ask(b"push", state).code, Code.ACCESS_ACCEPT)

    def test_another_answer_with_a_used_state_is_refused(self) -> None:
        """Also when the first one was wrong: the new prompt has its own State."""
        self.begin()
        self.duo.auth_answer = WRONG_CODE
        state = self.prompted()
        second = state_of(self.ask(b"000000", state))
        self.duo.auth_answer = ALLOWED
        self.refused(b"123456", state)
        self.assertEqual(self.ask(b"123456", second).code, Code.ACCESS_ACCEPT)
        self.refused(b"654321", second)

    def test_the_same_answer_again_gets_the_same_reply_for_30_s(self) -> None:
        """A device that lost the reply; Duo is asked once. Accept, reject and next prompt alike."""
        self.begin()
        for answer, code in (
            (ALLOWED, Code.ACCESS_ACCEPT),
            (DENIED, Code.ACCESS_REJECT),
            (SENT, Code.ACCESS_CHALLENGE),
        ):
            self.duo.asked.clear()
            self.duo.auth_answer = answer
            typed = b"sms" if answer is SENT else b"push"
            state = self.prompted()
            replies = [self.ask(typed, state), self.ask(typed, state)]
            self.assertEqual([reply.code for reply in replies], [code, code])
            self.assertEqual(*[first(reply.attributes, Type.STATE) for reply in replies])
            self.assertEqual(len(self.duo.asked), 1)
            self.clock.advance(30)
            self.refused(typed, state)

    def test_a_retry_while_the_push_rings_joins_it(self) -> None:
        """One push; the newest request is answered, the older one is met with silence."""
        self.duo = SlowDuo()
        self.begin()
        state = self.prompted()
        requests = [self.send(b"push", state) for _ in range(3)]
        self.assertEqual(len(self.duo.asked), 1)
        self.duo.pending.callback(ALLOWED)
        self.assertEqual([len(self.answers(request)) for request in requests], [0, 0, 1])
        self.assertEqual(self.answers(requests[2])[0].code, Code.ACCESS_ACCEPT)

    def test_without_joining_a_retry_is_silent_and_gets_the_reply_afterwards(self) -> None:
        """join_retries=false: the State is used once all the same."""
        self.duo = SlowDuo()
        self.begin(join_retries=False)
        state = self.prompted()
        asked, retry = self.send(b"push", state), self.send(b"push", state)
        self.assertEqual(len(self.duo.asked), 1)
        self.duo.pending.callback(ALLOWED)
        self.assertEqual((len(self.answers(asked)), self.answers(retry)), (1, []))
        self.assertEqual(self.ask(b"push", state).code, Code.ACCESS_ACCEPT)

    def test_one_valid_password_rings_a_telephone_only_so_often_at_once(self) -> None:
        """The ninth push of one account is not sent, however its name is spelled; another user's is."""
        self.duo = SlowDuo()
        self.begin(prompt=False)
        for number in range(MAX_QUESTIONS_OF_USER):
            self.send(PASSWORD, user=b"CORP\\alice" if number % 2 else b"alice")
        self.assertEqual(len(self.duo.asked), MAX_QUESTIONS_OF_USER)
        request = self.send(PASSWORD, user=b"Alice")
        [reply] = self.answers(request)
        self.assertEqual(reply.code, Code.ACCESS_REJECT)
        self.assertEqual(self.causes(), ["too-many-questions"])
        self.send(PASSWORD, user=b"bob")
        self.assertEqual(len(self.duo.asked), MAX_QUESTIONS_OF_USER + 1)

    def test_another_answer_while_the_push_rings_is_refused(self) -> None:
        """It neither joins nor asks; the push goes on."""
        self.duo = SlowDuo()
        self.begin()
        state = self.prompted()
        asked = self.send(b"push", state)
        self.refused(b"123456", state)
        self.refused(b"push", state, (5, b"\0\0\0\1"))
        self.duo.pending.callback(ALLOWED)
        self.assertEqual([reply.code for reply in self.answers(asked)], [Code.ACCESS_ACCEPT])

    def test_the_oldest_login_makes_room(self) -> None:
        """With its line in the log and its event; its State is worth nothing."""
        self.begin(max_open=2)
        first_state, second_state = self.prompted(), self.prompted()
        self.prompted()
        self.assertEqual(self.causes(), ["prompt-unanswered"])
        self.assertIn("was given up: 2 users are being waited for", self.log())
        self.refused(b"push", first_state)
        self.assertEqual(self.ask(b"push", second_state).code, Code.ACCESS_ACCEPT)

    def test_one_valid_password_does_not_take_the_prompts_of_others(self) -> None:
        """Whoever begins a thousand logins gives up his own, however he spells his name; bob's prompt stays."""
        self.begin(max_open=10)
        prompts = [self.prompted(user=user) for user in (b"bob", b"carol", b"dora")]
        for number in range(100):
            self.prompted(user=(b"mallory", b"Mallory", b"CORP\\mallory", b"mallory@corp.example")[number % 4])
        self.assertEqual(len(self.logins._challenges), 10)
        for user, prompt in zip((b"bob", b"carol", b"dora"), prompts, strict=True):
            self.assertEqual(self.ask(b"push", prompt, user=user).code, Code.ACCESS_ACCEPT)

    def test_answers_that_are_no_pap(self) -> None:
        """An answer needs exactly one User-Password."""
        self.begin()
        state = self.prompted()
        self.assertEqual(self.ask(None, state).code, Code.ACCESS_REJECT)
        self.assertEqual(self.ask(b"push", state, (3, b"c" * 17)).code, Code.ACCESS_REJECT)
        self.assertEqual(self.ask(b"push", state).code, Code.ACCESS_ACCEPT)

    def test_a_stop_while_the_push_rings_rejects_with_a_text(self) -> None:
        """What has no end when the proxy stops is rejected and says why; nothing that waits is left."""
        self.duo = SlowDuo()
        self.begin()
        asked = self.send(b"push", self.prompted())
        self.logins.stop()
        self.logins.shut_down()
        self.successResultOf(Deferred.fromCoroutine(self.server.stop()))
        [reply] = self.answers(asked)
        self.assertEqual(reply.code, Code.ACCESS_REJECT)
        self.assertEqual(first(reply.attributes, Type.REPLY_MESSAGE), USER_TEXTS[Cause.SHUTDOWN].encode())
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_question_is_waited_for_by_a_stop_only_while_it_is_young(self) -> None:
        """Who has not answered after 30 s may have gone; the answer would still count."""
        self.begin()
        self.prompted()
        self.assertEqual(self.logins.waiting, 1)
        self.clock.advance(STOP_WAITS_FOR_ANSWER_S + 1)
        self.assertEqual(self.logins.waiting, 0)
