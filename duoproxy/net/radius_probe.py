"""Whether a RADIUS server answers us, and with our secret; for the connectivity tool, not for logins.

Nobody can be locked: a Status-Server names no user, and the Access-Request that follows where that gets no answer names
one that cannot exist. A server that drops what is signed with another secret gives no answer at all, so a last request
goes unsigned: its reply shows by its Response Authenticator that the secrets differ.

Source: RFC 5997 §2.1, §4.2 (Status-Server), RFC 2865 §3, RFC 5080 §2.2.1.
"""

from __future__ import annotations

import enum
import socket
from collections.abc import Callable, Sequence
from typing import Any, Final

from attrs import frozen
from twisted.internet.defer import Deferred

from duoproxy.errors import RemoteProtocolError
from duoproxy.net.deadlines import Expired, within
from duoproxy.net.packet_info import RefusedDatagram, canonical_host
from duoproxy.net.udp import DatagramTransport, Endpoint, open_udp
from duoproxy.radius.attributes import Type
from duoproxy.radius.authenticators import (
    MessageAuthenticator,
    check_message_authenticator,
    encode_request,
    reply_is_authentic,
)
from duoproxy.radius.hiding import hide_password
from duoproxy.radius.packet import AUTHENTICATOR_BYTES, Attribute, Code, Packet, encode_packet, frame_packet

STATUS_WAITS_S: Final = (1.0, 1.0)
"""After each Status-Server, which many servers do not know."""
LOGIN_WAITS_S: Final = (2.0, 3.0)
"""After each Access-Request; many servers hold an Access-Reject back for a second."""
UNSIGNED_WAITS_S: Final = (2.5,)
"""After the unsigned one."""
_REPLIES: Final = frozenset({Code.ACCESS_ACCEPT, Code.ACCESS_REJECT, Code.ACCESS_CHALLENGE})


class Probed(enum.Enum):
    """What came of it."""

    WELL = "answers"
    ACCEPTS = "accepts"
    """It said yes to a name that cannot exist and a password that nobody has."""
    OTHER_SECRET = "other secret"
    REFUSED = "refused"
    """Nothing listens there."""
    SILENT = "silent"


@frozen
class _Question:
    """One request, the reply to which is waited for."""

    octets: bytes
    request_authenticator: bytes
    secret: bytes

    def judge(self, datagram: bytes) -> Probed | None:
        """Tell what a datagram from the server means; None when it answers another question."""
        try:
            framed = frame_packet(datagram)
        except RemoteProtocolError:
            return None
        if framed[0] not in _REPLIES or framed[1] != self.octets[1]:
            return None
        verdict = check_message_authenticator(framed, self.secret, self.request_authenticator)
        if verdict is MessageAuthenticator.INVALID or not reply_is_authentic(
            framed, self.request_authenticator, self.secret
        ):
            return Probed.OTHER_SECRET
        is_yes = framed[0] == Code.ACCESS_ACCEPT and self.octets[0] == Code.ACCESS_REQUEST
        return Probed.ACCEPTS if is_yes else Probed.WELL


class RadiusProbe:
    """Asks one server, once."""

    def __init__(
        self,
        reactor: Any,
        endpoint: Endpoint,
        secret: bytes,
        random_bytes: Callable[[int], bytes],
        identity: Sequence[Attribute],
        open_socket: Callable[[int], DatagramTransport] = open_udp,
    ) -> None:
        """Prepare.

        Args:
            reactor: `IReactorTime` and `IReactorFDSet`.
            endpoint: address and port of the server.
            secret: the shared secret.
            random_bytes: as `os.urandom`.
            identity: who we are: NAS-IP-Address and the like.
            open_socket: makes a socket of an address family; tests have their own.
        """
        self._reactor = reactor
        self._endpoint = (canonical_host(endpoint[0]), endpoint[1])
        self._secret = secret
        self._random_bytes = random_bytes
        self._identity = tuple(identity)
        self._open_socket = open_socket
        self._question: _Question | None = None
        self._answered: Deferred[Probed] = Deferred()

    async def run(self) -> Probed:
        """Ask until something is known.

        Raises:
            OSError: no socket can be had.
        """
        family = socket.AF_INET6 if ":" in self._endpoint[0] else socket.AF_INET
        transport = self._open_socket(family)
        transport.start_reading(self._reactor, self._received, self._refused)
        try:
            for make, waits_s in (
                (self._status, STATUS_WAITS_S),
                (self._login, LOGIN_WAITS_S),
                (self._unsigned_login, UNSIGNED_WAITS_S),
            ):
                found = await self._ask(transport, make, waits_s)
                if found is not Probed.SILENT:
                    return found
            return Probed.SILENT
        finally:
            transport.close()

    async def _ask(
        self, transport: DatagramTransport, make: Callable[[int], _Question], waits_s: Sequence[float]
    ) -> Probed:
        self._question = make(self._random_bytes(1)[0])
        for wait_s in waits_s:
            self._answered = Deferred()
            transport.send(self._question.octets, self._endpoint)
            try:
                return await within(self._reactor, wait_s, self._answered)
            except Expired:
                continue
        return Probed.SILENT

    def _received(self, datagram: bytes, source: Endpoint, local_host: str) -> None:
        if self._question is None or source != self._endpoint:
            return
        found = self._question.judge(datagram)
        if found is not None:
            self._tell(found)

    def _refused(self, refused: RefusedDatagram) -> None:
        self._tell(Probed.REFUSED)

    def _tell(self, found: Probed) -> None:
        if not self._answered.called:
            self._answered.callback(found)

    # ── what is asked ────────────────────────────────────────────────────────────────────────────────────────────

    def _status(self, identifier: int) -> _Question:
        return self._signed(Code.STATUS_SERVER, identifier, self._random_bytes(AUTHENTICATOR_BYTES), self._identity)

    def _login(self, identifier: int) -> _Question:
        request_authenticator = self._random_bytes(AUTHENTICATOR_BYTES)
        attributes = (*self._nobody(request_authenticator), *self._identity)
        return self._signed(Code.ACCESS_REQUEST, identifier, request_authenticator, attributes)

    def _unsigned_login(self, identifier: int) -> _Question:
        request_authenticator = self._random_bytes(AUTHENTICATOR_BYTES)
        attributes = (*self._nobody(request_authenticator), *self._identity)
        packet = Packet(Code.ACCESS_REQUEST, identifier, request_authenticator, attributes)
        return _Question(encode_packet(packet), request_authenticator, self._secret)

    def _signed(
        self, code: Code, identifier: int, request_authenticator: bytes, attributes: Sequence[Attribute]
    ) -> _Question:
        octets = encode_request(code, identifier, request_authenticator, attributes, self._secret)
        return _Question(octets, request_authenticator, self._secret)

    def _nobody(self, request_authenticator: bytes) -> tuple[Attribute, Attribute]:
        """A name that cannot exist, with a password that nobody has."""
        name = f"duoproxy-connectivity-test-{self._random_bytes(8).hex()}"
        password = self._random_bytes(12).hex().encode()
        return (
            (Type.USER_NAME, name.encode()),
            (Type.USER_PASSWORD, hide_password(password, self._secret, request_authenticator)),
        )
