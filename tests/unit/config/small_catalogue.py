"""A catalogue of a few sections, like the real one but small, for the tests of config/ and of authproxyctl."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from duoproxy.config.kinds import (
    AddressRangeKind,
    ApiHost,
    AttributeName,
    AttributeNames,
    Boolean,
    Choice,
    Codec,
    CommaList,
    FalseOnly,
    HostOrAddress,
    InputFile,
    Integer,
    IpAddress,
    OutputFile,
    Port,
    Seconds,
    SecretText,
    SectionName,
    Text,
)
from duoproxy.config.option import Numbering, OldName, option, settings
from duoproxy.config.problems import Problem
from duoproxy.config.schema import Role, SectionSchema
from duoproxy.config.validate import Catalogue, Configuration, check_configuration, load_configuration
from duoproxy.radius.addresses import AddressRange
from duoproxy.radius.attributes import AttributeId
from duoproxy.radius.dictionary import AttributeDefinition, Dictionary, DictionaryError
from duoproxy.secret import Secret


@settings
class Shared:
    debug: bool = option(Boolean(), default=False, help="Log more.")


@settings
class Main(Shared):
    log_max_files: int = option(Integer(0, 100), default=6, help="Files that are kept.", inherited=False)
    interface: str = option(IpAddress(), default="", help="Address to listen on.", example="10.1.2.3")
    fips_mode: bool = option(
        FalseOnly("RADIUS needs MD5", "Write fips_mode = false"), default=False, help="Refused.", inherited=False
    )
    dictionary_file: Path | None = option(InputFile(), default=None, help="More attributes.", inherited=False)


@settings
class Client(Shared):
    host: Mapping[int, str] = option(
        HostOrAddress(), numbered=Numbering.FIRST_BARE, help="Server to ask.", example="10.1.2.10"
    )
    secret: Mapping[int, Secret] = option(
        SecretText("the shared secret"), numbered=Numbering.FIRST_BARE, one_per="host", help="Its secret."
    )
    port: Mapping[int, int] = option(
        Port(), default=1812, numbered=Numbering.FIRST_BARE, one_per="host", help="Its port."
    )
    retries: int = option(Integer(1, 100), default=3, help="Tries per host.")
    retry_wait: float = option(Seconds(0.1, 300), default=2, unit="seconds", help="Pause between tries.")
    pass_through_attr_names: frozenset[AttributeId] = option(
        AttributeNames(), default=frozenset(), help="Attributes that pass.", example="Cisco-AVPair, 26"
    )
    pw_codec: str = option(Codec(), default="utf-8", help="Encoding.")
    ca_file: Path | None = option(InputFile(), default=None, help="Authorities.", example="ca.pem")


@settings
class Server(Shared):
    ikey: str = option(Text(), help="Integration key.", example="DIXXXXXXXXXXXXXXXXXX")
    skey: Secret = option(SecretText("the secret key"), help="Secret key.")
    api_host: str = option(ApiHost(), help="API host name.", example="api-XXXXXXXX.duosecurity.com")
    radius_ip: Mapping[int, AddressRange] = option(
        AddressRangeKind(),
        numbered=Numbering.FROM_ONE,
        paired_with="radius_secret",
        help="Devices.",
        example="10.1.2.0/24",
    )
    radius_secret: Mapping[int, Secret] = option(
        SecretText("the shared secret"), numbered=Numbering.FROM_ONE, paired_with="radius_ip", help="Their secrets."
    )
    client: str | None = option(SectionName(), default=None, help="Client section.", example="radius_client")
    port: int = option(Port(), default=1812, help="UDP port.")
    interface: str = option(IpAddress(), default="", help="Address to listen on.", example="10.1.2.3")
    failmode: str = option(Choice("safe", "secure"), default="safe", help="When Duo is away.", restricts=True)
    factors: tuple[str, ...] = option(
        CommaList(Choice("auto", "push", "phone")), default=("auto",), help="Factors.", example="push, phone"
    )
    exempt_username: Mapping[int, str] = option(
        Text(), default={}, numbered=Numbering.FROM_ONE, restricts=True, help="Not asked.", example="printer"
    )
    client_ip_attr: AttributeId = option(
        AttributeName(), default=AttributeId(0, 31), help="Where the user's address stands.", example="paloalto"
    )
    require_message_authenticator: str = option(
        Choice("auto", "yes", "no"),
        default="auto",
        restricts=True,
        help="Integrity.",
        old_names=(OldName("force_message_authenticator", {"true": "yes", "false": "auto"}),),
    )
    delimiter: str = option(Text(), default=",", help="Before a factor.", since="0.2")


@settings
class Sandbox(Shared):
    ca_output: Path = option(OutputFile(), default=Path("sandbox-ca.pem"), help="Certificate that is made.")
    port: int = option(Port(), default=8443, help="TCP port.")
    interface: str = option(IpAddress(), default="", help="Address to listen on.")


def _findings(server: Server):
    if not server.ikey.startswith("DI"):
        yield ("ikey", "an integration key begins with DI", "Copy it again")


def _advice(server: Server):
    if len(server.skey) < 8:
        yield ("skey", "the secret key is short", "Copy it again")


MAIN = SectionSchema("main", Role.MAIN, "Logs, and what others inherit.", Main)
RADIUS_CLIENT = SectionSchema(
    "radius_client",
    Role.CLIENT,
    "Another RADIUS server checks the password.",
    Client,
    asks=lambda client: [("udp", host, client.port[number]) for number, host in client.host.items()],
)
DUO_ONLY_CLIENT = SectionSchema("duo_only_client", Role.CLIENT, "Checks no password.", Shared)
RADIUS_SERVER_AUTO = SectionSchema(
    "radius_server_auto",
    Role.SERVER,
    "RADIUS for VPNs.",
    Server,
    doc="Choose the factor with `factors`.",
    takes_client=True,
    listens=lambda server: [("udp", server.interface, server.port)],
    check=_findings,
    advise=_advice,
)
SANDBOX_DUO = SectionSchema(
    "sandbox_duo",
    Role.SERVER,
    "A stand-in for Duo.",
    Sandbox,
    loopback_only=True,
    listens=lambda sandbox: [("tcp", sandbox.interface, sandbox.port)],
)

ATTRIBUTES = {
    "Calling-Station-Id": AttributeId(0, 31),
    "NAS-IP-Address": AttributeId(0, 4),
    "Class": AttributeId(0, 25),
    "Cisco-AVPair": AttributeId(9, 1),
    "PaloAlto-Client-Source-IP": AttributeId(25461, 7),
}


def small_dictionary(*files: Path) -> Dictionary:
    """A few attributes, and those of files in a notation of our own: a name and a number in each line."""
    known = dict(ATTRIBUTES)
    for file in files:
        for number, line in enumerate(file.read_text().splitlines(), start=1):
            name, _, value = line.partition(" ")
            if not value.isdigit():
                raise DictionaryError(str(file), number, "the number is missing")
            known[name] = AttributeId(0, int(value))
    return Dictionary(AttributeDefinition(name, attribute_id) for name, attribute_id in known.items())


CATALOGUE = Catalogue(
    schemas={schema.name: schema for schema in (MAIN, RADIUS_CLIENT, DUO_ONLY_CLIENT, RADIUS_SERVER_AUTO, SANDBOX_DUO)},
    planned={
        "ad_client": "is known, but this version does not serve it yet. Use [radius_client] until then.",
        "radius_server_eap": "is known, but this version does not serve it yet.",
    },
    dictionary_loader=small_dictionary,
)

GOOD_SERVER = """[radius_server_auto]
ikey = DIXXXXXXXXXXXXXXXXXX
skey = 0123456789012345678901234567890123456789
api_host = api-1234.duosecurity.com
radius_ip_1 = 10.0.0.0/8
radius_secret_1 = radius secret
"""
GOOD_CLIENT = """[radius_client]
host = 10.1.2.10
secret = upstream secret
"""
GOOD = GOOD_SERVER + GOOD_CLIENT


def write(folder: Path, text: str | bytes) -> Path:
    """Write a configuration that others cannot read."""
    path = folder / "authproxy.cfg"
    path.touch(mode=0o600)
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def problems_of(folder: Path, text: str | bytes, **options) -> list[Problem]:
    return check_configuration(write(folder, text), CATALOGUE, **{"environ": {}, **options})


def lines_of(folder: Path, text: str | bytes, **options) -> list[str]:
    """Check a text and give its problems as printed lines, the folder taken out."""
    return [str(problem).replace(f"{folder}/", "") for problem in problems_of(folder, text, **options)]


def load(folder: Path, text: str | bytes, **options) -> Configuration:
    return load_configuration(write(folder, text), CATALOGUE, **{"environ": {}, **options})
