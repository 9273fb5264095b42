"""The RADIUS client over in-memory sockets: what it sends, what it believes, whom it asks next."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.logger import LogLevel, capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from duoproxy.errors import PrimaryUnreachable
from duoproxy.net.packet_info import RefusedDatagram
from duoproxy.net.radius_client import RadiusUpstream, UpstreamHost, UpstreamReply
from duoproxy.net.radius_sources import SourcePorts
from duoproxy.net.udp import DatagramTransport, Endpoint
from duoproxy.radius.authenticators import MessageAuthenticator, check_message_authenticator
from duoproxy.radius.dictionary import load_dictionary
from duoproxy.radius.hiding import hide_password, reveal_password
from duoproxy.radius.packet import Attribute, Code, Packet, decode_packet
from duoproxy.secret import Secret
from tests.twisted.radius_fakes import CountedBytes, FakeTransport, signed_reply, unsigned_reply

FIRST: Endpoint = ("10.1.0.1", 1812)
SECOND: Endpoint = ("10.1.0.2", 1645)
SECRETS = {FIRST: b"one", SECOND: b"two"}
DICTIONARY = load_dictionary()


def build(request_authenticator: bytes, secret: bytes, own_address: str) -> Sequence[Attribute]:
    return [(1, b"alice"), (2, hide_password(b"pencil", secret, request_authenticator)), (32, own_address.encode())]


class UpstreamCase(SynchronousTestCase):
    """Two servers, three tries each, two seconds apart."""

    require = "auto"
    logs_packets = True
    hosts: Sequence[UpstreamHost] = (
        UpstreamHost("10.1.0.1", 1812, Secret(b"one")),
        UpstreamHost("10.1.0.2", 1645, Secret(b"two"), "secret_2"),
    )
    names: dict[str, str | None] = {}  # noqa: RUF012 - replaced as a whole, never changed

    def setUp(self) -> None:
        self.clock = self.make_clock()
        self.sockets: list[FakeTransport] = []
        self.families: list[int] = []
        self.no_sockets = False
        self.events = self.enterContext(capturedLogs())
        self.upstream = RadiusUpstream(
            section_name="radius_client",
            reactor=self.clock,
            hosts=self.hosts,
            retries=3,
            retry_wait_s=2.0,
            random_bytes=CountedBytes(),
            resolve=self.resolve,
            require_message_authenticator=self.require,
            dictionary=DICTIONARY,
            debug=self.logs_packets,
            open_socket=self.open_socket,
            own_address=lambda host: "10.9.9.9",
        )

    def make_clock(self) -> Clock:
        return Clock()

    async def resolve(self, name: str) -> str | None:
        return self.names.get(name)

    def open_socket(self, family: int) -> DatagramTransport:
        if self.no_sockets:
            raise OSError(24, "Too many open files")
        self.families.append(family)
        self.sockets.append(FakeTransport(40000 + len(self.sockets)))
        return self.sockets[-1]

    def ask(self) -> Deferred[UpstreamReply]:
        return Deferred.fromCoroutine(self.upstream.exchange(build))

    def sent(self, number: int = -1, port: int = 0) -> tuple[bytes, Endpoint]:
        octets, destination, _ = self.sockets[port].sent[number]
        return octets, destination

    def destinations(self) -> list[Endpoint]:
        return [destination for each in self.sockets for _, destination, _ in each.sent]

    def deliver(self, octets: bytes, source: Endpoint, port: int = 0) -> None:
        self.sockets[port].deliver(octets, source)

    def accept(self, attributes: Sequence[Attribute] = ()) -> None:
        """Let the server that was asked last answer."""
        octets, destination = self.sent()
        self.deliver(signed_reply(2, octets, attributes, SECRETS[destination]), destination)

    def wait(self, *seconds: float) -> None:
        self.clock.pump(seconds)

    @property
    def lines(self) -> list[str]:
        return [event["sentence"] for event in self.events if "sentence" in event]

    def unreachable(self, asking: Deferred[UpstreamReply]) -> PrimaryUnreachable:
        error = self.failureResultOf(asking, PrimaryUnreachable).value
        assert isinstance(error, PrimaryUnreachable)
        return error


class AskingTests(UpstreamCase):
    def test_an_access_request_and_its_accept(self) -> None:
        """Message-Authenticator first, the password hidden with this server's secret, the reply given out whole."""
        asking = self.ask()
        octets, destination = self.sent()
        self.assertEqual(destination, FIRST)
        request = decode_packet(octets)
        self.assertEqual((request.code, request.attributes[0][0]), (Code.ACCESS_REQUEST, 80))
        self.assertIs(check_message_authenticator(octets, b"one"), MessageAuthenticator.VALID)
        self.assertEqual(reveal_password(request.attributes[2][1], b"one", request.authenticator), b"pencil")
        self.assertEqual(request.attributes[3], (32, b"10.9.9.9"))
        self.assertNoResult(asking)
        self.accept([(25, b"class")])
        reply = self.successResultOf(asking)
        self.assertEqual((reply.packet.code, reply.host), (Code.ACCESS_ACCEPT, "10.1.0.1"))
        self.assertIn((25, b"class"), reply.packet.attributes)
        self.assertEqual((reply.request_authenticator, reply.secret), (request.authenticator, Secret(b"one")))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_reject_and_challenge_are_replies(self) -> None:
        """Each of the three answers to an Access-Request ends the wait; what they mean is for the section."""
        for code in (Code.ACCESS_REJECT, Code.ACCESS_CHALLENGE):
            asking = self.ask()
            octets, destination = self.sent()
            self.deliver(signed_reply(code, octets, (), b"one"), destination)
            self.assertEqual(self.successResultOf(asking).packet.code, code)

    def test_a_retry_has_the_same_octets(self) -> None:
        """RFC 2865 §2.5: same Identifier, same authenticator, same socket."""
        self.ask()
        self.wait(1.9)
        self.assertEqual(len(self.destinations()), 1)
        self.wait(0.1)
        first, second = self.sockets[0].sent
        self.assertEqual(first, second)

    def test_the_next_server_gets_a_request_of_its_own(self) -> None:
        """After `retries` tries `retry_wait` apart; new authenticator and Identifier, its own secret."""
        asking = self.ask()
        self.wait(2, 2, 2)
        self.assertEqual(self.destinations(), [FIRST] * 3 + [SECOND])
        first, second = decode_packet(self.sent(0)[0]), decode_packet(self.sent()[0])
        self.assertNotEqual(first.authenticator, second.authenticator)
        self.assertNotEqual(first.identifier, second.identifier)
        self.assertEqual(reveal_password(second.attributes[2][1], b"two", second.authenticator), b"pencil")
        self.accept()
        self.assertEqual(self.successResultOf(asking).host, "10.1.0.2")

    def test_nobody_answers(self) -> None:
        """PrimaryUnreachable, and one line about each server with what to check."""
        asking = self.ask()
        self.wait(*[2] * 6)
        error = self.unreachable(asking)
        self.assertEqual(
            str(error),
            "RADIUS servers 10.1.0.1:1812, 10.1.0.2:1645: no RADIUS server gave a valid answer; look for the lines of "
            "[radius_client] before this one",
        )
        self.assertEqual(self.destinations(), [FIRST] * 3 + [SECOND] * 3)
        self.assertRegex(
            self.lines[0], r"^RADIUS server 10.1.0.1:1812 did not answer and is left out for \d+ seconds. "
        )
        self.assertIn("knows this proxy as a client with the same secret", self.lines[0])
        self.assertEqual(len(self.lines), 2)

    def test_a_late_answer_of_the_first_server_counts(self) -> None:
        """While the second one is asked, the first one's answer is as good."""
        asking = self.ask()
        self.wait(2, 2, 2)
        octets, _ = self.sent(0)
        self.deliver(signed_reply(2, octets, (), b"one"), FIRST)
        self.assertEqual(self.successResultOf(asking).host, "10.1.0.1")

    def test_random_authenticators(self) -> None:
        """Every request has a Request Authenticator of its own."""
        for _ in range(50):
            self.ask()
        authenticators = {octets[4:20] for octets, *_ in self.sockets[0].sent}
        self.assertEqual(len(authenticators), 50)

    def test_a_cancelled_login_gives_everything_back(self) -> None:
        """Every wait survives cancellation: no timer, no Identifier, no question is left."""
        asking = self.ask()
        asking.cancel()
        self.failureResultOf(asking, CancelledError)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        octets, destination = self.sent()
        self.deliver(signed_reply(2, octets, (), b"one"), destination)

    def test_what_does_not_fit_into_a_packet_is_an_error_of_the_caller(self) -> None:
        """ValueError, and the Identifier is free again."""

        def too_much(request_authenticator: bytes, secret: bytes, own_address: str) -> Sequence[Attribute]:
            return [(25, bytes(253))] * 17

        for _ in range(300):
            self.failureResultOf(Deferred.fromCoroutine(self.upstream.exchange(too_much)), ValueError)
        self.assertEqual(len(self.sockets), 1)

    def test_packets_are_logged_by_name_and_without_secrets(self) -> None:
        """debug: attributes decoded, the password masked."""
        self.ask()
        self.accept()
        texts = [event["attributes"] for event in self.events if "attributes" in event]
        self.assertEqual(len(texts), 2)
        self.assertIn("alice", texts[0])
        self.assertNotIn("pencil", texts[0])


