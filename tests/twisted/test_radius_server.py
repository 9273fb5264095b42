"""The RADIUS listener, driven datagram by datagram: what is dropped, what is answered, what joins."""

from __future__ import annotations

from collections.abc import Sequence

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.logger import LogLevel, capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from duoproxy.errors import Disposition, RemoteProtocolError
from duoproxy.net.radius_server import RadiusDevice, RadiusPolicy, RadiusServer, ReceivedRequest, Reply
from duoproxy.radius.addresses import parse_address_range
from duoproxy.radius.attributes import Type, first
from duoproxy.radius.authenticators import MessageAuthenticator
from duoproxy.radius.dictionary import load_dictionary
from duoproxy.radius.packet import Attribute, Code
from duoproxy.secret import Secret
from tests.twisted.radius_fakes import SECRET, CountedBytes, FakeTransport, open_reply, request_octets

DEVICE = ("10.0.0.5", 50000)
STATION: list[Attribute] = [(31, b"192.0.2.7"), (5, b"\0\0\0\x07")]
ACCEPT = Reply(Code.ACCESS_ACCEPT, ((18, b"welcome"),))
DICTIONARY = load_dictionary()


class RadiusServerCase(SynchronousTestCase):
    """A server whose handler waits until the test says what it returns."""

    policy = RadiusPolicy()
    max_in_flight = 16
    debugging = False

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(1000)
        self.transport = FakeTransport()
        self.asked: list[ReceivedRequest] = []
        self.answers: list[Deferred[Reply | None]] = []
        self.server = RadiusServer(
            section_name="radius_server_auto",
            reactor=self.clock,
            devices=self.devices(),
            policy=self.policy,
            handler=self.handle,
            random_bytes=CountedBytes(),
            dictionary=DICTIONARY,
            max_in_flight=self.max_in_flight,
            debug=self.debugging,
            open_socket=lambda interface, port: self.transport,
        )
        self.server.bind("", 1812)
        self.server.start()
        self.events = self.enterContext(capturedLogs())

    def devices(self) -> list[RadiusDevice]:
        return [
            RadiusDevice(parse_address_range("10.0.0.0/24"), Secret(SECRET), "radius_ip_1"),
            RadiusDevice(parse_address_range("10.0.0.77"), Secret(b"another"), "radius_ip_2"),
        ]

    async def handle(self, request: ReceivedRequest) -> Reply | None:
        self.asked.append(request)
        answer: Deferred[Reply | None] = Deferred()
        self.answers.append(answer)
        return await answer

    def receive(self, octets: bytes, source: tuple[str, int] = DEVICE, local: str = "10.0.0.1") -> None:
        self.transport.deliver(octets, source, local)

    @property
    def sent(self) -> list[tuple[bytes, tuple[str, int], str]]:
        return self.transport.sent

    @property
    def lines(self) -> list[str]:
        return [e["sentence"] + e.get("more", "") for e in self.events if "sentence" in e]

    def assert_dropped(self, octets: bytes, source: tuple[str, int] = DEVICE) -> None:
        """Nothing is answered, nothing is begun."""
        before = len(self.sent), len(self.asked), self.server.pending
        self.receive(octets, source)
        self.assertEqual((len(self.sent), len(self.asked), self.server.pending), before)


