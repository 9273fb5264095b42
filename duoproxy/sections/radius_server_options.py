"""The options that every section of kind radius_server_* shares, and what they mean to the parts that run it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from duoproxy.config.kinds import (
    AddressRangeKind,
    AttributeName,
    AttributeNames,
    Boolean,
    Choice,
    Codec,
    IpAddress,
    Port,
    SecretText,
)
from duoproxy.config.option import Numbering, OldName, option, settings
from duoproxy.config.schema import Finding, Listener
from duoproxy.login.policy import PrimaryDown
from duoproxy.login.prompt import PromptFormat
from duoproxy.net.radius_server import Handler, RadiusDevice, RadiusPolicy, RadiusServer
from duoproxy.radius.addresses import AddressRange
from duoproxy.radius.attributes import AttributeId, Type
from duoproxy.secret import Secret
from duoproxy.sections.append_options import AppendSettings, ChosenFactorSettings, append_findings
from duoproxy.sections.contracts import Environment
from duoproxy.sections.duo_server_options import DuoServerSettings, advice, findings

MANY_ADDRESSES = 1 << 30
"""More than a quarter of all IPv4 addresses."""


@settings
class RadiusListenerSettings(DuoServerSettings):
    """Options of every radius_server_* section."""

    radius_ip: Mapping[int, AddressRange] = option(
        AddressRangeKind(),
        numbered=Numbering.FROM_ONE,
        paired_with="radius_secret",
        restricts=True,
        help="Devices that may ask: an address, a network (10.0.0.0/8) or a range (10.0.0.1-10.0.0.9). Requests from "
        "other addresses are dropped. Of overlapping ones the narrowest counts.",
        example="10.1.2.1",
    )
    radius_secret: Mapping[int, Secret] = option(
        SecretText(),
        numbered=Numbering.FROM_ONE,
        help="Secret shared with the devices of the same number.",
        example="file:radius_secret_1.txt",
    )
    port: int = option(Port(), default=1812, help="UDP port to listen on.")
    interface: str = option(IpAddress(), default="", help="Address to listen on. Without it: all.", example="10.1.2.3")
    client_ip_attr: AttributeId = option(
        AttributeName(),
        default=AttributeId(0, Type.CALLING_STATION_ID),
        help="Attribute with the end user's address, which Duo's policies look at: a name of the dictionary, a number, "
        "Vendor-Id:Type, or `paloalto`. What is not an address is left out.",
        example="Calling-Station-Id",
    )
    pw_codec: str = option(
        Codec(), default="utf-8", help="Encoding of the password as the device sends it.", example="latin-1"
    )
    require_message_authenticator: str = option(
        Choice("auto", "yes", "no"),
        default="auto",
        restricts=True,
        help="Whether requests must carry a Message-Authenticator; auto: once an address has sent one with a password "
        "login, from then on.",
        example="yes",
        old_names=(OldName("force_message_authenticator", {"true": "yes", "false": "auto"}),),
    )
    limit_proxy_state: str = option(
        Choice("auto", "yes", "no"),
        default="auto",
        restricts=True,
        help="Whether requests with Proxy-State but without Message-Authenticator are dropped; auto: decided by the "
        "first request of each address.",
    )
    join_retries: bool = option(
        Boolean(),
        default=True,
        help="Whether a retry of a device that comes with a new identifier joins the login that is waiting.",
        example="false",
    )


@settings
class RadiusServerSettings(RadiusListenerSettings):
    """Options of the sections that have a password checked."""

    primary_down: str = option(
        Choice("silent", "reject"),
        default="silent",
        help="What a device gets when nobody could check the password: no answer, so that it asks its next server, or "
        "a reject.",
        example="reject",
    )
    pass_through_attr_names: frozenset[AttributeId] = option(
        AttributeNames(),
        default=frozenset(),
        help="Attributes of the primary's reply that go on to the device (with radius_client only).",
        example="Class, Framed-IP-Address",
    )
    pass_through_all: bool = option(
        Boolean(), default=False, help="All attributes of the primary's reply go on to the device.", example="true"
    )


@settings
class DelimiterSettings(AppendSettings, RadiusServerSettings):
    """Options of the sections that split the password field."""


@settings
class FactorSettings(ChosenFactorSettings, DelimiterSettings):
    """Options of the sections that choose a factor by themselves and split the password field."""


def factor_findings(server: DelimiterSettings) -> Iterable[Finding]:
    """What no single option shows, and what is wrong with the delimiter."""
    yield from findings(server)
    yield from append_findings(server)


def radius_advice(server: RadiusListenerSettings) -> Iterable[Finding]:
    """What is doubtful about a section."""
    yield from advice(server)
    for number, addresses in server.radius_ip.items():
        if addresses.version == 4 and addresses.last - addresses.first >= MANY_ADDRESSES:
            what = "nearly everybody may ask: whoever learns the shared secret can try passwords from anywhere"
            yield (f"radius_ip_{number}", what, "Write the addresses of your devices")


def listens_on(server: RadiusListenerSettings) -> Sequence[Listener]:
    """The one UDP address of a section."""
    return [("udp", server.interface, server.port)]


def devices(server: RadiusListenerSettings) -> tuple[RadiusDevice, ...]:
    """The devices that may ask, with their secrets."""
    return tuple(
        RadiusDevice(addresses, server.radius_secret[number], f"radius_ip_{number}")
        for number, addresses in server.radius_ip.items()
    )


def radius_policy(server: RadiusListenerSettings) -> RadiusPolicy:
    """What the UDP server must insist on."""
    return RadiusPolicy(
        require_message_authenticator=server.require_message_authenticator,
        limit_proxy_state=server.limit_proxy_state,
        join_retries=server.join_retries,
    )


def make_radius_server(
    server: RadiusListenerSettings, environment: Environment, handler: Handler, *, state_is_ours: bool = False
) -> RadiusServer:
    """Make the listener of a section; nothing is opened yet. The arguments are those of `RadiusServer`."""
    return RadiusServer(
        section_name=environment.section_name,
        reactor=environment.reactor,
        devices=devices(server),
        policy=radius_policy(server),
        handler=handler,
        random_bytes=environment.random_bytes,
        dictionary=environment.dictionary,
        state_is_ours=state_is_ours,
        debug=server.debug,
        login_step=environment.login_step,
    )


def prompt_layout(prompt_format: str) -> PromptFormat:
    """The option `prompt_format` as the login wants it."""
    return PromptFormat.CONSOLE if prompt_format == "long" else PromptFormat(prompt_format)


def prompt_advice(prompt_format: str) -> Iterable[Finding]:
    """What is doubtful about the option `prompt_format`."""
    if prompt_format == "long":
        yield ("prompt_format", "there is no such format; console is used", "Write console, short or html")


def primary_down(server: RadiusServerSettings) -> PrimaryDown:
    """The option as the flow wants it."""
    return PrimaryDown(server.primary_down)
