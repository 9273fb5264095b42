"""What a RADIUS server behind the proxy says goes through it: proofs of passwords, their answers, and questions."""

from __future__ import annotations

from duoproxy.errors import ServiceUnavailable
from duoproxy.login.dialogue import DialogueOptions
from duoproxy.login.policy import Failmode, LoginPolicy
from duoproxy.radius.attributes import AttributeId, Type, all_values, first, vendor_attribute
from duoproxy.radius.challenges import CHALLENGE_LIFE_S
from duoproxy.radius.hiding import decrypt_salted, encrypt_salted, hide_password, reveal_password
from duoproxy.radius.packet import Attribute, Code, Packet
from duoproxy.radius.relay import PassThrough
from duoproxy.testing import ALLOWED, ASK, DENIED, FakeSecondFactor
from tests.twisted.listener_case import OTHER_DEVICE, PASSWORD, SlowDuo, state_of, text_of
from tests.twisted.radius_fakes import SECRET, signed_reply, unsigned_reply
from tests.twisted.relay_case import (
    CHAP,
    FIRST,
    MS_CHALLENGE,
    MS_CHAP_2,
    SECOND,
    UPSTREAM_SECRET,
    RelayCase,
    appending,
    asks,
    state_in,
)

SUCCESS = vendor_attribute(311, 26, b"\1S=" + b"A" * 40)
SEND_KEY, RECV_KEY, MPPE_KEYS = AttributeId(311, 16), AttributeId(311, 17), AttributeId(311, 12)
CLASS = (int(Type.CLASS), b"granted")
EVERYTHING = PassThrough(everything=True)
LANMAN_AND_NT = bytes(8) + b"n" * 16
OF_A_REFUSED_PROOF = [Type.MESSAGE_AUTHENTICATOR, Type.REPLY_MESSAGE, Type.VENDOR_SPECIFIC]
REFUSED = r"^\x01E=691 R=0 C=[0-9a-f]{32} V=3 M=Authentication rejected$"
SESSION = ((int(Type.CALLING_STATION_ID), b"203.0.113.7"), (int(Type.NAS_PORT), b"\0\0\0\7"))


def grants(request: Packet) -> tuple[int, list[Attribute]]:
    """Let in, with what MS-CHAPv2 needs, hidden for this request."""
    key = encrypt_salted(b"k" * 16, UPSTREAM_SECRET, request.authenticator, b"\x80\1")
    other = encrypt_salted(b"l" * 16, UPSTREAM_SECRET, request.authenticator, b"\x80\2")
    hidden = hide_password(LANMAN_AND_NT, UPSTREAM_SECRET, request.authenticator)
    return int(Code.ACCESS_ACCEPT), [
        SUCCESS,
        vendor_attribute(311, 16, key),
        vendor_attribute(311, 17, other),
        vendor_attribute(311, 12, hidden),
        vendor_attribute(311, 7, b"\0\0\0\1"),
        CLASS,
        (Type.REPLY_MESSAGE, b"Hello"),
    ]


def said_of_proof(reply: Packet) -> str:
    """The MS-CHAP-Error of a reply, its Identifier first."""
    return (first(reply.attributes, AttributeId(311, 2)) or b"").decode("ascii")


