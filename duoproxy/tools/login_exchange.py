"""One RADIUS login as a device does it: an Access-Request out, the reply in, both checked. For the tool duoproxy-login.

Plain blocking sockets: a tool for one login at a time needs no more. What is shown of it is `login`'s business.
"""

from __future__ import annotations

import enum
import socket
import time
from collections.abc import Callable

from attrs import define, field, frozen

from duoproxy.errors import RemoteProtocolError
from duoproxy.radius.attributes import AttributeId, Type, first
from duoproxy.radius.authenticators import (
    MessageAuthenticator,
    check_message_authenticator,
    encode_request,
    reply_is_authentic,
)
from duoproxy.radius.credentials import MICROSOFT
from duoproxy.radius.hiding import hide_password
from duoproxy.radius.packet import (
    AUTHENTICATOR_BYTES,
    MAX_PACKET_BYTES,
    Attribute,
    Code,
    Packet,
    decode_packet,
    encode_packet,
    frame_packet,
)
from duoproxy.secret import Secret
from duoproxy.tools.login_proofs import CHALLENGE_BYTES, chap, ms_chap_v2

NAS_IDENTIFIER = "duoproxy-login"
VIRTUAL_PORT = 5
MAX_IGNORED = 20
SEND_AGAIN_AT_LEAST_S = 0.1
MS_CHAP2_SUCCESS = AttributeId(MICROSOFT, 26)


class LoginEnd(enum.Enum):
    """How a login with the tool ended; the value is its name in JSON."""

    ACCEPT = "accept"
    REJECT = "reject"
    NO_ANSWER = "no-answer"
    NOBODY_LISTENS = "nobody-listens"
    BAD_REPLY = "bad-reply"
    CHALLENGE = "challenge"


class LoginMethod(enum.Enum):
    """How the password is proven; the value is its name in text."""

    PAP = "PAP"
    CHAP = "CHAP"
    MS_CHAP_V2 = "MS-CHAPv2"


_ENDS: dict[int, LoginEnd] = {
    Code.ACCESS_ACCEPT: LoginEnd.ACCEPT,
    Code.ACCESS_REJECT: LoginEnd.REJECT,
    Code.ACCESS_CHALLENGE: LoginEnd.CHALLENGE,
}


@frozen
class LoginCall:
    """What is asked, of whom.

    Attributes:
        address: of the server.
        port: its UDP port.
        secret: the shared secret.
        username: who logs in.
        password: the text of the password field.
        client_ip: the user's own address for Calling-Station-Id; empty for none.
        timeout_s: how long to wait in all.
        retries: how often the same datagram is sent again while nothing comes.
        signs: whether the request carries a Message-Authenticator.
        method: how the password is proven.
        states: the State of the challenge that is answered.
    """

    address: str
    port: int
    secret: Secret
    username: str
    password: Secret
    client_ip: str = ""
    timeout_s: float = 60.0
    retries: int = 0
    signs: bool = True
    method: LoginMethod = LoginMethod.PAP
    states: tuple[Attribute, ...] = ()


@frozen
class LoginRequestMade:
    """A request, and what is expected of its answer.

    Attributes:
        identifier: 0..255.
        request_authenticator: 16 octets.
        attributes: a Message-Authenticator stands before them on the wire.
        datagram: its octets.
        success: the MS-CHAP2-Success that an Access-Accept has to carry; empty: none.
    """

    identifier: int
    request_authenticator: bytes
    attributes: tuple[Attribute, ...]
    datagram: bytes = field(repr=False)
    success: bytes = b""


@frozen
class LoginResult:
    """What came of it.

    Attributes:
        end: how it ended.
        duration_s: from the first datagram to the end.
        sends: how often the request was sent.
        reply: the reply, as far as it can be read.
        message_authenticator: what that of the reply proves; None without a reply.
        fault: for BAD_REPLY: one clause.
        ignored: datagrams that were none of ours, one clause each.
    """

    end: LoginEnd
    duration_s: float
    sends: int
    reply: Packet | None = None
    message_authenticator: MessageAuthenticator | None = None
    fault: str = ""
    ignored: tuple[str, ...] = field(default=())


def build_request(call: LoginCall, random_bytes: Callable[[int], bytes]) -> LoginRequestMade:
    """Make the Access-Request.

    Args:
        call: what is asked.
        random_bytes: as `os.urandom`.

    Raises:
        ValueError: name or password is too long.
    """
    secret, identifier = call.secret.reveal(), random_bytes(1)[0]
    request_authenticator = random_bytes(AUTHENTICATOR_BYTES)
    credential, success = _credential(call, identifier, request_authenticator, random_bytes)
    attributes: list[Attribute] = [
        (Type.USER_NAME, call.username.encode("utf-8", "surrogateescape")),
        *credential,
        (Type.NAS_IDENTIFIER, NAS_IDENTIFIER.encode("ascii")),
        (Type.NAS_PORT_TYPE, VIRTUAL_PORT.to_bytes(4, "big")),
    ]
    if call.client_ip:
        attributes.append((Type.CALLING_STATION_ID, call.client_ip.encode("utf-8")))
    attributes += call.states
    if call.signs:
        datagram = encode_request(Code.ACCESS_REQUEST, identifier, request_authenticator, attributes, secret)
    else:
        datagram = encode_packet(Packet(Code.ACCESS_REQUEST, identifier, request_authenticator, tuple(attributes)))
    return LoginRequestMade(identifier, request_authenticator, tuple(attributes), datagram, success)


