"""The TLVs of PEAP's end: a value or REJECT, written as they came; only one result, only one crypto-binding."""

from __future__ import annotations

from duoproxy.eap.peap_keys import binding_is_valid
from duoproxy.eap.peap_tlv import (
    MAX_TLVS,
    Result,
    binding_tlv,
    decode_tlvs,
    encode_tlvs,
    read_binding,
    read_result,
    unknown_mandatory,
)
from duoproxy.errors import Disposition, RemoteProtocolError

WORDS = (
    b"\x80\x03\0\x02\0\x01",
    b"\x80\x03\0\x02\0\x02",
    b"\0\x0c\0\x38\0\0\0\x01",
    b"\x80\x04\0\x06",
    b"\x80\x63\0\0",
)


def target(data: bytes) -> None:
    try:
        tlvs = decode_tlvs(data)
    except RemoteProtocolError as error:
        _is_ours(error)
        return
    assert len(tlvs) <= MAX_TLVS
    assert decode_tlvs(encode_tlvs(tlvs)) == tlvs
    assert len(encode_tlvs(tlvs)) == len(data)
    refused = unknown_mandatory(tlvs)
    assert refused is None or any(tlv.type == refused and tlv.mandatory for tlv in tlvs)
    try:
        assert read_result(tlvs) in (None, Result.SUCCESS, Result.FAILURE)
        binding = read_binding(tlvs)
    except RemoteProtocolError as error:
        _is_ours(error)
        return
    if binding is not None:
        assert read_binding([binding_tlv(binding)]) == binding
        assert not binding_is_valid(b"\x5a" * 20, binding)


def _is_ours(error: RemoteProtocolError) -> None:
    assert error.disposition is Disposition.REJECT
    assert str(error).isprintable()
