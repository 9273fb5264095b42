"""Identity: what is asked first, outside a tunnel and again inside it.

Source: RFC 3748 §5.1.
"""

from __future__ import annotations

from typing import Final

from duoproxy.errors import RemoteProtocolError

IDENTITY_REQUEST: Final = b""
"""Type-Data of the request: nothing is shown to the user."""
MAX_IDENTITY_BYTES = 253
"""What fits into a User-Name; directories and Duo take no more either."""
MAX_SHOWN_CHARACTERS = 64


def read_identity(data: bytes) -> str:
    """Read the Type-Data of an Identity response that somebody is to be known by.

    Returns:
        the name; octets that are no UTF-8 are held as surrogates (`surrogateescape`), so that none is lost.

    Raises:
        RemoteProtocolError: DISCARD: empty, longer than `MAX_IDENTITY_BYTES`, or with a NUL.

    Source: RFC 3748 §5.1.
    """
    if not data:
        raise RemoteProtocolError("the peer gives no identity")
    if len(data) > MAX_IDENTITY_BYTES:
        raise RemoteProtocolError(f"an identity of {len(data)} octets; the limit is {MAX_IDENTITY_BYTES}")
    if b"\0" in data:
        raise RemoteProtocolError("a NUL in the identity")
    return data.decode("utf-8", "surrogateescape")


def shown_identity(data: bytes) -> str:
    """Spell an identity that counts for nothing but logs: any octets, bounded, and no line can be forged with it."""
    text = data[: 4 * MAX_SHOWN_CHARACTERS].decode("utf-8", "replace")
    return "".join(mark if mark.isprintable() else "?" for mark in text[:MAX_SHOWN_CHARACTERS])
