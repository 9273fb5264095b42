"""Connections to an HTTPS server on loopback: which one is used, and what each fault means to a login."""

from __future__ import annotations

import json
import time
from typing import Any, cast
from unittest import mock

from cryptography import x509
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import deferLater
from twisted.logger import LogLevel
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.trial.unittest import TestCase

from duoproxy.duoapi.messages import PreauthResult
from duoproxy.errors import AnswerLost, ServiceUnavailable
from duoproxy.net.duo_client import DuoClient
from duoproxy.net.duo_connections import split_api_host
from duoproxy.net.known_address import REMEMBERED_S, KnownAddress
from duoproxy.net.plain_http import MAX_BODY_BYTES
from duoproxy.net.tls import StrictClientTls
from tests.twisted.duo_case import AUTHORITY, PREAUTH, PUSH, SHORT_S, ClientCase, usual
from tests.twisted.https_stand_in import (
    ADDRESS,
    LOOPBACK,
    ApiProtocol,
    Authority,
    Received,
    ServerTls,
    StandIn,
    failed,
    http,
    ok,
)

ELSEWHERE = "127.0.0.9"


class ConnectionRuleTests(ClientCase):
    """`/auth` is written once, on a connection that is new or answered within the last 5 s."""

    async def test_connection_that_answered_5_s_ago_is_not_used_for_auth(self) -> None:
        """An older one may be dead without knowing it: the user is asked on a new one."""
        login = self.client().begin_login()
        await login.preauth("alice", None)
        self.reactor.shift_s += 5.5
        await login.authenticate(PUSH)
        self.assertEqual([request.connection for request in self.server.requests], [0, 1])

    async def test_connection_that_answered_just_now_is_used_for_auth(self) -> None:
        """Within 5 s a TLS handshake is saved."""
        login = self.client().begin_login()
        await login.preauth("alice", None)
        self.reactor.shift_s += 4.0
        await login.authenticate(PUSH)
        self.assertEqual([request.connection for request in self.server.requests], [0, 0])

    async def test_preauth_takes_an_older_connection(self) -> None:
        """What asks nobody may be tried on any idle connection."""
        client = self.client()
        await client.begin_login().preauth("alice", None)
        self.reactor.shift_s += 30.0
        await client.begin_login().preauth("alice", None)
        self.assertEqual([request.connection for request in self.server.requests], [0, 0])

    async def test_idle_connection_is_closed_after_a_while(self) -> None:
        """Before the service does it; with a goodbye, and not while an answer is waited for."""
        with mock.patch("duoproxy.net.duo_channel.IDLE_S", 0.05):
            client = self.client()
            await client.begin_login().preauth("alice", None)
            self.server.answer = lambda *_: None
            waiting = Deferred.fromCoroutine(client.begin_login().preauth("alice", None))
            await self.until(lambda: len(self.server.requests) == 2)
            await deferLater(reactor, 0.1)
            self.assertFalse(self.server.connections[0].is_gone)
            self.server.connections[0].transport.write(ok(PREAUTH))
            await waiting
            await self.until(lambda: self.server.connections[0].is_gone and client._connections.open_count == 0)

    async def test_requests_name_the_host_and_carry_no_cookie(self) -> None:
        """RFC 9110 §7.2: host and port as in the URL; what the service wants to be told again is not."""
        self.server.answer = lambda *_: ok(PREAUTH, "Set-Cookie: a=b; Path=/; Secure")
        client = self.client()
        for _ in range(2):
            await client.begin_login().preauth("alice", None)
        for request in self.server.requests:
            self.assertEqual(request.headers["host"], f"{LOOPBACK}:{self.server.number}")
            self.assertNotIn("cookie", request.headers)
            self.assertNotIn("accept-encoding", request.headers)

    async def test_connection_closed_by_the_server_is_replaced(self) -> None:
        """A closed one is seen, and a new one opened, also for `/auth`."""
        login = self.client().begin_login()
        await login.preauth("alice", None)
        self.server.connections[0].transport.loseConnection()
        await self.until(lambda: self.server.connections[0].is_gone)
        await login.authenticate(PUSH)
        self.assertEqual(self.server.paths, ["/auth/v2/preauth", "/auth/v2/auth"])

    async def test_preauth_on_a_connection_that_dies_under_it_is_asked_again(self) -> None:
        """preauth asks nobody: it is repeated on a new connection."""

        def dies_second_time(request: Received, connection: ApiProtocol) -> bytes | None:
            if len(self.server.requests) == 2:
                connection.transport.abortConnection()
                return None
            return ok(PREAUTH)

        self.server.answer = dies_second_time
        client = self.client()
        await client.begin_login().preauth("alice", None)
        await client.begin_login().preauth("bob", None)
        self.assertEqual([request.connection for request in self.server.requests], [0, 0, 1])

    async def test_auth_that_was_written_is_never_written_again(self) -> None:
        """The user may have been asked: the answer is lost, on a kept connection as on a new one."""

        def dies_at_auth(request: Received, connection: ApiProtocol) -> bytes | None:
            if request.path == "/auth/v2/auth":
                connection.transport.abortConnection()
                return None
            return ok(PREAUTH)

        self.server.answer = dies_at_auth
        for age_s in (0.0, 6.0):
            login = self.client().begin_login()
            await login.preauth("alice", None)
            self.reactor.shift_s += age_s
            text = await self.fails(AnswerLost, login.authenticate(PUSH))
            self.assertEqual(
                text,
                f"Duo ({LOOPBACK}:PORT): the user may have been asked, but the connection ended before the answer; "
                "the user has to log in again",
            )
        self.assertEqual(self.server.paths.count("/auth/v2/auth"), 2)

    async def test_auth_without_a_connection_has_asked_nobody(self) -> None:
        """No octet was written: this is an outage before the user was asked, tried on two new connections."""
        client = self.client()
        login = client.begin_login()
        await login.preauth("alice", None)
        await self.server.close()
        self.reactor.shift_s += 6.0
        text = await self.fails(ServiceUnavailable, login.authenticate(PUSH))
        self.assertIn("no connection (Connection refused); let this machine reach api_host at TCP port", text)
        self.assertEqual(self.server.paths, ["/auth/v2/preauth"])


