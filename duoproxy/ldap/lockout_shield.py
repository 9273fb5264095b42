"""The lock-out shield: a password that was just refused is not tried on the directory again.

A phone with an old password tries it every few seconds, and each try would count towards the lock-out of its owner. For
60 s from the *first* refusal the same section, entry and password are refused from memory. The shield can only refuse:
no path through it accepts anybody, and all it keeps of a password is an HMAC under a key of this process.

It forgets a user on a success and as soon as pwdLastSet or lockoutTime of the entry is another one than at the refusal:
a reset password works at once, also when it is the one that was refused before.

When it is full (in all, or for one user), it learns nothing new until something in it has run out, and forgets nothing
early. Whoever fills it therefore takes no protection away from those who have it: a stranger who tries other passwords
on an account cannot push out the one that its owner's phone repeats. What is not learned costs what it would cost
without a shield; to fill all of it, somebody has to spend a real refusal for each entry, five a user, within 60 s.
"""

from __future__ import annotations

import hmac
from collections import OrderedDict

from attrs import field, frozen

from duoproxy.secret import Secret

SHIELD_S = 60.0
MAX_REFUSALS = 10_000
MAX_REFUSALS_PER_USER = 5
MIN_KEY_BYTES = 32

Mark = int | bytes | None
"""The value of pwdLastSet or lockoutTime, in any form that compares; None where the directory has none."""


@frozen
class _Refusal:
    user: bytes
    until: float


@frozen
class _User:
    marks: tuple[Mark, Mark]
    refusals: set[bytes] = field(factory=set)


class LockoutShield:
    """Remembers refused passwords, for one process."""

    def __init__(
        self,
        key: bytes,
        *,
        max_refusals: int = MAX_REFUSALS,
        max_refusals_per_user: int = MAX_REFUSALS_PER_USER,
    ) -> None:
        """Make an empty shield.

        Args:
            key: at least 32 random octets, drawn once in this process and kept nowhere.
            max_refusals: how many refusals are kept in all.
            max_refusals_per_user: how many of one entry.
        """
        if len(key) < MIN_KEY_BYTES:
            raise ValueError(f"the key of the lock-out shield has at least {MIN_KEY_BYTES} octets")
        self._key = key
        self._max_refusals = max_refusals
        self._max_refusals_per_user = max_refusals_per_user
        self._refusals: OrderedDict[bytes, _Refusal] = OrderedDict()
        self._users: dict[bytes, _User] = {}

    def __len__(self) -> int:
        """How many refusals are kept."""
        return len(self._refusals)

    def key(self, section: str, dn: str | bytes, password: Secret) -> bytes:
        """Give what stands for one password of one entry in this process; the arguments are as for `refused_before`."""
        return self._digest(b"refusal", _octets(section), _octets(dn), password.reveal())

    def refused_before(
        self, section: str, dn: str | bytes, password: Secret, pwd_last_set: Mark, lockout_time: Mark, now: float
    ) -> bool:
        """Tell whether this password is to be refused without asking the directory.

        Args:
            section: name of the INI section.
            dn: of the entry that was found, as the directory spells it.
            password: what the user sent.
            pwd_last_set: of the entry, as the search just read it.
            lockout_time: the same.
            now: seconds, monotonic.
        """
        self._forget_expired(now)
        self._forget_changed(self._user_key(dn), (pwd_last_set, lockout_time))
        return self.key(section, dn, password) in self._refusals

    def note_refusal(
        self, section: str, dn: str | bytes, password: Secret, pwd_last_set: Mark, lockout_time: Mark, now: float
    ) -> None:
        """Remember a password that the directory just refused as wrong (`Refusal.is_wrong_password_52e`), and no other.

        One that is known already keeps the moment of its first refusal.

        Args:
            section: as for `refused_before`.
            dn: the same.
            password: the same.
            pwd_last_set: of the entry, as it was read *before* the bind.
            lockout_time: the same.
            now: seconds, monotonic.
        """
        user_key, marks = self._user_key(dn), (pwd_last_set, lockout_time)
        self._forget_expired(now)
        self._forget_changed(user_key, marks)
        user = self._users.get(user_key) or _User(marks)
        key = self.key(section, dn, password)
        is_full = len(self._refusals) >= self._max_refusals or len(user.refusals) >= self._max_refusals_per_user
        if key in self._refusals or is_full:
            return
        self._users[user_key] = user
        user.refusals.add(key)
        self._refusals[key] = _Refusal(user_key, now + SHIELD_S)

    def note_success(self, dn: str | bytes) -> None:
        """Forget what was refused for an entry: the directory counts from 0 again."""
        self._forget_user(self._user_key(dn))

    def _forget_expired(self, now: float) -> None:
        """Forget what is old enough; all live equally long, so that the oldest are the first."""
        while self._refusals:
            key, refusal = next(iter(self._refusals.items()))
            if refusal.until > now:
                return
            del self._refusals[key]
            user = self._users[refusal.user]
            user.refusals.remove(key)
            if not user.refusals:
                del self._users[refusal.user]

    def _forget_changed(self, user_key: bytes, marks: tuple[Mark, Mark]) -> None:
        user = self._users.get(user_key)
        if user is not None and user.marks != marks:
            self._forget_user(user_key)

    def _forget_user(self, user_key: bytes) -> None:
        user = self._users.pop(user_key, None)
        for key in user.refusals if user else ():
            del self._refusals[key]

    def _user_key(self, dn: str | bytes) -> bytes:
        """A digest stands for the DN, so that long ones take no room."""
        return self._digest(b"user", _octets(dn))

    def _digest(self, *parts: bytes) -> bytes:
        """HMAC-SHA-256 over parts that cannot run into each other: each follows its length."""
        framed = b"".join(len(part).to_bytes(8, "big") + part for part in parts)
        return hmac.digest(self._key, framed, "sha256")


def _octets(value: str | bytes) -> bytes:
    return value.encode("utf-8", "surrogateescape") if isinstance(value, str) else value
