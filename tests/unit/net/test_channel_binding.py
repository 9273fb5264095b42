"""tls-server-end-point: which hash of which certificate."""

from __future__ import annotations

import datetime
import hashlib

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from duoproxy.net.channel_binding import server_end_point

NAME = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "dc1")])
PREFIX = b"tls-server-end-point:"


def certificate(
    key: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey, algorithm: hashes.SHA256 | hashes.SHA384 | None
) -> x509.Certificate:
    builder = x509.CertificateBuilder(NAME, NAME, key.public_key(), 1)
    builder = builder.not_valid_before(datetime.datetime(2020, 1, 1)).not_valid_after(datetime.datetime(2040, 1, 1))
    return builder.sign(key, algorithm)


@pytest.mark.parametrize(("algorithm", "digest"), [(hashes.SHA256(), "sha256"), (hashes.SHA384(), "sha384")])
def test_certificate_is_hashed_as_it_was_signed(algorithm: hashes.SHA256 | hashes.SHA384, digest: str) -> None:
    """RFC 5929 §4.1: with the hash of the certificate's signature."""
    made = certificate(ec.generate_private_key(ec.SECP256R1()), algorithm)
    expected = hashlib.new(digest, made.public_bytes(Encoding.DER)).digest()
    assert server_end_point(made) == PREFIX + expected


def test_old_hashes_become_sha_256() -> None:
    """RFC 5929 §4.1: MD5 and SHA-1 are replaced."""

    class OldCertificate:
        signature_hash_algorithm = hashes.SHA1()

        def public_bytes(self, encoding: Encoding) -> bytes:
            return b"DER"

    bindings = server_end_point(OldCertificate())  # type: ignore[arg-type]
    assert bindings == PREFIX + hashlib.sha256(b"DER").digest()


def test_signature_without_a_hash_of_its_own() -> None:
    """RFC 5929 defines nothing for it: no binding rather than a wrong one."""
    assert server_end_point(certificate(ed25519.Ed25519PrivateKey.generate(), None)) is None
