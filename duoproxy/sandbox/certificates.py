"""Throw-away certificates for the sandbox: a CA and a certificate for loopback names, made at each start.

The keys never leave the process. The CA can sign for loopback names only, so that nothing is lost with who trusts it.
"""

from __future__ import annotations

import datetime
import ipaddress
import os
from pathlib import Path

from attrs import frozen
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from duoproxy.errors import ListenError

VALID_DAYS = 365
CA_FILE_MARK = "# Throw-away CA of the duoproxy sandbox. Not secure. Made anew at each start."
LOOPBACK_NAMES = ("localhost",)
LOOPBACK_ADDRESSES = ("127.0.0.1", "::1")


@frozen
class ThrowAwayCertificates:
    """What a TLS server on loopback needs.

    Attributes:
        ca_pem: the CA certificate, to be trusted by those who call.
        certificate: the server's certificate.
        key: its private key.
    """

    ca_pem: bytes
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey


def make_certificates(now: datetime.datetime) -> ThrowAwayCertificates:
    """Make a CA and a server certificate, valid from the day before `now` (aware) for a year."""
    ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    ca_name = _name("duoproxy sandbox (throw-away CA, not secure)")
    identifier = x509.SubjectKeyIdentifier.from_public_key(ca_key.public_key())
    ca = (
        _builder(ca_name, ca_name, ca_key.public_key(), now)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(signs_certificates=True), critical=True)
        .add_extension(_loopback_only(), critical=True)
        .add_extension(identifier, critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    names: list[x509.GeneralName] = [x509.DNSName(name) for name in LOOPBACK_NAMES]
    names += [x509.IPAddress(ipaddress.ip_address(address)) for address in LOOPBACK_ADDRESSES]
    certificate = (
        _builder(_name("localhost"), ca_name, key.public_key(), now)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(signs_certificates=False), critical=True)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    return ThrowAwayCertificates(ca.public_bytes(serialization.Encoding.PEM), certificate, key)


def write_ca_file(path: Path, ca_pem: bytes) -> None:
    """Write the CA for those who call; an existing file is replaced only if an earlier start made it.

    Raises:
        ListenError: it cannot be written, or is somebody else's file.
    """
    try:
        if path.exists() and not path.read_bytes().startswith(CA_FILE_MARK.encode("ascii")):
            raise ListenError(
                f"{path} is not a file of the sandbox and is left alone: let ca_file name one that does not exist."
            )
        unfinished = path.with_name(f"{path.name}.{os.getpid()}.new")
        unfinished.unlink(missing_ok=True)
        with unfinished.open("xb") as file:  # never through a link that somebody else put there
            file.write(CA_FILE_MARK.encode("ascii") + b"\n" + ca_pem)
        unfinished.replace(path)
    except OSError as error:
        raise ListenError(
            f"{path} cannot be written ({error.strerror}): let ca_file name a file in a folder that can be written to."
        ) from error


def _name(common_name: str) -> x509.Name:
    """A distinguished name of one part."""
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _builder(
    subject: x509.Name, issuer: x509.Name, public_key: ec.EllipticCurvePublicKey, now: datetime.datetime
) -> x509.CertificateBuilder:
    """What both certificates have in common."""
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=VALID_DAYS))
    )


def _loopback_only() -> x509.NameConstraints:
    """The names for which the CA may sign."""
    permitted: list[x509.GeneralName] = [x509.DNSName(name) for name in LOOPBACK_NAMES]
    permitted += [x509.IPAddress(ipaddress.ip_network(address)) for address in LOOPBACK_ADDRESSES]
    return x509.NameConstraints(permitted_subtrees=permitted, excluded_subtrees=None)


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    """What a key is for: signing certificates, or the handshakes of a server."""
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )
