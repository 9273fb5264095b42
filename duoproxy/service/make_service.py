"""From a configuration file to a running service: the wiring of `twistd duoauthproxy`.

Order: read the configuration (all problems together), open the logs, make the sections, take the addresses; only then
become a daemon. A start that cannot be prints what is wrong on stderr and ends with status 1.
"""

from __future__ import annotations

import atexit
import os
import socket
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.logger import ILogObserver, LogEvent, Logger
from zope.interface import implementer

from duoproxy import __version__
from duoproxy.config.validate import Configuration, ConfiguredSection, load_configuration
from duoproxy.duoapi.messages import Generation
from duoproxy.errors import ConfigError, DuoproxyError, ListenError
from duoproxy.net.connection_limit import ConnectionLimit
from duoproxy.radius.dictionary import Dictionary
from duoproxy.sections.contracts import ClientSection, Environment, Section, ServerSection
from duoproxy.sections.registry import Registry, load_registry
from duoproxy.service.auth_events import event_sink, ignore_event
from duoproxy.service.descriptors import logins_that_fit, raise_descriptor_limit
from duoproxy.service.logs import EVENTS_NAME, file_writer, open_logs, rotating_file
from duoproxy.service.options import Options, configuration_path
from duoproxy.service.places import Places

__all__ = ["Options", "ProxyService", "build_service", "makeService"]

READY = "duoproxy is ready"

_observers: list[ILogObserver] = []


@implementer(ILogObserver)
class _Relay:
    """Hands every event to the observers that the configuration asked for."""

    def __call__(self, event: LogEvent) -> None:
        for observer in _observers:
            observer(event)


def log_observer_for_twistd() -> ILogObserver:
    """What twistd asks for its observer, after the configuration was read."""
    return _Relay()


class ProxyService(Service):
    """All sections of one configuration, started in order and stopped in reverse."""

    def __init__(self, clients: Mapping[str, ClientSection], servers: Mapping[str, ServerSection]) -> None:
        """Keep the sections; `bind` takes the addresses, `startService` begins to work."""
        self.clients = dict(clients)
        self.servers = dict(servers)
        self.sentences: list[str] = []
        self.on_failure: Callable[[], None] = lambda: None
        self._log = Logger(namespace="duoproxy")
        self._started: list[Section] = []

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
        started = Deferred.fromCoroutine(self._start())
        started.addErrback(self._failed)

    async def _start(self) -> None:
        self._log.info("duoproxy {version} starts (process {pid}).", version=__version__, pid=os.getpid())
        for sentence in self.sentences:
            self._log.warn("{sentence}", sentence=sentence)
        servers = sorted(self.servers.values(), key=lambda server: not server.schema.name.startswith("sandbox_"))
        for section in [*self.clients.values(), *servers]:
            self._started.append(section)
            await section.start()
        names = ", ".join(self.servers)
        self._log.info("{ready}: {names}", ready=READY, names=names)

    def _failed(self, failure: Any) -> None:
        if failure.check(DuoproxyError):
            self._log.error("The start failed. {sentence}", sentence=failure.getErrorMessage())
        else:
            self._log.failure("The start failed by an internal error.", failure=failure)
        self.on_failure()

    def stopService(self) -> Deferred[None]:
        """Stop the sections in reverse; resolves when all have stopped."""
        self.running = False
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        while self._started:
            section = self._started.pop()
            try:
                await section.stop()
            except Exception:  # noqa: BLE001 - one section that cannot stop must not keep the others running
                self._log.failure("[{name}] could not be stopped.", name=section.environment.section_name)
        self._log.info("duoproxy has stopped.")


def build_service(
    configuration: Configuration,
    registry: Registry,
    dictionary: Dictionary,
    reactor: Any,
    auth_event: Callable[[Mapping[str, object]], None] = ignore_event,
) -> ProxyService:
    """Make the sections of a configuration and join servers to their clients."""
    # One bound for all sections: they share the descriptors of this process.
    limit = ConnectionLimit(logins_that_fit(configuration.main.max_pending_logins))
    generations: dict[str, Generation] = {}

    def make(configured: ConfiguredSection, *extra: Any) -> Any:
        environment = Environment(
            configured.name,
            reactor,
            os.urandom,
            dictionary,
            auth_event,
            configuration.main,
            connection_limit=limit,
            generations=generations,
        )
        return registry.classes[configured.kind](configured.settings, environment, *extra)

    clients = {configured.name: make(configured) for configured in configuration.clients}
    servers = {
        configured.name: make(configured, clients.get(configured.client or "")) for configured in configuration.servers
    }
    service = ProxyService(clients, servers)
    service.name = "duoauthproxy"
    service.sentences = [str(problem) for problem in configuration.warnings]
    return service


def makeService(options: Mapping[str, str]) -> ProxyService:
    """Make the service for twistd; on a problem print all of it and leave with status 1."""
    # The one place that names the global reactor: twistd has chosen it.
    from twisted.internet import reactor

    # Twisted's own clock is the time of day; caches, rests and deadlines must not move when somebody sets that.
    reactor.seconds = time.monotonic  # type: ignore[method-assign]
    try:
        registry = load_registry()
        configuration = load_configuration(configuration_path(options["config"]), registry.catalogue)
        few_descriptors = raise_descriptor_limit(configuration.main.max_pending_logins)
        _observers[:] = open_logs(configuration.main, log_folder(configuration)).observers
        service = build_service(
            configuration, registry, configuration.dictionary, reactor, _auth_event_sink(configuration)
        )
        service.bind()
    except ConfigError as fault:
        _give_up([str(problem) for problem in fault.problems])
    except DuoproxyError as fault:
        _give_up([str(fault)])
    if few_descriptors:
        service.sentences.append(few_descriptors)
    service.on_failure = lambda: _end_with_status_1(reactor)
    return service


def log_folder(configuration: Configuration) -> Path:
    """Give the folder of all logs: `log_dir`, or `log` beside the folder of the configuration file."""
    folder = configuration.main.log_dir
    return Path(folder) if folder else Places(configuration.path).log_folder


def _auth_event_sink(configuration: Configuration) -> Callable[[Mapping[str, object]], None]:
    main = configuration.main
    if not main.log_auth_events:
        return ignore_event
    file = rotating_file(log_folder(configuration), EVENTS_NAME, main.log_max_size, main.log_max_files)
    return event_sink(file_writer(file), socket.gethostname(), time.time)


def _give_up(lines: list[str]) -> NoReturn:
    for line in lines:
        sys.stderr.write(f"{line}\n")
    raise SystemExit(1)


def _end_with_status_1(reactor: Any) -> None:
    """Stop the reactor, which may not run yet; twistd itself would end with status 0, so leave before it can."""
    atexit.register(os._exit, 1)
    reactor.callWhenRunning(reactor.stop)
