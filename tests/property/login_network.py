"""One `[radius_server_auto]` on a network of our own making: its real classes, a clock that stands still, and datagrams
in flight both ways that a test delivers, doubles, delays or loses.
"""

from __future__ import annotations

from functools import partial
from typing import Any
from unittest import mock

from attrs import evolve, frozen
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import ILogObserver, LogEvent, LogLevel, globalLogPublisher
from zope.interface import implementer

from duoproxy.net.radius_server import RadiusServer
from duoproxy.net.udp import RECEIVE_BUFFER_BYTES, DatagramReceiver
from duoproxy.radius.addresses import parse_address_range
from duoproxy.secret import Secret
from duoproxy.sections import radius_login_server, radius_server_options
from duoproxy.sections.radius_server_auto import RadiusServerAuto
from duoproxy.sections.radius_server_options import FactorSettings
from duoproxy.testing import make_environment, repeatable_random
from tests.property.login_ledger import Ledger
from tests.property.login_people import EXEMPT_USER, Directory, Duo, stands_in_for_duo
from tests.property.login_terminals import DEVICES, Endpoint, Request, Terminals

PROXY = "10.255.0.1"
_ENVIRONMENT = make_environment("radius_server_auto")  # its dictionary is read once for all runs


@frozen(eq=False)
class InFlight:
    """A datagram on its way: to the proxy from `device`, or back."""

    octets: bytes
    device: Endpoint
    to_proxy: bool


@frozen
class Choices:
    """What the administrator of this run wrote.

    Attributes:
        failmode: safe or secure.
        primary_down: silent or reject.
        join_retries: whether retries with a new Identifier join.
    """

    failmode: str = "safe"
    primary_down: str = "silent"
    join_retries: bool = True


@implementer(ILogObserver)
class FaultsInTheLog:
    """Keeps every event about an error or an unhandled failure, until `end`."""

    def __init__(self) -> None:
        self.events: list[LogEvent] = []
        globalLogPublisher.addObserver(self)

    def end(self) -> None:
        globalLogPublisher.removeObserver(self)

    def __call__(self, event: LogEvent) -> None:
        if event["log_level"] in (LogLevel.error, LogLevel.critical) or "log_failure" in event:
            self.events.append(event)


class LoginNetwork:
    """Devices, network, proxy, directory and Duo of one run; also the transport of the proxy's listener."""

    port = 1812
    receive_buffer_bytes = 2 * RECEIVE_BUFFER_BYTES

    def __init__(self, choices: Choices) -> None:
        self.clock = Clock()
        self.terminals = Terminals()
        self.ledger = Ledger(self.terminals, choices.join_retries)
        self.in_flight: list[InFlight] = []
        self.closed = False
        environment = evolve(
            _ENVIRONMENT, reactor=self.clock, random_bytes=repeatable_random(), auth_event=self.ledger.event_logged
        )
        self.directory = Directory(
            evolve(environment, section_name="directory"), self.ledger, choices.primary_down == "silent"
        )
        self.duo = Duo(self.clock, self.ledger, self.directory, choices.failmode == "safe")
        self.log = FaultsInTheLog()
        on_this_network = partial(RadiusServer, open_socket=lambda interface, port: self)
        with (
            mock.patch.object(radius_server_options, "RadiusServer", on_this_network),
            mock.patch.object(radius_login_server, "make_duo_client", stands_in_for_duo(self.duo)),
        ):
            self.section = RadiusServerAuto(_settings(choices), environment, self.directory)
            self.section.bind()
            Deferred.fromCoroutine(self.section.start())

    @property
    def server(self) -> RadiusServer:
        """The listener of the section."""
        return self.section._server

    # ── the transport ──────────────────────────────────────────────────────────────────────────────────────────

    def start_reading(self, reactor: Any, receiver: DatagramReceiver, refused: Any = None) -> None:
        """Remember who listens."""
        self._receiver = receiver

    def send(self, datagram: bytes, destination: Endpoint, local_host: str = "") -> bool:
        """A reply leaves."""
        if local_host != PROXY or self.closed:
            self.ledger.faults.append("a reply from an address that was not asked, or from a closed socket")
        self.ledger.replied(datagram, destination, self.clock.seconds())
        self.in_flight.append(InFlight(datagram, destination, to_proxy=False))
        return True

    def close(self) -> None:
        """The port is given back."""
        self.closed = True

    # ── the network ────────────────────────────────────────────────────────────────────────────────────────────

    def sends(self, request: Request) -> InFlight:
        """A device sends a request; it is on its way."""
        datagram = InFlight(request.octets, request.source, to_proxy=True)
        self.in_flight.append(datagram)
        return datagram

    def delivers(self, datagram: InFlight) -> None:
        """A datagram that is on its way arrives."""
        self.in_flight.remove(datagram)
        self.arrives(datagram)

    def arrives(self, datagram: InFlight) -> None:
        """A datagram arrives, on its way or not: it may be a copy or a replay."""
        if datagram.to_proxy:
            self.ledger.arrives(datagram.device, datagram.octets, self.clock.seconds())
            self._receiver(datagram.octets, datagram.device, PROXY)
        else:
            for terminal in self.terminals.all:
                for request in terminal.requests:
                    if request.source == datagram.device and request.answered_by(datagram.octets):
                        terminal.answers.add(datagram.octets[0])
        self.ledger.settles()

    def delivers_everything(self) -> None:
        """Nothing is lost any more: all that is on its way arrives, in order."""
        while self.in_flight:
            self.delivers(self.in_flight[0])

    def passes(self, seconds: float) -> None:
        """Time passes."""
        self.clock.advance(seconds)
        self.ledger.settles()

    def stop(self) -> None:
        """Stop the section, and listen to its log no more."""
        self.ledger.stops(self.clock.seconds())
        Deferred.fromCoroutine(self.section.stop())
        self.log.end()


def _settings(choices: Choices) -> FactorSettings:
    return FactorSettings(
        ikey="DIXXXXXXXXXXXXXXXXXX",
        skey=Secret("x" * 40),
        api_host="api.example.com",
        failmode=choices.failmode,
        primary_down=choices.primary_down,
        join_retries=choices.join_retries,
        exempt_username={1: EXEMPT_USER},
        radius_ip={number: parse_address_range(each.addresses) for number, each in enumerate(DEVICES, 1)},
        radius_secret={number: Secret(each.secret) for number, each in enumerate(DEVICES, 1)},
    )
