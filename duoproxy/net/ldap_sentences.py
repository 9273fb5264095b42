"""What the log says of connections to directories: each text has cause and remedy.

What a directory means with the result of a bind or a search stands in `duoproxy.ldap.refusals`.
"""

from __future__ import annotations

import os

from OpenSSL import SSL
from twisted.internet.error import ConnectError, ConnectionClosed, DNSLookupError

from duoproxy.net.ldap_faults import LdapConnectionLost, LdapFault, LdapNotConnected, LdapUntrusted
from duoproxy.net.tls import CertificateRefused, last_openssl_reason

Clauses = tuple[str, str]
"""Cause and remedy."""


def no_answer(limit_s: float) -> Clauses:
    """The deadline of a request has passed."""
    return f"no answer within {_tenths(limit_s)} s", "look at the load of that server, and at timeout"


def connect_timeout(limit_s: float, port: int) -> Clauses:
    """No TCP connection in time."""
    return f"no connection within {_tenths(limit_s)} s", f"let this machine reach it at TCP port {port}"


def handshake_timeout(limit_s: float) -> Clauses:
    """TLS did not come to its end in time."""
    return f"no TLS within {_tenths(limit_s)} s", "check that transport and port are those of the directory"


def name_unknown(name: str) -> Clauses:
    """The host has no address."""
    return (
        f"the name {name} cannot be resolved",
        "check the option host and the DNS servers of this machine (/etc/resolv.conf)",
    )


def no_connection(fault: Exception, port: int) -> Clauses:
    """TCP failed."""
    return f"no connection ({system_words(fault)})", f"let this machine reach it at TCP port {port}"


def start_tls_refused(code: int, diagnostic: str) -> Clauses:
    """The server does not speak TLS on this port."""
    said = f': "{diagnostic}"' if diagnostic else ""
    return (
        f"it refuses StartTLS, result {code}{said}",
        "give the directory a certificate, or set transport=ldaps",
    )


def connection_lost() -> Clauses:
    """Closed by the other side, or broken."""
    return "the connection ended before the answer", "look at the log of that server"


def disconnected(code: int, diagnostic: str) -> Clauses:
    """Notice of Disconnection."""
    said = f': "{diagnostic}"' if diagnostic else ""
    return f"it closed the connection, result {code}{said}", "look at its log"


def not_ldap(what: str) -> Clauses:
    """Something came that is no LDAP."""
    return f"what came is not LDAP: {what}", "check that host, port and transport lead to the directory"


def too_many_outstanding(limit: int) -> Clauses:
    """The cap of requests on one connection."""
    return f"{limit} requests wait for its answers already", "look at the load of that server"


def too_many_waiting(limit: int) -> Clauses:
    """The cap of requests that wait for their turn."""
    return f"{limit} logins wait for it already", "look at the load of that server"


def stopping() -> Clauses:
    """The proxy stops."""
    return "this proxy is stopping", ""


def untrusted(fault: CertificateRefused) -> Clauses:
    """The certificate is refused. Reference: §10.2, directory over StartTLS and LDAPS."""
    return (
        f"its certificate is not trusted: {fault.reason} (issuer: {fault.issuer})",
        "set ssl_ca_certs_file to the certificate of the authority that issues it; where the host name alone does not "
        "fit, correct host, or set ssl_verify_hostname=false",
    )


def tls_failure(words: str) -> Clauses:
    """TLS failed for another reason than the certificate."""
    return f"TLS failed ({words})", "check that transport and port are those of the directory"


def ntlm_not_over_tls(code: int, diagnostic: str) -> Clauses:
    """A domain controller that takes NTLM only signed by itself, and does not allow that within TLS."""
    said = f': "{diagnostic}"' if diagnostic else ""
    return (
        f"it takes no NTLM inside TLS, result {code}{said}",
        "set auth_type=plain, or transport=clear (ntlm2 signs and seals there), or, where it is Samba, let it have "
        "ldap server require strong auth = allow_sasl_over_tls",
    )


def ntlm_failed(what: str) -> Clauses:
    """NTLM that does not go as it should."""
    return f"NTLM failed: {what}", "set auth_type=plain with transport=starttls or ldaps where NTLM is switched off"


def server_left_out(server: str, cause: str, rests_s: float) -> str:
    """A server rests."""
    return f"Directory {server} is left out for {rests_s:.0f} seconds: {cause}."


def server_back(server: str) -> str:
    """A resting server answered again."""
    return f"Directory {server} answers again."


def group_missing(group: str) -> Clauses:
    """A group whose members alone may log in is not there, or not for the service account."""
    return (
        f"The group {group} of security_group_dn cannot be found: nobody can log in by it",
        "Check its DN, and that the service account may read it",
    )


def service_account_refused(server: str, cause: str, pause_s: float) -> str:
    """The service account's password is wrong; each further try would count towards its lock-out."""
    return (
        f"Directory {server} refuses the service account: {cause}. So that it is not locked, it is not tried again for "
        f"{pause_s:.0f} seconds; until then no user of this section can log in. Check service_account_username and "
        "service_account_password."
    )


def service_account_paused(cause: str, left_s: float) -> Clauses:
    """What a login gets while the service account is not tried."""
    return (
        f"the service account was refused ({cause}) and is tried again in {left_s:.0f} s",
        "check service_account_username and service_account_password",
    )


def why_lost(reason: BaseException, in_handshake: bool) -> LdapFault:
    """Tell what the end of a connection means to those who wait.

    Args:
        reason: what Twisted gives.
        in_handshake: TLS was not there yet.
    """
    if isinstance(reason, CertificateRefused):
        return LdapUntrusted(*untrusted(reason))
    if isinstance(reason, SSL.Error):
        kind = LdapNotConnected if in_handshake else LdapConnectionLost
        return kind(*tls_failure(last_openssl_reason(reason)))
    if in_handshake:
        return LdapNotConnected(*tls_failure("the other side ended it during the handshake"))
    return LdapConnectionLost(*connection_lost())


def system_words(fault: Exception) -> str:
    """Give the system's words for a failed connection."""
    if isinstance(fault, DNSLookupError):
        return "name not found"
    if isinstance(fault, ConnectionClosed):
        return "it was closed at once"
    number = fault.osError if isinstance(fault, ConnectError) else None
    return os.strerror(number) if isinstance(number, int) else type(fault).__name__


def _tenths(seconds: float) -> str:
    return f"{seconds:.1f}".removesuffix(".0")
