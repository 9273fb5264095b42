"""NTLM as an LDAP bind needs it, against an acceptor that checks password, code and channel bindings."""

from __future__ import annotations

from pathlib import Path

import pytest
import spnego
from spnego.channel_bindings import GssChannelBindings

from duoproxy.errors import RemoteProtocolError
from duoproxy.ldap.nt_hash import nt_hash
from duoproxy.net.ldap_ntlm import MAX_CHALLENGE_BYTES, NtlmExchange
from duoproxy.secret import Secret

BINDINGS = b"tls-server-end-point:0123"
WORKSTATION = "PROXY-7 (ä)"


@pytest.fixture(autouse=True)
def _accounts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "accounts"
    file.write_text("CORP:alice:Päss word\n", encoding="utf-8")
    monkeypatch.setenv("NTLM_USER_FILE", str(file))


def acceptor(bindings: bytes | None = None) -> spnego.ContextProxy:
    channel_bindings = GssChannelBindings(application_data=bindings) if bindings else None
    return spnego.server(protocol="ntlm", options=spnego.NegotiateOptions.use_ntlm, channel_bindings=channel_bindings)


def exchange(
    password: str = "Päss word", workstation: str = WORKSTATION, *, seal: bool = True, bindings: bytes | None = None
) -> NtlmExchange:
    return NtlmExchange("alice", "CORP", Secret(password), workstation, seal=seal, channel_bindings=bindings)


def log_in(ours: NtlmExchange, theirs: spnego.ContextProxy) -> bytes:
    challenge = theirs.step(ours.negotiate())
    assert challenge is not None
    message = ours.authenticate(challenge)
    theirs.step(message)
    return message


def test_acceptor_is_convinced_and_knows_who_came() -> None:
    """The code over all three messages holds, also with our workstation in the last one."""
    theirs = acceptor()
    message = log_in(exchange(), theirs)
    assert theirs.complete
    assert theirs.client_principal == "CORP\\alice"
    assert WORKSTATION.encode("utf-16-le") in message


def test_without_a_workstation_none_is_given() -> None:
    """Not the host name of this machine either."""
    message = log_in(exchange(workstation=""), acceptor())
    assert int.from_bytes(message[44:46], "little") == 0


def test_wrong_password_is_refused_by_the_acceptor() -> None:
    """The password itself decides, not our bookkeeping."""
    with pytest.raises(spnego.exceptions.SpnegoError):
        log_in(exchange(password="wrong"), acceptor())


def test_stolen_hash_is_no_password() -> None:
    """Two hashes with a colon between, typed as a password, are a wrong one; pyspnego takes them for the hashes."""
    stolen = nt_hash(Secret("Päss word")).reveal().hex()
    with pytest.raises(spnego.exceptions.SpnegoError):
        log_in(exchange(password=f"{32 * '0'}:{stolen}"), acceptor())


def test_sealed_messages_pass_both_ways() -> None:
    """Keys of both sides fit."""
    ours, theirs = exchange(), acceptor()
    log_in(ours, theirs)
    for number in range(3):
        octets = b"message %d" % number
        sealed = ours.wrap(octets)
        assert octets not in sealed
        assert theirs.unwrap(sealed).data == octets
        assert ours.unwrap(theirs.wrap(octets).data) == octets


def test_altered_and_repeated_messages_are_refused() -> None:
    """Each has its number, and a code over all of it."""
    ours, theirs = exchange(), acceptor()
    log_in(ours, theirs)
    sealed = theirs.wrap(b"result: success").data
    assert ours.unwrap(sealed) == b"result: success"
    with pytest.raises(RemoteProtocolError, match="signature of a sealed message is wrong"):
        ours.unwrap(sealed)
    with pytest.raises(RemoteProtocolError, match="too short"):
        ours.unwrap(b"short")


def test_without_sealing_no_key_is_exchanged() -> None:
    """Inside TLS: NTLMSSP_NEGOTIATE_SIGN, SEAL and KEY_EXCH stay away, and the login holds."""
    ours, theirs = exchange(seal=False), acceptor()
    flags = int.from_bytes(ours.negotiate()[12:16], "little")
    assert flags & (0x10 | 0x20 | 0x40000000) == 0
    challenge = theirs.step(ours._negotiate_message)
    assert challenge is not None
    message = ours.authenticate(challenge)
    theirs.step(message)
    assert theirs.complete
    assert int.from_bytes(message[52:54], "little") == 0


def test_login_is_bound_to_its_tls_connection() -> None:
    """MS-NLMP §3.1.5.1.2: somebody between who shows another certificate gets a login that fits nowhere else."""
    theirs = acceptor(BINDINGS)
    log_in(exchange(seal=False, bindings=BINDINGS), theirs)
    assert theirs.complete
    with pytest.raises(spnego.exceptions.SpnegoError):
        log_in(exchange(seal=False, bindings=b"tls-server-end-point:other"), acceptor(BINDINGS))


@pytest.mark.parametrize("challenge", [b"", b"NTLMSSP\0", b"NTLMSSP\0\2\0\0\0" + 30 * b"\xff", b"junk", 60 * b"\0"])
def test_what_is_no_challenge_is_refused(challenge: bytes) -> None:
    """Whatever it does to the library."""
    ours = exchange()
    ours.negotiate()
    with pytest.raises(RemoteProtocolError, match="challenge cannot be read"):
        ours.authenticate(challenge)


def test_endless_challenge_is_refused() -> None:
    """Before anything looks into it."""
    ours = exchange()
    ours.negotiate()
    with pytest.raises(RemoteProtocolError, match="too long"):
        ours.authenticate(bytes(MAX_CHALLENGE_BYTES + 1))


def test_server_that_does_not_seal_is_refused() -> None:
    """On a clear connection nothing follows that is not signed and sealed."""
    ours, theirs = exchange(), acceptor()
    challenge = bytearray(theirs.step(ours.negotiate()) or b"")
    flags = int.from_bytes(challenge[20:24], "little") & ~0x30
    challenge[20:24] = flags.to_bytes(4, "little")
    with pytest.raises(RemoteProtocolError, match="does not grant NTLM sign and seal"):
        ours.authenticate(bytes(challenge))


def test_password_that_is_no_text_is_refused() -> None:
    """NTLM knows only Unicode."""
    with pytest.raises(UnicodeError):
        exchange(password=b"\xff\xfe".decode("utf-8", "surrogateescape"))
