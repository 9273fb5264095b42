"""One running proxy with a [radius_server_challenge] and its neighbours on one sandbox."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.peers.controls import Controls
from tests.peers.ports import free_ports
from tests.peers.proxy import start_proxy
from tests.peers.sandbox import SandboxPorts, sandbox_sections
from tests.peers.server import RunningServer, wait_until

CHALLENGE, SECOND, CONCAT, DUO_ONLY = (
    "radius_server_challenge",
    "radius_server_challenge2",
    "radius_server_concat",
    "radius_server_duo_only",
)
USERS: Mapping[str, str] = {
    "alice": "push approve-after 0",
    "dave": "push deny-after 0",
    "ivan": "push approve-after 3",
    "carol": "passcode 424242",
    "erin": "enroll",
    "sync": "push approve-after 0 passcode 424242",
}


@dataclass(frozen=True)
class ChallengeLab:
    """The running proxy.

    Attributes:
        server: the process.
        controls: of its sandbox.
        ports: name of a section to its UDP port on 127.0.0.1.
    """

    server: RunningServer
    controls: Controls
    ports: Mapping[str, int]

    def address(self, section: str) -> str:
        """`host:port` of a section, as radclient takes it."""
        return f"127.0.0.1:{self.ports[section]}"

    def new_sms_code(self, user: str) -> str:
        """Wait for the codes that a user is sent, and give the first."""
        codes: list[str] = []

        def sent() -> bool:
            users = self.controls.call("/phone/state")["users"]
            codes.extend(next(one["sms_codes"] for one in users if one["username"] == user))
            return bool(codes)

        wait_until(sent, f"codes for {user}")
        return codes[0]


@contextlib.contextmanager
def running_challenge_lab(folder: Path, users: Mapping[str, str] = USERS) -> Iterator[ChallengeLab]:
    """Run it; any address of 127.0.0.0/8 is a device."""
    names = (CHALLENGE, SECOND, CONCAT, DUO_ONLY)
    api, *numbers = free_ports(1 + len(names))
    ports = dict(zip(names, numbers, strict=True))
    sections: dict[str, dict[str, object]] = {}
    for name, port in ports.items():
        made = sandbox_sections(SandboxPorts(port, api), users, server={"radius_ip_1": "127.0.0.0/8"})
        options = made.pop("radius_server_auto")
        sections[name] = {**options, "client": None} if name == DUO_ONLY else options
        sections.update(made)
    server = start_proxy(folder, sections)
    try:
        yield ChallengeLab(server, Controls(api, server.folder / "sandbox-ca.pem"), ports)
    finally:
        server.stop()
