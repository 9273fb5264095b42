"""What every TLS server of ours has in common."""

from __future__ import annotations

import pytest

from duoproxy.tls_server import TLS_1_2, TLS_1_3, TlsContextError, TlsServerSettings, handshake_fault, server_context
from tests.unit.eap.certificates import certificate, key


@pytest.mark.parametrize(
    "chosen",
    [
        TlsServerSettings([certificate("ec")], key("rsa")),
        TlsServerSettings([certificate("ec")], key("ec"), cipher_list="NO-SUCH-CIPHER"),
    ],
    ids=["key", "ciphers"],
)
def test_settings_that_openssl_refuses(chosen: TlsServerSettings) -> None:
    """A key that does not fit the certificate, ciphers that do not exist: the reason is OpenSSL's."""
    with pytest.raises(TlsContextError) as caught:
        server_context(chosen)
    assert str(caught.value)


def test_chain_is_needed() -> None:
    """A server has a certificate."""
    with pytest.raises(ValueError, match="certificate"):
        server_context(TlsServerSettings([], key("ec")))


@pytest.mark.parametrize("kind", ["rsa", "ec"])
def test_handshakes_in_memory_come_to_their_end(kind: str) -> None:
    """Both versions, with each kind of key."""
    context = server_context(TlsServerSettings([certificate(kind)], key(kind)))
    assert [handshake_fault(context, version) for version in (TLS_1_2, TLS_1_3)] == ["", ""]


def test_ciphers_that_do_not_go_with_the_key_are_seen_by_a_handshake() -> None:
    """OpenSSL takes such a list: it fails at the first client of TLS 1.2. TLS 1.3 has ciphers of its own."""
    context = server_context(
        TlsServerSettings([certificate("ec")], key("ec"), cipher_list="ECDHE-RSA-AES128-GCM-SHA256")
    )
    assert handshake_fault(context, TLS_1_2) == "no shared cipher"
    assert handshake_fault(context, TLS_1_3) == ""


def test_a_version_that_is_not_spoken_is_seen_by_a_handshake() -> None:
    """minimum_tls_version."""
    context = server_context(TlsServerSettings([certificate("ec")], key("ec"), TLS_1_3))
    assert handshake_fault(context, TLS_1_2) == "unsupported protocol"