class ProofTests(RelayCase):
    """CHAP, MS-CHAP and MS-CHAPv2."""

    def test_ms_chap_v2_goes_up_and_what_is_said_of_it_comes_back(self) -> None:
        """Success and keys, hidden anew; nothing else without being named. The factor is automatic."""
        self.begin(grants)
        reply = self.ask(None, None, MS_CHAP_2, MS_CHALLENGE)
        self.assertEqual((reply.code, text_of(reply)), (Code.ACCESS_ACCEPT, "Success. Logging you in..."))
        [(request, place)] = self.upstream.requests
        self.assertEqual(place, FIRST)
        self.assertEqual(first(request.attributes, AttributeId(311, 25)), b"\1\0" + b"r" * 48)
        self.assertEqual(first(request.attributes, AttributeId(311, 11)), b"c" * 16)
        self.assertIsNone(first(request.attributes, Type.USER_PASSWORD))
        self.assertEqual(first(reply.attributes, AttributeId(311, 26)), b"\1S=" + b"A" * 40)
        authenticator = bytes([self.identifier]) * 16
        keys = [
            decrypt_salted(first(reply.attributes, key) or b"", SECRET, authenticator) for key in (SEND_KEY, RECV_KEY)
        ]
        self.assertEqual(keys, [b"k" * 16, b"l" * 16])
        hidden = first(reply.attributes, MPPE_KEYS) or b""
        self.assertEqual((len(hidden), reveal_password(hidden, SECRET, authenticator)), (32, LANMAN_AND_NT))
        self.assertIsNone(first(reply.attributes, Type.CLASS))
        self.assertEqual([query.factor.value for query in self.duo.asked], ["push"])

    def test_a_name_in_another_encoding_goes_up_octet_for_octet(self) -> None:
        """The proof was computed over it. RFC 2759 §8.2."""
        self.begin(grants)
        self.logins._settings = type(self.logins._settings)(
            self.logins._settings.policy, EVERYTHING, AttributeId(0, 31), "latin-1", "DI", "radius_client", True
        )
        self.ask(None, None, MS_CHAP_2, MS_CHALLENGE, user="bjørn".encode("latin-1"))
        self.assertEqual(first(self.upstream.requests[0][0].attributes, Type.USER_NAME), "bjørn".encode("latin-1"))
        self.assertEqual(self.duo.preauths[0][0], "bjørn")

    def test_chap_takes_its_request_authenticator_along(self) -> None:
        """As CHAP-Challenge, since the request upstream has its own."""
        self.begin(lambda request: (2, []))
        self.assertEqual(self.ask(None, None, CHAP, authenticator=b"a" * 16).code, Code.ACCESS_ACCEPT)
        [(request, _)] = self.upstream.requests
        self.assertEqual(first(request.attributes, Type.CHAP_CHALLENGE), b"a" * 16)
        self.assertNotEqual(request.authenticator, b"a" * 16)

    def test_a_proof_that_passes_through_as_well_goes_up_once(self) -> None:
        """pass_through_all of [radius_client] copies no credential."""
        self.begin(grants, upstream_passes={"pass_through_all": True})
        self.ask(None, None, MS_CHAP_2, MS_CHALLENGE, vendor_attribute(9, 1, b"x"))
        [(request, _)] = self.upstream.requests
        for attribute in (AttributeId(311, 25), AttributeId(311, 11), AttributeId(9, 1)):
            self.assertEqual(len(all_values(request.attributes, attribute)), 1)

    def test_a_login_that_duo_refuses_carries_no_key_no_success_and_no_class(self) -> None:
        """§10.7, whatever passes through: what the upstream granted was not granted."""
        self.duo.auth_answer = DENIED
        self.begin(grants, pass_through=EVERYTHING)
        reply = self.ask(None, None, MS_CHAP_2, MS_CHALLENGE)
        self.assertEqual((reply.code, text_of(reply)), (Code.ACCESS_REJECT, "Login request denied."))
        self.assertEqual([number for number, _ in reply.attributes], OF_A_REFUSED_PROOF)
        self.assertRegex(said_of_proof(reply), REFUSED)

    def test_the_upstreams_ms_chap_error_comes_back_and_nothing_that_it_grants(self) -> None:
        """An Access-Reject with keys in it is still a reject; the log says what the error means."""
        error = vendor_attribute(311, 2, b"\1E=648 R=0 C=00 V=3 M=Password expired")
        self.begin(lambda request: (3, [error, *grants(request)[1]]))
        reply = self.ask(None, None, MS_CHAP_2, MS_CHALLENGE)
        self.assertEqual(reply.code, Code.ACCESS_REJECT)
        self.assertEqual({number for number, _ in reply.attributes}, {Type.MESSAGE_AUTHENTICATOR, Type.VENDOR_SPECIFIC})
        self.assertEqual(first(reply.attributes, AttributeId(311, 2)), b"\1E=648 R=0 C=00 V=3 M=Password expired")
        self.assertIsNone(first(reply.attributes, AttributeId(311, 26)))
        self.assertIn("refused name or password: password expired", self.log())
        self.assertEqual(self.duo.preauths, [])

    def test_a_change_of_password_goes_up_in_all_its_pieces(self) -> None:
        """MS-CHAP2-CPW with MS-CHAP-NT-Enc-PW in three; Duo is asked after it."""
        pieces = [bytes((6, 1, 0, number)) + bytes([number]) * 200 for number in (1, 2, 3)]
        change = vendor_attribute(311, 27, b"\7\1" + b"w" * 66)
        self.begin(grants)
        reply = self.ask(None, None, change, *[vendor_attribute(311, 6, piece) for piece in pieces], MS_CHALLENGE)
        self.assertEqual(reply.code, Code.ACCESS_ACCEPT)
        [(request, _)] = self.upstream.requests
        self.assertEqual(all_values(request.attributes, AttributeId(311, 6)), pieces)
        self.assertEqual(len(self.duo.asked), 1)

    def test_a_changed_password_lets_nobody_in_whom_duo_refuses(self) -> None:
        """The server has changed it by then, which the how-to says; nothing that it grants reaches the device."""
        self.duo.auth_answer = DENIED
        self.begin(grants, pass_through=EVERYTHING)
        change = vendor_attribute(311, 27, b"\7\1" + b"w" * 66)
        reply = self.ask(None, None, change, vendor_attribute(311, 6, b"p" * 200), MS_CHALLENGE)
        self.assertEqual((reply.code, len(self.upstream.requests)), (Code.ACCESS_REJECT, 1))
        self.assertEqual([number for number, _ in reply.attributes], OF_A_REFUSED_PROOF)
        self.assertRegex(said_of_proof(reply), REFUSED)

    def test_whoever_refuses_the_client_is_told_the_same(self) -> None:
        """Duo, its outage, a server that says nothing itself, nobody who can check, half a proof: E=691, no retry."""
        self.begin(lambda request: (3, []))
        refused = [self.ask(None, None, MS_CHAP_2, MS_CHALLENGE), self.ask(None, None, MS_CHAP_2)]
        for fault in (DENIED, ServiceUnavailable("Duo", "away"), ZeroDivisionError()):
            self.duo = FakeSecondFactor(ASK, fault)
            self.begin(grants)
            refused.append(self.ask(None, None, MS_CHAP_2, MS_CHALLENGE))
        self.begin(grants, takes_proofs=False)
        refused.append(self.ask(None, None, MS_CHAP_2, MS_CHALLENGE))
        self.assertEqual({reply.code for reply in refused}, {Code.ACCESS_REJECT})
        for reply in refused:
            self.assertRegex(said_of_proof(reply), REFUSED)
            self.assertEqual(len(all_values(reply.attributes, AttributeId(311, 2))), 1)
        self.assertNotEqual(said_of_proof(refused[0]), said_of_proof(refused[1]), "the same challenge twice")
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_chap_and_pap_are_refused_without_an_ms_chap_error(self) -> None:
        """It is for MS-CHAP only. RFC 2548 §2.1.5."""
        self.duo.auth_answer = DENIED
        self.begin(grants, pass_through=EVERYTHING)
        for reply in (self.ask(None, None, CHAP), self.ask(PASSWORD)):
            self.assertEqual([number for number, _ in reply.attributes], OF_A_REFUSED_PROOF[:2])

    def test_more_than_a_packet_takes_is_a_reject_that_says_so(self) -> None:
        """A proof in a thousand empty pieces is no fault of ours; the next login is served."""
        self.begin(grants)
        change = vendor_attribute(311, 27, b"\7\1" + b"w" * 66)
        pieces = [(int(Type.VENDOR_SPECIFIC), b"\0\0\x01\x37" + bytes((6, 2)) * 120)] * 14
        reply = self.ask(None, None, change, *pieces, MS_CHALLENGE)
        self.assertEqual((reply.code, self.upstream.requests, self.duo.preauths), (Code.ACCESS_REJECT, [], []))
        self.assertIn("the request does not fit into one for the RADIUS server (a packet has at most", self.log())
        self.assertNotIn("a fault in duoproxy itself", self.log())
        self.assertEqual(self.ask(None, None, MS_CHAP_2, MS_CHALLENGE).code, Code.ACCESS_ACCEPT)

    def test_failmode_and_exemption_hold_as_with_pap(self) -> None:
        """Fail-open, fail-closed, exempt: with the keys where somebody gets in."""
        for policy, fault, code in (
            (LoginPolicy(failmode=Failmode.SAFE), ServiceUnavailable("Duo", "away"), Code.ACCESS_ACCEPT),
            (LoginPolicy(failmode=Failmode.SECURE), ServiceUnavailable("Duo", "away"), Code.ACCESS_REJECT),
            (LoginPolicy(exempt_usernames=frozenset({"alice"})), None, Code.ACCESS_ACCEPT),
        ):
            self.duo = FakeSecondFactor(fault or ASK)
            self.begin(grants, policy=policy)
            reply = self.ask(None, None, MS_CHAP_2, MS_CHALLENGE)
            self.assertEqual(reply.code, code)
            self.assertEqual(first(reply.attributes, SEND_KEY) is not None, code == Code.ACCESS_ACCEPT)

    def test_where_nobody_can_check_a_proof_the_reject_says_to_set_pap(self) -> None:
        """In the log and to the user; nobody is asked."""
        self.begin(grants, takes_proofs=False)
        reply = self.ask(None, None, MS_CHAP_2, MS_CHALLENGE)
        self.assertEqual(reply.code, Code.ACCESS_REJECT)
        self.assertIn("it must be set to PAP", text_of(reply))
        self.assertIn("it carries an MS-CHAP2-Response. Only the PAP", self.log())
        self.assertIn("set the device to PAP.", self.log())
        self.assertEqual((self.upstream.requests, self.duo.preauths), ([], []))

    def test_two_proofs_or_half_of_one_reach_nobody(self) -> None:
        """A request that can be read in two ways, or in none."""
        self.begin(grants)
        for carried in ([CHAP, MS_CHAP_2, MS_CHALLENGE], [MS_CHAP_2], [(3, b"short")], [(79, b"\2\1\0\5\1")]):
            self.assertEqual(self.ask(None, None, *carried).code, Code.ACCESS_REJECT)
        self.assertEqual(self.ask(PASSWORD, None, CHAP).code, Code.ACCESS_REJECT)
        self.assertIn("it carries a CHAP-Password and a User-Password, and a login has one credential", self.log())
        self.assertEqual(self.upstream.requests, [])
        self.assertEqual(self.ask(None, None, MS_CHAP_2, MS_CHALLENGE).code, Code.ACCESS_ACCEPT)

    def test_a_retry_with_the_same_proof_joins_and_the_keys_fit_the_newest_request(self) -> None:
        """One push; the older request is met with silence."""
        self.duo = SlowDuo()
        self.begin(grants)
        older = self.send(None, None, MS_CHAP_2, MS_CHALLENGE, *SESSION)
        newer = self.send(None, None, MS_CHAP_2, MS_CHALLENGE, *SESSION)
        self.duo.pending.callback(ALLOWED)
        self.assertEqual(self.answers(older), [])
        [reply] = self.answers(newer)
        key = first(reply.attributes, SEND_KEY) or b""
        self.assertEqual(decrypt_salted(key, SECRET, newer[4:20]), b"k" * 16)
        self.assertEqual((len(self.duo.asked), len(self.upstream.requests)), (1, 1))

    def test_another_proof_joins_nothing(self) -> None:
        """Another response, another challenge, or a CHAP-Password replayed under another Request Authenticator."""
        other = vendor_attribute(311, 25, b"\1\0" + b"s" * 48)
        for one, two in (
            ((MS_CHAP_2, MS_CHALLENGE), (other, MS_CHALLENGE)),
            ((MS_CHAP_2, MS_CHALLENGE), (MS_CHAP_2, vendor_attribute(311, 11, b"d" * 16))),
            ((CHAP,), (CHAP,)),
        ):
            self.duo = SlowDuo()
            self.begin(grants)
            self.send(None, None, *one, *SESSION)
            self.send(None, None, *two, *SESSION)
            self.assertEqual((len(self.duo.asked), len(self.upstream.requests)), (2, 2))
        self.duo = SlowDuo()
        self.begin(grants)
        for _ in range(2):
            self.send(None, None, CHAP, *SESSION, authenticator=b"a" * 16)
        self.assertEqual(len(self.duo.asked), 1)


