"""How a reply becomes octets: Message-Authenticator first, the section's attributes, then Proxy-State in its order.

Source: RFC 2865 §5.33, RFC 3579 §3.2.
"""

from __future__ import annotations

from duoproxy.net.radius_messages import REJECT, ReceivedRequest, Reply
from duoproxy.radius.attributes import Type
from duoproxy.radius.authenticators import encode_reply


def encode_or_reject(request: ReceivedRequest, reply: Reply) -> tuple[bytes | None, str]:
    """Write the reply to `request`.

    Returns:
        the octets, and why the reply as wanted did not fit into a packet: empty when it did. When it did not, the
        octets are those of a bare Access-Reject; None when not even the Proxy-State of the request fits into that.
    """
    attributes = reply.attributes_for(request)
    proxy_state = [attribute for attribute in request.packet.attributes if attribute[0] == Type.PROXY_STATE]
    why_not = ""
    for code, wanted in ((reply.code, attributes), (REJECT.code, ())):
        try:
            octets = encode_reply(
                code,
                request.packet.identifier,
                request.packet.authenticator,
                [*wanted, *proxy_state],
                request.secret.reveal(),
            )
        except ValueError as error:
            why_not = why_not or str(error)
            continue
        return octets, why_not
    return None, why_not