class AnsweringTests(RadiusServerCase):
    def test_a_request_is_answered_to_where_it_came_from(self) -> None:
        """RFC 2865 §3: the reply goes to the source address and port, from the address that was asked."""
        request = request_octets(7)
        self.receive(request, local="10.0.0.99")
        self.assertEqual(self.asked[0].reveal_password(), b"pencil")
        self.assertEqual(self.asked[0].message_authenticator, MessageAuthenticator.VALID)
        self.assertEqual((self.asked[0].device_address, self.asked[0].device_port), DEVICE)
        self.assertEqual(self.server.pending, 1)
        self.answers[0].callback(ACCEPT)
        [(octets, destination, local)] = self.sent
        self.assertEqual((destination, local), (DEVICE, "10.0.0.99"))
        packet = open_reply(octets, request)
        self.assertEqual(packet.code, Code.ACCESS_ACCEPT)
        self.assertEqual(packet.attributes[1:], ((18, b"welcome"),))
        self.assertEqual(self.server.pending, 0)

    def test_proxy_state_is_copied_in_order_after_the_rest(self) -> None:
        """RFC 2865 §5.33: all Proxy-State, unmodified and in order."""
        request = request_octets(attributes=[(33, b"b"), (4, b"\1\2\3\4"), (33, b"a"), (33, b"b")])
        self.receive(request)
        self.answers[0].callback(ACCEPT)
        packet = open_reply(self.sent[0][0], request)
        self.assertEqual(packet.attributes[1:], ((18, b"welcome"), (33, b"b"), (33, b"a"), (33, b"b")))

    def test_silence_is_an_answer_too(self) -> None:
        """None from the handler: no datagram, also not when the device asks again."""
        self.receive(request_octets())
        self.answers[0].callback(None)
        self.assertEqual(self.server.pending, 0)
        self.assert_dropped(request_octets())

    def test_a_fault_in_the_handler_is_a_reject_and_one_line(self) -> None:
        """Anything unexpected in a login ends in a reject, logged once; never in an accept, never in silence."""
        request = request_octets()
        self.receive(request)
        self.answers[0].errback(ZeroDivisionError("oops"))
        self.assertEqual(open_reply(self.sent[0][0], request).code, Code.ACCESS_REJECT)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual(
            self.lines,
            [
                "A request from 10.0.0.5 was rejected because of a fault in duoproxy itself. Please report it with the "
                "lines that follow."
            ],
        )

    def test_a_malformed_password_is_a_reject(self) -> None:
        """User-Password of a length that cannot be: Access-Reject, never an exception."""
        request = request_octets(password=None, attributes=[(2, bytes(17))])
        self.receive(request)
        with self.assertRaises(RemoteProtocolError) as raised:
            self.asked[0].reveal_password()
        self.assertEqual(raised.exception.disposition, Disposition.REJECT)
        self.answers[0].errback(raised.exception)
        self.assertEqual(open_reply(self.sent[0][0], request).code, Code.ACCESS_REJECT)

    def test_a_request_that_the_handler_discards_gets_silence(self) -> None:
        """A fault of the peer carries its own disposition."""
        self.receive(request_octets())
        self.answers[0].errback(RemoteProtocolError("strange", Disposition.DISCARD))
        self.assertEqual(self.sent, [])
        self.assertEqual(self.server.pending, 0)

    def test_a_reply_that_is_too_long_becomes_a_reject(self) -> None:
        """A packet has 4096 octets at most."""
        request = request_octets(attributes=[(33, b"p")])
        self.receive(request)
        self.answers[0].callback(Reply(Code.ACCESS_ACCEPT, [(25, bytes(253))] * 17))
        packet = open_reply(self.sent[0][0], request)
        self.assertEqual((packet.code, packet.attributes[1:]), (Code.ACCESS_REJECT, ((33, b"p"),)))
        self.assertIn("name them in pass_through_attr_names instead of pass_through_all.", self.lines[0])

    def test_a_fault_while_the_reply_is_made_is_a_reject(self) -> None:
        """The attributes of a reply are made by the section, whose faults never leave a device waiting."""

        def make(answered: ReceivedRequest) -> Sequence[Attribute]:
            raise ZeroDivisionError

        request = request_octets()
        self.receive(request)
        self.answers[0].callback(Reply(Code.ACCESS_ACCEPT, make))
        self.assertEqual(open_reply(self.sent[0][0], request).code, Code.ACCESS_REJECT)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_a_reply_that_the_kernel_refuses_is_told_of(self) -> None:
        """No route to the device: a line in the log, and the answer is kept for its retry."""
        self.transport.fails = True
        self.receive(request_octets())
        self.answers[0].callback(ACCEPT)
        self.assertIn("An answer to 10.0.0.5 could not be sent", self.lines[0])
        self.transport.fails = False
        self.receive(request_octets())
        self.assertEqual(len(self.sent), 2)

    def test_the_narrowest_range_gives_the_secret(self) -> None:
        """Longest prefix decides between overlapping radius_ip_n."""
        request = request_octets(secret=b"another")
        self.receive(request, ("10.0.0.77", 1))
        self.answers[0].callback(ACCEPT)
        self.assertEqual(open_reply(self.sent[0][0], request, b"another").code, Code.ACCESS_ACCEPT)

    def test_two_devices_with_the_same_addresses_are_refused(self) -> None:
        """Equal ranges are an error."""
        device = self.devices()[0]
        with self.assertRaises(ValueError):
            RadiusServer(
                section_name="s", reactor=self.clock, devices=[device, device], policy=self.policy,
                handler=self.handle, random_bytes=CountedBytes(), dictionary=DICTIONARY,
            )  # fmt: skip

    def test_an_ipv6_device(self) -> None:
        """Addresses are compared as numbers, scopes are left aside."""
        server = RadiusServer(
            section_name="s", reactor=self.clock, policy=self.policy, handler=self.handle,
            devices=[RadiusDevice(parse_address_range("fe80::/10"), Secret(SECRET), "radius_ip_1")],
            random_bytes=CountedBytes(), dictionary=DICTIONARY, open_socket=lambda *_: self.transport,
        )  # fmt: skip
        server.bind("", 1812)
        server.datagram_received(request_octets(), ("fe80::5%2", 50000), "fe80::1%2")
        self.answers[0].callback(ACCEPT)
        self.assertEqual(self.sent[0][1:], (("fe80::5%2", 50000), "fe80::1%2"))


