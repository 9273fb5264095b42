"""A client's LDAP connection: what is opened when, who waits for whom, what takes too long, and how it ends."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.protocols.tls import TLSMemoryBIOProtocol
from twisted.trial.unittest import SynchronousTestCase

from duoproxy.errors import PrimaryUnreachable
from duoproxy.ldap.framing import MessageFramer, peek_message
from duoproxy.ldap.messages import read_result
from duoproxy.net.ldap_bind_attempt import BindAttempt, BindVerdict
from duoproxy.net.ldap_client_limits import HANDSHAKE_S, LAST_WORDS_S, MESSAGE_S
from duoproxy.net.ldap_far_side import MAX_QUEUED_BYTES
from duoproxy.net.server_tls import ServerTls
from duoproxy.tls_server import TlsServerSettings
from tests.twisted.ldap_server_kit import LIMITS, FakeRelay, Listener, Peer
from tests.unit.eap.certificates import certificate, key
from tests.unit.ldap.relay_kit import (
    bind,
    bound,
    done,
    entry,
    message,
    modify,
    notice,
    sasl_bind,
    search,
    start_tls,
    tlv,
    unbind,
)


def code_of(octets: bytes) -> int:
    (only,) = MessageFramer(1 << 20).feed(octets)
    return read_result(only, peek_message(only))[0]


def codes_of(octets: bytes) -> list[tuple[int, int]]:
    heads = [(one, peek_message(one)) for one in MessageFramer(1 << 20).feed(octets)]
    return [(head.message_id, read_result(one, head)[0]) for one, head in heads]


class Waiting:
    """Judges nothing until it is told to."""

    def __init__(self) -> None:
        self.attempts: list[BindAttempt] = []
        self.verdict: Deferred[BindVerdict] = Deferred(self.note_cancel)
        self.cancelled = False

    def note_cancel(self, _: object) -> None:
        self.cancelled = True

    async def judge(self, attempt: BindAttempt) -> BindVerdict:
        self.attempts.append(attempt)
        return await self.verdict


def bound_client(listener: Listener) -> Peer:
    client = listener.client()
    client.says(bind(1))
    listener.relay.says(bound(1))
    assert code_of(client.hears()) == 0
    listener.relay.take()
    return client


class OpeningTests(SynchronousTestCase):
    def test_probe_opens_nothing_and_says_nothing(self) -> None:
        """Whoever only connects and goes costs no connection to the directory, and no line."""
        listener = Listener()
        client = listener.client()
        client.leaves()
        self.assertEqual((listener.opened, listener.server.count, client.hears()), (0, 0, b""))
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_refused_requests_open_nothing(self) -> None:
        """SASL, searches before a bind, rubbish: the directory never hears of it."""
        listener = Listener(max_connections=64)
        for octets in (sasl_bind(1), bind(1, b"", b""), bind(1, b"cn=a", b""), search(1), modify(1), b"GET / HTTP/1.0"):
            listener.client().says(octets)
        self.assertEqual(listener.opened, 0)

    def test_messages_wait_for_the_connection(self) -> None:
        """Everything that comes meanwhile goes out in its order."""
        listener = Listener(allow_anonymous=True)
        listener.opening = Deferred()
        client = listener.client()
        client.says(search(1), search(2))
        client.says(search(3))
        relay = FakeRelay()
        listener.opening.callback(relay)
        self.assertEqual(relay.take(), search(1) + search(2) + search(3))
        self.assertEqual(listener.opened, 1)

    def test_client_is_not_read_while_too_much_waits(self) -> None:
        """What waits for the connection is bounded."""
        listener = Listener(allow_anonymous=True)
        listener.opening = Deferred()
        client = listener.client()
        number = MAX_QUEUED_BYTES // 900 + 2
        for message_id in range(1, number):
            client.says(search(message_id, b"x" * 850))
        self.assertEqual(client.wire.producerState, "paused")
        listener.opening.callback(FakeRelay())
        self.assertEqual(client.wire.producerState, "producing")

    def test_directory_that_is_not_there_is_unavailable(self) -> None:
        """52 for each request; the client may ask again."""
        listener = Listener(allow_anonymous=True)
        listener.fault = PrimaryUnreachable("directory dc1", "no connection")
        client = listener.client()
        self.assertEqual(codes_of(client.says(search(1))), [(1, 52)])
        listener.fault = None
        client.says(search(2))
        listener.relay.says(done(2))
        self.assertEqual(codes_of(client.hears()), [(2, 0)])

    def test_connection_that_takes_too_long_is_given_up(self) -> None:
        """network_timeout."""
        listener = Listener(allow_anonymous=True)
        listener.opening = Deferred()
        client = listener.client()
        client.says(search(1))
        listener.clock.advance(LIMITS.network_s)
        self.assertEqual(codes_of(client.hears()), [(1, 52)])

    def test_client_that_goes_takes_the_opening_with_it(self) -> None:
        """Nobody waits for a connection that nobody wants."""
        listener = Listener(allow_anonymous=True)
        cancelled: list[bool] = []
        listener.opening = Deferred(lambda _: cancelled.append(True))
        client = listener.client()
        client.says(search(1))
        client.leaves()
        self.assertEqual(cancelled, [True])


class BindTests(SynchronousTestCase):
    def test_password_reaches_the_directory_on_the_clients_own_connection(self) -> None:
        """With the yes, the session is the user's."""
        listener = Listener()
        client = listener.client()
        self.assertEqual(client.says(bind(1)), b"")
        self.assertEqual(listener.relay.take(), bind(1))
        listener.relay.says(bound(1))
        self.assertEqual(client.hears(), bound(1))
        client.says(search(2))
        self.assertEqual(listener.relay.take(), search(2))
        self.assertEqual(listener.opened, 1)

    def test_yes_waits_for_the_second_factor(self) -> None:
        """Nothing of the client's goes on while a login is under way, and other requests are refused."""
        waiting = Waiting()
        listener = Listener(judge=waiting.judge)
        client = listener.client()
        client.says(bind(1))
        (attempt,) = waiting.attempts
        answer = Deferred.fromCoroutine(attempt.send(b"cn=a", attempt.bind.password))  # type: ignore[arg-type]
        listener.relay.says(bound(1))
        self.assertEqual(self.successResultOf(answer).code, 0)
        self.assertEqual(client.hears(), b"")
        listener.relay.take()
        self.assertEqual(codes_of(client.says(search(2), bind(3))), [(2, 1), (3, 1)])
        self.assertEqual(bytes(listener.relay.sent), b"")
        waiting.verdict.callback(BindVerdict(True))
        self.assertEqual(client.hears(), bound(1))

    def test_refusal_ends_the_session_at_the_directory(self) -> None:
        """The next bind has a new connection."""
        waiting = Waiting()
        listener = Listener(judge=waiting.judge, allow_unlimited_binds=True)
        client = listener.client()
        client.says(bind(1))
        self.successResultOf(self.send(waiting, listener))
        waiting.verdict.callback(BindVerdict(False, 49, "Login request denied."))
        self.assertEqual(codes_of(client.hears()), [(1, 49)])
        self.assertEqual(listener.relays[0].closed, unbind(2))

    def send(self, waiting: Waiting, listener: Listener) -> Deferred[object]:
        attempt = waiting.attempts[-1]
        answer: Deferred[object] = Deferred.fromCoroutine(attempt.send(b"cn=a", attempt.bind.password))  # type: ignore[arg-type]
        listener.relay.says(bound(1))
        return answer

    def test_directory_that_does_not_answer_a_bind_is_unreachable(self) -> None:
        """Within the time-out of the client section; whoever judges hears of it, and the connection ends."""
        waiting = Waiting()
        listener = Listener(judge=waiting.judge)
        client = listener.client()
        client.says(bind(1))
        attempt = waiting.attempts[0]
        answer = Deferred.fromCoroutine(attempt.send(b"cn=a", attempt.bind.password))  # type: ignore[arg-type]
        listener.clock.advance(10)
        self.failureResultOf(answer, PrimaryUnreachable)
        waiting.verdict.callback(BindVerdict(False, 52))
        self.assertEqual(codes_of(client.hears()), [(1, 52)])
        self.assertIsNotNone(listener.relay.closed)

    def test_directory_that_goes_under_a_bind_is_unreachable(self) -> None:
        """The same at once."""
        waiting = Waiting()
        listener = Listener(judge=waiting.judge)
        listener.client().says(bind(1))
        attempt = waiting.attempts[0]
        answer = Deferred.fromCoroutine(attempt.send(b"cn=a", attempt.bind.password))  # type: ignore[arg-type]
        listener.relay.goes()
        self.failureResultOf(answer, PrimaryUnreachable)

    def test_directory_that_goes_while_the_user_is_asked_takes_its_yes_along(self) -> None:
        """Whoever judges can tell that no session is left to be handed out; the client hears that it is unavailable."""
        waiting = Waiting()
        listener = Listener(judge=waiting.judge)
        client = listener.client()
        client.says(bind(1))
        attempt = waiting.attempts[0]
        self.assertFalse(attempt.holds_yes)
        self.successResultOf(self.send(waiting, listener))
        self.assertTrue(attempt.holds_yes)
        listener.relay.goes()
        self.assertFalse(attempt.holds_yes)
        waiting.verdict.callback(BindVerdict(True))
        self.assertEqual(codes_of(client.hears()), [(1, 52)])

    def test_client_that_goes_gives_the_login_up(self) -> None:
        """Nobody is left to be told."""
        for leave in (Peer.leaves, lambda peer: peer.says(unbind(2))):
            waiting = Waiting()
            listener = Listener(judge=waiting.judge)
            client = listener.client()
            client.says(bind(1))
            leave(client)
            self.assertTrue(waiting.cancelled)
            self.assertEqual((waiting.attempts[0].directory_fault, listener.server.pending), ("", 0))

    def test_directory_that_ends_the_session_under_a_login_is_named(self) -> None:
        """By a Notice of Disconnection, or by what is no LDAP: whoever judges can tell that it was not the client."""
        for said, why in ((notice(), "it closes the connection"), (b"rubbish", "The directory sent what is no LDAP")):
            waiting = Waiting()
            listener = Listener(judge=waiting.judge)
            client = listener.client()
            client.says(bind(1))
            self.successResultOf(self.send(waiting, listener))
            listener.relay.says(said)
            self.assertTrue(waiting.cancelled)
            self.assertIn(why, waiting.attempts[0].directory_fault)
            self.assertEqual(codes_of(client.hears()), [(0, 52)])

    def test_fault_of_ours_lets_nobody_in(self) -> None:
        """other (80), and a line in the log."""

        async def fail(attempt: BindAttempt) -> BindVerdict:
            raise ZeroDivisionError

        client = Listener(judge=fail).client()
        self.assertEqual(codes_of(client.says(bind(1))), [(1, 80)])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)


