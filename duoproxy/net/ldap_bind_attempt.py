"""One bind of a client, for whoever judges it: what was asked, what the directory says, and what became of it."""

from __future__ import annotations

from typing import Protocol

from attrs import frozen

from duoproxy.ldap.messages import BindRequest, ResultCode
from duoproxy.ldap.relay_actions import JudgeBind
from duoproxy.secret import Secret


@frozen
class BindVerdict:
    """What became of a bind.

    Attributes:
        accepted: the directory's yes goes to the client.
        code: otherwise, the result code for the client.
        text: otherwise, the text for the client.
        relay: whether the directory's own no goes to the client instead, if there is one.
        exempt: no second factor was asked for, because of who bound or because it was the first bind.
    """

    accepted: bool
    code: int = ResultCode.INVALID_CREDENTIALS
    text: str = ""
    relay: bool = False
    exempt: bool = False


@frozen
class BindAnswer:
    """What the directory said to a bind: its resultCode and diagnosticMessage, and which server it was."""

    code: int
    text: str
    server: str


class BindsForClients(Protocol):
    """The connection of a client, as far as a bind needs it."""

    address: str
    port: int
    directory_fault: str

    async def send_bind(self, name: bytes, password: Secret) -> BindAnswer:
        """Send a bind in place of the client's, and wait for its answer; raise `PrimaryUnreachable`."""

    @property
    def holds_yes(self) -> bool:
        """Whether the directory's yes is held back for the client, and still good."""

    async def who_is_bound(self) -> bytes:
        """Ask the directory whom it takes the connection for; raise `PrimaryUnreachable`."""


class BindAttempt:
    """One simple bind with name and password, for whoever judges it.

    Attributes:
        bind: what the client sent.
        number: the how manieth it is on its connection, from 1.
        address: of the client.
        port: of the client.
    """

    def __init__(self, client: BindsForClients, judged: JudgeBind) -> None:
        self.bind: BindRequest = judged.bind
        self.number = judged.number
        self.address = client.address
        self.port = client.port
        self._client = client

    async def send(self, name: bytes, password: Secret) -> BindAnswer:
        """Let the directory judge a password, on the connection of this client: with a yes the session is the user's.

        Raises:
            PrimaryUnreachable: it did not answer.
        """
        return await self._client.send_bind(name, password)

    @property
    def directory_fault(self) -> str:
        """Why the directory ended the login, after it was cancelled; empty where the client did."""
        return self._client.directory_fault

    @property
    def holds_yes(self) -> bool:
        """Whether the directory's yes still stands: it is lost with its connection, and the session with it."""
        return self._client.holds_yes

    async def who_am_i(self) -> bytes:
        """Ask the directory whom it takes the connection for, after its yes; empty where it does not say.

        Raises:
            PrimaryUnreachable: it did not answer.

        Source: RFC 4532.
        """
        return await self._client.who_is_bound()
