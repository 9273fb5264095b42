"""A directory of one or more servers on loopback: what a login gets, from whom, and how it survives faults."""

from __future__ import annotations

from typing import Any

from cryptography import x509
from twisted.internet.defer import CancelledError, gatherResults
from twisted.logger import LogLevel

from duoproxy.errors import PrimaryUnreachable
from duoproxy.net import ldap_pool
from duoproxy.net.host_health import FIRST_REST_S
from duoproxy.net.ldap_directory import Directory, Found, NtlmCredentials, Scope, SimpleCredentials, Transport, Trust
from duoproxy.net.ldap_filters import equal
from duoproxy.net.ldap_service import FIRST_PAUSE_S
from duoproxy.secret import Secret
from tests.twisted.https_stand_in import LOOPBACK, Authority
from tests.twisted.ldap_stand_in import (
    ALICE,
    AUTHORITY,
    GOOD_CERTIFICATE,
    SHORT_S,
    Behaviour,
    DirectoryCase,
    DirectoryStandIn,
    Served,
    usual,
)
from tests.twisted.ldap_wire import bind_response, done, entry, extended

WRONG = SimpleCredentials(b"uid=alice,dc=x", Secret("wrong"))


async def find(directory: Directory) -> Found:
    return await directory.search("dc=x", Scope.SUBTREE, equal("uid", "alice"), ["uid"], size_limit=2)


