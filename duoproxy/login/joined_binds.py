"""One more login on the approval of another: for applications that bind twice for each login of a user.

Whoever knows the password, and can send from the same address within the time, is let in without being asked; that is
what the option gives up, and why it is off unless an administrator turns it on. One approval is good for one more.

Reference: §10.3.
"""

from __future__ import annotations

import hmac
from collections import OrderedDict
from typing import Final

from duoproxy.secret import Secret

MAX_APPROVALS: Final = 10_000
MIN_KEY_BYTES: Final = 32


class JoinedBinds:
    """The approvals that are still good for one more bind."""

    def __init__(self, good_for_s: float, key: bytes) -> None:
        """Begin without any.

        Args:
            good_for_s: seconds; 0: nothing is ever joined.
            key: at least 32 random octets, drawn once in this process and kept nowhere.

        Raises:
            ValueError: the key is too short.
        """
        if len(key) < MIN_KEY_BYTES:
            raise ValueError(f"the key has at least {MIN_KEY_BYTES} octets")
        self._good_for_s = good_for_s
        self._key = key
        self._until: OrderedDict[bytes, float] = OrderedDict()

    def __len__(self) -> int:
        """How many approvals are kept."""
        return len(self._until)

    def note(self, dn: bytes, password: Secret, address: str, now: float) -> None:
        """Remember that a user approved a login.

        Args:
            dn: of the entry.
            password: the whole field, with the factor behind it.
            address: of the client.
            now: seconds, monotonic.
        """
        if self._good_for_s <= 0:
            return
        self._forget_expired(now)
        name = self._name(dn, password, address)
        self._until.pop(name, None)
        self._until[name] = now + self._good_for_s
        if len(self._until) > MAX_APPROVALS:
            self._until.popitem(last=False)

    def take(self, dn: bytes, password: Secret, address: str, now: float) -> bool:
        """Say whether a bind joins an approval, which is then used up; arguments as for `note`."""
        self._forget_expired(now)
        return self._until.pop(self._name(dn, password, address), None) is not None

    def _forget_expired(self, now: float) -> None:
        while self._until and next(iter(self._until.values())) <= now:
            self._until.popitem(last=False)

    def _name(self, dn: bytes, password: Secret, address: str) -> bytes:
        """HMAC-SHA-256 over parts that cannot run into each other: no password is kept."""
        parts = (dn, password.reveal(), address.encode())
        framed = b"".join(len(part).to_bytes(8, "big") + part for part in parts)
        return hmac.digest(self._key, framed, "sha256")
