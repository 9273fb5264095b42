"""What a RADIUS server section gets and gives: a verified request, and a reply that is not signed yet."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from attrs import field, frozen

from duoproxy.radius.addresses import AddressRange
from duoproxy.radius.attributes import Type
from duoproxy.radius.authenticators import MessageAuthenticator
from duoproxy.radius.credentials import read_proof
from duoproxy.radius.hiding import reveal_password
from duoproxy.radius.packet import Attribute, Code, Packet
from duoproxy.secret import Secret


@frozen
class RadiusDevice:
    """One `radius_ip_n` with its secret.

    Attributes:
        addresses: who may ask.
        secret: the shared secret.
        name: the option, `radius_ip_1`.
    """

    addresses: AddressRange
    secret: Secret
    name: str

    @property
    def secret_option(self) -> str:
        """The option that has the secret, `radius_secret_1`."""
        return self.name.replace("radius_ip", "radius_secret", 1)


@frozen
class ReceivedRequest:
    """An Access-Request of a known device whose Message-Authenticator, if it has one, fits.

    Attributes:
        packet: as decoded.
        device_address: in text form.
        device_port: its source port.
        secret: the secret shared with the device.
        message_authenticator: VALID or ABSENT.
        received_at: seconds, of the server's clock.
        local_address: the address that was asked.
        fingerprint: what it shares with its retries (`duoproxy.radius.retries.fingerprint`); None: they cannot be told.
    """

    packet: Packet
    device_address: str
    device_port: int
    secret: Secret
    message_authenticator: MessageAuthenticator
    received_at: float
    local_address: str
    fingerprint: bytes | None = field(default=None, repr=False)

    def with_fingerprint(self, its_fingerprint: bytes) -> ReceivedRequest:
        """Give the same request with its fingerprint."""
        return ReceivedRequest(
            self.packet,
            self.device_address,
            self.device_port,
            self.secret,
            self.message_authenticator,
            self.received_at,
            self.local_address,
            its_fingerprint,
        )

    def reveal_password(self) -> bytes | None:
        """Give the octets of User-Password, or None when there is none.

        Raises:
            RemoteProtocolError: REJECT: it is not 16 to 128 octets in blocks of 16.
        """
        hidden = self.packet.firsts.get(Type.USER_PASSWORD)
        if hidden is None:
            return None
        return reveal_password(hidden, self.secret.reveal(), self.packet.authenticator)

    def reveal_credential(self) -> bytes | None:
        """Give the octets of User-Password, or those of a proof of one (CHAP …); None when there is neither.

        Raises:
            RemoteProtocolError: REJECT: it has not the size that it should have.
        """
        password = self.reveal_password()
        if password is not None or Type.EAP_MESSAGE in self.packet.firsts:
            return password
        proof = read_proof(self.packet)
        return None if proof is None else proof.octets


@frozen
class Reply:
    """What to answer. The server adds Message-Authenticator (first) and Proxy-State (last).

    Attributes:
        code: Access-Accept, -Reject or -Challenge.
        attributes: or what makes them, for the request that is answered: a retry of the device may have joined, and a
            salt-encrypted value must fit the Request Authenticator of the newest one.
        login_id: the login that it belongs to, empty when there is none: so the sending becomes a step of it.
    """

    code: Code
    attributes: Sequence[Attribute] | Callable[[ReceivedRequest], Sequence[Attribute]] = ()
    login_id: str = ""

    def attributes_for(self, answered: ReceivedRequest) -> Sequence[Attribute]:
        """Give the attributes of the reply to `answered`."""
        return self.attributes(answered) if callable(self.attributes) else self.attributes


REJECT = Reply(Code.ACCESS_REJECT)
