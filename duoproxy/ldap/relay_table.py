"""What a client's message is, and what becomes of it in each phase of its connection: one table.

Source: RFC 4511 §4.2.1 (nothing else while a bind is under way), §4.11, §4.14.1.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from duoproxy.ldap.ber import fault
from duoproxy.ldap.framing import MessageHead
from duoproxy.ldap.messages import CANCEL, START_TLS, Request, asks_root_dse, read_extended_name
from duoproxy.ldap.password_checks import VERIFY_CREDENTIALS, compares_password


class Phase(enum.Enum):
    """Who the client is."""

    ANONYMOUS = "anonymous"
    BINDING = "binding"
    BOUND = "bound"
    CLOSING = "closing"


class Arrival(enum.Enum):
    """What a client sent."""

    BIND = "bind"
    UNBIND = "unbind"
    ABANDON = "abandon"
    START_TLS = "StartTLS"
    CANCEL = "cancel"
    ROOT_DSE = "search of the root DSE"
    SEARCH = "search"
    PASSWORD_CHECK = "check of a password that is no bind"
    OTHER = "other request"


class Treatment(enum.Enum):
    """What becomes of it."""

    BEGIN_BIND = "begin a bind"
    BEGIN_TLS = "begin TLS"
    END = "end the connection"
    ABANDON = "tell the directory, under its id"
    FORWARD = "forward it"
    FORWARD_CHECK = "forward it where such checks are allowed, and others would be forwarded"
    FORWARD_SEARCH = "forward it, where searches are allowed after this bind"
    NEEDS_BIND = "refuse it, unless anonymous requests are allowed"
    OUT_OF_TURN = "refuse it: operationsError"
    IGNORE = "ignore it"


_A, _B, _Y, _C = Phase.ANONYMOUS, Phase.BINDING, Phase.BOUND, Phase.CLOSING

TREATMENTS: Final[Mapping[tuple[Phase, Arrival], Treatment]] = MappingProxyType(
    {
        (_A, Arrival.BIND): Treatment.BEGIN_BIND,
        (_A, Arrival.UNBIND): Treatment.END,
        (_A, Arrival.ABANDON): Treatment.ABANDON,
        (_A, Arrival.START_TLS): Treatment.BEGIN_TLS,
        (_A, Arrival.CANCEL): Treatment.NEEDS_BIND,
        (_A, Arrival.ROOT_DSE): Treatment.FORWARD,
        (_A, Arrival.SEARCH): Treatment.NEEDS_BIND,
        (_A, Arrival.PASSWORD_CHECK): Treatment.FORWARD_CHECK,
        (_A, Arrival.OTHER): Treatment.NEEDS_BIND,
        # RFC 4511 §4.2.1: while a bind is processed, nothing else is.
        (_B, Arrival.BIND): Treatment.OUT_OF_TURN,
        (_B, Arrival.UNBIND): Treatment.END,
        (_B, Arrival.ABANDON): Treatment.IGNORE,
        (_B, Arrival.START_TLS): Treatment.OUT_OF_TURN,
        (_B, Arrival.CANCEL): Treatment.OUT_OF_TURN,
        (_B, Arrival.ROOT_DSE): Treatment.OUT_OF_TURN,
        (_B, Arrival.SEARCH): Treatment.OUT_OF_TURN,
        (_B, Arrival.PASSWORD_CHECK): Treatment.OUT_OF_TURN,
        (_B, Arrival.OTHER): Treatment.OUT_OF_TURN,
        (_Y, Arrival.BIND): Treatment.BEGIN_BIND,
        (_Y, Arrival.UNBIND): Treatment.END,
        (_Y, Arrival.ABANDON): Treatment.ABANDON,
        (_Y, Arrival.START_TLS): Treatment.BEGIN_TLS,
        (_Y, Arrival.CANCEL): Treatment.FORWARD,
        (_Y, Arrival.ROOT_DSE): Treatment.FORWARD,
        (_Y, Arrival.SEARCH): Treatment.FORWARD_SEARCH,
        (_Y, Arrival.PASSWORD_CHECK): Treatment.FORWARD_CHECK,
        (_Y, Arrival.OTHER): Treatment.FORWARD,
        **{(_C, arrival): Treatment.IGNORE for arrival in Arrival},
    }
)

_ARRIVALS: Final[Mapping[int, Arrival]] = MappingProxyType(
    {
        Request.BIND: Arrival.BIND,
        Request.UNBIND: Arrival.UNBIND,
        Request.ABANDON: Arrival.ABANDON,
        Request.MODIFY: Arrival.OTHER,
        Request.ADD: Arrival.OTHER,
        Request.DELETE: Arrival.OTHER,
        Request.MODIFY_DN: Arrival.OTHER,
    }
)
_EXTENDED: Final[Mapping[bytes, Arrival]] = MappingProxyType(
    {START_TLS: Arrival.START_TLS, CANCEL: Arrival.CANCEL, VERIFY_CREDENTIALS: Arrival.PASSWORD_CHECK}
)


def arrival_of(octets: bytes, head: MessageHead) -> Arrival:
    """Say what a client sent.

    Raises:
        RemoteProtocolError: CLOSE: it is no request of LDAP.
    """
    tag = head.operation_tag
    if tag == Request.SEARCH:
        return Arrival.ROOT_DSE if asks_root_dse(octets, head) else Arrival.SEARCH
    if tag == Request.EXTENDED:
        return _EXTENDED.get(read_extended_name(octets, head), Arrival.OTHER)
    if tag == Request.COMPARE:
        return Arrival.PASSWORD_CHECK if compares_password(octets, head) else Arrival.OTHER
    arrival = _ARRIVALS.get(tag)
    if arrival is None:
        raise fault(f"0x{tag:02x} is no request of LDAP")
    return arrival
