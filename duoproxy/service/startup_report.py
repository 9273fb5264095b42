"""`test_connectivity_on_startup`: the running service tests its own configuration once, and logs what was found.

It begins when the start is done, so that nothing it finds, and no server that keeps it waiting, delays or stops that.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from duoproxy.config.kind import Reach
from duoproxy.sections.checks import CheckLevel
from duoproxy.sections.registry import Registry
from duoproxy.tools.connectivity_run import Audience, run_report


class StartupReport:
    """One test, in the background."""

    def __init__(self, configuration: Path, reactor: Any, registry: Registry) -> None:
        """Prepare.

        Args:
            configuration: the file that the service was started with.
            reactor: the service's own.
            registry: the kinds of sections.
        """
        self._configuration = configuration
        self._reactor = reactor
        self._registry = registry
        self._log = Logger(namespace="connectivity")
        self._running: Deferred[None] | None = None

    def begin(self) -> None:
        """Begin to test."""
        self._running = Deferred.fromCoroutine(self._run())
        self._running.addErrback(self._failed)

    def stop(self) -> None:
        """Give the test up if it still runs."""
        running, self._running = self._running, None
        if running is not None:
            running.cancel()

    async def _run(self) -> None:
        await run_report(
            self._configuration,
            reactor=self._reactor,
            audience=Audience(write=self._write),
            reach=Reach.SERVICE,
            registry=self._registry,
        )

    def _write(self, line: str) -> None:
        """Log a line of the report with the level that it has."""
        if line.startswith(f"[{CheckLevel.ERROR.value}]"):
            self._log.error("{line}", line=line)
        elif line.startswith(f"[{CheckLevel.WARNING.value}]"):
            self._log.warn("{line}", line=line)
        else:
            self._log.info("{line}", line=line)

    def _failed(self, failure: Failure) -> None:
        if failure.check(CancelledError) is None:
            self._log.failure("The connectivity test failed by an internal error; the service goes on.", failure)
