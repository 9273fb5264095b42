"""RADIUS packets of devices, written with nothing but hashlib: a second opinion on what the proxy reads and writes.

Source: RFC 2865 §3, §5.2; RFC 3579 §3.2.
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from hashlib import md5

Attribute = tuple[int, bytes]

ACCESS_REQUEST, ACCESS_ACCEPT, ACCESS_REJECT = 1, 2, 3
USER_NAME, USER_PASSWORD, NAS_PORT, PROXY_STATE = 1, 2, 5, 33
CALLED_STATION_ID, CALLING_STATION_ID, ACCT_SESSION_ID = 30, 31, 44
EVENT_TIMESTAMP, MESSAGE_AUTHENTICATOR, NAS_PORT_ID = 55, 80, 87


def access_request(
    identifier: int,
    authenticator: bytes,
    user: str,
    password: str,
    attributes: Sequence[Attribute],
    secret: bytes,
    signed: bool,
) -> bytes:
    """Write an Access-Request, with or without Message-Authenticator."""
    hidden = _hidden(password.encode(), secret, authenticator)
    carried = [(USER_NAME, user.encode()), (USER_PASSWORD, hidden), *attributes]
    if not signed:
        return _packet(identifier, authenticator, carried)
    blank = _packet(identifier, authenticator, [(MESSAGE_AUTHENTICATOR, bytes(16)), *carried])
    return blank[:22] + hmac.digest(secret, blank, "md5") + blank[38:]


def attributes_of(octets: bytes) -> list[Attribute]:
    """Read the attributes of a packet that is known to be well-formed."""
    listed, at = [], 20
    while at < len(octets):
        listed.append((octets[at], octets[at + 2 : at + octets[at + 1]]))
        at += octets[at + 1]
    return listed


def reply_fits(reply: bytes, request: bytes, secret: bytes) -> bool:
    """Whether a reply answers this request: Identifier, Response Authenticator, and Message-Authenticator first."""
    as_sent = reply[:4] + request[4:20] + reply[20:]
    if reply[1] != request[1] or md5(as_sent + secret).digest() != reply[4:20]:
        return False
    unsigned = as_sent[:22] + bytes(16) + as_sent[38:]
    return reply[20:22] == bytes((80, 18)) and hmac.digest(secret, unsigned, "md5") == reply[22:38]


def _hidden(password: bytes, secret: bytes, authenticator: bytes) -> bytes:
    plain = password.ljust(-(-len(password) // 16) * 16, b"\0")
    hidden = b""
    for at in range(0, len(plain), 16):
        pad = md5(secret + (hidden[at - 16 : at] or authenticator)).digest()
        hidden += bytes(left ^ right for left, right in zip(plain[at : at + 16], pad, strict=True))
    return hidden


def _packet(identifier: int, authenticator: bytes, attributes: Sequence[Attribute]) -> bytes:
    body = b"".join(bytes((number, len(value) + 2)) + value for number, value in attributes)
    return bytes((ACCESS_REQUEST, identifier)) + (20 + len(body)).to_bytes(2, "big") + authenticator + body
