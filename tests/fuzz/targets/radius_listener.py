"""A datagram from a known device, as far as a login with it: nothing is raised, and an Accept needs the password.

Each input is sent as it is, and then with lengths and signature put right.
"""

from __future__ import annotations

from twisted.internet.task import Clock

from duoproxy.login.policy import LoginPolicy
from duoproxy.net.radius_server import RadiusDevice, RadiusPolicy, RadiusServer
from duoproxy.radius.addresses import parse_address_range
from duoproxy.radius.attributes import AttributeId, Type
from duoproxy.radius.authenticators import MessageAuthenticator, check_message_authenticator, reply_is_authentic
from duoproxy.radius.hiding import reveal_password
from duoproxy.radius.packet import Code, decode_packet, frame_packet
from duoproxy.radius.relay import PassThrough
from duoproxy.secret import Secret
from duoproxy.sections.login_shell import LoginShellSettings
from duoproxy.sections.radius_login import RadiusLogins
from duoproxy.testing import FakePrimary, FakeSecondFactor, make_environment
from tests.fuzz.log_watch import LogWatch
from tests.fuzz.shaping import device_request, first_octet
from tests.twisted.radius_fakes import SECRET, CountedBytes, FakeTransport

PASSWORD = "pencil"
CODECS = ("utf-8", "latin-1", "cp1252", "shift_jis")
THREE_WAYS = ("auto", "yes", "no")
ADDRESSES = (AttributeId(0, Type.CALLING_STATION_ID), AttributeId(0, Type.NAS_IP_ADDRESS), AttributeId(25461, 7))
ENVIRONMENT = make_environment("radius_server_auto")
WORDS = (b"\x01\x07alice", b"\x02\x08pencil", b"\x02\x0dpencil,push", b"\x50\x12", b"\x21\x04px", b"\x1f\x0b192.0.2.7")


def target(data: bytes) -> None:
    chosen, octets = first_octet(data)
    signed = bool(chosen & 1)
    with LogWatch() as log:
        server, transport = _listener(chosen >> 1)
        for datagram in (octets, device_request(octets, SECRET, signed=signed)):
            del transport.sent[:]
            server.datagram_received(datagram, ("10.0.0.5", 50000), "10.0.0.1")
            assert server.pending == 0
            assert len(transport.sent) <= 1
            for reply, destination, _ in transport.sent:
                assert destination == ("10.0.0.5", 50000)
                _judge(frame_packet(datagram), reply)
    log.shows_no_fault()


def _listener(chosen: int) -> tuple[RadiusServer, FakeTransport]:
    settings = LoginShellSettings(
        policy=LoginPolicy(),
        pass_through=PassThrough(),
        client_ip_attr=ADDRESSES[chosen % 3],
        pw_codec=CODECS[chosen // 3 % 4],
        ikey="DIXXXXXXXXXXXXXXXXXX",
        client_section="radius_client",
    )
    transport = FakeTransport()
    server = RadiusServer(
        section_name="radius_server_auto",
        reactor=Clock(),
        devices=[RadiusDevice(parse_address_range("10.0.0.5"), Secret(SECRET), "radius_ip_1")],
        policy=RadiusPolicy(require_message_authenticator=THREE_WAYS[chosen // 12 % 3]),
        handler=RadiusLogins(settings, ENVIRONMENT, FakePrimary(PASSWORD), FakeSecondFactor()).handle,
        random_bytes=CountedBytes(),
        dictionary=ENVIRONMENT.dictionary,
        debug=True,
        open_socket=lambda interface, port: transport,
    )
    server.bind("", 1812)
    server.start()
    return server, transport


def _judge(request: bytes, reply: bytes) -> None:
    """A reply is authentic, belongs to its request, and lets in whoever has the password."""
    authenticator = request[4:20]
    assert reply[1] == request[1]
    assert reply_is_authentic(reply, authenticator, SECRET)
    assert check_message_authenticator(reply, SECRET, authenticator) is MessageAuthenticator.VALID
    asked, answered = decode_packet(request), decode_packet(reply)
    assert answered.attributes[0][0] == Type.MESSAGE_AUTHENTICATOR
    states = [value for number, value in asked.attributes if number == Type.PROXY_STATE]
    assert [value for number, value in answered.attributes if number == Type.PROXY_STATE] == states
    if answered.code == Code.ACCESS_ACCEPT and asked.code == Code.ACCESS_REQUEST:
        [hidden] = [value for number, value in asked.attributes if number == Type.USER_PASSWORD]
        assert reveal_password(hidden, SECRET, authenticator).startswith(PASSWORD.encode())
