"""What every TLS server of ours has in common."""

from __future__ import annotations

import pytest

from duoproxy.tls_server import TlsContextError, TlsServerSettings, server_context
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