class LoginTests(DirectoryCase):
    async def test_search_goes_over_a_connection_of_the_service_account(self) -> None:
        """Bind first, then search; the second search needs no second bind."""
        self.listen()
        directory = self.directory()
        found = await find(directory)
        self.assertEqual(found.entries[0].values("uid"), (b"alice",))
        self.assertEqual((found.result.code, found.server), (0, f"{LOOPBACK}:{self.server.number}"))
        await find(directory)
        self.assertEqual(self.server.kinds, ["bind", "search", "search"])
        asked = self.server.requests[1].value
        self.assertEqual((asked.baseObject, asked.scope, asked.sizeLimit, asked.timeLimit), (b"dc=x", 2, 2, 5))

    async def test_group_test_asks_for_no_attributes(self) -> None:
        """RFC 4511 §4.5.1.8: `1.1`; an empty list would ask for all of them."""
        self.listen()
        await self.directory().search(b"cn=g", Scope.BASE, equal("member", b"cn=a"))
        self.assertEqual(self.server.requests[1].value.attributes, [b"1.1"])

    async def test_password_is_checked_on_a_connection_of_its_own(self) -> None:
        """A bind changes who the connection is."""
        self.listen()
        directory = self.directory()
        await find(directory)
        self.assertTrue((await directory.bind_user(ALICE)).succeeded)
        refused = await directory.bind_user(WRONG)
        self.assertFalse(refused.succeeded)
        self.assertEqual(refused.result and refused.result.diagnostic, "data 52e, v1")
        await find(directory)
        self.assertEqual([request.connection.number for request in self.server.requests], [0, 0, 1, 1, 0])

    async def test_empty_password_is_refused_without_a_connection(self) -> None:
        """RFC 4513 §6.3.1."""
        self.listen()
        result = await self.directory().bind_user(SimpleCredentials(b"uid=alice,dc=x", Secret("")))
        self.assertFalse(result.succeeded)
        self.assertEqual(result.not_sent, "the password is empty")
        self.assertEqual(self.server.connections, [])

    async def test_binds_of_many_users_never_share_a_connection(self) -> None:
        """Each waits for its own answer; afterwards a connection serves the next one."""
        self.listen()
        directory = self.directory()
        results = await gatherResults([self.begin(directory.bind_user(ALICE)) for _ in range(20)])
        self.assertTrue(all(result.succeeded for result in results))
        self.assertEqual(len(self.server.connections), 20)
        for number in range(20):
            self.assertEqual(sum(request.connection.number == number for request in self.server.requests), 1)
        await directory.bind_user(ALICE)
        self.assertEqual(len(self.server.connections), 20)

    async def test_number_of_user_connections_is_bounded(self) -> None:
        """The next login waits for one that is done."""
        self.listen()
        self.patch(ldap_pool, "MAX_USER_CONNECTIONS", 2)
        directory = self.directory()
        waiting = [self.begin(directory.bind_user(ALICE)) for _ in range(10)]
        for result in await gatherResults(waiting):
            self.assertTrue(result.succeeded)
        self.assertEqual(len(self.server.connections), 2)

    async def test_logins_that_wait_are_bounded(self) -> None:
        """One more is told at once; it is no fault of the server's."""
        self.server.answer = lambda request: None
        self.listen()
        self.patch(ldap_pool, "MAX_USER_CONNECTIONS", 1)
        self.patch(ldap_pool, "MAX_WAITING", 2)
        directory = self.directory()
        waiting = [self.begin(directory.bind_user(ALICE)) for _ in range(3)]
        text = await self.fails(PrimaryUnreachable, directory.bind_user(ALICE))
        self.assertIn("2 logins wait for it already", text)
        self.assertEqual(self.lines, [])
        for each in waiting:
            each.cancel()
            await each.addErrback(lambda _: None)

    async def test_burst_of_searches_shares_few_connections(self) -> None:
        """Searches are pipelined."""
        self.listen()
        directory = self.directory()
        found = await gatherResults([self.begin(find(directory)) for _ in range(300)])
        self.assertTrue(all(len(one.entries) == 1 for one in found))
        self.assertLessEqual(len(self.server.connections), ldap_pool.MAX_SERVICE_CONNECTIONS)

    async def test_idle_connections_are_closed(self) -> None:
        """Nobody keeps what a firewall may have forgotten."""
        self.listen()
        directory = self.directory()
        await directory.start()
        await find(directory)
        await directory.bind_user(ALICE)
        self.reactor.shift_s += ldap_pool.IDLE_S + 1
        directory._close_idle()
        await self.until(lambda: self.server.open_count == 0)
        await find(directory)
        self.assertEqual(len(self.server.connections), 3)

    async def test_stop_ends_every_connection(self) -> None:
        """And the logins in progress."""
        self.server.answer = lambda request: usual(request) if request.kind == "bind" else None
        self.listen()
        directory = self.directory()
        waiting = self.begin(find(directory))
        await self.until(lambda: "search" in self.server.kinds)
        await directory.stop()
        await self.until(lambda: self.server.open_count == 0)
        with self.assertRaises(PrimaryUnreachable):
            await waiting
        await self.fails(PrimaryUnreachable, find(directory))

    async def test_stop_does_not_wait_for_a_server_that_hangs(self) -> None:
        """Neither do those who wait for a connection to it."""
        self.server.answer = lambda request: None
        self.listen()
        directory = self.directory()
        waiting = self.begin(find(directory))
        await self.until(lambda: "bind" in self.server.kinds)
        await directory.stop()
        self.assertIn("this proxy is stopping", await self.fails(PrimaryUnreachable, _wait(waiting)))
        await self.until(lambda: self.server.open_count == 0)

    async def test_login_that_is_given_up_leaves_nothing_behind(self) -> None:
        """Nobody knows who its connection is: it is ended, and its place is free."""
        self.patch(ldap_pool, "MAX_USER_CONNECTIONS", 1)
        self.server.answer = lambda request: None
        self.listen()
        directory = self.directory()
        waiting = self.begin(directory.bind_user(ALICE))
        await self.until(lambda: "bind" in self.server.kinds)
        waiting.cancel()
        await waiting.addErrback(lambda failure: failure.trap(CancelledError))
        await self.until(lambda: self.server.open_count == 0)
        self.server.answer = usual
        self.assertTrue((await directory.bind_user(ALICE)).succeeded)