class FaultTests(ClientCase):
    """What happens before the user is asked is an outage; what happens after is a lost answer."""

    async def _both(self, answer: bytes) -> tuple[str, str]:
        """Give the words of the same fault at preauth and at auth."""
        self.server.answer = lambda *_: answer
        login = self.client().begin_login()
        before = await self.fails(ServiceUnavailable, login.preauth("alice", None))
        self.server.requests.clear()
        after = await self.fails(AnswerLost, login.authenticate(PUSH))
        self.assertEqual(len(self.server.requests), 1, "auth was sent more than once")
        strip = len(f"Duo ({LOOPBACK}:PORT): ")
        return before[strip:], after[strip:]

    async def test_redirect_is_not_followed(self) -> None:
        """A second factor does not go where a redirect says."""
        before, after = await self._both(http(302, b"", "Location: https://evil.example/"))
        words = "the answer is a redirect (HTTP 302), which the API never sends"
        self.assertEqual(before, f"{words}; look at what stands between this machine and api_host")
        self.assertEqual(after, f"the user may have been asked, but {words}; the user has to log in again")

    async def test_body_beyond_the_limit_is_refused(self) -> None:
        """256 KiB are more than any answer has."""
        before, _ = await self._both(http(200, b" " * (MAX_BODY_BYTES + 1)))
        self.assertEqual(before, "the answer is longer than 262144 octets")

    async def test_body_of_the_limit_is_read(self) -> None:
        """The limit itself is allowed."""
        body = json.dumps({"stat": "OK", "response": PREAUTH}).encode()
        self.server.answer = lambda *_: http(200, body + b" " * (MAX_BODY_BYTES - len(body)))
        preauth = await self.client().begin_login().preauth("alice", None)
        self.assertEqual(preauth.status_message, "Account is active")

    async def test_endless_head_is_refused(self) -> None:
        """Headers are bounded too."""
        before, _ = await self._both(b"HTTP/1.1 200 OK\r\n" + b"X: yyyyyyyyyyyyyyyy\r\n" * 20_000)
        self.assertEqual(before, "the answer is longer than 262144 octets")

    async def test_compressed_body_is_not_unfolded(self) -> None:
        """Nothing that we did not ask for is unpacked."""
        before, _ = await self._both(http(200, b"\x1f\x8b\x08junk", "Content-Encoding: gzip"))
        self.assertIn("the answer is not in the API's form", before)

    async def test_answer_that_is_no_http(self) -> None:
        """Something else listens there."""
        before, _ = await self._both(b"SSH-2.0-OpenSSH\r\n\r\n\r\n")
        self.assertIn("the answer is no HTTP", before)

    async def test_json_that_is_not_understood(self) -> None:
        """An unknown result is an error, before as after."""
        before, after = await self._both(ok({"result": "yes"}))
        self.assertIn("preauth was answered with a result that is not known", before)
        self.assertIn("auth was answered with a result that is not known", after)

    async def test_fault_of_the_service(self) -> None:
        """5xx: an outage before, a lost answer after; preauth is asked once more."""
        with mock.patch("duoproxy.net.duo_calls.REPEAT_PAUSE_S", 0.01):
            before, after = await self._both(failed(50301, "Service unavailable"))
        self.assertIn("it has a fault of its own (HTTP 503, code 50301: Service unavailable)", before)
        self.assertIn("the user may have been asked, but it has a fault of its own (HTTP 503", after)

    async def test_fault_of_the_service_that_passes_is_not_noticed(self) -> None:
        """preauth is repeated once after a 5xx."""
        self.server.answer = lambda *_: http(502, b"") if len(self.server.requests) == 1 else ok(PREAUTH)
        with mock.patch("duoproxy.net.duo_calls.REPEAT_PAUSE_S", 0.01):
            preauth = await self.client().begin_login().preauth("alice", None)
        self.assertEqual(preauth.result, PreauthResult.AUTH)

    async def test_head_that_does_not_come_in_time(self) -> None:
        """api_timeout caps each call: an outage at preauth, a lost answer at auth; neither is repeated."""
        self.server.answer = lambda *_: None
        login = self.client(api_timeout_s=SHORT_S).begin_login()
        text = await self.fails(ServiceUnavailable, login.preauth("alice", None))
        self.assertRegex(text, r": no answer within 0\.\d+ s$")
        text = await self.fails(AnswerLost, login.authenticate(PUSH))
        self.assertRegex(text, r"the user may have been asked, but no answer within 0\.\d+ s; ")
        self.assertEqual(len(self.server.requests), 2)

    async def test_body_that_does_not_come_in_time(self) -> None:
        """The rest of an answer has a deadline of its own, and its connection is given up."""
        self.server.answer = lambda *_: b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"
        login = self.client(api_timeout_s=SHORT_S).begin_login()
        text = await self.fails(ServiceUnavailable, login.preauth("alice", None))
        self.assertRegex(text, r": no answer within 0\.\d+ s$")
        await self.fails(AnswerLost, login.authenticate(PUSH))
        self.assertEqual([request.connection for request in self.server.requests], [0, 1])

    async def test_late_head_leaves_the_body_no_time_of_its_own(self) -> None:
        """The limit of a call is one limit: nobody waits for the body after it."""

        def late_head(_: Received, connection: ApiProtocol) -> None:
            reactor.callLater(0.8 * SHORT_S, connection.transport.write, http(200, b"{}")[:-1])

        self.server.answer = late_head
        started = time.monotonic()
        await self.fails(ServiceUnavailable, self.client(api_timeout_s=SHORT_S).begin_login().preauth("alice", None))
        self.assertLess(time.monotonic() - started, 1.6 * SHORT_S)

    async def test_handshake_that_does_not_come_in_time(self) -> None:
        """A host that accepts and stays silent is no connection: nobody was asked, also at auth."""
        client = self.client(options=None, api_timeout_s=SHORT_S)
        self.server.answer = lambda *_: None
        login = client.begin_login()
        text = await self.fails(ServiceUnavailable, login.preauth("alice", None))
        self.assertIn("no connection within 0.4 s", text)
        await self.fails(ServiceUnavailable, login.authenticate(PUSH))

    async def test_budget_is_shared_by_all_calls_of_a_login(self) -> None:
        """20 s for everything before the user is asked: what is used up is gone for the next call."""

        def slow(*_: Any) -> bytes:
            self.reactor.shift_s += 20.5
            return ok(PREAUTH, "Connection: close")

        self.server.answer = slow
        login = self.client().begin_login()
        await login.preauth("alice", None)
        self.reactor.shift_s += 100
        text = await self.fails(ServiceUnavailable, login.authenticate(PUSH))
        self.assertEqual(text, f"Duo ({LOOPBACK}:PORT): the 20 s for everything before the user is asked are used up")
        self.assertEqual(self.server.paths, ["/auth/v2/preauth"])


