"""Logins against an HTTPS server on loopback: generations, refusals, clocks, transactions."""

from __future__ import annotations

import json
import os
import time
from typing import Any
from unittest import mock

from duo_client import client as vendor
from twisted.internet.defer import CancelledError, Deferred, gatherResults
from twisted.logger import LogLevel

from duoproxy.duoapi.messages import AuthAnswer, AuthQuery, Factor, Generation, PreauthResult
from duoproxy.errors import AnswerLost, ServiceRefused, ServiceUnavailable
from duoproxy.net.duo_connections import MAX_IDLE
from tests.twisted.duo_case import ALLOW, IKEY, PREAUTH, PUSH, SHORT_S, SKEY, ClientCase, usual
from tests.twisted.https_stand_in import (
    LOOPBACK,
    ApiProtocol,
    Received,
    failed,
    http,
    ok,
)


class LoginTests(ClientCase):
    async def test_login_is_two_signed_calls_on_one_connection(self) -> None:
        """Keep-alive: `/auth` goes over the connection on which preauth was just answered."""
        login = self.client().begin_login()
        preauth = await login.preauth("alice", "10.1.1.1")
        self.assertEqual(preauth.result, PreauthResult.AUTH)
        answer = await login.authenticate(PUSH)
        self.assertEqual(answer, AuthAnswer(True, "allow", "Success. Logging you in..."))
        self.assertEqual(self.server.paths, ["/auth/v2/preauth", "/auth/v2/auth"])
        self.assertEqual([request.connection for request in self.server.requests], [0, 0])

    async def test_service_would_find_the_signature_good(self) -> None:
        """The vendor's own functions compute the same Authorization from what arrived."""
        await self.client().begin_login().preauth("älice+1", "10.1.1.1")
        (request,) = self.server.requests
        theirs = vendor.sign(
            IKEY,
            SKEY.reveal_text(),
            "POST",
            LOOPBACK,
            "/auth/v2/preauth",
            request.headers["date"],
            5,
            {},
            body=request.body.decode(),
            additional_headers={},
        )
        self.assertEqual(request.headers["authorization"], theirs)
        self.assertEqual(json.loads(request.body), {"username": "älice+1", "ipaddr": "10.1.1.1"})
        self.assertEqual(request.headers["host"], f"{LOOPBACK}:{self.server.number}")
        self.assertNotIn("accept-encoding", request.headers)

    async def test_logins_at_once_have_a_connection_each(self) -> None:
        """As many connections as pending logins need, and at most 32 are kept afterwards."""
        client = self.client()
        logins = [Deferred.fromCoroutine(client.begin_login().preauth("alice", None)) for _ in range(MAX_IDLE + 8)]
        await gatherResults(logins)
        self.assertEqual(len(self.server.connections), MAX_IDLE + 8)
        await self.until(lambda: sum(connection.is_gone for connection in self.server.connections) == 8)

    async def test_more_logins_than_allowed_are_refused_and_never_let_in(self) -> None:
        """Whoever can fill the queue must not buy a bypass: the bound is a refusal, not an outage."""
        self.server.answer = lambda *_: None
        client = self.client(max_pending_logins=1)
        first = Deferred.fromCoroutine(client.begin_login().preauth("alice", None))
        text = await self.fails(ServiceRefused, client.begin_login().preauth("bob", None))
        self.assertEqual(
            text,
            f"Duo ({LOOPBACK}:PORT): 1 logins wait for it already; "
            "raise max_pending_logins, or look for who sends so many",
        )
        first.cancel()
        await self.assertFailure(first, CancelledError)

    async def test_proxy_variables_of_the_environment_are_ignored(self) -> None:
        """Only http_proxy_host counts."""
        trap = dict.fromkeys(("https_proxy", "HTTPS_PROXY", "http_proxy", "ALL_PROXY"), "http://127.0.0.1:9")
        with mock.patch.dict(os.environ, trap):
            preauth = await self.client().begin_login().preauth("alice", None)
        self.assertEqual(preauth.status_message, "Account is active")

    async def test_host_by_name_with_a_certificate_for_that_name(self) -> None:
        """The name is verified, not the address behind it."""
        preauth = await self.client(host="localhost").begin_login().preauth("alice", None)
        self.assertEqual(preauth.result, PreauthResult.AUTH)

    async def test_check_and_ping(self) -> None:
        """The connectivity check asks both."""
        self.server.answer = lambda *_: ok({"time": 1357020061})
        client = self.client()
        self.assertEqual(await client.ping(), 1357020061.0)
        await client.check()
        self.assertEqual(self.server.paths, ["/auth/v2/ping", "/auth/v2/check"])

    async def test_status_tells_whether_the_service_answered_last(self) -> None:
        """Not asked, reachable, refused by it, not reachable, and reachable again."""
        client = self.client()
        told = client.status()
        self.assertEqual((told["reachable"], told["answered_s_ago"], told["generation"]), (None, None, "v2"))
        await client.begin_login().preauth("alice", None)
        told = client.status()
        self.assertEqual((told["reachable"], told["failure"]), (True, ""))
        self.assertIsNotNone(told["answered_s_ago"])
        self.server.answer = lambda *_: failed(40103, "Invalid signature in request credentials")
        await self.fails(ServiceRefused, client.begin_login().preauth("alice", None))
        told = client.status()
        self.assertEqual((told["reachable"], told["failure"]), (True, f"the secret key does not belong to {IKEY}"))
        self.server.answer = lambda *_: b"this is no HTTP"
        await self.fails(ServiceUnavailable, client.begin_login().preauth("alice", None))
        told = client.status()
        self.assertEqual((told["reachable"], bool(told["failure"])), (False, True))
        self.server.answer = usual
        await client.begin_login().preauth("alice", None)
        self.assertEqual((client.status()["reachable"], client.status()["failure"]), (True, ""))

    async def test_cancelled_login_ends_its_connection(self) -> None:
        """A login that is given up leaves nothing behind, and is not asked again."""
        self.server.answer = lambda *_: None
        client = self.client()
        login = Deferred.fromCoroutine(client.begin_login().preauth("alice", None))
        await self.until(lambda: len(self.server.requests) == 1)
        login.cancel()
        await self.assertFailure(login, CancelledError)
        await self.until(lambda: self.server.connections[0].is_gone)
        self.assertEqual(len(self.server.connections), 1)

    async def test_stopped_client_ends_every_connection_and_opens_none(self) -> None:
        """`stop` waits until all are gone."""
        client = self.client()
        await client.begin_login().preauth("alice", None)
        await client.stop()
        await self.until(lambda: self.server.connections[0].is_gone)
        text = await self.fails(ServiceUnavailable, client.begin_login().preauth("alice", None))
        self.assertEqual(text, f"Duo ({LOOPBACK}:PORT): the proxy is being stopped")


