"""Messages that concern the proxy, in one piece with messages that only pass."""

from __future__ import annotations

from duoproxy.ldap.framing import MessageFramer, peek_message
from duoproxy.ldap.messages import read_result
from duoproxy.net.ldap_bind_attempt import BindAttempt, BindVerdict
from tests.twisted.ldap_server_kit import LIMITS, FakeRelay, Listener, Peer, accept_everybody
from tests.unit.ldap.relay_kit import bind, bound, done, entry, extended, message, search, start_tls, tlv, unbind


class CountingRelay(FakeRelay):
    """Counts what it is given."""

    writes = 0

    def write(self, octets: bytes) -> None:
        self.writes += 1
        super().write(octets)


class OneRelay(Listener):
    """Its connections to the directory count."""

    async def _open(self) -> FakeRelay:
        self.relays.append(CountingRelay())
        return self.relays[-1]


def logged_in(listener: Listener) -> Peer:
    client = listener.client()
    client.says(bind(1))
    listener.relay.says(bound(1))
    client.hears()
    listener.relay.take()
    return client


def answers(octets: bytes) -> list[tuple[int, int, int]]:
    """Message id, tag and result code of each message."""
    cut = MessageFramer(1 << 20).feed(octets)
    return [
        (peek_message(one).message_id, peek_message(one).operation_tag, read_result(one, peek_message(one))[0])
        for one in cut
    ]


def test_bind_between_searches_is_judged_and_nothing_behind_it_passes() -> None:
    """What stood before it goes on, and is abandoned with the bind; what stands behind it is out of turn."""
    seen: list[BindAttempt] = []

    async def judge(attempt: BindAttempt) -> BindVerdict:
        seen.append(attempt)
        return await accept_everybody(attempt)

    listener = Listener(judge=judge, allow_unlimited_binds=True)
    client = logged_in(listener)
    said = client.says(search(2), search(3), bind(4, b"cn=other"), search(5))
    sent = [peek_message(one) for one in MessageFramer(1 << 20).feed(listener.relay.take())]
    assert [head.operation_tag for head in sent] == [0x63, 0x63, 0x50, 0x50, 0x60]
    assert [attempt.bind.name for attempt in seen[1:]] == [b"cn=other"]
    assert answers(said) == [(5, 0x65, 1)]


def test_start_tls_behind_a_search_is_refused() -> None:
    """RFC 4511 §4.14.1: the search waits for its answer."""
    listener = Listener(offers_tls=True)
    client = logged_in(listener)
    assert answers(client.says(search(2), start_tls(3), search(4))) == [(3, 0x78, 1)]
    assert listener.relay.take() == search(2) + search(4)


def test_unbind_behind_searches_ends_both_connections() -> None:
    """What came before it reaches the directory, what comes after it does not."""
    listener = Listener()
    client = logged_in(listener)
    relay = listener.relay
    client.says(search(2), unbind(3), search(4))
    assert relay.take() == search(2)
    assert relay.closed is not None
    assert client.wire.disconnecting


def test_what_is_no_ldap_behind_searches_ends_the_connection() -> None:
    """RFC 4511 §4.1.1: with a Notice of Disconnection, after what was right."""
    listener = Listener()
    client = logged_in(listener)
    relay = listener.relay
    assert answers(client.says(search(2), b"GET / HTTP/1.1")) == [(0, 0x78, 2)]
    assert relay.take() == search(2)
    assert client.wire.disconnecting


def test_search_over_the_limit_ends_the_connection_in_one_piece_too() -> None:
    """The limit holds for messages that are whole already."""
    listener = Listener()
    client = logged_in(listener)
    relay = listener.relay
    too_long = message(3, tlv(0x63, tlv(4), tlv(10, b"\0"), tlv(4, bytes(LIMITS.message_bytes))))
    assert answers(client.says(search(2), too_long)) == [(0, 0x78, 2)]
    assert relay.take() == search(2)


def test_answer_that_was_not_asked_for_ends_the_connection_in_one_piece_too() -> None:
    """What stood before it is the client's."""
    listener = Listener()
    client = logged_in(listener)
    client.says(search(2))
    listener.relay.says(entry(2), entry(2), done(2), entry(9))
    said = MessageFramer(1 << 20).feed(client.hears())
    assert said[:3] == [entry(2), entry(2), done(2)]
    assert answers(b"".join(said[3:])) == [(0, 0x78, 52)]


def test_one_piece_is_one_write() -> None:
    """Messages that came together go on together, whether the proxy looked at them or not."""
    listener = OneRelay()
    client = logged_in(listener)
    relay = listener.relay
    assert isinstance(relay, CountingRelay)
    relay.writes = 0
    client.says(*(search(number) for number in range(2, 30)))
    assert relay.writes == 1
    client.says(*(extended(number) for number in range(30, 60)))
    assert relay.writes == 2
