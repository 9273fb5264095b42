"""What the relay of one client says: who gets which octets, what is to be judged, which connection ends."""

from __future__ import annotations

from attrs import field, frozen

from duoproxy.ldap.messages import BindRequest


@frozen
class ToClient:
    """Octets for the client."""

    octets: bytes = field(repr=False)


@frozen
class ToServer:
    """Octets for the directory, over a connection of this client's own, which is opened when there is none."""

    octets: bytes = field(repr=False)


@frozen
class JudgeBind:
    """A login begins: `Relay.send_bind` tries passwords at the directory, `accept_bind` or `refuse_bind` ends it.

    Attributes:
        bind: a simple bind with a name and a password.
        number: the how manieth it is on this connection, from 1.
    """

    bind: BindRequest
    number: int


@frozen
class BindAnswered:
    """The directory answered what `Relay.send_bind` sent.

    Attributes:
        code: its resultCode.
        text: its diagnosticMessage.
    """

    code: int
    text: str


@frozen
class WhoAnswered:
    """The directory answered what `Relay.ask_who` asked.

    Attributes:
        authorization_id: whom it takes the connection for, as RFC 4513 §5.2.1.8 spells it; empty where it does not say.
    """

    authorization_id: bytes


@frozen
class BindLost:
    """The connection to the directory ended before it answered what `Relay.send_bind` or `Relay.ask_who` sent."""

    reason: str


@frozen
class GiveUpBind:
    """Nobody waits any more for the login that is under way.

    Attributes:
        reason: a clause.
        by_directory: the directory ended it; otherwise the client did, or we did because of what the client sent.
    """

    reason: str
    by_directory: bool = False


@frozen
class BeginTls:
    """The client begins TLS with its next octet; what it sent before that is thrown away."""


@frozen
class DropServer:
    """End the connection to the directory, if there is one, and forget what was not written yet.

    Attributes:
        goodbye: the Unbind to write before.
    """

    goodbye: bytes


@frozen
class EndClient:
    """Write what there is, then close the client's connection.

    Attributes:
        fault: what was wrong with it, for the log; empty for an end that is none.
    """

    fault: str = ""


Action = (
    ToClient
    | ToServer
    | JudgeBind
    | BindAnswered
    | WhoAnswered
    | BindLost
    | GiveUpBind
    | BeginTls
    | DropServer
    | EndClient
)
