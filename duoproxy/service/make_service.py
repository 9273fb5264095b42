"""From a configuration file to a running service: the wiring of `twistd duoauthproxy`.

Order: read the configuration (all problems together), make the sections, take the addresses, give up root's rights,
open the logs; only then become a daemon. A start that cannot be prints what is wrong on stderr and ends with status 1.
"""

from __future__ import annotations

import os
import shlex
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn

from attrs import evolve
from twisted.logger import ILogObserver, LogEvent, Logger
from zope.interface import implementer

from duoproxy.config.file_rights import owner_whose_rights_count
from duoproxy.config.validate import Configuration, ConfiguredSection, load_configuration
from duoproxy.errors import ConfigError, DuoproxyError
from duoproxy.net.connection_limit import ConnectionLimit
from duoproxy.net.heap import set_aside
from duoproxy.radius.dictionary import Dictionary
from duoproxy.sections.contracts import Environment
from duoproxy.sections.registry import Registry, load_registry
from duoproxy.service.auth_events import ignore_event
from duoproxy.service.descriptors import logins_that_fit, raise_descriptor_limit
from duoproxy.service.launcher import launcher_of
from duoproxy.service.leaving import Leaving
from duoproxy.service.logs import Logs
from duoproxy.service.notify import notifier_for_process
from duoproxy.service.options import Options, configuration_path
from duoproxy.service.oversight import Oversight
from duoproxy.service.places import Places
from duoproxy.service.privileges import PrivilegeFault, become, find_identity, forbid_core_dumps, make_folder_for
from duoproxy.service.proxy_service import ProxyService
from duoproxy.service.signals import StopSignals, install_reopen_signal
from duoproxy.service.startup_report import StartupReport

__all__ = ["Options", "ProxyService", "build_service", "makeService"]

AS_ROOT = (
    "The proxy runs as root, which it does not need once its ports are taken. Name the user that it should become: "
    "twistd duoauthproxy --user USER, or start it with authproxyctl or systemd."
)

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


def build_service(
    configuration: Configuration,
    registry: Registry,
    dictionary: Dictionary,
    reactor: Any,
    auth_event: Callable[[Mapping[str, object]], None] = ignore_event,
    oversight: Oversight | None = None,
) -> ProxyService:
    """Make the sections of a configuration and join servers to their clients."""
    shared = _shared_environment(configuration, registry, dictionary, reactor, auth_event)
    if oversight is not None:
        shared = evolve(shared, primary_only_s=oversight.primary_only.remaining_s, login_step=oversight.journal.step)

    def make(configured: ConfiguredSection, *extra: Any) -> Any:
        environment = evolve(shared, section_name=configured.name)
        return registry.classes[configured.kind](configured.settings, environment, *extra)

    clients = {configured.name: make(configured) for configured in configuration.clients}
    servers = {
        configured.name: make(configured, clients.get(configured.client or "")) for configured in configuration.servers
    }
    service = ProxyService(reactor, clients, servers)
    service.name = "duoauthproxy"
    service.oversight = oversight
    service.shutdown_grace_s = configuration.main.shutdown_grace
    service.sentences = [str(problem) for problem in configuration.warnings]
    if configuration.main.test_connectivity_on_startup:
        service.startup_report = StartupReport(configuration.path, reactor, registry)
    return service


def _shared_environment(
    configuration: Configuration,
    registry: Registry,
    dictionary: Dictionary,
    reactor: Any,
    auth_event: Callable[[Mapping[str, object]], None],
) -> Environment:
    """Make what all sections share: everything in their environments but the name."""
    # One bound for all sections: they share the descriptors of this process.
    limit = logins_that_fit(configuration.main.max_pending_logins, _connections(configuration, registry))
    return Environment(
        "",
        reactor,
        os.urandom,
        dictionary,
        auth_event,
        configuration.main,
        connection_limit=ConnectionLimit(limit),
    )


def makeService(options: Mapping[str, str]) -> ProxyService:
    """Make the service for twistd; on a problem print all of it and leave with status 1."""
    # The one place that names the global reactor: twistd has chosen it.
    from twisted.internet import reactor

    # Twisted's own clock is the time of day; caches, rests and deadlines must not move when somebody sets that.
    reactor.seconds = time.monotonic  # type: ignore[method-assign]
    try:
        return _made_service(options, reactor)
    except ConfigError as fault:
        _give_up([str(problem) for problem in fault.problems])
    except DuoproxyError as fault:
        _give_up([str(fault)])


