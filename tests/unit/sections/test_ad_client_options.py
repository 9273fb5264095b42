"""The options of [ad_client]: what is found in them, and what they become."""

from __future__ import annotations

from pathlib import Path

import pytest

from duoproxy.config.validate import check_configuration
from duoproxy.net.ldap_binds import NtlmCredentials, SimpleCredentials
from duoproxy.net.ldap_directory import DirectoryHost, Transport
from duoproxy.secret import Secret
from duoproxy.sections.ad_client_options import (
    AdClientSettings,
    directory_hosts,
    directory_transport,
    directory_trust,
    plain_service_name,
    service_credentials,
    users_ntlm_domain,
)
from duoproxy.sections.registry import load_registry

CLIENT = {
    "host": "dc1.corp.example",
    "service_account_username": "svc-duo",
    "service_account_password": "a service password",
    "search_dn": "DC=corp,DC=example",
}
CLEAR_NTLM = (
    "warning transport: ntlm2 hides the password, but whoever sits between can answer yes to a wrong one. "
    "Write transport = ldaps, or transport = starttls"
)
SERVER = """[radius_server_auto]
ikey=DIXXXXXXXXXXXXXXXXXX
skey=0123456789012345678901234567890123456789
api_host=api-1.example
radius_ip_1=192.0.2.1
radius_secret_1=a long shared secret
"""


def told(folder: Path, **changes: str | None) -> list[str]:
    """Check a file with these options; the problems without their place."""
    options = {key: text for key, text in {**CLIENT, **changes}.items() if text is not None}
    path = folder / "authproxy.cfg"
    path.write_text("[ad_client]\n" + "".join(f"{k}={v}\n" for k, v in options.items()) + SERVER, "utf-8")
    path.chmod(0o600)
    problems = check_configuration(path, load_registry([]).catalogue)
    return [
        f"{problem.severity.value} {problem.option}: {problem.what}. {problem.remedy}".replace(f"{folder}/", "")
        for problem in problems
    ]


def settings(**changes: object) -> AdClientSettings:
    values: dict[str, object] = {
        **CLIENT,
        "host": {1: "dc1.corp.example"},
        "service_account_password": Secret("a service password"),
        **changes,
    }
    return AdClientSettings(**values)  # type: ignore[arg-type]


def test_the_documented_minimum_is_a_good_file(tmp_path: Path) -> None:
    """Host, service account and search_dn are enough, as in the guide; each start says what clear LDAP leaves open."""
    assert told(tmp_path) == [CLEAR_NTLM]


@pytest.mark.parametrize("name", ["host", "search_dn"])
def test_a_required_option_that_is_missing_is_an_error(tmp_path: Path, name: str) -> None:
    """Nothing can be asked without it."""
    [problem] = told(tmp_path, **{name: None})
    assert problem.startswith(f"error {name}: the option is missing. Write {name} = ")


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        (
            {"auth_type": "sspi"},
            "error auth_type: sspi works on Windows only. Write auth_type=ntlm2, or auth_type=plain with "
            "transport=ldaps, and name a service account",
        ),
        (
            {"service_account_username": None},
            "error service_account_username: it is missing. Write service_account_username = svc-duo@example.com",
        ),
        (
            {"service_account_password": None},
            "error service_account_password: it is missing. Write service_account_password = file:PATH",
        ),
        (
            {"service_account_username": None, "bind_dn": "CN=svc,DC=corp,DC=example"},
            "error bind_dn: it names the service account with auth_type=plain only. Write service_account_username = "
            "svc-duo@example.com, or auth_type = plain",
        ),
        (
            {"bind_dn": "svc-duo"},
            "error bind_dn: it is not a DN. Write it as in CN=svc-duo,OU=Service,DC=example,DC=com",
        ),
        ({"search_dn": "corp.example"}, "error search_dn: it is not a DN. Write it as in DC=example,DC=com"),
        (
            {"security_group_dn": "VPN Users"},
            "error security_group_dn: it is not a DN. Write it as in CN=VPN Users,OU=Groups,DC=example,DC=com",
        ),
        (
            {"security_group_dn": "CN=A,DC=corp,DC=example", "security_group_dn_2": "CORP\\B"},
            "error security_group_dn_2: it is not a DN. Write it as in CN=VPN Users,OU=Groups,DC=example,DC=com",
        ),
        (
            {"ldap_filter": "department=Sales"},
            "error ldap_filter: it is not a filter: it does not begin with a parenthesis; write it as in "
            "(department=Sales). Write it as in (department=Sales)",
        ),
        (
            {"transport": "ldaps", "ssl_ca_certs_file": "authproxy.cfg"},
            "error ssl_ca_certs_file: authproxy.cfg holds no certificate that can be read. Write certificates in PEM "
            "form into it",
        ),
        (
            {"auth_type": "plain", "transport": "clear"},
            "warning transport: with auth_type=plain every password crosses the network readable. "
            "Write transport = ldaps, or transport = starttls",
        ),
        (
            {"transport": "ldaps", "ssl_verify": "false"},
            "warning ssl_verify: the certificates of the directory are not checked: whoever sits between can read "
            "every password. Name the authority with ssl_ca_certs_file, and take ssl_verify out",
        ),
        (
            {"transport": "starttls", "ssl_verify_hostname": "false"},
            "warning ssl_verify_hostname: every certificate of that authority will do, whatever host it is for. "
            "Give the servers certificates with their names, and take it out",
        ),
        (
            {"transprt": "starttls"},
            "error transprt: the option is unknown, and near to transport, which decides who gets in. "
            "Write transport, or delete the line",
        ),
        (
            {"secruity_group_dn": "CN=A,DC=x"},
            "error secruity_group_dn: the option is unknown, and near to security_group_dn, which decides who gets in. "
            "Write security_group_dn, or delete the line",
        ),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_what_is_wrong_is_told_with_what_to_write(tmp_path: Path, changes: dict[str, str | None], problem: str) -> None:
    """One sentence each, and nothing else."""
    assert told(tmp_path, **{"transport": "ldaps", **changes}) == [problem]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"transport": "starttls", "auth_type": "plain"},
        {"transport": "clear", "host": "127.0.0.1"},
        {"transport": "clear", "auth_type": "plain", "host": "localhost", "host_2": "::1"},
        {"auth_type": "plain", "bind_dn": "CN=svc,DC=corp,DC=example"},
        {"auth_type": "plain", "bind_dn": "uid=svc,o=x", "service_account_username": None},
        {"security_group_dn": "CN=A,DC=x", "security_group_dn_2": "CN=B,DC=x", "nested_groups": "true"},
        {"ldap_filter": "(&(department=Sales)(!(userAccountControl:1.2.840.113556.1.4.803:=2)))"},
        {"ntlm_domain": "CORP", "ntlm_workstation": "DUOPROXY", "timeout": "5", "port": "3268"},
    ],
    ids=lambda changes: "-".join(changes),
)
def test_what_is_right_is_passed_over(tmp_path: Path, changes: dict[str, str | None]) -> None:
    """No warning of what is as it should be; on loopback nothing crosses a network."""
    assert told(tmp_path, **{"transport": "ldaps", **changes}) == []


