"""How a reply becomes octets: Message-Authenticator first, the section's attributes, then Proxy-State in its order.

Also the refusal that needs no section: bare, or with the EAP-Failure without which a device would not tell its peer.
Whoever refuses, and why: to an MS-CHAP login every Access-Reject has the MS-CHAP-Error that its client waits for.

Source: RFC 2865 §5.33, RFC 3579 §2.6.3, §3.2; RFC 2548 §2.1.5.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from duoproxy.eap.actions import Fail
from duoproxy.eap.packet import Code as EapCode
from duoproxy.eap.packet import EapPacket, encode_eap
from duoproxy.eap_over_radius import eap_of, reject_attributes
from duoproxy.net.radius_messages import REJECT, ReceivedRequest, Reply
from duoproxy.radius.attributes import Type
from duoproxy.radius.authenticators import encode_reply
from duoproxy.radius.ms_chap_error import with_ms_chap_error
from duoproxy.radius.packet import Attribute, Code


def refusal(request: ReceivedRequest) -> Reply:
    """Make an Access-Reject; for a request with EAP with an EAP-Failure of its Identifier. Source: RFC 3579 §2.6.3."""
    eap = eap_of(request.packet.attributes)
    if eap is None:
        return REJECT
    identifier = eap[1] if len(eap) > 1 else 0
    failure = encode_eap(EapPacket(EapCode.FAILURE, identifier))
    return Reply(Code.ACCESS_REJECT, reject_attributes(Fail(failure, "")))


def encode_or_reject(
    request: ReceivedRequest, reply: Reply, random_bytes: Callable[[int], bytes]
) -> tuple[bytes | None, str]:
    """Write the reply to `request`.

    Args:
        request: of a device.
        reply: to it.
        random_bytes: as `os.urandom`.

    Returns:
        the octets, and why the reply as wanted did not fit into a packet: empty when it did. When it did not, the
        octets are those of a `refusal`; None when not even the Proxy-State of the request fits into that.
    """
    attributes = reply.attributes_for(request)
    try:
        return _encode(request, reply.code, attributes, random_bytes), ""
    except ValueError as error:
        why_not = str(error)
    try:
        return _encode(request, REJECT.code, refusal(request).attributes_for(request), random_bytes), why_not
    except ValueError:
        return None, why_not


def _encode(
    request: ReceivedRequest, code: int, attributes: Sequence[Attribute], random_bytes: Callable[[int], bytes]
) -> bytes:
    packet = request.packet
    if code == Code.ACCESS_REJECT:
        attributes = with_ms_chap_error(attributes, packet.attributes, random_bytes)
    if Type.PROXY_STATE in packet.firsts:
        attributes = [*attributes, *(each for each in packet.attributes if each[0] == Type.PROXY_STATE)]
    return encode_reply(code, packet.identifier, packet.authenticator, attributes, request.secret)
