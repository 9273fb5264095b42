"""What duoproxy-login makes of a datagram: an end, never an exception; an accept only when the reply is authentic."""

from __future__ import annotations

from duoproxy.radius.authenticators import MessageAuthenticator, reply_is_authentic
from duoproxy.radius.packet import Code, frame_packet
from duoproxy.secret import Secret
from duoproxy.tools.login_exchange import LoginEnd, LoginRequestMade, judge_reply
from tests.fuzz.shaping import server_reply

SECRET = Secret(b"the device's")
AUTHENTICATOR = bytes(range(16))
GOOD_ENDS = {
    LoginEnd.ACCEPT: Code.ACCESS_ACCEPT,
    LoginEnd.REJECT: Code.ACCESS_REJECT,
    LoginEnd.CHALLENGE: Code.ACCESS_CHALLENGE,
}


def target(data: bytes) -> None:
    identifier = data[1] if len(data) > 1 else 0
    made = LoginRequestMade(identifier, AUTHENTICATOR, (), b"", success=b"S=" if data[:1] > b"\x7f" else b"")
    for datagram in (data, server_reply(data, identifier, AUTHENTICATOR, SECRET.reveal())):
        end, packet, proof, fault = judge_reply(datagram, made, SECRET)
        assert fault.isprintable()
        assert bool(fault) == (end not in GOOD_ENDS)
        if end in GOOD_ENDS:
            assert packet is not None
            assert packet.code == GOOD_ENDS[end]
            assert proof is not MessageAuthenticator.INVALID
            assert reply_is_authentic(frame_packet(datagram), AUTHENTICATOR, SECRET.reveal())