def token(request: Packet) -> tuple[int, list[Attribute]]:
    """Ask for two codes after the password, each with a State of its own."""
    hidden = first(request.attributes, Type.USER_PASSWORD) or b""
    typed = reveal_password(hidden, UPSTREAM_SECRET, request.authenticator)
    steps = {None: (PASSWORD, b"one"), b"one": (b"111", b"two"), b"two": (b"222", None)}
    wanted, state = steps[state_in(request)]
    if typed != wanted:
        return 3, [(Type.REPLY_MESSAGE, b"Wrong code")]
    if state is None:
        return grants(request)
    code, attributes = asks(b"Code " + state, state, (Type.PROMPT, b"\0\0\0\1"), (Type.SESSION_TIMEOUT, b"\0\0\0\x1e"))
    return code, list(attributes)


class QuestionTests(RelayCase):
    """Access-Challenges of the upstream."""

    def test_a_question_and_its_answer_go_through_and_duo_comes_last(self) -> None:
        """Our State to the device, the upstream's to the upstream; text, Prompt and Session-Timeout as it says."""
        self.begin(token, pass_through=EVERYTHING)
        question = self.ask(PASSWORD)
        self.assertEqual((question.code, text_of(question)), (Code.ACCESS_CHALLENGE, "Code one"))
        self.assertEqual(first(question.attributes, Type.PROMPT), b"\0\0\0\1")
        self.assertEqual(first(question.attributes, Type.SESSION_TIMEOUT), b"\0\0\0\x1e")
        self.assertNotEqual(state_of(question), b"one")
        second = self.ask(b"111", state_of(question))
        self.assertEqual(text_of(second), "Code two")
        self.assertEqual(self.duo.preauths, [])
        accepted = self.ask(b"222", state_of(second))
        self.assertEqual(accepted.code, Code.ACCESS_ACCEPT)
        self.assertEqual(first(accepted.attributes, Type.CLASS), b"granted")
        self.assertEqual([state_in(request) for request, _ in self.upstream.requests], [None, b"one", b"two"])
        self.assertEqual(len(self.duo.asked), 1)
        self.assertEqual(self.causes(), ["approved"])
        self.assertIn("'alice' is shown a question of [radius_client].", self.log())

    def test_a_wrong_answer_is_rejected_by_the_upstream_and_duo_is_not_asked(self) -> None:
        """The upstream's Reply-Message where it is named."""
        self.begin(token, pass_through=EVERYTHING)
        reply = self.ask(b"999", state_of(self.ask(PASSWORD)))
        self.assertEqual((reply.code, text_of(reply)), (Code.ACCESS_REJECT, "Wrong code"))
        self.assertEqual((self.duo.preauths, self.causes()), ([], ["password-refused"]))

    def test_in_challenge_mode_the_prompt_for_the_factor_follows(self) -> None:
        """One State after the other, the last one for Duo's prompt."""
        self.begin(token, dialogue=DialogueOptions(same_answer_means_auto=False))
        second = self.ask(b"111", state_of(self.ask(PASSWORD)))
        prompt = self.ask(b"222", state_of(second))
        self.assertIn("Duo two-factor login for alice", text_of(prompt))
        self.assertEqual(first(prompt.attributes, Type.SESSION_TIMEOUT), (120).to_bytes(4, "big"))
        self.assertEqual(self.ask(b"push", state_of(prompt)).code, Code.ACCESS_ACCEPT)
        self.assertEqual(len(self.upstream.requests), 3)

    def test_an_appended_factor_is_kept_until_duo_is_asked(self) -> None:
        """`password,phone`."""
        self.begin(token, policy=appending())
        second = self.ask(b"111", state_of(self.ask(PASSWORD + b",phone")))
        self.assertEqual(self.ask(b"222", state_of(second)).code, Code.ACCESS_ACCEPT)
        self.assertEqual([query.factor.value for query in self.duo.asked], ["phone"])

    def test_a_proof_can_be_followed_by_a_question_and_a_password_as_its_answer(self) -> None:
        """MS-CHAPv2, then a code in User-Password; the keys come with the end."""

        def script(request: Packet) -> tuple[int, list[Attribute]]:
            if state_in(request) is None:
                return int(Code.ACCESS_CHALLENGE), [(Type.STATE, b"s"), (Type.REPLY_MESSAGE, b"Code?")]
            return grants(request)

        self.begin(script)
        accepted = self.ask(b"111", state_of(self.ask(None, None, MS_CHAP_2, MS_CHALLENGE)))
        self.assertEqual(accepted.code, Code.ACCESS_ACCEPT)
        self.assertIsNotNone(first(accepted.attributes, SEND_KEY))

    def test_a_question_carries_nothing_that_only_an_accept_grants(self) -> None:
        """The device has no key and no success before Duo's yes, though the upstream sends them with its question."""
        error = vendor_attribute(311, 2, b"\1E=648 R=1")

        def script(request: Packet) -> tuple[int, list[Attribute]]:
            return int(Code.ACCESS_CHALLENGE), [*grants(request)[1], (Type.STATE, b"s"), error]

        for passes in (PassThrough(), EVERYTHING):
            self.begin(script, pass_through=passes)
            question = self.ask(None, None, MS_CHAP_2, MS_CHALLENGE)
            self.assertEqual((question.code, text_of(question)), (Code.ACCESS_CHALLENGE, "Hello"))
            vendors = [pair for pair in question.attributes if pair[0] == Type.VENDOR_SPECIFIC]
            self.assertEqual(vendors, [error])
            self.assertIsNone(first(question.attributes, Type.CLASS))
        self.assertEqual(self.duo.preauths, [])

    def test_a_long_time_to_answer_is_cut_to_ours(self) -> None:
        """The device is promised no more than we keep; a question without a State or time is one, too."""
        for more, life in (([(Type.SESSION_TIMEOUT, b"\0\0\xff\xff")], 120), ([(Type.SESSION_TIMEOUT, b"\1")], 120)):
            self.begin(lambda request, more=more: (11, [(Type.REPLY_MESSAGE, b"?"), *more]))  # type: ignore[misc]
            question = self.ask(PASSWORD)
            self.assertEqual(first(question.attributes, Type.SESSION_TIMEOUT), life.to_bytes(4, "big"))

    def test_answers_go_to_the_server_that_asked(self) -> None:
        """Though another one is preferred again; and if it is silent, nobody else is asked."""
        silent = {FIRST}

        def script(request: Packet) -> tuple[int, list[Attribute]] | None:
            if self.upstream.requests[-1][1] in silent:
                return None
            return token(request)

        self.begin(script)
        request = self.send(PASSWORD)
        self.clock.pump([1.0] * 4)
        [question] = self.answers(request)
        silent.clear()
        self.clock.advance(60)
        second = self.ask(b"111", state_of(question))
        self.assertEqual(self.upstream.requests[-1][1], SECOND)
        silent.update({SECOND})
        before = len(self.upstream.requests)
        last = self.send(b"222", state_of(second))
        self.clock.pump([1.0] * 10)
        self.assertEqual(self.answers(last), [])
        self.assertEqual({place for _, place in self.upstream.requests[before:]}, {SECOND})
        self.assertEqual(self.causes(), ["primary-unreachable"])
        self.assertEqual(self.duo.preauths, [])

    def test_an_endless_upstream_has_refused(self) -> None:
        """Twenty questions, then a reject; Duo is never asked."""
        self.begin(lambda request: asks(b"And again?", b"s"))
        reply = self.ask(PASSWORD)
        for _ in range(20):
            reply = self.ask(b"x", state_of(reply))
        self.assertEqual(reply.code, Code.ACCESS_REJECT)
        self.assertEqual((len(self.upstream.requests), self.duo.preauths), (21, []))


