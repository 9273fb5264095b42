"""The connectivity tool's question to a RADIUS server, over an in-memory socket: what each answer, or none, means."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from duoproxy.net.packet_info import RefusedDatagram
from duoproxy.net.radius_probe import LOGIN_WAITS_S, STATUS_WAITS_S, UNSIGNED_WAITS_S, Probed, RadiusProbe
from duoproxy.net.udp import Endpoint
from duoproxy.radius.authenticators import MessageAuthenticator, check_message_authenticator
from duoproxy.radius.packet import Code, decode_packet
from tests.twisted.radius_fakes import CountedBytes, FakeTransport, signed_reply, unsigned_reply

SERVER: Endpoint = ("10.1.0.1", 1812)
SECRET = b"shared"
Answer = Callable[[bytes], bytes | None]


def to_status(octets: bytes) -> bytes | None:
    """A server that knows Status-Server."""
    return signed_reply(Code.ACCESS_ACCEPT, octets, secret=SECRET) if octets[0] == Code.STATUS_SERVER else None


def reject(octets: bytes) -> bytes | None:
    """One that does not, and refuses everybody."""
    return unsigned_reply(Code.ACCESS_REJECT, octets, secret=SECRET) if octets[0] == Code.ACCESS_REQUEST else None


def accept(octets: bytes) -> bytes | None:
    """One that lets everybody in."""
    return unsigned_reply(Code.ACCESS_ACCEPT, octets, secret=SECRET) if octets[0] == Code.ACCESS_REQUEST else None


def with_another_secret(octets: bytes) -> bytes | None:
    """One that drops what another secret signed, and answers what nobody signed."""
    if check_message_authenticator(octets, b"other") is not MessageAuthenticator.ABSENT:
        return None
    return unsigned_reply(Code.ACCESS_REJECT, octets, secret=b"other")


class ProbeCase(SynchronousTestCase):
    """One server."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.transport = FakeTransport()
        probe = RadiusProbe(self.clock, SERVER, SECRET, CountedBytes(), [(32, b"duoproxy")], lambda _: self.transport)
        self.probe = probe

    def begin(self, answer: Answer | None = None, source: Endpoint = SERVER) -> Deferred[Probed]:
        """Ask a server that answers so."""

        def on_send(octets: bytes, destination: Endpoint) -> None:
            reply = answer(octets) if answer is not None else None
            if reply is not None:
                self.clock.callLater(0, self.transport.deliver, reply, source)

        self.transport.on_send = on_send
        return Deferred.fromCoroutine(self.probe.run())

    def found(self, asked: Deferred[Probed], seconds: float = 60.0) -> Probed:
        """Let time pass until there is a result."""
        for _ in range(int(seconds * 2)):
            self.clock.advance(0.5)
        result = self.successResultOf(asked)
        self.assertTrue(self.transport.closed)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        return result

    def codes(self) -> Sequence[int]:
        """What was sent."""
        return [octets[0] for octets, *_ in self.transport.sent]

    def test_a_server_that_answers_status_server_is_asked_nothing_else(self) -> None:
        """No name is sent."""
        self.assertIs(self.found(self.begin(to_status)), Probed.WELL)
        self.assertEqual(self.codes(), [Code.STATUS_SERVER])

    def test_a_reject_of_a_name_that_cannot_exist_is_an_answer(self) -> None:
        """After two Status-Servers without one; each name and password is random."""
        self.assertIs(self.found(self.begin(reject)), Probed.WELL)
        self.assertEqual(self.codes(), [Code.STATUS_SERVER, Code.STATUS_SERVER, Code.ACCESS_REQUEST])
        [name, password, identifier] = decode_packet(self.transport.sent[-1][0]).attributes[1:]
        self.assertRegex(name[1].decode(), r"^duoproxy-connectivity-test-[0-9a-f]{16}$")
        self.assertEqual((name[0], password[0], identifier), (1, 2, (32, b"duoproxy")))

    def test_an_accept_of_such_a_name_is_told_apart(self) -> None:
        """That server checks no passwords."""
        self.assertIs(self.found(self.begin(accept)), Probed.ACCEPTS)

    def test_a_challenge_is_an_answer(self) -> None:
        """The server is there, and knows our secret."""
        answer = self.begin(lambda octets: unsigned_reply(Code.ACCESS_CHALLENGE, octets, secret=SECRET))
        self.assertIs(self.found(answer), Probed.WELL)

    def test_another_secret_shows_in_the_answer_to_what_nobody_signed(self) -> None:
        """The last question of all."""
        self.assertIs(self.found(self.begin(with_another_secret)), Probed.OTHER_SECRET)
        self.assertEqual(self.codes(), [12, 12, 1, 1, 1])

    def test_an_answer_that_another_secret_signed_shows_it_at_once(self) -> None:
        """As ours does not fit."""
        answer = self.begin(lambda octets: signed_reply(Code.ACCESS_REJECT, octets, secret=b"other"))
        self.assertIs(self.found(answer), Probed.OTHER_SECRET)
        self.assertEqual(self.codes(), [Code.STATUS_SERVER])

    def test_nothing_listens_there(self) -> None:
        """The network says so."""
        asked = self.begin()
        assert self.transport.refused is not None
        self.transport.refused(RefusedDatagram(SERVER, b""))
        self.assertIs(self.found(asked), Probed.REFUSED)

    def test_silence_ends(self) -> None:
        """After all tries of all questions."""
        asked = self.begin()
        self.clock.pump([0.1] * int(10 * (sum(STATUS_WAITS_S) + sum(LOGIN_WAITS_S)) + 5))
        self.assertNoResult(asked)
        self.clock.pump([0.1] * int(10 * sum(UNSIGNED_WAITS_S) + 5))
        self.assertIs(self.successResultOf(asked), Probed.SILENT)

    def test_strangers_and_rubbish_are_no_answer(self) -> None:
        """Nor is the answer to another question."""
        self.assertIs(self.found(self.begin(reject, ("10.9.9.9", 1812))), Probed.SILENT)
        self.setUp()
        self.assertIs(self.found(self.begin(lambda octets: b"rubbish")), Probed.SILENT)
        self.setUp()
        other = self.begin(
            lambda octets: signed_reply(Code.ACCESS_REJECT, bytes([1, octets[1] ^ 1]) + octets[2:], secret=SECRET)
        )
        self.assertIs(self.found(other), Probed.SILENT)

    def test_a_probe_that_is_cancelled_gives_its_socket_back(self) -> None:
        """The deadline of the check."""
        asked = self.begin()
        asked.addErrback(lambda _: None)
        asked.cancel()
        self.assertTrue(self.transport.closed)
        self.assertEqual(self.clock.getDelayedCalls(), [])
