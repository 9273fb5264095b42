"""What every server section that asks Duo has in common: its options, and the client that they make."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from duoproxy.config.kinds import ApiHost, Choice, Seconds, SecretText, SectionName, Text
from duoproxy.config.option import Numbering, option, settings
from duoproxy.config.schema import Finding
from duoproxy.login.policy import Failmode, fold_case
from duoproxy.net.duo_client import DuoClient, GenerationChoice
from duoproxy.net.tls import load_trust_roots
from duoproxy.secret import Secret
from duoproxy.sections.contracts import Environment
from duoproxy.sections.shared_options import DuoConnectionSettings, ca_file_findings

IKEY_LENGTH = 20
SKEY_LENGTH = 40
MIN_API_TIMEOUT_S = 1.0


@settings
class DuoServerSettings(DuoConnectionSettings):
    """Options of every server section that asks Duo for the second factor."""

    ikey: str = option(Text(), help="Integration key of the application in Duo.", example="DIXXXXXXXXXXXXXXXXXX")
    skey: Secret = option(SecretText(), help="Secret key of the application in Duo.", example="file:skey.txt")
    api_host: str = option(
        ApiHost(),
        help="API host name of the application in Duo; may carry a port.",
        example="api-XXXXXXXX.duosecurity.com",
    )
    api_generation: GenerationChoice = option(
        Choice("auto", "v1", "v2"),
        default="auto",
        help="Which generation of Duo's API is spoken; auto: v2, and v1 where the application may not call v2.",
    )
    api_timeout: float = option(
        Seconds(0, 600),
        default=0,
        unit="seconds",
        restricts=True,
        help="Limit for each call to Duo. 0: 10 s to connect, 15 s to learn about a user, and 120 s for the user to "
        "answer.",
        example="30",
    )
    client: str | None = option(
        SectionName(),
        default=None,
        help="The client section that checks passwords; needed when there is more than one.",
        example="radius_client",
    )
    failmode: str = option(
        Choice("safe", "secure"),
        default="safe",
        restricts=True,
        help="What a login gets when Duo cannot be reached before the user was asked: safe lets in on the password "
        "alone, "
        "secure rejects.",
        example="secure",
    )
    exempt_username: Mapping[int, str] = option(
        Text(),
        default={},
        numbered=Numbering.FROM_ONE,
        restricts=True,
        help="A user who needs no second factor; compared with the name as the device sends it, case aside.",
        example="backup-operator",
    )


def findings(server: DuoServerSettings) -> Iterable[Finding]:
    """What no single option shows."""
    if len(server.ikey) != IKEY_LENGTH or not server.ikey.startswith("DI"):
        yield (
            "ikey",
            "an integration key has 20 characters and begins with DI",
            "Copy it again from the application's page in Duo.",
        )
    if 0 < server.api_timeout < MIN_API_TIMEOUT_S:
        what = f"Duo cannot answer in {server.api_timeout:g} s, so that `failmode` would decide every login"
        yield ("api_timeout", what, "Write 0 for the usual limits, or 15 or more")
    yield from ca_file_findings("http_ca_certs_file", server.http_ca_certs_file)


def advice(server: DuoServerSettings) -> Iterable[Finding]:
    """What is doubtful about a section."""
    if len(server.skey) != SKEY_LENGTH:
        what = f"a secret key has {SKEY_LENGTH} characters, this one has {len(server.skey)}"
        yield ("skey", what, "Copy it again from the application's page in Duo.")


def weakened(server: DuoServerSettings) -> Iterable[str]:
    """Say what lets somebody in without a second factor, for `Section.status`."""
    if server.failmode == Failmode.SAFE.value:
        yield "failmode=safe: while Duo cannot be reached, a password is enough"
    if server.exempt_username:
        number = len(server.exempt_username)
        yield f"exempt_username_n: {number} user{'s need' if number > 1 else ' needs'} no second factor"


def failmode(server: DuoServerSettings) -> Failmode:
    """The option as the flow wants it."""
    return Failmode(server.failmode)


def exempt_usernames(server: DuoServerSettings) -> frozenset[str]:
    """The exempt names, case-folded as the flow wants them."""
    return frozenset(fold_case(name) for name in server.exempt_username.values())


def make_duo_client(server: DuoServerSettings, environment: Environment) -> DuoClient:
    """Make the client for the application that a section names.

    Raises:
        TrustRootsError: `http_ca_certs_file` cannot be used.
    """
    return DuoClient(
        reactor=environment.reactor,
        section_name=environment.section_name,
        ikey=server.ikey,
        skey=server.skey,
        api_host=server.api_host,
        api_timeout_s=server.api_timeout,
        random=lambda: int.from_bytes(environment.random_bytes(4), "big") / 2**32,
        generation=server.api_generation,
        trust_roots=load_trust_roots(server.http_ca_certs_file),
        http_proxy=(server.http_proxy_host, server.http_proxy_port) if server.http_proxy_host else None,
        limit=environment.connection_limit,
        generations=environment.generations,
    )