class FaultTests(DirectoryCase):
    async def test_connection_that_dies_under_a_search_is_replaced_once(self) -> None:
        """The login does not notice."""
        self.listen()
        directory = self.directory()
        await find(directory)
        self.server.answer = _dies_at(self.server, 3)
        self.assertEqual((await find(directory)).result.code, 0)
        self.assertEqual(self.server.kinds, ["bind", "search", "search", "bind", "search"])
        self.assertEqual(self.lines, [])

    async def test_connection_that_dies_under_a_bind_is_replaced_once(self) -> None:
        """Also where it was a pooled one."""
        self.listen()
        directory = self.directory()
        await directory.bind_user(ALICE)
        self.server.answer = _dies_at(self.server, 2)
        self.assertTrue((await directory.bind_user(ALICE)).succeeded)
        self.assertEqual(len(self.server.connections), 2)

    async def test_new_connection_that_dies_under_a_bind_is_not_replaced(self) -> None:
        """Its server may have counted a wrong password already: one login must not cost two counts."""
        self.server.answer = _dies_at(self.server, 1)
        self.listen()
        await self.fails(PrimaryUnreachable, self.directory().bind_user(ALICE))
        self.assertEqual(self.server.kinds, ["bind"])

    async def test_connection_that_dies_twice_fails_the_login(self) -> None:
        """Once is enough."""
        self.server.answer = _dies_at(self.server, 2, 4)
        self.listen()
        text = await self.fails(PrimaryUnreachable, find(self.directory()))
        self.assertIn(f"directory {LOOPBACK}:ONE: the connection ended before the answer", text)
        self.assertEqual(self.server.kinds, ["bind", "search", "bind", "search"])

    async def test_login_after_each_fault_works(self) -> None:
        """Garbage, a huge header, half a message, silence: bounded time, a sentence, and the next login is served."""
        faults = [b"HTTP/1.1 400\r\n", b"\x30\x84\x7f\xff\xff\xff", done(1)[:4], done(999), b"\x16\x03\x01"]
        self.listen()
        directory = self.directory(timeout_s=SHORT_S)
        for octets in faults:
            self.server.answer = _says_at_search(octets)
            await self.fails(PrimaryUnreachable, find(directory))
            self.server.answer = usual
            self.assertEqual((await find(directory)).result.code, 0)

    async def test_server_that_is_silent_costs_its_timeout(self) -> None:
        """And its rest begins."""
        self.server.answer = lambda request: None
        self.listen()
        text = await self.fails(PrimaryUnreachable, find(self.directory(timeout_s=SHORT_S)))
        self.assertIn("no answer within 0.4 s", text)

    async def test_notice_of_disconnection_is_in_the_sentence(self) -> None:
        """RFC 4511 §4.4.1."""
        notice = extended(0, 52, "shutting down", b"1.3.6.1.4.1.1466.20036")
        self.server.answer = lambda request: notice
        self.listen()
        text = await self.fails(PrimaryUnreachable, find(self.directory()))
        self.assertIn('it closed the connection, result 52: "shutting down"; look at its log', text)

    async def test_referral_is_told_and_not_followed(self) -> None:
        """RFC 4511 §4.1.10: nobody takes a password elsewhere."""
        self.server.answer = lambda request: usual(request) if request.kind == "bind" else done(request.id, 10)
        self.listen()
        found = await find(self.directory())
        self.assertEqual((found.result.code, found.entries), (10, ()))


def _says_at_search(octets: bytes) -> Behaviour:
    return lambda request: usual(request) if request.kind == "bind" else octets


def _says_always(code: int) -> Behaviour:
    return lambda request: (done if request.kind == "search" else bind_response)(request.id, code)


def _dies_at(server: DirectoryStandIn, *numbers: int) -> Behaviour:
    """Make a server that breaks its connection off at the requests of these numbers, counted from 1."""

    def answer(request: Served) -> bytes | None:
        if len([each for each in server.requests if each.kind != "unbind"]) in numbers:
            request.connection.abort()
            return None
        return usual(request)

    return answer


