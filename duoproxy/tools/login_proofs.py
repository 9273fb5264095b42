"""What a device computes instead of sending a password: CHAP and MS-CHAPv2. For the tool duoproxy-login.

Owns the formulas of the side that knows the password. They stand nowhere else in duoproxy: the proxy checks no proof.

Source: RFC 1994 §4.1, RFC 2865 §5.3; RFC 2759 §8, RFC 2548 §2.3.
"""

from __future__ import annotations

from hashlib import md5, sha1
from typing import Final

from attrs import field, frozen
from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher, modes

from duoproxy.ldap.nt_hash import md4, nt_hash
from duoproxy.radius.attributes import Type, vendor_attribute
from duoproxy.radius.credentials import MICROSOFT, MS_CHAP_CHALLENGE
from duoproxy.radius.packet import Attribute
from duoproxy.secret import Secret

CHALLENGE_BYTES: Final = 16
MS_CHAP2_RESPONSE: Final = 25
_RESERVED_AND_FLAGS: Final = 8
_THREE_KEYS: Final = 21
_MAGIC_1: Final = b"Magic server to client signing constant"
_MAGIC_2: Final = b"Pad to make it do more than one iteration"


@frozen
class MsChapV2:
    """A proof, and what whoever checks it has to answer.

    Attributes:
        attributes: MS-CHAP-Challenge and MS-CHAP2-Response.
        success: the value of the MS-CHAP2-Success that proves the other side.
    """

    attributes: tuple[Attribute, ...] = field(repr=False)
    success: bytes


def chap(password: Secret, identifier: int, challenge: bytes) -> tuple[Attribute, ...]:
    """Make the attributes of a CHAP login (`identifier`: 0..255). Source: RFC 2865 §5.3, §5.40."""
    head = bytes((identifier,))
    digest = md5(head + password.reveal() + challenge, usedforsecurity=False).digest()
    return (Type.CHAP_PASSWORD, head + digest), (Type.CHAP_CHALLENGE, challenge)


def ms_chap_v2(username: str, password: Secret, identifier: int, challenge: bytes, peer_challenge: bytes) -> MsChapV2:
    """Make an MS-CHAPv2 login.

    Args:
        username: as it is sent; what stands before a backslash is not hashed.
        password: as text.
        identifier: 0..255.
        challenge: 16 octets, of the device.
        peer_challenge: 16 octets, of the user's machine.

    Source: RFC 2759 §8.1 to §8.8, RFC 2548 §2.3.2, §2.3.3.
    """
    name = username.rpartition("\\")[2].encode("utf-8", "surrogateescape")
    challenge_hash = sha1(peer_challenge + challenge + name, usedforsecurity=False).digest()[:8]
    hashed = nt_hash(password).reveal()
    nt_response = challenge_response(challenge_hash, hashed)
    head = bytes((identifier,))
    value = head + bytes(1) + peer_challenge + bytes(_RESERVED_AND_FLAGS) + nt_response
    signed = sha1(md4(hashed) + nt_response + _MAGIC_1, usedforsecurity=False).digest()
    proof = sha1(signed + challenge_hash + _MAGIC_2, usedforsecurity=False).hexdigest().upper()
    attributes = (
        vendor_attribute(MICROSOFT, MS_CHAP_CHALLENGE.number, challenge),
        vendor_attribute(MICROSOFT, MS_CHAP2_RESPONSE, value),
    )
    return MsChapV2(attributes, head + b"S=" + proof.encode("ascii"))


def challenge_response(challenge: bytes, password_hash: bytes) -> bytes:
    """Encrypt a challenge of 8 octets with a hash of 16, cut into three keys: 24 octets. Source: RFC 2759 §8.5."""
    keys = password_hash + bytes(_THREE_KEYS - len(password_hash))
    return b"".join(des(keys[at : at + 7], challenge) for at in range(0, _THREE_KEYS, 7))


def des(key: bytes, block: bytes) -> bytes:
    """Encrypt 8 octets with DES (`key`: 7 octets, without parity). Source: RFC 2759 §8.6."""
    bits = int.from_bytes(key, "big")
    with_parity = bytes((bits >> (49 - 7 * place) & 0x7F) << 1 for place in range(8))
    encryptor = Cipher(TripleDES(with_parity * 3), modes.ECB()).encryptor()  # noqa: S305 - one block, as MS-CHAP has it
    return encryptor.update(block) + encryptor.finalize()
