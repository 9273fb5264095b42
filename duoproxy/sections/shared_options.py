"""Options that several kinds of section share."""

from __future__ import annotations

from pathlib import Path

from duoproxy.config.kinds import Boolean, HostOrAddress, InputFile, Port
from duoproxy.config.option import option, settings


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
