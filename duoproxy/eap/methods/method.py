"""What a method is to the authenticator: steps out, responses and judgements in.

A method sees Type-Data only; headers, Identifiers, Naks and the end of the conversation are the authenticator's.

Source: RFC 4137 §5.3.
"""

from __future__ import annotations

from typing import Protocol

from attrs import field, frozen

from duoproxy.eap.actions import Discard, JudgeAnswer, Judgement, SessionKeys


@frozen
class Turn:
    """What a method must know of the request that it may make next.

    Attributes:
        identifier: the Identifier that the request will have.
        max_data_bytes: how much Type-Data fits into it.
    """

    identifier: int
    max_data_bytes: int


@frozen
class MethodRequest:
    """Send this Type-Data in the next request.

    Attributes:
        data: at most `Turn.max_data_bytes` octets.
        session_timeout_s: how long the device should wait for the answer; None: as long as it likes.
    """

    data: bytes = field(repr=False)
    session_timeout_s: int | None = None


@frozen
class MethodDone:
    """The method ended with success.

    Attributes:
        keys: of this session.
        identity: who was authenticated.
    """

    keys: SessionKeys
    identity: str


@frozen
class MethodFailed:
    """The method ended without success.

    Attributes:
        reason: for the log.
    """

    reason: str


MethodStep = MethodRequest | JudgeAnswer | MethodDone | MethodFailed | Discard


class Method(Protocol):
    """One run of a method with one peer."""

    @property
    def summary(self) -> str:
        """What was agreed on so far, for the log: `PEAPv0, TLSv1.3`."""

    def begin(self, turn: Turn) -> MethodRequest:
        """Give the first request."""

    def receive(self, data: bytes, turn: Turn) -> MethodStep:
        """Take the Type-Data of a response; whatever it is, nothing is raised."""

    def judged(self, judgement: Judgement, turn: Turn) -> MethodStep:
        """Take the reply to the last `JudgeAnswer`."""
