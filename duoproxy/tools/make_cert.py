"""`authproxyctl make-cert NAME`: a key and a self-signed certificate for `[radius_server_eap]`.

For trials, and for devices whose clients are told this very certificate. Owns the form of the certificate, and that no
file is ever overwritten: the key of a VPN that works must not be lost to a second call.
"""

from __future__ import annotations

import datetime
import ipaddress
import os
import re
from pathlib import Path

from attrs import frozen
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from duoproxy.errors import DuoproxyError

RSA_BITS = 2048
MAX_COMMON_NAME_CHARACTERS = 64
_LABEL = r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)"
_HOST_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")


class MakeCertFault(DuoproxyError):
    """No certificate was made; `str()` is a sentence with cause and remedy."""


@frozen
class MadeFiles:
    """What was written: the certificate and, with mode 0600, its key."""

    certificate: Path
    key: Path


def make_certificate(name: str, folder: Path, now: datetime.datetime, *, days: int, use_rsa: bool) -> MadeFiles:
    """Make a key and a self-signed certificate, and write `NAME.pem` and `NAME.key`.

    Args:
        name: a DNS name or an IP address: what the clients check.
        folder: where the files go.
        now: aware; the certificate begins an hour before, for clocks that are late.
        days: how long it is valid.
        use_rsa: RSA-2048 instead of ECDSA P-256.

    Raises:
        MakeCertFault: `name` is no such name, or a file is there already or cannot be written.
    """
    alternative = _alternative_name(name)
    files = MadeFiles(folder / f"{_file_stem(name)}.pem", folder / f"{_file_stem(name)}.key")
    key = rsa.generate_private_key(65537, RSA_BITS) if use_rsa else ec.generate_private_key(ec.SECP256R1())
    certificate = _self_signed(name, alternative, key, now, days)
    for path in (files.certificate, files.key):
        if os.path.lexists(path):
            raise _there_already(path)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    _write_new(files.key, private, 0o600)
    try:
        _write_new(files.certificate, certificate.public_bytes(serialization.Encoding.PEM), 0o644)
    except MakeCertFault:
        files.key.unlink(missing_ok=True)
        raise
    return files


def _alternative_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        pass
    if len(name) > 253 or not _HOST_NAME.fullmatch(name):
        raise MakeCertFault(
            f"{name!r} is no DNS name or IP address. Write the name that the clients are to check, such as "
            "radius.example.com."
        )
    return x509.DNSName(name)


def _file_stem(name: str) -> str:
    return name.replace(":", "_")


def _self_signed(
    name: str,
    alternative: x509.GeneralName,
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey,
    now: datetime.datetime,
    days: int,
) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:MAX_COMMON_NAME_CHARACTERS])])
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=days))
        # No CA: who trusts this certificate trusts this one server, and nobody who steals the key can sign others.
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(key), critical=True)
        .add_extension(x509.SubjectAlternativeName([alternative]), critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(identifier, critical=False)
        .sign(key, hashes.SHA256())
    )


def _usage(key: object) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=isinstance(key, rsa.RSAPrivateKey),
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )


def _write_new(path: Path, octets: bytes, mode: int) -> None:
    """Write a file that is not there yet, never through a link that somebody else put there."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
    except FileExistsError:
        raise _there_already(path) from None
    except OSError as fault:
        raise _not_written(path, fault) from None
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(octets)
    except OSError as fault:
        path.unlink(missing_ok=True)  # half a file would be in the way of the next try
        raise _not_written(path, fault) from None


def _not_written(path: Path, fault: OSError) -> MakeCertFault:
    return MakeCertFault(f"{path} cannot be written ({fault.strerror}). Name another folder with --folder.")


def _there_already(path: Path) -> MakeCertFault:
    return MakeCertFault(f"{path} is there already and is never overwritten. Move it away, or use --folder.")
