"""What an EAP listener keeps of one conversation: its machine, the login inside it, and how that was judged last."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from attrs import define

from duoproxy.eap.actions import Judgement
from duoproxy.eap.authenticator import EapAuthenticator
from duoproxy.net.radius_messages import ReceivedRequest
from duoproxy.radius.packet import Attribute
from duoproxy.secret import Secret


class EapLogin(Protocol):
    """One login inside a conversation.

    Attributes:
        login_id: its short unique name.
        proven_user: who proved a password, always spelled in one way; empty: nobody (yet).
        accepted: both factors were right.
    """

    login_id: str
    proven_user: str
    accepted: bool

    async def judge(self, identity: str, answer: Secret, received: ReceivedRequest, tunnel: str) -> Judgement:
        """Find out what an answer is worth; `tunnel` says, for the log, where it comes from."""

    def granted(self, answered: ReceivedRequest) -> Sequence[Attribute]:
        """Give what an Access-Accept carries beside what EAP puts into it."""

    def abandoned(self, why: str) -> None:
        """The conversation is over, and nobody brings a further answer; `why` is a sentence for the log."""


@define(eq=False)
class Conversation:
    """The machine, the login inside it, the last judgement, and how many seconds that took."""

    machine: EapAuthenticator
    login: EapLogin
    judgement: Judgement | None = None
    judged_in_s: float = 0.0

    def described(self, identity: str) -> str:
        """What was agreed on, and the name outside the tunnel if it is another one than `identity`."""
        summary, outer = self.machine.summary, self.machine.outer_identity
        return summary if outer in ("", identity) else f"{summary}, outside the tunnel {outer!r}"
