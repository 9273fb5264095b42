"""What a directory means with its "no": for each LDAP result and each sub-code of Active Directory, cause and remedy.

The sentences are for the log. None of them may reach the user: Active Directory gives 530, 531, 532, 533, 701 and 773
only to who has the *right* password (775 also with a wrong one), so that a text that tells them apart tells a stranger
that a stolen password works. The other way round, Active Directory and Samba answer 52e for most other reasons too:
what the log says of a 52e cannot be more exact than that.

A bind that ends in any of these is no success: an expired password, or one that must be changed, lets nobody in.

Source: RFC 4511 App. A; MS-ERREF §2.2 (the sub-codes are Win32 error codes in hex).
"""

from __future__ import annotations

import enum

from attrs import frozen

from duoproxy.ldap.active_directory import sub_code

INVALID_CREDENTIALS = 49
LOGON_FAILURE = "52e"
MAX_WORDS = 160
"""So many characters of what a server says in its own words are repeated."""


class RefusalKind(enum.Enum):
    """Whose matter a refusal is."""

    WRONG_PASSWORD = "wrong password"
    """Of the user: name or password."""
    ACCOUNT = "account"
    """Of the account's administrator: locked, expired, disabled …"""
    NOT_NOW = "not now"
    """Of this server at this moment: another host may do it."""
    MISCONFIGURED = "misconfigured"
    """Of our administrator: it will not get better by itself."""


@frozen
class Refusal:
    """One refusal in words.

    Attributes:
        kind: whose matter it is.
        host: the server that refused, as the configuration names it.
        cause: one clause: what happened; with the server's own words where they say more.
        remedy: one clause: what to do.
        is_wrong_password_52e: the directory counted a wrong password, as far as it tells: sub-code 52e, or
            invalidCredentials of a directory without sub-codes. What the lock-out shield may remember.
    """

    kind: RefusalKind
    host: str
    cause: str
    remedy: str
    is_wrong_password_52e: bool = False

    @property
    def sentence(self) -> str:
        """Cause and remedy, after the name of the host."""
        return f"{self.host}: {self.cause}; {self.remedy}"


@frozen
class _Words:
    kind: RefusalKind
    cause: str
    remedy: str


_WRONG, _ACCOUNT = RefusalKind.WRONG_PASSWORD, RefusalKind.ACCOUNT
_NOT_NOW, _MISCONFIGURED = RefusalKind.NOT_NOW, RefusalKind.MISCONFIGURED

_SUB_CODES = {
    "51f": _Words(
        _NOT_NOW,
        "it reaches no domain controller of the account's domain",
        "check ntlm_domain, and the trust between the domains",
    ),
    "525": _Words(
        _ACCOUNT,
        "it does not know this account",
        "look whether the account was deleted or renamed, and whether replication works",
    ),
    LOGON_FAILURE: _Words(
        _WRONG,
        "name or password is wrong",
        "Active Directory hides most other reasons behind this one: the security log of the domain controller has it",
    ),
    "52f": _Words(
        _ACCOUNT,
        "a restriction of the account forbids this kind of login",
        "a member of Protected Users cannot use NTLM: set auth_type=plain with transport=starttls or ldaps",
    ),
    "530": _Words(_ACCOUNT, "the account may not log in at this hour", "change its logon hours if that is not meant"),
    "531": _Words(
        _ACCOUNT,
        "the account may not log in from here",
        "add the domain controller and the value of ntlm_workstation to the computers that it may log on to",
    ),
    "532": _Words(_ACCOUNT, "the password has expired", "the user has to set a new one"),
    "533": _Words(_ACCOUNT, "the account is disabled", "enable it if that is not meant"),
    "568": _Words(
        _ACCOUNT,
        "the account is in too many groups",
        "take it out of some: Windows allows about 1000, with those that it is in through other groups",
    ),
    "569": _Words(
        _ACCOUNT,
        "the account may not log in over the network",
        'grant it "Access this computer from the network" on the domain controllers',
    ),
    "701": _Words(_ACCOUNT, "the account has expired", "set a later end if that is not meant"),
    "773": _Words(_ACCOUNT, "the password must be changed first", "the user has to set a new one, at a Windows logon"),
    "775": _Words(
        _ACCOUNT,
        "the account is locked",
        "unlock it or wait, and look for the device that keeps sending a wrong password",
    ),
    "80090346": _Words(
        _MISCONFIGURED,
        "the channel binding does not fit its certificate",
        "something on the way opens TLS (a gateway, a load balancer): let this machine reach it directly",
    ),
}

_CHECK_ATTRIBUTES = "check username_attribute, at_attribute and ldap_filter"
_USE_TLS = "set transport=starttls or ldaps"
_LOOK_AT_IT = "look at its log"