class SourcePortTests(UpstreamCase):
    def test_a_new_socket_when_256_identifiers_are_busy(self) -> None:
        """Several source ports: the 257th request in flight leaves from a second one."""
        for _ in range(257):
            self.ask()
        self.assertEqual([len(each.sent) for each in self.sockets], [256, 1])
        self.assertEqual({octets[1] for octets, *_ in self.sockets[0].sent}, set(range(256)))
        self.assertEqual(self.families, [socket.AF_INET] * 2)

    def test_an_identifier_is_free_after_the_reply(self) -> None:
        """One after the other, requests need one socket and no Identifier twice in a row."""
        identifiers = []
        for _ in range(600):
            asking = self.ask()
            identifiers.append(self.sent()[0][1])
            self.accept()
            self.successResultOf(asking)
        self.assertEqual(len(self.sockets), 1)
        self.assertEqual(len(set(identifiers[:256])), 256)

    def test_a_reply_counts_only_at_the_port_that_asked(self) -> None:
        """Address, port, Identifier and our own port must all be those of the question."""
        asking = [self.ask() for _ in range(257)]
        octets, destination = self.sent(0, port=0)
        reply = signed_reply(2, octets, (), b"one")
        self.deliver(reply, destination, port=1)
        self.assertNoResult(asking[0])
        self.deliver(reply, destination, port=0)
        self.successResultOf(asking[0])

    def test_the_number_of_sockets_is_bounded(self) -> None:
        """64 source ports of 256 Identifiers; beyond them there is none."""
        sources = SourcePorts(self.clock, lambda source: None, self.open_socket)
        taken = [sources.take(FIRST) for _ in range(64 * 256)]
        self.assertNotIn(None, taken)
        self.assertIsNone(sources.take(FIRST))
        self.assertEqual(len(self.sockets), 64)

    def test_a_login_beyond_the_bound_fails_at_once(self) -> None:
        """It does not wait for a free Identifier."""
        self.patch(SourcePorts, "take", lambda *_: None)
        self.assertIn("too many requests wait for an answer", str(self.unreachable(self.ask())))

    def test_no_socket_to_be_had(self) -> None:
        """Out of descriptors: the login fails, the log says what to raise, and the next one tries again."""
        self.no_sockets = True
        self.assertIn("no socket could be opened: Too many open files", str(self.unreachable(self.ask())))
        self.assertIn("LimitNOFILE=", self.lines[0])
        self.no_sockets = False
        asking = self.ask()
        self.accept()
        self.successResultOf(asking)


