"""Certificates for the tests of this room, made once."""

from __future__ import annotations

import datetime
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from duoproxy.eap.tls_engine import TlsServerContext
from duoproxy.tls_server import TlsServerSettings

DAY = datetime.timedelta(days=1)


@cache
def key(kind: str) -> rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey:
    return rsa.generate_private_key(65537, 2048) if kind == "rsa" else ec.generate_private_key(ec.SECP256R1())


@cache
def certificate(kind: str, subject: str = "radius.example.test", padding: int = 0) -> x509.Certificate:
    """A self-signed certificate; `padding` octets of name make it long."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)])
    names = [x509.DNSName(f"{'a' * 60}.{number}.example.test") for number in range(padding // 78)]
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key(kind).public_key())
        .serial_number(1)
        .not_valid_before(now - DAY)
        .not_valid_after(now + DAY)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(subject), *names]), critical=False)
        .sign(key(kind), hashes.SHA256())
    )


@cache
def tls_context(kind: str = "ec", padding: int = 0) -> TlsServerContext:
    return TlsServerContext(TlsServerSettings([certificate(kind, padding=padding)], key(kind)))
