"""EAP in RADIUS. Source: RFC 3579, RFC 2548 §2.4."""

from __future__ import annotations

import pytest

from duoproxy.eap.actions import Fail, SendRequest, SessionKeys, Succeed
from duoproxy.eap_over_radius import (
    accept_attributes,
    challenge_attributes,
    eap_of,
    is_eap_start,
    mppe_key_attributes,
    mtu_bytes,
    reject_attributes,
    repetition_attributes,
)
from duoproxy.radius.attributes import AttributeId, Type, all_values, first
from duoproxy.radius.hiding import decrypt_salted
from duoproxy.radius.packet import Attribute
from duoproxy.secret import Secret

AUTHENTICATOR = bytes(range(16))
RECV_KEY = bytes(range(0x40, 0x60))
SEND_KEY = bytes(range(0x5F, 0x3F, -1))
KEYS = SessionKeys(Secret(RECV_KEY + SEND_KEY), Secret(bytes(64)), b"\x19" + bytes(64))
SUCCESS = Succeed(b"\x03\x07\x00\x04", KEYS, "alice")


def test_long_packet_is_cut_and_joined():
    """EAP-Message has 253 octets at most, side by side; joined they are one packet. RFC 3579 §3.1."""
    packet = bytes(range(256)) * 5
    attributes = challenge_attributes(SendRequest(packet), b"state")
    assert [len(value) for number, value in attributes if number == Type.EAP_MESSAGE] == [253] * 5 + [15]
    assert [number for number, _ in attributes] == [Type.EAP_MESSAGE] * 6 + [Type.STATE]
    assert eap_of(attributes) == packet


def test_request_without_eap():
    """No EAP-Message: None."""
    assert eap_of([(Type.USER_NAME, b"alice")]) is None


@pytest.mark.parametrize(("value", "start"), [(b"", True), (b"\0", True), (b"\x02\x01", False)])
def test_eap_start(value: bytes, start: bool):
    """An empty EAP-Message, or one octet of some devices, is EAP-Start. RFC 3579 §2.1."""
    eap = eap_of([(Type.EAP_MESSAGE, value)])
    assert eap is not None
    assert is_eap_start(eap) is start


def number(value: int) -> bytes:
    return value.to_bytes(4, "big")


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ([], 1400),
        ([(Type.FRAMED_MTU, number(1000))], 1000),
        ([(Type.FRAMED_MTU, number(1000)), (Type.NAS_PORT_TYPE, number(19))], 996),
        ([(Type.FRAMED_MTU, number(1000)), (Type.NAS_PORT_TYPE, number(5))], 1000),
        ([(Type.FRAMED_MTU, number(9000))], 1400),
        ([(Type.FRAMED_MTU, number(0))], 200),
        ([(Type.FRAMED_MTU, number(64))], 200),
        ([(Type.FRAMED_MTU, b"\x03\xe8")], 1400),
        ([(Type.NAS_PORT_TYPE, number(19))], 1400),
    ],
)
def test_length_of_a_packet(attributes: list[Attribute], expected: int):
    """Framed-MTU counts, 4 octets less for 802.11; nonsense is clamped; the administrator's limit is one more."""
    assert mtu_bytes(dict(attributes), 1400) == expected


@pytest.mark.parametrize("framed", [1496, 1497, 0xFFFFFFFF])
def test_no_packet_is_longer_than_the_longest_network_takes(framed: int):
    """A Framed-MTU of 1496 is taken as it is, more for 1496; for 802.11 it is 4 octets less."""
    wireless: dict[int, bytes] = {Type.NAS_PORT_TYPE: number(19)}
    assert mtu_bytes({Type.FRAMED_MTU: number(framed)}, 2000) == 1496
    assert mtu_bytes({Type.FRAMED_MTU: number(framed), **wireless}, 2000) == 1492