class ServiceAccountTests(DirectoryCase):
    async def test_refused_service_account_is_not_tried_by_every_login(self) -> None:
        """Each wrong password would count towards its lock-out."""
        self.server.answer = lambda request: bind_response(request.id, 49, "data 52e, v1")
        self.listen()
        directory = self.directory()
        waiting = [self.begin(find(directory)) for _ in range(20)]
        for each in waiting:
            text = await self.fails(PrimaryUnreachable, _wait(each))
            self.assertIn("the service account", text)
        text = await self.fails(PrimaryUnreachable, find(directory))
        self.assertIn("the service account was refused (name or password is wrong, data 52e) and is tried again", text)
        self.assertEqual(self.server.kinds, ["bind"])
        (level, line), *more = self.lines
        self.assertEqual((level, more), (LogLevel.error, []))
        self.assertIn("is not tried again for 60 seconds", line)

    async def test_service_account_is_tried_again_after_its_pause(self) -> None:
        """An administrator may have unlocked it, or set the password that we have."""
        self.server.answer = lambda request: bind_response(request.id, 49, "data 775, v1")
        self.listen()
        directory = self.directory()
        await self.fails(PrimaryUnreachable, find(directory))
        self.server.answer = usual
        self.reactor.shift_s += FIRST_PAUSE_S + 1
        self.assertEqual((await find(directory)).result.code, 0)

    async def test_refused_service_account_is_not_tried_on_the_next_server(self) -> None:
        """It has the same accounts, and would count as well."""
        self.server.answer = lambda request: bind_response(request.id, 49, "data 52e, v1")
        self.listen()
        self.listen(self.other)
        await self.fails(PrimaryUnreachable, find(self.directory(self.server, self.other)))
        self.assertEqual(self.other.connections, [])

    async def test_server_that_wants_encryption_says_what_to_set(self) -> None:
        """Result 8: no password is wrong, and other servers are tried."""
        self.server.answer = lambda request: bind_response(request.id, 8, "Transport encryption required.")
        self.listen()
        self.listen(self.other)
        found = await find(self.directory(self.server, self.other))
        self.assertEqual(found.server, f"{LOOPBACK}:{self.other.number}")
        self.assertIn("set transport=starttls or ldaps, or auth_type=ntlm2", self.lines[0][1])


async def _wait(deferred: Any) -> Any:
    return await deferred


class FailoverTests(DirectoryCase):
    def two(self, **settings: Any) -> Directory:
        self.listen(self.other)
        return self.directory(self.server, self.other, **settings)

    async def _answered_by_other(self, directory: Directory) -> None:
        found = await find(directory)
        self.assertEqual(found.server, f"{LOOPBACK}:{self.other.number}")

    async def test_server_that_refuses_connections_is_left_out(self) -> None:
        """By connect error; its rest is in the log, with the reason."""
        self.listen()
        await self.server.close()
        await self._answered_by_other(self.two())
        self.assertEqual(
            self.lines,
            [
                (
                    LogLevel.warn,
                    f"Directory {LOOPBACK}:ONE is left out for 10 seconds: no connection (Connection refused); let "
                    f"this machine reach it at TCP port {self.server.number}.",
                )
            ],
        )

    async def test_resting_server_is_not_asked_until_its_rest_is_over(self) -> None:
        """10 seconds; then one login finds out, and the first server is preferred again."""
        self.server.answer = lambda request: None
        self.listen()
        directory = self.two(timeout_s=SHORT_S)
        await self._answered_by_other(directory)
        tried = len(self.server.requests)
        await self._answered_by_other(directory)
        self.assertEqual(len(self.server.requests), tried)
        self.server.answer = usual
        self.reactor.shift_s += FIRST_REST_S
        self.assertEqual((await find(directory)).server, f"{LOOPBACK}:{self.server.number}")
        self.assertEqual(self.lines[-1], (LogLevel.info, f"Directory {LOOPBACK}:ONE answers again."))

    async def test_results_that_mean_not_now(self) -> None:
        """busy, unavailable and a fault of its own: another server may do it, for a search as for a password."""
        directory = self.two()
        self.listen()
        for code in (51, 52, 80):
            self.server.answer = _says_always(code)
            directory = self.directory(self.server, self.other)
            await self._answered_by_other(directory)
            directory = self.directory(self.server, self.other)
            result = await directory.bind_user(ALICE)
            self.assertTrue(result.succeeded)
            self.assertEqual(result.server, f"{LOOPBACK}:{self.other.number}")

    async def test_wrong_password_is_not_tried_on_the_next_server(self) -> None:
        """A refusal is an answer."""
        self.listen()
        result = await self.two().bind_user(WRONG)
        self.assertEqual(result.server, f"{LOOPBACK}:{self.server.number}")
        self.assertEqual(self.other.connections, [])

    async def test_when_no_server_answers_each_is_in_the_sentence(self) -> None:
        """With its own reason."""
        self.listen()
        await self.server.close()
        self.other.answer = lambda request: bind_response(request.id, 51)
        text = await self.fails(PrimaryUnreachable, find(self.two()))
        self.assertIn(f"{LOOPBACK}:ONE: no connection (Connection refused), {LOOPBACK}:TWO: it is busy", text)

    async def test_when_all_rest_the_first_is_tried_anyway(self) -> None:
        """A wrong guess costs one try, not a login."""
        self.listen()
        await self.server.close()
        directory = self.directory()
        await self.fails(PrimaryUnreachable, find(directory))
        self.server.listen()
        self.assertEqual((await find(directory)).result.code, 0)


