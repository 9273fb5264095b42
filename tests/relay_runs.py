"""A stream through the relay twice: message by message, and as a connection has it, in pieces and runs."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

from duoproxy.ldap.framing import MessageFramer
from duoproxy.ldap.relay import Relay
from duoproxy.ldap.relay_actions import Action, BeginTls, ToClient, ToServer
from duoproxy.ldap.relay_policy import RelayPolicy
from duoproxy.secret import Secret
from tests.unit.ldap.relay_kit import bind, bound, modify, search

LIMIT = 90
"""Octets of a message; few, so that some are longer."""

Pass = Callable[[Relay, bytes, int], int]
Take = Callable[[Relay, bytes], list[Action]]


def bound_relay() -> Relay:
    relay = Relay(RelayPolicy(allow_unlimited_binds=True, offers_tls=True))
    relay.from_client(bind(1))
    relay.send_bind(b"cn=a", Secret(b"pw"))
    relay.from_server(bound(1))
    relay.accept_bind()
    for number in range(2, 7):
        relay.from_client(search(number))
    for number in range(7, 9):
        relay.from_client(modify(number))
    return relay


def one_by_one(relay: Relay, stream: bytes, take: Take) -> list[object]:
    """What the machine says when it sees each message by itself, and how the stream breaks."""
    said: list[object] = []
    found, broken = MessageFramer(LIMIT).split(stream)
    for octets in found:
        actions = take(relay, octets)
        said += actions
        if any(isinstance(action, BeginTls) for action in actions):
            return joined(said)
    return joined([*said, broken])


def in_runs(relay: Relay, stream: bytes, cuts: list[int], pass_on: Pass, take: Take, made: type) -> list[object]:
    """The same as a connection has it: in pieces, and what goes on as it is in runs."""
    said: list[object] = []
    framer = MessageFramer(LIMIT)
    edges = [0, *sorted(cut % (len(stream) + 1) for cut in cuts), len(stream)]
    for begin, end in pairwise(edges):
        data = framer.gather(stream[begin:end])
        passed = pass_on(relay, data, LIMIT)
        said.append(made(data[:passed]))
        found, broken = framer.split(data[passed:]) if passed < len(data) else ((), "")
        for octets in found:
            actions = take(relay, octets)
            said += actions
            if any(isinstance(action, BeginTls) for action in actions):
                return joined(said)
        if broken:
            return joined([*said, broken])
    return joined([*said, ""])


def joined(said: list[object]) -> list[object]:
    """Neighbours with octets for the same side as one."""
    result: list[object] = []
    for action in said:
        last = result[-1] if result else None
        if isinstance(action, ToClient | ToServer) and not action.octets:
            continue
        if isinstance(action, ToClient) and isinstance(last, ToClient):
            result[-1] = ToClient(last.octets + action.octets)
        elif isinstance(action, ToServer) and isinstance(last, ToServer):
            result[-1] = ToServer(last.octets + action.octets)
        else:
            result.append(action)
    return result


def knows(relay: Relay) -> tuple[object, ...]:
    """What the machine will go by."""
    asked = relay._requests
    return relay.phase, asked.in_flight, asked.upstream_ids, asked._highest_own, asked._highest_replaced
