"""The certificate and key that a section shows to its clients: what is wrong with them, and how long they last.

Owns reading and judging them, before any handshake: what keeps a section from starting (`CertificateFault`) and what an
administrator should merely know (`doubts`). An expired certificate is a doubt: a restart must not end a VPN that works.

Source: RFC 5280 §4.2.1.12 (serverAuth), RFC 9525 §6.3 (names stand in subjectAltName); reference §10.1.
"""

from __future__ import annotations

import datetime
import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from attrs import frozen
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID
from OpenSSL import SSL
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from duoproxy.errors import DuoproxyError
from duoproxy.tls_server import TLS_1_2, TLS_1_3, PrivateKey, TlsServerSettings, handshake_fault, server_context

MAX_FILE_BYTES: Final = 1 << 20
"""The longest file that is read."""
MAX_CHAIN_CERTIFICATES: Final = 10
"""More make no chain, and every supplicant would have to fetch them, fragment by fragment."""
REMINDER_DAYS: Final = 30
"""From so many days before its end on, a certificate is told of every day."""
DAY_S: Final = 86_400.0
MIN_RSA_BITS: Final = 2048


class CertificateFault(DuoproxyError):
    """Certificate or key cannot be used.

    Attributes:
        option: the option that names the file, `certs` or `pkey`.
        what: one clause: what is wrong.
        remedy: what to write.
    """

    def __init__(self, option: str, what: str, remedy: str) -> None:
        super().__init__(f"{option}: {what}. {remedy}.")
        self.option = option
        self.what = what
        self.remedy = remedy


