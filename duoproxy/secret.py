"""Secret: a value that can be used but not shown.

No format, log line, traceback, pickle or support file can contain what a `Secret` holds; only `reveal` gives it out,
and only to code that needs the octets themselves.
"""

from __future__ import annotations

import hmac
from typing import NoReturn

MASK = "*****"


class Secret:
    """A password, shared secret or key.

    Two secrets are equal when their octets are, compared in constant time. A secret has no hash, cannot be pickled or
    copied into a format, and prints as five asterisks.
    """

    __slots__ = ("__octets",)
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, value: str | bytes) -> None:
        """Hold `value`; text is held as its UTF-8 octets."""
        self.__octets = value.encode("utf-8", "surrogateescape") if isinstance(value, str) else bytes(value)

    def reveal(self) -> bytes:
        """Give out the octets."""
        return self.__octets

    def reveal_text(self) -> str:
        """Give out the text that was held (UTF-8)."""
        return self.__octets.decode("utf-8", "surrogateescape")

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
