"""StageEvent: what authevents.log is told when one of the two stages of a login ends."""

from __future__ import annotations

import enum

from attrs import frozen


class Stage(enum.Enum):
    """The two stages, in the words that readers of authevents.log expect."""

    PRIMARY = "Primary authentication"
    SECONDARY = "Secondary authentication"


@frozen
class StageEvent:
    """The end of one stage.

    Attributes:
        stage: which.
        allowed: whether the login may go on.
        message: what happened, in words.
        factor: the factor that was used, empty when none was.
        duration_s: seconds that the stage took.
        bypass_reason: the `Cause` that let the user in without a second factor, empty otherwise.
    """

    stage: Stage
    allowed: bool
    message: str
    factor: str = ""
    duration_s: float = 0.0
    bypass_reason: str = ""
