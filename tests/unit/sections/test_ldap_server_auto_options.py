"""What [ldap_server_auto] finds in its own settings."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest

from duoproxy.config.validate import check_configuration, load_configuration
from duoproxy.ldap.relay_policy import RelayPolicy
from duoproxy.sections.ldap_server_auto_options import (
    LdapServerSettings,
    first_bind_is_exempt,
    ldap_listens_on,
    ldap_weakened,
    login_settings,
    relay_policy,
)
from duoproxy.sections.registry import load_registry
from duoproxy.tools.make_cert import make_certificate

TEXT = """[ad_client]
host=127.0.0.1
port=10389
service_account_username=svc@example.com
service_account_password=a password
search_dn=DC=example,DC=com
[ldap_server_auto]
ikey=DIXXXXXXXXXXXXXXXXXX
skey=0123456789012345678901234567890123456789
api_host=api-1.example
"""
TLS = ("ssl_cert_path=ldap.example.com.pem", "ssl_key_path=ldap.example.com.key")
EXPLICIT = "exempt_primary_bind=false"
CATALOGUE = load_registry([]).catalogue


def write(folder: Path, *lines: str) -> Path:
    if not (folder / "ldap.example.com.pem").exists():
        now = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=2)
        make_certificate("ldap.example.com", folder, now, days=365, use_rsa=False)
    path = folder / "authproxy.cfg"
    path.write_text(TEXT + "".join(line + "\n" for line in lines), "utf-8")
    path.chmod(0o600)
    return path


def problems(path: Path) -> list[str]:
    return [str(problem).replace(f"{path}:", "") for problem in check_configuration(path, CATALOGUE)]


def settings(path: Path) -> LdapServerSettings:
    [server] = load_configuration(path, CATALOGUE).servers
    assert isinstance(server.settings, LdapServerSettings)
    return server.settings


def test_plain_ldap_has_a_warning(tmp_path: Path) -> None:
    """Without a certificate passwords cross the network readable."""
    [problem] = problems(write(tmp_path, EXPLICIT))
    assert problem.startswith("warning")
    assert "ssl_cert_path: without it clients can only send passwords readable" in problem
    assert ldap_listens_on(settings(write(tmp_path))) == [("tcp", "", 389)]


@pytest.mark.parametrize(("interface", "warned"), [("127.0.0.1", False), ("::1", False), ("10.1.2.3", True)])
def test_plain_ldap_on_this_machine_alone_has_none(tmp_path: Path, interface: str, warned: bool) -> None:
    """On loopback there is no network that passwords would cross."""
    assert bool(problems(write(tmp_path, EXPLICIT, f"interface={interface}"))) is warned


def test_with_a_certificate_there_is_nothing_to_say(tmp_path: Path) -> None:
    """LDAPS listens on 636 of itself."""
    path = write(tmp_path, EXPLICIT, *TLS)
    assert problems(path) == []
    assert ldap_listens_on(settings(path)) == [("tcp", "", 389), ("tcp", "", 636)]


def test_ports_are_those_of_the_options(tmp_path: Path) -> None:
    """port and ssl_port."""
    path = write(tmp_path, *TLS, "port=1389", "ssl_port=1636", "interface=127.0.0.1")
    assert ldap_listens_on(settings(path)) == [("tcp", "127.0.0.1", 1389), ("tcp", "127.0.0.1", 1636)]


def test_first_bind_is_exempt_unless_the_option_says_no(tmp_path: Path) -> None:
    """As Duo's proxy has it; where nobody wrote it, each start warns."""
    assert first_bind_is_exempt(settings(write(tmp_path, *TLS)))
    [problem] = problems(write(tmp_path, *TLS))
    assert "exempt_primary_bind: it is not set, and then the first bind of each connection needs no second" in problem
    assert problems(write(tmp_path, *TLS, "exempt_primary_bind=true")) == []
    assert not first_bind_is_exempt(settings(write(tmp_path, EXPLICIT)))


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (TLS[:1], "ssl_key_path: it is missing, and ssl_cert_path is there"),
        (TLS[1:], "ssl_cert_path: it is missing, and ssl_key_path is there"),
        (("ssl_port=6636",), "ssl_port: LDAPS needs a certificate"),
        ((TLS[0], "ssl_key_path=authproxy.cfg"), "ssl_key_path: "),
        ((*TLS, "cipher_list=NO-SUCH-CIPHER"), "cipher_list: OpenSSL refuses it: no cipher match"),
        (("exempt_ou_1=the service accounts",), "exempt_ou_1: it is not a DN"),
        (("delimiter=x",), "delimiter: letters and digits can stand in a factor"),
        (("join_binds_s=301",), "join_binds_s: "),
        (("client=nobody",), "client: "),
        ((*TLS, "port=636"), "port: TCP port 636 is taken by [ldap_server_auto] already"),
    ],
)
def test_wrong_values_are_told_with_their_option(tmp_path: Path, lines: tuple[str, ...], expected: str) -> None:
    """Each error names the option, and what to write."""
    errors = [problem for problem in problems(write(tmp_path, EXPLICIT, *lines)) if problem.startswith("error")]
    assert len(errors) == 1
    assert expected in errors[0]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("join_binds_s=60", "for 60 s after each approval, a password is enough for one more login"),
        ("minimum_tls_version=tls1.0", "TLS 1.2 is the lowest version all the same"),
    ],
)
def test_doubtful_values_are_told(tmp_path: Path, line: str, expected: str) -> None:
    """Warnings, and the start goes on."""
    [problem] = problems(write(tmp_path, EXPLICIT, *TLS, line))
    assert problem.startswith("warning")
    assert expected in problem


