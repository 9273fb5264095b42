"""Logins with challenges over one listener, for any order of logins, answers, retries, thefts and time."""

from __future__ import annotations

from attrs import define, field
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from duoproxy.duoapi.messages import AuthAnswer, AuthQuery, Factor
from duoproxy.login.dialogue import MAX_PROMPTS, DialogueOptions
from duoproxy.login.factors import AppendMode
from duoproxy.login.policy import LoginPolicy
from duoproxy.radius.attributes import AttributeId, Type, first
from duoproxy.radius.challenges import CHALLENGE_LIFE_S
from duoproxy.radius.packet import Code
from duoproxy.radius.relay import PassThrough
from duoproxy.sections.challenge_login import ChallengeLogins
from duoproxy.sections.login_shell import LoginShellSettings
from duoproxy.testing import ALLOWED, DENIED, FakePrimary, FakeSecondFactor, make_environment
from tests.twisted.listener_case import start_listener
from tests.twisted.radius_fakes import open_reply, request_octets

PASSWORD, CODE, MAX_OPEN = b"correct horse", "424242", 3
DEVICES = ["10.0.0.5", "10.0.0.6"]
NAMES = [b"alice", b"bob"]
ANSWERS = [b"push", CODE.encode(), b"000000", PASSWORD]


@define
class Phone(FakeSecondFactor):
    """Judges passcodes at once, and lets pushes ring until the test answers them."""

    ringing: list[Deferred[AuthAnswer]] = field(factory=list)

    async def authenticate(self, query: AuthQuery) -> AuthAnswer:
        if query.factor is Factor.PASSCODE:
            good = query.passcode is not None and query.passcode.reveal_text() == CODE
            return ALLOWED if good else AuthAnswer(False, "deny", "Incorrect passcode.")
        pending: Deferred[AuthAnswer] = Deferred()
        self.ringing.append(pending)
        return await pending


@define
class Sent:
    """One request: its octets, who sent it, and what it says."""

    octets: bytes
    device: str
    user: bytes
    text: bytes
    state: bytes | None


class ChallengeLoginsMachine(RuleBasedStateMachine):
    """Honest devices and thieves send; the machine keeps book of what each State may be used for."""

    def __init__(self) -> None:
        super().__init__()
        self.clock, self.phone = Clock(), Phone()
        environment = make_environment("radius_server_challenge", reactor=self.clock)
        policy = LoginPolicy(append=AppendMode(allow_concat=False))
        shell = LoginShellSettings(policy, PassThrough(), AttributeId(0, 31), "utf-8", "DI", "radius_client")
        dialogue = DialogueOptions(same_answer_means_auto=False)
        primary = FakePrimary(PASSWORD.decode())
        self.logins = ChallengeLogins(shell, dialogue, environment, primary, self.phone, MAX_OPEN)
        self.logins.start()
        self.server, self.transport = start_listener(environment, self.logins.handle)
        self.number = 0
        self.requests: list[Sent] = []
        self.owner: dict[bytes, tuple[str, bytes]] = {}
        self.depth: dict[bytes, int] = {}
        self.given_at: dict[bytes, float] = {}
        self.step_text: dict[bytes, bytes] = {}
        self.read = 0
        self.accepts: set[bytes] = set()
        self.approved = 0
        self.right_codes: set[bytes] = set()

    def _send(self, device: str, user: bytes, text: bytes, state: bytes | None) -> None:
        self.number += 1
        carried = [(int(Type.STATE), state)] if state else []
        identifier = self.number % 256
        octets = request_octets(
            identifier,
            attributes=carried,
            password=text,
            user=user,
            authenticator=self.number.to_bytes(16, "big"),
        )
        self.requests.append(Sent(octets, device, user, text, state))
        self.transport.deliver(octets, (device, 50000 + self.number // 256))
        self._read_replies()

    def _read_replies(self) -> None:
        for octets, (host, _), _ in self.transport.sent[self.read :]:
            request = next(one for one in reversed(self.requests) if one.octets[1] == octets[1] and one.device == host)
            reply = open_reply(octets, request.octets)
            if reply.code == Code.ACCESS_CHALLENGE:
                self._note_challenge(request, first(reply.attributes, Type.STATE))
            elif reply.code == Code.ACCESS_ACCEPT:
                self._note_accept(request)
        self.read = len(self.transport.sent)

    def _note_challenge(self, request: Sent, state: bytes | None) -> None:
        assert state is not None
        assert request.text == PASSWORD or request.state is not None, "a prompt needs the password"
        if state in self.owner:
            return  # the same reply again
        self.owner[state] = (request.device, request.user)
        self.depth[state] = self.depth[request.state] + 1 if request.state else 1
        self.given_at[state] = self.clock.seconds()
        assert self.depth[state] <= MAX_PROMPTS

    def _note_accept(self, request: Sent) -> None:
        assert request.state is not None, "the password alone lets nobody in"
        assert self.owner[request.state] == (request.device, request.user), "a State of somebody else"
        assert self.step_text.setdefault(request.state, request.text) == request.text, "another answer than the first"
        assert request.text in (b"push", b"1", CODE.encode())
        self.accepts.add(request.state)
        if request.text == CODE.encode():
            self.right_codes.add(request.state)

    @rule(
        device=st.sampled_from(DEVICES),
        user=st.sampled_from(NAMES),
        password=st.sampled_from([PASSWORD, PASSWORD, b"wrong"]),
    )
    def login_begins(self, device, user, password):
        self._send(device, user, password, None)

    @precondition(lambda self: self.owner)
    @rule(data=st.data(), text=st.sampled_from(ANSWERS))
    def owner_answers(self, data, text):
        state = data.draw(st.sampled_from(sorted(self.owner)))
        self._send(*self.owner[state], text, state)

    @precondition(lambda self: self.owner)
    @rule(
        data=st.data(),
        device=st.sampled_from(DEVICES),
        user=st.sampled_from(NAMES),
        text=st.sampled_from([CODE.encode(), b"push"]),
    )
    def thief_answers(self, data, device, user, text):
        self._send(device, user, text, data.draw(st.sampled_from(sorted(self.owner))))

    @rule(state=st.sampled_from([b"\0" * 16, b"guess"]), text=st.sampled_from(ANSWERS))
    def somebody_guesses(self, state, text):
        self._send(DEVICES[0], NAMES[0], text, state)
        assert state not in self.owner

    @precondition(lambda self: self.phone.ringing)
    @rule(answer=st.sampled_from([ALLOWED, DENIED]))
    def user_answers_the_phone(self, answer):
        pending = self.phone.ringing.pop(0)
        before = len(self.accepts - self.right_codes)
        pending.callback(answer)
        self._read_replies()
        made = len(self.accepts - self.right_codes) - before
        assert made <= (1 if answer is ALLOWED else 0)
        self.approved += answer is ALLOWED

    @rule(seconds=st.sampled_from([1.0, 31.0, 119.0]))
    def time_passes(self, seconds):
        self.clock.advance(seconds)

    @invariant()
    def one_approval_is_one_login_at_most(self):
        assert len(self.accepts - self.right_codes) <= self.approved

    @invariant()
    def few_are_waited_for(self):
        assert self.logins.waiting <= MAX_OPEN
        late = [at for at in self.given_at.values() if self.clock.seconds() - at >= CHALLENGE_LIFE_S + 5]
        assert self.logins.waiting <= len(self.given_at) - len(late)

    def teardown(self) -> None:
        self.logins.stop()
        Deferred.fromCoroutine(self.server.stop())


TestChallengeLogins = ChallengeLoginsMachine.TestCase
TestChallengeLogins.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
