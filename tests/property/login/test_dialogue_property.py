"""Any user, any supplicant, any service: what must hold of every dialogue."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from duoproxy.duoapi.messages import AuthAnswer, AuthQuery, Device, Factor, Preauth, PreauthResult, PromptOption
from duoproxy.errors import AnswerLost, PrimaryUnreachable, ServiceRefused, ServiceUnavailable
from duoproxy.login.auto_backoff import AutoBackoff, StationBackoff
from duoproxy.login.dialogue import Dialogue, DialogueOptions
from duoproxy.login.events import Stage, StageEvent
from duoproxy.login.factors import AppendMode
from duoproxy.login.outcome import Cause, PrimaryOutcome, Verdict
from duoproxy.login.parties import LoginTools
from duoproxy.login.policy import Failmode, LoginPolicy, SecondTryLedger
from duoproxy.login.prompt import PromptFormat
from duoproxy.login.request import LoginRequest
from duoproxy.login.steps import AskStep, EndStep, Step
from duoproxy.secret import Secret
from duoproxy.testing import make_request, run_now

PHONE = Device("DP1", True, frozenset({"push", "phone", "sms"}), "XXX-XXX-1234", "1")
LANDLINE = Device("DP2", True, frozenset({"phone"}), "XXX-XXX-9999")
PAGER = Device("DP3", True, frozenset({"sms"}), "XXX-XXX-0000")
TOKEN = Device("DH1", False, frozenset({"mobile_otp"}))
OWN_PROMPT = Preauth(
    PreauthResult.AUTH,
    devices=(PHONE,),
    prompt="Duo login\n 1. SMS\n 2. Push",
    prompt_options=(PromptOption(1, Factor.SMS, "phone1"), PromptOption(2, Factor.PUSH, "phone1")),
)
WRONG = AuthAnswer(False, "deny", "Incorrect passcode.")
AWAY = ServiceUnavailable("Duo", "no connection")

PASSWORDS = ("correct horse", "push", "1", "pass,123456")
FACTORS = ("push", "push2", "phone", "phone2", "sms", "auto", "1", "2", "3", "4", "9", "123456", "bypass", "x" * 200)
answers = st.sampled_from((*FACTORS, "", " ")) | st.sampled_from(PASSWORDS) | st.text(max_size=8)
services = st.sampled_from(
    (
        AuthAnswer(True, "allow", "Welcome."),
        AuthAnswer(False, "deny", "No."),
        AuthAnswer(False, "deny", ""),
        AuthAnswer(False, "timeout", "Login timed out."),
        AuthAnswer(False, "fraud", ""),
        AuthAnswer(False, "locked_out", "Locked."),
        AuthAnswer(False, "sent", "Sent."),
        AuthAnswer(True, "sent", "Sent."),
        WRONG,
        AWAY,
        ServiceRefused("Duo", "wrong skey", status=401),
        AnswerLost("Duo", "lost"),
    )
)
preauths = st.one_of(
    st.lists(st.sampled_from((PHONE, LANDLINE, PAGER, TOKEN)), max_size=3).map(
        lambda devices: Preauth(PreauthResult.AUTH, devices=tuple(devices))
    ),
    st.just(OWN_PROMPT),
    st.just(OWN_PROMPT),
    st.sampled_from([Preauth(result) for result in PreauthResult if result is not PreauthResult.AUTH]),
    st.just(AWAY),
)


class World:
    """Both factors, with an account of what they were asked and what they said."""

    def __init__(self, password: str) -> None:
        self.password = password
        self.primary_away = False
        self.proven = False
        self.preauth_answer: Preauth | Exception = OWN_PROMPT
        self.next: AuthAnswer | Exception = AWAY
        self.queries: list[AuthQuery] = []
        self.said: list[AuthAnswer | Exception] = []

    async def check(self, request: LoginRequest) -> PrimaryOutcome:
        if self.primary_away:
            raise PrimaryUnreachable("directory", "away")
        self.proven = request.password.reveal_text() == self.password
        return PrimaryOutcome(self.proven)

    async def preauth(self, username: str, client_ip: str | None) -> Preauth:
        if isinstance(self.preauth_answer, Exception):
            raise self.preauth_answer
        return self.preauth_answer

    async def ask(self, query: AuthQuery) -> AuthAnswer:
        self.queries.append(query)
        self.said.append(self.next)
        if isinstance(self.next, Exception):
            raise self.next
        return self.next


class Primary:
    """The first factor of a world."""

    def __init__(self, world: World) -> None:
        self.authenticate = world.check


class Duo:
    """The second factor of a world."""

    def __init__(self, world: World) -> None:
        self.preauth, self.authenticate = world.preauth, world.ask

    def begin_login(self) -> Duo:
        return self


class DialogueMachine(RuleBasedStateMachine):
    """Logins of one section, one after the other, with any answers to any prompts."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.backoff = AutoBackoff()
        self.ledger = SecondTryLedger()
        self.events: list[StageEvent] = []
        self.dialogue: Dialogue | None = None
        self.world = World("")
        self.prompts = 0
        self.typed: list[str] = []

    @precondition(lambda self: self.dialogue is None)
    @rule(
        password=st.sampled_from(PASSWORDS),
        field=st.sampled_from((*("{}",) * 8, "{},push", "{},sms", "{},auto", "{},123456", "wrong", "")),
        preauth=preauths,
        service=services,
        options=st.builds(
            DialogueOptions,
            st.sampled_from(PromptFormat),
            st.sampled_from((True, True, True, False)),
            st.booleans(),
            enroll_as_prompt=st.booleans(),
        ),
        failmode=st.sampled_from(Failmode),
        append=st.sampled_from((True, True, True, False)),
        exempt=st.sampled_from((False,) * 7 + (True,)),
        away=st.sampled_from((False,) * 7 + (True,)),
    )
    def login_begins(
        self,
        *,
        password: str,
        field: str,
        preauth: Preauth | Exception,
        service: AuthAnswer | Exception,
        options: DialogueOptions,
        failmode: Failmode,
        append: bool,
        exempt: bool,
        away: bool,
    ) -> None:
        self.world = World(password)
        self.world.preauth_answer, self.world.next, self.world.primary_away = preauth, service, away
        self.policy = LoginPolicy(
            append=AppendMode(allow_concat=append),
            exempt_usernames=frozenset({"alice"} if exempt else ()),
            failmode=failmode,
        )
        self.options, self.prompts, self.events = options, 0, []
        self.field = field.format(password)
        request = make_request("alice", self.field)
        tools = LoginTools(lambda: self.now, self.events.append, self.ledger)
        self.station = StationBackoff.of(self.backoff, request, "02-00-00-00-00-01")
        self.dialogue = Dialogue(
            request,
            self.policy,
            Primary(self.world),
            Duo(self.world),
            tools,
            options,
            self.station,
        )
        self._held_back = bool(self.station.wait_s(self.now))
        self._took(run_now(self.dialogue.begin()), "")

    @precondition(lambda self: self.dialogue is not None)
    @rule(answer=answers, service=services)
    def user_answers(self, answer: str, service: AuthAnswer | Exception) -> None:
        self._answer(answer, service)

    @precondition(lambda self: self.dialogue is not None)
    @rule(service=services)
    def user_answers_with_the_password(self, service: AuthAnswer | Exception) -> None:
        self._answer(self.world.password, service)

    @precondition(lambda self: self.dialogue is not None)
    @rule()
    def user_mistypes_a_passcode(self) -> None:
        self._answer("654321", WRONG)

    @precondition(lambda self: self.dialogue is not None)
    @rule(answer=st.sampled_from(FACTORS))
    def service_is_away_by_now(self, answer: str) -> None:
        self._answer(answer, AWAY)

    @precondition(lambda self: self.dialogue is not None)
    @rule(service=services)
    def supplicant_answers_with_what_it_stored(self, service: AuthAnswer | Exception) -> None:
        before = len(self.world.queries)
        self._answer(self.field, service)
        asked = self.world.queries[before:]
        assert all(query.factor in (Factor.PUSH, Factor.PHONE) for query in asked)
        if self.options.same_answer_means_auto:
            assert self.dialogue is None, "the stored password means the automatic choice, once"
            assert not (asked and self._held_back)
        else:
            assert not asked

    @precondition(lambda self: self.dialogue is not None)
    @rule()
    def user_goes_away(self) -> None:
        assert self.dialogue is not None
        outcome = self.dialogue.abandon()
        assert outcome is not None
        self._took(EndStep(outcome), None)

    @rule(seconds=st.sampled_from((1.0, 59.0, 61.0, 1000.0)))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @invariant()
    def the_password_is_never_sent_to_duo(self) -> None:
        sent = {query.passcode.reveal_text() for query in self.world.queries if query.passcode is not None}
        if self.world.proven:
            assert self.world.password not in sent
            assert self.field not in sent

    def _answer(self, answer: str, service: AuthAnswer | Exception) -> None:
        assert self.dialogue is not None
        self.world.next = service
        self._held_back = bool(self.station.wait_s(self.now))
        self._took(run_now(self.dialogue.answer(Secret(answer))), answer)

    _asked_before: int = 0

    def _took(self, step: Step, answer: str | None) -> None:
        questions, self._asked_before = len(self.world.queries) - self._asked_before, len(self.world.queries)
        assert questions <= (0 if answer is None else 1), "one answer, at most one question to Duo"
        if isinstance(step, AskStep):
            self.prompts += 1
            assert self.prompts <= 3
            assert step.text
            assert self.world.proven
            return
        self._ended(step)

    def _ended(self, step: EndStep) -> None:
        outcome, said = step.outcome, self.world.said
        stages = [event.stage for event in self.events]
        assert stages == [Stage.PRIMARY, Stage.SECONDARY][: 1 + self.world.proven]
        if outcome.verdict is Verdict.ACCEPT:
            assert self.world.proven
            assert self.events[-1].allowed
            assert self._is_entitled(outcome.cause, said)
            assert self.events[-1].bypass_reason == (outcome.cause.value if outcome.cause.is_bypass else "")
        else:
            assert not self.events[-1].allowed
            assert (outcome.verdict is Verdict.SILENCE) == self.world.primary_away
        self.dialogue, self._asked_before = None, 0

    def _is_entitled(self, cause: Cause, said: Sequence[AuthAnswer | Exception]) -> bool:
        preauth = self.world.preauth_answer
        if cause is Cause.APPROVED:
            last = said[-1]
            return isinstance(last, AuthAnswer) and last.allowed and self.world.queries[-1].factor is not Factor.SMS
        if cause is Cause.EXEMPT_USER:
            return self.policy.is_exempt("alice")
        if cause is Cause.DUO_BYPASS:
            return isinstance(preauth, Preauth) and preauth.result is PreauthResult.ALLOW
        away = preauth is AWAY or list(said) == [AWAY]
        return cause is Cause.FAILMODE_SAFE and self.policy.failmode is Failmode.SAFE and away


TestDialogueMachine = DialogueMachine.TestCase
TestDialogueMachine.settings = settings(max_examples=200, stateful_step_count=40, deadline=None)