class DroppedTests(RadiusServerCase):
    def test_an_unknown_source_is_dropped_undecoded(self) -> None:
        """Not even a malformed packet is looked at; one line names the address and the remedy."""
        self.assert_dropped(b"\1", ("192.0.2.9", 1))
        self.assertEqual(
            self.lines,
            [
                "Dropped a request from 192.0.2.9: no radius_ip_n of [radius_server_auto] names this address. If "
                "it is one of your devices, add its address as a radius_ip_n with its radius_secret_n to "
                "[radius_server_auto]."
            ],
        )

    def test_one_line_a_second_about_strangers(self) -> None:
        """A flood from many addresses is one line a second, which says how many were dropped."""
        for number in range(200):
            self.assert_dropped(request_octets(), (f"192.0.2.{number}", 1))
        self.assertEqual(len(self.lines), 1)
        self.clock.advance(1)
        self.assert_dropped(request_octets(), ("192.0.2.250", 1))
        self.assertEqual(len(self.lines), 2)
        self.assertTrue(self.lines[1].startswith("Dropped a request from 192.0.2.250:"))
        self.assertTrue(self.lines[1].endswith(" (199 more like this since the last such line.)"))

    def test_malformed_packets(self) -> None:
        """Length and attributes that do not fit: dropped, told of once a minute."""
        good = request_octets()
        for bad in (b"", good[:19], good[:-1], good[:2] + b"\x10\x01" + good[4:], good[:20] + b"\x01\x01"):
            self.assert_dropped(bad)
        self.assertEqual(len(self.lines), 1)
        self.assertIn("is not a well-formed RADIUS packet", self.lines[0])

    def test_padding_is_no_part_of_the_packet(self) -> None:
        """Octets after Length are ignored, also for duplicates."""
        self.receive(request_octets() + b"padding")
        self.assertEqual(len(self.asked), 1)
        self.assert_dropped(request_octets())

    def test_wrong_shared_secret_names_the_option(self) -> None:
        """Where Message-Authenticator proves it: dropped before any attribute is read, with the remedy."""
        self.assert_dropped(request_octets(secret=b"wrong"))
        self.assertEqual(
            self.lines,
            [
                "Dropped a request from 10.0.0.5: its Message-Authenticator does not fit. The shared secret differs: "
                "make radius_secret_1 of [radius_server_auto] equal to the secret on the device."
            ],
        )
        self.assert_dropped(request_octets(secret=SECRET), ("10.0.0.77", 9))
        self.assertIn("make radius_secret_2 of", self.lines[1])
        self.assert_dropped(request_octets(2, secret=b"wrong"))
        self.assertEqual(len(self.lines), 2, "once a minute and device")

    def test_two_message_authenticators(self) -> None:
        """Two of them are as good as a wrong one."""
        octets = request_octets(signed=False, attributes=[(80, bytes(16)), (80, bytes(16))])
        self.assert_dropped(octets)

    def test_unknown_codes(self) -> None:
        """Any other code on the port is silently discarded."""
        for code in (2, 3, 4, 5, 11, 13, 40, 255):
            self.assert_dropped(request_octets(code=code))
        self.assertIn("with code 2: only Access-Request (1) and Status-Server (12)", self.lines[0])

    def test_eap_without_message_authenticator(self) -> None:
        """RFC 3579 §3.1: EAP-Message needs a Message-Authenticator."""
        self.assert_dropped(request_octets(signed=False, attributes=[(79, b"\2\1\0\5\1")]))
        self.assertIn("no Message-Authenticator, which EAP must have", self.lines[0])

    def test_an_invalid_message_authenticator_does_not_touch_the_duplicates(self) -> None:
        """RFC 5080 §2.2.2: what fails the check has no effect on the cache."""
        request = request_octets(1)
        self.receive(request)
        self.assert_dropped(request_octets(1, authenticator=b"x" * 16, secret=b"wrong"))
        self.answers[0].callback(ACCEPT)
        self.assertEqual(len(self.sent), 1)


