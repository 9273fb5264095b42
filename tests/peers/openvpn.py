"""The real OpenVPN on both sides: a server that asks over RADIUS through PAM, and the machine of its user."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.peers.authority import Authority
from tests.peers.namespaces import UserMachine, user_machine
from tests.peers.pam import pam_radius_service
from tests.peers.ports import free_port
from tests.peers.server import RunningServer, output_matches, start_server, wait_until

NETWORK = "10.98.46"
PLUGINS = ("/usr/lib/openvpn", "/usr/lib/x86_64-linux-gnu/openvpn/plugins")
LOGIN_DEADLINE_S = 60.0

SERVER = """mode server
tls-server
dev {device}
dev-type tun
topology subnet
server {network}.0 255.255.255.0
local {host}
port {port}
proto tcp-server
dh none
ca {ca}
cert {certificate}
key {key}
verify-client-cert none
username-as-common-name
plugin {plugin} "{service} login USERNAME Password PASSWORD"
hand-window 90
verb 3
"""
CLIENT = """client
dev {device}
dev-type tun
remote {host} {port} tcp-client
nobind
ca {ca}
auth-user-pass {login}
auth-retry none
connect-retry-max 1
hand-window 90
verb 3
"""


@dataclass(frozen=True)
class OpenVpn:
    """A running server, and what its users need.

    Attributes:
        server: the process.
        machine: of the users.
        openvpn: the program.
        port: of the server.
        ca_file: what the client trusts.
        folder: for files of the users.
    """

    server: RunningServer
    machine: UserMachine
    openvpn: str
    port: int
    ca_file: Path
    folder: Path

    @contextlib.contextmanager
    def login(self, user: str, password: str) -> Iterator[bool]:
        """Log in; gives whether the tunnel stands, and keeps it open meanwhile."""
        folder = self.folder / user
        folder.mkdir()
        login = folder / "login"
        login.touch(mode=0o600)
        login.write_text(f"{user}\n{password}\n", "utf-8")
        configuration = folder / "client.conf"
        text = CLIENT.format(
            device=f"{self.machine.name}u",
            host=self.machine.server_address,
            port=self.port,
            ca=self.ca_file,
            login=login,
        )
        configuration.write_text(text, "utf-8")
        command = self.machine.command(self.openvpn, "--config", str(configuration))
        client = start_server("client", command, folder=folder / "run", ready=lambda _: True)
        try:
            wait_until(
                lambda: client.status() is not None or self.ping_goes_through(), "the end of a login", LOGIN_DEADLINE_S
            )
            yield client.status() is None
        finally:
            client.stop()

    def ping_goes_through(self) -> bool:
        """Whether the server's address inside the tunnel answers the user's machine."""
        return self.machine.ping(f"{NETWORK}.1")


@contextlib.contextmanager
def running_openvpn(folder: Path, openvpn: str, radius_address: str, secret: str) -> Iterator[OpenVpn]:
    """Run a server whose passwords are asked for by pam_radius_auth.

    Args:
        folder: where it works.
        openvpn: the program, for both sides.
        radius_address: `host:port` that the module asks.
        secret: shared with it.
    """
    folder.mkdir(parents=True)
    authority = Authority(folder / "pki", "VPN test authority")
    plugin = next(path for place in PLUGINS if os.path.exists(path := f"{place}/openvpn-plugin-auth-pam.so"))
    with (
        pam_radius_service("vpn", folder, radius_address, secret) as service,
        user_machine("ov", 46) as machine,
    ):
        certificate = authority.issue("vpn", addresses=[machine.server_address])
        port = free_port()
        configuration = folder / "server.conf"
        text = SERVER.format(
            device=f"{machine.name}t",
            network=NETWORK,
            host=machine.server_address,
            port=port,
            ca=authority.ca_file,
            certificate=certificate.certificate,
            key=certificate.key,
            plugin=plugin,
            service=service,
        )
        configuration.write_text(text, "utf-8")
        server = start_server(
            "openvpn",
            [openvpn, "--config", str(configuration)],
            folder=folder / "run",
            ready=output_matches("Initialization Sequence Completed"),
        )
        try:
            yield OpenVpn(server, machine, openvpn, port, authority.ca_file, folder)
        finally:
            server.stop()
