"""What a directory adds to the success of a bind: that the password has expired, or must be changed first.

OpenLDAP, 389-ds and others say success to such a bind and let the account do nothing but change its password. To a
login that is no success. They tell it in a control, to who has asked for it.

Source: draft-behera-ldap-password-policy-10 §6.1, §6.2.
"""

from __future__ import annotations

from typing import Final

from duoproxy.errors import Disposition, RemoteProtocolError

PASSWORD_POLICY_OID: Final = "1.3.6.1.4.1.42.2.27.8.5.1"

_SEQUENCE = 0x30
_WARNING = 0xA0
_GRACE_LOGINS_LEFT = 0x81
_ERROR = 0x81

_PASSWORD_EXPIRED, _ACCOUNT_LOCKED, _CHANGE_AFTER_RESET = 0, 1, 2
_SET_A_NEW_ONE = "the user has to set a new one"
_ERRORS = {
    _PASSWORD_EXPIRED: f"the password has expired; {_SET_A_NEW_ONE}",
    _ACCOUNT_LOCKED: "the account is locked; look at it in the directory",
    _CHANGE_AFTER_RESET: f"the password was reset and must be changed before anything else; {_SET_A_NEW_ONE}",
}
_GRACE = f"the password has expired, and this was one of its grace logins; {_SET_A_NEW_ONE}"


def why_no_success(value: bytes) -> str:
    """Tell why a bind that succeeded lets nobody in; empty when it does.

    Args:
        value: of the response control.

    Raises:
        RemoteProtocolError: CLOSE: it is no PasswordPolicyResponseValue.
    """
    reason = ""
    for tag, part in _elements(_only(value, _SEQUENCE)):
        if tag == _WARNING:
            kinds = [kind for kind, _ in _elements(part)]
            reason = reason or (_GRACE if _GRACE_LOGINS_LEFT in kinds else "")
        elif tag == _ERROR:
            number = int.from_bytes(part, "big")
            reason = _ERRORS.get(number, f"the password policy objects (error {number}); look at the account")
    return reason


def _only(octets: bytes, tag: int) -> bytes:
    parts = _elements(octets)
    if len(parts) != 1 or parts[0][0] != tag:
        raise _fault()
    return parts[0][1]


def _elements(octets: bytes) -> list[tuple[int, bytes]]:
    """Cut a few elements with short definite lengths: the whole value is some ten octets."""
    found = []
    at = 0
    while at < len(octets):
        if at + 2 > len(octets) or octets[at + 1] > 0x7F or at + 2 + octets[at + 1] > len(octets):
            raise _fault()
        end = at + 2 + octets[at + 1]
        found.append((octets[at], octets[at + 2 : end]))
        at = end
    return found


def _fault() -> RemoteProtocolError:
    return RemoteProtocolError("its password policy control cannot be read", Disposition.CLOSE)
