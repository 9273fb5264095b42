"""One running proxy with several [radius_server_eap…] sections on one sandbox, for all tests of a module."""

from __future__ import annotations

import contextlib
import datetime
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from duoproxy.tools.make_cert import MadeFiles, make_certificate
from tests.peers.controls import Controls
from tests.peers.eapol import Outcome
from tests.peers.lab import Lab
from tests.peers.ports import free_ports
from tests.peers.proxy import Sections, start_proxy
from tests.peers.sandbox import USERS, SandboxPorts, merged, sandbox_sections
from tests.peers.server import wait_until

SERVER_NAME = "radius.example.com"


def make_certificates(folder: Path) -> Mapping[str, MadeFiles]:
    """Make one certificate of each kind, as authproxyctl make-cert does."""
    made = {}
    for kind in ("ECDSA", "RSA"):
        (folder / kind).mkdir(parents=True)
        now = datetime.datetime.now(datetime.UTC)
        made[kind] = make_certificate(SERVER_NAME, folder / kind, now, days=90, use_rsa=kind == "RSA")
    return made


def explained(lab: Lab, outcome: Outcome) -> str:
    """Put together what a test shows when a login ended as it should not: the end of both outputs."""
    return outcome.output[-4000:] + "\n--- proxy\n" + lab.log()[-6000:]


def cause_of(lab: Lab, user: str, begin: int = 0) -> str:
    """Give the cause in the last line about a login of this user, after `begin` characters of the log."""
    pattern = rf"Login [0-9a-f]{{10}}: user={re.escape(repr(user))} .*cause=(\S+)"
    found: list[str] = []

    def seen() -> bool:
        found.extend(re.findall(pattern, lab.log()[begin:]))
        return bool(found)

    wait_until(seen, f"the end of the login of {user} in the log")
    return found[-1]


@contextlib.contextmanager
def running_eap_lab(
    folder: Path,
    listeners: Sections,
    certificates: Mapping[str, MadeFiles],
    users: Mapping[str, str] = USERS,
    more: Sections | None = None,
) -> Iterator[Lab]:
    """Run a proxy with these listeners.

    Args:
        folder: where it works.
        listeners: label to options; those that name no certificate have the ECDSA one.
        certificates: by kind.
        users: name to behaviour at the sandbox.
        more: further sections, or options over those that are made here.
    """
    api, *ports = free_ports(1 + len(listeners))
    names = {label: f"radius_server_eap{number or ''}" for number, label in enumerate(listeners)}
    shown = {"certs": certificates["ECDSA"].certificate, "pkey": certificates["ECDSA"].key}
    sections: dict[str, dict[str, object]] = {}
    for (label, options), port in zip(listeners.items(), ports, strict=True):
        made = sandbox_sections(SandboxPorts(port, api), users, server={**shown, **options})
        sections[names[label]] = made.pop("radius_server_auto")
        sections.update(made)
    server = start_proxy(folder, merged(sections, more or {}))
    addresses = {label: f"127.0.0.1:{port}" for label, port in zip(listeners, ports, strict=True)}
    try:
        yield Lab(server, Controls(api, server.folder / "sandbox-ca.pem"), addresses, names)
    finally:
        server.stop()
