"""The machine for a device that retries one login with a new Identifier and a new Request Authenticator.

Such a retry is no duplicate to RFC 5080, and yet the user is asked about it already: it joins the login in progress,
and the newest request gets its answer. Owns when two requests are the same login. A retry that joins buys nothing for
someone who only knows the password: it needs every attribute of the device's own request, and it takes the answer away
from the older request instead of making a second one.

Deviation: RFC 2865 §2.5 has the device send the same octets again; Cisco ASA does not, nor do others after their own
time-out. EAP goes on from one Access-Request to the next, and leaves retransmission to the device (RFC 3579 §2.2).
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b
from typing import Generic, TypeVar

from attrs import frozen

from duoproxy.radius.attributes import Type
from duoproxy.radius.packet import Attribute
from duoproxy.secret import Secret

T = TypeVar("T")

FINGERPRINT_BYTES = 32

# These differ between a request and its retry, or are compared by themselves.
_LEFT_OUT = frozenset({Type.USER_PASSWORD, Type.MESSAGE_AUTHENTICATOR, Type.PROXY_STATE, Type.EVENT_TIMESTAMP})
_ONE_OF_THE_SESSION = frozenset({Type.NAS_PORT, Type.NAS_PORT_ID, Type.ACCT_SESSION_ID})
_ONE_STEP_OF_EAP = frozenset({int(Type.STATE), int(Type.EAP_MESSAGE)})


def fingerprint(
    key: bytes,
    device_address: str,
    attributes: Iterable[Attribute],
    credential: bytes | None,
    *,
    state_is_ours: bool = False,
) -> bytes | None:
    """Give the fingerprint that a request shares with its retries, or None when retries of it cannot be told.

    A login with a password, or a proof of one, can be told only where Calling-Station-Id and one of NAS-Port,
    NAS-Port-Id, Acct-Session-Id name the session. One with State and EAP-Message can always: that State was given
    to one step of one conversation, and nobody guesses it. So can the answer to a challenge, where every State is one
    that we gave.

    Args:
        key: random, of this process, at most 64 octets; without it the password could be guessed from a fingerprint.
        device_address: who asks.
        attributes: of the request.
        credential: the revealed User-Password, or the octets of a proof (`RadiusProof.octets`: its challenge may be the
            Request Authenticator, so that the attributes alone are not all of it); None when there is neither.
        state_is_ours: whether a State beside a credential can only be that of a challenge, since whoever asks
            rejects all others.
    """
    kept = [attribute for attribute in attributes if attribute[0] not in _LEFT_OUT]
    present = {number for number, value in kept if value}
    answers = state_is_ours and Type.STATE in present
    if not (answers or _names_its_session(present) if credential is not None else present >= _ONE_STEP_OF_EAP):
        return None
    device, proven_with = device_address.encode(), credential or b""
    # The kind of login stands in front: an empty password is not the lack of one.
    parts = [bytes((credential is None,)), len(device).to_bytes(2, "big"), device]
    parts += [len(proven_with).to_bytes(2, "big"), proven_with]
    for number, value in kept:
        parts += bytes((number, len(value))), value
    return blake2b(b"".join(parts), key=key, digest_size=FINGERPRINT_BYTES).digest()


def _names_its_session(present: set[int]) -> bool:
    return Type.CALLING_STATION_ID in present and not present.isdisjoint(_ONE_OF_THE_SESSION)


class PendingLogin(Generic[T]):
    """A login in progress, and the newest request that asks for it.

    Attributes:
        newest: the request that will be answered.
        joined: how many retries joined.
    """

    __slots__ = ("_fingerprint", "_password", "joined", "newest")

    def __init__(self, its_fingerprint: bytes | None, password: Secret, request: T) -> None:
        self._fingerprint = its_fingerprint
        self._password = password
        self.newest = request
        self.joined = 0


@frozen
class Joining(Generic[T]):
    """What became of a request.

    Attributes:
        login: the login that it belongs to.
        superseded: the request that it took the answer from, to be met with silence; None: the login is new.
    """

    login: PendingLogin[T]
    superseded: T | None


class RetryTable(Generic[T]):
    """The logins in progress of one listener; `T` is whatever the caller calls a request.

    Every login here has a request in flight, so the bound on requests in flight bounds this table too.
    """

    def __init__(self) -> None:
        self._logins: dict[bytes, PendingLogin[T]] = {}

    def __len__(self) -> int:
        """The number of logins that can be joined."""
        return len(self._logins)

    def receive(self, its_fingerprint: bytes | None, password: Secret, request: T) -> Joining[T]:
        """Join a request to its login in progress, or begin a login of its own.

        Args:
            its_fingerprint: as `fingerprint` gave it; None: nothing can join.
            password: compared once more, in constant time.
            request: who is to be answered.
        """
        login = self._logins.get(its_fingerprint) if its_fingerprint is not None else None
        if login is None:
            begun = PendingLogin(its_fingerprint, password, request)
            if its_fingerprint is not None:
                self._logins[its_fingerprint] = begun
            return Joining(begun, None)
        if login._password != password:
            return Joining(PendingLogin(None, password, request), None)
        superseded, login.newest = login.newest, request
        login.joined += 1
        return Joining(login, superseded)

    def finish(self, login: PendingLogin[T]) -> T:
        """End a login: nothing joins it any more.

        Returns:
            the request to answer: the newest.
        """
        its_fingerprint = login._fingerprint
        if its_fingerprint is not None and self._logins.get(its_fingerprint) is login:
            del self._logins[its_fingerprint]
        return login.newest