class CertificateTests(ClientCase):
    """A host that cannot prove its name receives no octet of a request."""

    async def _refused(self, options: ServerTls, host: str = "localhost") -> str:
        login = self.client(options, host).begin_login()
        text = await self.fails(ServiceUnavailable, login.preauth("alice", None))
        await self.fails(ServiceUnavailable, login.authenticate(PUSH))
        self.assertEqual(self.server.received_octets, 0)
        return text

    async def test_certificate_without_subject_alt_name(self) -> None:
        """The common name proves nothing."""
        text = await self._refused(AUTHORITY.server_options(common_name="localhost"))
        self.assertEqual(
            text,
            "Duo (localhost:PORT): its certificate is refused: it is for no host (no name in subjectAltName), not for "
            "localhost (issuer: CN=Test CA); if a gateway opens TLS on the way, name its CA certificate in "
            "http_ca_certs_file",
        )

    async def test_certificate_with_only_an_e_mail_name(self) -> None:
        """A name of another kind is none."""
        await self._refused(AUTHORITY.server_options(x509.RFC822Name("ca@localhost"), common_name="localhost"))

    async def test_certificate_for_every_name(self) -> None:
        """`DNS:*` names no host."""
        await self._refused(AUTHORITY.server_options(x509.DNSName("*"), common_name="localhost"))

    async def test_certificate_of_an_unknown_authority_is_an_error_in_the_log(self) -> None:
        """Once a minute, naming host, issuer and option."""
        await self._refused(Authority("Gateway CA").server_options(ADDRESS), LOOPBACK)
        ((level, sentence),) = self.lines
        self.assertEqual(level, LogLevel.error)
        self.assertIn(
            "its certificate is refused: the certificate of its issuer is not known (issuer: CN=Gateway CA)", sentence
        )
        self.assertIn("http_ca_certs_file", sentence)
        self.reactor.shift_s += 61
        await self.fails(ServiceUnavailable, self.client(host=LOOPBACK).begin_login().preauth("alice", None))
        self.assertEqual(len(self.lines), 2)

    async def test_host_that_speaks_no_tls(self) -> None:
        """Plain HTTP on that port is no connection."""
        self.listen(self.server, None)
        self.server.buildProtocol = lambda addr: _Greeter(self.server, 0)  # type: ignore[method-assign]
        text = await self.fails(ServiceUnavailable, self.client().begin_login().preauth("alice", None))
        self.assertIn("no TLS connection (", text)


