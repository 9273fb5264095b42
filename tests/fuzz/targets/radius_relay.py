"""What crosses the proxy: any attributes of one side give attributes that fit into a packet of the other."""

from __future__ import annotations

from duoproxy.radius.attributes import AttributeId, Type, vendor_of
from duoproxy.radius.authenticators import encode_reply
from duoproxy.radius.dictionary import load_dictionary
from duoproxy.radius.packet import Code, Packet
from duoproxy.radius.relay import PassThrough, reply_attributes_for_device, request_attributes_for_upstream
from duoproxy.testing import repeatable_random
from tests.fuzz.shaping import first_octet, lenient_attributes

DICTIONARY = load_dictionary()
UPSTREAM, DEVICE = (b"upstream's", bytes(range(16))), (b"the device's", bytes(range(16, 32)))
CHOICES = (
    PassThrough(everything=True),
    PassThrough(names=frozenset({AttributeId(0, Type.VENDOR_SPECIFIC)})),
    PassThrough(names=frozenset({AttributeId(0, Type.CLASS), AttributeId(311, 16), AttributeId(0, 69)})),
    PassThrough(),
)
NEVER = {Type.USER_PASSWORD, Type.CHAP_PASSWORD, Type.EAP_MESSAGE, Type.STATE, Type.PROXY_STATE}
IN_A_REJECT = {Type.REPLY_MESSAGE, Type.PASSWORD_RETRY, Type.ERROR_CAUSE, Type.VENDOR_SPECIFIC}


def target(data: bytes) -> None:
    chosen, body = first_octet(data)
    pass_through, accepted = CHOICES[chosen % len(CHOICES)], chosen < 0x80
    code = Code.ACCESS_ACCEPT if accepted else Code.ACCESS_REJECT
    packet = Packet(code, 0, bytes(16), tuple(lenient_attributes(body)))
    relayed = reply_attributes_for_device(
        packet, UPSTREAM[1], UPSTREAM[0], pass_through, DICTIONARY, *DEVICE, repeatable_random(), accepted
    )
    encode_reply(code, 0, DEVICE[1], relayed, DEVICE[0])
    numbers = {number for number, _ in relayed}
    assert numbers.isdisjoint(NEVER)
    assert pass_through.everything or pass_through.names or not relayed
    if not accepted:
        assert numbers <= IN_A_REJECT
        assert all(vendor_of(value) == 311 for number, value in relayed if number == Type.VENDOR_SPECIFIC)
    upstream = request_attributes_for_upstream(packet, pass_through, DICTIONARY)
    assert {number for number, _ in upstream}.isdisjoint(NEVER | {Type.USER_NAME})
    assert len(upstream) <= len(packet.attributes)
