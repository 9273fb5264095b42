"""MS-CHAP-Error: what an Access-Reject says to a client that logged in with MS-CHAP, read and written.

A client that proved a password with MS-CHAP waits for this text and goes by it; without it some devices can only hang
up, and others try again. What is written for a refusal of ours is the same whatever the reason is: wrong name or
password, no retry. The reason itself stands in Reply-Message. (No secret is kept by that: a server that refuses a
password writes a text of its own, and whoever reads both can tell them apart.)

Source: RFC 2548 §2.1.5, §3; RFC 2433 §6; RFC 2759 §6.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Final

from duoproxy.radius.attributes import all_values, vendor_attribute
from duoproxy.radius.credentials import MS_CHAP_ERROR, CredentialKind, identifier_of_proof
from duoproxy.radius.packet import Attribute

_ERROR_CODE: Final = re.compile(rb"E=([0-9]{1,9})")
_ERRORS: Final = {
    646: "restricted logon hours",
    647: "account disabled",
    648: "password expired; the user can change it where the device offers that",
    649: "no dial-in permission",
    691: "wrong name or password",
    709: "the password could not be changed",
}
_REFUSED: Final = "E=691 R=0 C={challenge}"
_CHALLENGE_OCTETS: Final = 16
_CHALLENGE_OCTETS_OF_VERSION_1: Final = 8
_VERSION_1: Final = frozenset(
    {CredentialKind.MS_CHAP, CredentialKind.MS_CHAP_CHANGE_1, CredentialKind.MS_CHAP_CHANGE_2}
)


def refusal_of_proof(attributes: Iterable[Attribute]) -> str:
    """Say what an MS-CHAP-Error means, for the log; empty when there is none, or none that is known.

    Source: RFC 2548 §2.1.5, RFC 2759 §6.
    """
    for value in all_values(attributes, MS_CHAP_ERROR):
        found = _ERROR_CODE.search(value)
        if found is not None:
            return _ERRORS.get(int(found[1]), "")
    return ""


def with_ms_chap_error(
    reject: Iterable[Attribute], request: Iterable[Attribute], random_bytes: Callable[[int], bytes]
) -> list[Attribute]:
    """Give the attributes of an Access-Reject, with an MS-CHAP-Error when `request` wants one and none is there yet.

    Args:
        reject: its attributes so far; an MS-CHAP-Error of the server that checked the proof stays the only one.
        request: the attributes of the request that it answers; without an MS-CHAP proof nothing is added.
        random_bytes: as `os.urandom`; for the challenge that the text has to carry, though no retry may use it.

    Source: RFC 2548 §2.1.5, §3; RFC 2433 §6 (version 1), RFC 2759 §6 (version 2).
    """
    attributes = list(reject)
    proof = identifier_of_proof(request)
    if proof is None or all_values(attributes, MS_CHAP_ERROR):
        return attributes
    kind, identifier = proof
    text = _refused(kind, random_bytes).encode("ascii")
    return [*attributes, vendor_attribute(MS_CHAP_ERROR.vendor, MS_CHAP_ERROR.number, bytes((identifier,)) + text)]


def _refused(kind: CredentialKind, random_bytes: Callable[[int], bytes]) -> str:
    if kind in _VERSION_1:
        return _REFUSED.format(challenge=random_bytes(_CHALLENGE_OCTETS_OF_VERSION_1).hex()) + " V=2"
    return _REFUSED.format(challenge=random_bytes(_CHALLENGE_OCTETS).hex()) + " V=3 M=Authentication rejected"
