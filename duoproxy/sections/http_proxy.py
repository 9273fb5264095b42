"""[http_proxy]: lets servers that may not reach the internet reach Duo, and nothing else, through this one."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from twisted.internet.interfaces import IStreamClientEndpoint

from duoproxy.config.kinds import AddressRangeKind, ApiHost, CommaList, IpAddress, Port
from duoproxy.config.option import option, settings
from duoproxy.config.schema import Finding, Listener, Role, SectionSchema
from duoproxy.net.connect_requests import Authority
from duoproxy.net.duo_client import DuoClient
from duoproxy.net.http_connect import TunnelEndpoint
from duoproxy.net.http_proxy import MAX_CONNECTIONS, HttpProxy
from duoproxy.net.http_tunnel import TunnelRules
from duoproxy.net.remembered_address import RememberedEndpoint
from duoproxy.net.tls import load_trust_roots
from duoproxy.radius.addresses import AddressRange, DeviceTable, parse_address_range
from duoproxy.secret import Secret
from duoproxy.sections.checks import Check
from duoproxy.sections.contracts import ClientSection, Environment, ServerSection
from duoproxy.sections.duo_checks import ping_check
from duoproxy.sections.shared_options import DuoConnectionSettings

HTTPS_PORT = 443

PRIVATE: Final = tuple(
    parse_address_range(text)
    for text in (
        *("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "127.0.0.0/8"),
        *("fc00::/7", "fe80::/10", "::1"),
    )
)
"""Private, link-local and loopback addresses. Source: RFC 1918 §3, RFC 3927 §2.1, RFC 4193 §3.1, RFC 4291 §2.5."""


@settings
class HttpProxySettings(DuoConnectionSettings):
    """Options of [http_proxy]."""

    api_host: str = option(
        ApiHost(),
        help="The one host to which tunnels lead: the API host name of the application in Duo; may carry a port, which "
        "is 443 otherwise.",
        example="api-XXXXXXXX.duosecurity.com",
    )
    port: int = option(Port(), default=80, help="TCP port to listen on.", example="8080")
    interface: str = option(IpAddress(), default="", help="Address to listen on. Without it: all.", example="10.1.2.3")
    client_ip: tuple[AddressRange, ...] = option(
        CommaList(AddressRangeKind()),
        default=(),
        restricts=True,
        help="Who may use it: addresses, networks (10.0.0.0/8) or ranges (10.0.0.1-10.0.0.9), with commas. Without it: "
        "private, link-local and loopback addresses.",
        example="10.1.2.0/24, 10.1.3.7",
    )


def authority_of(server: HttpProxySettings) -> Authority:
    """Give name and port of the one host."""
    host, colon, port = server.api_host.partition(":")
    return Authority(host, int(port) if colon else HTTPS_PORT)


def listens_on(server: HttpProxySettings) -> Sequence[Listener]:
    """The one TCP address."""
    return [("tcp", server.interface, server.port)]


def find_faults(server: HttpProxySettings) -> Iterable[Finding]:
    """Find a host that is an address."""
    try:
        ipaddress.ip_address(authority_of(server).host)
    except ValueError:
        pass
    else:
        what = f"{server.api_host} is an address: Duo's certificate names a host, and so do its clients"
        yield "api_host", what, "Write the API host name as the Duo Admin Panel shows it"


def find_doubts(server: HttpProxySettings) -> Iterable[Finding]:
    """Say who is served when nobody is named."""
    if not server.client_ip:
        what = "not set: every private, link-local and loopback address may use this proxy, and no other"
        yield "client_ip", what, "Name the servers that need it, such as client_ip=10.1.2.0/24"


def _leads_to_itself(server: HttpProxySettings) -> bool:
    """Whether the proxy that [main] names for all sections is this very one, whose own way out is then direct."""
    if not server.http_proxy_host or server.http_proxy_port != server.port:
        return False
    try:
        address = ipaddress.ip_address(server.http_proxy_host)
    except ValueError:
        return server.http_proxy_host == "localhost"
    return address.is_loopback or str(address) == server.interface


class HttpProxySection(ServerSection):
    """Relays CONNECT to one host."""

    schema = SectionSchema(
        name="http_proxy",
        role=Role.SERVER,
        summary="An HTTP proxy that leads to Duo and nowhere else, for servers that may not reach the internet.",
        settings_class=HttpProxySettings,
        listens=listens_on,
        connections=lambda _: 2 * MAX_CONNECTIONS,  # of clients, and to Duo beside each
        check=find_faults,
        advise=find_doubts,
    )
    settings: HttpProxySettings

    def __init__(
        self, settings: HttpProxySettings, environment: Environment, client: ClientSection | None = None
    ) -> None:
        super().__init__(settings, environment, client)
        authority = authority_of(settings)
        rules = TunnelRules(environment.section_name, authority, _clients(settings.client_ip), self._way_out(authority))
        self.proxy = HttpProxy(rules, environment.reactor)

    def bind(self) -> None:
        """Take the port."""
        self.proxy.listen(self.settings.interface, self.settings.port)

    def drain(self) -> None:
        """Take no further connections; tunnels go on."""
        self.proxy.stop_listening()

    @property
    def pending(self) -> int:
        """How many tunnels may have a login in them."""
        return self.proxy.pending

    def connectivity(self) -> Sequence[Check]:
        """Reach Duo as the clients of this section do."""
        return (ping_check(self.settings.api_host, self._make_client, self.environment),)

    def status(self) -> Mapping[str, object]:
        """Tell where it listens and how many connections there are."""
        return {**super().status(), "connections": self.proxy.share.count}

    async def stop(self) -> None:
        """Give the port back, and end every tunnel."""
        self.proxy.close()

    def _make_client(self) -> DuoClient:
        """Make a client for pings, which carry no key."""
        settings, direct = self.settings, not self.settings.http_proxy_host or _leads_to_itself(self.settings)
        return DuoClient(
            reactor=self.environment.reactor,
            section_name=self.environment.section_name,
            ikey="",
            skey=Secret(b""),
            api_host=settings.api_host,
            api_timeout_s=0,
            random=lambda: 0.5,
            generation="v2",
            trust_roots=load_trust_roots(settings.http_ca_certs_file),
            http_proxy=None if direct else (settings.http_proxy_host, settings.http_proxy_port),
        )

    def _way_out(self, authority: Authority) -> IStreamClientEndpoint:
        proxy_host, reactor = self.settings.http_proxy_host, self.environment.reactor
        if not proxy_host or _leads_to_itself(self.settings):
            return RememberedEndpoint(reactor, authority.host, authority.port)
        proxy = RememberedEndpoint(reactor, proxy_host, self.settings.http_proxy_port)
        return TunnelEndpoint(proxy, authority.host, authority.port)


def _clients(named: tuple[AddressRange, ...]) -> Callable[[str], bool]:
    table = DeviceTable(named or PRIVATE)
    return lambda address: table.lookup(address) is not None
