"""What a login that talks with its user wants next: an answer, or nothing any more."""

from __future__ import annotations

from attrs import frozen

from duoproxy.login.outcome import Outcome


@frozen
class AskStep:
    """Show `text` to the user, and bring the answer.

    Attributes:
        text: what is shown.
        by_primary: the primary asks, before it has decided: the user has proven nothing yet.
        wire: for `by_primary`: what the primary's protocol said beside the text.
    """

    text: str
    by_primary: bool = False
    wire: object = None


@frozen
class EndStep:
    """The login is over. `outcome.user_message` is what the user may be shown, if the protocol can."""

    outcome: Outcome


Step = AskStep | EndStep
