"""One running proxy with several [radius_server_auto…] sections on one sandbox, for all tests of a module.

Each listener is written as the options in which it differs from `tests.peers.sandbox.sandbox_sections`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.peers.controls import Controls
from tests.peers.ports import free_ports
from tests.peers.proxy import Sections, start_proxy
from tests.peers.sandbox import USERS, SandboxPorts, merged, sandbox_sections
from tests.peers.server import RunningServer


@dataclass(frozen=True)
class Lab:
    """The running proxy.

    Attributes:
        server: the process.
        controls: of its sandbox.
        addresses: label of a listener to `host:port`.
        sections: label of a listener to the name of its section.
    """

    server: RunningServer
    controls: Controls
    addresses: Mapping[str, str]
    sections: Mapping[str, str]

    def log(self) -> str:
        """Everything that the proxy has logged."""
        return self.server.output()


@contextlib.contextmanager
def running_lab(
    folder: Path,
    listeners: Sections,
    users: Mapping[str, str] = USERS,
    more: Sections | None = None,
) -> Iterator[Lab]:
    """Run a proxy with these listeners.

    Args:
        folder: where it works.
        listeners: label to options; each has its own free port on 127.0.0.1 unless it names another `interface`.
        users: name to behaviour at the sandbox.
        more: further sections, or options over those that are made here.
    """
    api, *ports = free_ports(1 + len(listeners))
    names = {label: f"radius_server_auto{number or ''}" for number, label in enumerate(listeners)}
    sections: dict[str, dict[str, object]] = {}
    for (label, options), port in zip(listeners.items(), ports, strict=True):
        made = sandbox_sections(SandboxPorts(port, api), users, server=options)
        sections[names[label]] = made.pop("radius_server_auto")
        sections.update(made)
    server = start_proxy(folder, merged(sections, more or {}))
    addresses = {label: f"127.0.0.1:{port}" for label, port in zip(listeners, ports, strict=True)}
    try:
        yield Lab(server, Controls(api, server.folder / "sandbox-ca.pem"), addresses, names)
    finally:
        server.stop()