class DistrustTests(UpstreamCase):
    def assert_ignored(self, octets: bytes, source: Endpoint = FIRST) -> None:
        asking = self.asking
        self.deliver(octets, source)
        self.assertNoResult(asking)

    def setUp(self) -> None:
        super().setUp()
        self.asking = self.ask()
        self.request, _ = self.sent()

    def tearDown(self) -> None:
        """Whatever was ignored, the wait went on: the true reply still counts."""
        self.accept()
        self.assertEqual(self.successResultOf(self.asking).packet.code, Code.ACCESS_ACCEPT)

    def test_a_reply_with_the_wrong_secret(self) -> None:
        """Forged, or the secrets differ: ignored, and the sentence names the option."""
        self.assert_ignored(signed_reply(2, self.request, (), b"wrong"))
        self.assertEqual(
            self.lines,
            [
                "Ignored an answer from RADIUS server 10.1.0.1:1812: its authenticator does not fit. The shared "
                "secret probably differs: make secret of [radius_client] equal to the secret on that server; "
                "otherwise somebody forges answers."
            ],
        )
        self.assert_ignored(unsigned_reply(2, self.request, (), b"wrong"))
        self.assertEqual(len(self.lines), 1, "once a minute")
        self.assertEqual(self.upstream.ignored, 2)

    def test_a_reply_with_a_right_response_authenticator_and_a_wrong_message_authenticator(self) -> None:
        """If an upstream reply has one, it must verify."""
        self.assert_ignored(unsigned_reply(2, self.request, [(80, bytes(16))], b"one"))

    def test_a_reply_with_a_right_message_authenticator_and_a_wrong_response_authenticator(self) -> None:
        """Both are checked."""
        octets = signed_reply(2, self.request, (), b"one")
        self.assert_ignored(octets[:4] + bytes(16) + octets[20:])

    def test_replies_from_elsewhere(self) -> None:
        """Wrong address, wrong port, wrong Identifier."""
        octets = signed_reply(2, self.request, (), b"one")
        self.assert_ignored(octets, ("10.1.0.9", 1812))
        self.assert_ignored(octets, ("10.1.0.1", 1813))
        self.assert_ignored(octets[:1] + bytes([octets[1] ^ 1]) + octets[2:])
        self.assertEqual(
            self.lines,
            [
                "Ignored a datagram from 10.1.0.9 at a port that asks RADIUS servers: it comes from no server that "
                "was asked."
            ],
        )

    def test_malformed_replies(self) -> None:
        """Not one octet of them is believed."""
        octets = signed_reply(2, self.request, (), b"one")
        for bad in (b"", octets[:10], octets[:-1], octets[:2] + b"\xff\xff" + octets[4:]):
            self.assert_ignored(bad)

    def test_codes_that_answer_no_access_request(self) -> None:
        """An unknown code is never success, and no end of the wait either."""
        for code in (1, 4, 5, 12, 52, 255):
            self.assert_ignored(signed_reply(code, self.request, (), b"one"))
        self.assertIn("its code 1 answers no Access-Request", self.lines[0])

    def test_eap_without_message_authenticator(self) -> None:
        """RFC 3579 §3.2: in replies too."""
        self.assert_ignored(unsigned_reply(2, self.request, [(79, b"\3\1\0\4")], b"one"))

    def test_the_reply_to_an_earlier_request_with_the_same_identifier(self) -> None:
        """A replayed reply does not fit the new Request Authenticator."""
        old = Packet(1, self.request[1], b"o" * 16, ())
        self.assert_ignored(signed_reply(2, bytes([1, old.identifier, 0, 20]) + old.authenticator, (), b"one"))


