"""The keys of PEAP: from the tunnel, and from the tunnel bound to what ran inside it.

GTC makes no key, so that the inner session key is 32 octets of zero: crypto-binding then proves that both ends of the
conversation hold the keys of this tunnel, and no more.

Source: RFC 5216 §2.3, RFC 9190 §2.3, RFC 9427 §2.1, MS-PEAP §3.1.5.5, §3.1.5.7.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from functools import cached_property

from attrs import field, frozen

from duoproxy.eap.actions import EMSK_BYTES, MSK_BYTES, SessionKeys
from duoproxy.eap.packet import EapType
from duoproxy.eap.peap_tlv import MAC_BYTES, BindingSubType, CryptoBinding, binding_tlv, encode_tlvs
from duoproxy.secret import Secret

Export = Callable[[bytes, int, bytes | None], bytes]
"""Label, length, context (None: without one); as RFC 5705 has it."""

KEY_MATERIAL_BYTES = MSK_BYTES + EMSK_BYTES
TUNNEL_KEY_BYTES = 60
IPMK_BYTES = 40
CMK_BYTES = 20
METHOD_ID_BYTES = 64

# Deployed peers use the label of EAP-TLS for every version of PEAP; the one of the PEAPv1 draft gives other keys.
LABEL_TLS_1_2 = b"client EAP encryption"
LABEL_TLS_1_3 = b"EXPORTER_EAP_TLS_Key_Material"
LABEL_METHOD_ID_TLS_1_3 = b"EXPORTER_EAP_TLS_Method-Id"
LABEL_COMPOUND_KEYS = b"Inner Methods Compound Keys"
LABEL_SESSION_KEYS = b"Session Key Generating Function\0"
"""The NUL belongs to this one and not to the other."""

_TYPE_CODE = bytes((EapType.PEAP,))
_INNER_SESSION_KEY = bytes(32)


@frozen
class CompoundKeys:
    """What is made from the tunnel's key and the inner session key.

    Attributes:
        ipmk: 40 octets, from which session keys are made.
        cmk: 20 octets, the key of compound MACs.
    """

    ipmk: bytes = field(repr=False)
    cmk: bytes = field(repr=False)


@frozen
class TunnelKeys:
    """What a TLS tunnel gives.

    Attributes:
        material: 128 octets: MSK and EMSK.
        session_id: what names the session.
    """

    material: bytes = field(repr=False)
    session_id: bytes

    def session_keys(self) -> SessionKeys:
        """Give the keys of a session without crypto-binding. Source: RFC 5216 §2.3."""
        return _cut(self.material, self.session_id)

    def compound_keys(self) -> CompoundKeys:
        """Give the keys of crypto-binding for an inner method that makes no key. Source: MS-PEAP §3.1.5.5.2."""
        return self._compound_keys

    @cached_property
    def _compound_keys(self) -> CompoundKeys:
        tunnel_key = self.material[:TUNNEL_KEY_BYTES]
        derived = prf_plus(tunnel_key[:IPMK_BYTES], LABEL_COMPOUND_KEYS + _INNER_SESSION_KEY, IPMK_BYTES + CMK_BYTES)
        return CompoundKeys(derived[:IPMK_BYTES], derived[IPMK_BYTES:])

    def bound_session_keys(self) -> SessionKeys:
        """Give the keys of a session after both sides proved the tunnel's. Source: MS-PEAP §3.1.5.7."""
        ipmk = self.compound_keys().ipmk
        return _cut(prf_plus(ipmk, LABEL_SESSION_KEYS, KEY_MATERIAL_BYTES), self.session_id)


def derive_tunnel_keys(export: Export, *, is_tls_1_3: bool, randoms: bytes) -> TunnelKeys:
    """Derive keys and name of a session from its tunnel.

    Args:
        export: of the TLS connection.
        is_tls_1_3: whether TLS 1.3 was agreed on.
        randoms: client.random and server.random, 64 octets.

    Source: RFC 5216 §2.3, RFC 5247 (Session-Id), RFC 9427 §2.1.
    """
    if is_tls_1_3:
        # The length goes into the result: it is always asked for in whole, and then cut.
        material = export(LABEL_TLS_1_3, KEY_MATERIAL_BYTES, _TYPE_CODE)
        return TunnelKeys(material, _TYPE_CODE + export(LABEL_METHOD_ID_TLS_1_3, METHOD_ID_BYTES, _TYPE_CODE))
    return TunnelKeys(export(LABEL_TLS_1_2, KEY_MATERIAL_BYTES, None), _TYPE_CODE + randoms)


def prf_plus(key: bytes, seed: bytes, length: int) -> bytes:
    """Stretch a key, as PEAPv0 does.

    Args:
        key: of HMAC-SHA1.
        seed: label and what it is bound to.
        length: octets that are wanted, at most 255 blocks of 20.

    Source: MS-PEAP §3.1.5.5.2.2.
    """
    stretched, block, number = b"", b"", 0
    while len(stretched) < length:
        number += 1
        block = hmac.digest(key, block + seed + bytes((number, 0, 0)), "sha1")
        stretched += block
    return stretched[:length]


def signed_binding(cmk: bytes, sub_type: BindingSubType, nonce: bytes) -> CryptoBinding:
    """Make the crypto-binding of PEAPv0, its compound MAC filled in.

    Args:
        cmk: 20 octets.
        sub_type: who sends it.
        nonce: 32 octets, never used before.

    Source: MS-PEAP §2.2.8.1.1, §3.1.5.5.
    """
    unsigned = CryptoBinding(0, 0, sub_type, nonce, bytes(MAC_BYTES))
    return CryptoBinding(0, 0, sub_type, nonce, _compound_mac(cmk, unsigned))


def binding_is_valid(cmk: bytes, binding: CryptoBinding) -> bool:
    """Tell whether a peer's answer proves that it holds the tunnel's keys.

    The nonce need not be ours and is bound by the MAC; the CMK is of this tunnel only.

    Source: MS-PEAP §3.1.5.5.
    """
    unsigned = CryptoBinding(
        binding.version, binding.received_version, binding.sub_type, binding.nonce, bytes(MAC_BYTES)
    )
    fits = hmac.compare_digest(_compound_mac(cmk, unsigned), binding.compound_mac)
    return fits and binding.sub_type == BindingSubType.RESPONSE and binding.version == 0


def _compound_mac(cmk: bytes, unsigned: CryptoBinding) -> bytes:
    """Sign the whole TLV, its MAC zero, and the type of PEAP."""
    return hmac.digest(cmk, encode_tlvs([binding_tlv(unsigned)]) + _TYPE_CODE, "sha1")


def _cut(material: bytes, session_id: bytes) -> SessionKeys:
    return SessionKeys(Secret(material[:MSK_BYTES]), Secret(material[MSK_BYTES:KEY_MATERIAL_BYTES]), session_id)
