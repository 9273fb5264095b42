"""TLS sessions that are taken up again, so that a wave of new connections does not prove the same name each time.

Owns how long a proof lasts. Every session here descends from a full handshake in which the chain and the name of the
host were verified, with the roots and the name of the one context that all its connections share. Who takes it up again
holds the secret of that handshake, which only the proven host was given. What a full handshake would notice meanwhile
(a certificate that has expired, or whose authority is distrusted) is noticed when the proof is too old: sessions that
descend from one another do not make it younger. Each ticket is used once, and nothing is sent as early data.

Source: RFC 8446 §2.2 (resumption), §4.6.1 (tickets), §C.4 (one connection a ticket).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final
from weakref import WeakKeyDictionary

from attrs import frozen
from OpenSSL import SSL

PROOF_S: Final = 600.0
"""How long after a full handshake its sessions may be taken up."""
MAX_SESSIONS: Final = 256
"""How many are kept: as many as there are handshakes at once in a wave."""


@frozen(eq=False)
class _Kept:
    session: SSL.Session
    proven_at_s: float


class TlsSessions:
    """Sessions of connections to one host, made from one context."""

    def __init__(self, now: Callable[[], float], limit: int = MAX_SESSIONS) -> None:
        """Begin with none.

        Args:
            now: gives seconds, monotonic.
            limit: how many are kept.
        """
        self._now = now
        self._kept: deque[_Kept] = deque(maxlen=limit)
        self._proven_at_s: WeakKeyDictionary[SSL.Connection, float] = WeakKeyDictionary()

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def is_empty(self) -> bool:
        """Whether the next connection makes a full handshake."""
        self._drop_old()
        return not self._kept

    def offer(self, connection: SSL.Connection) -> None:
        """Let a connection that is not begun take up a session, which no other one may then."""
        self._drop_old()
        if self._kept:
            kept = self._kept.popleft()
            connection.set_session(kept.session)
            self._proven_at_s[connection] = kept.proven_at_s

    def proven(self, connection: SSL.Connection) -> None:
        """Note that a connection makes a full handshake, and that chain and name are good."""
        self._proven_at_s[connection] = self._now()

    def keep(self, connection: SSL.Connection) -> None:
        """Keep the session of a connection over which an answer came: by then its ticket is there.

        Older versions of TLS are left out: what they resume is weaker, and proves less (RFC 7627 §1).
        """
        proven_at_s = self._proven_at_s.pop(connection, None)
        if proven_at_s is None or connection.get_protocol_version() != SSL.TLS1_3_VERSION:
            return
        session = connection.get_session()
        if session is not None:
            self._kept.append(_Kept(session, proven_at_s))

    def forget(self) -> None:
        """Drop all of them: the next connections make full handshakes."""
        self._kept.clear()

    def _drop_old(self) -> None:
        """Drop what is too old from where the next one is taken; nothing else is looked at."""
        oldest_s = self._now() - PROOF_S
        while self._kept and self._kept[0].proven_at_s <= oldest_s:
            self._kept.popleft()