class UnsignedTests(UpstreamCase):
    def test_a_server_that_never_signed_is_believed(self) -> None:
        """auto: an old server works until it has shown that it can."""
        asking = self.ask()
        octets, destination = self.sent()
        self.deliver(unsigned_reply(2, octets, (), b"one"), destination)
        self.assertEqual(self.successResultOf(asking).packet.code, Code.ACCESS_ACCEPT)

    def test_required_after_the_first_valid_one(self) -> None:
        """auto: after one valid Message-Authenticator, replies without are ignored and the wait goes on."""
        first = self.ask()
        self.accept()
        self.successResultOf(first)
        second = self.ask()
        octets, destination = self.sent()
        self.deliver(unsigned_reply(2, octets, (), b"one"), destination)
        self.assertNoResult(second)
        self.assertEqual(
            self.lines,
            [
                "Ignored an answer from RADIUS server 10.1.0.1:1812: it carries no Message-Authenticator, but it "
                "has sent one before, and require_message_authenticator is auto. Bring that server up to date, or "
                "set require_message_authenticator=no in [radius_client], which leaves logins open to forged "
                "answers (BlastRADIUS)."
            ],
        )
        self.accept()
        self.successResultOf(second)

    def test_armed_for_each_server_apart(self) -> None:
        """What the first server can do says nothing about the second one."""
        self.ask()
        self.accept()
        asking = self.ask()
        self.wait(2, 2, 2)
        octets, destination = self.sent()
        self.assertEqual(destination, SECOND)
        self.deliver(unsigned_reply(2, octets, (), b"two"), destination)
        self.assertEqual(self.successResultOf(asking).host, "10.1.0.2")


