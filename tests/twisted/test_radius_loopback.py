"""Client and server over real sockets and the real reactor: the few things that fakes cannot show."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Sequence

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from duoproxy.net.radius_client import RadiusUpstream, UpstreamHost, UpstreamReply
from duoproxy.net.radius_server import RadiusDevice, RadiusPolicy, RadiusServer, ReceivedRequest, Reply
from duoproxy.radius.addresses import parse_address_range
from duoproxy.radius.dictionary import load_dictionary
from duoproxy.radius.hiding import hide_password
from duoproxy.radius.packet import Attribute, Code
from duoproxy.secret import Secret

SECRET = Secret("loopback secret")


def build(request_authenticator: bytes, secret: bytes, own_address: str) -> Sequence[Attribute]:
    packed = socket.inet_aton(own_address)
    return [(1, b"alice"), (2, hide_password(b"pencil", secret, request_authenticator)), (4, packed)]


async def right_password_only(request: ReceivedRequest) -> Reply | None:
    right = request.reveal_password() == b"pencil"
    return Reply(Code.ACCESS_ACCEPT if right else Code.ACCESS_REJECT, ((25, request.local_address.encode()),))


def spin_until(condition: Callable[[], object], seconds: float = 5.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError("the condition did not come true in time")
        reactor.iterate(0.01)


class LoopbackTests(SynchronousTestCase):
    def serve(self) -> RadiusServer:
        server = RadiusServer(
            section_name="radius_server_auto",
            reactor=reactor,
            devices=[RadiusDevice(parse_address_range("127.0.0.0/8"), SECRET, "radius_ip_1")],
            policy=RadiusPolicy(require_message_authenticator="yes"),
            handler=right_password_only,
            random_bytes=os.urandom,
            dictionary=load_dictionary(),
        )
        server.bind("", 0)
        server.start()
        self.addCleanup(lambda: Deferred.fromCoroutine(server.stop()))
        return server

    def upstream(self, *hosts: UpstreamHost) -> RadiusUpstream:
        upstream = RadiusUpstream(
            section_name="radius_client",
            reactor=reactor,
            hosts=hosts,
            retries=3,
            retry_wait_s=2.0,
            random_bytes=os.urandom,
            require_message_authenticator="yes",
        )
        self.addCleanup(lambda: Deferred.fromCoroutine(upstream.stop()))
        return upstream

    def ask(self, upstream: RadiusUpstream) -> UpstreamReply:
        asking = Deferred.fromCoroutine(upstream.exchange(build))
        spin_until(lambda: asking.called)
        return self.successResultOf(asking)

    def test_the_reply_of_a_wildcard_server_is_found_at_each_of_its_addresses(self) -> None:
        """A server that is asked at 127.0.0.2 answers from there: from elsewhere, the client would not believe it."""
        port = self.serve().port
        for host in ("127.0.0.1", "127.0.0.2"):
            reply = self.ask(self.upstream(UpstreamHost(host, port, SECRET)))
            self.assertEqual(reply.packet.code, Code.ACCESS_ACCEPT)
            self.assertIn((25, host.encode()), reply.packet.attributes)

    def test_a_refusing_server_costs_no_time(self) -> None:
        """ICMP port unreachable from a real kernel: the next server is asked at once, long before the first retry."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as closed:
            closed.bind(("127.0.0.1", 0))
            port = closed.getsockname()[1]
        good = UpstreamHost("127.0.0.2", self.serve().port, SECRET)
        upstream = self.upstream(UpstreamHost("127.0.0.1", port, SECRET), good)
        began = time.monotonic()
        self.assertEqual(self.ask(upstream).host, "127.0.0.2")
        self.assertLess(time.monotonic() - began, 1.9)
        self.assertIsNotNone(upstream.health()[0][1])
        self.assertEqual(self.ask(upstream).host, "127.0.0.2")
