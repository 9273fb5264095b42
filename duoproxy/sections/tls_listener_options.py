"""The options of sections that are a TLS server: lowest version and ciphers; and how their certificate is judged.

The options that name certificate and key are each section's own, since they have other names. This is no section
itself.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from duoproxy.config.kinds import Choice, Text
from duoproxy.config.option import option, settings
from duoproxy.config.schema import Finding
from duoproxy.net.server_certificates import CertificateFault, ServerCertificate, doubts, load_server_certificate
from duoproxy.tls_server import TLS_1_2, TLS_1_3, TlsContextError, TlsServerSettings, handshake_fault, server_context

_TOO_OLD: Final = ("ssl3", "tls1.0", "tls1.1")


@settings
class TlsListenerSettings:
    """What is spoken with clients."""

    minimum_tls_version: str = option(
        Choice("ssl3", "tls1.0", "tls1.1", "tls1.2", "tls1.3"),
        default="tls1.2",
        restricts=True,
        help="The lowest version of TLS that is spoken. What is older than tls1.2 means tls1.2.",
        example="tls1.3",
    )
    cipher_list: str = option(
        Text("a cipher list of OpenSSL"),
        default="",
        restricts=True,
        help="The ciphers of TLS 1.2, as OpenSSL spells them. Without it: OpenSSL's own choice. Those of TLS 1.3 are "
        "always OpenSSL's.",
        example="ECDHE+AESGCM",
    )


def tls_settings(server: TlsListenerSettings, certificate: ServerCertificate) -> TlsServerSettings:
    """The options, and a certificate, as a context of OpenSSL wants them."""
    lowest = TLS_1_3 if server.minimum_tls_version == "tls1.3" else TLS_1_2
    return TlsServerSettings(certificate.chain, certificate.key, lowest, server.cipher_list)


def cipher_finding(fault: TlsContextError) -> Finding:
    """Say that OpenSSL does not take the ciphers: of what makes a context, only they have not been looked at before."""
    return ("cipher_list", f"OpenSSL refuses it: {fault}", "Try it with openssl ciphers, or leave it out")


def version_advice(server: TlsListenerSettings) -> Iterable[Finding]:
    """Say that a version which is too old is not spoken."""
    if server.minimum_tls_version in _TOO_OLD:
        what = f"{server.minimum_tls_version} is broken and not spoken; TLS 1.2 is the lowest version all the same"
        yield ("minimum_tls_version", what, "Write tls1.2")


def certificate_advice(server: TlsListenerSettings, option_name: str, certs: Path, pkey: Path) -> Iterable[Finding]:
    """Say what is doubtful about a certificate, and the ciphers beside it; what is wrong is an error of its own."""
    try:
        certificate = readable_certificate(certs, pkey)
    except CertificateFault:
        return
    if certificate is None:
        return
    for what, remedy in doubts(certificate, time.time()):
        yield (option_name, what, remedy)
    yield from _cipher_advice(server, certificate, pkey)


def _cipher_advice(server: TlsListenerSettings, certificate: ServerCertificate, pkey: Path) -> Iterable[Finding]:
    """Say that no cipher of the list goes with the key; a list that OpenSSL refuses is an error of its own."""
    if not server.cipher_list or server.minimum_tls_version == "tls1.3":
        return
    try:
        why = handshake_fault(server_context(tls_settings(server, certificate)), TLS_1_2)
    except TlsContextError:
        return
    if why:
        what = f"with it and the key in {pkey} no client of TLS 1.2 can come in ({why}); those of TLS 1.3 can"
        yield ("cipher_list", what, "Name ciphers for the kind of that key, such as ECDHE+AESGCM, or leave it out")


def readable_certificate(certs: Path, pkey: Path) -> ServerCertificate | None:
    """Read certificate and key; None when they are not there to be looked at, for instance on another machine.

    Raises:
        CertificateFault: they cannot be used.
    """
    if not all(os.path.isfile(file) and os.access(file, os.R_OK) for file in (certs, pkey)):
        return None
    return load_server_certificate(certs, pkey)