class RefusalTests(ClientCase):
    """4xx is our own fault and never a reason to let somebody in."""

    async def test_wrong_key_is_refused_at_preauth_and_at_auth(self) -> None:
        """Neither an outage nor a lost answer: refused, in words, and not repeated."""
        self.server.answer = lambda *_: failed(40103, "Invalid signature in request credentials")
        login = self.client().begin_login()
        for call in (login.preauth("alice", None), login.authenticate(PUSH)):
            text = await self.fails(ServiceRefused, call)
            self.assertEqual(
                text,
                f"Duo ({LOOPBACK}:PORT): the secret key does not belong to {IKEY}; copy skey of [radius_server_auto] "
                "again from the application's page in the Duo Admin Panel",
            )
        self.assertEqual(len(self.server.requests), 2)

    async def test_refusal_carries_status_and_code(self) -> None:
        """The caller can tell refusals apart."""
        self.server.answer = lambda *_: failed(40102)
        with self.assertRaises(ServiceRefused) as caught:
            await self.client().begin_login().preauth("alice", None)
        self.assertEqual((caught.exception.status, caught.exception.code), (401, 40102))

    async def test_rate_limit_is_waited_for(self) -> None:
        """429: the same call after a pause, at auth too, for it was not carried out."""
        self.server.answer = lambda *_: (
            failed(42901) if len(self.server.requests) % 2 else ok(PREAUTH if len(self.server.requests) < 3 else ALLOW)
        )
        with mock.patch("duoproxy.net.duo_calls.rate_limit_pause_s", return_value=0.01):
            login = self.client().begin_login()
            await login.preauth("alice", None)
            self.assertTrue((await login.authenticate(PUSH)).allowed)
        self.assertEqual(self.server.paths, ["/auth/v2/preauth"] * 2 + ["/auth/v2/auth"] * 2)

    async def test_rate_limit_that_outlasts_the_budget_is_a_refusal(self) -> None:
        """429 after waiting rejects in both modes: whoever can provoke it must not buy a bypass."""
        self.server.answer = lambda *_: failed(42901)
        pauses = []

        def pause(attempt: int, jitter: float) -> float:
            pauses.append(attempt)
            return 0.01 if attempt < 3 else 30.0

        with mock.patch("duoproxy.net.duo_calls.rate_limit_pause_s", pause):
            text = await self.fails(ServiceRefused, self.client().begin_login().preauth("alice", None))
        self.assertEqual(
            text,
            f"Duo ({LOOPBACK}:PORT): it was asked too often (HTTP 429), also after waiting; spread the logins over "
            "more time",
        )
        self.assertEqual(pauses, [0, 1, 2, 3])

    async def test_outage_after_a_rate_limit_is_a_refusal(self) -> None:
        """A login that met a 429 is rejected in both modes, also when waiting left too little time for the rest."""
        self.server.answer = lambda *_: failed(42901) if len(self.server.requests) == 1 else None
        with mock.patch("duoproxy.net.duo_calls.rate_limit_pause_s", return_value=0.01):
            text = await self.fails(
                ServiceRefused, self.client(api_timeout_s=SHORT_S).begin_login().preauth("alice", None)
            )
        self.assertEqual(
            text,
            f"Duo ({LOOPBACK}:PORT): it was asked too often (HTTP 429), and then: no answer within {SHORT_S} s; "
            "spread the logins over more time",
        )

    async def test_outage_while_this_process_stood_still_is_a_refusal(self) -> None:
        """Whoever keeps the proxy busy until its deadlines pass does not get failmode=safe for it."""

        def answer(request: Received, _: ApiProtocol) -> bytes:
            time.sleep(2 * SHORT_S)  # nothing else runs meanwhile; the answer is there behind it, and nobody reads it
            return ok(PREAUTH)

        self.server.answer = answer
        with (
            mock.patch("duoproxy.net.duo_client.MAX_STALL_S", SHORT_S / 4),
            mock.patch("duoproxy.net.loop_watch.TICK_S", SHORT_S / 4),
        ):
            login = self.client(api_timeout_s=SHORT_S).begin_login()
            text = await self.fails(ServiceRefused, login.preauth("alice", None))
        self.assertIn("this proxy itself stood still for", text)

    async def test_outage_at_auth_after_a_rate_limit_at_preauth_is_a_refusal(self) -> None:
        """The budget that the rate limit used up is missed at auth: that is no outage either."""
        self.server.answer = lambda *_: failed(42901) if len(self.server.requests) == 1 else ok(PREAUTH)
        with mock.patch("duoproxy.net.duo_calls.rate_limit_pause_s", return_value=0.01):
            login = self.client().begin_login()
            await login.preauth("alice", None)
        self.reactor.shift_s += 30  # too old for auth, which needs a connection of its own
        await self.server.close()
        await self.fails(ServiceRefused, login.authenticate(PUSH))


