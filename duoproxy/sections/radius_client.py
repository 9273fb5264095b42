"""[radius_client]: another RADIUS server checks the password: PAP, or a proof of it (CHAP, MS-CHAP, MS-CHAPv2).

It may ask the user something before it decides; the answer goes to the server that asked.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence

from duoproxy.config.kinds import (
    AttributeNames,
    Boolean,
    Choice,
    Codec,
    HostOrAddress,
    Integer,
    IpAddress,
    Port,
    Seconds,
    SecretText,
)
from duoproxy.config.option import Numbering, OldName, option, settings
from duoproxy.config.schema import Role, SectionSchema
from duoproxy.login.outcome import PrimaryOutcome, PrimaryQuestion
from duoproxy.login.request import LoginRequest
from duoproxy.net.radius_client import RadiusUpstream, RequestTooLong, UpstreamHost, UpstreamReply
from duoproxy.radius.attributes import AttributeId, Type, all_values
from duoproxy.radius.ms_chap_error import refusal_of_proof
from duoproxy.radius.packet import Attribute, Code
from duoproxy.radius.relay import DeviceRequest, PassThrough, request_attributes_for_upstream
from duoproxy.secret import Secret
from duoproxy.sections.checks import Check
from duoproxy.sections.contracts import ClientSection, Environment, upstream_status
from duoproxy.sections.shared_options import SectionSettings
from duoproxy.sections.upstream_checks import AskedHost, upstream_checks
from duoproxy.sections.upstream_credentials import carried


@settings
class RadiusClientSettings(SectionSettings):
    """Options of [radius_client]."""

    host: Mapping[int, str] = option(
        HostOrAddress(),
        numbered=Numbering.FIRST_BARE,
        help="The RADIUS server that checks passwords: an address, or a name that is looked up at start and every "
        "minute. "
        "host_2, host_3 … are asked, in order, when the ones before give no answer.",
        example="10.1.2.10",
    )
    secret: Mapping[int, Secret] = option(
        SecretText(),
        numbered=Numbering.FIRST_BARE,
        one_per="host",
        help="Secret shared with the server; secret_2 … for further hosts, which otherwise use `secret`.",
        example="file:radius_secret.txt",
    )
    port: Mapping[int, int] = option(
        Port(), default=1812, numbered=Numbering.FIRST_BARE, one_per="host", help="UDP port of the server."
    )
    retries: int = option(Integer(1, 100), default=3, help="How often a request is sent to one host.")
    retry_wait: float = option(
        Seconds(0.1, 300), default=2, unit="seconds", help="Pause before the request is sent again."
    )
    nas_ip: str = option(
        IpAddress(),
        default="",
        help="NAS-IP-Address that the server is sent. Without it: what the device sent, if `pass_through_*` names it, "
        "else our own address towards that server.",
        example="10.1.2.3",
    )
    pass_through_attr_names: frozenset[AttributeId] = option(
        AttributeNames(),
        default=frozenset(),
        help="Attributes that pass through: from the device's request to the server, and from its reply to the device. "
        "Names of the dictionary, numbers, or Vendor-Id:Type.",
        example="Cisco-AVPair, Calling-Station-Id",
    )
    pass_through_all: bool = option(
        Boolean(), default=False, help="All attributes pass through, in both directions.", example="true"
    )
    pw_codec: str = option(Codec(), default="utf-8", help="Encoding of the password towards the server.")
    require_message_authenticator: str = option(
        Choice("auto", "yes", "no"),
        default="auto",
        restricts=True,
        help="Whether replies must carry a Message-Authenticator; auto: once this server has sent one, from then on.",
        old_names=(OldName("force_message_authenticator", {"true": "yes", "false": "auto"}),),
    )


class RadiusClient(ClientSection):
    """Asks another RADIUS server, with failover."""

    schema = SectionSchema(
        name="radius_client",
        role=Role.CLIENT,
        summary="Another RADIUS server checks the password: PAP, CHAP, MS-CHAP or MS-CHAPv2.",
        settings_class=RadiusClientSettings,
        asks=lambda client: [("udp", host, client.port[number]) for number, host in client.host.items()],
    )
    settings: RadiusClientSettings
    takes_proofs = True

    def __init__(self, settings: RadiusClientSettings, environment: Environment) -> None:
        super().__init__(settings, environment)
        self.pass_through = PassThrough(settings.pass_through_all, settings.pass_through_attr_names)
        self._upstream = _make_upstream(settings, environment)

    async def start(self) -> None:
        """Look the names up and open the first socket."""
        await self._upstream.start()

    async def stop(self) -> None:
        """Close the sockets; logins in flight fail."""
        await self._upstream.stop()

    def connectivity(self) -> Sequence[Check]:
        """Ask each server something that locks nobody."""
        settings = self.settings
        hosts = [
            AskedHost(host, settings.port[number], settings.secret[number], _secret_option(settings, number))
            for number, host in settings.host.items()
        ]
        return upstream_checks(hosts, settings.nas_ip, self.environment)

    def status(self) -> Mapping[str, object]:
        """Tell which servers rest."""
        return {"upstreams": upstream_status(self._upstream.health(), self.environment.reactor.seconds())}

    async def authenticate(self, request: LoginRequest) -> PrimaryOutcome:
        """Send an Access-Request upstream and judge the reply: only an Access-Accept is a yes."""
        return await self._ask(request, None)

    async def _ask(self, request: LoginRequest, challenge: UpstreamReply | None) -> PrimaryOutcome:
        """Ask, or answer a challenge, at the server that sent it and with its State. Source: RFC 2865 §4.4."""
        hide = carried(request, self.settings.pw_codec, self.environment.section_name)
        if isinstance(hide, str):
            return PrimaryOutcome(False, hide)
        states = [] if challenge is None else [one for one in challenge.packet.attributes if one[0] == Type.STATE]

        def build(request_authenticator: bytes, secret: bytes, own_address: str) -> list[Attribute]:
            credential = hide(request_authenticator, secret)
            return self._attributes(request, [*credential, *states], own_address)

        try:
            reply = await self._upstream.exchange(build, challenge)
        except RequestTooLong as fault:
            reason = f"the request does not fit into one for the RADIUS server ({fault}): let fewer attributes through"
            return PrimaryOutcome(False, reason)
        return self._judge(reply)

    def _attributes(self, request: LoginRequest, own: list[Attribute], own_address: str) -> list[Attribute]:
        attributes = list(own)
        if isinstance(request.wire, DeviceRequest):
            wire = request.wire
            named = self.pass_through.merge(wire.pass_through)
            attributes += request_attributes_for_upstream(wire.packet, named, self.environment.dictionary)
        nas = self.settings.nas_ip or ("" if _has_nas_address(attributes) else own_address)
        if nas:
            attributes = [pair for pair in attributes if pair[0] not in _NAS_ADDRESSES]
            attributes.append(_nas_attribute(nas))
        return attributes

    def _judge(self, reply: UpstreamReply) -> PrimaryOutcome:
        code = reply.packet.code
        if code == Code.ACCESS_ACCEPT:
            return PrimaryOutcome(accepted=True, wire=reply)
        if code == Code.ACCESS_REJECT:
            why = refusal_of_proof(reply.packet.attributes)
            reason = f"RADIUS server {reply.host} refused name or password{': ' if why else ''}{why}"
            return PrimaryOutcome(False, reason, wire=reply)
        if code == Code.ACCESS_CHALLENGE:
            reason = (
                f"RADIUS server {reply.host} answered with an Access-Challenge, which is never a success, and this "
                "kind of login cannot relay it: let it check the password alone, without a second question"
            )
            text = b"".join(all_values(reply.packet.attributes, Type.REPLY_MESSAGE)).decode("utf-8", "replace")
            question = PrimaryQuestion(text or _NO_TEXT, lambda answer: self._ask(answer, reply), reply)
            return PrimaryOutcome(False, reason, question=question)
        return PrimaryOutcome(False, f"RADIUS server {reply.host} answered with the unknown code {code}")


_NO_TEXT = "The server asks for another answer: "
_NAS_ADDRESSES = frozenset({int(Type.NAS_IP_ADDRESS), int(Type.NAS_IPV6_ADDRESS)})


def _has_nas_address(attributes: list[Attribute]) -> bool:
    return any(number in _NAS_ADDRESSES for number, _ in attributes)


def _nas_attribute(text: str) -> Attribute:
    address = ipaddress.ip_address(text)
    number = Type.NAS_IP_ADDRESS if address.version == 4 else Type.NAS_IPV6_ADDRESS
    return (number, address.packed)


def _make_upstream(settings: RadiusClientSettings, environment: Environment) -> RadiusUpstream:
    hosts = [
        UpstreamHost(host, settings.port[number], settings.secret[number], _secret_option(settings, number))
        for number, host in settings.host.items()
    ]
    return RadiusUpstream(
        section_name=environment.section_name,
        reactor=environment.reactor,
        hosts=hosts,
        retries=settings.retries,
        retry_wait_s=settings.retry_wait,
        random_bytes=environment.random_bytes,
        require_message_authenticator=settings.require_message_authenticator,
        dictionary=environment.dictionary,
        debug=settings.debug,
    )


def _secret_option(settings: RadiusClientSettings, number: int) -> str:
    """The option that has the secret of a host: its own, or `secret` for all."""
    own = number > 1 and settings.secret[number] != settings.secret[1]
    return f"secret_{number}" if own else "secret"