def test_options_reach_the_machine_and_the_logins(tmp_path: Path) -> None:
    """What the administrator wrote is what is done."""
    lines = (
        "allow_anonymous=true",
        "allow_unlimited_binds=true",
        "allow_searches_after_bind=false",
        "allow_password_checks=true",
        "exempt_ou_1=OU=Service,DC=example,DC=com",
        "exempt_ou_2=CN=app,DC=example,DC=com",
        "client_ip_from_connection=false",
        "join_binds_s=5",
        "failmode=secure",
        "factors=phone",
        "delimiter=^",
    )
    read = settings(write(tmp_path, EXPLICIT, *TLS, *lines))
    assert relay_policy(read) == RelayPolicy(True, True, False, True, True)
    shell = login_settings(read, "ad_client")
    assert (shell.exempt_primary_bind, shell.client_ip_from_connection, shell.join_binds_s) == (False, False, 5)
    assert shell.exempt_dns == ("OU=Service,DC=example,DC=com", "CN=app,DC=example,DC=com")
    assert (shell.policy.factors, shell.policy.append.delimiter, shell.policy.checks_passwords) == (
        ("phone",),
        "^",
        True,
    )
    assert len(list(ldap_weakened(read))) == 3


def test_client_must_be_a_directory(tmp_path: Path) -> None:
    """A RADIUS server cannot be relayed to; where there is one directory, it is the client."""
    radius = "[radius_client]\nhost=10.0.0.1\nsecret=a long shared secret\n"
    path = write(tmp_path, EXPLICIT, *TLS, radius)
    assert [server.client for server in load_configuration(path, CATALOGUE).servers] == ["ad_client"]
    [problem] = problems(write(tmp_path, EXPLICIT, *TLS, "client=radius_client", radius))
    assert "client: [radius_client] is no directory, which this section needs. Write client = one of: " in problem
    without = TEXT.partition("[ldap_server_auto]")[2]
    path.write_text(f"{radius}[ldap_server_auto]{without}{EXPLICIT}\n", "utf-8")
    assert any("there is no client section that is a directory" in problem for problem in problems(path))


def test_slip_in_a_restricting_option_is_an_error(tmp_path: Path) -> None:
    """`exempt_primary_bnd=false` must not leave the first bind exempt."""
    errors = [problem for problem in problems(write(tmp_path, "exempt_primary_bnd=false")) if "error" in problem]
    assert len(errors) == 1


def test_ciphers_that_do_not_go_with_the_key_are_a_warning(tmp_path: Path) -> None:
    """OpenSSL takes the list, and yet no client of TLS 1.2 could come in."""
    [problem] = problems(write(tmp_path, EXPLICIT, *TLS, "cipher_list=ECDHE-RSA-AES128-GCM-SHA256"))
    assert "[ldap_server_auto] cipher_list: with it and the key in " in problem
    assert "no client of TLS 1.2 can come in (no shared cipher)" in problem


@pytest.mark.parametrize(
    ("client", "lines", "circles"),
    [
        ("", (), 1),
        ("transport=ldaps\n", TLS, 1),
        ("port=10389\n", (), 0),
        ("", ("interface=10.1.2.3",), 0),
        ("transport=ldaps\n", (), 0),
    ],
)
def test_directory_that_is_the_section_itself_is_an_error(
    tmp_path: Path, client: str, lines: tuple[str, ...], circles: int
) -> None:
    """Each connection would open another one, until there is no room for more."""
    path = write(tmp_path, EXPLICIT, *lines)
    path.write_text(path.read_text("utf-8").replace("port=10389\n", client), "utf-8")
    told = [problem for problem in problems(path) if "comes back to it by way of [ad_client]" in problem]
    assert len(told) == circles
