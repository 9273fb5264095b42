"""What the sections for PAP have in common: a listener, the way to Duo, and the logins between them.

A section says which logins it runs; to listen, to begin and to stop stand here. It is no section itself.
"""

from __future__ import annotations

import abc
from collections.abc import Mapping, Sequence
from typing import ClassVar

from duoproxy.login.factors import AppendMode
from duoproxy.login.policy import LoginPolicy
from duoproxy.net.duo_client import DuoClient
from duoproxy.net.radius_server import ReceivedRequest, Reply
from duoproxy.radius.attributes import AttributeId, Type, first
from duoproxy.radius.relay import PassThrough
from duoproxy.sections.checks import Check
from duoproxy.sections.contracts import ClientSection, Environment, ServerSection
from duoproxy.sections.duo_checks import duo_checks
from duoproxy.sections.duo_server_options import exempt_usernames, failmode, make_duo_client, weakened
from duoproxy.sections.login_shell import LoginShellSettings, RelaysReplies
from duoproxy.sections.radius_login import RadiusLogins
from duoproxy.sections.radius_server_options import (
    RadiusListenerSettings,
    RadiusServerSettings,
    make_radius_server,
    primary_down,
)


class RadiusLoginServer(ServerSection):
    """A section that answers PAP requests.

    Attributes:
        state_is_ours: whether every State that the section did not give is rejected.
    """

    settings: RadiusListenerSettings
    state_is_ours: ClassVar[bool] = False

    def __init__(
        self, settings: RadiusListenerSettings, environment: Environment, client: ClientSection | None = None
    ) -> None:
        super().__init__(settings, environment, client)
        self._duo: DuoClient | None = None
        self._logins: RadiusLogins | None = None
        self._server = make_radius_server(settings, environment, self._handle, state_is_ours=self.state_is_ours)

    def bind(self) -> None:
        """Take the UDP port."""
        self._server.bind(self.settings.interface, self.settings.port)

    async def start(self) -> None:
        """Prepare the way to Duo, then begin to answer."""
        self._duo = make_duo_client(self.settings, self.environment)
        self._logins = self._make_logins(self._duo)
        self._logins.start()
        self._server.start()

    def drain(self) -> None:
        """Begin no new login: an answer to a question of ours is none."""
        self._server.drain(lambda received: self.state_is_ours and carries_state(received))

    @property
    def pending(self) -> int:
        """Requests without an answer, and users who were just asked something."""
        return self._server.pending + (self._logins.waiting if self._logins is not None else 0)

    def status(self) -> Mapping[str, object]:
        """Tell of the listener, the logins and the way to Duo."""
        return {
            **self._server.status(),
            "waiting": self._logins.waiting if self._logins is not None else 0,
            **({"duo": self._duo.status()} if self._duo is not None else {}),
            "weakened": list(weakened(self.settings)),
        }

    async def stop(self) -> None:
        """Stop answering; logins in flight are rejected."""
        if self._logins is not None:
            self._logins.shut_down()
        await self._server.stop()
        if self._logins is not None:
            self._logins.stop()
        if self._duo is not None:
            await self._duo.stop()

    def connectivity(self) -> Sequence[Check]:
        """Try the Duo service."""
        return duo_checks(self.settings, self.environment)

    @abc.abstractmethod
    def _make_logins(self, duo: DuoClient) -> RadiusLogins:
        """Make what runs the logins of this section."""

    async def _handle(self, received: ReceivedRequest) -> Reply | None:
        if self._logins is None:
            return None
        return await self._logins.handle(received)


def carries_state(received: ReceivedRequest) -> bool:
    """Say whether a request goes on with a conversation, as far as its device knows. Source: RFC 2865 §5.24."""
    return first(received.packet.attributes, Type.STATE) is not None


def shell_settings(
    server: RadiusServerSettings,
    client: ClientSection,
    append: AppendMode,
    factors: tuple[str, ...] = LoginPolicy().factors,
    never_passed: frozenset[AttributeId] = frozenset(),
    takes_proofs: bool = False,
) -> LoginShellSettings:
    """Put together what a section with a client section decides about its logins.

    Args:
        server: its settings.
        client: who checks passwords.
        append: how the password field is split.
        factors: the section's preference, in order.
        never_passed: attributes of replies that the section says itself.
        takes_proofs: whether it can do without a readable password, where the client section can.
    """
    replies = PassThrough(server.pass_through_all, server.pass_through_attr_names, never_passed)
    return LoginShellSettings(
        policy=LoginPolicy(
            factors=factors,
            append=append,
            exempt_usernames=exempt_usernames(server),
            failmode=failmode(server),
            primary_down=primary_down(server),
            checks_passwords=client.checks_passwords,
        ),
        pass_through=replies.merge(client.pass_through) if isinstance(client, RelaysReplies) else replies,
        client_ip_attr=server.client_ip_attr,
        pw_codec=server.pw_codec,
        ikey=server.ikey,
        client_section=client.environment.section_name,
        takes_proofs=takes_proofs and client.takes_proofs,
    )