@frozen(eq=False, repr=False)
class ServerCertificate:
    """A certificate with its key and the rest of its chain, fit for handshakes.

    Attributes:
        chain: its own certificate first, then those of its issuers.
        key: the private key of the first.
    """

    chain: tuple[x509.Certificate, ...]
    key: PrivateKey

    def days_left(self, now_utc_s: float) -> int:
        """Give the whole days until the first certificate of the chain ends; negative after its end."""
        end = min(certificate.not_valid_after_utc for certificate in self.chain)
        return int((end.timestamp() - now_utc_s) // DAY_S)


def load_server_certificate(certs: Path, pkey: Path) -> ServerCertificate:
    """Read certificate, chain and key.

    Args:
        certs: PEM: the certificate, behind it those of its issuers; the root may be left out.
        pkey: PEM: the key, not encrypted.

    Raises:
        CertificateFault: they cannot be used.
    """
    chain = _read_chain(certs)
    key = _read_key(pkey)
    if _public_octets(chain[0].public_key()) != _public_octets(key.public_key()):
        what = f"the key in {pkey} does not belong to the certificate in {certs}"
        later = any(_public_octets(each.public_key()) == _public_octets(key.public_key()) for each in chain[1:])
        remedy = f"Put the certificate of this key first in {certs}" if later else "Name the key of that certificate"
        raise CertificateFault("pkey", what, remedy)
    _check_openssl_takes(chain, key, certs, pkey)
    _check_handshake(chain, key, certs)
    return ServerCertificate(chain, key)


def doubts(certificate: ServerCertificate, now_utc_s: float) -> Iterator[tuple[str, str]]:
    """Tell what an administrator should know: pairs of what is doubtful and what to do."""
    own = certificate.chain[0]
    now = datetime.datetime.fromtimestamp(now_utc_s, datetime.UTC)
    for each in certificate.chain:
        whose = "the certificate" if each is own else "a certificate of its chain"
        if each.not_valid_after_utc < now:
            ended = f"{each.not_valid_after_utc:%Y-%m-%d}"
            yield f"{whose} has expired ({ended}): clients that check it refuse every login", "Renew it"
        elif each.not_valid_before_utc > now:
            begins = f"{each.not_valid_before_utc:%Y-%m-%d %H:%M} UTC"
            yield f"{whose} is not valid before {begins}", "Look at the clock of this machine, or renew it"
    yield from _doubts_about_use(own)
    yield from _doubts_about_chain(certificate.chain)


def expiry_sentence(days: int, section: str, option: str = "certs") -> str:
    """Say how long the certificate that an option names lasts, with the remedy when that is short."""
    if days < 0:
        return (
            f"The certificate in {option} of [{section}] has expired: clients that check it refuse every login. "
            "Renew it, and restart the proxy."
        )
    if days <= REMINDER_DAYS:
        return f"The certificate in {option} of [{section}] ends {_in_days(days)}. Renew it, and restart the proxy."
    return f"The certificate in {option} of [{section}] is valid for {days} more days."


def _in_days(days: int) -> str:
    return {0: "within a day", 1: "in 1 day"}.get(days, f"in {days} days")


class ExpiryNotice:
    """Tells at the start how long the certificate lasts, and daily once that is `REMINDER_DAYS` or less."""

    def __init__(
        self,
        certificate: ServerCertificate,
        section: str,
        reactor: IReactorTime,
        wall_clock: Callable[[], float],
        log: Logger,
        option: str = "certs",
    ) -> None:
        """Prepare; `reactor` is `IReactorTime`, `wall_clock` seconds since 1970, UTC; `option` names the file."""
        self._option = option
        self._certificate = certificate
        self._section = section
        self._reactor = reactor
        self._wall_clock = wall_clock
        self._log = log
        self._next: Any = None

    def start(self) -> None:
        """Tell, and look again every day."""
        self._tell(always=True)

    def days_left(self) -> int:
        """Give the whole days until the certificate ends; negative after its end."""
        return self._certificate.days_left(self._wall_clock())

    def stop(self) -> None:
        """Look no more."""
        if self._next is not None and self._next.active():
            self._next.cancel()

    def _tell(self, always: bool = False) -> None:
        self._next = self._reactor.callLater(DAY_S, self._tell)
        days = self.days_left()
        sentence = expiry_sentence(days, self._section, self._option)
        if days <= REMINDER_DAYS:
            self._log.warn("{sentence}", sentence=sentence)
        elif always:
            self._log.info("{sentence}", sentence=sentence)


# ── reading ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _read_chain(file: Path) -> tuple[x509.Certificate, ...]:
    octets = _read("certs", file)
    if b"-----BEGIN CERTIFICATE-----" not in octets:
        what = f"{file} holds no certificate in PEM form"
        raise CertificateFault("certs", what, "Write the certificate and its chain into it, each with its BEGIN line")
    try:
        chain = tuple(x509.load_pem_x509_certificates(octets))
        for certificate in chain:
            certificate.public_key()
    except Exception:  # noqa: BLE001 - the library has no one exception for what cannot be read
        what = f"a certificate in {file} cannot be read"
        raise CertificateFault("certs", what, "Copy it again, from its BEGIN to its END line") from None
    if len(chain) > MAX_CHAIN_CERTIFICATES:
        what = f"{file} holds {len(chain)} certificates, which is no chain"
        raise CertificateFault("certs", what, "Leave the certificate and those of its issuers")
    return chain


def _read_key(file: Path) -> PrivateKey:
    octets = _read("pkey", file)
    if b"PRIVATE KEY-----" not in octets:
        what = f"{file} holds no private key in PEM form"
        raise CertificateFault("pkey", what, "Write the key into it, with its BEGIN line")
    if b"ENCRYPTED" in octets:
        what = f"the key in {file} is encrypted, and there is nobody who could type the passphrase"
        raise CertificateFault("pkey", what, f"Take it off with openssl pkey -in {file} -out PLAIN.key, mode 0600")
    try:
        key = serialization.load_pem_private_key(octets, None)
    except Exception:  # noqa: BLE001 - as above
        what = f"the key in {file} cannot be read"
        raise CertificateFault("pkey", what, "Copy it again, from its BEGIN to its END line") from None
    if not isinstance(key, PrivateKey):
        what = f"the key in {file} is of a kind that supplicants do not know"
        raise CertificateFault("pkey", what, "Use an RSA key (2048 bits or more) or an ECDSA key (P-256)")
    return key


def _read(option: str, file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            return opened.read(MAX_FILE_BYTES)
    except OSError as fault:
        what = f"{file} cannot be read ({fault.strerror})"
        raise CertificateFault(option, what, "Check its path and rights") from None


def _check_openssl_takes(chain: tuple[x509.Certificate, ...], key: PrivateKey, certs: Path, pkey: Path) -> None:
    """Put both into a context as a handshake will: OpenSSL refuses keys that are too short for its security level."""
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    try:
        context.use_certificate(chain[0])
        for issuer in chain[1:]:
            context.add_extra_chain_cert(issuer)
    except SSL.Error as fault:
        what = f"OpenSSL refuses a certificate in {certs}: {_said(fault)}"
        raise CertificateFault("certs", what, "Use a key of 2048 bits (RSA) or P-256, signed with SHA-256") from None
    try:
        context.use_privatekey(key)
        context.check_privatekey()
    except (SSL.Error, TypeError) as fault:
        what = f"OpenSSL refuses the key in {pkey}: {_said(fault)}"
        raise CertificateFault("pkey", what, "Use a key of 2048 bits (RSA) or P-256") from None


def _check_handshake(chain: tuple[x509.Certificate, ...], key: PrivateKey, certs: Path) -> None:
    """Try both versions of TLS: where each of them fails, no client at all would ever come in."""
    context = server_context(TlsServerSettings(chain, key))
    reasons = [handshake_fault(context, version) for version in (TLS_1_3, TLS_1_2)]
    if all(reasons):
        what = f"no client can finish a TLS handshake with the certificates in {certs}: {reasons[-1]}"
        remedy = "Use a key of 2048 bits (RSA) or P-256, and issuers with keys of 2048 bits or P-256"
        raise CertificateFault("certs", what, remedy)


def _said(fault: Exception) -> str:
    """Give the last words of OpenSSL's error queue."""
    queue = fault.args[0] if fault.args else ()
    reasons = [entry[-1] for entry in queue if isinstance(entry, tuple) and entry] if isinstance(queue, list) else []
    return str(reasons[-1]) if reasons else "it gives no reason"


def _public_octets(key: Any) -> bytes:
    octets: bytes = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return octets


# ── judging ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _doubts_about_use(own: x509.Certificate) -> Iterator[tuple[str, str]]:
    names = _extension(own, x509.SubjectAlternativeName)
    if names is None:
        yield "the certificate has no subjectAltName: clients find no name to check", "Make one with a DNS name in it"
    usage = _extension(own, x509.ExtendedKeyUsage)
    if usage is None or ExtendedKeyUsageOID.SERVER_AUTH not in usage:
        what = "the certificate is not marked for servers (extendedKeyUsage serverAuth): Windows clients refuse it"
        yield what, "Make one with serverAuth"
    key = own.public_key()
    if isinstance(key, rsa.RSAPublicKey) and key.key_size < MIN_RSA_BITS:
        yield f"its RSA key has {key.key_size} bits, which clients refuse", f"Use {MIN_RSA_BITS} bits or more"


def _doubts_about_chain(chain: tuple[x509.Certificate, ...]) -> Iterator[tuple[str, str]]:
    for below, above in itertools.pairwise(chain):
        if below.issuer != above.subject:
            what = "a certificate of the chain is not the issuer of the one before it, so that clients cannot follow it"
            yield what, "Order the file: the certificate, its issuer, the issuer of that one"
            return


def _extension(certificate: x509.Certificate, kind: type[Any]) -> Any:
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except (x509.ExtensionNotFound, ValueError):
        return None
