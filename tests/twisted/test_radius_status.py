"""Resting upstream servers are asked by Status-Server, where they answer it, and no login has to find out."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.base import DelayedCall
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.task import Clock

from duoproxy.net.host_health import LONGEST_REST_S
from duoproxy.net.radius_client import UpstreamReply
from duoproxy.net.radius_status import PATIENCE, STATUS_TRIES
from duoproxy.radius.authenticators import MessageAuthenticator, check_message_authenticator
from duoproxy.radius.packet import Code, decode_packet
from tests.twisted.radius_fakes import signed_reply, unsigned_reply
from tests.twisted.test_radius_client import FIRST, SECOND, SECRETS, UpstreamCase


class StatusTests(UpstreamCase):
    def start(self, *answering: object) -> None:
        """Start, and let these servers answer the first Status-Server."""
        self.successResultOf(Deferred.fromCoroutine(self.upstream.start()))
        for number in range(len(self.sockets[0].sent)):
            octets, destination = self.sent(number)
            if destination in answering:
                self.deliver(signed_reply(2, octets, (), SECRETS[destination]), destination)
        self.wait(2.0, 2.0)
        self.forget()

    def forget(self) -> None:
        self.sockets[0].sent.clear()

    def codes(self) -> list[tuple[int, object]]:
        return [(octets[0], destination) for octets, destination, _ in self.sockets[0].sent]

    def first_fails(self) -> None:
        """A login finds nobody at the first server, and is answered by the second."""
        asking = self.ask()
        self.wait(2.0, 2.0, 2.0)
        self.accept()
        self.successResultOf(asking)
        self.forget()

    def answer_status(self) -> None:
        octets, destination = self.sent()
        self.assertEqual(octets[0], Code.STATUS_SERVER)
        self.deliver(signed_reply(2, octets, (), SECRETS[destination]), destination)

    def test_the_question_is_signed_and_says_who_asks(self) -> None:
        """RFC 5997 §3: a Message-Authenticator, NAS-IP-Address, and no user."""
        self.successResultOf(Deferred.fromCoroutine(self.upstream.start()))
        self.assertEqual(self.codes(), [(Code.STATUS_SERVER, FIRST), (Code.STATUS_SERVER, SECOND)])
        octets, _ = self.sent(0)
        self.assertIs(check_message_authenticator(octets, b"one"), MessageAuthenticator.VALID)
        self.assertEqual(decode_packet(octets).attributes[1:], ((4, bytes((10, 9, 9, 9))),))

    def test_a_server_that_answers_it_is_asked_by_itself_when_its_rest_is_over(self) -> None:
        """No login is sent to it meanwhile; after the answer the next one is."""
        self.start(FIRST)
        self.first_fails()
        self.wait(8.0)
        self.ask()
        self.assertEqual(self.codes(), [(Code.ACCESS_REQUEST, SECOND)])
        self.accept()
        self.forget()
        self.wait(4.1)
        self.assertEqual(self.codes(), [(Code.STATUS_SERVER, FIRST)])
        self.answer_status()
        self.assertEqual(self.lines[-1], "RADIUS server 10.1.0.1:1812 answers again.")
        self.ask()
        self.assertEqual(self.sent()[1], FIRST)

    def test_while_it_does_not_answer_it_goes_on_resting(self) -> None:
        """Twice as long each time; logins go to the other one at once."""
        self.start(FIRST)
        self.first_fails()
        self.wait(12.1, 2.0, 2.0)
        self.assertEqual(self.codes(), [(Code.STATUS_SERVER, FIRST)] * 2)
        self.forget()
        self.wait(10.0)
        asking = self.ask()
        self.assertEqual(self.codes(), [(Code.ACCESS_REQUEST, SECOND)])
        self.accept()
        self.successResultOf(asking)
        self.forget()
        self.wait(14.1)
        self.assertEqual(self.codes(), [(Code.STATUS_SERVER, FIRST)])

    def test_after_a_long_silence_a_login_tries_it(self) -> None:
        """A server that lost its Status-Server, and nothing else, is found again."""
        self.start(FIRST)
        self.first_fails()
        for _ in range(400):
            self.wait(10.0)
        self.assertEqual(self.codes(), [(Code.STATUS_SERVER, FIRST)] * STATUS_TRIES * PATIENCE)
        self.ask()
        self.assertEqual(self.sent()[1], FIRST)

    def test_a_server_that_does_not_answer_it_is_probed_by_a_login(self) -> None:
        """As before; and it is not asked again while it rests."""
        self.start()
        self.first_fails()
        self.wait(12.1)
        self.assertEqual(self.codes(), [])
        self.ask()
        self.assertEqual(self.codes(), [(Code.ACCESS_REQUEST, FIRST)])

    def test_one_that_comes_back_is_asked_whether_it_answers_now(self) -> None:
        """It may have been restarted with Status-Server turned on."""
        self.start()
        self.first_fails()
        self.wait(12.1)
        asking = self.ask()
        self.accept()
        self.successResultOf(asking)
        self.assertEqual(self.codes()[-1], (Code.STATUS_SERVER, FIRST))
        self.answer_status()
        self.wait(1.0)
        self.forget()
        self.first_fails()
        self.wait(12.1)
        self.assertEqual(self.codes(), [(Code.STATUS_SERVER, FIRST)])

    def test_its_answer_does_not_prove_that_logins_are_signed(self) -> None:
        """Replies to Status-Server carry a Message-Authenticator from servers that sign nothing else."""
        self.start(FIRST)
        asking = self.ask()
        octets, destination = self.sent()
        self.deliver(unsigned_reply(2, octets, (), b"one"), destination)
        reply = self.successResultOf(asking)
        self.assertIsInstance(reply, UpstreamReply)

    def test_a_question_that_could_not_be_sent_is_put_again(self) -> None:
        """While a flood of logins takes every Identifier nothing can be asked; the server is not forgotten for that."""
        self.start(FIRST)
        self.first_fails()
        flood = self.patch(self.upstream._sources, "take", lambda _: None)
        self.wait(12.1)
        flood.restore()
        self.assertEqual(self.codes(), [])
        self.wait(24.1)
        self.assertEqual(self.codes(), [(Code.STATUS_SERVER, FIRST)])
        self.answer_status()
        self.ask()
        self.assertEqual(self.sent()[1], FIRST)

    def test_a_fault_in_asking_does_not_put_a_server_away_for_ever(self) -> None:
        """It is told of, and the server is asked again after the longest rest."""
        self.start(FIRST)
        self.first_fails()
        fault = self.patch(self.upstream._watch, "_ask", lambda index: 1 / 0)
        self.wait(12.1)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        fault.restore()
        self.wait(LONGEST_REST_S)
        self.assertEqual(self.codes(), [(Code.STATUS_SERVER, FIRST)])
        self.answer_status()

    def test_a_stop_ends_it(self) -> None:
        """Nothing is sent and no timer runs afterwards."""
        self.start(FIRST)
        self.first_fails()
        self.successResultOf(Deferred.fromCoroutine(self.upstream.stop()))
        self.assertEqual(self.clock.getDelayedCalls(), [])


class _StandingClock(Clock):
    """A clock for very many timers: it keeps none, and nothing is ever due."""

    def callLater(self, delay: float, callable: Callable[..., object], *args: object, **kw: object) -> IDelayedCall:
        return DelayedCall(delay, callable, args, kw, lambda _: None, lambda _: None, self.seconds)


class ManyTests(UpstreamCase):
    logs_packets = False

    def make_clock(self) -> Clock:
        return _StandingClock()

    def test_ten_thousand_requests_wait_for_one_server(self) -> None:
        """Each has an Identifier and a port of its own until it is answered; each answer ends its own request."""
        asking = [self.ask() for _ in range(10_000)]
        self.assertEqual(len(self.sockets), -(-10_000 // 256))
        places = [(port, octets[1]) for port, each in enumerate(self.sockets) for octets, _, _ in each.sent]
        self.assertEqual(len(set(places)), 10_000)
        for port, each in enumerate(self.sockets):
            for octets, destination, _ in list(each.sent):
                named = [(18, bytes((port, octets[1])))]
                self.deliver(signed_reply(2, octets, named, b"one"), destination, port)
        said = {self.successResultOf(one).packet.attributes[-1][1] for one in asking}
        self.assertEqual(said, {bytes(place) for place in places})
