"""The stand-in Duo service over HTTP, in memory: waiting, faults on demand, and who may use page and controls."""

from __future__ import annotations

import itertools
import json
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from duoproxy.sandbox.accounts import Reaction, parse_behaviour
from duoproxy.sandbox.duo_listener import IDLE_CONNECTION_S, DuoListener
from duoproxy.sandbox.duo_service import PUSH_LIFETIME_S
from duoproxy.secret import Secret
from tests.unit.sandbox.test_signatures import IKEY, SKEY, WALL_TIME, signed

LOOPBACK = "localhost:18443"
OURS = {"x-sandbox": "test"}
JSON = {**OURS, "content-type": "application/json"}


class Connection:
    """One HTTP connection to the stand-in."""

    def __init__(self, listener: DuoListener) -> None:
        self.transport: Any = StringTransport(peerAddress=IPv4Address("TCP", "127.0.0.1", 5555))
        self.protocol: Any = listener.site.buildProtocol(IPv4Address("TCP", "127.0.0.1", 5555))
        self.protocol.makeConnection(self.transport)

    def send(self, method: str, path: str, headers: dict[str, str], body: bytes = b"") -> None:
        lines = [f"{method} {path} HTTP/1.1", f"content-length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        self.protocol.dataReceived("\r\n".join([*lines, "", ""]).encode() + body)

    def answered(self) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body of what has come back."""
        head, _, body = self.transport.value().partition(b"\r\n\r\n")
        self.transport.clear()
        status, *lines = head.decode().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        return int(status.split()[1]), headers, body


class SandboxDuoWeb(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        counter = itertools.count(1)
        self.listener = DuoListener(
            reactor=self.clock,
            behaviours=[parse_behaviour(line) for line in ("alice push", "ivan approve-after 2", "erin enroll")],
            ikey=IKEY,
            skey=Secret(SKEY),
            random_bytes=lambda count: next(counter).to_bytes(count, "little"),
            wall_time=lambda: WALL_TIME,
            base_url=f"https://{LOOPBACK}",
        )
        self.service = self.listener.service
        self.addCleanup(self.listener.runner.stop)

    def begin(self, call: str, method: str = "POST", **parameters: str) -> Connection:
        request = signed(5, method, f"/auth/v2/{call}", parameters)
        connection = Connection(self.listener)
        path = request.path + (f"?{request.query}" if request.query else "")
        connection.send(method, path, {name: values[0] for name, values in request.headers.items()}, request.body)
        return connection

    def push(self, username: str) -> Connection:
        return self.begin("auth", username=username, factor="push", device="auto")

    def json(
        self, method: str, path: str, document: object = None, headers: dict[str, str] = JSON, host: str = LOOPBACK
    ) -> tuple[int, Any]:
        connection = Connection(self.listener)
        connection.send(
            method, path, {"host": host, **headers}, b"" if document is None else json.dumps(document).encode()
        )
        status, _, body = connection.answered()
        return status, json.loads(body)

    def test_a_target_may_be_a_whole_address(self) -> None:
        """RFC 9112 §3.2.2: a server accepts the absolute form; duo_client writes it behind a proxy."""
        for target in (f"https://{LOOPBACK}/auth/v2/ping", "/auth/v2/ping"):
            connection = Connection(self.listener)
            connection.send("GET", target, {"host": LOOPBACK})
            self.assertEqual(connection.answered()[0], 200)

    def test_a_blocking_auth_is_held_until_the_push_is_answered(self) -> None:
        """Nothing is sent before, and the connection can be used again afterwards."""
        connection = self.push("alice")
        self.clock.advance(IDLE_CONNECTION_S - 1)
        self.assertEqual(connection.transport.value(), b"")
        [attempt] = self.service.pending()
        self.assertTrue(self.listener.runner.answer(attempt.txid, Reaction.APPROVE))
        status, headers, body = connection.answered()
        self.assertEqual((status, headers["content-type"]), (200, "application/json"))
        self.assertEqual(json.loads(body)["response"]["result"], "allow")
        self.assertFalse(connection.transport.disconnecting)

    def test_a_blocking_auth_ends_when_the_push_times_out(self) -> None:
        """The service gives up after its 60 s."""
        connection = self.push("alice")
        self.clock.advance(PUSH_LIFETIME_S - 0.5)
        self.assertEqual(connection.transport.value(), b"")
        self.clock.advance(0.5)
        self.assertEqual(json.loads(connection.answered()[2])["response"]["status"], "timeout")

    def test_reactions_come_in_their_own_time(self) -> None:
        """An earlier reaction moves the timer forward, whoever was asked first."""
        late, early = self.push("alice"), self.push("ivan")
        self.clock.advance(2)
        self.assertEqual(json.loads(early.answered()[2])["response"]["result"], "allow")
        self.assertEqual(late.transport.value(), b"")

    def test_a_caller_who_hangs_up_leaves_the_push_on_the_phone(self) -> None:
        """The push stays; its answer goes nowhere and harms nobody."""
        connection = self.push("alice")
        connection.protocol.connectionLost(Failure(ConnectionDone()))
        [attempt] = self.service.pending()
        self.assertTrue(self.listener.runner.answer(attempt.txid, Reaction.APPROVE))
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_a_status_call_waits_for_news_and_then_says_waiting(self) -> None:
        """The second call is answered after 30 s without news."""
        txid = json.loads(
            self.begin("auth", username="alice", factor="push", device="auto", **{"async": "1"}).answered()[2]
        )["response"]["txid"]
        first = self.begin("auth_status", "GET", txid=txid)
        self.assertEqual(json.loads(first.answered()[2])["response"]["status"], "pushed")
        second = self.begin("auth_status", "GET", txid=txid)
        self.clock.advance(29)
        self.assertEqual(second.transport.value(), b"")
        self.clock.advance(1)
        self.assertEqual(json.loads(second.answered()[2])["response"]["result"], "waiting")

    def test_the_date_header_is_that_of_the_services_clock(self) -> None:
        """A wrong clock shows in the Date of every answer."""
        self.json("POST", "/sandbox/clock", {"offset_s": 3600})
        _, headers, body = self.begin("check", "GET").answered()
        self.assertEqual(headers["date"], "Mon, 21 Sep 2026 15:13:20 GMT")
        self.assertEqual(json.loads(body)["code"], 40105)

    def test_faults_hit_as_they_were_ordered(self) -> None:
        """Each kind of fault shows as what a broken service would do."""
        faults: list[dict[str, object]] = [
            {"kind": "status", "status": 503, "count": 1},
            {"kind": "garbage", "count": 1},
            {"kind": "redirect", "count": 1},
            {"kind": "huge", "count": 1},
            {"kind": "stall", "count": 1},
            {"kind": "hang", "count": 1},
            {"kind": "close", "count": 1},
        ]
        self.assertEqual(self.json("POST", "/sandbox/faults", {"faults": faults})[0], 200)
        status, _, body = self.begin("check", "GET").answered()
        self.assertEqual((status, json.loads(body)["code"]), (503, 50301))
        self.assertEqual(self.begin("check", "GET").answered()[2][:6], b"<html>")
        self.assertEqual(self.begin("check", "GET").answered()[0], 302)
        self.assertGreater(len(self.begin("check", "GET").answered()[2]), 1_000_000)
        stalled = self.begin("check", "GET").answered()
        self.assertEqual((stalled[1]["content-length"], stalled[2]), ("1000", b'{"stat": '))
        hanging = self.begin("check", "GET")
        self.clock.advance(500)
        self.assertEqual((hanging.transport.value(), hanging.transport.disconnecting), (b"", False))
        closed = self.begin("check", "GET")
        self.assertEqual((closed.transport.value(), closed.transport.disconnected), (b"", True))
        self.assertEqual(self.begin("check", "GET").answered()[0], 200)

    def test_a_slow_service_gives_the_right_answer_late(self) -> None:
        """The call is looked at when the time is over, not before."""
        self.json(
            "POST", "/sandbox/faults", {"faults": [{"kind": "slow", "seconds": 5, "calls": ["auth"], "count": 1}]}
        )
        connection = self.push("ivan")
        self.clock.advance(4.9)
        self.assertEqual(self.service.pending(), ())
        self.clock.advance(0.1)
        self.assertEqual(len(self.service.pending()), 1)
        self.clock.advance(2)
        self.assertEqual(json.loads(connection.answered()[2])["response"]["result"], "allow")

    def test_paths_that_are_not_there_are_404(self) -> None:
        """Other rooms, folders and unknown calls; the root leads to the phone page."""
        root = Connection(self.listener)
        root.send("GET", "/", {"host": LOOPBACK})
        status, headers, _ = root.answered()
        self.assertEqual((status, headers["location"]), (302, "/phone/"))
        for path in ("/admin/v1/users", "/auth", "/auth/v2", "/auth/v2/../check"):
            connection = Connection(self.listener)
            connection.send("GET", path, {"host": LOOPBACK})
            self.assertEqual(connection.answered()[0], 404, path)

    def test_the_phone_page_runs_its_own_script_only(self) -> None:
        """Its policy names the hashes of its script and style; no resource comes from elsewhere."""
        connection = Connection(self.listener)
        connection.send("GET", "/phone/", {"host": LOOPBACK})
        status, headers, body = connection.answered()
        self.assertEqual((status, headers["content-type"]), (200, "text/html; charset=utf-8"))
        policy = headers["content-security-policy"]
        self.assertIn("default-src 'none'; script-src 'sha256-", policy)
        self.assertIn("frame-ancestors 'none'", policy)
        self.assertNotIn("unsafe", policy)
        for outside in (b"http://", b"https://", b" onclick", b"@import", b"innerHTML"):
            self.assertNotIn(outside, body)

    def test_the_phone_page_is_for_loopback_names_only(self) -> None:
        """A name that was rebound to 127.0.0.1 is refused."""
        for host, expected in [
            ("127.0.0.1:18443", 200),
            ("[::1]:18443", 200),
            ("LOCALHOST", 200),
            ("evil.example", 403),
        ]:
            connection = Connection(self.listener)
            connection.send("GET", "/phone/", {"host": host})
            self.assertEqual(connection.answered()[0], expected, host)

    def test_a_push_is_listed_and_answered_by_the_calls_of_the_page(self) -> None:
        """The page lists the push and approves it; a second answer comes too late."""
        connection = self.push("alice")
        self.clock.advance(3)
        status, state = self.json("GET", "/phone/state")
        self.assertEqual(status, 200)
        [shown] = state["pending"]
        self.assertEqual((shown["username"], shown["factor"], shown["age_s"]), ("alice", "push", 3))
        answer = {"txid": shown["txid"], "answer": "deny"}
        self.assertEqual(self.json("POST", "/phone/answer", answer), (200, {"answered": True}))
        self.assertEqual(self.json("POST", "/phone/answer", answer), (200, {"answered": False}))
        self.assertEqual(json.loads(connection.answered()[2])["response"]["status"], "deny")
        recent = self.json("GET", "/phone/state")[1]["recent"]
        self.assertEqual(
            [(one["what"], one["detail"]) for one in recent][:2], [("answer", "deny"), ("push", "XXX-XXX-0100")]
        )

    def test_a_user_enrolls_on_the_page(self) -> None:
        """The address that preauth gives leads to a code that the page can use."""
        url = json.loads(self.begin("preauth", username="erin").answered()[2])["response"]["enroll_portal_url"]
        [shown] = self.json("GET", "/phone/state")[1]["enrollments"]
        self.assertEqual(url, f"https://{LOOPBACK}/phone/#enroll={shown['code']}")
        self.assertEqual(self.json("POST", "/phone/enroll", {"code": shown["code"]}), (200, {"enrolled": True}))
        self.assertEqual(json.loads(self.begin("preauth", username="erin").answered()[2])["response"]["result"], "auth")

    def test_a_page_of_somebody_else_can_neither_read_nor_answer(self) -> None:
        """DNS rebinding, cross-site posts and forms are refused, and nothing happens."""
        self.push("alice")
        txid = self.service.pending()[0].txid
        answer = {"txid": txid, "answer": "approve"}
        for path, document in [("/phone/answer", answer), ("/sandbox/reset", {}), ("/sandbox/clock", {"offset_s": 1})]:
            for host, headers in [
                ("evil.example:18443", JSON),
                ("localhost.evil.example", JSON),
                (LOOPBACK, {"content-type": "application/json"}),
                (LOOPBACK, {**OURS, "content-type": "text/plain"}),
                (LOOPBACK, OURS),
                (LOOPBACK, {**JSON, "origin": "https://evil.example"}),
                (LOOPBACK, {**JSON, "origin": "null"}),
                (LOOPBACK, {**JSON, "origin": "https://localhost:9999"}),
            ]:
                status, body = self.json("POST", path, document, headers, host)
                self.assertEqual(status, 403, (host, headers))
                self.assertEqual(list(body), ["error"])
        self.assertEqual(self.json("GET", "/phone/state", headers={})[0], 403)
        self.assertTrue(self.service.pending()[0].is_pending)
        self.assertEqual(self.listener.faults.clock_offset_s, 0.0)
        self.assertEqual(self.json("POST", "/phone/answer", answer, {**JSON, "origin": f"https://{LOOPBACK}"})[0], 200)

    def test_no_answer_allows_another_origin(self) -> None:
        """A preflight request is refused, and no answer carries a CORS header."""
        connection = Connection(self.listener)
        connection.send("OPTIONS", "/phone/answer", {"host": LOOPBACK, "origin": "https://evil.example"})
        status, headers, _ = connection.answered()
        self.assertEqual(status, 403)
        self.assertEqual([name for name in headers if name.startswith("access-control")], [])

    def test_calls_that_cannot_be_understood_say_why(self) -> None:
        """Unknown paths, wrong methods and wrong documents have a sentence."""
        for method, path, document, expected in [
            ("GET", "/phone/nothing", None, (404, "there is no 'nothing'; there are: state, answer, enroll")),
            ("GET", "/phone/answer", None, (405, "answer takes POST")),
            (
                "POST",
                "/phone/answer",
                {"txid": "x", "answer": "maybe"},
                (400, "answer is one of: approve, deny, fraud"),
            ),
            ("POST", "/phone/answer", ["approve"], (400, "the text 'answer' is missing")),
            ("POST", "/sandbox/users", {"user": "alice pushh"}, (400, "'pushh' is not one of: push, phone, sms,")),
            ("POST", "/sandbox/generations", {"refused": {"v3": 403}}, (400, "the object 'refused' is missing")),
            ("POST", "/sandbox/clock", {"offset_s": "1"}, (400, "the number 'offset_s' is missing")),
            ("POST", "/sandbox/faults", {}, (400, "the list 'faults' is missing")),
            ("GET", "/sandbox/events?since=x", None, (400, "since is the number of an event")),
        ]:
            status, body = self.json(method, path, document)
            self.assertEqual(status, expected[0], body)
            self.assertTrue(body["error"].startswith(expected[1]), body)

    def test_a_body_that_is_no_json_is_refused(self) -> None:
        """Neither rubbish nor endless nesting does more than a 400."""
        for body in (b"{", b"\xff", b"[" * 60_000):
            connection = Connection(self.listener)
            connection.send("POST", "/sandbox/reset", {"host": LOOPBACK, **JSON}, body)
            self.assertEqual(connection.answered()[0], 400)

    def test_tests_read_events_and_counters_and_define_users(self) -> None:
        """The controls give what a test needs to count pushes."""
        self.assertEqual(self.json("POST", "/sandbox/users", {"user": "load approve-after 0"})[1]["user"], "load")
        self.push("load")
        self.clock.advance(0)
        self.assertEqual(self.json("GET", "/sandbox/state")[1]["asked"], {"load": {"push": 1}})
        events = self.json("GET", "/sandbox/events?since=0")[1]["events"]
        self.assertEqual([event["what"] for event in events], ["push", "request", "answer"])
        self.assertEqual(self.json("GET", "/sandbox/events?since=2")[1]["events"], events[2:])
        self.assertEqual(self.json("POST", "/sandbox/reset", {})[1]["asked"], {})

    def test_stopping_leaves_no_timer(self) -> None:
        """Who waits is let go, and nothing is left to happen."""
        connection = self.push("alice")
        self.listener.runner.stop()
        self.assertEqual(connection.transport.value(), b"")
        connection.protocol.connectionLost(Failure(ConnectionDone()))
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(self.flushLoggedErrors(), [])
