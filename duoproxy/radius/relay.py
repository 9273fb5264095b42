"""Which attributes pass through the proxy, and how their hidden values change hands.

Owns the choice (what an administrator named, less what must never cross) and the re-encryption: a value that is hidden
with one hop's secret is opened and hidden anew for the other hop. Every attribute keeps its place in the order. What
cannot be opened is left out: the other side would only get garbage.

Source: RFC 2865 §5.44 (what may stand in which packet), RFC 2548 §2.4, RFC 2868 §3.5 (hidden values).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from attrs import field, frozen

from duoproxy.errors import RemoteProtocolError
from duoproxy.radius.attributes import (
    MAX_VENDOR_VALUE_BYTES,
    VENDOR_ID_BYTES,
    AttributeId,
    Type,
    vendor_of,
    vendor_parts,
)
from duoproxy.radius.credentials import CREDENTIALS, MICROSOFT, MS_CHAP_ERROR
from duoproxy.radius.definitions import Encryption, VendorFormat
from duoproxy.radius.dictionary import Dictionary
from duoproxy.radius.hiding import (
    BLOCK_BYTES,
    SALT_BYTES,
    decrypt_salted,
    distinct_salts,
    encrypt_salted,
    rehide_password,
)
from duoproxy.radius.packet import MAX_PACKET_BYTES, Attribute, Code, Packet

MAX_SALTED_VALUES = MAX_PACKET_BYTES // (2 + SALT_BYTES + BLOCK_BYTES)
"""More salted values than this, the smallest of 20 octets, do not fit into one packet."""

_Rehide = Callable[[AttributeId, bytes], bytes | None]

SAID_OF_A_PROOF = frozenset(
    {
        MS_CHAP_ERROR,
        AttributeId(MICROSOFT, 7),  # MS-MPPE-Encryption-Policy, -Types
        AttributeId(MICROSOFT, 8),
        AttributeId(MICROSOFT, 10),  # MS-CHAP-Domain
        AttributeId(MICROSOFT, 12),  # MS-CHAP-MPPE-Keys
        AttributeId(MICROSOFT, 16),  # MS-MPPE-Send-Key, -Recv-Key
        AttributeId(MICROSOFT, 17),
        AttributeId(MICROSOFT, 26),  # MS-CHAP2-Success
    }
)
"""What a server says of a CHAP or MS-CHAP proof, and only who knows the password can say: without it such a login is of
no use to the device, so it needs no naming. Source: RFC 2548 §2.1.4, §2.1.5, §2.3.3, §2.4.
"""

# They belong to one hop: to its credentials, its conversation, its signature.
_NEVER = frozenset(
    {
        AttributeId(0, Type.USER_PASSWORD),
        AttributeId(0, Type.CHAP_PASSWORD),
        AttributeId(0, Type.CHAP_CHALLENGE),
        AttributeId(0, Type.EAP_MESSAGE),
        AttributeId(0, Type.MESSAGE_AUTHENTICATOR),
        AttributeId(0, Type.STATE),
        AttributeId(0, Type.PROXY_STATE),
    }
)
# The upstream request has its own.
_NEVER_UPSTREAM = _NEVER | CREDENTIALS | {AttributeId(0, Type.USER_NAME)}
# RFC 2865 §5.44, RFC 2869 §5.19, RFC 2548 §2.1.6. Vendor-Specific has a 0 there: no key, no role and no success
# message of a vendor can stand in a Reject.
_IN_A_REJECT = frozenset(
    {
        AttributeId(0, Type.REPLY_MESSAGE),
        AttributeId(0, Type.PASSWORD_RETRY),
        AttributeId(0, Type.ERROR_CAUSE),
        MS_CHAP_ERROR,
    }
)
# RFC 2865 §5.44, RFC 2869 §5.19: beside State and Session-Timeout, which the proxy says itself, and vendors' own.
_SHOWN_IN_A_CHALLENGE = frozenset({AttributeId(0, Type.REPLY_MESSAGE), AttributeId(0, Type.PROMPT)})
_IN_A_CHALLENGE = _SHOWN_IN_A_CHALLENGE | {AttributeId(0, Type.IDLE_TIMEOUT)}
# RFC 2548 §3: a 0 in the column of Challenge. They are worth something as soon as the device has them.
_ONLY_IN_AN_ACCEPT = SAID_OF_A_PROOF - {MS_CHAP_ERROR}


@frozen
class PassThrough:
    """What an administrator lets through.

    Attributes:
        everything: all that may cross at all.
        names: otherwise only these; Vendor-Specific by its own number (26) means every vendor's.
        never: none of these, whatever was named: the proxy itself says them.
    """

    everything: bool = False
    names: frozenset[AttributeId] = frozenset()
    never: frozenset[AttributeId] = frozenset()

    def merge(self, other: PassThrough) -> PassThrough:
        """Let through what either lets through, and nothing that one of them never does."""
        return PassThrough(self.everything or other.everything, self.names | other.names, self.never | other.never)

    def takes(self, attribute_id: AttributeId) -> bool:
        """Tell whether an attribute was named (or everything was)."""
        if attribute_id in self.never:
            return False
        if self.everything or attribute_id in self.names:
            return True
        return attribute_id.vendor != 0 and AttributeId(0, Type.VENDOR_SPECIFIC) in self.names


@frozen
class DeviceRequest:
    """A device's request, as a client section that speaks RADIUS is given it.

    Attributes:
        packet: of the device.
        pass_through: what the section that took it lets through to the upstream, beside what the upstream's own section
            names.
    """

    packet: Packet
    pass_through: PassThrough = PassThrough()


@frozen
class Hop:
    """What hides values on one side of the proxy.

    Attributes:
        secret: the shared secret of that side.
        request_authenticator: 16 octets, of the request on that side.
    """

    secret: bytes = field(repr=False)
    request_authenticator: bytes


def reply_attributes_for_device(
    reply: Packet,
    request_authenticator_upstream: bytes,
    secret_upstream: bytes,
    pass_through: PassThrough,
    dictionary: Dictionary,
    secret_device: bytes,
    request_authenticator_device: bytes,
    random_bytes: Callable[[int], bytes],
    accepted: bool,
) -> list[Attribute]:
    """Choose what of an upstream's reply goes to the device, hidden values made anew for it.

    Args:
        reply: the authentic reply of the upstream.
        request_authenticator_upstream: 16 octets, of the request that `reply` answers.
        secret_upstream: the secret shared with the upstream.
        pass_through: what the administrator named.
        dictionary: says which values are hidden, and how.
        secret_device: the secret shared with the device.
        request_authenticator_device: 16 octets, of the device's request.
        random_bytes: as `os.urandom`; for new salts.
        accepted: the device will get an Access-Accept. When it will be rejected, an upstream's Reject gives what a
            Reject may carry, and an upstream's Accept gives nothing: what it grants was not granted.

    Raises:
        ValueError: `accepted`, but `reply` is no Access-Accept.

    Source: RFC 2865 §5.44.
    """
    if accepted and reply.code != Code.ACCESS_ACCEPT:
        raise ValueError("only an Access-Accept of the upstream can become one for the device")
    if not accepted and reply.code != Code.ACCESS_REJECT:
        return []

    def chosen(attribute_id: AttributeId) -> bool:
        if not accepted and attribute_id not in _IN_A_REJECT:
            return False
        return attribute_id not in _NEVER and pass_through.takes(attribute_id)

    rehide = _Rehiding(
        Hop(secret_upstream, request_authenticator_upstream),
        Hop(secret_device, request_authenticator_device),
        dictionary,
        random_bytes,
    )
    return list(_relayed(reply.attributes, chosen, rehide, dictionary))


def challenge_attributes_for_device(
    challenge: Packet, pass_through: PassThrough, dictionary: Dictionary
) -> list[Attribute]:
    """Choose what of an upstream's Access-Challenge goes to the device; State and Session-Timeout are left out.

    Reply-Message and Prompt always pass: they are the question. Vendors' attributes pass where they are named, but no
    hidden value does, nor what says that a proof was right: keys are granted by an Access-Accept, after Duo's yes.

    Args:
        challenge: the authentic challenge of the upstream.
        pass_through: what the administrator named.
        dictionary: says which values are hidden.

    Raises:
        ValueError: `challenge` is no Access-Challenge.

    Source: RFC 2865 §5.44, RFC 2548 §3, RFC 2868 §4.
    """
    if challenge.code != Code.ACCESS_CHALLENGE:
        raise ValueError("only an Access-Challenge of the upstream can become one for the device")

    def chosen(attribute_id: AttributeId) -> bool:
        if attribute_id in _SHOWN_IN_A_CHALLENGE:
            return attribute_id not in pass_through.never
        possible = attribute_id.vendor != 0 or attribute_id in _IN_A_CHALLENGE
        return possible and attribute_id not in _ONLY_IN_AN_ACCEPT and pass_through.takes(attribute_id)

    return list(_relayed(challenge.attributes, chosen, _plain_only(dictionary), dictionary))


def request_attributes_for_upstream(
    request: Packet, pass_through: PassThrough, dictionary: Dictionary
) -> list[Attribute]:
    """Choose what of a device's request goes upstream.

    User-Name and the credentials of PAP, CHAP and EAP are left out: the request to the upstream has its own. So are
    hidden values: beside User-Password, no attribute that a request may carry is hidden.

    Args:
        request: of the device.
        pass_through: what the administrator named.
        dictionary: says which values are hidden.
    """

    def chosen(attribute_id: AttributeId) -> bool:
        return attribute_id not in _NEVER_UPSTREAM and pass_through.takes(attribute_id)

    return list(_relayed(request.attributes, chosen, _plain_only(dictionary), dictionary))


def _plain_only(dictionary: Dictionary) -> _Rehide:
    """Pass what is not hidden, and nothing else."""
    return lambda attribute_id, value: value if dictionary.definition(attribute_id).encrypt is Encryption.NONE else None


class _Rehiding:
    """Opens hidden values of one hop and hides them for the other; every salt of one packet is different."""

    def __init__(self, here: Hop, there: Hop, dictionary: Dictionary, random_bytes: Callable[[int], bytes]) -> None:
        self._here = here
        self._there = there
        self._dictionary = dictionary
        self._random_bytes = random_bytes
        self._salts: Iterator[bytes] | None = None

    def __call__(self, attribute_id: AttributeId, value: bytes) -> bytes | None:
        """Give the value for the other hop, or None when it cannot be opened."""
        definition = self._dictionary.definition(attribute_id)
        try:
            if definition.encrypt is Encryption.NONE:
                return value
            if definition.encrypt is Encryption.USER_PASSWORD:
                return self._password(value)
            if definition.encrypt is Encryption.TUNNEL_PASSWORD:
                # RFC 2868 §3.5: the tag of a Tunnel-Password is always there, and in the clear.
                tag = value[:1] if definition.has_tag else b""
                return tag + self._salted(value[len(tag) :])
        except RemoteProtocolError:
            return None
        return None

    def _password(self, value: bytes) -> bytes:
        here, there = self._here, self._there
        return rehide_password(
            value, here.secret, here.request_authenticator, there.secret, there.request_authenticator
        )

    def _salted(self, value: bytes) -> bytes:
        plain = decrypt_salted(value, self._here.secret, self._here.request_authenticator)
        return encrypt_salted(plain, self._there.secret, self._there.request_authenticator, self._next_salt())

    def _next_salt(self) -> bytes:
        if self._salts is None:
            self._salts = distinct_salts(MAX_SALTED_VALUES, self._random_bytes)
        return next(self._salts)


def _relayed(
    attributes: Iterable[Attribute],
    chosen: Callable[[AttributeId], bool],
    rehide: _Rehide,
    dictionary: Dictionary,
) -> Iterator[Attribute]:
    for number, value in attributes:
        if number == Type.VENDOR_SPECIFIC:
            relayed = _relayed_vendor(value, chosen, rehide, dictionary)
        elif chosen(AttributeId(0, number)):
            relayed = rehide(AttributeId(0, number), value)
        else:
            relayed = None
        if relayed is not None:
            yield (number, relayed)


def _relayed_vendor(
    value: bytes, chosen: Callable[[AttributeId], bool], rehide: _Rehide, dictionary: Dictionary
) -> bytes | None:
    """What of a Vendor-Specific passes: the chosen attributes inside it, or all of it when it cannot be looked into."""
    vendor = vendor_of(value)
    layout = dictionary.vendor_format(vendor or 0)
    parts = None
    if vendor and not layout.continuation:
        parts = vendor_parts(value, layout.type_octets, layout.length_octets)
    if parts is None:
        # Opaque: nothing in it can be named, so it crosses only where every Vendor-Specific does.
        return value if chosen(AttributeId(0, Type.VENDOR_SPECIFIC)) else None
    kept = []
    for number, inner in parts:
        attribute_id = AttributeId(vendor or 0, number)
        relayed = rehide(attribute_id, inner) if chosen(attribute_id) else None
        if relayed is not None:
            kept.append(_vendor_part(layout, number, relayed))
    octets = b"".join(kept)
    return value[:VENDOR_ID_BYTES] + octets if 0 < len(octets) <= MAX_VENDOR_VALUE_BYTES + 2 else None


def _vendor_part(layout: VendorFormat, number: int, value: bytes) -> bytes:
    """One attribute in the format of its vendor."""
    size = layout.type_octets + layout.length_octets + len(value)
    length = size.to_bytes(layout.length_octets, "big") if layout.length_octets else b""
    return number.to_bytes(layout.type_octets, "big") + length + value
