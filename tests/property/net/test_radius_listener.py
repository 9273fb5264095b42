"""Whatever arrives, the listener raises nothing and answers what is authentic; the client believes true replies."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.logger import Logger

from duoproxy.net.log_limit import LimitedLog
from duoproxy.net.radius_reply_check import AskedServer, ReplyCheck
from duoproxy.net.radius_server import RadiusDevice, RadiusPolicy, RadiusServer, ReceivedRequest, Reply
from duoproxy.radius.addresses import parse_address_range
from duoproxy.radius.authenticators import MessageAuthenticator, check_message_authenticator
from duoproxy.radius.dictionary import load_dictionary
from duoproxy.radius.packet import Code, frame_packet
from duoproxy.secret import Secret
from tests.twisted.radius_fakes import SECRET, CountedBytes, FakeTransport, request_octets, signed_reply

DICTIONARY = load_dictionary()
REQUEST = request_octets(7, attributes=[(33, b"p"), (31, b"192.0.2.7"), (5, b"\0\0\0\1")])

mutations = st.lists(st.tuples(st.integers(0, len(REQUEST) - 1), st.integers(0, 255)), max_size=4)
lengths = st.integers(0, len(REQUEST) + 20)


def mutated(octets: bytes, changes: list[tuple[int, int]], length: int) -> bytes:
    changed = bytearray(octets.ljust(length, b"\0"))
    for at, value in changes:
        if at < len(changed):
            changed[at] = value
    return bytes(changed[:length])


def listener(require: str) -> tuple[RadiusServer, FakeTransport, list[ReceivedRequest]]:
    asked: list[ReceivedRequest] = []
    transport = FakeTransport()

    async def handle(request: ReceivedRequest) -> Reply | None:
        asked.append(request)
        request.reveal_password()
        return Reply(Code.ACCESS_ACCEPT)

    server = RadiusServer(
        section_name="radius_server_auto",
        reactor=Clock(),
        devices=[RadiusDevice(parse_address_range("10.0.0.5"), Secret(SECRET), "radius_ip_1")],
        policy=RadiusPolicy(require_message_authenticator=require),
        handler=handle,
        random_bytes=CountedBytes(),
        dictionary=DICTIONARY,
        debug=True,
        open_socket=lambda interface, port: transport,
    )
    server.bind("", 1812)
    server.start()
    return server, transport, asked


@settings(max_examples=200, deadline=None)
@given(octets=st.binary(max_size=200) | st.builds(mutated, st.just(REQUEST), mutations, lengths))
def test_only_authentic_requests_are_answered_where_they_must_be(octets: bytes) -> None:
    """require_message_authenticator = yes: an answer implies a valid Message-Authenticator; nothing is ever raised."""
    server, transport, asked = listener("yes")
    server.datagram_received(octets, ("10.0.0.5", 50000), "10.0.0.1")
    assert server.pending == 0
    if transport.sent:
        assert check_message_authenticator(frame_packet(octets), SECRET) is MessageAuthenticator.VALID
    assert all(request.message_authenticator is MessageAuthenticator.VALID for request in asked)


@settings(max_examples=200, deadline=None)
@given(octets=st.binary(max_size=200) | st.builds(mutated, st.just(REQUEST), mutations, lengths))
def test_nothing_is_raised_and_nothing_stays_in_flight(octets: bytes) -> None:
    """require_message_authenticator = no: each datagram gives at most one handler and at most one reply."""
    server, transport, asked = listener("no")
    server.datagram_received(octets, ("10.0.0.5", 50000), "10.0.0.1")
    assert server.pending == 0
    assert len(asked) <= 1
    assert len(transport.sent) <= 1


TRUE_REPLY = signed_reply(2, REQUEST, [(25, b"class"), (18, b"welcome")])


@settings(max_examples=200, deadline=None)
@given(octets=st.builds(mutated, st.just(TRUE_REPLY), mutations, lengths))
def test_only_the_true_reply_is_believed(octets: bytes) -> None:
    """Any change of a reply is noticed; padding after it is none."""
    check = ReplyCheck("radius_client", "no", LimitedLog(Logger(), Clock().seconds))
    packet = check.accepts(octets, AskedServer(0, "10.1.0.1:1812", SECRET, REQUEST[4:20], "secret"))
    believed = packet is not None
    assert believed == octets.startswith(TRUE_REPLY)