class GenerationTests(ClientCase):
    """Both generations of the API behind one interface."""

    def _only_v1(self, refusal: bytes) -> Any:
        def answer(request: Received, _: ApiProtocol) -> bytes:
            if request.path.startswith("/auth/v2/"):
                return refusal
            if request.path == "/rest/v1/preauth":
                return ok({"result": "auth", "status": "", "factors": {"default": "push1", "1": "push1"}})
            return ok("valid" if request.path.endswith("check") else {"result": "allow", "status": "Success."})

        return answer

    async def test_application_that_may_not_call_v2_is_served_by_v1(self) -> None:
        """auto: on 40301 the first generation is tried, and remembered for this ikey."""
        self.server.answer = self._only_v1(failed(40301))
        generations: dict[str, Generation] = {}
        client = self.client(generations=generations)
        login = client.begin_login()
        preauth = await login.preauth("alice", None)
        answer = await login.authenticate(AuthQuery("alice", Factor.PUSH, preauth.devices[0].device_id))
        self.assertTrue(answer.allowed)
        self.assertEqual(self.server.requests[2].body, b"factor=push&phone=phone1&user=alice")
        await client.begin_login().preauth("bob", None)
        self.assertEqual(
            self.server.paths, ["/auth/v2/preauth", "/rest/v1/preauth", "/rest/v1/auth", "/rest/v1/preauth"]
        )
        self.assertEqual(generations, {IKEY: Generation.V1})
        self.assertEqual(len(self.lines), 1)
        self.assertIn("/rest/v1 is used for it", self.lines[0][1])

    async def test_logins_at_once_all_find_v1(self) -> None:
        """Several logins may meet the refusal before the first has learnt from it."""
        self.server.answer = self._only_v1(failed(40301))
        client = self.client()
        logins = [Deferred.fromCoroutine(client.begin_login().preauth("alice", None)) for _ in range(5)]
        answers = await gatherResults(logins)
        self.assertEqual([answer.result for answer in answers], [PreauthResult.AUTH] * 5)

    async def test_check_learns_the_generation_too(self) -> None:
        """404 means the same as 40301."""
        self.server.answer = self._only_v1(failed(40401))
        client = self.client()
        await client.check()
        self.assertIs(client.dialect.generation, Generation.V1)

    async def test_application_that_may_call_neither_is_refused(self) -> None:
        """The words are those of the second generation's refusal; nothing is remembered."""
        self.server.answer = lambda *_: failed(40301)
        client = self.client()
        text = await self.fails(ServiceRefused, client.begin_login().preauth("alice", None))
        self.assertIn(f"the application of {IKEY} may not ask for logins", text)
        self.assertIs(client.dialect.generation, Generation.V2)

    async def test_a_remembered_v1_that_is_refused_is_forgotten(self) -> None:
        """The application was changed meanwhile: the next login begins with the second generation again."""
        generations = {IKEY: Generation.V1}
        client = self.client(generations=generations)
        self.server.answer = lambda *_: failed(40301)
        await self.fails(ServiceRefused, client.begin_login().preauth("alice", None))
        self.assertEqual(generations, {})
        self.assertIs(client.dialect.generation, Generation.V2)

    async def test_chosen_generation_is_kept(self) -> None:
        """api_generation = v2 tries nothing else; v1 begins with v1."""
        self.server.answer = self._only_v1(failed(40301))
        await self.fails(ServiceRefused, self.client(generation="v2").begin_login().preauth("alice", None))
        await self.client(generation="v1").begin_login().preauth("alice", None)
        self.assertEqual(self.server.paths, ["/auth/v2/preauth", "/rest/v1/preauth"])


