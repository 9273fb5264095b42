"""How an account proves itself to a directory: by a simple bind, or by NTLM inside SASL GSS-SPNEGO.

Owns what must hold before anything is sent (an empty password would be an unauthenticated bind, to which many servers
say success), and that NTLM signs and seals on a clear connection and binds itself to TLS on any other: domain
controllers refuse the other two combinations.

Source: RFC 4511 §4.2, RFC 4513 §5.1.2, §6.3.1; MS-ADTS §5.1.1.1; RFC 4178.
"""

from __future__ import annotations

from typing import Any, Final

from attrs import evolve, field, frozen
from ldaptor.protocols import pureldap
from twisted.internet.threads import deferToThreadPool

from duoproxy.errors import RemoteProtocolError
from duoproxy.ldap.messages import ResultCode
from duoproxy.ldap.password_policy import PASSWORD_POLICY_OID, why_no_success
from duoproxy.net import ldap_sentences as sentences
from duoproxy.net.deadlines import Expired, within
from duoproxy.net.ldap_answers import Result
from duoproxy.net.ldap_connection import LdapConnection
from duoproxy.net.ldap_faults import LdapFault, LdapTimeout
from duoproxy.net.ldap_ntlm import NtlmExchange
from duoproxy.secret import Secret

MAX_PASSWORD_BYTES: Final = 4096
MAX_NAME_BYTES: Final = 4096

_MECHANISM: Final = b"GSS-SPNEGO"
_ASK_FOR_PASSWORD_POLICY: Final = ((PASSWORD_POLICY_OID.encode(), False, None),)


@frozen
class SimpleCredentials:
    r"""Name and password as they are sent in a simple bind.

    Attributes:
        name: a DN, or another form that the directory takes (UPN, `DOMAIN\user`); octets as the directory gave them.
        password: the password.
    """

    name: bytes
    password: Secret


@frozen
class NtlmCredentials:
    """Name and password for NTLM.

    Attributes:
        username: sAMAccountName; or a UPN, with an empty domain.
        domain: the NetBIOS domain, or empty.
        password: the password.
        workstation: what we call ourselves; empty: nothing.
    """

    username: str
    domain: str
    password: Secret
    workstation: str = field(default="")


Credentials = SimpleCredentials | NtlmCredentials


def unusable(credentials: Credentials) -> str:
    """Tell why credentials must not be sent; empty when they may.

    Source: RFC 4513 §5.1.2, §6.3.1.
    """
    password = credentials.password.reveal()
    name = (
        credentials.name
        if isinstance(credentials, SimpleCredentials)
        else credentials.username.encode("utf-8", "replace")
    )
    if not password:
        return "the password is empty"
    if b"\0" in password:
        return "the password contains a NUL octet, behind which a directory may see nothing"
    if not name.strip():
        return "the name is empty"
    if len(password) > MAX_PASSWORD_BYTES or len(name) > MAX_NAME_BYTES:
        return "name or password is longer than any directory allows"
    if isinstance(credentials, NtlmCredentials) and not _is_text(credentials):
        return "name or password is no Unicode text, which NTLM needs"
    return ""


def _is_text(credentials: NtlmCredentials) -> bool:
    texts = (credentials.username, credentials.domain, credentials.password.reveal_text(), credentials.workstation)
    try:
        for text in texts:
            text.encode("utf-16-le")
    except UnicodeError:
        return False
    return not any("\0" in text for text in texts)


async def bind(reactor: Any, connection: LdapConnection, credentials: Credentials, limit_s: float) -> Result:
    """Prove who somebody is.

    Args:
        reactor: gives time, and threads for NTLM.
        connection: nothing may be under way on it.
        credentials: whose.
        limit_s: seconds, for all steps together.

    Returns:
        the server's result; anything but `SUCCESS` lets nobody in.

    Raises:
        ValueError: the credentials are not to be sent, as `unusable` tells.
        LdapFault: there is no result.
    """
    if fault := unusable(credentials):
        raise ValueError(fault)
    if isinstance(credentials, SimpleCredentials):
        return await _simple_bind(connection, credentials, limit_s)
    return await _spnego_bind(reactor, connection, credentials, limit_s)


async def _simple_bind(connection: LdapConnection, credentials: SimpleCredentials, limit_s: float) -> Result:
    """Send name and password as they are, and ask what the password policy says of a success."""
    request = pureldap.LDAPBindRequest(dn=credentials.name, auth=credentials.password.reveal())
    result = await connection.bind(request, limit_s=limit_s, controls=_ASK_FOR_PASSWORD_POLICY)
    policy = result.controls.get(PASSWORD_POLICY_OID)
    if result.code != ResultCode.SUCCESS or policy is None:
        return result
    try:
        return evolve(result, objection=why_no_success(policy))
    except RemoteProtocolError as fault:
        connection.abort()
        raise LdapFault(*sentences.not_ldap(str(fault))) from fault


async def _spnego_bind(
    reactor: Any, connection: LdapConnection, credentials: NtlmCredentials, limit_s: float
) -> Result:
    """Go through the two steps of NTLM. Source: MS-ADTS §5.1.1.1.2; MS-NLMP §3.1.5.1."""
    until = reactor.seconds() + limit_s
    seal = not connection.is_over_tls
    channel_bindings = connection.channel_bindings
    exchange, negotiate = await _in_thread(reactor, until, _begin, credentials, seal, channel_bindings)
    first = await connection.bind(_sasl(negotiate), limit_s=until - reactor.seconds())
    if first.code != ResultCode.SASL_BIND_IN_PROGRESS:
        return _expect(connection, first, ResultCode.SUCCESS, "the server says yes before it saw the password")
    try:
        authenticate = await _in_thread(reactor, until, exchange.authenticate, first.sasl_credentials or b"")
    except RemoteProtocolError as fault:
        connection.abort()
        raise LdapFault(*sentences.ntlm_failed(str(fault))) from fault
    result = await connection.bind(_sasl(authenticate), limit_s=until - reactor.seconds(), seals=seal)
    if seal and result.code == ResultCode.SUCCESS:
        connection.install_security_layer(exchange.wrap, exchange.unwrap)
    return _expect(connection, result, ResultCode.SASL_BIND_IN_PROGRESS, "the server wants more than the password")


def _begin(credentials: NtlmCredentials, seal: bool, channel_bindings: bytes | None) -> tuple[NtlmExchange, bytes]:
    """Compute the first message; in a thread."""
    exchange = NtlmExchange(
        credentials.username,
        credentials.domain,
        credentials.password,
        credentials.workstation,
        seal=seal,
        channel_bindings=channel_bindings,
    )
    return exchange, exchange.negotiate()


async def _in_thread(reactor: Any, until: float, compute: Any, *arguments: Any) -> Any:
    computing = deferToThreadPool(reactor, reactor.getThreadPool(), compute, *arguments)
    limit_s = until - reactor.seconds()
    try:
        return await within(reactor, limit_s, computing)
    except Expired:
        raise LdapTimeout("NTLM was not computed in time", "look at the load of this machine") from None


def _sasl(token: bytes) -> Any:
    return pureldap.LDAPBindRequest(dn=b"", auth=(_MECHANISM, token), sasl=True)


def _expect(connection: LdapConnection, result: Result, unexpected: ResultCode, fault: str) -> Result:
    """End a bind whose steps do not follow each other: a success before the password was proven would be none."""
    if result.code != unexpected:
        return result
    connection.abort()
    raise LdapFault(*sentences.ntlm_failed(fault))
