"""Options that several kinds of section share, and what is to be found in them."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from duoproxy.config.kinds import Boolean, HostOrAddress, InputFile, Port
from duoproxy.config.option import option, settings
from duoproxy.config.schema import Finding
from duoproxy.net.tls import TrustRootsError, load_trust_roots


@settings
class SectionSettings:
    """Options that every section knows."""

    debug: bool = option(
        Boolean(), default=False, help="Log what is sent and received, with every secret masked.", example="true"
    )


@settings
class DuoConnectionSettings(SectionSettings):
    """How Duo is reached: options of [main] that the sections which talk to Duo inherit."""

    http_proxy_host: str = option(
        HostOrAddress(),
        default="",
        help="HTTP proxy through which Duo is reached, by CONNECT. Without it Duo is reached directly; proxy "
        "variables of "
        "the environment are not looked at.",
        example="10.1.2.80",
    )
    http_proxy_port: int = option(Port(), default=80, help="Port of the HTTP proxy.", example="3128")
    http_ca_certs_file: Path | None = option(
        InputFile(),
        default=None,
        help="PEM file with the only authorities that are trusted for Duo's certificate. Without it the system's trust "
        "store and a bundle of public authorities are used. The name in the certificate is always checked.",
        example="ca-bundle.crt",
    )


def ca_file_findings(option_name: str, file: Path | None) -> Iterable[Finding]:
    """Find what is wrong with a file of authorities, if it is there to be looked at (the sandbox makes its own)."""
    if file is None or not (os.path.isfile(file) and os.access(file, os.R_OK)):
        return
    try:
        load_trust_roots(file)
    except TrustRootsError:
        what = f"{file} holds no certificate that can be read"
        yield (option_name, what, "Write certificates in PEM form into it")
