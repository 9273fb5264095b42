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
from duoproxy.login.open_questions import OpenQuestions
from duoproxy.login.outcome import PrimaryOutcome
from duoproxy.login.parties import not_primary_only
from duoproxy.login.request import LoginRequest
from duoproxy.net.connection_limit import ConnectionLimit
from duoproxy.radius.dictionary import Dictionary
from duoproxy.sections.checks import Check


def ignore_login_step(login_id: str, step: str) -> None:
    """Where nobody keeps the steps of logins."""


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
        open_questions: whose telephones ring already, over all sections.
        generations: which generation of Duo's API an integration key turned out to need, over all sections.
        primary_only_s: for how many more seconds logins need the password only; 0: they need both factors.
        login_step: takes a login id and a sentence about what has happened in that login, without secrets.
    """

    section_name: str
    reactor: Any
    random_bytes: Callable[[int], bytes]
    dictionary: Dictionary
    auth_event: Callable[[Mapping[str, object]], None]
    main: Any
    wall_clock: Callable[[], float] = time.time
    connection_limit: ConnectionLimit = field(factory=ConnectionLimit)
    open_questions: OpenQuestions = field(factory=OpenQuestions)
    generations: MutableMapping[str, Generation] = field(factory=dict)
    primary_only_s: Callable[[], float] = not_primary_only
    login_step: Callable[[str, str], None] = ignore_login_step


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

    def status(self) -> Mapping[str, object]:
        """Say how the section is doing, for `authproxyctl status`: values that JSON has, and no secret among them.

        `authproxyctl` puts these keys into words (all optional), and prints others as they are:

        - `listeners`: list of `{"protocol", "address", "port"}`; an empty address is all of them
        - `pending`: logins that have no answer yet
        - `waiting`: users who are shown a prompt, or conversations that are open
        - `dropped`: what was not answered, kind to number, since the start
        - `early_devices`: list of `{"device", "silent_s", "interval_s"}`: devices that give up before the answer comes
          (0 between its tries: it made one)
        - `upstreams`: list of `{"server", "resting_s"}`; None: the server is well
        - `duo`: `{"api_host", "generation", "reachable", "answered_s_ago", "failure"}`
        - `certificate_days`: days until the certificate that clients are shown ends
        - `weakened`: list of sentences: what lets somebody in, or be deceived, by configuration
        """
        return {}


def upstream_status(health: Sequence[tuple[str, float | None]], now: float) -> list[dict[str, object]]:
    """Write the servers of a client section as `Section.status` has them.

    Args:
        health: each server with the end of its rest (seconds, monotonic), None when it is well.
        now: seconds, of the same clock.
    """
    return [
        {"server": server, "resting_s": None if until is None else max(0.0, round(until - now, 1))}
        for server, until in health
    ]


class ClientSection(Section):
    """A section that checks a password: a `duoproxy.login.flow.PrimaryAuthenticator`.

    `checks_passwords` is False for one that lets everybody pass, since the device has checked the password already.
    `takes_proofs` is True for one that can have a `PasswordProof` checked; others get passwords only.
    """

    checks_passwords: ClassVar[bool] = True
    takes_proofs: ClassVar[bool] = False

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

    def status(self) -> Mapping[str, object]:
        """Tell on what it listens; see `Section.status`."""
        listens = self.schema.listens(self.settings) if self.schema.listens is not None else ()
        return {
            "listeners": [
                {"protocol": protocol, "address": str(address or ""), "port": port}
                for protocol, address, port in listens
            ]
        }

    def bind(self) -> None:
        """Take the addresses to listen on, before privileges are dropped; raise `ListenError` when one is taken."""

    def drain(self) -> None:
        """Begin no new login from now on; those that began go on, with their retries and further answers.

        What a new request meets lets the device go to another proxy: silence with RADIUS, a refused or closed
        connection with LDAP. The service calls it once, then waits until `pending` is 0, at most `shutdown_grace`
        seconds, then calls `stop`, which rejects what is still pending (`Cause.SHUTDOWN`, with its text where the
        protocol has one). Client sections work until all servers have stopped.
        """

    @property
    def pending(self) -> int:
        """How many logins a stop should wait for: those that began and have no end yet."""
        return 0
