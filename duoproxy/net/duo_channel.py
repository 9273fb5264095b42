"""One connection to the API host, over which requests go one at a time.

Owns the difference on which a second factor depends: a request of which no octet was accepted for writing (`NotSent`)
may be made again, one that may have arrived (`Lost`) only where asking twice does no harm. It must not know what is
asked.

Source: RFC 9112 §9.3 (persistence), §9.3.1 (retrying requests).
"""

from __future__ import annotations

from typing import Any, cast

from hyperlink import EncodedURL
from treq.client import HTTPClient
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionClosed
from twisted.internet.interfaces import IDelayedCall
from twisted.web.http_headers import Headers
from twisted.web.iweb import IResponse

from duoproxy import __version__
from duoproxy.duoapi import sentences
from duoproxy.duoapi.answers import HttpAnswer
from duoproxy.duoapi.sentences import Clauses
from duoproxy.duoapi.signing import SignedRequest
from duoproxy.errors import DuoproxyError
from duoproxy.net.deadlines import Expired, within
from duoproxy.net.duo_link import Link
from duoproxy.net.plain_http import (
    MAX_BODY_BYTES,
    NO_COOKIES,
    CollectedBody,
    LinkAgent,
    LinkGone,
    SentUrl,
    TooLong,
    WholeBody,
    known_url,
)

MAX_HEAD_BYTES = 64 * 1024
IDLE_S = 50

_USER_AGENT = f"duoproxy/{__version__}"


class NotSent(DuoproxyError):
    """No octet of the request was accepted for writing.

    Attributes:
        clauses: what happened.
        again: whether one more attempt may go better (what took its time already, or cannot change, would not).
        certificate: whether it was the certificate.
    """

    def __init__(self, clauses: Clauses, *, again: bool = True, certificate: bool = False) -> None:
        super().__init__(clauses.cause)
        self.clauses = clauses
        self.again = again
        self.certificate = certificate


class Lost(DuoproxyError):
    """The request may have arrived, and no whole answer came.

    Attributes:
        clauses: what happened.
        again: whether one more attempt may go better, where asking twice does no harm.
    """

    def __init__(self, clauses: Clauses, *, again: bool = True) -> None:
        super().__init__(clauses.cause)
        self.clauses = clauses
        self.again = again


class Channel:
    """A connection that speaks HTTP.

    Attributes:
        link: the connection below.
        answered_at: when the last answer came, or the connection; seconds of the reactor.
        is_new: whether no answer has been given back yet; the owner of the connection sets it.
    """

    def __init__(self, reactor: Any, link: Link, authority: str) -> None:
        """Put HTTP on a link that is ready.

        Args:
            reactor: gives time.
            link: an open connection.
            authority: host, and port where it is not 443.
        """
        self.link = link
        self.answered_at: float = reactor.seconds()
        self.is_new = True
        self._reactor = reactor
        self._base_url = f"https://{authority}"
        self._idle_until: IDelayedCall | None = None
        link.gone.addCallback(lambda _: self._busy())
        self._http = HTTPClient(LinkAgent(link, authority), cookiejar=NO_COOKIES, data_to_body_producer=WholeBody)

    @property
    def is_usable(self) -> bool:
        """Whether a request can be sent."""
        return not self.link.is_closing

    async def exchange(self, request: SignedRequest, answer_s: float, body_s: float) -> HttpAnswer:
        """Send a request and read its answer.

        Args:
            request: what to send.
            answer_s: seconds for the whole answer.
            body_s: seconds from its head to its end, within `answer_s`.

        Raises:
            NotSent: the connection was gone.
            Lost: no whole answer; the connection is given up.
        """
        if self.link.is_closing:
            raise NotSent(sentences.connection_lost())
        self._busy()
        self.link.expect(MAX_HEAD_BYTES + MAX_BODY_BYTES)
        finished = False
        try:
            answer = await self._exchange(request, answer_s, body_s)
            finished = True
        except (NotSent, Lost, CancelledError):
            raise
        except Exception as fault:
            raise self._lost(fault) from fault
        finally:
            if not finished:
                self.link.abort()
        self.link.expect(0)
        self.answered_at = self._reactor.seconds()
        if self.is_usable:
            self._idle_until = self._reactor.callLater(IDLE_S, self.link.close)
        return answer

    def _busy(self) -> None:
        """End the wait after which an idle connection is closed."""
        if self._idle_until is not None and self._idle_until.active():
            self._idle_until.cancel()
        self._idle_until = None

    async def _exchange(self, request: SignedRequest, answer_s: float, body_s: float) -> HttpAnswer:
        started = self._reactor.seconds()
        try:
            response = await within(self._reactor, answer_s, self._begin(request))
        except Expired:
            raise Lost(sentences.answer_timeout(answer_s), again=False) from None
        body = CollectedBody()
        response.deliverBody(body)
        left_s = answer_s - (self._reactor.seconds() - started)
        try:
            content = await within(self._reactor, min(left_s, body_s), body.whole)
        except Expired:
            raise Lost(sentences.answer_timeout(min(answer_s, body_s)), again=False) from None
        dates = response.headers.getRawHeaders("date", [])
        return HttpAnswer(response.code, content, dates[0] if dates else "")

    def _begin(self, request: SignedRequest) -> Deferred[IResponse]:
        headers = Headers({name: [value] for name, value in request.headers.items()})
        headers.setRawHeaders("User-Agent", [_USER_AGENT])
        began = self._http.request(
            request.method,
            self._url(request),
            headers=headers,
            data=request.body,
            cookies=NO_COOKIES,
            allow_redirects=False,
            unbuffered=True,
            reactor=self._reactor,
        )
        return cast("Deferred[IResponse]", began)

    def _url(self, request: SignedRequest) -> EncodedURL:
        """Give where a request goes; the few that all logins ask are read once, not each time."""
        url = self._base_url + request.target
        return SentUrl.of(url) if request.body is None else known_url(url)

    def _lost(self, fault: Exception) -> NotSent | Lost:
        """Put what HTTP reports into our words."""
        if isinstance(fault, LinkGone):
            return NotSent(sentences.connection_lost())
        if self.link.overflowed or isinstance(fault, TooLong):
            return Lost(sentences.answer_too_long(MAX_BODY_BYTES), again=False)
        causes = [reason.value for reason in getattr(fault, "reasons", [])] or [fault]
        if any(isinstance(cause, ConnectionClosed) for cause in causes):
            return Lost(sentences.connection_lost())
        return Lost(sentences.unexpected("the answer is no HTTP"), again=False)
