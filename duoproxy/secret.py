"""Secret: a value that can be used but not shown.

No format, log line, traceback, pickle or support file can contain what a `Secret` holds; only `reveal` gives it out,
and only to code that needs the octets themselves.
"""

from __future__ import annotations

import hmac
from hashlib import md5
from typing import Any, NoReturn

MASK = "*****"

_BLOCK_BYTES = 64
_INNER_PAD = bytes(octet ^ 0x36 for octet in range(256))
_OUTER_PAD = bytes(octet ^ 0x5C for octet in range(256))


class Secret:
    """A password, shared secret or key.

    Two secrets are equal when their octets are, compared in constant time. A secret has no hash, cannot be pickled or
    copied into a format, and prints as five asterisks.
    """

    __slots__ = ("__md5_of_pads", "__octets")
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, value: str | bytes) -> None:
        """Hold `value`; text is held as its UTF-8 octets."""
        self.__octets = value.encode("utf-8", "surrogateescape") if isinstance(value, str) else bytes(value)
        self.__md5_of_pads: Any = None

    def reveal(self) -> bytes:
        """Give out the octets."""
        return self.__octets

    def reveal_text(self) -> str:
        """Give out the text that was held (UTF-8)."""
        return self.__octets.decode("utf-8", "surrogateescape")

    def hmac_md5(self, message: bytes) -> bytes:
        """Sign with HMAC-MD5, as RADIUS does.

        What depends on the key alone is computed for the first message and kept here, with the key: a secret that is
        shared with a device signs every packet, and OpenSSL's own HMAC takes longer to set up than to compute.

        Returns:
            16 octets.

        Source: RFC 2104 §2, §4.
        """
        inner, outer = self.__md5_of_pads or self.__prepare()
        inner, outer = inner.copy(), outer.copy()
        inner.update(message)
        outer.update(inner.digest())
        digest: bytes = outer.digest()
        return digest

    def __prepare(self) -> Any:
        key = self.__octets
        if len(key) > _BLOCK_BYTES:
            key = md5(key, usedforsecurity=False).digest()
        key = key.ljust(_BLOCK_BYTES, b"\0")
        pads = (key.translate(_INNER_PAD), key.translate(_OUTER_PAD))
        self.__md5_of_pads = tuple(md5(pad, usedforsecurity=False) for pad in pads)
        return self.__md5_of_pads

    def __len__(self) -> int:
        """The number of octets."""
        return len(self.__octets)

    def __eq__(self, other: object) -> bool:
        """Compare in constant time; a secret equals only secrets."""
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self.__octets, other.__octets)

    def __repr__(self) -> str:
        return f"Secret({MASK})"

    def __str__(self) -> str:
        return MASK

    def __format__(self, spec: str) -> str:
        return MASK

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a Secret cannot be pickled or copied")
