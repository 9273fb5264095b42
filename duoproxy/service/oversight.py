"""What an administrator sees of a running service, and can switch: journal, primary-only, and the channel to both.

One object for the wiring: sections are given its hooks, the service starts it first and stops it last.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from twisted.logger import LogPublisher, globalLogPublisher

from duoproxy.sections.contracts import ClientSection, ServerSection
from duoproxy.service.control import ControlChannel
from duoproxy.service.control_commands import Running, commands
from duoproxy.service.journal import Journal
from duoproxy.service.places import Places
from duoproxy.service.primary_only import PrimaryOnly


class Oversight:
    """The overseen side of one service.

    Attributes:
        journal: the logins of late.
        primary_only: whether logins need the password only.
    """

    def __init__(
        self,
        places: Places,
        reactor: Any,
        wall_clock: Callable[[], float] = time.time,
        publisher: LogPublisher = globalLogPublisher,
    ) -> None:
        """Prepare.

        Args:
            places: where socket and file stand.
            reactor: provides IReactorTime, IReactorFDSet and IReactorSocket.
            wall_clock: seconds since 1970.
            publisher: whose events about logins go into the journal.
        """
        self.journal = Journal(wall_clock)
        self.primary_only = PrimaryOnly(reactor, wall_clock, places.primary_only_file)
        self._places = places
        self._reactor = reactor
        self._wall_clock = wall_clock
        self._publisher = publisher
        self._channel: ControlChannel | None = None

    def start(
        self,
        clients: Mapping[str, ClientSection],
        servers: Mapping[str, ServerSection],
        state: Callable[[], str],
        warnings: list[str],
    ) -> None:
        """Begin to watch and to answer, before the first login.

        Args:
            clients: by the names of their sections.
            servers: the same.
            state: whether the service starts, is ready or stops.
            warnings: what the start warns of.
        """
        self._publisher.addObserver(self.journal)
        self.primary_only.load()
        began = self._reactor.seconds()
        running = Running(
            configuration=str(self._places.configuration),
            state=state,
            clients=clients,
            servers=servers,
            warnings=warnings,
            started_at=self._wall_clock(),
            uptime_s=lambda: self._reactor.seconds() - began,
        )
        asked = commands(running, self.journal, self.primary_only)
        self._channel = ControlChannel(self._reactor, self._places.control_socket, asked)
        self._channel.start()

    def stop(self) -> None:
        """Answer no more; a time of being primary-only goes on with the next start."""
        if self._channel is None:
            return
        self._channel.stop()
        self._channel = None
        self.primary_only.close()
        self._publisher.removeObserver(self.journal)
