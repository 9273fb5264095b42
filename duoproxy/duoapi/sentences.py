"""What is said in words about Duo's service: one fact a function, each with its cause and its remedy.

The clauses stand in the log, in status and in the outcome of a login, after the name of the service. Tests hold each of
them literally, so that documentation can quote them.
"""

from __future__ import annotations

from attrs import frozen

from duoproxy.duoapi.answers import BAD_IKEY, BAD_SIGNATURE, BAD_TIMESTAMP, WRONG_APPLICATION_TYPE, ErrorAnswer
from duoproxy.duoapi.limits import LOGIN_BUDGET_S


@frozen
class Clauses:
    """One fact.

    Attributes:
        cause: what happened; no capital, no full stop.
        remedy: what to do; may be empty.
    """

    cause: str
    remedy: str = ""


def service_name(api_host: str) -> str:
    """Name the service as the log does."""
    return f"Duo ({api_host})"


def refusal(error: ErrorAnswer, section: str, ikey: str) -> Clauses:
    """Say why the service refuses our requests.

    Args:
        error: an answer with a 4xx status.
        section: name of the INI section.
        ikey: the integration key, which is not secret.
    """
    if error.code == BAD_IKEY:
        return Clauses(f"it does not know the integration key {ikey}", _copy_again("ikey", section))
    if error.code == BAD_SIGNATURE:
        return Clauses(f"the secret key does not belong to {ikey}", _copy_again("skey", section))
    if error.code == BAD_TIMESTAMP:
        return Clauses("it refuses the time of our requests", "set this machine's clock: timedatectl set-ntp true")
    if error.code == WRONG_APPLICATION_TYPE:
        return Clauses(
            f"the application of {ikey} may not ask for logins",
            f"in the Duo Admin Panel protect an application of a RADIUS type, and set its ikey and skey in [{section}]",
        )
    if error.is_rate_limit:
        return Clauses("it was asked too often (HTTP 429), also after waiting", "spread the logins over more time")
    if error.status == 404:
        return Clauses("it does not know the API (HTTP 404)", f"check api_host and api_generation of [{section}]")
    remedy = f"check ikey, skey and api_host of [{section}], and the user name"
    return Clauses(f"it refuses the request ({error})", remedy)


def rate_limit_and_then(cause: str) -> Clauses:
    """Say that the service was asked too often, and that the login then failed in another way.

    Args:
        cause: what happened then; one clause.
    """
    return Clauses(f"it was asked too often (HTTP 429), and then: {cause}", "spread the logins over more time")


def too_slow_here(stalled_s: float, cause: str) -> Clauses:
    """Say that this process stood still while the service was asked, so that its silence proves nothing.

    Args:
        stalled_s: for how long, seconds.
        cause: what seemed to be wrong; one clause.
    """
    what = f"this proxy itself stood still for {stalled_s:.1f} s, so that nobody can tell whether the service is there"
    return Clauses(f"{what} ({cause})", "look what keeps the machine busy, and who floods its ports")


def _copy_again(option: str, section: str) -> str:
    return f"copy {option} of [{section}] again from the application's page in the Duo Admin Panel"


def server_trouble(error: ErrorAnswer) -> Clauses:
    """Say that the service itself has a fault."""
    return Clauses(f"it has a fault of its own ({error})", "look at status.duo.com")


def unexpected(what: str) -> Clauses:
    """Say that an answer is none of the API's.

    Args:
        what: the clause of an `UnexpectedAnswer`.
    """
    return Clauses(what, "look at what stands between this machine and api_host")


def no_connection(reason: str, port: int) -> Clauses:
    """Say that no connection came about.

    Args:
        reason: in the words of the system.
        port: where to.
    """
    return Clauses(f"no connection ({reason})", f"let this machine reach api_host at TCP port {port}")


def unknown_host(section: str) -> Clauses:
    """Say that the name cannot be resolved."""
    return Clauses("its name cannot be resolved", f"check api_host of [{section}], and DNS on this machine")


def connect_timeout(limit_s: float, port: int) -> Clauses:
    """Say that a connection took too long."""
    return Clauses(f"no connection within {limit_s:.3g} s", f"let this machine reach api_host at TCP port {port}")


