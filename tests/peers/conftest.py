"""Fixtures for tests with real processes; every one of them is stopped when its test ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import pytest

from tests.peers import peer, proxy, sandbox
from tests.peers.radclient import Radclient
from tests.peers.server import READY_DEADLINE_S, Readiness, RunningServer, start_server


class StartServer(Protocol):
    """Starts a real server; see `tests.peers.server.start_server`."""

    def __call__(
        self,
        name: str,
        command: Sequence[str],
        *,
        ready: Readiness,
        deadline_s: float = READY_DEADLINE_S,
        environment: Mapping[str, str] | None = None,
    ) -> RunningServer: ...


class StartProxy(Protocol):
    """Starts our proxy; see `tests.peers.proxy.start_proxy`."""

    def __call__(self, sections: proxy.Sections, name: str = "proxy") -> RunningServer: ...


@pytest.fixture
def running(tmp_path: Path) -> Iterator[list[RunningServer]]:
    """The servers of one test, ended in reverse order."""
    servers: list[RunningServer] = []
    yield servers
    for server in reversed(servers):
        server.stop()


@pytest.fixture
def run_server(tmp_path: Path, running: list[RunningServer]) -> StartServer:
    """Start real servers, each in its own folder below the test's."""

    def start(
        name: str,
        command: Sequence[str],
        *,
        ready: Readiness,
        deadline_s: float = READY_DEADLINE_S,
        environment: Mapping[str, str] | None = None,
    ) -> RunningServer:
        server = start_server(
            name, command, folder=tmp_path / name, ready=ready, deadline_s=deadline_s, environment=environment
        )
        running.append(server)
        return server

    return start


@pytest.fixture
def run_proxy(tmp_path: Path, running: list[RunningServer]) -> StartProxy:
    """Start our own proxy on given sections, and wait until it is ready."""

    def start(sections: proxy.Sections, name: str = "proxy") -> RunningServer:
        server = proxy.start_proxy(tmp_path / name, sections, name=name)
        running.append(server)
        return server

    return start


class RunSandbox(Protocol):
    """Starts our proxy on its own sandbox; `more` goes over the sections of `tests.peers.sandbox.sandbox_sections`."""

    def __call__(
        self, more: proxy.Sections | None = None, users: Mapping[str, str] = sandbox.USERS
    ) -> sandbox.SandboxProxy: ...


@pytest.fixture
def run_sandbox(run_proxy: StartProxy) -> RunSandbox:
    """Start our own proxy on its sandbox, on free ports, and wait until it is ready."""

    def start(more: proxy.Sections | None = None, users: Mapping[str, str] = sandbox.USERS) -> sandbox.SandboxProxy:
        ports = sandbox.new_ports()
        sections = sandbox.merged(sandbox.sandbox_sections(ports, users), more or {})
        return sandbox.SandboxProxy(run_proxy(sections), ports)

    return start


@pytest.fixture
def program() -> Callable[[str], str]:
    """Find the executable of a peer that the test's `needs_peer` names."""

    def find(name: str) -> str:
        path = peer.peer(name).path()
        assert path is not None, f"mark the test with needs_peer({name!r})"
        return path

    return find


@pytest.fixture
def radclient(program: Callable[[str], str]) -> Radclient:
    """The real radclient, for a test with `needs_peer("radclient")`."""
    return Radclient(program("radclient"))
