"""Requests that check a password and are no bind: a directory answers them, and nobody would be asked for more.

An application that takes such an answer for a login has a login without a second factor. Known are the attributes in
which directories keep passwords (by name and by OID), and the one extended request that is made for it. What is stored
under other names, and the old password that proves a change of it (RFC 3062), cannot be told from other requests.

Source: RFC 4511 §4.10; RFC 4519 §2.41 (userPassword); RFC 3112 (authPassword); MS-ADA1, MS-ADA3 (dBCSPwd, unicodePwd).
"""

from __future__ import annotations

from typing import Final

from duoproxy.ldap.ber import OCTET_STRING, SEQUENCE, read_element, take_element
from duoproxy.ldap.framing import MessageHead

VERIFY_CREDENTIALS: Final = b"1.3.6.1.4.1.4203.666.6.5"
"""OpenLDAP's extended request for a bind that leaves the session as it is."""
PASSWORD_ATTRIBUTES: Final = frozenset(
    {
        *(b"userpassword", b"2.5.4.35", b"authpassword", b"1.3.6.1.4.1.4203.1.3.4"),
        *(b"unicodepwd", b"1.2.840.113556.1.4.90", b"dbcspwd", b"1.2.840.113556.1.4.55"),
        *(b"sambantpassword", b"1.3.6.1.4.1.7165.2.1.25", b"sambalmpassword", b"1.3.6.1.4.1.7165.2.1.24"),
    }
)
"""Lower case, without options."""


def compares_password(octets: bytes, head: MessageHead) -> bool:
    """Tell whether a compare is about a password.

    Raises:
        RemoteProtocolError: CLOSE: it is no compare.

    Source: RFC 4511 §4.10; RFC 4512 §2.5 (an attribute may be named by its OID, and options may follow).
    """
    _, at, end = read_element(octets, head.operation_offset, head.operation_end)
    entry = take_element(octets, at, end, OCTET_STRING, "the entry of a compare")
    _, at, end = take_element(octets, entry[2], end, SEQUENCE, "the assertion of a compare")
    _, begin, name_end = take_element(octets, at, end, OCTET_STRING, "the attribute of a compare")
    name = octets[begin:name_end].partition(b";")[0].strip().lower().removeprefix(b"oid.")
    return name in PASSWORD_ATTRIBUTES
