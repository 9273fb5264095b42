"""What an administrator decides about the connections of clients, and which binds are refused before anybody is asked.

Source: RFC 4511 §4.2; RFC 4513 §5.1, §6.3.1.
"""

from __future__ import annotations

from typing import Final

from attrs import frozen

from duoproxy.ldap.messages import BindRequest, ResultCode

LDAP_VERSION: Final = 3
MAX_NAME_OCTETS: Final = 4_096
MAX_PASSWORD_OCTETS: Final = 4_096


@frozen
class RelayPolicy:
    """What an administrator decides about connections.

    Attributes:
        allow_anonymous: whether anonymous binds, and requests before any bind, go on to the directory. Without it only
            searches of the root DSE do.
        allow_unlimited_binds: whether a client may bind as often as it likes; else once, or twice when the first bind
            needed no second factor.
        allow_searches_after_bind: whether a connection that was bound with a second factor may search.
        allow_password_checks: whether requests go on that check a password and are no bind.
        offers_tls: whether StartTLS is there.
    """

    allow_anonymous: bool = False
    allow_unlimited_binds: bool = False
    allow_searches_after_bind: bool = True
    allow_password_checks: bool = False
    offers_tls: bool = False


def why_refused(bind: BindRequest, policy: RelayPolicy) -> tuple[int, str] | None:
    """Say why a bind goes no further; None when it may be judged.

    Source: RFC 4513 §5.1.2 (an empty password proves nothing, and directories say success to it), §6.3.1.
    """
    if bind.version != LDAP_VERSION:
        return ResultCode.PROTOCOL_ERROR, "Only version 3 of LDAP is spoken here."
    if bind.password is None:
        return ResultCode.AUTH_METHOD_NOT_SUPPORTED, "Only simple binds are possible through the authentication proxy."
    if bind.is_anonymous:
        if policy.allow_anonymous:
            return None
        text = "Anonymous binds are not allowed (allow_anonymous of the authentication proxy)."
        return ResultCode.INAPPROPRIATE_AUTHENTICATION, text
    if not len(bind.password):
        return ResultCode.UNWILLING_TO_PERFORM, "A bind with a name needs a password."
    if not bind.name.strip():
        return ResultCode.INVALID_CREDENTIALS, "A bind with a password needs a name."
    too_long = len(bind.name) > MAX_NAME_OCTETS or len(bind.password) > MAX_PASSWORD_OCTETS
    if too_long or b"\0" in bind.name or b"\0" in bind.password.reveal():
        return ResultCode.INVALID_CREDENTIALS, "Name or password cannot be right."
    return None
