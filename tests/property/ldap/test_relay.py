"""The relay under any order of messages, verdicts and losses; and any fragmentation of both of its streams."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from duoproxy.ldap.framing import MessageFramer, peek_message
from duoproxy.ldap.messages import with_message_id
from duoproxy.ldap.relay import Relay
from duoproxy.ldap.relay_actions import BindAnswered, BindLost, JudgeBind, ToServer
from duoproxy.ldap.relay_policy import RelayPolicy
from duoproxy.ldap.relay_table import Phase
from duoproxy.secret import Secret
from tests.relay_ledger import RelayLedger
from tests.twisted.ldap_server_kit import Listener
from tests.unit.ldap.relay_kit import (
    abandon,
    bind,
    bound,
    cancel,
    done,
    entry,
    extended,
    modify,
    notice,
    result,
    root_dse,
    sasl_bind,
    search,
    start_tls,
    unbind,
)

fresh: st.SearchStrategy[int | None] = st.none()
ids = st.one_of(fresh, fresh, fresh, fresh, st.sampled_from([0, 1, 2, 3, 2**30, 2**30 + 1, 2**31 - 1]))
"""None: the next one; any other may be taken already, which ends the connection."""
PASSWORDS = st.sampled_from([b"pw", b"pw", b"pw", b"", b"p\0w"])
NAMES = st.sampled_from([b"cn=a", b"cn=a", b"cn=a", b"", b" "])
REQUESTS = (bind, search, root_dse, modify, extended, sasl_bind, start_tls)
ANSWERS = (entry, done, bound, lambda number: result(number, 0x67), lambda number: result(number, 0x78))


class Relaying(RuleBasedStateMachine):
    """Everything that can happen to a connection, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.connect()

    def connect(self) -> None:
        self.ledger = RelayLedger(Relay(RelayPolicy(allow_unlimited_binds=True)))
        self.judged: JudgeBind | None = None
        self.waits = False
        self.upstream: list[tuple[int, int]] = []
        self.last_id = 0

    def id(self, wanted: int | None) -> int:
        self.last_id += 1
        return self.last_id if wanted is None else wanted

    def did(self, actions: list[Any]) -> None:
        if self.ledger.ended:
            assert self.ledger.client_says(search(500)) == []
            self.connect()
            return
        for action in actions:
            if isinstance(action, JudgeBind):
                self.judged, self.waits = action, False
            elif isinstance(action, BindAnswered | BindLost):
                self.waits = False
            elif isinstance(action, ToServer):
                head = peek_message(action.octets)
                self.upstream.append((head.message_id, head.operation_tag))

    @property
    def binding(self) -> bool:
        return self.ledger.relay.phase is Phase.BINDING and self.judged is not None

    @rule(message_id=ids, make=st.sampled_from(REQUESTS))
    def client_asks(self, message_id: int | None, make: Any) -> None:
        self.did(self.ledger.client_says(make(self.id(message_id))))

    @rule(
        message_id=ids,
        password=st.sampled_from([b"pw", b"pw", b"pw", b"", b"p\0w"]),
        name=st.sampled_from([b"cn=a", b"cn=a", b"cn=a", b"", b" "]),
    )
    def client_binds(self, message_id: int | None, password: bytes, name: bytes) -> None:
        self.did(self.ledger.client_says(bind(self.id(message_id), name, password)))

    @rule(message_id=ids, other=st.integers(0, 20))
    def client_abandons(self, message_id: int | None, other: int) -> None:
        abandoned = other in self.ledger.relay._requests.upstream_ids
        self.did(self.ledger.client_says(abandon(self.id(message_id), other)))
        if abandoned:
            self.ledger.abandoned(other)

    @rule(message_id=ids, other=st.integers(0, 20))
    def client_cancels(self, message_id: int | None, other: int) -> None:
        self.did(self.ledger.client_says(cancel(self.id(message_id), other)))

    @precondition(lambda self: self.last_id > 8)
    @rule()
    def client_leaves(self) -> None:
        self.did(self.ledger.client_says(unbind(9)))

    @precondition(lambda self: self.binding and not self.waits)
    @rule(password=st.sampled_from([b"pw", b"left"]))
    def judge_tries(self, password: bytes) -> None:
        actions = self.ledger.relay.send_bind(b"cn=a", Secret(password))
        self.waits = True
        self.ledger.note(actions)
        self.did(actions)

    @precondition(lambda self: self.binding)
    @rule(accept=st.booleans(), relay=st.booleans(), exempt=st.booleans())
    def judge_ends(self, accept: bool, relay: bool, exempt: bool) -> None:
        if accept:
            self.ledger.accepts()
        else:
            self.ledger.note(self.ledger.relay.refuse_bind(49, "no", exempt=exempt, relay=relay))
        self.judged, self.waits = None, False
        self.did([])

    @precondition(lambda self: self.upstream)
    @rule(data=st.data(), make=st.sampled_from(ANSWERS))
    def directory_answers(self, data: Any, make: Any) -> None:
        message_id, _ = data.draw(st.sampled_from(self.upstream))
        self.did(self.ledger.server_says(make(message_id)))

    @precondition(lambda self: self.binding and self.waits)
    @rule(code=st.sampled_from([0, 0, 49]))
    def directory_answers_the_bind(self, code: int) -> None:
        sent = [message_id for message_id, tag in self.upstream if tag == 0x60]
        self.did(self.ledger.server_says(bound(sent[-1], code)))

    @precondition(lambda self: self.last_id > 6)
    @rule()
    def directory_says_goodbye(self) -> None:
        self.did(self.ledger.server_says(notice()))

    @rule()
    def directory_goes(self) -> None:
        actions = self.ledger.relay.server_lost("gone")
        self.ledger.new_session()
        self.upstream.clear()
        self.ledger.note(actions)
        self.did(actions)


