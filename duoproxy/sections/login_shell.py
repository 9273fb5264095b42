"""What every RADIUS login has round it, be it PAP or EAP: names and addresses that are read from attributes.

What it shares with logins of other protocols stands in `duoproxy.sections.login_record`.
"""

from __future__ import annotations

import re
from typing import Protocol, TypeVar, runtime_checkable

from attrs import frozen

from duoproxy.errors import Disposition, RemoteProtocolError
from duoproxy.login.policy import LoginPolicy
from duoproxy.net.radius_client import UpstreamReply
from duoproxy.net.radius_messages import ReceivedRequest
from duoproxy.radius.attributes import AttributeId, first
from duoproxy.radius.client_address import read_client_address
from duoproxy.radius.packet import Attribute
from duoproxy.radius.relay import PassThrough, reply_attributes_for_device
from duoproxy.sections.contracts import Environment
from duoproxy.sections.login_record import LoginRecord

ResultT = TypeVar("ResultT")

MAX_USERNAME_OCTETS = 253
MAX_DEVICES_NOTED = 1_000
_NOTHING = PassThrough()
_INVISIBLE = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]")
"""Letters and marks that are shown as nothing; Python takes them for printable. Source: Unicode,
Default_Ignorable_Code_Point.
"""


@frozen
class LoginShellSettings:
    """What a section decides about its logins.

    Attributes:
        policy: for the flow.
        pass_through: which attributes of the primary's reply go to the device.
        client_ip_attr: where the end user's address stands.
        pw_codec: encoding of the password.
        ikey: for events.
        client_section: name of the client section, for events.
        takes_proofs: whether a CHAP or MS-CHAP proof may stand in the place of a password.
    """

    policy: LoginPolicy
    pass_through: PassThrough
    client_ip_attr: AttributeId
    pw_codec: str
    ikey: str
    client_section: str
    takes_proofs: bool = False


@runtime_checkable
class RelaysReplies(Protocol):
    """A client section that itself names attributes of its replies which pass through."""

    pass_through: PassThrough


class LoginShell(LoginRecord):
    """What the logins of one server section for RADIUS share."""

    def __init__(self, settings: LoginShellSettings, environment: Environment) -> None:
        """Keep what every login needs."""
        super().__init__(
            environment,
            ikey=settings.ikey,
            client_section=settings.client_section,
            checks_passwords=settings.policy.checks_passwords,
        )
        self._settings = settings
        self._devices_noted: set[str] = set()

    def _say_undecodable(self, login_id: str, device: str) -> None:
        self._log.warn(
            "Login {login_id} from {device}: rejected, the name or password is not valid {codec}. Set pw_codec of "
            "[{section}] to the encoding that the device sends, such as latin-1.",
            login_id=login_id,
            device=device,
            codec=self._settings.pw_codec,
            section=self._environment.section_name,
        )

    def _say_refused(self, received: ReceivedRequest, login_id: str, fault: str) -> None:
        self._log.warn(
            "Login {login_id} from {device}: rejected, {fault}.",
            login_id=login_id,
            device=received.device_address,
            fault=fault,
        )

    def _client_ip(self, received: ReceivedRequest) -> str | None:
        attribute = self._settings.client_ip_attr
        value = first(received.packet.attributes, attribute)
        if value is None:
            return None
        definition = self._environment.dictionary.find(_notation(attribute))
        address = read_client_address(value, definition.data_type if definition else "octets")
        device = received.device_address
        if address is None and device not in self._devices_noted and len(self._devices_noted) < MAX_DEVICES_NOTED:
            self._devices_noted.add(device)
            self._log.warn(
                "Device {device} sends no address in {attribute}, so Duo is told none. Name the attribute that has it "
                "with "
                "client_ip_attr of [{section}].",
                device=device,
                attribute=self._environment.dictionary.name_of(attribute),
                section=self._environment.section_name,
            )
        return address

    def _relayed(
        self, upstream: UpstreamReply, answered: ReceivedRequest, accepted: bool, always: PassThrough = _NOTHING
    ) -> list[Attribute]:
        """Choose what of the primary's reply goes to the device, hidden values made anew for the request answered.

        Args:
            upstream: the primary's reply.
            answered: the request that is answered.
            accepted: whether the device gets an Access-Accept.
            always: what goes there without being named.
        """
        return reply_attributes_for_device(
            upstream.packet,
            upstream.request_authenticator,
            upstream.secret.reveal(),
            self._settings.pass_through.merge(always),
            self._environment.dictionary,
            answered.secret.reveal(),
            answered.packet.authenticator,
            self._environment.random_bytes,
            accepted,
        )


def decoded_name(octets: bytes, codec: str) -> str:
    """Decode a user name: UTF-8 as RFC 2865 §5.1 has it, else the encoding of the section."""
    if len(octets) > MAX_USERNAME_OCTETS:
        raise RemoteProtocolError("User-Name is too long", Disposition.REJECT)
    try:
        return octets.decode("utf-8")
    except UnicodeDecodeError:
        return octets.decode(codec)


def hidden_characters(username: str) -> str:
    """Say why a name with characters that cannot be seen is refused; empty when it has none.

    A password check may pass over a NUL or a zero-width character, so that the name is that of somebody whom Duo knows
    by another one: Duo would judge a stranger, or fail, and either may let in.
    """
    if username.isprintable() and (username.isascii() or not _INVISIBLE.search(username)):
        return ""
    return f"the User-Name {username!a} has characters that cannot be seen. Check what the device sends"


def _notation(attribute: AttributeId) -> str:
    return f"{attribute.vendor}:{attribute.number}" if attribute.vendor else str(attribute.number)
