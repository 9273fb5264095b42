"""Certificates and keys of a section: each fault its sentence, each doubt told, and how long they last."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from twisted.internet.task import Clock
from twisted.logger import Logger, capturedLogs

from duoproxy.net.server_certificates import (
    DAY_S,
    CertificateFault,
    ExpiryNotice,
    ServerCertificate,
    doubts,
    expiry_sentence,
    load_server_certificate,
)

NOW = datetime.datetime(2026, 3, 1, 12, tzinfo=datetime.UTC)
DAY = datetime.timedelta(days=1)
KEY = ec.generate_private_key(ec.SECP256R1())
OTHER = ec.generate_private_key(ec.SECP256R1())
PEM, PKCS8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8


def name_of(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def certificate(
    key: object = KEY,
    *,
    issuer: str = "radius",
    signer: object = None,
    begin: datetime.datetime = NOW - DAY,
    end: datetime.datetime = NOW + 100 * DAY,
    names: bool = True,
    server: bool = True,
    subject: str = "radius",
) -> x509.Certificate:
    """A certificate with just these faults."""
    builder = (
        x509.CertificateBuilder()
        .subject_name(name_of(subject))
        .issuer_name(name_of(issuer))
        .public_key(key.public_key())  # type: ignore[attr-defined]
        .serial_number(1)
        .not_valid_before(begin)
        .not_valid_after(end)
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName("radius")]), critical=False)
    if server:
        builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    return builder.sign(signer or key, hashes.SHA256())  # type: ignore[arg-type]


def pem(key: object = KEY, passphrase: bytes = b"") -> bytes:
    hidden = serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption()
    octets: bytes = key.private_bytes(PEM, PKCS8, hidden)  # type: ignore[attr-defined]
    return octets


GOOD = certificate().public_bytes(PEM)


def load(folder: Path, certs: bytes | None = GOOD, pkey: bytes | None = None) -> ServerCertificate:
    for name, octets in (("server.pem", certs), ("server.key", pem() if pkey is None else pkey)):
        if octets is not None:
            (folder / name).write_bytes(octets)
    return load_server_certificate(folder / "server.pem", folder / "server.key")


def test_a_chain_is_read_with_the_own_certificate_first(tmp_path: Path) -> None:
    """Certificate, then issuers."""
    issuer = certificate(OTHER, subject="CA", issuer="CA")
    own = certificate(issuer="CA", signer=OTHER)
    loaded = load(tmp_path, own.public_bytes(PEM) + issuer.public_bytes(PEM))
    assert loaded.chain == (own, issuer)
    assert list(doubts(loaded, NOW.timestamp())) == []


FAULTS: dict[str, tuple[Callable[[Path], object], str]] = {
    "not PEM": (lambda folder: load(folder, b"\x30\x82"), "certs: {}/server.pem holds no certificate in PEM form."),
    "broken": (
        lambda folder: load(folder, b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
        "certs: a certificate in {}/server.pem cannot be read.",
    ),
    "no key": (lambda folder: load(folder, pkey=GOOD), "pkey: {}/server.key holds no private key in PEM form."),
    "encrypted": (
        lambda folder: load(folder, pkey=pem(passphrase=b"secret")),
        "pkey: the key in {}/server.key is encrypted, and there is nobody who could type the passphrase.",
    ),
    "broken key": (
        lambda folder: load(folder, pkey=b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"),
        "pkey: the key in {}/server.key cannot be read.",
    ),
    "other key": (
        lambda folder: load(folder, pkey=pem(OTHER)),
        "pkey: the key in {0}/server.key does not belong to the certificate in {0}/server.pem. Name the key",
    ),
    "wrong order": (
        lambda folder: load(folder, certificate(OTHER).public_bytes(PEM) + GOOD),
        "pkey: the key in {0}/server.key does not belong to the certificate in {0}/server.pem. Put the certificate "
        "of this key first",
    ),
    "strange kind": (
        lambda folder: load(folder, pkey=pem(ed25519.Ed25519PrivateKey.generate())),
        "pkey: the key in {}/server.key is of a kind that supplicants do not know.",
    ),
    "too many": (lambda folder: load(folder, GOOD * 11), "certs: {}/server.pem holds 11 certificates, which is no"),
    "missing": (
        lambda folder: load_server_certificate(folder / "server.pem", folder / "server.key"),
        "certs: {}/server.pem cannot be read (No such file or directory).",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_has_its_sentence(tmp_path: Path, fault: str) -> None:
    """Option, what is wrong, what to do."""
    attempt, sentence = FAULTS[fault]
    with pytest.raises(CertificateFault) as raised:
        attempt(tmp_path)
    assert str(raised.value).startswith(sentence.format(tmp_path)), str(raised.value)
    assert str(raised.value).endswith(".")


def test_a_key_that_openssl_refuses_is_a_fault(tmp_path: Path) -> None:
    """Too short for its security level; a handshake would fail at the first login."""
    short = rsa.generate_private_key(65537, 1024)
    with pytest.raises(CertificateFault, match=r"OpenSSL refuses a certificate in .*: ee key too small"):
        load(tmp_path, certificate(short).public_bytes(PEM), pem(short))


def test_what_no_handshake_would_take_is_a_fault(tmp_path: Path) -> None:
    """OpenSSL looks at the keys of issuers, and at the curve, in the handshake only: every login would fail."""
    weak = rsa.generate_private_key(65537, 1024)
    chain = certificate(issuer="CA", signer=weak), certificate(weak, subject="CA", issuer="CA")
    with pytest.raises(CertificateFault, match=r"no client can finish a TLS handshake .*: ca key too small\. Use"):
        load(tmp_path, b"".join(each.public_bytes(PEM) for each in chain))
    strange = ec.generate_private_key(ec.SECP256K1())
    with pytest.raises(CertificateFault, match=r"no client can finish a TLS handshake .*: no shared cipher\. Use"):
        load(tmp_path, certificate(strange).public_bytes(PEM), pem(strange))


DOUBTS = {
    "expired": (certificate(end=NOW - DAY, begin=NOW - 2 * DAY), "has expired (2026-02-28)"),
    "not yet": (certificate(begin=NOW + DAY), "is not valid before 2026-03-02 12:00 UTC"),
    "no name": (certificate(names=False), "has no subjectAltName"),
    "not for servers": (certificate(server=False), "serverAuth"),
}


@pytest.mark.parametrize("doubt", DOUBTS)
def test_each_doubt_is_told_and_keeps_nothing_from_starting(tmp_path: Path, doubt: str) -> None:
    """A reboot must not end a VPN that works."""
    own, words = DOUBTS[doubt]
    [(what, remedy)] = doubts(load(tmp_path, own.public_bytes(PEM)), NOW.timestamp())
    assert words in what
    assert remedy


def test_a_chain_that_cannot_be_followed_is_a_doubt(tmp_path: Path) -> None:
    """The next certificate is not the issuer of the one before."""
    stranger = certificate(OTHER, subject="CA", issuer="CA")
    [(what, _)] = doubts(load(tmp_path, GOOD + stranger.public_bytes(PEM)), NOW.timestamp())
    assert "is not the issuer of the one before it" in what


def test_the_shortest_of_the_chain_counts(tmp_path: Path) -> None:
    """Days until the first certificate ends."""
    issuer = certificate(OTHER, subject="CA", issuer="CA", end=NOW + 7 * DAY)
    loaded = load(tmp_path, certificate(issuer="CA", signer=OTHER).public_bytes(PEM) + issuer.public_bytes(PEM))
    assert loaded.days_left(NOW.timestamp()) == 7
    assert loaded.days_left((NOW + 8 * DAY).timestamp()) == -1


@pytest.mark.parametrize(
    ("days", "sentence"),
    [
        (31, "The certificate in certs of [eap] is valid for 31 more days."),
        (30, "The certificate in certs of [eap] ends in 30 days. Renew it, and restart the proxy."),
        (1, "The certificate in certs of [eap] ends in 1 day. Renew it, and restart the proxy."),
        (0, "The certificate in certs of [eap] ends within a day. Renew it, and restart the proxy."),
        (
            -1,
            "The certificate in certs of [eap] has expired: clients that check it refuse every login. Renew it, and "
            "restart the proxy.",
        ),
    ],
)
def test_how_long_it_lasts_in_words(days: int, sentence: str) -> None:
    """With the remedy when it is short."""
    assert expiry_sentence(days, "eap") == sentence


def test_expiry_is_told_at_start_and_daily_from_thirty_days_on(tmp_path: Path) -> None:
    """At 32 days once, then nothing for a day, then every day."""
    loaded = load(tmp_path, certificate(end=NOW + 32.5 * DAY).public_bytes(PEM))
    clock = Clock()
    notice = ExpiryNotice(loaded, "eap", clock, lambda: NOW.timestamp() + clock.seconds(), Logger())
    with capturedLogs() as told:
        notice.start()
        for _ in range(4):
            clock.advance(DAY_S)
        notice.stop()
    assert [(event["log_level"].name, event["sentence"].split("[eap] ")[1][:16]) for event in told] == [
        ("info", "is valid for 32 "),
        ("warn", "ends in 30 days."),
        ("warn", "ends in 29 days."),
        ("warn", "ends in 28 days."),
    ]
    assert clock.getDelayedCalls() == []
