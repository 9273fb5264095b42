"""What a client and a directory send, through the relay: nothing unasked, nothing unbound, no fault but a closed door.

Each message of the stream goes in on the side that could have sent it. Whoever judges lets the directory decide.
"""

from __future__ import annotations

from collections.abc import Sequence

from duoproxy.errors import RemoteProtocolError
from duoproxy.ldap.framing import MessageFramer, peek_message
from duoproxy.ldap.messages import Request, read_abandoned, read_bind, write_simple_bind
from duoproxy.ldap.relay import Relay
from duoproxy.ldap.relay_actions import Action, BindAnswered, JudgeBind, ToServer
from duoproxy.ldap.relay_policy import RelayPolicy
from duoproxy.ldap.relay_table import Phase
from tests.relay_ledger import RelayLedger

LIMIT = 2_000
REQUESTS = frozenset(Request)
WORDS = (
    b"\x30\x0c\2\1\1\x60\x07\2\1\3\4\0\x80\0",
    b"\x61\7\x0a\1\0\4\0\4\0",
    b"\x77\x0d\x80\x0b1.3.6.1.1.8",
    b"\x80\x161.3.6.1.4.1.1466.20037",
    b"\x8a\x161.3.6.1.4.1.1466.20036",
    b"\x63\x1a\4\0\x0a\1\0",
    b"\x50\1\2",
    b"\x42\0",
)


def target(data: bytes) -> None:
    relay = Relay(RelayPolicy(allow_unlimited_binds=True))
    ledger = RelayLedger(relay)
    for octets in _messages(data):
        _reread(octets)
        try:
            from_client = peek_message(octets).operation_tag in REQUESTS
        except RemoteProtocolError:
            from_client = True
        if from_client:
            _abandon(ledger, octets)
            _judge(ledger, ledger.client_says(octets))
        elif not ledger.ended:
            _judge(ledger, ledger.server_says(octets))


def _messages(stream: bytes) -> Sequence[bytes]:
    return MessageFramer(LIMIT).split(stream)[0]


def _judge(ledger: RelayLedger, actions: list[Action]) -> None:
    relay = ledger.relay
    for action in actions:
        if isinstance(action, JudgeBind) and relay.phase is Phase.BINDING:
            assert action.bind.password is not None
            ledger.note(relay.send_bind(action.bind.name, action.bind.password))
        elif isinstance(action, BindAnswered) and action.code == 0:
            ledger.accepts()
        elif isinstance(action, BindAnswered):
            ledger.note(relay.refuse_bind(49, "no", relay=True))


def _abandon(ledger: RelayLedger, octets: bytes) -> None:
    """The ledger forgets what the client abandons, as the client does."""
    try:
        head = peek_message(octets)
        if head.operation_tag == Request.ABANDON and ledger.relay.phase in (Phase.ANONYMOUS, Phase.BOUND):
            ledger.abandoned(read_abandoned(octets, head))
    except RemoteProtocolError:
        return


def _reread(octets: bytes) -> None:
    """A bind that can be read says the same when it is written anew."""
    try:
        head = peek_message(octets)
        bind = read_bind(octets, head) if head.operation_tag == Request.BIND else None
    except RemoteProtocolError:
        return
    if bind is None or bind.password is None:
        return
    sent = ToServer(write_simple_bind(head.message_id, bind.name, bind.password, bind.controls)).octets
    again = read_bind(sent, peek_message(sent))
    assert (again.name, again.password, again.controls) == (bind.name, bind.password, bind.controls)