class AlwaysSignedTests(UpstreamCase):
    require = "yes"

    def test_yes_ignores_unsigned_replies(self) -> None:
        """yes: treated as no response, the wait goes on until the end."""
        asking = self.ask()
        octets, destination = self.sent()
        self.deliver(unsigned_reply(2, octets, (), b"one"), destination)
        self.assertNoResult(asking)
        self.assertIn("but require_message_authenticator is yes.", self.lines[0])

    def test_other_values_are_refused(self) -> None:
        """A policy that nobody knows is no policy."""
        with self.assertRaises(ValueError):
            RadiusUpstream(
                section_name="s",
                reactor=self.clock,
                hosts=self.hosts,
                retries=1,
                retry_wait_s=1,
                random_bytes=CountedBytes(),
                require_message_authenticator="maybe",
            )


class FailoverTests(UpstreamCase):
    def refuse(self) -> None:
        octets, destination = self.sent()
        refused = self.sockets[0].refused
        assert refused is not None
        refused(RefusedDatagram(destination, octets))

    def test_a_refusal_is_a_failure_at_once(self) -> None:
        """ICMP port unreachable: the next server is asked without waiting."""
        asking = self.ask()
        self.refuse()
        self.assertEqual(self.destinations(), [FIRST, SECOND])
        self.accept()
        self.successResultOf(asking)
        self.assertEqual(
            self.lines,
            [
                "RADIUS server 10.1.0.1:1812 refuses: nothing listens on that port. Start the RADIUS service there, or "
                "correct host and port."
            ],
        )

    def test_a_refusal_that_quotes_another_request_is_ignored(self) -> None:
        """Who does not see our datagrams cannot forge one."""
        self.ask()
        octets, destination = self.sent()
        refused = self.sockets[0].refused
        assert refused is not None
        refused(RefusedDatagram(destination, octets[:4] + bytes(16)))
        refused(RefusedDatagram(SECOND, octets))
        self.assertEqual(self.destinations(), [FIRST])

    def test_a_refusal_that_quotes_nothing_counts(self) -> None:
        """Some routers quote the ports only."""
        self.ask()
        refused = self.sockets[0].refused
        assert refused is not None
        refused(RefusedDatagram(FIRST, b""))
        self.assertEqual(self.destinations(), [FIRST, SECOND])

    def test_logins_go_to_the_second_server_while_the_first_rests(self) -> None:
        """A failed host rests; after it one login probes it, and the log says that it is back."""
        first = self.ask()
        self.refuse()
        self.accept()
        self.successResultOf(first)
        self.assertIsNotNone(self.upstream.health()[0][1])
        second = self.ask()
        self.assertEqual(self.sent()[1], SECOND)
        self.accept()
        self.successResultOf(second)
        self.wait(12.1)
        probe, other = self.ask(), self.ask()
        self.assertEqual(self.destinations()[-2:], [FIRST, SECOND])
        self.accept()
        self.successResultOf(other)
        octets, _ = self.sent(-2)
        self.deliver(signed_reply(2, octets, (), b"one"), FIRST)
        self.successResultOf(probe)
        self.assertEqual(self.lines[-1], "RADIUS server 10.1.0.1:1812 answers again.")
        self.assertEqual(self.upstream.health(), [("10.1.0.1:1812", None), ("10.1.0.2:1645", None)])

    def test_when_all_rest_the_first_is_tried_anyway(self) -> None:
        """A login is never refused untried."""
        asking = self.ask()
        self.refuse()
        self.refuse()
        self.unreachable(asking)
        again = self.ask()
        self.assertEqual(self.sent()[1], FIRST)
        self.accept()
        self.successResultOf(again)

    def test_a_server_that_is_silent_to_one_login_stays_there_for_the_others(self) -> None:
        """Also while the other server is away: whoever knows a name that it drops takes it away from nobody."""
        dropped = self.ask()
        self.refuse()
        self.wait(2.0, 2.0, 2.0)
        self.unreachable(dropped)
        self.assertNotIn(None, [until for _, until in self.upstream.health()])
        asking = self.ask()
        self.refuse()
        self.assertEqual(self.destinations()[-2:], [FIRST, SECOND])
        self.accept()
        self.successResultOf(asking)
        self.assertIsNone(self.upstream.health()[1][1])

    def test_a_cancelled_probe_lets_another_login_probe(self) -> None:
        """The right to probe is given back."""
        asking = self.ask()
        self.refuse()
        self.accept()
        self.successResultOf(asking)
        self.wait(12.1)
        probe = self.ask()
        probe.cancel()
        self.failureResultOf(probe, CancelledError)
        self.ask()
        self.assertEqual(self.sent()[1], FIRST)

    def test_stop_ends_what_waits(self) -> None:
        """Sockets are closed, waiting logins fail, later ones too."""
        asking = self.ask()
        self.successResultOf(Deferred.fromCoroutine(self.upstream.stop()))
        self.unreachable(asking)
        self.assertTrue(self.sockets[0].closed)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.unreachable(self.ask())
        self.assertEqual(len(self.sockets), 1)


