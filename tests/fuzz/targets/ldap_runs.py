"""Runs of messages that go on as they came: the relay says the same when it sees each message by itself.

The first octet chooses the side that sends, and how the stream is cut.
"""

from __future__ import annotations

from duoproxy.ldap.relay import Relay
from duoproxy.ldap.relay_actions import ToClient, ToServer
from tests.fuzz.shaping import first_octet
from tests.relay_runs import bound_relay, in_runs, knows, one_by_one

WORDS = (
    b"\x30\x0c\2\1\x09\x63\x07\4\0\x0a\1\0",
    b"\x30\x0c\2\1\x0a\x60\x07\2\1\3\4\0\x80\0",
    b"\x30\x0c\2\1\2\x65\7\x0a\1\0\4\0\4\0",
    b"\x30\x06\2\1\2\x64\1x",
    b"\xa0\0",
    b"\x42\0",
    b"\x84\0\0\0",
)


def target(data: bytes) -> None:
    choice, stream = first_octet(data)
    cuts = list(range(0, len(stream), choice >> 1)) if choice > 1 else []
    runs, single = bound_relay(), bound_relay()
    if choice & 1:
        said = in_runs(runs, stream, cuts, Relay.pass_answers, Relay.from_server, ToClient)
        assert said == one_by_one(single, stream, Relay.from_server)
    else:
        said = in_runs(runs, stream, cuts, Relay.pass_requests, Relay.from_client, ToServer)
        assert said == one_by_one(single, stream, Relay.from_client)
    assert knows(runs) == knows(single)
