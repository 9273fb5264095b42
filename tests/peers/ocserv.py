"""The real ocserv as a VPN server that asks over RADIUS, and the real openconnect as its user.

The user's machine is a network namespace of its own, so that a ping through the tunnel can go no other way.
"""

from __future__ import annotations

import contextlib
import re
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.peers.authority import Authority
from tests.peers.namespaces import UserMachine, user_machine
from tests.peers.ports import free_port
from tests.peers.server import RunningServer, start_server, tcp_answers

DEADLINE_S = 60.0
Answer = str | Callable[[], str]
NETWORK = "10.98.45"

CONFIGURATION = """auth = "radius[config={folder}/radiusclient.conf]"
listen-host = {host}
tcp-port = {port}
run-as-user = root
run-as-group = root
socket-file = {folder}/s
server-cert = {certificate}
server-key = {key}
isolate-workers = false
max-clients = 16
max-same-clients = 16
auth-timeout = 240
cookie-timeout = 300
max-ban-score = 0
use-occtl = false
device = {device}
ipv4-network = {network}.0
ipv4-netmask = 255.255.255.0
pid-file = {folder}/pid
"""
RADIUS = """nas-identifier ocserv
authserver {address}
acctserver {address}
servers {folder}/servers
dictionary /etc/radcli/dictionary
default_realm
radius_timeout 30
radius_retries 1
bindaddr *
"""
SCRIPT = """#!/bin/sh
# What openconnect calls when its tunnel is there: only the tunnel's own network leads into it.
[ "$reason" = connect ] || exit 0
ip link set dev "$TUNDEV" up mtu "$INTERNAL_IP4_MTU"
ip addr add "$INTERNAL_IP4_ADDRESS/32" dev "$TUNDEV"
ip route add {network}.0/24 dev "$TUNDEV"
"""


@dataclass(frozen=True)
class VpnLogin:
    """How a login ended: the cookie that opens a tunnel (empty: refused), and all that the user saw."""

    cookie: str
    shown: str

    @property
    def accepted(self) -> bool:
        """Whether the user was let in."""
        return bool(self.cookie)


@dataclass(frozen=True)
class Ocserv:
    """A running ocserv, and the namespace in which its users are.

    Attributes:
        server: the process.
        url: where users connect to.
        machine: of the users.
        openconnect: the client.
        ca_file: what the client trusts.
        folder: for files of the users.
    """

    server: RunningServer
    url: str
    machine: UserMachine
    openconnect: str
    ca_file: Path
    folder: Path

    def login(self, user: str, *answers: Answer) -> VpnLogin:
        """Log in once; `answers` are typed at the prompts in turn, password first.

        An answer that is a function is asked for what to type when it is its turn, while the login waits.
        """
        command = self.machine.command(self.openconnect, "--protocol=anyconnect", "--authenticate")
        command += ["--user", user, "--cafile", str(self.ca_file), self.url]
        pipe = subprocess.PIPE
        with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, cwd=self.folder) as client:
            assert client.stdin is not None
            with contextlib.suppress(BrokenPipeError):
                for answer in answers:
                    client.stdin.write(f"{answer if isinstance(answer, str) else answer()}\n")
                    client.stdin.flush()
            said, shown = client.communicate(timeout=DEADLINE_S)
        cookie = re.search(r"^COOKIE='(.*)'$", said, re.MULTILINE)
        return VpnLogin(cookie[1] if cookie and client.returncode == 0 else "", shown)

    @contextlib.contextmanager
    def tunnel(self, login: VpnLogin) -> Iterator[None]:
        """Open the tunnel that a login gave the right to, and keep it."""
        script = self.folder / "tunnel-script"
        script.write_text(SCRIPT.format(network=NETWORK), "utf-8")
        script.chmod(0o700)
        command = self.machine.command(self.openconnect, "--cafile", str(self.ca_file))
        command += ["--cookie", login.cookie, "--script", str(script), self.url]
        client = start_server(
            "openconnect", command, folder=self.folder / "tunnel", ready=lambda _: self.ping_goes_through()
        )
        try:
            yield
        finally:
            client.stop()

    def ping_goes_through(self) -> bool:
        """Whether the server's address inside the tunnel answers the user's machine."""
        return self.machine.ping(f"{NETWORK}.1")


@contextlib.contextmanager
def running_ocserv(folder: Path, ocserv: str, openconnect: str, radius_address: str, secret: str) -> Iterator[Ocserv]:
    """Run ocserv whose passwords are asked for over RADIUS.

    Args:
        folder: where it works.
        ocserv: the program.
        openconnect: the client.
        radius_address: `host:port` that it asks.
        secret: shared with it.
    """
    folder.mkdir(parents=True)
    host, _, _ = radius_address.partition(":")
    (folder / "servers").write_text(f"{host} {secret}\n", "utf-8")
    (folder / "radiusclient.conf").write_text(RADIUS.format(address=radius_address, folder=folder), "utf-8")
    authority = Authority(folder / "pki", "VPN test authority")
    with user_machine("oc", 45) as machine:
        host, port = machine.server_address, free_port()
        certificate = authority.issue("vpn", addresses=[host])
        configuration = folder / "ocserv.conf"
        configuration.write_text(
            CONFIGURATION.format(
                folder=folder,
                host=host,
                port=port,
                certificate=certificate.certificate,
                key=certificate.key,
                device=f"{machine.name}t",
                network=NETWORK,
            ),
            "utf-8",
        )
        command = [ocserv, "--foreground", "--debug", "3", "--config", str(configuration)]
        server = start_server("ocserv", command, folder=folder / "run", ready=tcp_answers(port, host))
        try:
            yield Ocserv(server, f"https://{host}:{port}", machine, openconnect, authority.ca_file, folder)
        finally:
            server.stop()