Relaying.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestRelaying = Relaying.TestCase


@settings(max_examples=100, deadline=None)
@given(
    requests=st.lists(st.sampled_from([search, modify, extended]), min_size=1, max_size=8),
    cuts=st.lists(st.integers(0, 10_000), max_size=30),
    entries=st.integers(0, 3),
)
def test_any_fragmentation_relays_the_same_octets(requests: list[Any], cuts: list[int], entries: int) -> None:
    """Both streams, in any pieces: what arrives is what was sent, in order."""
    listener = Listener()
    client = listener.client()
    client.says(bind(1))
    listener.relay.says(bound(1))
    client.hears()
    listener.relay.take()
    asked = b"".join(make(number) for number, make in enumerate(requests, 2))
    for piece in pieces(asked, cuts):
        client.says(piece)
    assert listener.relay.take() == asked
    answers = {search: 0x65, modify: 0x67, extended: 0x78}
    said = b"".join(
        (entry(number) * entries if make is search else b"") + result(number, answers[make])
        for number, make in enumerate(requests, 2)
    )
    for piece in pieces(said, cuts):
        listener.relay.says(piece)
    assert client.hears() == said


def pieces(stream: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted(cut % (len(stream) + 1) for cut in cuts), len(stream)]
    return [stream[begin:end] for begin, end in pairwise(edges)]


@settings(max_examples=200, deadline=None)
@given(old=st.integers(1, 2**31 - 1), new=st.integers(0, 2**31 - 1), body=st.binary(max_size=300))
def test_message_id_there_and_back_is_the_same_message(old: int, new: int, body: bytes) -> None:
    """Replaced on the way out, restored on the way back."""
    octets = search(old, body)
    changed = with_message_id(octets, peek_message(octets), new)
    assert MessageFramer(1 << 20).feed(changed) == [changed]
    assert with_message_id(changed, peek_message(changed), old) == octets
