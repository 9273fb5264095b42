"""One RADIUS login as a device does it: an Access-Request out, the reply in, both checked. For the tool duoproxy-login.

Plain blocking sockets: a tool for one login at a time needs no more. What is shown of it is `login`'s business.
"""

from __future__ import annotations

import enum
import socket
import time
from collections.abc import Callable

from attrs import field, frozen

from duoproxy.errors import RemoteProtocolError
from duoproxy.radius.attributes import Type
from duoproxy.radius.authenticators import (
    MessageAuthenticator,
    check_message_authenticator,
    encode_request,
    reply_is_authentic,
)
from duoproxy.radius.hiding import hide_password
from duoproxy.radius.packet import MAX_PACKET_BYTES, Attribute, Code, Packet, decode_packet, encode_packet, frame_packet
from duoproxy.secret import Secret

NAS_IDENTIFIER = "duoproxy-login"
VIRTUAL_PORT = 5
MAX_IGNORED = 20
SEND_AGAIN_AT_LEAST_S = 0.1


class LoginEnd(enum.Enum):
    """How a login with the tool ended; the value is its name in JSON."""

    ACCEPT = "accept"
    REJECT = "reject"
    NO_ANSWER = "no-answer"
    NOBODY_LISTENS = "nobody-listens"
    BAD_REPLY = "bad-reply"
    CHALLENGE = "challenge"


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


def build_request(call: LoginCall, identifier: int, request_authenticator: bytes) -> tuple[list[Attribute], bytes]:
    """Make the Access-Request.

    Args:
        call: what is asked.
        identifier: 0..255.
        request_authenticator: 16 random octets.

    Returns:
        its attributes (a Message-Authenticator stands before them on the wire), and its octets.

    Raises:
        ValueError: name or password is too long.
    """
    secret = call.secret.reveal()
    attributes: list[Attribute] = [
        (Type.USER_NAME, call.username.encode("utf-8", "surrogateescape")),
        (Type.USER_PASSWORD, hide_password(call.password.reveal(), secret, request_authenticator)),
        (Type.NAS_IDENTIFIER, NAS_IDENTIFIER.encode("ascii")),
        (Type.NAS_PORT_TYPE, VIRTUAL_PORT.to_bytes(4, "big")),
    ]
    if call.client_ip:
        attributes.append((Type.CALLING_STATION_ID, call.client_ip.encode("utf-8")))
    if not call.signs:
        packet = Packet(Code.ACCESS_REQUEST, identifier, request_authenticator, tuple(attributes))
        return attributes, encode_packet(packet)
    return attributes, encode_request(Code.ACCESS_REQUEST, identifier, request_authenticator, attributes, secret)


def judge_reply(
    datagram: bytes, identifier: int, request_authenticator: bytes, secret: Secret
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
    if packet.identifier != identifier:
        return LoginEnd.NO_ANSWER, packet, None, f"a reply with identifier {packet.identifier} instead of {identifier}"
    proof = check_message_authenticator(framed, secret.reveal(), request_authenticator)
    if not reply_is_authentic(framed, request_authenticator, secret.reveal()):
        return LoginEnd.BAD_REPLY, packet, proof, "its Response Authenticator does not fit"
    if proof is MessageAuthenticator.INVALID:
        return LoginEnd.BAD_REPLY, packet, proof, "its Message-Authenticator does not fit"
    end = _ENDS.get(packet.code)
    if end is None:
        return LoginEnd.BAD_REPLY, packet, proof, f"its code is {packet.code}, which answers no Access-Request"
    return end, packet, proof, ""


def exchange(
    call: LoginCall,
    datagram: bytes,
    identifier: int,
    request_authenticator: bytes,
    sent: Callable[[float, int], None] = lambda elapsed_s, sends: None,
) -> LoginResult:
    """Send the request, again if need be, and wait for the reply.

    Args:
        call: what is asked, of whom.
        datagram: the request.
        identifier: its identifier.
        request_authenticator: its authenticator.
        sent: told of each datagram that was sent: seconds since the first one, and the count.

    Raises:
        OSError: the server's address cannot be used at all.
    """
    pause_s = max(call.timeout_s / (call.retries + 1), SEND_AGAIN_AT_LEAST_S)
    ignored: list[str] = []
    family = socket.AF_INET6 if ":" in call.address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as udp:
        udp.connect((call.address, call.port))  # the kernel drops what others send, and tells us of a closed port
        began, sends = time.monotonic(), 0
        while (elapsed_s := time.monotonic() - began) < call.timeout_s:
            try:
                if sends <= call.retries and elapsed_s >= sends * pause_s:
                    udp.send(datagram)
                    sends += 1
                    sent(elapsed_s, sends)
                send_again_at_s = sends * pause_s if sends <= call.retries else call.timeout_s
                udp.settimeout(max(0.001, min(send_again_at_s, call.timeout_s) - elapsed_s))
                received = udp.recv(MAX_PACKET_BYTES + 1)
            except TimeoutError:
                continue
            except ConnectionRefusedError:
                return LoginResult(LoginEnd.NOBODY_LISTENS, time.monotonic() - began, sends, ignored=tuple(ignored))
            end, packet, proof, fault = judge_reply(received, identifier, request_authenticator, call.secret)
            if end is not LoginEnd.NO_ANSWER:
                return LoginResult(end, time.monotonic() - began, sends, packet, proof, fault, tuple(ignored))
            ignored = [*ignored, fault][:MAX_IGNORED]
        return LoginResult(LoginEnd.NO_ANSWER, time.monotonic() - began, sends, ignored=tuple(ignored))
