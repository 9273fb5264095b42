"""A datagram from the RADIUS server that was asked: only its authentic reply ends the wait.

Each input is sent as it is, and then, if nothing was believed, with lengths and signatures put right.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from duoproxy.errors import PrimaryUnreachable
from duoproxy.net.radius_client import RadiusUpstream, UpstreamHost, UpstreamReply
from duoproxy.radius.authenticators import MessageAuthenticator, check_message_authenticator, reply_is_authentic
from duoproxy.radius.dictionary import load_dictionary
from duoproxy.radius.hiding import hide_password
from duoproxy.radius.packet import Attribute, Code, decode_packet, frame_packet
from duoproxy.secret import Secret
from tests.fuzz.log_watch import LogWatch
from tests.fuzz.shaping import first_octet, server_reply
from tests.twisted.radius_fakes import CountedBytes, FakeTransport

SERVER = ("10.1.0.1", 1812)
SECRET = b"upstream's"
DICTIONARY = load_dictionary()
REPLIES = (Code.ACCESS_ACCEPT, Code.ACCESS_REJECT, Code.ACCESS_CHALLENGE)


def target(data: bytes) -> None:
    chosen, octets = first_octet(data)
    clock, transport = Clock(), FakeTransport(40000)
    ends: list[Any] = []
    with LogWatch() as log:
        upstream = _upstream(clock, transport, ("auto", "yes", "no")[chosen % 3])
        Deferred.fromCoroutine(upstream.exchange(_build)).addBoth(ends.append)
        request = transport.sent[0][0]
        made = server_reply(octets, request[1], request[4:20], SECRET)
        # The Identifier decides whose reply it may be; without a right one nothing else is looked at.
        for datagram in (octets, octets[:1] + request[1:2] + octets[2:], made):
            if not ends:
                transport.deliver(datagram, SERVER)
                _believed(ends, datagram, request)
        clock.pump([1.0] * 30)
    log.shows_no_fault()
    assert len(ends) == 1
    if isinstance(ends[0], Failure):
        assert ends[0].check(PrimaryUnreachable), ends[0].getTraceback()
    assert clock.getDelayedCalls() == []


def _build(request_authenticator: bytes, secret: bytes, own_address: str) -> Sequence[Attribute]:
    return [(1, b"alice"), (2, hide_password(b"pencil", secret, request_authenticator)), (32, own_address.encode())]


async def _no_names(name: str) -> str | None:
    return None


def _upstream(clock: Clock, transport: FakeTransport, require: str) -> RadiusUpstream:
    return RadiusUpstream(
        section_name="radius_client",
        reactor=clock,
        hosts=[UpstreamHost(*SERVER, Secret(SECRET))],
        retries=2,
        retry_wait_s=2.0,
        random_bytes=CountedBytes(),
        resolve=_no_names,
        require_message_authenticator=require,
        dictionary=DICTIONARY,
        debug=True,
        open_socket=lambda family: transport,
        own_address=lambda host: "10.9.9.9",
    )


def _believed(ends: list[Any], datagram: bytes, request: bytes) -> None:
    if not ends:
        return
    reply = ends[0]
    assert isinstance(reply, UpstreamReply), reply
    framed = frame_packet(datagram)
    assert framed[0] in REPLIES
    assert reply.packet == decode_packet(framed)
    assert reply_is_authentic(framed, request[4:20], SECRET)
    assert check_message_authenticator(framed, SECRET, request[4:20]) is not MessageAuthenticator.INVALID