class ClockTests(ClientCase):
    """A machine whose clock is wrong signs with the service's time, and says so."""

    async def test_date_that_is_far_away_is_used_for_the_next_signature(self) -> None:
        """More than 60 s: the next request carries the service's time; the log says it once."""
        self.server.answer = lambda request, _: ok(
            PREAUTH if request.path.endswith("preauth") else ALLOW, date=1_000_000.0
        )
        login = self.client(wall_clock=lambda: 1_000_400.0).begin_login()
        await login.preauth("alice", None)
        await login.authenticate(PUSH)
        dates = [request.headers["date"] for request in self.server.requests]
        self.assertEqual(dates, ["Mon, 12 Jan 1970 13:53:20 -0000", "Mon, 12 Jan 1970 13:46:40 -0000"])
        self.assertEqual([level for level, _ in self.lines], [LogLevel.warn])
        self.assertIn("This machine's clock is 400 s ahead of the clock of Duo", self.lines[0][1])

    async def test_log_keeps_saying_so(self) -> None:
        """The reminder comes again after a while."""
        self.server.answer = lambda *_: ok(PREAUTH, date=1_000_000.0)
        client = self.client(wall_clock=lambda: 1_000_400.0)
        for wait_s in (0, 0, 601):
            self.reactor.shift_s += wait_s
            await client.begin_login().preauth("alice", None)
        self.assertEqual(len(self.lines), 2)

    async def test_refused_time_is_corrected_at_once(self) -> None:
        """40105: the same call again with the service's time, at auth too."""

        def strict(request: Received, _: ApiProtocol) -> bytes:
            good = request.headers["date"].startswith("Mon, 12 Jan 1970 13:46:40")
            content = PREAUTH if request.path.endswith("preauth") else ALLOW
            return ok(content, date=1_000_000.0) if good else failed(40105, date=1_000_000.0)

        self.server.answer = strict
        client = self.client(wall_clock=lambda: 1_000_400.0)
        self.assertTrue((await client.begin_login().authenticate(PUSH)).allowed)
        self.assertEqual(self.server.paths, ["/auth/v2/auth"] * 2)

    async def test_time_that_stays_refused_is_a_refusal(self) -> None:
        """One correction, then words."""
        self.server.answer = lambda *_: failed(40105, date=time.time())
        text = await self.fails(ServiceRefused, self.client().begin_login().preauth("alice", None))
        self.assertIn("it refuses the time of our requests; set this machine's clock: timedatectl set-ntp true", text)
        self.assertEqual(len(self.server.requests), 2)