class AddressTests(DirectoryCase):
    async def test_all_addresses_of_a_name_are_tried(self) -> None:
        """The one that works is remembered and tried first."""
        self.listen()
        asked: list[str] = []

        async def addresses(name: str) -> tuple[str, ...]:
            asked.append(name)
            return "127.0.0.2", LOOPBACK

        directory = self.directory(host="corp.example.test", resolve_all=addresses)
        self.assertEqual((await find(directory)).result.code, 0)
        self.assertEqual((await directory.bind_user(ALICE)).succeeded, True)
        self.assertEqual(asked, ["corp.example.test"] * 2)

    async def test_address_behind_which_a_broken_server_stands_is_left_for_the_next(self) -> None:
        """Not only TCP counts: whoever cannot bind the service account does not serve."""
        self.listen()

        async def addresses(name: str) -> tuple[str, ...]:
            return LOOPBACK, "127.0.0.1", "127.0.0.3"

        self.server.answer = lambda request: bind_response(request.id, 52)
        text = await self.fails(PrimaryUnreachable, find(self.directory(host="dc", resolve_all=addresses)))
        self.assertIn("it works at none of its addresses", text)
        self.assertIn("127.0.0.3: no connection", text)

    async def test_name_without_an_address(self) -> None:
        """A sentence, at once."""

        async def addresses(name: str) -> tuple[str, ...]:
            return ()

        text = await self.fails(PrimaryUnreachable, find(self.directory(host="nowhere", resolve_all=addresses)))
        self.assertIn("the name nowhere cannot be resolved; check the option host", text)


