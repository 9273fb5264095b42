"""Responses of a stranger to PEAP, as far as TLS takes them: an action each time, one end, and never success."""

from __future__ import annotations

from duoproxy.eap.actions import Discard, Fail, SendRequest
from duoproxy.eap.authenticator import EapAuthenticator, EapLimits
from duoproxy.eap.methods.peap import PeapSettings, peap_registry
from tests.fuzz.shaping import first_octet, messages
from tests.unit.eap.certificates import tls_context
from tests.unit.eap.peap_peer import PEAP, response

MTU = 400
REGISTRY = peap_registry(PeapSettings(tls_context(), max_tls_message_bytes=2000), bytes)
WORDS = (
    b"\x01\x01",
    b"\x05\xc1\0\0\0\x0a",
    b"\x08\x01\x15\x03\x03\0\x02\x02\x30",
    b"\x16\x03\x01\0\x2f\x01\0\0\x2b\x03\x03",
    b"\x00\x04\xc0\x2b\x13\x01\x01\0",
)


def target(data: bytes) -> None:
    chosen, stream = first_octet(data)
    server = EapAuthenticator(REGISTRY, bytes, EapLimits(max_rounds=20), 0.0)
    server.receive(response(7, 1, b"anonymous"), 0.0, MTU)
    for octets in messages(stream):
        packet = octets if chosen & 1 else response(server.last_request[1], PEAP, octets)
        [action] = server.receive(packet, 0.0, MTU)
        assert isinstance(action, SendRequest | Fail | Discard)
        if isinstance(action, SendRequest):
            assert len(action.eap) <= MTU
        else:
            assert action.reason.isprintable()
        assert server.finished == isinstance(action, Fail) or isinstance(action, Discard)
