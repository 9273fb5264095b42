"""A proxy on its own sandbox: the sections for one, on free ports, and what a test needs to talk to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from tests.peers.ports import free_ports
from tests.peers.proxy import Sections
from tests.peers.server import RunningServer

IKEY = "DISANDBOX00000000000"
SKEY = "s4ndb0x-secret-key-of-forty-characters-0"
RADIUS_SECRET = "testing123"
PASSWORD = "correct horse"
USERS: Mapping[str, str] = MappingProxyType(
    {"alice": "push approve-after 0", "dave": "push deny-after 0", "frank": "bypass", "carol": "passcode 424242"}
)


@dataclass(frozen=True)
class SandboxPorts:
    """Where a proxy on its sandbox listens, on 127.0.0.1: `radius` (UDP), `api` (HTTPS)."""

    radius: int
    api: int


@dataclass(frozen=True)
class SandboxProxy:
    """A running proxy on its sandbox."""

    server: RunningServer
    ports: SandboxPorts

    @property
    def radius_address(self) -> str:
        """Host and port as radclient takes them."""
        return f"127.0.0.1:{self.ports.radius}"


def new_ports() -> SandboxPorts:
    """Take two free ports."""
    return SandboxPorts(*free_ports(2))


def sandbox_sections(
    ports: SandboxPorts,
    users: Mapping[str, str] = USERS,
    server: Mapping[str, object] | None = None,
    client: str = "sandbox_users",
) -> dict[str, dict[str, object]]:
    """Write the sections of a proxy that asks its own sandbox.

    Args:
        ports: where it listens.
        users: name to behaviour, as `[sandbox_duo]` has it; everybody's password is `PASSWORD`.
        server: options of `[radius_server_auto]` that differ from the ones here; None leaves one out.
        client: the client section that checks passwords; another than `sandbox_users` is to be added by the caller.
    """
    numbered = list(enumerate(users.items(), start=1))
    sections: dict[str, dict[str, object]] = {
        "radius_server_auto": {
            "ikey": IKEY,
            "skey": SKEY,
            "api_host": f"localhost:{ports.api}",
            "http_ca_certs_file": "sandbox-ca.pem",
            "radius_ip_1": "127.0.0.1",
            "radius_secret_1": RADIUS_SECRET,
            "interface": "127.0.0.1",
            "port": ports.radius,
            "client": client,
            "failmode": "secure",
            **(server or {}),
        },
        "sandbox_duo": {
            "ikey": IKEY,
            "skey": SKEY,
            "ca_file": "sandbox-ca.pem",
            "port": ports.api,
            **{f"user_{number}": f"{name} {behaviour}" for number, (name, behaviour) in numbered},
        },
    }
    if client == "sandbox_users":
        sections["sandbox_users"] = {f"user_{number}": f"{name}:{PASSWORD}" for number, (name, _) in numbered}
    return sections


def merged(sections: Sections, more: Sections) -> dict[str, dict[str, object]]:
    """Put sections or single options over others."""
    names = [*sections, *(name for name in more if name not in sections)]
    return {name: {**sections.get(name, {}), **more.get(name, {})} for name in names}