class StatusServerTests(RadiusServerCase):
    def test_status_server_is_answered_with_an_accept(self) -> None:
        """RFC 5997 §4.2: Access-Accept on an authentication port; no login, no state."""
        request = request_octets(9, code=Code.STATUS_SERVER, user=b"", password=None)
        self.receive(request)
        self.assertEqual(open_reply(self.sent[0][0], request).code, Code.ACCESS_ACCEPT)
        self.assertEqual((self.asked, self.server.pending), ([], 0))

    def test_status_server_without_message_authenticator(self) -> None:
        """RFC 5997 §3: it must have one, and a right one."""
        octets = request_octets(9, code=Code.STATUS_SERVER, user=b"", password=None, signed=False)
        self.assert_dropped(octets)
        self.assertIn("which Status-Server must have", self.lines[0])
        self.assert_dropped(request_octets(9, code=Code.STATUS_SERVER, password=None, secret=b"wrong"))

    def test_status_server_does_not_arm(self) -> None:
        """Status-Server always carries Message-Authenticator and proves nothing about logins."""
        self.receive(request_octets(9, code=Code.STATUS_SERVER, password=None))
        self.receive(request_octets(1, signed=False))
        self.assertEqual(len(self.asked), 1)


class MessageAuthenticatorAutoTests(RadiusServerCase):
    def test_a_device_that_never_sent_one_is_taken(self) -> None:
        """auto: permissive until the device has proved that it can."""
        self.receive(request_octets(1, signed=False))
        self.assertEqual(self.asked[0].message_authenticator, MessageAuthenticator.ABSENT)

    def test_armed_by_the_first_valid_one(self) -> None:
        """auto: after one valid one, requests without are dropped; the line has client, option and remedy."""
        self.receive(request_octets(1))
        self.assert_dropped(request_octets(2, signed=False))
        self.assertEqual(
            self.lines,
            [
                "Dropped a request from 10.0.0.5: it carries no Message-Authenticator, but it has sent one before, "
                "and require_message_authenticator is auto. Make the device send Message-Authenticator in every "
                "request, or set require_message_authenticator=no in [radius_server_auto], which leaves its logins "
                "open to forged answers (BlastRADIUS)."
            ],
        )

    def test_armed_per_source_address(self) -> None:
        """Another device in the same radius_ip_n is not armed with it."""
        self.receive(request_octets(1))
        self.receive(request_octets(1, signed=False), ("10.0.0.6", 50000))
        self.assertEqual(len(self.asked), 2)

    def test_eap_does_not_arm(self) -> None:
        """EAP always carries one: it proves nothing about the device's other logins."""
        self.receive(request_octets(1, attributes=[(79, b"\2\1\0\5\1")]))
        self.receive(request_octets(2, signed=False))
        self.assertEqual(len(self.asked), 2)