class TlsTests(DirectoryCase):
    async def _refused(self, transport: Transport, options: Any, **settings: Any) -> str:
        if transport is Transport.LDAPS:
            self.listen(tls=options)
        else:
            self.server.start_tls = options
            self.listen()
        directory = self.directory(transport=transport, **settings)
        text = await self.fails(PrimaryUnreachable, find(directory))
        self.assertEqual(self.server.kinds, [], "the server got what was meant for another one")
        return text

    async def test_login_over_start_tls_and_ldaps(self) -> None:
        """Verified, and nothing but StartTLS itself goes in clear text."""
        self.server.start_tls = GOOD_CERTIFICATE
        self.listen()
        self.listen(self.other, GOOD_CERTIFICATE)
        for server, transport in ((self.server, Transport.STARTTLS), (self.other, Transport.LDAPS)):
            directory = self.directory(server, transport=transport)
            self.assertEqual((await find(directory)).result.code, 0)
            self.assertTrue((await directory.bind_user(ALICE)).succeeded)
            self.assertEqual(server.kinds, ["bind", "search", "bind"])

    async def test_certificate_of_another_authority(self) -> None:
        """The log names the issuer and the option to set; the server receives no password."""
        options = Authority("Corp CA").server_options(x509.DNSName("localhost"))
        for transport in (Transport.STARTTLS, Transport.LDAPS):
            self.server = DirectoryStandIn()
            text = await self._refused(transport, options)
            self.assertIn("its certificate is not trusted: the certificate of its issuer is not known", text)
            self.assertIn("(issuer: CN=Corp CA); set ssl_ca_certs_file to the certificate of the authority", text)

    async def test_certificate_for_another_name(self) -> None:
        """And those without a name that can be used."""
        for names in ((x509.DNSName("dc2.test"),), (), (x509.DNSName("*"),)):
            for transport in (Transport.STARTTLS, Transport.LDAPS):
                self.server = DirectoryStandIn()
                text = await self._refused(transport, AUTHORITY.server_options(*names, common_name=LOOPBACK))
                self.assertIn(f"not for {LOOPBACK}", text)
                self.assertIn("or set ssl_verify_hostname=false", text)

    async def test_switches_of_the_administrator(self) -> None:
        """ssl_verify_hostname=false and ssl_verify=false."""
        self.listen(tls=AUTHORITY.server_options(common_name="dc"))
        self.listen(self.other, Authority("Corp CA").server_options(common_name="dc"))
        nameless = Trust(AUTHORITY.roots, verify_hostname=False)
        found = await find(self.directory(transport=Transport.LDAPS, trust=nameless))
        self.assertEqual(found.result.code, 0)
        anything = Trust(AUTHORITY.roots, verify=False)
        found = await find(self.directory(self.other, transport=Transport.LDAPS, trust=anything))
        self.assertEqual(found.result.code, 0)

    async def test_server_without_start_tls(self) -> None:
        """Never a silent fall-back to clear text."""
        self.server.answer = lambda request: extended(request.id, 2, "unsupported")
        self.listen()
        text = await self.fails(PrimaryUnreachable, find(self.directory(transport=Transport.STARTTLS)))
        self.assertIn('it refuses StartTLS, result 2: "unsupported"; give the directory a certificate', text)
        self.assertEqual(self.server.kinds, [])

    async def test_port_that_speaks_no_tls(self) -> None:
        """LDAPS at the port of LDAP."""
        self.listen()
        text = await self.fails(PrimaryUnreachable, find(self.directory(transport=Transport.LDAPS)))
        self.assertIn("TLS failed (", text)
        self.assertIn("check that transport and port are those of the directory", text)

    async def test_server_that_stops_in_the_handshake(self) -> None:
        """Bounded by the time-out of the server, like everything else."""
        self.server.answer = lambda request: extended(request.id)
        self.server.deaf = True
        self.listen()
        directory = self.directory(transport=Transport.STARTTLS, timeout_s=SHORT_S)
        self.assertIn("no TLS within", await self.fails(PrimaryUnreachable, find(directory)))

    def test_transport_without_anybody_to_trust_cannot_be_made(self) -> None:
        """No configuration leads to TLS that is not looked at, or to clear text instead."""
        for transport in (Transport.STARTTLS, Transport.LDAPS):
            with self.assertRaises(ValueError):
                self.directory(transport=transport, trust=None)


