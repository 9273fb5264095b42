"""Which credential an Access-Request carries: a User-Password, or a proof that shows the password to nobody.

Owns which attributes are one proof together (CHAP, both versions of MS-CHAP, and the changes of password of MS-CHAP),
how long they are, and what a proof needs on another hop: the challenge of CHAP may be the Request Authenticator, which
the next hop does not have. Whether a proof is right, nobody can tell who does not know the password.

Source: RFC 2865 §2.2, §4.1, §5.3, §5.40; RFC 2548 §2.1, §2.3; RFC 2759 §7.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from typing import Final

from attrs import field, frozen

from duoproxy.errors import Disposition, RemoteProtocolError
from duoproxy.radius.attributes import AttributeId, Type, all_values, vendor_attribute, vendor_of, vendor_parts
from duoproxy.radius.packet import Attribute, Packet

MICROSOFT: Final = 311
MS_CHAP_ERROR: Final = AttributeId(MICROSOFT, 2)
MS_CHAP_CHALLENGE: Final = AttributeId(MICROSOFT, 11)
_LM_ENC_PW: Final = AttributeId(MICROSOFT, 5)
_NT_ENC_PW: Final = AttributeId(MICROSOFT, 6)


class CredentialKind(enum.Enum):
    """What a request proves its user with; the value says it in a sentence."""

    PAP = "a User-Password"
    CHAP = "a CHAP-Password"
    MS_CHAP = "an MS-CHAP-Response"
    MS_CHAP_CHANGE_1 = "an MS-CHAP-CPW-1"
    MS_CHAP_CHANGE_2 = "an MS-CHAP-CPW-2"
    MS_CHAP_2 = "an MS-CHAP2-Response"
    MS_CHAP_2_CHANGE = "an MS-CHAP2-CPW"
    EAP = "an EAP-Message"


_CARRIED_IN: Final = {
    CredentialKind.PAP: AttributeId(0, Type.USER_PASSWORD),
    CredentialKind.CHAP: AttributeId(0, Type.CHAP_PASSWORD),
    CredentialKind.MS_CHAP: AttributeId(MICROSOFT, 1),
    CredentialKind.MS_CHAP_CHANGE_1: AttributeId(MICROSOFT, 3),
    CredentialKind.MS_CHAP_CHANGE_2: AttributeId(MICROSOFT, 4),
    CredentialKind.MS_CHAP_2: AttributeId(MICROSOFT, 25),
    CredentialKind.MS_CHAP_2_CHANGE: AttributeId(MICROSOFT, 27),
    CredentialKind.EAP: AttributeId(0, Type.EAP_MESSAGE),
}
_PLAIN: Final = {one.number: kind for kind, one in _CARRIED_IN.items() if not one.vendor}
_OF_MICROSOFT: Final = {one.number: kind for kind, one in _CARRIED_IN.items() if one.vendor}
# RFC 2865 §5.3; RFC 2548 §2.1.3, §2.1.6, §2.1.7, §2.3.2, §2.3.4.
_OCTETS: Final = {
    CredentialKind.CHAP: 17,
    CredentialKind.MS_CHAP: 50,
    CredentialKind.MS_CHAP_CHANGE_1: 70,
    CredentialKind.MS_CHAP_CHANGE_2: 84,
    CredentialKind.MS_CHAP_2: 50,
    CredentialKind.MS_CHAP_2_CHANGE: 68,
}
PROOFS: Final = frozenset(_OCTETS)
"""The kinds that show the password to nobody."""
# The new password, encrypted with the old one, in several pieces each. Source: RFC 2548 §2.1.8, §2.1.9.
_COMPANIONS: Final = {
    CredentialKind.MS_CHAP_CHANGE_2: (_LM_ENC_PW, _NT_ENC_PW),
    CredentialKind.MS_CHAP_2_CHANGE: (_NT_ENC_PW,),
}

# Where the Identifier of the exchange stands: first, or behind the code of a change of password.
_IDENTIFIER_AT: Final = {
    CredentialKind.MS_CHAP: 0,
    CredentialKind.MS_CHAP_CHANGE_1: 1,
    CredentialKind.MS_CHAP_CHANGE_2: 1,
    CredentialKind.MS_CHAP_2: 0,
    CredentialKind.MS_CHAP_2_CHANGE: 1,
}

CREDENTIALS: Final = frozenset(
    {*_CARRIED_IN.values(), AttributeId(0, Type.CHAP_CHALLENGE), MS_CHAP_CHALLENGE, _LM_ENC_PW, _NT_ENC_PW}
)
"""Every attribute that is a credential, or a part of one."""


@frozen
class RadiusProof:
    """A proof, whole: nothing of the packet that it came in is needed any more.

    Attributes:
        kind: neither PAP nor EAP.
        attributes: that carry it, its challenge among them.
    """

    kind: CredentialKind
    attributes: tuple[Attribute, ...] = field(repr=False)

    @property
    def octets(self) -> bytes:
        """All of it in one, for a comparison: two proofs with the same octets are the same."""
        return b"".join(bytes((number, len(value))) + value for number, value in self.attributes)


def kinds_in(attributes: Iterable[Attribute]) -> list[CredentialKind]:
    """List the credentials of a request, each as often as it is there; EAP-Message, which comes in pieces, once.

    More than one is none: a request proves its user in one way. Source: RFC 2865 §4.1, RFC 3579 §3.3.
    """
    found: list[CredentialKind] = []
    for number, value in attributes:
        if number == Type.VENDOR_SPECIFIC:
            found += _kinds_of_microsoft(value)
        elif number in _PLAIN and not (number == Type.EAP_MESSAGE and CredentialKind.EAP in found):
            found.append(_PLAIN[number])
    return found


def _kinds_of_microsoft(value: bytes) -> list[CredentialKind]:
    if vendor_of(value) != MICROSOFT:
        return []
    return [_OF_MICROSOFT[number] for number, _ in vendor_parts(value) or () if number in _OF_MICROSOFT]


def read_proof(packet: Packet) -> RadiusProof | None:
    """Give the proof in a request; None when its one credential is no proof, or when it has not exactly one.

    Raises:
        RemoteProtocolError: REJECT: the proof is not as long as it should be, or its challenge is missing.
    """
    kinds = kinds_in(packet.attributes)
    if len(kinds) != 1 or kinds[0] not in PROOFS:
        return None
    [kind] = kinds
    [value] = all_values(packet.attributes, _CARRIED_IN[kind])
    if len(value) != _OCTETS[kind]:
        raise _fault(f"{kind.value} has {_OCTETS[kind]} octets, not {len(value)}")
    carried = [(_CARRIED_IN[kind], value), _challenge(kind, packet)]
    for companion in _COMPANIONS.get(kind, ()):
        carried += [(companion, piece) for piece in all_values(packet.attributes, companion)]
    return RadiusProof(kind, tuple(_attribute(attribute, octets) for attribute, octets in carried))


def identifier_of_proof(attributes: Iterable[Attribute]) -> tuple[CredentialKind, int] | None:
    """Tell the version of MS-CHAP that a request speaks, and the Identifier that its reply has to repeat.

    None when its one credential is none of MS-CHAP, or too short to have one. Source: RFC 2548 §2.1.3, §2.3.4.
    """
    carried = tuple(attributes)
    kinds = kinds_in(carried)
    if len(kinds) != 1 or kinds[0] not in _IDENTIFIER_AT:
        return None
    [kind], [value] = kinds, all_values(carried, _CARRIED_IN[kinds[0]])
    at = _IDENTIFIER_AT[kind]
    return (kind, value[at]) if len(value) > at else None


def _challenge(kind: CredentialKind, packet: Packet) -> tuple[AttributeId, bytes]:
    """What a proof answers; that of CHAP is the Request Authenticator where no attribute has it (RFC 2865 §5.3)."""
    chap = kind is CredentialKind.CHAP
    attribute = AttributeId(0, Type.CHAP_CHALLENGE) if chap else MS_CHAP_CHALLENGE
    challenges = all_values(packet.attributes, attribute)
    if not challenges and chap:
        return attribute, packet.authenticator
    if len(challenges) != 1 or not challenges[0]:
        raise _fault(f"{kind.value} needs one challenge beside it, and there are {len(challenges)}")
    return attribute, challenges[0]


def _attribute(attribute: AttributeId, value: bytes) -> Attribute:
    if not attribute.vendor:
        return attribute.number, value
    return vendor_attribute(attribute.vendor, attribute.number, value)


def _fault(what: str) -> RemoteProtocolError:
    return RemoteProtocolError(what, Disposition.REJECT)
