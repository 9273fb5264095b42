"""Configurations as people publish them, one of each device and directory: all load, and a slip in each is told."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from duoproxy.config.validate import Reach, load_configuration
from duoproxy.sections.registry import load_registry
from duoproxy.tools.authproxyctl import main

FOLDER = Path(__file__).parent / "published"
FILES = sorted(FOLDER.glob("*.cfg"))

# File: what is written instead of what, and what `authproxyctl check` says of it.
SLIPS: dict[str, tuple[str, str, str]] = {
    "asa-anyconnect-auto": ("failmode = secure", "failmod = secure", ":21 [radius_server_auto] failmod: "),
    "asa-challenge-short": (
        "prompt_format=short",
        "prompt_format=tiny",
        ":17 [radius_server_challenge] prompt_format: ",
    ),
    "aws-directory": (
        "radius_ip_2=172.31.20.12",
        "radius_ip_2=172.31.20.312",
        ":10 [radius_server_auto] radius_ip_2: ",
    ),
    "cloud-and-sso": ("client=duo_only_client", "client=ad_client", ":21 [radius_server_auto] client: "),
    "container": ("http_proxy_port=3128", "http_proxy_port=31280000", ":7 [main] http_proxy_port: "),
    "fortigate-challenge": (
        "security_group_dn=CN=VPN,",
        "security_group_dn=VPN,",
        ":7 [ad_client] security_group_dn: ",
    ),
    "ftd-two-listeners": ("port=1912", "port=1812", ":32 [radius_server_auto2] port: "),
    "globalprotect": ("PaloAlto-User-Group,", "PaloAlto-User-Groups,", ":5 [radius_client] pass_through_attr_names: "),
    "horizon-auto": ("failmode=safe", "failmode=open", ":10 [radius_server_auto] failmode: "),
    "http-proxy": ("client_ip=10.20.0.0/16", "client_ip=10.20.0.0/61", ":5 [http_proxy] client_ip: "),
    "ios-ssh-concat": ("nas_ip=10.20.0.7", "nas_ip=router7", ":5 [radius_client] nas_ip: "),
    "jumpcloud-ldaps": ("transport=ldaps", "transport=ssl", ":5 [ad_client] transport: "),
    "ldap-application": ("exempt_primary_bind=false", "exempt_primary_binds=false", " exempt_primary_binds: "),
    "netmotion-eap": ("pkey=server.key\n", "", ":8 [radius_server_eap] pkey: "),
    "netscaler-duo-only": ("radius_secret_1=ns-shared-secret\n", "", " [radius_server_duo_only] radius_secret_1: "),
    "openldap-plain": ("ldap_filter=(memberOf", "ldap_filter=((memberOf", ":12 [ad_client] ldap_filter: "),
    "opnsense-ipsec": ("radius_ip_2=10.20.8.1-10.20.8.9", "radius_ip_2=10.20.8.9-10.20.8.1", " radius_ip_2: "),
    "pfsense-openvpn": ("  allow_concat=false", "  allow_concat=no thanks", ":16 [radius_server_auto] allow_concat: "),
    "pulse-concat": ("search_dn=DC=corp,DC=example,DC=com\n", "", ":2 [ad_client] search_dn: "),
    "rras-ad": (
        "host=dc1.corp.example.com",
        "host=dc1.corp.example.com\nhost=dc3.example.com",
        ":4 [ad_client] host: ",
    ),
    "rras-nps": ("ikey=DI", "ikey=IK", ":8 [radius_server_auto] ikey: "),
}


def check(file: Path) -> tuple[int, str]:
    """Run `authproxyctl check --no-files`; give its status and what it printed."""
    done = CliRunner().invoke(main, ["check", "--no-files", str(file)])
    return done.exit_code, done.output


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_it_loads_without_an_error(file: Path) -> None:
    """Whoever comes from the original starts with the file that there is."""
    status, said = check(file)
    assert status == 0, said
    configuration = load_configuration(file, load_registry(found=()).catalogue, reach=Reach.NOTHING)
    assert configuration.servers


def test_there_are_twenty_and_each_has_its_slip() -> None:
    """One for each device and directory that the guides name."""
    assert len(FILES) >= 20
    assert {file.stem for file in FILES} == set(SLIPS)


@pytest.mark.parametrize("name", sorted(SLIPS))
def test_a_slip_is_told_with_its_line(tmp_path: Path, name: str) -> None:
    """File, line, section, option: one error, and the sentence names all of them."""
    right, wrong, place = SLIPS[name]
    text = (FOLDER / f"{name}.cfg").read_text("utf-8")
    assert text.count(right) == 1, f"{right} stands in {name}.cfg {text.count(right)} times"
    broken = tmp_path / "authproxy.cfg"
    broken.touch(mode=0o600)
    broken.write_text(text.replace(right, wrong), "utf-8")
    status, said = check(broken)
    assert status == 1, said
    errors = [line for line in said.splitlines() if line.startswith("error:")]
    assert len(errors) == 1, said
    assert place in errors[0]