_RESULTS = {
    1: _Words(
        _MISCONFIGURED,
        "it cannot do this in the state that the connection is in (operationsError)",
        "check that the service account can bind",
    ),
    2: _Words(_MISCONFIGURED, "it does not understand the request (protocolError)", "check host and port"),
    3: _Words(_NOT_NOW, "the search takes it too long (timeLimitExceeded)", "index the attributes that are searched"),
    4: _Words(
        _MISCONFIGURED,
        "more entries fit than were asked for (sizeLimitExceeded)",
        "set search_dn or ldap_filter so that one entry is left",
    ),
    7: _Words(
        _MISCONFIGURED,
        "it does not know this kind of bind (authMethodNotSupported)",
        "set auth_type=plain with transport=starttls or ldaps",
    ),
    8: _Words(
        _MISCONFIGURED,
        "it takes this bind only signed or encrypted (strongerAuthRequired)",
        f"{_USE_TLS}, or auth_type=ntlm2",
    ),
    10: _Words(
        _MISCONFIGURED, "it names another server for this (referral)", "set host to the server that has search_dn"
    ),
    11: _Words(
        _MISCONFIGURED,
        "the search is over its limits (adminLimitExceeded)",
        "index the attributes that are searched, or set a narrower search_dn",
    ),
    12: _Words(
        _MISCONFIGURED,
        "it lacks an extension that the request needs (unavailableCriticalExtension)",
        "check which directory host and port lead to",
    ),
    13: _Words(_MISCONFIGURED, "it answers on encrypted connections only (confidentialityRequired)", _USE_TLS),
    14: _Words(
        _MISCONFIGURED,
        "it wants one more step of the bind than there is (saslBindInProgress)",
        "set auth_type=plain with transport=starttls or ldaps",
    ),
    16: _Words(_MISCONFIGURED, "the entry lacks an attribute (noSuchAttribute)", _CHECK_ATTRIBUTES),
    17: _Words(_MISCONFIGURED, "it does not know an attribute (undefinedAttributeType)", _CHECK_ATTRIBUTES),
    18: _Words(_MISCONFIGURED, "it cannot match an attribute so (inappropriateMatching)", _CHECK_ATTRIBUTES),
    19: _Words(
        _ACCOUNT,
        "a rule of the directory forbids it (constraintViolation)",
        "look whether too many wrong passwords locked the account",
    ),
    21: _Words(_MISCONFIGURED, "a value has the wrong syntax (invalidAttributeSyntax)", _CHECK_ATTRIBUTES),
    32: _Words(
        _MISCONFIGURED, "there is no such entry (noSuchObject)", "check search_dn, bind_dn and security_group_dn"
    ),
    34: _Words(
        _MISCONFIGURED,
        "it cannot read a DN (invalidDNSyntax)",
        "check search_dn, bind_dn and security_group_dn; a directory other than AD needs bind_dn",
    ),
    48: _Words(
        _ACCOUNT,
        "the entry has nothing to check a password with (inappropriateAuthentication)",
        "set a password for it",
    ),
    INVALID_CREDENTIALS: _Words(
        _WRONG,
        "name or password is wrong (invalidCredentials)",
        "a locked or expired account may be answered so, too: look at its password policy",
    ),
    50: _Words(
        _MISCONFIGURED,
        "it does not allow this (insufficientAccessRights)",
        "let the service account read below search_dn",
    ),
    51: _Words(_NOT_NOW, "it is busy (busy)", _LOOK_AT_IT),
    52: _Words(_NOT_NOW, "it is shutting down or cut off (unavailable)", _LOOK_AT_IT),
    53: _Words(
        _ACCOUNT,
        "it is not willing to do this (unwillingToPerform)",
        "look whether the account is locked or disabled, and at its log",
    ),
    80: _Words(_NOT_NOW, "it has a fault of its own (other)", _LOOK_AT_IT),
}


def explain(result_code: int, diagnostic: str, host: str) -> Refusal:
    """Put the answer to a bind or a search into words.

    Args:
        result_code: resultCode; anything but success.
        diagnostic: diagnosticMessage, as it came.
        host: the server, as the configuration names it.
    """
    code = sub_code(diagnostic) if result_code == INVALID_CREDENTIALS else None
    if code is not None:
        return _explain_sub_code(code, diagnostic, host)
    words = _RESULTS.get(result_code)
    if words is None:
        words = _Words(_MISCONFIGURED, "it answers with a result that is not known here", _LOOK_AT_IT)
    said = _own_words(diagnostic)
    cause = f"{words.cause}, result {result_code}" + (f': "{said}"' if said else "")
    return Refusal(words.kind, host, cause, words.remedy, is_wrong_password_52e=result_code == INVALID_CREDENTIALS)


def _explain_sub_code(code: str, diagnostic: str, host: str) -> Refusal:
    words = _SUB_CODES.get(code)
    if words is None:
        cause = f'it refuses the account for a reason that is not known here, data {code}: "{_own_words(diagnostic)}"'
        return Refusal(_ACCOUNT, host, cause, "the security log of the domain controller has it")
    cause = f"{words.cause}, data {code}"
    return Refusal(words.kind, host, cause, words.remedy, is_wrong_password_52e=code == LOGON_FAILURE)


def _own_words(diagnostic: str) -> str:
    """Make one printable line of bounded length of what a server says."""
    # Cut first, generously: what a hostile server sends is not to be worked through to its end.
    shown = "".join(character if character.isprintable() else " " for character in diagnostic[: 4 * MAX_WORDS])
    words = " ".join(shown.split())
    return words if len(words) <= MAX_WORDS else words[:MAX_WORDS] + "…"