class RelayTests(SynchronousTestCase):
    def test_octets_may_come_one_by_one_on_both_sides(self) -> None:
        """A stream has no borders."""
        listener = Listener()
        client = bound_client(listener)
        for octet in search(2) + modify(3):
            client.says(bytes((octet,)))
        self.assertEqual(listener.relay.take(), search(2) + modify(3))
        for octet in entry(2) + done(2):
            listener.relay.says(bytes((octet,)))
        self.assertEqual(client.hears(), entry(2) + done(2))

    def test_unbound_client_may_send_less_than_a_bound_one(self) -> None:
        """The limit of messages before a bind, and after."""
        listener = Listener()
        large = search(2, b"x" * (LIMITS.unbound_message_bytes + 1))
        client = bound_client(listener)
        client.says(large)
        self.assertEqual(listener.relay.take(), large)
        stranger = listener.client()
        self.assertEqual(codes_of(stranger.says(large[:10])), [(0, 2)])
        self.assertTrue(stranger.wire.disconnecting)

    def test_message_of_2_gib_ends_the_connection_at_its_header(self) -> None:
        """Nothing of it is kept."""
        client = bound_client(Listener())
        self.assertEqual(codes_of(client.says(b"\x30\x84\x7f\xff\xff\xff")), [(0, 2)])
        self.assertTrue(client.wire.disconnecting)

    def test_messages_before_rubbish_are_relayed(self) -> None:
        """What a client said before does not depend on how the network cut the stream."""
        listener = Listener()
        client = bound_client(listener)
        client.says(modify(2) + b"rubbish")
        self.assertEqual(listener.relay.take(), modify(2))
        self.assertTrue(client.wire.disconnecting)

    def test_directory_that_sends_rubbish_ends_the_connection(self) -> None:
        """The client is told why."""
        listener = Listener()
        client = bound_client(listener)
        listener.relay.says(b"HTTP/1.1 400")
        self.assertEqual(codes_of(client.hears()), [(0, 52)])
        self.assertTrue(client.wire.disconnecting)

    def test_directory_that_goes_ends_a_bound_connection(self) -> None:
        """Nobody believes to be bound who is not."""
        listener = Listener()
        client = bound_client(listener)
        listener.relay.goes()
        self.assertEqual(codes_of(client.hears()), [(0, 52)])
        self.assertTrue(client.wire.disconnecting)

    def test_unbind_says_goodbye_to_the_directory(self) -> None:
        """RFC 4511 §4.3."""
        listener = Listener()
        client = bound_client(listener)
        client.says(unbind(2))
        self.assertEqual(listener.relay.closed, unbind(2))
        self.assertTrue(client.wire.disconnecting)

    def test_slow_client_stops_the_directory_and_itself(self) -> None:
        """Nothing is piled up: neither entries, nor refusals of what it goes on asking."""
        listener = Listener()
        client = bound_client(listener)
        client.says(search(2))
        client.protocol.pauseProducing()
        self.assertTrue(listener.relay.paused)
        self.assertEqual(client.wire.producerState, "paused")
        client.protocol.resumeProducing()
        self.assertFalse(listener.relay.paused)
        self.assertEqual(client.wire.producerState, "producing")

    def test_slow_directory_stops_the_client(self) -> None:
        """The other direction; answers still come."""
        listener = Listener()
        client = bound_client(listener)
        assert listener.relay.stops is not None
        listener.relay.stops.pauseProducing()
        self.assertEqual(client.wire.producerState, "paused")
        self.assertFalse(listener.relay.paused)
        listener.relay.stops.resumeProducing()
        self.assertEqual(client.wire.producerState, "producing")


