"""The exceptions of duoproxy, and what each of them means to its caller.

Outcomes (a wrong password, a denied push) are values, see `duoproxy.login.outcome`; what stands here are faults.

    DuoproxyError
    ├── ConfigError             the configuration cannot be used; carries every problem that was found
    ├── ListenError             an address cannot be listened on; its text is the sentence for the administrator
    ├── UpstreamError           another system did not do its part
    │   ├── PrimaryUnreachable      directory or RADIUS server: no answer to the device, so that it fails over
    │   ├── ServiceUnavailable      Duo, before the user was asked: `failmode` decides
    │   ├── ServiceRefused          Duo refuses *us* (keys, clock, rate): rejected in both modes
    │   └── AnswerLost              Duo, while the user was being asked: rejected in both modes
    └── RemoteProtocolError     a peer sent something malformed; carries the disposition that the RFC gives

Rooms have exceptions of their own below `DuoproxyError` that they turn into these before they leave the room.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from duoproxy.config.problems import Problem


class DuoproxyError(Exception):
    """Root of every exception that duoproxy raises on purpose."""


class ConfigError(DuoproxyError):
    """The configuration cannot be used.

    Attributes:
        problems: all problems of the file, errors and warnings, in the order of their lines.
    """

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = tuple(problems)


class ListenError(DuoproxyError):
    """An address or port cannot be listened on; `str()` is a sentence with cause and remedy."""


class UpstreamError(DuoproxyError):
    """Another system did not do its part.

    Attributes:
        system: who, as an administrator calls it (`Duo (api-1234.duosecurity.com)`, `RADIUS server 10.0.0.5`).
        cause: one clause: what happened.
        remedy: one clause: what to do.
    """

    def __init__(self, system: str, cause: str, remedy: str = "") -> None:
        super().__init__(f"{system}: {cause}" + (f"; {remedy}" if remedy else ""))
        self.system = system
        self.cause = cause
        self.remedy = remedy


class PrimaryUnreachable(UpstreamError):
    """No directory or RADIUS server gave an answer that can be used."""


class ServiceUnavailable(UpstreamError):
    """Duo could not be asked, and the user was not asked either: `failmode` decides."""


class ServiceRefused(UpstreamError):
    """Duo refuses our requests (keys, clock, application type, rate): never a reason to let somebody in.

    Attributes:
        status: the HTTP status.
        code: Duo's own error code, 0 when it sent none.
    """

    def __init__(self, system: str, cause: str, remedy: str = "", *, status: int = 0, code: int = 0) -> None:
        super().__init__(system, cause, remedy)
        self.status = status
        self.code = code


class AnswerLost(UpstreamError):
    """The user was (or may have been) asked, and the answer did not reach us."""


class Disposition(enum.Enum):
    """What the RFC says is to be done with what a peer sent."""

    DISCARD = "discard"
    REJECT = "reject"
    CLOSE = "close"


class RemoteProtocolError(DuoproxyError):
    """A peer sent something malformed.

    Attributes:
        disposition: what to do with it.
    """

    def __init__(self, what: str, disposition: Disposition = Disposition.DISCARD) -> None:
        super().__init__(what)
        self.disposition = disposition
