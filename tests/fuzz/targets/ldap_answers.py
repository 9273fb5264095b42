"""What a directory puts into answers and entries: a value, or None, or our error; every refusal in one sentence."""

from __future__ import annotations

import struct

from duoproxy.errors import Disposition, RemoteProtocolError
from duoproxy.ldap.active_directory import (
    ACCOUNT_ATTRIBUTES,
    decode_sid,
    encode_sid,
    filetime_to_unix_s,
    primary_group_sid,
    read_account,
    sub_code,
)
from duoproxy.ldap.refusals import explain

WORDS = (
    b"80090308: LdapErr: DSID-0C090439, comment: AcceptSecurityContext error, data 52e, v1db1",
    b", data ",
    b"775",
    b"-1",
)
MAX_SENTENCE_CHARACTERS = 600


def target(data: bytes) -> None:
    code, text = int.from_bytes(data[:1], "big"), data[1:].decode("utf-8", "replace")
    for result in (code, 49):
        refusal = explain(result, text, "dc1")
        assert refusal.sentence.isprintable()
        assert len(refusal.sentence) < MAX_SENTENCE_CHARACTERS
        assert result == 49 or not refusal.is_wrong_password_52e
    found = sub_code(text)
    assert found is None or int(found, 16) >= 0
    _sid(data)
    values = data.split(b"\0")
    read_account({name: [value] for name, value in zip(ACCOUNT_ATTRIBUTES, values, strict=False)})
    filetime_to_unix_s(struct.unpack("<q", data[:8].ljust(8, b"\0"))[0])


def _sid(octets: bytes) -> None:
    try:
        text = decode_sid(octets)
    except RemoteProtocolError as error:
        assert error.disposition is Disposition.REJECT
        return
    if octets[1]:
        assert encode_sid(text) == octets
        assert primary_group_sid(octets, 513).startswith(octets[:-4])