class MessageAuthenticatorYesTests(RadiusServerCase):
    policy = RadiusPolicy(require_message_authenticator="yes")

    def test_yes_drops_from_the_first_request(self) -> None:
        """yes: no Access-Request without."""
        self.assert_dropped(request_octets(1, signed=False))
        self.assertIn("but require_message_authenticator is yes.", self.lines[0])
        self.receive(request_octets(1))
        self.assertEqual(len(self.asked), 1)


class MessageAuthenticatorNoTests(RadiusServerCase):
    policy = RadiusPolicy(require_message_authenticator="no", limit_proxy_state="no")

    def test_no_takes_all(self) -> None:
        """no: only what the RFC demands."""
        self.receive(request_octets(1))
        self.receive(request_octets(2, signed=False, attributes=[(33, b"p")]))
        self.assertEqual(len(self.asked), 2)

    def test_a_wrong_one_is_dropped_nevertheless(self) -> None:
        """What is present must fit, always."""
        self.assert_dropped(request_octets(1, secret=b"wrong"))


class ProxyStateTests(RadiusServerCase):
    def test_auto_limits_after_a_clean_first_request(self) -> None:
        """auto: a device whose first request had no Proxy-State gets the strict rule."""
        self.receive(request_octets(1, signed=False))
        self.assert_dropped(request_octets(2, signed=False, attributes=[(33, b"p")]))
        self.assertIn("and limit_proxy_state is auto.", self.lines[0])

    def test_auto_tolerates_after_a_first_request_with_it_and_says_so(self) -> None:
        """auto: Proxy-State without Message-Authenticator at first falls to the unsafe side, loudly."""
        for identifier in (1, 2):
            self.receive(request_octets(identifier, signed=False, attributes=[(33, b"p")]))
        self.assertEqual(len(self.asked), 2)
        [line] = self.lines
        self.assertIn("The first request from 10.0.0.5 carries Proxy-State but no Message-Authenticator", line)


class ProxyStateYesTests(RadiusServerCase):
    policy = RadiusPolicy(limit_proxy_state="yes")

    def test_yes_drops_at_once(self) -> None:
        """yes: Proxy-State needs a Message-Authenticator."""
        self.assert_dropped(request_octets(1, signed=False, attributes=[(33, b"p")]))
        self.receive(request_octets(1, attributes=[(33, b"p")]))
        self.assertEqual(len(self.asked), 1)


class DuplicateTests(RadiusServerCase):
    def test_the_same_octets_in_progress_get_silence(self) -> None:
        """Never a second push."""
        self.receive(request_octets())
        self.assert_dropped(request_octets())

    def test_the_same_octets_after_the_reply_get_the_same_reply(self) -> None:
        """The identical bytes again for 30 seconds; then it is a new request."""
        self.receive(request_octets())
        self.answers[0].callback(ACCEPT)
        self.clock.advance(29)
        self.receive(request_octets())
        self.assertEqual(self.sent[0], self.sent[1])
        self.assertEqual(len(self.asked), 1)
        self.clock.advance(31)
        self.receive(request_octets())
        self.assertEqual(len(self.asked), 2)

    def test_another_source_port_or_local_address_is_another_request(self) -> None:
        """The key has source address, source port and receiving address."""
        self.receive(request_octets())
        self.receive(request_octets(), ("10.0.0.5", 50001))
        self.receive(request_octets(), local="10.0.0.2")
        self.assertEqual(len(self.asked), 3)

    def test_a_reused_identifier_supersedes(self) -> None:
        """Same Identifier, other authenticator, valid signature: the older one is not answered any more."""
        self.receive(request_octets(1, user=b"alice"))
        newer = request_octets(1, user=b"bob", authenticator=b"n" * 16)
        self.receive(newer)
        self.answers[0].callback(ACCEPT)
        self.assertEqual(self.sent, [])
        self.answers[1].callback(ACCEPT)
        self.assertEqual(open_reply(self.sent[0][0], newer).code, Code.ACCESS_ACCEPT)

    def test_a_device_that_stopped_waiting(self) -> None:
        """It retried every 5 s and gave up long before the answer: the sentence says what to set on the device."""
        self.receive(request_octets())
        for _ in range(2):
            self.clock.advance(5)
            self.receive(request_octets())
        self.clock.advance(20)
        self.answers[0].callback(ACCEPT)
        self.assertEqual(
            self.lines,
            [
                "The answer to 10.0.0.5 came 20 s after its last try, when the device had probably given up: "
                "it had repeated its request about every 5 s. Raise the RADIUS time-out on the device to 60 "
                "seconds or more."
            ],
        )

    def test_a_device_that_still_waits(self) -> None:
        """No such line while the next retry may still come."""
        self.receive(request_octets())
        self.clock.advance(5)
        self.receive(request_octets())
        self.clock.advance(10)
        self.answers[0].callback(ACCEPT)
        self.assertEqual(self.lines, [])


