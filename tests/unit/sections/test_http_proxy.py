"""[http_proxy]: whom it serves, where its tunnels lead, and by which way."""

from __future__ import annotations

from pathlib import Path

import pytest

from duoproxy.config.validate import Reach, check_configuration, load_configuration
from duoproxy.net.http_connect import TunnelEndpoint
from duoproxy.net.http_proxy import MAX_CONNECTIONS
from duoproxy.net.remembered_address import RememberedEndpoint
from duoproxy.sections.http_proxy import HttpProxySection, HttpProxySettings, authority_of
from duoproxy.sections.registry import load_registry
from duoproxy.testing import make_environment

HOST = "api_host=api-1.duosecurity.com"


def written(folder: Path, *lines: str, main: str = "") -> Path:
    """Write a configuration with one [http_proxy]."""
    file = folder / "authproxy.cfg"
    file.touch(mode=0o600)
    file.write_text("\n".join(["[main]", main, "[http_proxy]", *lines, ""]))
    return file


def made(folder: Path, *lines: str, main: str = "") -> HttpProxySection:
    """Make the section of a configuration."""
    configuration = load_configuration(written(folder, *lines, main=main), load_registry(found=()).catalogue)
    settings = configuration.servers[0].settings
    assert isinstance(settings, HttpProxySettings)
    return HttpProxySection(settings, make_environment("http_proxy"))


def problems(folder: Path, *lines: str) -> list[str]:
    """What authproxyctl check says."""
    catalogue = load_registry(found=()).catalogue
    return [str(each) for each in check_configuration(written(folder, *lines), catalogue, reach=Reach.SHELL)]


@pytest.mark.parametrize(("address", "served"), [("10.1.2.9", True), ("10.1.4.1", False), ("127.0.0.1", False)])
def test_only_those_that_are_named_are_served(tmp_path: Path, address: str, served: bool) -> None:
    """client_ip is the whole list, this machine included."""
    section = made(tmp_path, HOST, "client_ip=10.1.2.0/24, 10.1.3.7")
    assert section.proxy.rules.may_use(address) is served


@pytest.mark.parametrize(
    ("address", "served"),
    [
        *[(address, True) for address in ("10.9.9.9", "172.31.0.1", "192.168.1.1", "169.254.1.1", "127.0.0.1")],
        *[(address, True) for address in ("::1", "fe80::1", "fd00::1")],
        *[(address, False) for address in ("8.8.8.8", "172.32.0.1", "100.64.0.1", "192.0.2.1", "2001:db8::1", "")],
    ],
)
def test_without_a_list_only_private_addresses_are_served(tmp_path: Path, address: str, served: bool) -> None:
    """Private, link-local and loopback: an open proxy by default would be one for the whole internet."""
    assert made(tmp_path, HOST).proxy.rules.may_use(address) is served


def test_without_a_list_there_is_a_warning(tmp_path: Path) -> None:
    """The administrator is told who is served."""
    [warning] = problems(tmp_path, HOST)
    assert "[http_proxy] client_ip: not set: every private, link-local and loopback address may use" in warning
    assert problems(tmp_path, HOST, "client_ip=10.1.2.3") == []


def test_an_address_as_api_host_is_an_error(tmp_path: Path) -> None:
    """Clients name the host; an address could never be asked for."""
    [error] = problems(tmp_path, "api_host=54.241.191.128", "client_ip=10.1.2.3")
    assert error.startswith("error:")
    assert "54.241.191.128 is an address" in error


def test_tunnels_lead_to_port_443_unless_api_host_says_otherwise(tmp_path: Path) -> None:
    """The authority is exactly api_host and its port."""
    assert str(authority_of(made(tmp_path, HOST).settings)) == "api-1.duosecurity.com:443"
    assert str(authority_of(made(tmp_path, "api_host=API-1.duosecurity.com:8443").settings)).endswith("com:8443")


def test_the_way_out_goes_through_the_proxy_of_main(tmp_path: Path) -> None:
    """Where this machine itself may not reach the internet, its tunnels go on through the next proxy."""
    way = made(tmp_path, HOST, main="http_proxy_host=10.0.0.1").proxy.rules.way_out
    assert isinstance(way, TunnelEndpoint)


@pytest.mark.parametrize("itself", ["127.0.0.1", "localhost", "10.1.2.3"])
def test_a_proxy_that_is_this_section_is_not_its_way_out(tmp_path: Path, itself: str) -> None:
    """[main] may send every section through this one; its own tunnels then go directly, and not round in a circle."""
    main = f"http_proxy_host={itself}\nhttp_proxy_port=8080"
    section = made(tmp_path, HOST, "port=8080", "interface=10.1.2.3", main=main)
    assert isinstance(section.proxy.rules.way_out, RememberedEndpoint)


def test_its_tunnels_have_descriptors_beside_those_of_logins(tmp_path: Path) -> None:
    """Clients that fill it take no descriptor that a login needs on its way to Duo."""
    count = HttpProxySection.schema.connections
    assert count is not None
    assert count(made(tmp_path, HOST).settings) == 2 * MAX_CONNECTIONS
