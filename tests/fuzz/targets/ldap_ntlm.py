"""NTLM, as a domain controller speaks it: any challenge and any sealed message is taken or refused with CLOSE."""

from __future__ import annotations

import atexit
import os
import tempfile
from pathlib import Path
from unittest import mock

import spnego

from duoproxy.errors import Disposition, RemoteProtocolError
from duoproxy.net.ldap_ntlm import NtlmExchange
from duoproxy.secret import Secret
from tests.fuzz.shaping import first_octet

_folder = tempfile.TemporaryDirectory()
atexit.register(_folder.cleanup)
ACCOUNTS = Path(_folder.name) / "accounts"
ACCOUNTS.write_text("CORP:alice:right\n")

WORDS = (b"NTLMSSP\0\2\0\0\0", b"\x02\0\x08\0C\0O\0R\0P\0", b"\x07\0\x08\0", b"\x09\0", b"\1\0\0\0")


def target(data: bytes) -> None:
    chosen, octets = first_octet(data)
    ours = _exchange(seal=bool(chosen & 1))
    ours.negotiate()
    try:
        ours.authenticate(octets)
    except RemoteProtocolError as error:
        assert error.disposition is Disposition.CLOSE
    try:
        plain = _logged_in().unwrap(octets)
    except RemoteProtocolError as error:
        assert error.disposition is Disposition.CLOSE
    else:
        raise AssertionError(f"taken as sealed: {plain!r}")


def _exchange(*, seal: bool) -> NtlmExchange:
    return NtlmExchange("alice", "CORP", Secret("right"), "PROXY", seal=seal, channel_bindings=None)


def _logged_in() -> NtlmExchange:
    """An exchange whose other side accepted it."""
    ours = _exchange(seal=True)
    with mock.patch.dict(os.environ, {"NTLM_USER_FILE": str(ACCOUNTS)}):
        theirs = spnego.server(protocol="ntlm", options=spnego.NegotiateOptions.use_ntlm)
        theirs.step(ours.authenticate(theirs.step(ours.negotiate()) or b""))
    assert theirs.complete
    return ours