class NamedHostTests(UpstreamCase):
    hosts = (UpstreamHost("radius.example", 1812, Secret(b"one")), UpstreamHost("10.1.0.2", 1645, Secret(b"two")))
    names = {"radius.example": "10.1.0.1"}  # noqa: RUF012 - replaced as a whole, never changed

    def start(self) -> None:
        self.successResultOf(Deferred.fromCoroutine(self.upstream.start()))

    def test_a_name_is_resolved(self) -> None:
        """`host` may be a name; the address is asked for at each exchange."""
        self.start()
        asking = self.ask()
        self.assertEqual(self.sent()[1], FIRST)
        self.accept()
        self.assertEqual(self.successResultOf(asking).host, "radius.example")
        self.names = {"radius.example": "fd00::1"}
        self.ask()
        self.assertEqual(self.sent(port=1)[1], ("fd00::1", 1812))
        self.assertEqual(self.families, [socket.AF_INET, socket.AF_INET6])

    def test_a_name_without_an_address_is_left_out(self) -> None:
        """The start says so, and logins go to the next server at once."""
        self.names = {}
        self.start()
        self.assertEqual(
            self.lines,
            [
                "The name radius.example cannot be resolved, so this RADIUS server is left out. Check the name in the "
                "option host and the DNS servers of this machine (/etc/resolv.conf), or write the address instead."
            ],
        )
        asking = self.ask()
        self.assertEqual(self.sent()[1], SECOND)
        self.accept()
        self.successResultOf(asking)

    def test_a_late_answer_is_everyday(self) -> None:
        """The second reply to a request that was sent twice is no stranger's: debug only."""
        self.ask()
        self.accept()
        self.accept()
        self.assertEqual(self.lines, [])
        late: list[Any] = [e for e in self.events if "late answer" in e["log_format"]]
        self.assertEqual([event["log_level"] for event in late], [LogLevel.debug])

    def test_an_ipv6_address_is_compared_in_one_form(self) -> None:
        """However the resolver writes an address, the kernel's form of it matches."""
        self.names = {"radius.example": "FD00:0:0::0001"}
        asking = self.ask()
        octets, destination = self.sent()
        self.assertEqual(destination, ("fd00::1", 1812))
        self.deliver(signed_reply(2, octets, (), b"one"), ("fd00::1", 1812))
        self.successResultOf(asking)