def _connections(configuration: Configuration, registry: Registry) -> int:
    """Say how many connections the sections hold open beside those of logins."""
    schemas = [(registry.classes[server.kind].schema, server.settings) for server in configuration.servers]
    return sum(schema.connections(settings) for schema, settings in schemas if schema.connections is not None)


def _made_service(options: Mapping[str, str], reactor: Any) -> ProxyService:
    forbid_core_dumps()
    registry = load_registry()
    configuration = load_configuration(configuration_path(options["config"]), registry.catalogue)
    few_descriptors = raise_descriptor_limit(
        configuration.main.max_pending_logins, _connections(configuration, registry)
    )
    logs = Logs(configuration.main, log_folder(configuration))
    oversight = Oversight(Places(configuration.path), reactor)
    service = build_service(configuration, registry, configuration.dictionary, reactor, logs.event_sink, oversight)
    service.bind()
    # From here on nothing is done as root: what is opened now belongs to the service user.
    as_root = _give_up_root(options, configuration)
    logs.open()
    _observers[:] = logs.observers
    service.sentences += [sentence for sentence in (few_descriptors, as_root) if sentence]
    _join_to_process(service, logs, options, reactor)
    return service


def _give_up_root(options: Mapping[str, str], configuration: Configuration) -> str:
    """Become the service user; give a warning when root was asked to stay root."""
    if not options["user"]:
        return AS_ROOT if os.geteuid() == 0 else ""
    identity = find_identity(options["user"], options["group"])
    if os.geteuid() == 0:
        for folder in folders_of_root(configuration):
            make_folder_for(identity, folder)
    become(identity)
    file = _pid_file(options)
    # os.path, which says no where pathlib raises: a closed folder
    if file is not None and not os.access(file if os.path.exists(file) else file.parent, os.W_OK):
        own = Places(configuration.path).pid_file
        raise PrivilegeFault(
            f"The process id cannot be written to {file} by the service user. {_where_else(file, own, identity.user)}"
        )
    return ""


def _where_else(file: Path, own: Path, user: str) -> str:
    """Say what to do about a file for the process id that the service user may not write."""
    if file == own:
        return f"Give its folder to that user: chown {user} {shlex.quote(str(own.parent))}"
    return (
        f"Name another file, before duoauthproxy: twistd --pidfile={shlex.quote(str(own))} duoauthproxy, or none: "
        "--pidfile="
    )


def _pid_file(options: Mapping[str, str]) -> Path | None:
    """Give the file that twistd writes its process id to, if it was told to."""
    twistd_settings = getattr(options, "parent", None) or {}
    written = twistd_settings.get("pidfile")
    return Path(os.path.abspath(Path(twistd_settings.get("rundir") or ".", written))) if written else None


def _join_to_process(service: ProxyService, logs: Logs, options: Mapping[str, str], reactor: Any) -> None:
    """Give a service its signals, its supervisor, and who waits for its start."""
    service.notifier = notifier_for_process(reactor, os.environ)
    service.launcher = launcher_of(options)
    leaving = Leaving(reactor, _pid_file(options))
    service.on_ready, service.on_failure, service.on_stopped = set_aside, leaving.fail, leaving.stopped
    # In this order: who is told that the service is ready may ask it to stop at once.
    reactor.callWhenRunning(StopSignals(reactor, service.hurry).install)
    service.begin_when = reactor.callWhenRunning
    install_reopen_signal(reactor, lambda: _reopen(logs))


def _reopen(logs: Logs) -> None:
    log = Logger(namespace="duoproxy")
    sentences = logs.reopen()
    for sentence in sentences:
        log.error("{sentence}", sentence=sentence)
    if not sentences:
        log.info("The log files were opened anew (SIGUSR1).")


def folders_of_root(configuration: Configuration) -> list[Path]:
    """Give the folders that root makes for the service user where they are missing.

    `log_dir` is one of them only if the configuration is root's own: whoever took over the account that owns it would
    else be given a folder anywhere, as one that another program takes its settings from.
    """
    places = Places(configuration.path)
    logs = log_folder(configuration)
    may_name = logs == places.log_folder or owner_whose_rights_count(configuration.path) is None
    return [logs, places.run_folder] if may_name else [places.run_folder]


def log_folder(configuration: Configuration) -> Path:
    """Give the folder of all logs: `log_dir`, or `log` beside the folder of the configuration file."""
    folder = configuration.main.log_dir
    return Path(folder) if folder else Places(configuration.path).log_folder


def _give_up(lines: list[str]) -> NoReturn:
    for line in lines:
        sys.stderr.write(f"{line}\n")
    raise SystemExit(1)
