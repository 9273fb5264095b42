"""All sections of one configuration as one service: started in order, drained, and stopped in reverse.

It tells whoever waits how the start went (`Launcher`) and whoever supervises how it is (`Notifier`).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any, Final

from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred, gatherResults
from twisted.logger import Logger
from twisted.python.failure import Failure

from duoproxy import __version__
from duoproxy.errors import DuoproxyError, ListenError
from duoproxy.net.deadlines import within
from duoproxy.sections.contracts import ClientSection, Section, ServerSection
from duoproxy.service.draining import STOP_MARGIN_S, Draining, logins
from duoproxy.service.launcher import Launcher
from duoproxy.service.notify import Notifier
from duoproxy.service.oversight import Oversight
from duoproxy.service.startup_report import StartupReport

READY = "duoproxy is ready"
SECTION_STOP_S: Final = 5.0
"""A section has so long to give back what it has."""


class ProxyService(Service):
    """All sections of one configuration.

    Attributes:
        clients: the client sections by name.
        servers: the server sections by name.
        sentences: warnings for the log, said at the start.
        on_ready: is called when every section has started, before anybody is told.
        on_failure: is called when the start failed, after everybody was told.
        on_stopped: is called when all sections have stopped.
        begin_when: is given the start, and calls it when the process is able to be stopped.
        launcher: is told how the start went.
        notifier: is told what the service does.
        shutdown_grace_s: how long a stop waits for pending logins.
        oversight: what an administrator sees of it; None: nothing.
        startup_report: what tests the connectivity once the start is done; None: nobody does.
    """

    def __init__(
        self, reactor: Any, clients: Mapping[str, ClientSection], servers: Mapping[str, ServerSection]
    ) -> None:
        """Keep the sections; `bind` takes the addresses, `startService` begins to work."""
        self.clients = dict(clients)
        self.servers = dict(servers)
        self.sentences: list[str] = []
        self.on_ready: Callable[[], None] = lambda: None
        self.on_failure: Callable[[], None] = lambda: None
        self.on_stopped: Callable[[], None] = lambda: None
        self.begin_when: Callable[[Callable[[], None]], object] = lambda begin: begin()
        self.launcher = Launcher()
        self.notifier = Notifier(reactor)
        self.shutdown_grace_s = 0.0
        self.oversight: Oversight | None = None
        self.startup_report: StartupReport | None = None
        self._reactor = reactor
        self._log = Logger(namespace="duoproxy")
        self._started: list[Section] = []
        self._starting: Deferred[None] | None = None
        self._draining: Draining | None = None
        self._hurried = False

    def bind(self) -> None:
        """Take every address to listen on.

        Raises:
            ListenError: with the sentences of all that could not be taken, each with its section.
        """
        failures = []
        for name, server in self.servers.items():
            try:
                server.bind()
            except ListenError as fault:
                place = f"[{name}] "
                failures.append(place + str(fault).removeprefix(place))
        if failures:
            raise ListenError("\n".join(failures))

    def startService(self) -> None:
        """Start every section, the sandbox first (others trust the certificate that it makes)."""
        self.running = True
        self.launcher.take_over()
        self.begin_when(self._begin)

    @property
    def state(self) -> str:
        """`starting`, `ready` or `stopping`."""
        if not self.running:
            return "stopping"
        return "ready" if self._starting is None else "starting"

    @property
    def pending(self) -> int:
        """How many logins have no end yet."""
        return sum(server.pending for server in self.servers.values())

    def hurry(self) -> None:
        """Let the stop, also one that is about to begin, not wait for pending logins: they are rejected now."""
        self._hurried = True
        if self._draining is not None:
            self._draining.hurry()

    def _begin(self) -> None:
        self._starting = Deferred.fromCoroutine(self._start())
        self._starting.addCallbacks(self._ready, self._failed)

    async def _start(self) -> None:
        self._log.info("duoproxy {version} starts (process {pid}).", version=__version__, pid=os.getpid())
        self.notifier.status("Starting")
        for sentence in self.sentences:
            self._log.warn("{sentence}", sentence=sentence)
        if self.oversight is not None:
            self.oversight.start(self.clients, self.servers, lambda: self.state, self.sentences)
        # Side by side: each may wait a few seconds for a name that nobody resolves, and the start must not add them up.
        clients = [Deferred.fromCoroutine(self._start_one(client)) for client in self.clients.values()]
        await gatherResults(clients, consumeErrors=True).addErrback(_first_fault)
        for server in sorted(self.servers.values(), key=lambda one: not one.schema.name.startswith("sandbox_")):
            await self._start_one(server)

    async def _start_one(self, section: Section) -> None:
        self._started.append(section)
        await section.start()

    def _ready(self, _: None) -> None:
        self._starting = None
        self.on_ready()
        names = ", ".join(self.servers)
        self._log.info("{ready}: {names}", ready=READY, names=names)
        self.notifier.ready(f"Ready: {names}")
        self.launcher.started()
        if self.startup_report is not None:
            self.startup_report.begin()

    def _failed(self, failure: Failure) -> None:
        self._starting = None
        if failure.check(CancelledError):
            self.launcher.failed("The proxy was stopped before it was ready.")
            return
        if failure.check(DuoproxyError):
            sentence = f"The start failed. {failure.getErrorMessage()}"
            self._log.error("{sentence}", sentence=sentence)
        else:
            sentence = "The start failed by an internal error; its traceback is in the log."
            self._log.failure("The start failed by an internal error.", failure=failure)
        self.notifier.status(sentence)
        self.launcher.failed(sentence)
        self.on_failure()

    def stopService(self) -> Deferred[None]:
        """Begin no new logins, wait for the pending ones, stop the sections in reverse; resolves when all have."""
        self.running = False
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        if self._starting is not None:
            self._starting.cancel()
        if self.startup_report is not None:
            self.startup_report.stop()
        await self._drain()
        while self._started:
            section = self._started.pop()
            try:
                await within(self._reactor, SECTION_STOP_S, Deferred.fromCoroutine(section.stop()))
            except Exception:  # noqa: BLE001 - one section that cannot stop must not keep the others running
                self._log.failure("[{name}] could not be stopped.", name=section.environment.section_name)
        if self.oversight is not None:
            self.oversight.stop()
        self.notifier.stop()
        self.notifier.status("Stopped")
        self._log.info("duoproxy has stopped.")
        self.on_stopped()

    async def _drain(self) -> None:
        servers = [section for section in self._started if isinstance(section, ServerSection)]
        self.notifier.stopping(f"Stopping: {logins(self.pending)} to wait for", self.shutdown_grace_s + STOP_MARGIN_S)
        grace_s = 0.0 if self._hurried else self.shutdown_grace_s
        self._draining = Draining(self._reactor, servers, grace_s, self.notifier.status, self._log)
        await self._draining.run()


def _first_fault(failure: Failure) -> Failure:
    """Unwrap what `gatherResults` puts round the fault that came first."""
    return getattr(failure.value, "subFailure", failure)
