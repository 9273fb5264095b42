"""The options of [ldap_server_auto], what is wrong or doubtful in them, and what they mean to the parts that run it."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

from duoproxy.config.kinds import (
    Boolean,
    InputFile,
    Integer,
    IpAddress,
    Port,
    Seconds,
    SectionName,
    Text,
)
from duoproxy.config.option import Numbering, option, settings
from duoproxy.config.schema import Finding, Listener
from duoproxy.ldap.names import looks_like_dn
from duoproxy.ldap.relay_policy import RelayPolicy
from duoproxy.login.policy import LoginPolicy
from duoproxy.net.ldap_client_limits import ClientLimits
from duoproxy.net.ldap_server import MAX_CONNECTIONS
from duoproxy.net.server_certificates import CertificateFault, ServerCertificate, load_server_certificate
from duoproxy.net.server_tls import ServerTls
from duoproxy.sections.append_options import ChosenFactorSettings, append_findings, append_mode
from duoproxy.sections.duo_server_options import (
    DuoServerSettings,
    advice,
    exempt_usernames,
    failmode,
    findings,
    weakened,
)
from duoproxy.sections.ldap_login import LdapLoginSettings
from duoproxy.sections.tls_listener_options import (
    TlsListenerSettings,
    certificate_advice,
    cipher_finding,
    readable_certificate,
    tls_settings,
    version_advice,
)
from duoproxy.tls_server import TlsContextError

LDAPS_PORT: Final = 636
MAX_MAX_CONNECTIONS: Final = 100_000
MAX_MESSAGE_BYTES: Final = 256 * 1024 * 1024
MIN_MESSAGE_BYTES: Final = 4_096
LONG_JOIN_S: Final = 30.0
_FILE_OPTIONS: Final = {"certs": "ssl_cert_path", "pkey": "ssl_key_path"}
_DN_REMEDY: Final = "Write it as in CN=svc-app,OU=Service,DC=example,DC=com"


@settings
class LdapServerSettings(TlsListenerSettings, ChosenFactorSettings, DuoServerSettings):
    """Options of [ldap_server_auto]."""

    client: str | None = option(
        SectionName(),
        default=None,
        help="The [ad_client] whose directory is asked; needed when there is more than one client section.",
        example="ad_client",
    )
    port: int = option(Port(), default=389, help="TCP port for plain LDAP, and StartTLS where there is a certificate.")
    ssl_port: int | None = option(
        Port(),
        default=None,
        help="TCP port for LDAPS. Without it: 636 where ssl_key_path and ssl_cert_path are given, else none.",
        example="6636",
    )
    ssl_key_path: Path | None = option(
        InputFile(), default=None, help="PEM file with the private key, not encrypted.", example="ldap_server.key"
    )
    ssl_cert_path: Path | None = option(
        InputFile(),
        default=None,
        help="PEM file with the certificate that clients are shown, and behind it those of its issuers.",
        example="ldap_server.pem",
    )
    interface: str = option(IpAddress(), default="", help="Address to listen on. Without it: all.", example="10.1.2.3")
    exempt_primary_bind: bool | None = option(
        Boolean(),
        default=None,
        restricts=True,
        help="Whether the first bind of each connection needs no second factor, as applications bind first as their "
        "service account. Without it: true, with a warning. An application that binds as its users on new connections "
        "needs false, and exempt_ou_1 with its service account: otherwise whoever has a password gets in.",
        example="false",
    )
    exempt_ou: Mapping[int, str] = option(
        Text(),
        default={},
        numbered=Numbering.FROM_ONE,
        restricts=True,
        help="DN of an account, or of a container: binds of this entry, or of entries below it, need no second factor.",
        example="CN=svc-app,OU=Service,DC=example,DC=com",
    )
    allow_searches_after_bind: bool = option(
        Boolean(),
        default=True,
        restricts=True,
        help="Whether a connection may search after a bind with a second factor.",
        example="false",
    )
    allow_password_checks: bool = option(
        Boolean(),
        default=False,
        restricts=True,
        help="Whether requests that check a password without a bind (a compare with userPassword, Verify Credentials) "
        "are relayed (ours): the directory answers them, and no second factor is asked for. Without it they are "
        "refused.",
        example="true",
    )
    allow_unlimited_binds: bool = option(
        Boolean(),
        default=False,
        restricts=True,
        help="Whether a connection may bind again and again. Without it: once, or twice when the first bind was "
        "exempt; the next one ends the connection.",
        example="true",
    )
    allow_anonymous: bool = option(
        Boolean(),
        default=False,
        restricts=True,
        help="Whether anonymous binds, and requests without a bind, are relayed (ours). Without it only searches of "
        "the root DSE are.",
        example="true",
    )
    client_ip_from_connection: bool = option(
        Boolean(),
        default=True,
        help="Whether Duo is told the address that the LDAP connection comes from, for its policies (ours). It is that "
        "of the application's server, not of the user.",
        example="false",
    )
    join_binds_s: float = option(
        Seconds(0, 300),
        default=0,
        unit="seconds",
        restricts=True,
        help="For so long after an approval, the same bind from the same address is let in once more without asking "
        "(ours): for applications that bind twice for each login. 0: never.",
        example="10",
    )
    max_connections: int = option(
        Integer(1, MAX_MAX_CONNECTIONS),
        default=MAX_CONNECTIONS,
        help="Connections of clients (ours). One address may have at most half of what the others leave free. Each "
        "needs another one to the directory.",
        example="10000",
    )
    max_message_bytes: int = option(
        Integer(MIN_MESSAGE_BYTES, MAX_MESSAGE_BYTES),
        default=16 * 1024 * 1024,
        unit="octets",
        help="The longest message of a client that is bound, and of the directory (ours).",
        example="4194304",
    )
    max_unbound_message_bytes: int = option(
        Integer(MIN_MESSAGE_BYTES, MAX_MESSAGE_BYTES),
        default=64 * 1024,
        unit="octets",
        help="The longest message of a client that is not bound (ours).",
        example="16384",
    )
    network_timeout: float = option(
        Seconds(1, 86_400),
        default=600,
        unit="seconds",
        help="In this time a connection to the directory comes about, and the directory says something when it owes an "
        "answer; otherwise the client's connection is closed.",
        example="60",
    )
    idle_timeout: float = option(
        Seconds(1, 604_800),
        default=3600,
        unit="seconds",
        help="A connection on which nothing was asked or answered for so long is closed.",
        example="900",
    )


def ldap_findings(server: LdapServerSettings) -> Iterable[Finding]:
    """Find what no single option shows: DNs, and certificate, key and ciphers, which are tried."""
    yield from findings(server)
    yield from append_findings(server)
    for number, dn in server.exempt_ou.items():
        if not looks_like_dn(dn):
            yield (f"exempt_ou_{number}", "it is not a DN", _DN_REMEDY)
    yield from _tls_findings(server)


def _tls_findings(server: LdapServerSettings) -> Iterable[Finding]:
    files = certificate_files(server)
    if files is None:
        if server.ssl_cert_path is not server.ssl_key_path:
            has_cert = server.ssl_key_path is None
            missing, other = ("ssl_key_path", "ssl_cert_path") if has_cert else ("ssl_cert_path", "ssl_key_path")
            yield (missing, f"it is missing, and {other} is there", "Give both, or none")
        elif server.ssl_port is not None:
            yield ("ssl_port", "LDAPS needs a certificate", "Write ssl_key_path and ssl_cert_path, or take it out")
        return
    try:
        certificate = readable_certificate(*files)
        if certificate is not None:
            make_tls(server, certificate)
    except CertificateFault as fault:
        yield (_FILE_OPTIONS[fault.option], fault.what, fault.remedy)
    except TlsContextError as fault:
        yield cipher_finding(fault)


def ldap_advice(server: LdapServerSettings) -> Iterable[Finding]:
    """Find what is doubtful."""
    yield from advice(server)
    if server.exempt_primary_bind is None:
        what = "it is not set, and then the first bind of each connection needs no second factor"
        remedy = "Write exempt_primary_bind=false and exempt_ou_1=<DN of the application's account>, or true if users "
        yield ("exempt_primary_bind", what, f"{remedy}never bind first")
    if server.join_binds_s > LONG_JOIN_S:
        what = f"for {server.join_binds_s:g} s after each approval, a password is enough for one more login"
        yield ("join_binds_s", what, "Write 10 or less")
    files = certificate_files(server)
    if files is not None:
        yield from certificate_advice(server, "ssl_cert_path", *files)
    elif not server.interface or not ipaddress.ip_address(server.interface).is_loopback:
        what = "without it clients can only send passwords readable"
        yield ("ssl_cert_path", what, "Give ssl_cert_path and ssl_key_path, and let clients use LDAPS or StartTLS")
    yield from version_advice(server)


def ldap_weakened(server: LdapServerSettings) -> Iterable[str]:
    """Say what lets somebody in without a second factor, for `Section.status`."""
    yield from weakened(server)
    if first_bind_is_exempt(server):
        yield "exempt_primary_bind=true: the first bind of each connection needs no second factor"
    if server.exempt_ou:
        yield f"exempt_ou_n: entries at or below {len(server.exempt_ou)} DN need no second factor"
    if server.allow_password_checks:
        yield "allow_password_checks=true: what checks a password without a bind needs no second factor"
    if server.join_binds_s:
        yield f"join_binds_s={server.join_binds_s:g}: an approval is good for one more bind"


def ldap_listens_on(server: LdapServerSettings) -> Sequence[Listener]:
    """The TCP addresses of a section."""
    ports = [server.port, *([tls_port] if (tls_port := ldaps_port(server)) is not None else [])]
    return [("tcp", server.interface, port) for port in ports]


def ldap_connections(server: LdapServerSettings) -> int:
    """How many connections there may be: each client's, and the one to the directory behind it."""
    return 2 * server.max_connections


