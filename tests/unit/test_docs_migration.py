"""docs/how-to/migrate-from-duo-authproxy.md: each documented option of the original, against what is declared here."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from duoproxy.sections.registry import load_registry

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/how-to/migrate-from-duo-authproxy.md").read_text(encoding="utf-8")
CATALOGUE = load_registry(found=()).catalogue
CODE = re.compile(r"`([a-z_0-9]+)`")
VERDICTS = {"same", "stricter", "different", "no effect", "not there"}

# What public documents name; numbered options without their number.
SERVER = "ikey skey api_host client port interface http_proxy_host http_proxy_port radius_ip radius_secret failmode"
SERVER += " api_timeout exempt_username client_ip_attr pw_codec pass_through_attr_names pass_through_all"
DOCUMENTED = {
    "main": "debug log_dir log_max_files log_max_size log_stdout log_syslog syslog_facility log_auth_events"
    " log_sso_events http_proxy_host http_proxy_port http_ca_certs_file interface test_connectivity_on_startup"
    " fips_mode",
    "ad_client": "host service_account_username service_account_password search_dn security_group_dn ldap_filter"
    " timeout transport port ssl_ca_certs_file ssl_verify_hostname auth_type bind_dn ntlm_domain ntlm_workstation"
    " username_attribute at_attribute",
    "radius_client": "host secret port retries retry_wait nas_ip pass_through_attr_names pass_through_all pw_codec",
    "duo_only_client": "",
    "radius_server_auto": f"{SERVER} factors delimiter delimited_password_length allow_concat",
    "radius_server_challenge": f"{SERVER} prompt_format enroll_challenge",
    "radius_server_concat": f"{SERVER} delimiter delimited_password_length",
    "radius_server_duo_only": SERVER.replace(" pass_through_attr_names pass_through_all", ""),
    "radius_server_eap": f"{SERVER} certs pkey minimum_tls_version cipher_list allow_concat factors delimiter"
    " delimited_password_length",
    "ldap_server_auto": "ikey skey api_host client factors delimiter delimited_password_length allow_concat failmode"
    " port ssl_port ssl_key_path ssl_cert_path minimum_tls_version cipher_list interface exempt_primary_bind exempt_ou"
    " allow_searches_after_bind allow_unlimited_binds network_timeout idle_timeout api_timeout",
    "http_proxy": "api_host port interface client_ip",
}
INHERITED = {"debug", "http_proxy_host", "http_proxy_port", "http_ca_certs_file"}


def part(title: str) -> str:
    """What stands under `### title`; nothing if there is no such heading."""
    return PAGE.partition(f"\n### {title}\n")[2].partition("\n##")[0]


def parts_of(section: str) -> str:
    shared = part("Every [radius_server_…] section") if section.startswith("radius_server") else ""
    return part(f"[{section}]") + shared


def rows_of(section: str) -> dict[str, str]:
    """Each option of the original to its verdict."""
    found = re.findall(r"^\| ((?:`[a-z_]+`(?:, )?)+) \| ([a-z ]+) \|", parts_of(section), re.MULTILINE)
    return {option: verdict for options, verdict in found for option in CODE.findall(options)}


@pytest.mark.parametrize("section", DOCUMENTED)
def test_each_documented_option_has_its_verdict(section: str) -> None:
    """Nobody has to guess what becomes of a line."""
    assert part(f"[{section}]")
    assert set(DOCUMENTED[section].split()) - set(rows_of(section)) == set()
    assert set(rows_of(section).values()) <= VERDICTS


@pytest.mark.parametrize("section", DOCUMENTED)
def test_an_option_that_is_said_to_be_read_is_declared(section: str) -> None:
    """Of the page and of public documents: every option that is not "not there" is known to the section."""
    declared = {option.name for option in CATALOGUE.schemas[section].options}
    read = {option for option, verdict in rows_of(section).items() if verdict != "not there"}
    read -= {"pass_through_attr_names", "pass_through_all"} if section == "radius_server_duo_only" else set()
    assert read - declared == set()


@pytest.mark.parametrize("section", DOCUMENTED)
def test_every_option_of_ours_is_called_so(section: str) -> None:
    """An option that the original does not have stands behind "Ours"."""
    declared = {option.name for option in CATALOGUE.schemas[section].options} - INHERITED
    ours = {
        option
        for paragraph in re.findall(r"^Ours.*?(?:\n\n|\Z)", parts_of(section) + "\n\n", re.DOTALL | re.MULTILINE)
        for option in CODE.findall(paragraph)
    }
    assert declared - set(DOCUMENTED[section].split()) - ours == set()
    assert ours & set(DOCUMENTED[section].split()) == set()


def test_the_sections_that_are_passed_over_are_named() -> None:
    """Those that the registry leaves out, and no other."""
    table = PAGE.partition("## Sections that are passed over")[2].partition("\n## ")[0]
    first_cells = re.findall(r"^\| (`\[.*?) \|", table, re.MULTILINE)
    named = {name for cell in first_cells for name in re.findall(r"\[(\w+)\]", cell)}
    assert named == set(CATALOGUE.left_out)
    assert not CATALOGUE.planned
    assert set(DOCUMENTED) == {name for name in CATALOGUE.schemas if not name.startswith("sandbox_")}
