"""The service round the sections: ready when all have started, drained and stopped in order, and who hears of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from duoproxy.config.schema import Role, SectionSchema
from duoproxy.errors import DuoproxyError
from duoproxy.login.outcome import PrimaryOutcome
from duoproxy.login.request import LoginRequest
from duoproxy.net.deadlines import Expired
from duoproxy.sections.contracts import ClientSection, ServerSection
from duoproxy.service.notify import Notifier
from duoproxy.service.proxy_service import SECTION_STOP_S, ProxyService
from duoproxy.testing import make_environment


def schema(name: str, role: Role) -> SectionSchema:
    return SectionSchema(name=name, role=role, summary="", settings_class=object)


class Scripted:
    """Starts when the test says so; notes what is done with it."""

    def __init__(self, name: str, notes: list[str]) -> None:
        self.name = name
        self.notes = notes
        self.starts: Deferred[None] | None = None
        self.stops: Deferred[None] | None = None
        self.waiting = 0

    async def begin(self) -> None:
        self.notes.append(f"start {self.name}")
        if self.starts is not None:
            await self.starts

    async def end(self) -> None:
        self.notes.append(f"stop {self.name}")
        if self.stops is not None:
            await self.stops


class FakeClient(ClientSection):
    schema = schema("fake_client", Role.CLIENT)
    settings: Scripted

    async def start(self) -> None:
        await self.settings.begin()

    async def stop(self) -> None:
        await self.settings.end()

    async def authenticate(self, request: LoginRequest) -> PrimaryOutcome:
        raise NotImplementedError


class FakeServer(ServerSection):
    schema = schema("fake_server", Role.SERVER)
    settings: Scripted

    async def start(self) -> None:
        await self.settings.begin()

    async def stop(self) -> None:
        await self.settings.end()

    def drain(self) -> None:
        self.settings.notes.append(f"drain {self.settings.name}")

    @property
    def pending(self) -> int:
        return self.settings.waiting


class SandboxServer(FakeServer):
    schema = schema("sandbox_fake", Role.SERVER)


class Recorded:
    """A launcher that notes."""

    def __init__(self, notes: list[str]) -> None:
        self.notes = notes

    def take_over(self) -> None:
        self.notes.append("launcher taken over")

    def started(self) -> None:
        self.notes.append("launcher: started")

    def failed(self, sentence: str) -> None:
        self.notes.append(f"launcher: {sentence}")


class ProxyServiceTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.notes: list[str] = []
        self.parts = {name: Scripted(name, self.notes) for name in ("client", "other", "server", "sandbox")}
        clients: Mapping[str, ClientSection] = {
            name: FakeClient(self.parts[name], make_environment(name)) for name in ("client", "other")
        }
        servers: Mapping[str, ServerSection] = {
            "server": FakeServer(self.parts["server"], make_environment("server")),
            "sandbox": SandboxServer(self.parts["sandbox"], make_environment("sandbox")),
        }
        self.service = ProxyService(self.clock, clients, servers)
        self.service.launcher = Recorded(self.notes)  # type: ignore[assignment]
        self.service.notifier = Notifier(self.clock, self.notes.append)
        self.service.on_ready = lambda: self.notes.append("on_ready")
        self.service.on_failure = lambda: self.notes.append("on_failure")
        self.service.on_stopped = lambda: self.notes.append("on_stopped")
        self.service.shutdown_grace_s = 60
        self.events = self.enterContext(capturedLogs())

    def taken(self) -> list[str]:
        """What was done since the last question."""
        notes, self.notes[:] = list(self.notes), []
        return notes

    def test_ready_is_said_only_when_every_section_has_started(self) -> None:
        """READY=1 and the end of the command wait for the slowest; the sandbox starts before other servers."""
        self.parts["server"].starts = slow = Deferred[None]()
        self.service.startService()
        self.assertEqual(
            self.taken(),
            ["launcher taken over", "STATUS=Starting", "start client", "start other", "start sandbox", "start server"],
        )
        self.assertEqual(self.service.state, "starting")
        slow.callback(None)
        self.assertEqual(self.taken(), ["on_ready", "READY=1\nSTATUS=Ready: server, sandbox", "launcher: started"])
        self.assertEqual(self.service.state, "ready")

    def test_nothing_starts_before_the_process_can_be_asked_to_stop(self) -> None:
        """Whoever is told that it is ready may send SIGTERM at once, and must not meet the system's default."""
        waiting: list[Callable[[], None]] = []
        self.service.begin_when = waiting.append
        self.service.startService()
        self.assertEqual(self.taken(), ["launcher taken over"])
        waiting.pop()()
        self.assertIn("launcher: started", self.taken())

    def test_clients_start_side_by_side(self) -> None:
        """Each may wait for a name that nobody resolves; the start does not add their times up."""
        self.parts["client"].starts, self.parts["other"].starts = first, second = Deferred[None](), Deferred[None]()
        self.service.startService()
        self.assertIn("start other", self.taken())
        second.callback(None)
        self.assertEqual(self.taken(), [])
        first.callback(None)
        self.assertIn("launcher: started", self.taken())

    def test_a_section_that_cannot_start_is_a_sentence_for_everybody_who_waits(self) -> None:
        """Log, systemd and the command that started it; then the process ends."""
        for name in ("client", "server"):
            with self.subTest(name):
                self.setUp()
                self.parts[name].starts = slow = Deferred[None]()
                self.service.startService()
                self.taken()
                slow.errback(DuoproxyError("No port."))
                said = "The start failed. No port."
                self.assertEqual(self.taken(), [f"STATUS={said}", f"launcher: {said}", "on_failure"])
                self.assertIn(said, [event.get("sentence") for event in self.events])

    def test_an_unforeseen_fault_of_a_start_is_told_without_its_insides(self) -> None:
        """Its traceback goes to the log only."""
        self.parts["server"].starts = slow = Deferred[None]()
        self.service.startService()
        slow.errback(ZeroDivisionError("with a secret in it"))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        said = "The start failed by an internal error; its traceback is in the log."
        self.assertEqual(self.taken()[-3:], [f"STATUS={said}", f"launcher: {said}", "on_failure"])

    def test_a_stop_during_the_start_ends_it(self) -> None:
        """SIGTERM while a section still waits for a name."""
        self.parts["server"].starts = Deferred()
        self.service.startService()
        self.taken()
        self.successResultOf(self.service.stopService())
        notes = self.taken()
        self.assertIn("launcher: The proxy was stopped before it was ready.", notes)
        self.assertNotIn("on_failure", notes)
        stopped = [note for note in notes if note.startswith("stop ")]
        self.assertEqual(stopped, ["stop server", "stop sandbox", "stop other", "stop client"])

    def test_pending_logins_end_before_anything_stops(self) -> None:
        """Server sections are drained; clients and the way to Duo work until all have an end."""
        self.service.startService()
        self.parts["server"].waiting = 1
        self.taken()
        stopping: Any = self.service.stopService()
        self.assertEqual(self.service.state, "stopping")
        self.clock.pump([0.1] * 50)
        self.assertNoResult(stopping)
        self.assertEqual(
            self.taken(),
            [
                "STOPPING=1\nSTATUS=Stopping: 1 login to wait for\nEXTEND_TIMEOUT_USEC=75000000",
                "drain sandbox",
                "drain server",
                "STATUS=Stopping: waiting for 1 login",
            ],
        )
        self.parts["server"].waiting = 0
        self.clock.advance(0.1)
        self.successResultOf(stopping)
        self.assertEqual(
            self.taken(), ["stop server", "stop sandbox", "stop other", "stop client", "STATUS=Stopped", "on_stopped"]
        )

    def test_a_second_signal_ends_the_waiting(self) -> None:
        """`hurry` is what it calls."""
        self.service.startService()
        self.parts["server"].waiting = 1
        stopping: Any = self.service.stopService()
        self.service.hurry()
        self.clock.advance(0.1)
        self.successResultOf(stopping)

    def test_two_signals_at_once_wait_for_nothing(self) -> None:
        """The second one may be told of before the stop has begun."""
        self.service.startService()
        self.parts["server"].waiting = 1
        self.service.hurry()
        self.successResultOf(self.service.stopService())
        self.assertIn("drain server", self.taken())

    def test_a_section_that_does_not_stop_holds_the_others_for_seconds_only(self) -> None:
        """A connection that nobody closes must not keep the process."""
        self.service.startService()
        self.parts["server"].stops = Deferred()
        self.taken()
        stopping: Any = self.service.stopService()
        self.assertNotIn("stop sandbox", self.taken())
        self.clock.advance(SECTION_STOP_S)
        self.successResultOf(stopping)
        self.assertEqual(self.taken(), ["stop sandbox", "stop other", "stop client", "STATUS=Stopped", "on_stopped"])
        self.assertEqual(len(self.flushLoggedErrors(Expired)), 1)

    def test_the_watchdog_is_fed_while_a_stop_waits(self) -> None:
        """A stop that waits is no process that hangs."""
        self.service.notifier = Notifier(self.clock, self.notes.append, 10)
        self.service.startService()
        self.parts["server"].waiting = 1
        stopping: Any = self.service.stopService()
        self.taken()
        self.clock.pump([1] * 25)
        self.assertEqual(self.taken().count("WATCHDOG=1"), 2)
        self.clock.pump([1] * 60)
        self.successResultOf(stopping)
        self.taken()
        self.clock.advance(60)
        self.assertEqual((self.taken(), self.clock.getDelayedCalls()), ([], []))
