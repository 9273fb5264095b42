"""What several sections say together: client sections, addresses that are taken twice, logins in a circle, the
sandbox's loopback rule.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from typing import Final

import attrs

from duoproxy.config.findings import Findings
from duoproxy.config.schema import Listener, Role
from duoproxy.config.section_options import SectionReading
from duoproxy.config.simple_kinds import NO_CLIENT_SECTION_REMEDY

LOOPBACK: Final = "127.0.0.1"
_WILDCARDS: Final = {"": (4, 6), "0.0.0.0": (4,), "::": (4, 6)}


def resolve_client(server: SectionReading, clients: Sequence[SectionReading], findings: Findings) -> str | None:
    """Find the client section of a server section: the one that it names, or the only one.

    Args:
        server: a server section whose values are parsed.
        clients: the client sections of the file.
        findings: takes the error when there is none or more than one to choose from.
    """
    if not server.schema.takes_client:
        return None
    needed = server.schema.needs_of_client
    fitting = [client.name for client in clients if not needed or needed in client.schema.offers]
    named: str | None = server.values.get("client", {}).get(1)
    if named or ("client", 1) in server.faulty:
        if named in {client.name for client in clients} and named not in fitting:
            line, place = server.place("client")
            what = f"[{named}] is no {needed}, which this section needs"
            findings.error(line, place, "client", what, _remedy(fitting, needed))
        return named
    if len(fitting) == 1:
        return fitting[0]
    what = "there is no client section to check passwords"
    if fitting:
        what = "there are several client sections and none is chosen"
    elif needed and clients:
        what = f"there is no client section that is a {needed}, which this section needs"
    findings.error(server.ini.line, server.name, "client", what, _remedy(fitting, needed))
    return None


def _remedy(fitting: Sequence[str], needed: str) -> str:
    if fitting:
        return f"Write client = one of: {', '.join(fitting)}"
    return "Add an [ad_client]" if needed else NO_CLIENT_SECTION_REMEDY


def put_on_loopback(sections: Sequence[SectionReading], findings: Findings) -> None:
    """Keep every listener on loopback when one section of the file demands it."""
    demanding = next((one for one in sections if one.schema.loopback_only), None)
    if demanding is None:
        return
    for section in sections:
        if section.settings is None or section.schema.role is not Role.SERVER:
            continue
        _default_to_loopback(section)
        for _, interface, _ in listeners(section):
            if not _is_loopback(interface):
                line, place = section.place("interface")
                what = f"a file with [{demanding.name}] is not secure and may listen on loopback only"
                findings.error(
                    line, place, "interface", what, f"Write interface = {LOOPBACK}, or delete [{demanding.name}]"
                )


def check_listeners(servers: Sequence[SectionReading], findings: Findings) -> None:
    """Find sections that listen on the same address and port."""
    taken: dict[tuple[str, int], list[tuple[str, SectionReading]]] = {}
    for server in servers:
        for transport, interface, port in listeners(server):
            others = taken.setdefault((transport, port), [])
            clash = next((other for used, other in others if port and _overlap(used, interface)), None)
            others.append((interface, server))
            if clash is not None:
                line, place = server.place("port")
                what = f"{transport.upper()} port {port} is taken by [{clash.name}] already"
                findings.error(line, place, "port", what, "Give each of the two a port or an interface of its own")


def check_circles(
    servers: Sequence[tuple[SectionReading, str | None]], clients: Sequence[SectionReading], findings: Findings
) -> None:
    """Find server sections whose client section asks them, or asks others of this file that do.

    Each login would begin another one, until there is no room for more.

    Args:
        servers: with the names of their client sections.
        clients: the client sections of the file.
        findings: takes the errors.
    """
    named = {client.name: client for client in clients}
    for server, client_name in servers:
        client = named.get(client_name or "")
        if client is None or not _leads_back(server, client_name, servers, named):
            continue
        line, place = client.place("host")
        what = f"a login of [{server.name}] comes back to it by way of [{client.name}]: each would begin another one"
        findings.error(line, place, "host", what, "Name the server that knows the passwords, and its port")


def _leads_back(
    server: SectionReading,
    client_name: str | None,
    servers: Sequence[tuple[SectionReading, str | None]],
    clients: Mapping[str, SectionReading],
) -> bool:
    """Tell whether a login of a section comes back to it."""
    reached: set[str] = set()
    to_visit = [client_name]
    while to_visit:
        client = clients.get(to_visit.pop() or "")
        for other, its_client in servers:
            if client is not None and other.name not in reached and _asks(client, other):
                reached.add(other.name)
                to_visit.append(its_client)
    return server.name in reached


def _asks(client: SectionReading, server: SectionReading) -> bool:
    if client.schema.asks is None or client.settings is None:
        return False
    return any(
        (transport, port) == (its_transport, its_port) and _is_here(host, interface)
        for transport, host, port in client.schema.asks(client.settings)
        for its_transport, interface, its_port in listeners(server)
    )


def _is_here(host: str, interface: str) -> bool:
    """Tell whether who asks a host reaches an interface of this machine, as far as the file alone can say."""
    if host == interface:
        return True
    hosts = (LOOPBACK, "::1") if host.lower() == "localhost" else (host,)
    return any(_is_loopback(one) and _overlap(one, interface) for one in hosts)


def listeners(section: SectionReading) -> Sequence[Listener]:
    """Tell what a section listens on; nothing while it has no settings."""
    if section.schema.listens is None or section.settings is None:
        return ()
    return section.schema.listens(section.settings)


def _default_to_loopback(section: SectionReading) -> None:
    if section.schema.option("interface") and ("interface", 1) not in section.assignments:
        section.settings = attrs.evolve(section.settings, interface=LOOPBACK)


def _is_loopback(interface: str) -> bool:
    try:
        return ipaddress.ip_address(interface).is_loopback
    except ValueError:
        return False


def _overlap(one: str, other: str) -> bool:
    """Tell whether two interfaces share an address; :: takes IPv4 too."""
    if one in _WILDCARDS or other in _WILDCARDS:
        return bool(set(_families(one)) & set(_families(other)))
    return one == other


def _families(interface: str) -> tuple[int, ...]:
    if interface in _WILDCARDS:
        return _WILDCARDS[interface]
    try:
        return (ipaddress.ip_address(interface).version,)
    except ValueError:
        return (4, 6)