def _credential(
    call: LoginCall, identifier: int, request_authenticator: bytes, random_bytes: Callable[[int], bytes]
) -> tuple[tuple[Attribute, ...], bytes]:
    """The attributes that prove the password, and the MS-CHAP2-Success that answers them."""
    if call.method is LoginMethod.CHAP:
        return chap(call.password, identifier, random_bytes(CHALLENGE_BYTES)), b""
    if call.method is LoginMethod.MS_CHAP_V2:
        challenge, peer_challenge = random_bytes(CHALLENGE_BYTES), random_bytes(CHALLENGE_BYTES)
        made = ms_chap_v2(call.username, call.password, identifier, challenge, peer_challenge)
        return made.attributes, made.success
    hidden = hide_password(call.password.reveal(), call.secret.reveal(), request_authenticator)
    return ((Type.USER_PASSWORD, hidden),), b""


def judge_reply(
    datagram: bytes, made: LoginRequestMade, secret: Secret
) -> tuple[LoginEnd, Packet | None, MessageAuthenticator | None, str]:
    """Check a datagram that came from the server.

    Returns:
        how the login ends with it (NO_ANSWER: it is none of ours, the wait goes on), the packet as far as it can be
        read, what its Message-Authenticator proves, and for a bad reply what is wrong with it.
    """
    try:
        framed = frame_packet(datagram)
        packet = decode_packet(framed)
    except RemoteProtocolError as error:
        return LoginEnd.BAD_REPLY, None, None, f"it is no RADIUS packet: {error}"
    if packet.identifier != made.identifier:
        fault = f"a reply with identifier {packet.identifier} instead of {made.identifier}"
        return LoginEnd.NO_ANSWER, packet, None, fault
    proof = check_message_authenticator(framed, secret.reveal(), made.request_authenticator)
    if not reply_is_authentic(framed, made.request_authenticator, secret.reveal()):
        return LoginEnd.BAD_REPLY, packet, proof, "its Response Authenticator does not fit"
    if proof is MessageAuthenticator.INVALID:
        return LoginEnd.BAD_REPLY, packet, proof, "its Message-Authenticator does not fit"
    end = _ENDS.get(packet.code)
    if end is None:
        return LoginEnd.BAD_REPLY, packet, proof, f"its code is {packet.code}, which answers no Access-Request"
    if end is LoginEnd.ACCEPT and made.success and first(packet.attributes, MS_CHAP2_SUCCESS) != made.success:
        return LoginEnd.BAD_REPLY, packet, proof, "it carries no MS-CHAP2-Success that fits: a client would hang up"
    return end, packet, proof, ""


def exchange(
    call: LoginCall,
    made: LoginRequestMade,
    sent: Callable[[float, int], None] = lambda elapsed_s, sends: None,
) -> LoginResult:
    """Send the request, again if need be, and wait for the reply.

    Args:
        call: what is asked, of whom.
        made: the request.
        sent: told of each datagram that was sent: seconds since the first one, and the count.

    Raises:
        OSError: the server's address cannot be used at all.
    """
    progress = _Progress(time.monotonic())
    family = socket.AF_INET6 if ":" in call.address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as udp:
        udp.connect((call.address, call.port))  # the kernel drops what others send, and tells us of a closed port
        try:
            return _converse(udp, call, made, progress, sent)
        except ConnectionRefusedError:
            return progress.result(LoginEnd.NOBODY_LISTENS)


@define
class _Progress:
    """How far an exchange has come.

    Attributes:
        began: seconds, monotonic.
        sends: datagrams that were sent.
        ignored: why datagrams were no reply, at most `MAX_IGNORED`.
    """

    began: float
    sends: int = 0
    ignored: tuple[str, ...] = ()

    @property
    def elapsed_s(self) -> float:
        return time.monotonic() - self.began

    def result(
        self, end: LoginEnd, packet: Packet | None = None, proof: MessageAuthenticator | None = None, fault: str = ""
    ) -> LoginResult:
        return LoginResult(end, self.elapsed_s, self.sends, packet, proof, fault, self.ignored)


def _converse(
    udp: socket.socket,
    call: LoginCall,
    made: LoginRequestMade,
    progress: _Progress,
    sent: Callable[[float, int], None],
) -> LoginResult:
    """Send and wait in turn; raises `ConnectionRefusedError` when nobody listens."""
    pause_s = max(call.timeout_s / (call.retries + 1), SEND_AGAIN_AT_LEAST_S)
    while (elapsed_s := progress.elapsed_s) < call.timeout_s:
        if progress.sends <= call.retries and elapsed_s >= progress.sends * pause_s:
            udp.send(made.datagram)
            progress.sends += 1
            sent(elapsed_s, progress.sends)
        send_again_at_s = progress.sends * pause_s if progress.sends <= call.retries else call.timeout_s
        udp.settimeout(max(0.001, min(send_again_at_s, call.timeout_s) - elapsed_s))
        try:
            received = udp.recv(MAX_PACKET_BYTES + 1)
        except TimeoutError:
            continue
        end, packet, proof, fault = judge_reply(received, made, call.secret)
        if end is not LoginEnd.NO_ANSWER:
            return progress.result(end, packet, proof, fault)
        progress.ignored = (*progress.ignored, fault)[:MAX_IGNORED]
    return progress.result(LoginEnd.NO_ANSWER)