def certificate_files(server: LdapServerSettings) -> tuple[Path, Path] | None:
    """Give the files of certificate and key; None: there is no TLS, for one of them, or none, is named."""
    if server.ssl_cert_path is None or server.ssl_key_path is None:
        return None
    return server.ssl_cert_path, server.ssl_key_path


def ldaps_port(server: LdapServerSettings) -> int | None:
    """Give the port for LDAPS; None: there is no certificate."""
    return None if certificate_files(server) is None else server.ssl_port or LDAPS_PORT


def first_bind_is_exempt(server: LdapServerSettings) -> bool:
    """Give the option, or what stands for it where it is not set."""
    return True if server.exempt_primary_bind is None else server.exempt_primary_bind


def load_certificate(server: LdapServerSettings) -> ServerCertificate | None:
    """Read certificate and key; None: none is named.

    Raises:
        CertificateFault: they cannot be used.
    """
    files = certificate_files(server)
    return None if files is None else load_server_certificate(*files)


def make_tls(server: LdapServerSettings, certificate: ServerCertificate) -> ServerTls:
    """Make the TLS context of a section.

    Raises:
        TlsContextError: OpenSSL refuses the ciphers.
    """
    return ServerTls(tls_settings(server, certificate))


def login_settings(server: LdapServerSettings, client_section: str) -> LdapLoginSettings:
    """The options as logins want them."""
    policy = LoginPolicy(
        factors=server.factors,
        append=append_mode(server, allow_concat=server.allow_concat),
        exempt_usernames=exempt_usernames(server),
        failmode=failmode(server),
        checks_passwords=True,
    )
    return LdapLoginSettings(
        policy=policy,
        exempt_primary_bind=first_bind_is_exempt(server),
        exempt_dns=tuple(server.exempt_ou.values()),
        client_ip_from_connection=server.client_ip_from_connection,
        join_binds_s=server.join_binds_s,
        ikey=server.ikey,
        client_section=client_section,
    )


def relay_policy(server: LdapServerSettings) -> RelayPolicy:
    """The options as the machine of each connection wants them."""
    return RelayPolicy(
        allow_anonymous=server.allow_anonymous,
        allow_unlimited_binds=server.allow_unlimited_binds,
        allow_searches_after_bind=server.allow_searches_after_bind,
        allow_password_checks=server.allow_password_checks,
        offers_tls=certificate_files(server) is not None,
    )


def client_limits(server: LdapServerSettings) -> ClientLimits:
    """The options as each connection wants them."""
    return ClientLimits(
        unbound_message_bytes=server.max_unbound_message_bytes,
        message_bytes=server.max_message_bytes,
        idle_s=server.idle_timeout,
        network_s=server.network_timeout,
    )
