"""One running proxy with several [ldap_server_auto…] sections in front of one directory, and OpenLDAP's own clients."""

from __future__ import annotations

import contextlib
import socket
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from duoproxy.ldap.framing import MessageFramer, peek_message
from duoproxy.ldap.messages import read_result
from tests.peers.authority import Authority
from tests.peers.controls import Controls
from tests.peers.ports import LOOPBACK, free_ports
from tests.peers.proxy import Sections, start_proxy
from tests.peers.sandbox import IKEY, SKEY, SandboxPorts, sandbox_sections
from tests.peers.server import RunningServer

PEERS = ("ldapsearch",)
CLIENT_S = 60.0


@dataclass(frozen=True)
class Answer:
    """What a client program said: its exit status is the result code."""

    code: int
    output: str
    errors: str


@dataclass(frozen=True)
class LdapLab:
    """The running proxy. A *label* names an [ldap_server_auto…] section.

    Attributes:
        server: the process.
        controls: of its sandbox.
        ports: label to the port for plain LDAP and StartTLS.
        ldaps_ports: label to the port for LDAPS.
        ca_file: who signed the certificate of the listeners, which is for 127.0.0.1.
    """

    server: RunningServer
    controls: Controls
    ports: Mapping[str, int]
    ldaps_ports: Mapping[str, int]
    ca_file: Path

    def url(self, label: str, *, ldaps: bool = False) -> str:
        """Where a listener is."""
        if ldaps:
            return f"ldaps://{LOOPBACK}:{self.ldaps_ports[label]}"
        return f"ldap://{LOOPBACK}:{self.ports[label]}"

    def run(self, program: str, url: str, *arguments: str, given: str = "") -> Answer:
        """Run one of OpenLDAP's clients against a URL, with simple binds unless the arguments say otherwise."""
        return run_client(program, url, *arguments, given=given, ca_file=self.ca_file)


def run_client(program: str, url: str, *arguments: str, given: str = "", ca_file: Path | None = None) -> Answer:
    """Run one of OpenLDAP's clients."""
    simple = [] if "-Y" in arguments else ["-x"]
    environment = {"PATH": "/usr/bin:/bin", "LDAPTLS_CACERT": str(ca_file or "")}
    done = subprocess.run(
        [program, *simple, "-H", url, *arguments],
        capture_output=True,
        text=True,
        input=given,
        timeout=CLIENT_S,
        check=False,
        env=environment,
    )
    return Answer(done.returncode, done.stdout, done.stderr)


def code_of(octets: bytes) -> int:
    """The result code of a response."""
    return read_result(octets, peek_message(octets))[0]


class RawClient:
    """A client that sends what a test writes."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection((LOOPBACK, port), timeout=CLIENT_S)
        self._framer = MessageFramer(1 << 26)
        self._messages: list[bytes] = []

    def send(self, *octets: bytes) -> None:
        self.socket.sendall(b"".join(octets))

    def receive(self) -> bytes:
        """Give the next message; empty when the connection has ended."""
        while not self._messages:
            data = self.socket.recv(65_536)
            if not data:
                self.close()
                return b""
            self._messages += self._framer.feed(data)
        return self._messages.pop(0)

    def close(self) -> None:
        self.socket.close()


@contextlib.contextmanager
def running_ldap_lab(
    folder: Path, client: Mapping[str, object], listeners: Sections, users: Mapping[str, str]
) -> Iterator[LdapLab]:
    """Run a proxy.

    Args:
        folder: where it works.
        client: options of [ad_client].
        listeners: label to options of an [ldap_server_auto…] section that differ.
        users: name to behaviour at the sandbox.
    """
    api, *ports = free_ports(1 + 2 * len(listeners))
    pair = (authority := Authority(folder / "tls", "listeners")).issue("listener", ["localhost"], [LOOPBACK])
    names = {label: f"ldap_server_auto{number or ''}" for number, label in enumerate(listeners)}
    plain = dict(zip(listeners, ports[: len(listeners)], strict=True))
    ldaps = dict(zip(listeners, ports[len(listeners) :], strict=True))
    sandbox = sandbox_sections(SandboxPorts(0, api), users, client="ad_client")
    sections: dict[str, Mapping[str, object]] = {
        "main": {"log_auth_events": "true"},
        # Clients that leave while their push rings are failures to it; none of these tests is about its lock-outs.
        "sandbox_duo": {**sandbox["sandbox_duo"], "lockout_after": 0},
        "ad_client": client,
    }
    for label, options in listeners.items():
        sections[names[label]] = {
            "ikey": IKEY,
            "skey": SKEY,
            "api_host": f"localhost:{api}",
            "http_ca_certs_file": "sandbox-ca.pem",
            "client": "ad_client",
            "failmode": "secure",
            "interface": LOOPBACK,
            "port": plain[label],
            "ssl_port": ldaps[label],
            "ssl_cert_path": pair.certificate,
            "ssl_key_path": pair.key,
            "exempt_primary_bind": "false",
            **options,
        }
    server = start_proxy(folder, sections)
    try:
        yield LdapLab(server, Controls(api, server.folder / "sandbox-ca.pem"), plain, ldaps, authority.ca_file)
    finally:
        server.stop()
