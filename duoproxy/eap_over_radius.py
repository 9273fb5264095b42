"""What RADIUS adds to EAP: how packets are carried, how long they may be, and how the keys reach the device.

Owns EAP-Message, EAP-Start, the length that a device can take, Session-Timeout, MS-MPPE keys and EAP-Key-Name. It knows
neither conversations nor sockets; whose State is whose is decided elsewhere.

Source: RFC 3579, RFC 2548 §2.4, RFC 5216 §2.3, RFC 7268 §2.2.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from duoproxy.eap.actions import Fail, SendRequest, SessionKeys, Succeed
from duoproxy.radius.attributes import Type, first, joined, split_long, vendor_attribute
from duoproxy.radius.hiding import distinct_salts, encrypt_salted
from duoproxy.radius.packet import Attribute

MICROSOFT: Final = 311
MS_MPPE_SEND_KEY: Final = 16
MS_MPPE_RECV_KEY: Final = 17
MPPE_KEY_BYTES: Final = 32

DEFAULT_MAX_FRAGMENT_BYTES: Final = 1024
"""An EAP packet of this size and what RADIUS adds to it fit into one packet of any network that is in use."""
MIN_MTU_BYTES: Final = 200
MAX_MTU_BYTES: Final = 1496
"""Framed-MTU outside of these is taken for the nearer one: smaller ones would need hundreds of rounds."""
WIRELESS_802_11: Final = 19
WIRELESS_HEADER_BYTES: Final = 4
INVALID_EAP_PACKET: Final = 202

_MAX_START_BYTES = 1
"""EAP-Start has an empty EAP-Message; some devices put one octet into it."""
_MAX_USERNAME_BYTES = 253
_INTEGER_BYTES = 4


def eap_of(attributes: Iterable[Attribute]) -> bytes | None:
    """Join the EAP packet of a request; None when it carries none.

    Source: RFC 3579 §3.1.
    """
    return joined(attributes, Type.EAP_MESSAGE)


def is_eap_start(eap: bytes) -> bool:
    """Tell whether what `eap_of` gave is an EAP-Start. Source: RFC 3579 §2.1."""
    return len(eap) <= _MAX_START_BYTES


def mtu_bytes(values: Mapping[int, bytes], max_fragment_bytes: int = DEFAULT_MAX_FRAGMENT_BYTES) -> int:
    """Give how long an EAP packet to the peer may be, its header included.

    Args:
        values: of the request, by number (`Packet.firsts`): Framed-MTU and NAS-Port-Type count.
        max_fragment_bytes: what the administrator allows; `MIN_MTU_BYTES` or more.

    Source: RFC 3579 §2.4.
    """
    framed = _integer(values.get(Type.FRAMED_MTU))
    if framed is None:
        return max_fragment_bytes
    framed = min(max(framed, MIN_MTU_BYTES), MAX_MTU_BYTES)
    if _integer(values.get(Type.NAS_PORT_TYPE)) == WIRELESS_802_11:
        framed -= WIRELESS_HEADER_BYTES
    return min(framed, max_fragment_bytes)


def challenge_attributes(request: SendRequest, state: bytes) -> list[Attribute]:
    """Make the attributes of an Access-Challenge; no text for the user stands beside EAP-Message.

    Args:
        request: the action.
        state: the State attribute, 1 to 253 octets.

    Source: RFC 3579 §2.3, §2.6.5.
    """
    attributes = [*split_long(Type.EAP_MESSAGE, request.eap), (Type.STATE, state)]
    if request.session_timeout_s is not None:
        attributes.append((Type.SESSION_TIMEOUT, request.session_timeout_s.to_bytes(_INTEGER_BYTES, "big")))
    return attributes


def repetition_attributes(last_request: SendRequest, state: bytes) -> list[Attribute]:
    """Make the attributes of an Access-Challenge that answers a packet which was discarded.

    Args:
        last_request: what was sent last, with the time that the user has for it.
        state: the State attribute.

    Source: RFC 3579 §2.2.
    """
    cause = (Type.ERROR_CAUSE, INVALID_EAP_PACKET.to_bytes(_INTEGER_BYTES, "big"))
    return [*challenge_attributes(last_request, state), cause]


def accept_attributes(
    success: Succeed,
    request: Iterable[Attribute],
    secret: bytes,
    request_authenticator: bytes,
    random_bytes: Callable[[int], bytes],
    username: bytes,
) -> list[Attribute]:
    """Make the attributes of an Access-Accept: EAP-Success, who it is, and the keys.

    Args:
        success: the action.
        request: attributes of the request that is answered; EAP-Key-Name in it asks for the name of the session.
        secret: shared with the device.
        request_authenticator: 16 octets, of the request that is answered.
        random_bytes: as `os.urandom`; for salts.
        username: the inner identity, in octets; none that is empty or over 253 octets is sent.

    Source: RFC 3579 §2.6.3, RFC 2548 §2.4.
    """
    request = list(request)
    attributes = split_long(Type.EAP_MESSAGE, success.eap)
    if 0 < len(username) <= _MAX_USERNAME_BYTES:
        attributes.append((Type.USER_NAME, username))
    attributes += mppe_key_attributes(success.keys, secret, request_authenticator, random_bytes)
    if first(request, Type.EAP_KEY_NAME) is not None:
        attributes.append((Type.EAP_KEY_NAME, success.keys.session_id))
    return attributes


def reject_attributes(failure: Fail) -> list[Attribute]:
    """Make the attributes of an Access-Reject: EAP-Failure and nothing else. Source: RFC 3579 §2.6.3, §2.6.5."""
    return split_long(Type.EAP_MESSAGE, failure.eap)


def mppe_key_attributes(
    keys: SessionKeys, secret: bytes, request_authenticator: bytes, random_bytes: Callable[[int], bytes]
) -> list[Attribute]:
    """Hide the master session key for the device; "receive" and "send" are meant from its side.

    Args:
        keys: of the session.
        secret: shared with the device.
        request_authenticator: 16 octets, of the request that is answered.
        random_bytes: as `os.urandom`; for salts.

    Source: RFC 2548 §2.4.2, §2.4.3, RFC 5216 §2.3.
    """
    msk = keys.msk.reveal()
    halves = {MS_MPPE_RECV_KEY: msk[:MPPE_KEY_BYTES], MS_MPPE_SEND_KEY: msk[MPPE_KEY_BYTES : 2 * MPPE_KEY_BYTES]}
    salts = distinct_salts(len(halves), random_bytes)
    return [
        vendor_attribute(MICROSOFT, number, encrypt_salted(key, secret, request_authenticator, salt))
        for (number, key), salt in zip(halves.items(), salts, strict=True)
    ]


def _integer(value: bytes | None) -> int | None:
    """Read a number; one that has another size than four octets is none."""
    return int.from_bytes(value, "big") if value is not None and len(value) == _INTEGER_BYTES else None
