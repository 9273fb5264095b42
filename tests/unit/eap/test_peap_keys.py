"""The keys of PEAP. Vectors by the formulas of MS-PEAP §3.1.5.5; the same code agreed with another implementation."""

from __future__ import annotations

from attrs import evolve

from duoproxy.eap.peap_keys import (
    TunnelKeys,
    binding_is_valid,
    derive_tunnel_keys,
    prf_plus,
    signed_binding,
)
from duoproxy.eap.peap_tlv import BindingSubType, binding_tlv, encode_tlvs

KEYS = TunnelKeys(bytes(range(128)), b"\x19name")
IPMK = "d5a1e52eb1a406716f70a2cab4f31e2f956c7ca0e02ea4f61a83cbca1f68070b2fb406f67be84d14"
CMK = "81e27e1da4b054c5e835cdea50d538556e8aebd1"
NONCE = bytes(range(0x20, 0x40))
REQUEST = (
    "000c003800000000202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f"
    "2516b4c36fc071a4e8ea31ac2b64b298ced90066"
)
MSK = (
    "224b5d3cb55e0d528ab1820d1447592046619fd6bf7398c1a8e3ebe2f179099354440e5583c8de07ebcdbcdd32f7cccb"
    "3a2bef62c7edca7234f6d3c5b4ea4f6d"
)


def test_compound_keys():
    """MS-PEAP §3.1.5.5.2: IPMK and CMK from the tunnel's key and 32 octets of zero."""
    keys = KEYS.compound_keys()
    assert (keys.ipmk.hex(), keys.cmk.hex()) == (IPMK, CMK)


def test_crypto_binding_request():
    """MS-PEAP §3.1.5.5: the compound MAC covers the TLV, its MAC zero, and the type of PEAP."""
    binding = signed_binding(bytes.fromhex(CMK), BindingSubType.REQUEST, NONCE)
    assert encode_tlvs([binding_tlv(binding)]).hex() == REQUEST


def test_bound_session_keys():
    """MS-PEAP §3.1.5.7: the label ends in NUL; MSK and EMSK are the halves."""
    keys = KEYS.bound_session_keys()
    assert keys.msk.reveal().hex() == MSK
    assert len(keys.emsk) == 64
    assert keys.session_id == b"\x19name"


def test_keys_of_the_tunnel_alone():
    """RFC 5216 §2.3: MSK is the first half of the key material, EMSK the second."""
    keys = KEYS.session_keys()
    assert (keys.msk.reveal(), keys.emsk.reveal()) == (bytes(range(64)), bytes(range(64, 128)))


def test_answer_of_the_peer_is_verified():
    """A response under our key is valid; our own request sent back, another key or a changed octet is not."""
    cmk = bytes.fromhex(CMK)
    good = signed_binding(cmk, BindingSubType.RESPONSE, NONCE)
    assert binding_is_valid(cmk, good)
    assert not binding_is_valid(bytes(20), good)
    assert not binding_is_valid(cmk, signed_binding(cmk, BindingSubType.REQUEST, NONCE))
    for changed in (
        evolve(good, compound_mac=bytes(20)),
        evolve(good, nonce=bytes(32)),
        evolve(good, received_version=1),
        evolve(good, version=1),
        evolve(good, sub_type=2),
    ):
        assert not binding_is_valid(cmk, changed)


def test_labels_and_contexts():
    """TLS 1.2 has no context, TLS 1.3 the type; the whole length is asked for, since it goes into the result."""
    asked: list[tuple[bytes, int, bytes | None]] = []

    def export(label: bytes, length: int, context: bytes | None) -> bytes:
        asked.append((label, length, context))
        return bytes(length)

    older = derive_tunnel_keys(export, is_tls_1_3=False, randoms=b"r" * 64)
    newer = derive_tunnel_keys(export, is_tls_1_3=True, randoms=b"r" * 64)
    assert asked == [
        (b"client EAP encryption", 128, None),
        (b"EXPORTER_EAP_TLS_Key_Material", 128, b"\x19"),
        (b"EXPORTER_EAP_TLS_Method-Id", 64, b"\x19"),
    ]
    assert older.session_id == b"\x19" + b"r" * 64
    assert newer.session_id == b"\x19" + bytes(64)


def test_stretching_begins_alike_for_every_length():
    """PRF+ is a stream: a shorter result is the beginning of a longer one."""
    assert prf_plus(b"k", b"s", 50) == prf_plus(b"k", b"s", 128)[:50]


def test_keys_are_not_shown():
    """No format shows key material."""
    compound, bound = KEYS.compound_keys(), KEYS.bound_session_keys()
    shown = f"{KEYS!r} {compound!r} {bound!r} {KEYS.session_keys()!r}"
    for hidden in (KEYS.material, compound.ipmk, compound.cmk, bound.msk.reveal(), bound.emsk.reveal()):
        for spelled in (repr(hidden[:8])[2:-1], hidden[:8].hex()):
            assert spelled not in shown
