"""Any order of logins, answers, stolen and made-up States at one listener whose primary asks questions, too.

Nobody gets in without the password, both answers and an approval of this very login; nothing is a fault, and no table
grows past its bound. Each message of an input is one request: an octet that chooses device, user and State, one that
chooses the credential, and the text.
"""

from __future__ import annotations

from attrs import define, field
from twisted.internet.task import Clock

from duoproxy.duoapi.messages import AuthAnswer, AuthQuery, Factor
from duoproxy.login.dialogue import DialogueOptions
from duoproxy.login.factors import AppendMode, TypedFactor
from duoproxy.login.outcome import PrimaryOutcome, PrimaryQuestion
from duoproxy.login.policy import LoginPolicy
from duoproxy.login.prompt import PromptFormat, build_prompt, parse_answer
from duoproxy.login.request import LoginRequest, PasswordProof
from duoproxy.radius.attributes import AttributeId, Type, first, vendor_attribute
from duoproxy.radius.challenges import CHALLENGE_LIFE_S
from duoproxy.radius.packet import Attribute, Code
from duoproxy.radius.relay import PassThrough
from duoproxy.secret import Secret
from duoproxy.sections.challenge_login import ChallengeLogins
from duoproxy.sections.login_shell import LoginShellSettings
from duoproxy.testing import ALLOWED, ASK, DENIED, FakeSecondFactor, make_environment
from tests.fuzz.log_watch import LogWatch
from tests.fuzz.shaping import first_octet, messages
from tests.twisted.listener_case import start_listener
from tests.twisted.radius_fakes import FakeTransport, open_reply, request_octets

PASSWORD, TOKEN, CODE = "pencil", "111", "424242"
WORDS = (
    b"\x00\x00pencil",
    b"\x04\x00111",
    b"\x04\x00push",
    b"\x04\x00424242",
    b"\x04\x001",
    b"\x07\xff",
    b"\x0apencil,push",
)
DEVICES = (("10.0.0.5", 50000), ("10.0.0.6", 50000))
USERS = (b"alice", b"bob")
PROOF = (vendor_attribute(311, 25, bytes(50)), vendor_attribute(311, 11, bytes(16)))
MAX_OPEN, MAX_REQUESTS = 3, 40
PROMPT = build_prompt("alice", ASK, PromptFormat.CONSOLE)


@define
class Asking:
    """Wants the password, then the token; a proof is as good as the password."""

    passed: list[str] = field(factory=list)

    async def authenticate(self, request: LoginRequest) -> PrimaryOutcome:
        good = isinstance(request.credential, PasswordProof) or request.password.reveal_text() == PASSWORD
        if not good:
            return PrimaryOutcome(False, "wrong password")
        return PrimaryOutcome(False, "asks", question=PrimaryQuestion("Token?", self._token))

    async def _token(self, request: LoginRequest) -> PrimaryOutcome:
        if isinstance(request.credential, PasswordProof) or request.password.reveal_text() != TOKEN:
            return PrimaryOutcome(False, "wrong token")
        self.passed.append(request.username)
        return PrimaryOutcome(True)


@define
class Phone(FakeSecondFactor):
    """Approves every push of Alice's and the right code, and denies everything else."""

    approved: int = 0

    async def authenticate(self, query: AuthQuery) -> AuthAnswer:
        self.asked.append(query)
        if query.factor is Factor.PASSCODE:
            good = query.passcode is not None and query.passcode.reveal_text() == CODE
        else:
            good = query.username == "alice"
        self.approved += good
        return ALLOWED if good else DENIED


def target(data: bytes) -> None:
    chosen, rest = first_octet(data)
    _parsed(rest)
    clock, primary, phone = Clock(), Asking(), Phone()
    environment = make_environment("radius_server_auto", reactor=clock)
    shell = LoginShellSettings(
        LoginPolicy(append=AppendMode(bool(chosen & 1))), PassThrough(), AttributeId(0, 31), "utf-8", "DI", "c", True
    )
    dialogue = DialogueOptions(factor_prompt=bool(chosen & 2), same_answer_means_auto=bool(chosen & 4))
    logins = ChallengeLogins(shell, dialogue, environment, primary, phone, MAX_OPEN)
    server, transport = start_listener(environment, logins.handle)
    logins.start()
    states: list[bytes] = []
    accepted: set[bytes | None] = set()
    with LogWatch() as log:
        for number, message in enumerate(messages(rest)[:MAX_REQUESTS]):
            if message[:1] == b"\xff":
                clock.advance(CHALLENGE_LIFE_S / 2)
                continue
            accepted.add(_sent(transport, number, message, states))
            assert server.pending == 0
            assert len(logins._challenges) <= 2 * MAX_OPEN
    log.shows_no_fault()
    assert len(accepted - {None}) <= min(len(primary.passed), phone.approved)
    clock.advance(2 * CHALLENGE_LIFE_S)
    assert len(logins._challenges) == 0
    assert logins._challenges.remembered == 0


def _sent(transport: FakeTransport, number: int, message: bytes, states: list[bytes]) -> bytes | None:
    """Send one request and look at its answer; give the State by which it let somebody in."""
    where, after = first_octet(message)
    kind, text = first_octet(after)
    carried: list[Attribute] = []
    if where & 12 == 4 and states:
        carried.append((Type.STATE, states[-1]))
    elif where & 12 == 8 and states:
        carried.append((Type.STATE, states[(where >> 4) % len(states)]))
    elif where & 12 == 12:
        carried.append((Type.STATE, text[:20]))
    password: bytes | None = text[:128].rstrip(b"\0")
    if kind & 3 == 3:
        carried += PROOF
        password = None if kind & 4 else password
    octets = request_octets(number, attributes=carried, password=password, user=USERS[where >> 1 & 1])
    before = len(transport.sent)
    transport.deliver(octets, DEVICES[where & 1])
    [(datagram, destination, _)] = transport.sent[before:]
    assert destination == DEVICES[where & 1]
    reply = open_reply(datagram, octets)
    state = first(reply.attributes, Type.STATE)
    assert (state is not None) == (reply.code == Code.ACCESS_CHALLENGE)
    if state is not None and state not in states:
        states.append(state)
    # The primary asks everybody, so that nobody gets in by a request without a State. The same answer to the same State
    # is the same login once more, for half a minute.
    used = first(carried, Type.STATE)
    assert reply.code != Code.ACCESS_ACCEPT or used in states
    return used if reply.code == Code.ACCESS_ACCEPT else None


def _parsed(octets: bytes) -> None:
    """An answer is a line of the prompt, a word, or a passcode as it was typed; nothing else, and no exception."""
    answer = parse_answer(Secret(octets), PROMPT)
    if isinstance(answer, TypedFactor) and answer.passcode is not None:
        assert answer.passcode.reveal_text() == Secret(octets).reveal_text().strip()
