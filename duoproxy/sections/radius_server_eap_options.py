"""The options of [radius_server_eap], and what is wrong or doubtful in them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from duoproxy.config.kinds import AttributeNames, Boolean, Choice, InputFile, Integer
from duoproxy.config.option import option, settings
from duoproxy.config.schema import Finding
from duoproxy.eap.tls_engine import TlsServerContext
from duoproxy.eap_over_radius import DEFAULT_MAX_FRAGMENT_BYTES, MAX_MTU_BYTES, MIN_MTU_BYTES
from duoproxy.login.prompt import PromptFormat
from duoproxy.net.eap_sessions import MAX_OPEN
from duoproxy.net.server_certificates import CertificateFault, ServerCertificate
from duoproxy.radius.attributes import AttributeId
from duoproxy.sections.radius_server_options import (
    FactorSettings,
    factor_findings,
    prompt_advice,
    prompt_layout,
    radius_advice,
)
from duoproxy.sections.tls_listener_options import (
    TlsListenerSettings,
    certificate_advice,
    cipher_finding,
    readable_certificate,
    tls_settings,
    version_advice,
)
from duoproxy.tls_server import TlsContextError

MAX_MAX_CONVERSATIONS = 1_000_000


@settings
class EapSettings(TlsListenerSettings, FactorSettings):
    """Options of [radius_server_eap]."""

    primary_down: str = option(
        Choice("reject"),
        default="reject",
        help="What a device gets when nobody could check the password: in EAP always a reject with EAP-Failure.",
    )
    pass_through_attr_names: frozenset[AttributeId] = option(
        AttributeNames(),
        default=frozenset(),
        help="Attributes that pass through: from the device's request to the primary, and from its reply to the device "
        "(with radius_client only).",
        example="Class, Calling-Station-Id",
    )
    pass_through_all: bool = option(
        Boolean(), default=False, help="All attributes pass through, in both directions.", example="true"
    )
    allow_concat: bool = option(
        Boolean(),
        default=False,
        restricts=True,
        help="Whether a factor behind the delimiter of the password is looked for; who appends one is not asked again.",
        example="true",
    )
    certs: Path = option(
        InputFile(),
        help="PEM file with the certificate that clients are shown, and behind it those of its issuers.",
        example="server.pem",
    )
    pkey: Path = option(InputFile(), help="PEM file with its private key, not encrypted.", example="server.key")
    crypto_binding: bool = option(
        Boolean(),
        default=True,
        help="Whether PEAPv0 clients are asked to prove that they hold the keys of this tunnel. Those that cannot are "
        "let in all the same; set it to false for one that stumbles over the question.",
        example="false",
    )
    max_fragment_bytes: int = option(
        Integer(MIN_MTU_BYTES, MAX_MTU_BYTES),
        default=DEFAULT_MAX_FRAGMENT_BYTES,
        unit="octets",
        help="The longest EAP packet that is sent; shorter where the device's Framed-MTU says so.",
        example="500",
    )
    max_conversations: int = option(
        Integer(1, MAX_MAX_CONVERSATIONS),
        default=MAX_OPEN,
        help="How many EAP conversations may be open at once. When there are more, the oldest unfinished one of the "
        "device that has the most is given up.",
        example="2000",
    )
    factor_prompt: bool = option(
        Boolean(),
        default=True,
        help="Whether the user is asked for a factor after the password. An empty answer, auto, or the password again "
        "chooses automatically. false: always automatic, unless the user appends one.",
        example="false",
    )
    prompt_format: str = option(
        Choice("console", "short", "html", "long"),
        default="console",
        help="How that question looks: several lines with numbers, one short line, or HTML.",
        example="short",
    )
    failure_text: bool = option(
        Boolean(),
        default=True,
        help="Whether the user is shown why a login failed, in one more question whose answer does not count. Set it "
        "to false when clients store passwords and show nothing.",
        example="false",
    )
    auto_backoff: bool = option(
        Boolean(),
        default=True,
        help="Whether a station whose push was denied or not answered gets no further automatic push for 60 s, "
        "doubling to 15 minutes: a client that stores the password and tries again and again would mean a push each "
        "time.",
        example="false",
    )


def eap_findings(server: EapSettings) -> Iterable[Finding]:
    """Find what no single option shows: certificate, key and ciphers are tried."""
    yield from factor_findings(server)
    try:
        certificate = readable_certificate(server.certs, server.pkey)
    except CertificateFault as fault:
        yield (fault.option, fault.what, fault.remedy)
        return
    if certificate is None:
        return
    try:
        make_tls_context(server, certificate)
    except TlsContextError as fault:
        yield cipher_finding(fault)


def eap_advice(server: EapSettings) -> Iterable[Finding]:
    """Find what is doubtful."""
    yield from radius_advice(server)
    yield from version_advice(server)
    yield from prompt_advice(server.prompt_format)
    yield from certificate_advice(server, "certs", server.certs, server.pkey)


def prompt_format(server: EapSettings) -> PromptFormat:
    """The option as the login wants it."""
    return prompt_layout(server.prompt_format)


def make_tls_context(server: EapSettings, certificate: ServerCertificate) -> TlsServerContext:
    """Make the one context of a section.

    Raises:
        TlsContextError: OpenSSL refuses the ciphers.
    """
    return TlsServerContext(tls_settings(server, certificate))