class AbuseTests(RelayCase):
    """Whoever knows the password, or sees one State, gains nothing with it."""

    def setUp(self) -> None:
        super().setUp()
        self.begin(token)

    def test_a_state_of_somebody_else_is_worth_nothing(self) -> None:
        """Guessed, of another device or user, several: rejected, and nothing goes upstream; the owner goes on."""
        state = state_of(self.ask(PASSWORD))
        for attempt in (
            self.send(b"111", bytes(16)),
            self.send(b"111", b"one"),
            self.send(b"111", b""),
            self.send(b"111", state + b"x"),
            self.send(b"111", state, device=OTHER_DEVICE),
            self.send(b"111", state, user=b"bob"),
            self.send(b"111", state, (int(Type.STATE), bytes(16))),
        ):
            self.assertEqual([reply.code for reply in self.answers(attempt)], [Code.ACCESS_REJECT])
        self.assertEqual(len(self.upstream.requests), 1)
        self.assertEqual(text_of(self.ask(b"111", state)), "Code two")

    def test_a_used_state_gives_the_same_reply_to_the_same_answer_and_a_reject_to_others(self) -> None:
        """Retransmitted with new Identifiers: the upstream is asked once."""
        state = state_of(self.ask(PASSWORD))
        first_reply, again = self.ask(b"111", state), self.ask(b"111", state)
        self.assertEqual(state_of(first_reply), state_of(again))
        self.assertEqual(self.ask(b"112", state).code, Code.ACCESS_REJECT)
        self.assertEqual(self.ask(b"111", state, (int(Type.NAS_PORT), bytes(4))).code, Code.ACCESS_REJECT)
        self.assertEqual(len(self.upstream.requests), 2)

    def test_answers_retransmitted_while_the_push_rings_are_one_push(self) -> None:
        """Newest answered, the others met with silence; one request upstream."""
        self.duo = SlowDuo()
        self.begin(token)
        second = self.ask(b"111", state_of(self.ask(PASSWORD)))
        sent = [self.send(b"222", state_of(second)) for _ in range(4)]
        other = self.send(b"223", state_of(second))
        self.assertEqual([reply.code for reply in self.answers(other)], [Code.ACCESS_REJECT])
        self.duo.pending.callback(ALLOWED)
        self.assertEqual([[reply.code for reply in self.answers(one)] for one in sent], [[], [], [], [2]])
        self.assertEqual((len(self.duo.asked), len(self.upstream.requests)), (1, 3))
        self.assertEqual(self.ask(b"222", state_of(second)).code, Code.ACCESS_ACCEPT)
        self.assertEqual(len(self.duo.asked), 1)

    def test_after_its_end_and_after_its_time_a_state_is_a_reject(self) -> None:
        """Never a new login: nothing goes upstream."""
        state = state_of(self.ask(PASSWORD))
        self.clock.advance(CHALLENGE_LIFE_S)
        self.assertEqual(self.ask(b"111", state).code, Code.ACCESS_REJECT)
        self.assertEqual(self.causes(), ["prompt-unanswered"])
        state = state_of(self.ask(PASSWORD))
        self.assertEqual(self.ask(b"999", state).code, Code.ACCESS_REJECT)
        self.clock.advance(31)
        asked = len(self.upstream.requests)
        self.assertEqual(self.ask(b"999", state).code, Code.ACCESS_REJECT)
        self.assertEqual(self.ask(PASSWORD, state).code, Code.ACCESS_REJECT)
        self.assertEqual(len(self.upstream.requests), asked)

    def test_abandoned_questions_have_a_bound_and_push_aside_no_prompt(self) -> None:
        """An upstream that asks before it knows the password does not let strangers fill the room of others."""
        self.begin(token, dialogue=DialogueOptions(same_answer_means_auto=False), max_open=3)
        second = self.ask(b"111", state_of(self.ask(PASSWORD)))
        prompt = state_of(self.ask(b"222", state_of(second)))
        for _ in range(50):
            self.ask(PASSWORD, user=b"mallory")
        self.assertEqual(len(self.logins._challenges), 4)
        self.assertEqual(self.ask(b"push", prompt).code, Code.ACCESS_ACCEPT)
        self.clock.advance(CHALLENGE_LIFE_S + 5)
        self.assertEqual(len(self.logins._challenges), 0)

    def test_a_device_that_floods_pushes_aside_its_own_questions_only(self) -> None:
        """Who has proven nothing makes up names as he likes; a user of another device keeps his question."""
        self.begin(token, max_open=8)
        question = state_of(self.ask(PASSWORD, user=b"bob", device=OTHER_DEVICE))
        for number in range(50):
            self.ask(PASSWORD, user=b"nobody%d" % number)
        self.assertEqual(len(self.logins._challenges), 8)
        self.assertEqual(self.ask(b"111", question, user=b"bob", device=OTHER_DEVICE).code, Code.ACCESS_CHALLENGE)

    def test_a_forged_challenge_of_nobody_asks_nobody(self) -> None:
        """§4c 16, 19: a challenge with another secret is ignored, and the wait goes on."""
        self.begin(lambda request: None)
        request = self.send(PASSWORD)
        sent, destination, _ = self.upstream.sockets[0].sent[0]
        self.upstream.sockets[0].deliver(signed_reply(11, sent, [(24, b"s")], b"wrong secret"), destination)
        self.assertEqual(self.answers(request), [])
        self.upstream.sockets[0].deliver(signed_reply(3, sent, [], UPSTREAM_SECRET), destination)
        self.assertEqual([reply.code for reply in self.answers(request)], [Code.ACCESS_REJECT])

    def test_an_upstream_that_signed_once_is_not_believed_unsigned(self) -> None:
        """§4c 15: neither a challenge nor an accept; the login goes on to the next server, which signs."""

        def script(request: Packet) -> tuple[int, list[Attribute]] | None:
            return None if silenced and self.upstream.requests[-1][1] == FIRST else token(request)

        silenced: list[int] = []
        self.begin(script)
        self.ask(PASSWORD)
        silenced.append(1)
        request = self.send(PASSWORD)
        sent = self.upstream.sockets[0].sent[-1][0]
        for code in (11, 2):
            forged = unsigned_reply(code, sent, [(int(Type.STATE), b"one")], UPSTREAM_SECRET)
            self.upstream.sockets[0].deliver(forged, FIRST)
        self.assertEqual(self.answers(request), [])
        self.clock.pump([1.0] * 4)
        [reply] = self.answers(request)
        self.assertEqual((text_of(reply), self.upstream.requests[-1][1]), ("Code one", SECOND))

    def test_a_state_from_before_a_restart_is_a_reject(self) -> None:
        """§4c 20: at a proxy that never gave it, too; nothing goes upstream."""
        state = state_of(self.ask(PASSWORD))
        self.begin(token)
        self.assertEqual(self.ask(b"111", state).code, Code.ACCESS_REJECT)
        self.assertEqual(self.upstream.requests, [])

    def test_a_passcode_in_a_second_login_is_judged_by_duo_again(self) -> None:
        """§4c 23: no answer of Duo's counts twice."""
        self.begin(token, dialogue=DialogueOptions(same_answer_means_auto=False))
        for verdict in (ALLOWED, DENIED):
            self.duo.auth_answer = verdict
            prompt = self.ask(b"222", state_of(self.ask(b"111", state_of(self.ask(PASSWORD)))))
            last = self.ask(b"424242", state_of(prompt))
            self.assertEqual(last.code == Code.ACCESS_ACCEPT, verdict is ALLOWED)
        self.assertEqual(len(self.duo.asked), 2)

    def test_one_approval_is_one_login(self) -> None:
        """§4c 23, 24: an approval of one login lets no other in; each has a question of its own."""
        self.duo = SlowDuo()
        self.begin(token)
        mine = self.send(b"222", state_of(self.ask(b"111", state_of(self.ask(PASSWORD)))))
        approved = self.duo.pending
        theirs = self.send(b"222", state_of(self.ask(b"111", state_of(self.ask(PASSWORD)))))
        approved.callback(ALLOWED)
        self.assertEqual([reply.code for reply in self.answers(mine)], [Code.ACCESS_ACCEPT])
        self.assertEqual(self.answers(theirs), [])
        self.duo.pending.callback(DENIED)
        self.assertEqual([reply.code for reply in self.answers(theirs)], [Code.ACCESS_REJECT])
