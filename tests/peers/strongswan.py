"""The real strongSwan on both sides: a gateway that asks for XAuth passwords over RADIUS, and its user.

Gateway and user are network namespaces, each with its own charon; the proxy runs beside the gateway, on that machine's
loopback. ESP is done by strongSwan itself (kernel-libipsec), since not every kernel has it.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.peers.namespaces import UserMachine, run_ip, user_machine
from tests.peers.proxy import READY, Sections, proxy_command, proxy_environment, write_configuration
from tests.peers.sandbox import RADIUS_SECRET
from tests.peers.server import RunningServer, output_matches, start_server

CHARON = "/usr/lib/ipsec/charon"
INSIDE = "10.98.47"
USERS_POOL = "10.98.48"
SUBNET = 47
DEADLINE_S = 60.0

MODULES = (
    "random nonce aes sha1 sha2 hmac kdf gmp openssl pem pkcs1 x509 pubkey constraints kernel-libipsec kernel-netlink "
    "socket-default vici updown eap-identity eap-radius xauth-generic"
)
DAEMON = """charon {{
  load = {modules}
  plugins {{
    vici {{ socket = unix://{socket} }}
    eap-radius {{ servers {{ proxy {{
      address = 127.0.0.1
      auth_port = {port}
      secret = {secret}
    }} }} }}
  }}
  filelog {{ stderr {{ default = 1 }} }}
}}
"""
GATEWAY = """connections {{ users {{
  version = 1
  local_addrs = {address}
  pools = users
  proposals = aes128-sha256-modp2048
  encap = yes
  local {{
    auth = psk
    id = gateway
  }}
  remote {{ auth = psk }}
  remote-xauth {{ auth = xauth-radius }}
  children {{ inside {{
    local_ts = {inside}.0/24
    esp_proposals = aes128-sha256
  }} }}
}} }}
pools {{ users {{ addrs = {pool}.0/24 }} }}
secrets {{ ike-group {{ secret = "a key that all know" }} }}
"""
CONNECTION = """connections {{ {user} {{
  version = 1
  remote_addrs = {address}
  vips = 0.0.0.0
  proposals = aes128-sha256-modp2048
  encap = yes
  local {{
    auth = psk
    id = users
  }}
  local-xauth {{
    auth = xauth
    xauth_id = {user}
  }}
  remote {{
    auth = psk
    id = gateway
  }}
  children {{ {user} {{
    remote_ts = {inside}.0/24
    esp_proposals = aes128-sha256
  }} }}
}} }}
secrets {{ xauth-{user} {{
  id = {user}
  secret = "{password}"
}} }}
"""
GROUP_SECRET = 'secrets { ike-group { secret = "a key that all know" } }\n'


@dataclass(frozen=True)
class StrongSwan:
    """A running gateway with the proxy behind it, and the machine of its users.

    Attributes:
        proxy: the process.
        machine: of the users.
        socket: on which the users' daemon takes orders.
    """

    proxy: RunningServer
    machine: UserMachine
    socket: Path

    def login(self, user: str) -> bool:
        """Log in with the password that was set up; tells whether the tunnel stands."""
        command = ["swanctl", "--initiate", "--child", user, "--uri", f"unix://{self.socket}"]
        return subprocess.run(command, capture_output=True, timeout=DEADLINE_S, check=False).returncode == 0

    def ping_goes_through(self) -> bool:
        """Whether an address behind the gateway answers the user's machine."""
        return self.machine.ping(f"{INSIDE}.1")


@contextlib.contextmanager
def running_strongswan(
    folder: Path, sections: Sections, radius_port: int, passwords: Mapping[str, str]
) -> Iterator[StrongSwan]:
    """Run the proxy, the gateway and the user's side.

    Args:
        folder: where they work; its path must be short, for it has sockets.
        sections: of the proxy.
        radius_port: where it listens on 127.0.0.1.
        passwords: what each user types.
    """
    with contextlib.ExitStack() as stack:
        gateway = f"dpsg{os.getpid()}"
        run_ip("netns", "add", gateway)
        stack.callback(run_ip, "netns", "delete", gateway)
        machine = stack.enter_context(user_machine("su", SUBNET, gateway))
        run_ip("-n", gateway, "link", "set", "lo", "up")
        run_ip("-n", gateway, "addr", "add", f"{INSIDE}.1/32", "dev", "lo")
        inside_gateway = ["ip", "netns", "exec", gateway]
        proxy = start_server(
            "proxy",
            [*inside_gateway, *proxy_command(write_configuration(folder / "proxy", sections))],
            folder=folder / "proxy",
            ready=output_matches(READY),
            environment=proxy_environment(),
        )
        stack.callback(proxy.stop)
        places = {"address": machine.server_address, "inside": INSIDE, "pool": USERS_POOL}
        texts = [CONNECTION.format(user=user, password=word, **places) for user, word in passwords.items()]
        _daemon(stack, folder / "g", inside_gateway, radius_port, GATEWAY.format(**places))
        socket = _daemon(stack, folder / "u", machine.command(), radius_port, GROUP_SECRET + "".join(texts))
        yield StrongSwan(proxy, machine, socket)


def _daemon(stack: contextlib.ExitStack, folder: Path, place: list[str], radius_port: int, text: str) -> Path:
    """Run a charon in a namespace, give it its configuration, and give the socket for orders."""
    folder.mkdir()
    socket = folder / "vici"
    settings = folder / "strongswan.conf"
    settings.write_text(DAEMON.format(modules=MODULES, socket=socket, port=radius_port, secret=RADIUS_SECRET), "utf-8")
    # Two daemons would share /run/charon.pid; `ip netns exec` has given each a view of the mounts of its own.
    command = [*place, "sh", "-c", f"mount -t tmpfs none /run && exec {CHARON}"]
    daemon = start_server(
        "charon",
        command,
        folder=folder / "run",
        ready=lambda _: socket.exists(),
        environment={"STRONGSWAN_CONF": str(settings)},
    )
    stack.callback(daemon.stop)
    configuration = folder / "swanctl.conf"
    configuration.write_text(text, "utf-8")
    load = ["swanctl", "--load-all", "--file", str(configuration), "--uri", f"unix://{socket}"]
    subprocess.run(load, check=True, capture_output=True, timeout=DEADLINE_S)
    return socket