class TransactionTests(ClientCase):
    """The asynchronous transaction: the same answers, over auth_status."""

    async def test_user_is_waited_for_by_asking_for_the_state(self) -> None:
        """`waiting` is asked about again, until there is a result."""

        def answer(request: Received, _: ApiProtocol) -> bytes:
            if request.path == "/auth/v2/auth":
                return ok({"txid": "45f7"})
            return ok({"result": "waiting", "status": "pushed"} if len(self.server.requests) < 3 else ALLOW)

        self.server.answer = answer
        with mock.patch("duoproxy.net.duo_client.MIN_POLL_S", 0.01):
            answered = await self.client(transaction="async").begin_login().authenticate(PUSH)
        self.assertTrue(answered.allowed)
        self.assertEqual(json.loads(self.server.requests[0].body)["async"], "1")
        self.assertEqual([r.target for r in self.server.requests[1:]], ["/auth/v2/auth_status?txid=45f7"] * 2)

    async def test_state_may_be_asked_again_after_a_fault(self) -> None:
        """A lost poll asks nobody: it is repeated, and the push is not."""

        def answer(request: Received, connection: ApiProtocol) -> bytes | None:
            if request.path == "/auth/v2/auth":
                return ok({"txid": "45f7"})
            if len(self.server.requests) == 2:
                connection.transport.abortConnection()
                return None
            return http(502, b"") if len(self.server.requests) == 3 else ok(ALLOW)

        self.server.answer = answer
        with mock.patch("duoproxy.net.duo_calls.REPEAT_PAUSE_S", 0.01):
            answered = await self.client(transaction="async").begin_login().authenticate(PUSH)
        self.assertTrue(answered.allowed)
        self.assertEqual(self.server.paths.count("/auth/v2/auth"), 1)

    async def test_user_who_does_not_answer_in_time_is_a_lost_answer(self) -> None:
        """The deadline covers the whole transaction."""
        self.server.answer = lambda request, _: ok({"txid": "4"}) if request.path == "/auth/v2/auth" else None
        client = self.client(transaction="async", api_timeout_s=SHORT_S)
        text = await self.fails(AnswerLost, client.begin_login().authenticate(PUSH))
        self.assertIn("the user may have been asked, but no answer within 0.", text)