class NewConnectionTests(ClientCase):
    """What a new connection remembers of those before it, and what it proves all the same."""

    async def _first(self, **settings: Any) -> DuoClient:
        """Make one login over a connection that the server then ends."""
        client = self.client(host="localhost", **settings)
        await client.begin_login().preauth("alice", None)
        self.server.connections[-1].transport.loseConnection()
        await self.until(lambda: self.server.connections[-1].is_gone and client._connections.open_count == 0)
        return client

    def _shows(self, options: ServerTls) -> None:
        """From now on somebody else answers at the same address."""
        self.server.port.factory = TLSMemoryBIOFactory(options, False, self.server, clock=reactor)

    async def test_name_that_was_proven_is_not_proven_again(self) -> None:
        """A new connection takes up the TLS session of the one before."""
        client = await self._first()
        with mock.patch.object(StrictClientTls, "_verify_name") as verify:
            await client.begin_login().preauth("bob", None)
        verify.assert_not_called()

    async def test_somebody_else_at_the_remembered_address_gets_nothing(self) -> None:
        """Who does not know the session has to prove the name: the host is looked up again, and no octet is sent."""
        client = await self._first()
        octets = self.server.received_octets
        self._shows(AUTHORITY.server_options(x509.DNSName("evil.example.com")))
        text = await self.fails(ServiceUnavailable, client.begin_login().preauth("bob", None))
        self.assertIn("its certificate is refused", text)
        self.assertEqual((self.server.received_octets, len(self.server.connections)), (octets, 3))

    async def _led_astray(self, answers: Any) -> None:
        """The name is looked up, and leads to another machine; the login goes where Duo was proven a minute ago."""
        client = await self._first()
        elsewhere: Any = reactor.listenTCP(0, answers, interface=ELSEWHERE)
        self.addCleanup(elsewhere.stopListening)
        endpoint = TCP4ClientEndpoint(reactor, ELSEWHERE, elsewhere.getHost().port)
        self.reactor.shift_s += REMEMBERED_S + 1
        with (
            mock.patch("duoproxy.net.remembered_address.HostnameEndpoint", return_value=endpoint) as look_up,
            mock.patch("duoproxy.net.duo_connections.SEARCH_S", SHORT_S),
        ):
            self.assertEqual((await client.begin_login().preauth("bob", None)).result, PreauthResult.AUTH)
            look_up.assert_called_once()
        self.assertEqual(self.server.paths, ["/auth/v2/preauth"] * 2)

    async def test_name_that_leads_to_another_certificate_is_no_outage(self) -> None:
        """Whoever poisons the DNS gets no octet, and makes nobody's failmode decide."""
        somebody = StandIn(usual)
        options = Authority("Gateway CA").server_options(x509.DNSName("localhost"))
        await self._led_astray(TLSMemoryBIOFactory(options, False, somebody, clock=reactor))
        self.assertEqual(somebody.received_octets, 0)
        self.assertEqual([level for level, _ in self.lines], [LogLevel.error])
        self.assertIn("its certificate is refused", self.lines[0][1])
        self.assertIn("The next attempt reached the true service", self.lines[0][1])

    async def test_name_that_leads_to_who_says_nothing_is_no_outage(self) -> None:
        """The handshake there gets a part of the time, and the known address the rest."""
        await self._led_astray(Factory.forProtocol(Protocol))

    async def test_name_that_leads_to_who_hangs_up_is_no_outage(self) -> None:
        """No TLS, or none that comes to an end, proves nothing either."""
        await self._led_astray(Factory.forProtocol(_HangsUp))

    async def test_silent_dns_is_no_outage_where_api_timeout_is_short(self) -> None:
        """A look-up takes a part of the time only, so that there is some for the known address."""
        client = await self._first(api_timeout_s=2 * SHORT_S)
        self.reactor.shift_s += REMEMBERED_S + 1
        endpoint = mock.Mock()
        endpoint.return_value.connect.side_effect = lambda _: Deferred()
        with mock.patch("duoproxy.net.remembered_address.HostnameEndpoint", endpoint):
            self.assertEqual((await client.begin_login().preauth("bob", None)).result, PreauthResult.AUTH)
        endpoint.assert_called_once()

    async def test_host_with_new_keys_for_its_tickets_is_asked(self) -> None:
        """A session that the host does not know any more costs a full handshake, and no login."""
        client = await self._first()
        self._shows(AUTHORITY.server_options(x509.DNSName("localhost")))
        await client.begin_login().preauth("bob", None)
        self.assertEqual(len(self.server.requests), 2)

    async def test_handshake_that_fails_with_what_was_remembered_is_made_without(self) -> None:
        """A session or an address that is not good any more is no outage, also where the user is asked."""
        client = await self._first()
        tls, port = self.server.port.factory, self.server.port

        class Once(Factory):
            def buildProtocol(self, addr: Any) -> Any:
                port.factory = tls
                return _Greeter(StandIn(usual), 0)

        port.factory = Once()
        await client.begin_login().authenticate(PUSH)
        self.assertEqual(self.server.paths, ["/auth/v2/preauth", "/auth/v2/auth"])