class JoiningTests(RadiusServerCase):
    def test_a_retry_with_a_new_identifier_joins_and_gets_the_answer(self) -> None:
        """The newest request gets the answer, the superseded one silence; one handler, one push."""
        older, newer = (request_octets(number, attributes=STATION) for number in (1, 2))
        self.receive(older)
        self.clock.advance(5)
        self.receive(newer)
        self.assertEqual((len(self.asked), self.server.pending), (1, 1))
        self.answers[0].callback(ACCEPT)
        [(octets, *_)] = self.sent
        self.assertEqual(open_reply(octets, newer).code, Code.ACCESS_ACCEPT)
        self.assert_dropped(older)
        self.assertEqual(
            self.lines,
            [
                "10.0.0.5 asked again for alice while that login was going on; the new request joined it, and gets its "
                "answer. Give the RADIUS server on the device a time-out of 60 seconds or more and one try, so that it "
                "need not ask again."
            ],
        )

    def test_attributes_are_made_for_the_request_that_is_answered(self) -> None:
        """Salt-encrypted values must fit the Request Authenticator of the newest request."""
        self.receive(request_octets(1, attributes=STATION))
        newer = request_octets(2, attributes=STATION)
        self.receive(newer)
        self.answers[0].callback(Reply(Code.ACCESS_ACCEPT, lambda answered: [(25, answered.packet.authenticator)]))
        self.assertIn((25, newer[4:20]), open_reply(self.sent[0][0], newer).attributes)

    def test_without_a_station_it_is_a_login_of_its_own(self) -> None:
        """Calling-Station-Id and one of the port attributes must be there."""
        for attributes in ([], STATION[:1], STATION[1:]):
            before = len(self.asked)
            self.receive(request_octets(1 + before, attributes=attributes))
            self.receive(request_octets(2 + before, attributes=attributes))
            self.assertEqual(len(self.asked), before + 2)

    def test_another_password_or_attribute_does_not_join(self) -> None:
        """Everything must be equal."""
        self.receive(request_octets(1, attributes=STATION))
        self.receive(request_octets(2, attributes=STATION, password=b"pencil2"))
        self.receive(request_octets(3, attributes=[*STATION, (32, b"x")]))
        self.receive(request_octets(4, attributes=STATION, user=b"Alice"))
        self.receive(request_octets(5, attributes=STATION), ("10.0.0.6", 50000))
        self.assertEqual(len(self.asked), 5)

    def test_after_the_end_a_retry_is_a_login_of_its_own(self) -> None:
        """One approval gives at most one accept."""
        self.receive(request_octets(1, attributes=STATION))
        self.answers[0].callback(ACCEPT)
        self.receive(request_octets(2, attributes=STATION))
        self.assertEqual((len(self.asked), len(self.sent)), (2, 1))

    def test_user_names_cannot_forge_lines(self) -> None:
        """A line break in a name does not reach the log."""
        for number in (1, 2):
            self.receive(request_octets(number, attributes=STATION, user=b"a\nLogin ok\x1b[0m"))
        self.assertIn("asked again for a?Login ok?[0m while", self.lines[0])

    def test_a_device_that_stopped_its_retries_with_new_identifiers(self) -> None:
        """The sentence about the time-out comes for these devices too."""
        self.receive(request_octets(1, attributes=STATION))
        self.clock.advance(5)
        self.receive(request_octets(2, attributes=STATION))
        self.clock.advance(20)
        self.answers[0].callback(ACCEPT)
        self.assertIn("about every 5 s.", self.lines[1])


