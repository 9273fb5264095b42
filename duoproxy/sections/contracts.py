"""What a section plugin is: the two contracts that built-in and foreign sections fulfil.

A section is one class with a `schema` (its options, declared once). A *client* section answers `authenticate`; a
*server* section listens. The service makes each section once, from its frozen settings and an `Environment`.
"""

from __future__ import annotations

import abc
import time
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from typing import Any, ClassVar

from attrs import field, frozen

from duoproxy.config.schema import SectionSchema
from duoproxy.duoapi.messages import Generation
from duoproxy.login.outcome import PrimaryOutcome
from duoproxy.login.request import LoginRequest
from duoproxy.net.connection_limit import ConnectionLimit
from duoproxy.radius.dictionary import Dictionary
from duoproxy.sections.checks import Check


@frozen
class Environment:
    """What a section is given beside its settings. Nothing here is global; tests make their own.

    Attributes:
        section_name: the name between the brackets (`radius_server_auto2`).
        reactor: provides IReactorTime, IReactorTCP, IReactorFDSet and IReactorThreads (a `Clock` will do in tests).
        random_bytes: as `os.urandom`.
        dictionary: the RADIUS attribute names that this installation knows.
        auth_event: takes one authentication event (the fields of authevents.log) as a mapping.
        main: the settings of `[main]`.
        wall_clock: seconds since 1970, UTC; for everything else the clock is `reactor.seconds`.
        connection_limit: how many logins may wait for Duo at once, over all sections.
        generations: which generation of Duo's API an integration key turned out to need, over all sections.
    """

    section_name: str
    reactor: Any
    random_bytes: Callable[[int], bytes]
    dictionary: Dictionary
    auth_event: Callable[[Mapping[str, object]], None]
    main: Any
    wall_clock: Callable[[], float] = time.time
    connection_limit: ConnectionLimit = field(factory=ConnectionLimit)
    generations: MutableMapping[str, Generation] = field(factory=dict)


class Section(abc.ABC):
    """What client and server sections have in common."""

    schema: ClassVar[SectionSchema]

    def __init__(self, settings: Any, environment: Environment) -> None:
        """Keep `settings` (an instance of `schema.settings_class`) and `environment`; open nothing yet."""
        self.settings = settings
        self.environment = environment

    async def start(self) -> None:
        """Begin to work; raise `DuoproxyError` with a sentence for the administrator when that cannot be."""

    async def stop(self) -> None:
        """Give back everything that `start` took."""

    def connectivity(self) -> Sequence[Check]:
        """List what the connectivity tool tries of this section, in order; nothing by default.

        It is asked of a section that was made for this only: neither `bind` nor `start` was or will be called. That
        the ports of `schema.listens` are free the tool finds out by itself.
        """
        return ()


class ClientSection(Section):
    """A section that checks a password: a `duoproxy.login.flow.PrimaryAuthenticator`.

    `checks_passwords` is False for one that lets everybody pass, since the device has checked the password already.
    """

    checks_passwords: ClassVar[bool] = True

    @abc.abstractmethod
    async def authenticate(self, request: LoginRequest) -> PrimaryOutcome:
        """Check name and password.

        Returns:
            the outcome; a wrong password is a value.

        Raises:
            PrimaryUnreachable: nobody who could tell answered.
        """


class ServerSection(Section):
    """A section that listens for devices.

    `client` is the client section that its settings name (or the only one there is), or None for a schema that takes
    none.
    """

    def __init__(self, settings: Any, environment: Environment, client: ClientSection | None = None) -> None:
        super().__init__(settings, environment)
        self.client = client

    def _primary(self) -> ClientSection:
        """Give the client section of a schema that takes one."""
        if self.client is None:
            raise LookupError(f"[{self.environment.section_name}] was made without its client section")
        return self.client

    def bind(self) -> None:
        """Take the addresses to listen on, before privileges are dropped; raise `ListenError` when one is taken."""
