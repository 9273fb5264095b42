"""The machines, for any order of arrivals: what must hold whatever the network and the devices do."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, multiple, rule

from duoproxy.radius.duplicates import Arrival, DuplicateTable, Exchange
from duoproxy.radius.packet import Packet, encode_packet
from duoproxy.radius.retransmission import GiveUp, IdentifierPool, Retransmission, Send, SourceIdentifier
from duoproxy.radius.retries import PendingLogin, RetryTable
from duoproxy.secret import Secret

MAX_IN_FLIGHT = 8
MAX_CACHED = 4
LOCAL = ("192.0.2.1", 1812)


class ListenerMachine(RuleBasedStateMachine):
    """Devices that send, repeat and retry; a listener that answers in any order, late, or never."""

    exchanges = Bundle("exchanges")

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.table = DuplicateTable(max_in_flight=MAX_IN_FLIGHT, max_cached_replies=MAX_CACHED)
        self.open: dict[Exchange, bytes] = {}
        self.sent: dict[bytes, bytes] = {}
        self.expected: dict[bytes, tuple[float, bytes | None]] = {}

    @rule(
        target=exchanges,
        device=st.integers(1, 2),
        identifier=st.integers(0, 2),
        authenticator=st.integers(0, 3),
        authentic=st.booleans(),
    )
    def request_arrives(self, device, identifier, authenticator, authentic):
        source = (f"10.0.0.{device}", 1645)
        octets = encode_packet(Packet(1, identifier, bytes([authenticator]) * 16, ((4, bytes([device])),)))
        received = self.table.receive(source, LOCAL, octets, self.now, authentic=authentic)
        if octets in self.open.values():
            assert received.arrival is Arrival.IN_PROGRESS
            assert received.reply is None
        if received.arrival is Arrival.REPEAT:
            assert self.expected[octets][0] + 30.0 > self.now
            assert received.reply in (None, self.expected[octets][1])
        if received.arrival is Arrival.NEW:
            assert received.exchange is not None
            assert received.exchange not in self.open
            assert set(received.superseded) <= self.open.keys()
            assert authentic or not received.superseded
            self.open[received.exchange] = octets
            return received.exchange
        return multiple()

    @rule(exchange=consumes(exchanges), reply=st.one_of(st.none(), st.binary(min_size=1, max_size=3)))
    def request_is_answered(self, exchange, reply):
        octets = self.open.pop(exchange)
        sent = self.table.finish(exchange, reply, self.now)
        assert sent == (reply is not None and not exchange.superseded)
        self.expected[octets] = (self.now, reply)

    @rule(seconds=st.sampled_from([0.1, 5.0, 29.0, 31.0]))
    def time_passes(self, seconds):
        self.now += seconds
        self.table.timeout(self.now)
        due = self.table.next_timeout()
        assert due is None or due > self.now

    @invariant()
    def bounds_hold(self):
        assert self.table.in_flight == len(self.open) <= MAX_IN_FLIGHT
        assert self.table.cached <= MAX_CACHED
        of_a_device = [exchange.source[0] for exchange in self.open]
        for host in set(of_a_device):
            assert of_a_device.count(host) <= MAX_IN_FLIGHT // 2


TestListenerMachine = ListenerMachine.TestCase
TestListenerMachine.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)


class RetryMachine(RuleBasedStateMachine):
    """Devices retry, an attacker guesses, logins end: each end answers one request, and each request at most once."""

    def __init__(self) -> None:
        super().__init__()
        self.table: RetryTable[int] = RetryTable()
        self.running: dict[PendingLogin[int], list[int]] = {}
        self.answered: set[int] = set()
        self.requests = 0

    @rule(mark=st.sampled_from([None, b"a", b"b"]), password=st.sampled_from(["right", "guess"]))
    def request_arrives(self, mark, password):
        self.requests += 1
        joining = self.table.receive(mark, Secret(password), self.requests)
        members = self.running.setdefault(joining.login, [])
        assert joining.superseded == (members[-1] if members else None)
        members.append(self.requests)

    @rule(data=st.data())
    def login_ends(self, data):
        if not self.running:
            return
        login = data.draw(st.sampled_from(list(self.running)))
        newest = self.table.finish(login)
        assert newest == self.running.pop(login)[-1]
        assert newest not in self.answered
        self.answered.add(newest)

    @invariant()
    def only_logins_in_progress_can_be_joined(self):
        assert len(self.table) <= len(self.running)


TestRetryMachine = RetryMachine.TestCase
TestRetryMachine.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)


@settings(max_examples=150, deadline=None)
@given(st.integers(1, 4), st.integers(1, 4), st.lists(st.tuples(st.integers(0, 4), st.booleans()), max_size=30))
def test_schedule_ends_with_one_answer_or_gives_up(hosts, tries, replies):
    """Whatever replies come, a request sends hosts × tries datagrams at most, and ends exactly once."""
    machine = Retransmission(range(hosts), tries, 2.0)
    actions: list[object] = [machine.start(0.0)]
    answers = 0
    incoming = iter(replies)
    while (due := machine.next_timeout()) is not None:
        asked = {action.host_index for action in actions if isinstance(action, Send)}
        host, fits = next(incoming, (0, False))
        if machine.receive(host, fits=fits):
            assert fits
            assert host in asked
            answers += 1
        else:
            actions.append(machine.timeout(due))
    ends = actions.count(GiveUp())
    sends = [action for action in actions if isinstance(action, Send)]
    assert answers + ends == 1
    assert len(sends) <= hosts * tries
    assert [send.host_index for send in sends if send.first_of_host] == sorted({send.host_index for send in sends})
    assert not machine.receive(0, fits=True)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.one_of(st.none(), st.integers(0, 600)), max_size=700))
def test_identifier_in_use_is_never_given_out(steps):
    """Taking and releasing in any order: no Identifier is out twice."""
    pool = IdentifierPool(max_source_ports=2)
    out: list[SourceIdentifier] = []
    for step in steps:
        if step is None or not out:
            taken = pool.take()
            assert taken not in out
            assert (taken is None) == (len(out) == 512)
            if taken is not None:
                out.append(taken)
        else:
            pool.release(out.pop(step % len(out)))
    assert pool.in_use == len(out)