class NotJoiningTests(RadiusServerCase):
    policy = RadiusPolicy(join_retries=False)

    def test_join_retries_false(self) -> None:
        """join_retries = false: each request is a login of its own."""
        for number in (1, 2):
            self.receive(request_octets(number, attributes=STATION))
        self.assertEqual(len(self.asked), 2)


class BoundTests(RadiusServerCase):
    max_in_flight = 8

    def test_no_device_has_more_than_half_of_what_is_free(self) -> None:
        """Half of the places for one device, half of the rest for the next; more is silence and one line."""
        for number in range(10):
            self.receive(request_octets(number))
        self.assertEqual((len(self.asked), self.server.pending), (4, 4))
        for number in range(10):
            self.receive(request_octets(number), ("10.0.0.6", 1))
        self.assertEqual(self.server.pending, 6)
        self.assertEqual(len(self.lines), 2)
        self.assertIn("Dropped a request from 10.0.0.5: 4 requests are in progress", self.lines[0])

    def test_a_place_is_free_again_after_the_answer(self) -> None:
        """What ended makes room."""
        for number in range(5):
            self.receive(request_octets(number))
        self.answers[0].callback(None)
        self.receive(request_octets(9))
        self.assertEqual((len(self.asked), self.server.pending), (5, 4))


class ToldTests(RadiusServerCase):
    """What a listener says of itself, and of the logins whose replies it sends."""

    def setUp(self) -> None:
        super().setUp()
        self.steps: list[tuple[str, str]] = []
        self.server._login_step = lambda login_id, step: self.steps.append((login_id, step))

    def test_listener_and_pending_logins(self) -> None:
        """An empty address is all of them."""
        self.receive(request_octets())
        told = self.server.status()
        self.assertEqual(told["listeners"], [{"protocol": "udp", "address": "", "port": 1812}])
        self.assertEqual((told["pending"], told["dropped"], told["early_devices"]), (1, {}, []))

    def test_what_was_dropped_is_counted_also_where_no_line_was_written(self) -> None:
        """Three with a wrong secret, two strangers."""
        for number in range(3):
            self.receive(request_octets(number, secret=b"other"))
        for number in range(2):
            self.receive(request_octets(number), ("203.0.113.9", 1))
        self.assertEqual(self.server.status()["dropped"], {"from unknown addresses": 2, "wrong shared secret": 3})

    def test_the_reply_is_a_step_of_its_login(self) -> None:
        """Kind and device; a reply of no login is none."""
        self.receive(request_octets(1))
        self.answers[0].callback(Reply(Code.ACCESS_REJECT, (), "0a1b"))
        self.receive(request_octets(2, user=b"bob"))
        self.answers[1].callback(ACCEPT)
        self.assertEqual(self.steps, [("0a1b", "Access-Reject is sent to 10.0.0.5.")])

    def test_a_device_that_gave_up_is_told_of_in_both(self) -> None:
        """In the status, and as a step with the time-out to set."""
        octets = request_octets(1)
        self.receive(octets)
        self.clock.advance(3)
        self.receive(octets)
        self.clock.advance(20)
        self.answers[0].callback(Reply(Code.ACCESS_ACCEPT, (), "0a1b"))
        self.assertEqual(
            self.server.status()["early_devices"], [{"device": "10.0.0.5", "silent_s": 20.0, "interval_s": 3.0}]
        )
        texts = [step for _, step in self.steps]
        self.assertEqual(texts[0], "Access-Accept is sent to 10.0.0.5; it had asked again, 3.0 s apart.")
        self.assertEqual(texts[1:], self.lines)