class TlsTests(SynchronousTestCase):
    def test_octets_behind_start_tls_are_thrown_away(self) -> None:
        """RFC 4511 §4.14.1: they came in the clear; nothing of them is ever done."""
        listener = Listener(offers_tls=True, allow_anonymous=True)
        listener.server.tls = ServerTls(TlsServerSettings([certificate("ec")], key("ec")))
        client = listener.client()
        self.assertEqual(codes_of(client.says(start_tls(1), search(2), b"\x30\x10half")), [(1, 0)])
        self.assertIsInstance(client.protocol.transport, TLSMemoryBIOProtocol)
        self.assertEqual(listener.opened, 0)
        client.says(search(3))
        self.assertEqual(listener.relay.take(), search(3))


class TimeTests(SynchronousTestCase):
    def advance(self, listener: Listener, seconds: float) -> None:
        for _ in range(int(seconds) + 6):
            listener.clock.advance(1)

    def test_idle_connection_is_closed(self) -> None:
        """idle_timeout."""
        listener = Listener()
        client = bound_client(listener)
        self.advance(listener, LIMITS.idle_s)
        self.assertTrue(client.wire.disconnecting)
        self.assertIsNotNone(listener.relay.closed)

    def test_connection_in_use_is_not_idle(self) -> None:
        """Each request and each answer counts."""
        listener = Listener()
        client = bound_client(listener)
        for message_id in range(2, 20):
            self.advance(listener, LIMITS.network_s - 20)
            client.says(search(message_id))
            listener.relay.says(done(message_id))
        self.assertFalse(client.wire.disconnecting)

    def test_directory_that_owes_an_answer_has_its_time(self) -> None:
        """network_timeout, from the request on and not from the last word before."""
        listener = Listener()
        client = bound_client(listener)
        self.advance(listener, LIMITS.network_s + 20)
        client.says(search(2))
        self.advance(listener, LIMITS.network_s - 20)
        self.assertFalse(client.wire.disconnecting)
        self.advance(listener, 30)
        self.assertEqual(codes_of(client.hears()), [(0, 52)])

    def test_client_that_takes_no_answers_is_told_of_itself(self) -> None:
        """network_timeout for one that does not read: the directory is not to blame, and not blamed."""
        listener = Listener()
        client = bound_client(listener)
        client.says(search(2))
        client.protocol.pauseProducing()
        self.advance(listener, LIMITS.network_s + 10)
        said = client.messages()
        self.assertEqual([code_of(one) for one in said], [52])
        self.assertIn(b"The client has not taken what the directory sent", said[0])

    def test_message_that_drips_is_given_up(self) -> None:
        """A client that is not bound has to finish what it begins."""
        listener = Listener()
        client = listener.client()
        for octet in search(2)[:20]:
            client.says(bytes((octet,)))
            listener.clock.advance(MESSAGE_S / 20)
        self.advance(listener, 0)
        self.assertTrue(client.wire.disconnecting)

    def test_messages_that_overlap_the_pieces_of_the_network_are_in_time(self) -> None:
        """A busy client whose every piece ends inside a message finishes each message; only one that drips does not."""
        listener = Listener()
        client = bound_client(listener)
        octets = b"".join(search(number) for number in range(2, 40))
        step = len(search(2)) + 1
        for at in range(0, len(octets), step):
            client.says(octets[at : at + step])
            listener.relay.take()
            self.advance(listener, LIMITS.network_s / 10)
            listener.relay.says(done(at // step + 2))
        self.assertFalse(client.wire.disconnecting)

    def test_handshake_that_does_not_end_is_broken_off(self) -> None:
        """A client of LDAPS that says nothing."""
        listener = Listener()
        client = listener.connect(over_tls=True)
        assert client is not None
        self.advance(listener, HANDSHAKE_S)
        self.assertTrue(client.wire.aborted)

    def test_handshake_that_ends_is_left_alone(self) -> None:
        """From then on the time of every client counts."""
        listener = Listener()
        client = listener.connect(over_tls=True)
        assert client is not None
        client.protocol.handshakeCompleted()
        self.advance(listener, HANDSHAKE_S)
        self.assertFalse(client.wire.aborted)

    def test_client_that_does_not_take_its_last_words_is_broken_off(self) -> None:
        """A full connection that never empties is not kept."""
        listener = Listener()
        client = bound_client(listener)
        client.says(b"rubbish")
        self.advance(listener, LAST_WORDS_S)
        self.assertTrue(client.wire.aborted)

    def test_login_may_take_longer_than_the_idle_time(self) -> None:
        """It has limits of its own."""
        waiting = Waiting()
        listener = Listener(judge=waiting.judge)
        client = listener.client()
        client.says(bind(1))
        self.advance(listener, LIMITS.idle_s)
        self.assertFalse(client.wire.disconnecting)


class ShareTests(SynchronousTestCase):
    def test_one_address_leaves_room_for_others(self) -> None:
        """Half of what the others leave free, and a place for the next address."""
        listener = Listener(max_connections=8)
        own = [listener.connect("10.0.0.1") for _ in range(8)]
        self.assertEqual(sum(client is not None for client in own), 4)
        self.assertIsNotNone(listener.connect("10.0.0.2"))

    def test_place_is_free_again_when_a_client_goes(self) -> None:
        """Each is counted until it is gone."""
        listener = Listener(max_connections=2)
        first = listener.connect("10.0.0.1")
        assert first is not None
        self.assertIsNone(listener.connect("10.0.0.1"))
        first.leaves()
        self.assertIsNotNone(listener.connect("10.0.0.1"))

    def test_mapped_address_is_written_as_ipv4(self) -> None:
        """On a socket that has IPv6 too."""
        client = Listener().connect("::ffff:10.0.0.5")
        assert client is not None
        self.assertEqual(client.protocol.address, "10.0.0.5")


class StopTests(SynchronousTestCase):
    def test_drain_sends_strangers_away_and_begins_no_login(self) -> None:
        """Who is bound, or is being asked, goes on."""
        waiting = Waiting()
        listener = Listener(judge=waiting.judge)
        stranger, asked = listener.client(), listener.client()
        asked.says(bind(1))
        listener.server.drain()
        self.assertEqual(codes_of(stranger.hears()), [(0, 52)])
        self.assertTrue(stranger.wire.disconnecting)
        self.assertFalse(asked.wire.disconnecting)
        self.assertEqual(listener.server.pending, 1)

    def test_bind_during_a_drain_is_busy(self) -> None:
        """51: try another server."""
        listener = Listener(allow_unlimited_binds=True)
        client = bound_client(listener)
        listener.server.drain()
        self.assertEqual(codes_of(client.says(bind(2))), [(2, 51)])

    def test_stop_waits_until_all_are_gone(self) -> None:
        """Each client is told, and nothing is left behind."""
        listener = Listener()
        client = bound_client(listener)
        stopped = Deferred.fromCoroutine(listener.server.stop())
        self.assertEqual(codes_of(client.hears()), [(0, 52)])
        self.assertNoResult(stopped)
        client.leaves()
        self.successResultOf(stopped)
        self.assertEqual(listener.clock.getDelayedCalls(), [])


class ShapeTests(SynchronousTestCase):
    def test_long_lengths_of_active_directory_stay(self) -> None:
        """Four octets of length on the way out are four octets for the client."""
        listener = Listener()
        client = bound_client(listener)
        client.says(search(2))
        octets = b"\x30\x84\x00\x00\x00\x16" + message(2, tlv(0x64, tlv(0x04, b"cn=a" * 2), tlv(0x30, b"")))[2:]
        octets = octets[:2] + (len(octets) - 6).to_bytes(4, "big") + octets[6:]
        listener.relay.says(octets)
        self.assertEqual(client.hears(), octets)