def test_prompt_sets_the_timer_of_the_device():
    """Session-Timeout beside EAP-Message is the time for this answer. RFC 3579 §2.3."""
    attributes = challenge_attributes(SendRequest(b"\x01\x02\x00\x05\x06", 60), b"state")
    assert attributes[-1] == (Type.SESSION_TIMEOUT, number(60))


def test_discarded_packet_is_answered_with_the_last_request():
    """Error-Cause 202, Invalid EAP Packet (Ignored). RFC 3579 §2.2."""
    assert repetition_attributes(SendRequest(b"\x01\x02\x00\x05\x06", None), b"state") == [
        (Type.EAP_MESSAGE, b"\x01\x02\x00\x05\x06"),
        (Type.STATE, b"state"),
        (Type.ERROR_CAUSE, number(202)),
    ]


def test_a_prompt_that_is_repeated_gives_the_user_its_time_again():
    """Session-Timeout stands beside the repeated request, too. RFC 3579 §2.3."""
    attributes = repetition_attributes(SendRequest(b"\x01\x02\x00\x05\x06", 60), b"state")
    assert (Type.SESSION_TIMEOUT, number(60)) in attributes


def test_reject_carries_the_failure_alone():
    """Exactly one EAP-Failure, and no text beside it. RFC 3579 §2.6.3, §2.6.5."""
    assert reject_attributes(Fail(b"\x04\x07\x00\x04", "why")) == [(Type.EAP_MESSAGE, b"\x04\x07\x00\x04")]


def accepted(request: list[Attribute], username: bytes = b"alice") -> list[Attribute]:
    return accept_attributes(SUCCESS, request, b"s3", AUTHENTICATOR, lambda count: b"\x80\x01"[-count:], username)


def test_mppe_keys_by_the_formula():
    """RFC 2548 §2.4.2: MS-MPPE-Recv-Key is the first half of the MSK, MS-MPPE-Send-Key the second."""
    recv, send = mppe_key_attributes(KEYS, b"s3", AUTHENTICATOR, lambda count: b"\x80\x01")
    assert recv[1].hex() == (
        "0000013711348001b4a837b225a4f6a166fb9298a706da55bd834bec91255c7160691a82790eff211cb02064aa49f074ae89adc4ea21c941"
    )
    assert send[1].hex() == (
        "000001371034800220cf4dffeb08168f73e9ca122c8fdff124ef3cee1a929d6fa60beb41ce2fe1dfd822e064787869405aa6e3940b7ae7d9"
    )


def test_accept_carries_success_name_and_keys():
    """One EAP-Success, the inner identity, both keys with salts of their own."""
    attributes = accepted([])
    assert all_values(attributes, Type.EAP_MESSAGE) == [SUCCESS.eap]
    assert first(attributes, Type.USER_NAME) == b"alice"
    keys = [first(attributes, AttributeId(311, number)) for number in (17, 16)]
    assert [decrypt_salted(each or b"", b"s3", AUTHENTICATOR) for each in keys] == [RECV_KEY, SEND_KEY]
    assert len({(each or b"")[:2] for each in keys}) == 2
    assert first(attributes, Type.EAP_KEY_NAME) is None


@pytest.mark.parametrize("value", [b"", b"\0"])
def test_name_of_the_session_is_given_when_it_is_asked_for(value: bytes):
    """EAP-Key-Name in the request asks for it. RFC 7268 §2.2."""
    assert first(accepted([(Type.EAP_KEY_NAME, value)]), Type.EAP_KEY_NAME) == KEYS.session_id


def test_longest_name_is_given():
    """A User-Name has up to 253 octets."""
    assert first(accepted([], b"a" * 253), Type.USER_NAME) == b"a" * 253


@pytest.mark.parametrize("username", [b"", b"a" * 254])
def test_name_that_does_not_fit_is_left_out(username: bytes):
    """A User-Name has 1 to 253 octets."""
    assert first(accepted([], username), Type.USER_NAME) is None