class DrainTests(RadiusServerCase):
    def setUp(self) -> None:
        super().setUp()
        self.receive(request_octets(1, attributes=STATION))
        self.server.drain(lambda request: first(request.packet.attributes, Type.STATE) is not None)

    def test_a_new_request_meets_silence(self) -> None:
        """While the proxy is being stopped nothing begins, so that the device goes to another proxy."""
        self.assert_dropped(request_octets(2, user=b"bob"))
        self.assert_dropped(request_octets(2, user=b"bob"))
        self.assertEqual((self.sent, self.server.pending), ([], 1))

    def test_what_is_in_progress_is_answered_also_at_its_newest_retry(self) -> None:
        """Retransmissions and retries of a pending login join it as always."""
        self.receive(request_octets(1, attributes=STATION))
        retry = request_octets(2, attributes=STATION)
        self.receive(retry)
        self.assertEqual(len(self.asked), 1)
        self.answers[0].callback(ACCEPT)
        [(octets, _, _)] = self.sent
        self.assertEqual(open_reply(octets, retry).code, Code.ACCESS_ACCEPT)
        self.assertEqual(self.server.pending, 0)

    def test_an_answer_to_a_question_of_ours_goes_on(self) -> None:
        """Whoever is in the middle of a conversation may end it."""
        self.receive(request_octets(2, attributes=[(24, b"of ours")]))
        self.assertEqual(len(self.asked), 2)

    def test_status_server_meets_silence(self) -> None:
        """Who asks for the status wants to know where to send logins: not here."""
        self.assert_dropped(request_octets(9, code=Code.STATUS_SERVER, password=None))


class StopTests(RadiusServerCase):
    ends_well = False

    async def handle(self, request: ReceivedRequest) -> Reply | None:
        try:
            return await super().handle(request)
        except CancelledError:
            if self.ends_well:
                return ACCEPT
            raise

    def stop(self) -> None:
        self.successResultOf(Deferred.fromCoroutine(self.server.stop()))

    def test_stop_closes_and_rejects_what_is_in_progress(self) -> None:
        """Logins in flight are cancelled and rejected, so that nobody waits in vain; nothing is logged as a fault."""
        request = request_octets()
        self.receive(request)
        self.stop()
        self.assertTrue(self.answers[0].called)
        self.assertTrue(self.transport.closed)
        self.assertEqual(open_reply(self.sent[0][0], request).code, Code.ACCESS_REJECT)
        self.assertEqual((len(self.sent), self.server.pending, self.lines), (1, 0, []))

    def test_a_handler_that_accepts_at_its_cancellation_accepts_nobody(self) -> None:
        """What a cancelled login says is no decision: only a reject leaves."""
        self.ends_well = True
        request = request_octets()
        self.receive(request)
        self.stop()
        self.assertEqual(open_reply(self.sent[0][0], request).code, Code.ACCESS_REJECT)
        self.assertEqual((len(self.sent), self.server.pending), (1, 0))

    def test_start_before_bind_is_our_own_mistake(self) -> None:
        """The port is taken before privileges are dropped, reading begins after."""
        self.stop()
        with self.assertRaises(RuntimeError):
            self.server.start()

    def test_a_small_receive_buffer_is_told_of_at_the_start(self) -> None:
        """4 MiB where the kernel allows it; where it does not, the log names the setting."""
        self.transport.receive_buffer_bytes = 425984
        self.server.start()
        self.assertEqual(
            self.lines,
            [
                "The receive buffer has 208 KiB instead of 4096 KiB, so that bursts of requests can be lost. Set "
                "net.core.rmem_max to 4194304 with sysctl and start again."
            ],
        )

    def test_a_cancelled_wait_inside_a_login_is_a_fault_like_others(self) -> None:
        """While the server runs, nobody but the login itself cancels: a Reject, not silence."""
        request = request_octets()
        self.receive(request)
        self.answers[0].errback(CancelledError())
        self.assertEqual(open_reply(self.sent[0][0], request).code, Code.ACCESS_REJECT)
        self.assertEqual(len(self.flushLoggedErrors(CancelledError)), 1)


class DebugTests(RadiusServerCase):
    debugging = True

    def test_packets_are_decoded_and_secrets_masked(self) -> None:
        """debug: attributes by name, no password."""
        self.receive(request_octets(user=b"alice", password=b"pencil"))
        self.answers[0].callback(ACCEPT)
        texts = [event["attributes"] for event in self.events if event["log_level"] is LogLevel.debug]
        self.assertEqual(len(texts), 2)
        self.assertIn("alice", texts[0])
        self.assertIn("welcome", texts[1])
        self.assertNotIn("pencil", "".join(texts))
