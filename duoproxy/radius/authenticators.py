"""Message-Authenticator, Request Authenticator and Response Authenticator: who really sent a packet.

Owns every computation with the shared secret that covers a whole packet. It interprets no attribute but
Message-Authenticator, which it looks for in the octets, before anything else of the packet is read.

Source: RFC 2865 §3, RFC 2866 §3, RFC 3579 §3.2, RFC 5176 §2.3.
"""

from __future__ import annotations

import enum
import hmac
from collections.abc import Sequence
from hashlib import md5

from duoproxy.radius.packet import AUTHENTICATOR_BYTES, HEADER_BYTES, Attribute, Code, encode_attributes, encode_header
from duoproxy.secret import Secret

MESSAGE_AUTHENTICATOR = 80

_EMPTY_MESSAGE_AUTHENTICATOR = bytes((MESSAGE_AUTHENTICATOR, 18)) + bytes(16)
_MESSAGE_AUTHENTICATOR_HEADER = bytes((MESSAGE_AUTHENTICATOR, 18))
_ZERO_AUTHENTICATOR = bytes(AUTHENTICATOR_BYTES)
_COMPUTED_FROM_ZERO = frozenset({Code.ACCOUNTING_REQUEST, Code.DISCONNECT_REQUEST, Code.COA_REQUEST})


class MessageAuthenticator(enum.Enum):
    """What the Message-Authenticator of a packet proves."""

    ABSENT = "absent"
    VALID = "valid"
    INVALID = "invalid"


def check_message_authenticator(
    framed: bytes, secret: bytes | Secret, request_authenticator: bytes | None = None
) -> MessageAuthenticator:
    """Tell whether a packet carries a Message-Authenticator and whether it fits, compared in constant time.

    Two of them, or one that has not 16 octets, are INVALID.

    Args:
        framed: as `frame_packet` gave it out.
        secret: the shared secret; a `Secret` that is kept signs quicker than its octets.
        request_authenticator: 16 octets: `framed` is the reply to the request that carried them; None: it is a request.

    Source: RFC 3579 §3.2; RFC 5176 §2.3 for requests whose own authenticator is computed.
    """
    at = HEADER_BYTES
    end = len(framed)
    found = 0
    while at + 1 < end:
        size = framed[at + 1]
        if framed[at] == MESSAGE_AUTHENTICATOR:
            if found or size != 18 or at + size > end:
                return MessageAuthenticator.INVALID
            found = at + 2
        if size < 2:
            return MessageAuthenticator.INVALID
        at += size
    if not found:
        return MessageAuthenticator.ABSENT
    authenticator = request_authenticator
    if authenticator is None:
        authenticator = _ZERO_AUTHENTICATOR if framed[0] in _COMPUTED_FROM_ZERO else framed[4:20]
    covered = framed[:4] + authenticator + framed[20:found] + _ZERO_AUTHENTICATOR + framed[found + 16 :]
    if hmac.compare_digest(_hmac_md5(secret, covered), framed[found : found + 16]):
        return MessageAuthenticator.VALID
    return MessageAuthenticator.INVALID


def encode_request(
    code: int, identifier: int, request_authenticator: bytes, attributes: Sequence[Attribute], secret: bytes
) -> bytes:
    """Write an Access-Request or Status-Server; its first attribute is the Message-Authenticator.

    Args:
        code: a code whose Request Authenticator is random.
        identifier: 0..255.
        request_authenticator: 16 octets, unpredictable and never used before with this secret.
        attributes: without a Message-Authenticator.
        secret: the shared secret.

    Raises:
        ValueError: as `encode_packet`; or `attributes` has a Message-Authenticator already.

    Source: RFC 2865 §3, RFC 3579 §3.2, RFC 5997 §3.
    """
    if len(request_authenticator) != AUTHENTICATOR_BYTES:
        raise ValueError("a Request Authenticator has 16 octets")
    head, body = _unsigned(code, identifier, attributes)
    digest = hmac.digest(secret, head + request_authenticator + _EMPTY_MESSAGE_AUTHENTICATOR + body, "md5")
    return head + request_authenticator + _MESSAGE_AUTHENTICATOR_HEADER + digest + body


def encode_reply(
    code: int, identifier: int, request_authenticator: bytes, attributes: Sequence[Attribute], secret: bytes | Secret
) -> bytes:
    """Write a reply: Message-Authenticator first, then the Response Authenticator over everything.

    Message-Authenticator is first so that no octets that a third party chose stand before it (CVE-2024-3596).

    Args:
        code: Access-Accept, -Reject, -Challenge or Accounting-Response.
        identifier: that of the request.
        request_authenticator: 16 octets, those of the request.
        attributes: without a Message-Authenticator; Proxy-State, in order, included.
        secret: the shared secret; a `Secret` that is kept signs quicker than its octets.

    Raises:
        ValueError: as `encode_packet`; or `attributes` has a Message-Authenticator already.

    Source: RFC 2865 §3, RFC 3579 §3.2.
    """
    head, body = _unsigned(code, identifier, attributes)
    digest = _hmac_md5(secret, head + request_authenticator + _EMPTY_MESSAGE_AUTHENTICATOR + body)
    signed = _MESSAGE_AUTHENTICATOR_HEADER + digest + body
    octets = secret.reveal() if isinstance(secret, Secret) else secret
    return head + md5(head + request_authenticator + signed + octets, usedforsecurity=False).digest() + signed


def reply_is_authentic(framed: bytes, request_authenticator: bytes, secret: bytes) -> bool:
    """Tell in constant time whether the Response Authenticator of a reply fits the request that it answers.

    Args:
        framed: the reply, as `frame_packet` gave it out.
        request_authenticator: 16 octets, those of the request.
        secret: the shared secret.

    Source: RFC 2865 §3.
    """
    covered = framed[:4] + request_authenticator + framed[20:] + secret
    return hmac.compare_digest(md5(covered, usedforsecurity=False).digest(), framed[4:20])


def _hmac_md5(secret: bytes | Secret, message: bytes) -> bytes:
    return secret.hmac_md5(message) if isinstance(secret, Secret) else hmac.digest(secret, message, "md5")


def _unsigned(code: int, identifier: int, attributes: Sequence[Attribute]) -> tuple[bytes, bytes]:
    """The header, which counts the Message-Authenticator that will come, and the octets of the other attributes."""
    for attribute in attributes:
        if attribute[0] == MESSAGE_AUTHENTICATOR:
            raise ValueError("Message-Authenticator is written here, and only here")
    body = encode_attributes(attributes)
    return encode_header(code, identifier, len(_EMPTY_MESSAGE_AUTHENTICATOR) + len(body)), body
