"""What the connectivity tool tries of upstream RADIUS servers: does each answer, and with our secret.

What several sections may share stands here; this is no section itself.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from functools import partial
from typing import Final

from attrs import frozen

from duoproxy.net.radius_probe import Probed, RadiusProbe
from duoproxy.net.resolver import Resolver, is_address
from duoproxy.net.udp import source_host_towards
from duoproxy.radius.attributes import Type
from duoproxy.radius.packet import Attribute
from duoproxy.secret import Secret
from duoproxy.sections.checks import Check, CheckFinding, CheckLevel
from duoproxy.sections.contracts import Environment

NAS_IDENTIFIER: Final = b"duoproxy"


@frozen
class AskedHost:
    """One server.

    Attributes:
        host: address or name.
        port: UDP port.
        secret: the shared secret.
        secret_option: the option that has it.
    """

    host: str
    port: int
    secret: Secret
    secret_option: str

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def upstream_checks(hosts: Sequence[AskedHost], nas_ip: str, environment: Environment) -> Sequence[Check]:
    """List what is tried.

    Args:
        hosts: the servers.
        nas_ip: what NAS-IP-Address they are sent; empty: our own address.
        environment: of the section.
    """
    return [Check(f"RADIUS server {host}", partial(_try_host, host, nas_ip, environment)) for host in hosts]


async def _try_host(host: AskedHost, nas_ip: str, environment: Environment) -> Sequence[CheckFinding]:
    address = await _address_of(host.host, environment)
    if address is None:
        what = f"RADIUS server {host}: its name cannot be resolved"
        return [CheckFinding(CheckLevel.ERROR, what, "Check the option host, and DNS on this machine")]
    own = nas_ip or source_host_towards(address) or ""
    identity: list[Attribute] = [(Type.NAS_IDENTIFIER, NAS_IDENTIFIER)]
    if own:
        packed = ipaddress.ip_address(own.partition("%")[0])
        number = Type.NAS_IP_ADDRESS if packed.version == 4 else Type.NAS_IPV6_ADDRESS
        identity.append((number, packed.packed))
    endpoint = address, host.port
    probe = RadiusProbe(environment.reactor, endpoint, host.secret.reveal(), environment.random_bytes, identity)
    try:
        found = await probe.run()
    except OSError as fault:
        what = f"RADIUS server {host}: no socket towards it ({fault.strerror})"
        return [CheckFinding(CheckLevel.ERROR, what, "Check the option host, and the routes of this machine")]
    return probe_findings(host, found, own, environment.section_name)


async def _address_of(name: str, environment: Environment) -> str | None:
    if is_address(name):
        return name
    resolver = Resolver(reactor=environment.reactor, log_namespace=environment.section_name)
    try:
        return await resolver.resolve(name)
    finally:
        await resolver.stop()


def probe_findings(host: AskedHost, found: Probed, own_address: str, section: str) -> Sequence[CheckFinding]:
    """Say what came of asking one server."""
    if found is Probed.WELL:
        return []
    if found is Probed.ACCEPTS:
        what = f"RADIUS server {host} accepts a name that cannot exist with a random password"
        remedy = "It checks no passwords, so that Duo is the only factor: let it check them"
        return [CheckFinding(CheckLevel.ERROR, what, remedy)]
    if found is Probed.OTHER_SECRET:
        what = f"RADIUS server {host} has another shared secret"
        remedy = f"Make {host.secret_option} of [{section}] equal to the secret that the server has for this machine"
        return [CheckFinding(CheckLevel.ERROR, what, remedy)]
    if found is Probed.REFUSED:
        what = f"RADIUS server {host}: nothing listens there"
        return [CheckFinding(CheckLevel.ERROR, what, "Start the server, or correct host and port")]
    return [CheckFinding(CheckLevel.ERROR, *_silence(host, own_address))]


def _silence(host: AskedHost, own_address: str) -> tuple[str, str]:
    client = f" ({own_address})" if own_address else ""
    return (
        f"RADIUS server {host} gives no answer",
        f"Make this machine{client} one of its clients with the same secret as {host.secret_option}, and let UDP port "
        f"{host.port} through; the log of that server says which of these it is",
    )
