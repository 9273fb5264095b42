"""What an HTTP answer of the API means, before its content is looked at.

Owns the envelope (`stat`, `response`, `code`, `message`) and the sorting of statuses. What follows from a fault (ask
again, wait, fail open, reject) depends on whether the user was asked already, which is not known here.

Source: Auth API, "Responses".
"""

from __future__ import annotations

import json
from typing import Any

from attrs import frozen

from duoproxy.duoapi.texts import clean_text
from duoproxy.errors import DuoproxyError

BAD_IKEY = 40102
BAD_SIGNATURE = 40103
BAD_TIMESTAMP = 40105
WRONG_APPLICATION_TYPE = 40301
TOO_MANY_REQUESTS = 429

MAX_MESSAGE_CHARACTERS = 200


@frozen
class HttpAnswer:
    """One HTTP answer, read whole.

    Attributes:
        status: the HTTP status.
        body: octets, within the limit of the client.
        date: the Date header, or empty.
    """

    status: int
    body: bytes
    date: str = ""


class UnexpectedAnswer(DuoproxyError):
    """The answer is none that the API gives; `str()` is a clause that says what was wrong with it."""


class ErrorAnswer(DuoproxyError):
    """The service said no.

    Attributes:
        status: the HTTP status.
        code: Duo's own code (40103 …), 0 when it sent none.
        message: Duo's words, cleaned; may be empty.
    """

    def __init__(self, status: int, code: int = 0, message: str = "") -> None:
        super().__init__(f"HTTP {status}" + (f", code {code}" if code else "") + (f": {message}" if message else ""))
        self.status = status
        self.code = code
        self.message = message

    @property
    def is_rate_limit(self) -> bool:
        """Whether the service asks to come again later; the request was not carried out."""
        return self.status == TOO_MANY_REQUESTS

    @property
    def is_clock(self) -> bool:
        """Whether the request carried a time that is too far from the service's; it was not carried out."""
        return self.code == BAD_TIMESTAMP

    @property
    def is_wrong_generation(self) -> bool:
        """Whether an application of another kind may be allowed to call the other generation of the API."""
        return self.code == WRONG_APPLICATION_TYPE or self.status == 404

    @property
    def refuses_us(self) -> bool:
        """Whether our own request or keys are what is refused, rather than the service being in trouble."""
        return 400 <= self.status < 500


def read_answer(answer: HttpAnswer) -> object:
    """Give the content of a good answer.

    Raises:
        ErrorAnswer: a 4xx or 5xx, with Duo's code where there is one.
        UnexpectedAnswer: a redirect, another status, or a body that is not the API's envelope.
    """
    if answer.status >= 400:
        raise _error(answer)
    if 300 <= answer.status < 400:
        raise UnexpectedAnswer(f"the answer is a redirect (HTTP {answer.status}), which the API never sends")
    if answer.status != 200:
        raise UnexpectedAnswer(f"the answer has the HTTP status {answer.status}")
    envelope = _json(answer.body)
    if not isinstance(envelope, dict) or envelope.get("stat") != "OK" or "response" not in envelope:
        raise UnexpectedAnswer("the answer is not in the API's form")
    content: object = envelope["response"]
    return content


def _json(body: bytes) -> Any:
    """Parse a body; anything that is no JSON, or is nested deeper than the parser goes, gives None."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _error(answer: HttpAnswer) -> ErrorAnswer:
    envelope = _json(answer.body)
    if not isinstance(envelope, dict) or envelope.get("stat") != "FAIL":
        return ErrorAnswer(answer.status)
    code, message, detail = (envelope.get(name) for name in ("code", "message", "message_detail"))
    words = ", ".join(part for part in (message, detail) if isinstance(part, str) and part)
    number = code if isinstance(code, int) and not isinstance(code, bool) else 0
    # The first three digits of a code are the HTTP status; one that does not fit is not Duo's.
    if number // 100 != answer.status:
        number = 0
    return ErrorAnswer(answer.status, number, clean_text(words, MAX_MESSAGE_CHARACTERS))