def test_the_password_of_the_service_account_is_in_no_problem(tmp_path: Path) -> None:
    """Not when it stands in the wrong place either."""
    assert "a service password" not in str(told(tmp_path, auth_type="pain", port="x"))
    assert "a service password" not in repr(settings())


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({}, "svc-duo@corp.example"),
        ({"service_account_username": "svc-duo@other.example"}, "svc-duo@other.example"),
        ({"service_account_username": "CORP\\svc-duo"}, "CORP\\svc-duo"),
        ({"service_account_username": "cn=svc,dc=corp,dc=example"}, "cn=svc,dc=corp,dc=example"),
        ({"bind_dn": "cn=svc,dc=corp,dc=example"}, "cn=svc,dc=corp,dc=example"),
        ({"search_dn": "ou=people,o=example"}, "svc-duo"),
        ({"search_dn": "OU=Staff,DC=corp,DC=example"}, "svc-duo@corp.example"),
    ],
)
def test_the_name_of_a_plain_service_bind(options: dict[str, str], name: str) -> None:
    r"""bind_dn; else as written if it is a DN, a UPN or DOMAIN\user; else with the domain of search_dn."""
    made = settings(auth_type="plain", **options)
    assert plain_service_name(made) == name
    assert service_credentials(made) == SimpleCredentials(name.encode(), Secret("a service password"))


@pytest.mark.parametrize(
    ("written", "ntlm_domain", "username", "domain"),
    [
        ("svc-duo", "", "svc-duo", ""),
        ("svc-duo", "CORP", "svc-duo", "CORP"),
        ("OTHER\\svc-duo", "CORP", "svc-duo", "OTHER"),
        ("svc-duo@corp.example", "CORP", "svc-duo@corp.example", ""),
    ],
)
def test_the_name_of_an_ntlm_service_bind(written: str, ntlm_domain: str, username: str, domain: str) -> None:
    """The domain as it is written with the name, else ntlm_domain; a UPN goes without one."""
    made = settings(service_account_username=written, ntlm_domain=ntlm_domain, ntlm_workstation="DUOPROXY")
    expected = NtlmCredentials(username, domain, Secret("a service password"), "DUOPROXY")
    assert service_credentials(made) == expected


@pytest.mark.parametrize(
    ("written", "ntlm_domain", "domain"),
    [
        ("svc-duo", "", ""),
        ("CORP\\svc-duo", "", "CORP"),
        ("CORP\\svc-duo", "EMEA", "EMEA"),
        ("svc@corp.example", "", ""),
    ],
)
def test_the_ntlm_domain_of_users(written: str, ntlm_domain: str, domain: str) -> None:
    """ntlm_domain, else that of the service account; nothing else, and so nothing that a user typed."""
    assert users_ntlm_domain(settings(service_account_username=written, ntlm_domain=ntlm_domain)) == domain


@pytest.mark.parametrize(
    ("transport", "port", "expected"),
    [("clear", None, 389), ("starttls", None, 389), ("ldaps", None, 636), ("ldaps", 3269, 3269)],
)
def test_the_port_of_the_servers(transport: str, port: int | None, expected: int) -> None:
    """389, or 636 with ldaps, or as written; the servers in the order of their numbers."""
    made = settings(host={1: "dc1", 2: "dc2", 10: "dc10"}, transport=transport, port=port)
    assert directory_hosts(made) == [DirectoryHost(name, expected) for name in ("dc1", "dc2", "dc10")]
    assert directory_transport(made) is Transport(transport)


def test_trust_is_the_system_store_unless_a_file_is_named() -> None:
    """Verified, with the name, unless it is switched off."""
    trust = directory_trust(settings())
    assert (trust.roots.system, trust.verify, trust.verify_hostname) == (True, True, True)
    trust = directory_trust(settings(ssl_verify=False, ssl_verify_hostname=False))
    assert (trust.verify, trust.verify_hostname) == (False, False)