class ProbeTests(DirectoryCase):
    async def test_all_is_well(self) -> None:
        """Nothing to say."""
        self.listen()
        self.assertEqual(await self.directory().probe("dc=x"), [])

    async def test_each_server_has_its_sentence(self) -> None:
        """At the start, and not at the first user's login."""
        self.listen(tls=Authority("Corp CA").server_options(x509.DNSName("localhost")))
        self.listen(self.other)
        self.other.answer = lambda request: bind_response(request.id, 13, "TLS please")
        directory = self.directory(self.server, self.other)
        found = [text.replace(f":{self.other.number}", ":TWO") for text in await directory.probe()]
        self.assertEqual(len(found), 2)
        self.assertRegex(found[0], rf"^Directory {LOOPBACK}:\d+: .*; .*\.$")
        self.assertIn(f"Directory {LOOPBACK}:TWO: the service account is refused", found[1])

    async def test_missing_search_base(self) -> None:
        """search_dn that is not there would let nobody in."""
        self.server.answer = lambda request: usual(request) if request.kind == "bind" else done(request.id, 32)
        self.listen()
        (text,) = await self.directory().probe("dc=wrong")
        self.assertIn("there is no such entry (noSuchObject)", text)
        self.assertIn("check search_dn", text)

    async def test_wrong_service_password_is_tried_once(self) -> None:
        """Not once for each server."""
        self.server.answer = self.other.answer = lambda request: bind_response(request.id, 49)
        self.listen()
        self.listen(self.other)
        found = await self.directory(self.server, self.other).probe()
        self.assertEqual(len(found), 1)
        self.assertEqual(self.server.kinds + self.other.kinds, ["bind"])


class NtlmTests(DirectoryCase):
    """What the server may not do; that the good case works is shown with real domain controllers."""

    account = NtlmCredentials("alice", "CORP", Secret("alice password"))

    async def test_success_before_the_password_was_proven_is_none(self) -> None:
        """Whoever answers so has not checked anything."""
        self.server.answer = lambda request: bind_response(request.id, 0)
        self.listen()
        text = await self.fails(PrimaryUnreachable, self.directory().bind_user(self.account))
        self.assertIn("NTLM failed: the server says yes before it saw the password", text)

    async def test_challenge_that_cannot_be_read(self) -> None:
        """Nothing of the password follows it."""
        self.server.answer = lambda request: bind_response(request.id, 14, credentials=b"NTLMSSP\0junk")
        self.listen()
        text = await self.fails(PrimaryUnreachable, self.directory().bind_user(self.account))
        self.assertIn("NTLM failed: the NTLM challenge cannot be read", text)
        self.assertEqual(self.server.kinds, ["bind"])

    async def test_refusal_at_the_first_step_is_an_answer(self) -> None:
        """A directory that knows no GSS-SPNEGO says 7."""
        self.server.answer = lambda request: bind_response(request.id, 7, "unknown mechanism")
        self.listen()
        result = await self.directory().bind_user(self.account)
        self.assertEqual(result.result and result.result.code, 7)
        request = self.server.requests[0].value
        self.assertEqual((request.sasl, request.auth[0], request.dn), (True, b"GSS-SPNEGO", b""))

    async def test_service_account_inside_tls_that_wants_no_ntlm(self) -> None:
        """Samba with `ldap server require strong auth = yes`: the sentence names the three ways out."""
        self.server.answer = lambda request: bind_response(request.id, 8, "Sign or Seal are required.")
        self.listen(tls=GOOD_CERTIFICATE)
        directory = self.directory(transport=Transport.LDAPS, service_account=self.account)
        text = await self.fails(PrimaryUnreachable, find(directory))
        self.assertIn("it takes no NTLM inside TLS, result 8", text)
        self.assertIn("ldap server require strong auth = allow_sasl_over_tls", text)


class EntryTests(DirectoryCase):
    async def test_more_entries_than_asked_for_are_given(self) -> None:
        """Result 4 with entries: that there is more than one is what was to be found out."""

        def answer(request: Served) -> bytes | None:
            if request.kind == "bind":
                return usual(request)
            return entry(request.id, "cn=a") + entry(request.id, "cn=b") + done(request.id, 4)

        self.server.answer = answer
        self.listen()
        found = await find(self.directory())
        self.assertEqual((found.result.code, len(found.entries)), (4, 2))