def tls_failure(reason: str) -> Clauses:
    """Say that the TLS handshake failed, for another reason than the certificate."""
    return Clauses(f"no TLS connection ({reason})", "it needs TLS 1.2 or newer and no gateway that changes it")


def untrusted_certificate(issuer: str, reason: str) -> Clauses:
    """Say that the certificate is refused.

    Args:
        issuer: who signed it, as `CN=…, O=…`.
        reason: in the words of the verification.
    """
    return Clauses(
        f"its certificate is refused: {reason} (issuer: {issuer})",
        "if a gateway opens TLS on the way, name its CA certificate in http_ca_certs_file",
    )


def proxy_refused(proxy: str, answer: str) -> Clauses:
    """Say that the HTTP proxy did not open a tunnel.

    Args:
        proxy: its address and port.
        answer: its status line, or what was wrong with its answer.
    """
    return Clauses(f"the HTTP proxy {proxy} opens no tunnel: {answer}", "allow CONNECT to api_host on the proxy")


def proxy_unreachable(proxy: str, reason: str) -> Clauses:
    """Say that the HTTP proxy cannot be reached."""
    return Clauses(f"no connection to the HTTP proxy {proxy} ({reason})", "check http_proxy_host and http_proxy_port")


def answer_timeout(limit_s: float) -> Clauses:
    """Say that an answer took too long."""
    return Clauses(f"no answer within {limit_s:.3g} s")


def connection_lost() -> Clauses:
    """Say that a connection ended before the answer."""
    return Clauses("the connection ended before the answer")


def answer_too_long(limit_bytes: int) -> Clauses:
    """Say that an answer was longer than any of the API's."""
    return Clauses(f"the answer is longer than {limit_bytes} octets")


def budget_spent() -> Clauses:
    """Say that the time for everything before the user is asked is used up."""
    return Clauses(f"the {LOGIN_BUDGET_S:g} s for everything before the user is asked are used up")


def stopping() -> Clauses:
    """Say that the proxy is being stopped."""
    return Clauses("the proxy is being stopped")


def too_many_pending(limit: int) -> Clauses:
    """Say that our own bound of logins that wait for the service is reached."""
    return Clauses(f"{limit} logins wait for it already", "raise max_pending_logins, or look for who sends so many")


def lacking_here(reason: str) -> Clauses:
    """Say that this machine cannot open another connection, which is no outage of the service.

    Args:
        reason: in the words of the system.
    """
    return Clauses(
        f"this machine has no room for another connection ({reason})",
        "raise LimitNOFILE in the systemd unit, or lower max_pending_logins; ss -s tells who has sockets and ports",
    )


def answer_lost(what: Clauses) -> Clauses:
    """Say that the user may have been asked, and that the answer is not known.

    Args:
        what: what happened then.
    """
    return Clauses(f"the user may have been asked, but {what.cause}", "the user has to log in again")


def certificate_log(service: str, what: Clauses, section: str) -> str:
    """Say in a line of its own that no login of a section can ask Duo because of a certificate."""
    return f"[{section}] {service}: {what.cause}. No login of this section can be asked of Duo; {what.remedy}."


def stray_certificate_log(service: str, what: Clauses, section: str) -> str:
    """Say in a line of its own that a certificate was refused, while another machine of that name had a good one."""
    return (
        f"[{section}] {service}: {what.cause}. The next attempt reached the true service, and logins go on; look where "
        "DNS leads this machine, and who answers there."
    )


def clock_drift(service: str, offset_s: float, section: str) -> str:
    """Say that the clocks differ, and what is done about it.

    Args:
        service: as `service_name`.
        offset_s: service's time minus ours.
        section: name of the INI section.
    """
    direction = "behind" if offset_s > 0 else "ahead of"
    return (
        f"[{section}] This machine's clock is {abs(offset_s):.0f} s {direction} the clock of {service}. Requests are "
        "signed with the service's time until it is right: timedatectl set-ntp true"
    )


def older_generation(service: str, ikey: str, section: str) -> str:
    """Say that the first generation of the API is used from now on."""
    return f"[{section}] {service}: the application of {ikey} may not call /auth/v2; /rest/v1 is used for it"