class _HangsUp(Protocol):
    def connectionMade(self) -> None:
        cast(Any, self.transport).loseConnection()


class _Greeter(ApiProtocol):
    def connectionMade(self) -> None:
        self.transport.write(b"220 mail.example ESMTP\r\n")


class ProxyTests(ClientCase):
    """http_proxy_host: through a tunnel, with the name of the API host verified behind it."""

    def _proxy(self, answer: bytes | None, *, relay: bool = False) -> tuple[str, int]:
        self.proxy = StandIn(lambda request, connection: self._tunnel(connection, answer, relay))
        return LOOPBACK, self.listen(self.proxy, None)

    def _tunnel(self, connection: ApiProtocol, answer: bytes | None, relay: bool) -> bytes | None:
        if relay:
            port = self.server.port
            inner = port.factory.buildProtocol(None)
            connection.dataReceived = inner.dataReceived  # type: ignore[method-assign]
            connection.connectionLost = inner.connectionLost  # type: ignore[method-assign]
            connection.transport.write(answer)
            inner.makeConnection(connection.transport)
            return None
        return answer

    async def test_login_through_a_proxy(self) -> None:
        """One CONNECT, then both calls inside it."""
        client = self.client(host="localhost", http_proxy=self._proxy(b"HTTP/1.1 200 OK\r\n\r\n", relay=True))
        login = client.begin_login()
        await login.preauth("alice", None)
        self.assertTrue((await login.authenticate(PUSH)).allowed)
        self.assertEqual(self.server.paths, ["/auth/v2/preauth", "/auth/v2/auth"])
        self.assertEqual([request.method for request in self.proxy.requests], ["CONNECT"])
        self.assertEqual(self.proxy.requests[0].target, f"localhost:{self.server.number}")

    async def test_proxy_that_refuses(self) -> None:
        """403 is an outage before the user was asked, in the proxy's words."""
        host, port = self._proxy(b"HTTP/1.1 403 Forbidden\r\n\r\n")
        client = self.client(http_proxy=(host, port))
        text = await self.fails(ServiceUnavailable, client.begin_login().preauth("alice", None))
        self.assertEqual(
            text,
            f"Duo ({LOOPBACK}:PORT): the HTTP proxy {host}:{port} opens no tunnel: HTTP/1.1 403 Forbidden; "
            "allow CONNECT to api_host on the proxy",
        )

    async def test_proxy_that_sends_early_octets(self) -> None:
        """Octets behind the head are not the API host's."""
        client = self.client(http_proxy=self._proxy(b"HTTP/1.1 200 OK\r\n\r\n\x16\x03\x01"))
        text = await self.fails(ServiceUnavailable, client.begin_login().preauth("alice", None))
        self.assertIn("it sent data before the tunnel was used", text)

    async def test_proxy_that_does_not_answer(self) -> None:
        """The deadline of a connection covers the tunnel."""
        client = self.client(http_proxy=self._proxy(None), api_timeout_s=SHORT_S)
        text = await self.fails(ServiceUnavailable, client.begin_login().preauth("alice", None))
        self.assertIn("no connection within 0.4 s", text)

    async def test_proxy_that_says_nothing_may_have_moved(self) -> None:
        """Its name is looked up soon: nobody proves anything before there is a tunnel."""
        client = self.client(http_proxy=self._proxy(None), api_timeout_s=SHORT_S)
        with mock.patch.object(KnownAddress, "doubt_soon") as doubt:
            await self.fails(ServiceUnavailable, client.begin_login().preauth("alice", None))
        doubt.assert_called_once()

    async def test_proxy_that_is_not_there(self) -> None:
        """The sentence names the proxy's options."""
        where = self._proxy(None)
        await self.proxy.close()
        client = self.client(http_proxy=where)
        text = await self.fails(ServiceUnavailable, client.begin_login().preauth("alice", None))
        self.assertIn("(Connection refused); check http_proxy_host and http_proxy_port", text)


class ApiHostTests(TestCase):
    def test_forms_of_api_host(self) -> None:
        """A name, with a port where it is not 443; IPv6 in brackets when there is a port."""
        self.assertEqual(split_api_host("api-1.duosecurity.com"), ("api-1.duosecurity.com", 443))
        self.assertEqual(split_api_host("127.0.0.1:8443"), ("127.0.0.1", 8443))
        self.assertEqual(split_api_host("[::1]:8443"), ("::1", 8443))
        self.assertEqual(split_api_host("[::1]"), ("::1", 443))
        self.assertEqual(split_api_host("::1"), ("::1", 443))

    def test_port_that_is_none(self) -> None:
        """A wrong port is an error at start."""
        for text in ("host:0", "host:65536", "host:x", "[::1]:-1"):
            with self.assertRaises(ValueError):
                split_api_host(text)
