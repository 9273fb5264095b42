"""The other side of the network: devices, the terminals where somebody logs in, and the requests that come of it.

A `Terminal` is one logical login as a person sees it: whatever its device sends again for it, with the same octets or
with a new Identifier and Request Authenticator, is meant to be the same login.
"""

from __future__ import annotations

import itertools
from hashlib import sha256

from attrs import define, field, frozen

from tests.property import plain_radius as radius
from tests.property.plain_radius import Attribute

Endpoint = tuple[str, int]

STRANGER: Endpoint = ("192.0.2.66", 40_000)
FIRST_PORT = 50_000


@frozen
class Device:
    """A device, or several in one network with one secret.

    Attributes:
        addresses: as `radius_ip_n` has them.
        hosts: the ones that send.
        secret: the shared secret.
        signs: whether it sends Message-Authenticator.
    """

    addresses: str
    hosts: tuple[str, ...]
    secret: bytes
    signs: bool = True


DEVICES = (
    Device("10.0.0.1", ("10.0.0.1",), b"secret of the vpn"),
    Device("10.0.1.0/24", ("10.0.1.7", "10.0.1.8"), b"secret of the access points"),
    Device("10.0.2.1", ("10.0.2.1",), b"secret of the old one", signs=False),
)
HOSTS = {host: device for device in DEVICES for host in device.hosts}

PASSWORDS = {user: f"{user}'s password" for user in ("alice", "bob", "dora", "frank", "operator")}
"""alice and bob have a phone, Duo refuses dora, Duo lets frank in by itself, operator is exempt."""

# What devices tell about a login.
SHAPES = {
    "station and port": (radius.CALLING_STATION_ID, radius.NAS_PORT),
    "station and port name": (radius.CALLING_STATION_ID, radius.NAS_PORT_ID),
    "station and session": (radius.CALLING_STATION_ID, radius.ACCT_SESSION_ID),
    "station only": (radius.CALLING_STATION_ID,),
    "port only": (radius.NAS_PORT,),
    "nothing": (),
}
SESSION_NAMES = {radius.NAS_PORT, radius.NAS_PORT_ID, radius.ACCT_SESSION_ID}


@define(eq=False)
class Terminal:
    """One logical login.

    Attributes:
        number: its number.
        host: the device that asks for it.
        user: the name that is typed.
        password: the password that is typed.
        attributes: what the device tells of it in each request.
        requests: those that were sent, in that order.
        answers: codes of the authentic replies that reached the device.
    """

    number: int
    host: str
    user: str
    password: str
    attributes: tuple[Attribute, ...]
    requests: list[Request] = field(factory=list)
    answers: set[int] = field(factory=set)

    @property
    def device(self) -> Device:
        """Whose secret it uses."""
        return HOSTS[self.host]

    @property
    def has_password(self) -> bool:
        """Whether the right password was typed."""
        return PASSWORDS.get(self.user) == self.password

    @property
    def story(self) -> tuple[object, ...]:
        """All that is the same in each of its requests."""
        return self.user, self.password, self.attributes

    @property
    def names_its_session(self) -> bool:
        """Whether retries with a new Identifier can be told to be retries: they name the station and its session."""
        told = {kind for kind, _ in self.attributes}
        return radius.CALLING_STATION_ID in told and not told.isdisjoint(SESSION_NAMES)


@frozen(eq=False)
class Request:
    """One Access-Request.

    Attributes:
        terminal: the logical login that it is for.
        source: where its device sends it from.
        octets: the datagram.
    """

    terminal: Terminal
    source: Endpoint
    octets: bytes

    @property
    def identifier(self) -> int:
        """Its Identifier."""
        return self.octets[1]

    @property
    def authenticator(self) -> bytes:
        """Its Request Authenticator."""
        return self.octets[4:20]

    def answered_by(self, reply: bytes) -> bool:
        """Whether `reply` is an authentic answer to it."""
        return radius.reply_fits(reply, self.octets, self.terminal.device.secret)

    def proxy_states(self) -> list[bytes]:
        """The values of Proxy-State, in their order."""
        return [value for number, value in radius.attributes_of(self.octets) if number == radius.PROXY_STATE]


@define
class Terminals:
    """Makes terminals and requests; keeps both."""

    all: list[Terminal] = field(factory=list)
    by_octets: dict[bytes, Request] = field(factory=dict)
    _numbers: itertools.count[int] = field(factory=itertools.count)

    def sit_down(self, host: str, user: str, password: str, shape: str) -> Terminal:
        """Somebody begins a login at a terminal of their own."""
        number = next(self._numbers)
        told = tuple((kind, _told(kind, number)) for kind in SHAPES[shape])
        return self.take(Terminal(number, host, user, password, told))

    def take(self, terminal: Terminal) -> Terminal:
        """Keep a terminal that was made elsewhere."""
        self.all.append(terminal)
        return terminal

    def new_number(self) -> int:
        """A number that was not used."""
        return next(self._numbers)

    def request(
        self, terminal: Terminal, *, slot: tuple[Endpoint, int] | None = None, decorated: bool = False
    ) -> Request:
        """Write a request with a new Request Authenticator.

        Args:
            terminal: the login that it is for.
            slot: source and Identifier; None: an Identifier that this device has not used yet.
            decorated: with what may differ between a request and its retry: Proxy-State and Event-Timestamp.
        """
        number = next(self._numbers)
        source, identifier = slot or ((terminal.host, FIRST_PORT + number // 256), number % 256)
        attributes = list(terminal.attributes)
        if decorated and terminal.device.signs:
            attributes.insert(0, (radius.PROXY_STATE, b"hop %d" % number))
            attributes += [(radius.EVENT_TIMESTAMP, number.to_bytes(4, "big")), (radius.PROXY_STATE, b"")]
        octets = radius.access_request(
            identifier,
            sha256(b"request %d" % number).digest()[:16],
            terminal.user,
            terminal.password,
            attributes,
            terminal.device.secret,
            terminal.device.signs,
        )
        request = Request(terminal, source, octets)
        terminal.requests.append(request)
        self.by_octets[octets] = request
        return request


def _told(kind: int, number: int) -> bytes:
    """A value that no other terminal has."""
    if kind == radius.NAS_PORT:
        return number.to_bytes(4, "big")
    if kind == radius.CALLING_STATION_ID:
        return b"198.51.%d.%d" % divmod(number, 256)
    return b"session %d" % number
