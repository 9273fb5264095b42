"""The options of [ad_client], and what they mean to the parts that run it."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from pathlib import Path

from duoproxy.config.kinds import Boolean, Choice, HostOrAddress, InputFile, Port, Seconds, SecretText, Text
from duoproxy.config.option import Numbering, option, settings
from duoproxy.config.schema import Finding
from duoproxy.ldap.names import dns_domain_of, looks_like_dn, split_username
from duoproxy.net.ldap_binds import Credentials, NtlmCredentials, SimpleCredentials
from duoproxy.net.ldap_directory import DirectoryHost, Transport, Trust
from duoproxy.net.ldap_filters import FilterError, parse_filter
from duoproxy.net.tls import load_directory_roots
from duoproxy.secret import Secret
from duoproxy.sections.shared_options import SectionSettings, ca_file_findings

_SSPI = "sspi works on Windows only"
_SSPI_REMEDY = "Write auth_type=ntlm2, or auth_type=plain with transport=ldaps, and name a service account"
_DN_REMEDY = "Write it as in CN=VPN Users,OU=Groups,DC=example,DC=com"


@settings
class AdClientSettings(SectionSettings):
    """Options of [ad_client]."""

    host: Mapping[int, str] = option(
        HostOrAddress(),
        numbered=Numbering.FIRST_BARE,
        help="The directory server: a name or an address. host_2, host_3 … are asked, in order, when the ones before "
        "cannot answer.",
        example="dc1.example.com",
    )
    port: int | None = option(
        Port(), default=None, help="Port of the servers. Without it: 389, or 636 with transport=ldaps.", example="636"
    )
    transport: str = option(
        Choice("clear", "starttls", "ldaps"),
        default="clear",
        restricts=True,
        help="How the connection is protected. With clear and auth_type=plain, passwords cross the network readable.",
        example="ldaps",
    )
    auth_type: str = option(
        Choice("ntlm2", "plain", refused={"sspi": (_SSPI, _SSPI_REMEDY)}),
        default="ntlm2",
        restricts=True,
        help="How the service account and users prove themselves: ntlm2 (Active Directory, signed and sealed), or "
        "plain (simple binds, any LDAP directory; use it with starttls or ldaps). sspi works on Windows only, and is "
        "refused.",
        example="plain",
    )
    service_account_username: str = option(
        Text(),
        default="",
        help="The account that searches; it needs to read users and groups, nothing more. Needed unless bind_dn is "
        "given.",
        example="svc-duo@example.com",
    )
    service_account_password: Secret | None = option(
        SecretText("the password of the service account"),
        default=None,
        help="Its password.",
        example="file:service_account_password.txt",
    )
    bind_dn: str = option(
        Text(),
        default="",
        help="With auth_type=plain: the DN that the service account binds with, instead of service_account_username.",
        example="CN=svc-duo,OU=Service,DC=example,DC=com",
    )
    ntlm_domain: str = option(
        Text(),
        default="",
        help="NetBIOS name of the domain for ntlm2. Without it: that of the service account, else the server's own.",
        example="CORP",
    )
    ntlm_workstation: str = option(Text(), default="", help="What the proxy calls itself in ntlm2.", example="DUOPROXY")
    search_dn: str = option(
        Text(),
        restricts=True,
        help="The container that holds everybody who may log in; searched with everything below it.",
        example="DC=example,DC=com",
    )
    username_attribute: str = option(
        Text(), default="sAMAccountName", help="Attribute that a name is looked for in.", example="uid"
    )
    at_attribute: str = option(
        Text(),
        default="userPrincipalName",
        help="Attribute that a name with an @ is looked for in.",
        example="mail",
    )
    security_group_dn: Mapping[int, str] = option(
        Text(),
        default={},
        numbered=Numbering.FIRST_BARE,
        restricts=True,
        help="Only members of this group may log in, direct ones or by their primary group; security_group_dn_2 … "
        "(ours): "
        "of one of these groups.",
        example="CN=VPN Users,OU=Groups,DC=example,DC=com",
    )
    nested_groups: bool = option(
        Boolean(),
        default=False,
        restricts=True,
        help="Members of groups inside the security groups may log in too (ours).",
        example="true",
    )
    ldap_filter: str = option(
        Text(),
        default="",
        restricts=True,
        help="A further condition on the user's entry.",
        example="(department=Sales)",
    )
    timeout: float = option(
        Seconds(0.5, 300), default=10, unit="seconds", help="Wait for each server before the next one is asked."
    )
    ssl_ca_certs_file: Path | None = option(
        InputFile(),
        default=None,
        restricts=True,
        help="PEM file with the authorities that signed the servers' certificates. Without it: the system's trust "
        "store.",
        example="ad_ca.pem",
    )
    ssl_verify_hostname: bool = option(
        Boolean(),
        default=True,
        restricts=True,
        help="Whether the certificate must be for the host; its authority is checked in any case.",
        example="false",
    )
    ssl_verify: bool = option(
        Boolean(),
        default=True,
        restricts=True,
        help="Whether the certificate is checked at all (ours). false: whoever sits between can read every password.",
        example="false",
    )
    lockout_shield: bool = option(
        Boolean(),
        default=True,
        help="Whether the same wrong password is refused from memory for a minute, so that a phone with an old "
        "password "
        "does not lock its owner's account (ours).",
        example="false",
    )


def findings(client: AdClientSettings) -> Iterable[Finding]:
    """Find what no single option shows."""
    if client.auth_type != "plain" and client.bind_dn and not client.service_account_username:
        remedy = "Write service_account_username = svc-duo@example.com, or auth_type = plain"
        yield ("bind_dn", "it names the service account with auth_type=plain only", remedy)
    elif not (client.service_account_username or client.bind_dn):
        yield ("service_account_username", "it is missing", "Write service_account_username = svc-duo@example.com")
    if client.service_account_password is None:
        yield ("service_account_password", "it is missing", "Write service_account_password = file:PATH")
    if client.bind_dn and not looks_like_dn(client.bind_dn):
        yield ("bind_dn", "it is not a DN", "Write it as in CN=svc-duo,OU=Service,DC=example,DC=com")
    if not looks_like_dn(client.search_dn):
        yield ("search_dn", "it is not a DN", "Write it as in DC=example,DC=com")
    for number, group in client.security_group_dn.items():
        if not looks_like_dn(group):
            name = "security_group_dn" if number == 1 else f"security_group_dn_{number}"
            yield (name, "it is not a DN", _DN_REMEDY)
    if client.ldap_filter:
        try:
            parse_filter(client.ldap_filter)
        except FilterError as fault:
            yield ("ldap_filter", f"it is not a filter: {fault}", "Write it as in (department=Sales)")
    yield from ca_file_findings("ssl_ca_certs_file", client.ssl_ca_certs_file)


def advice(client: AdClientSettings) -> Iterable[Finding]:
    """Find what is doubtful."""
    if client.transport == "clear" and not all(_is_loopback(host) for host in client.host.values()):
        what = "ntlm2 hides the password, but whoever sits between can answer yes to a wrong one"
        if client.auth_type == "plain":
            what = "with auth_type=plain every password crosses the network readable"
        yield ("transport", what, "Write transport = ldaps, or transport = starttls")
    if client.transport != "clear" and not client.ssl_verify:
        what = "the certificates of the directory are not checked: whoever sits between can read every password"
        yield ("ssl_verify", what, "Name the authority with ssl_ca_certs_file, and take ssl_verify out")
    elif client.transport != "clear" and not client.ssl_verify_hostname:
        what = "every certificate of that authority will do, whatever host it is for"
        yield ("ssl_verify_hostname", what, "Give the servers certificates with their names, and take it out")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def directory_hosts(client: AdClientSettings) -> list[DirectoryHost]:
    """List the servers in the order of their numbers."""
    port = client.port or (636 if client.transport == "ldaps" else 389)
    return [DirectoryHost(host, port) for host in client.host.values()]


def directory_trust(client: AdClientSettings) -> Trust:
    """Say which certificates will do.

    Raises:
        TrustRootsError: `ssl_ca_certs_file` cannot be used.
    """
    roots = load_directory_roots(client.ssl_ca_certs_file)
    return Trust(roots, verify_hostname=client.ssl_verify_hostname, verify=client.ssl_verify)


def directory_transport(client: AdClientSettings) -> Transport:
    """Give the option as the directory wants it."""
    return Transport(client.transport)


def service_credentials(client: AdClientSettings) -> Credentials:
    r"""Give what the service account binds with.

    A plain bind takes `bind_dn`; else the name as written if it is a DN, a UPN or DOMAIN\user; else name@domain.
    """
    password = client.service_account_password or Secret("")
    written = client.service_account_username
    if client.auth_type == "plain":
        return SimpleCredentials(plain_service_name(client).encode(), password)
    name = split_username(written)
    if name.upn_suffix:
        return NtlmCredentials(written, "", password, client.ntlm_workstation)
    domain = name.netbios_domain or client.ntlm_domain
    return NtlmCredentials(name.local, domain, password, client.ntlm_workstation)


def plain_service_name(client: AdClientSettings) -> str:
    """Give the name of a plain service bind; a bare name gets the domain of search_dn."""
    written = client.service_account_username
    if client.bind_dn:
        return client.bind_dn
    name, domain = split_username(written), dns_domain_of(client.search_dn)
    complete = looks_like_dn(written) or name.netbios_domain or name.upn_suffix
    return written if complete or not domain else f"{written}@{domain}"


def users_ntlm_domain(client: AdClientSettings) -> str:
    """Give the NetBIOS domain of users: never what a user typed, which could name somebody of another domain."""
    return client.ntlm_domain or split_username(client.service_account_username).netbios_domain
