"""One connection to the API host, over which requests go one at a time.

Owns the difference on which a second factor depends: a request of which no octet was accepted for writing (`NotSent`)
may be made again, one that may have arrived (`Lost`) only where asking twice does no harm. It must not know what is
asked.

Source: RFC 9112 §9.3 (persistence), §9.3.1 (retrying requests).
"""

from __future__ import annotations

from functools import lru_cache
from http.cookiejar import CookieJar
from typing import Any, cast

from attrs import define
from hyperlink import EncodedURL
from OpenSSL import SSL
from treq.client import HTTPClient
from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.internet.error import ConnectionClosed
from twisted.internet.interfaces import IConsumer, IDelayedCall, IHandshakeListener, IProtocol, ITransport
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web._newclient import HTTP11ClientProtocol, Request
from twisted.web.client import ResponseDone
from twisted.web.http import PotentialDataLoss
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent, IBodyProducer, IResponse
from zope.interface import implementer

from duoproxy import __version__
from duoproxy.duoapi import sentences
from duoproxy.duoapi.answers import HttpAnswer
from duoproxy.duoapi.sentences import Clauses
from duoproxy.duoapi.signing import SignedRequest
from duoproxy.errors import DuoproxyError
from duoproxy.net.deadlines import Expired, within

MAX_BODY_BYTES = 256 * 1024
MAX_HEAD_BYTES = 64 * 1024
IDLE_S = 50
MAX_KNOWN_URLS = 32

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


@implementer(IHandshakeListener)
class Link(Protocol):
    """What stands on top of TLS: waits for the handshake, then hands everything through to HTTP.

    Attributes:
        ready: fires when the handshake is done, that is: when the other side has proven who it is.
        gone: fires when the connection has ended.
        is_open: whether it is there and good.
    """

    def __init__(self) -> None:
        self.ready: Deferred[None] = Deferred(lambda _: self.abort())
        self.gone: Deferred[None] = Deferred()
        self.is_open = False
        self.overflowed = False
        self._http: IProtocol | None = None
        self._allowance = 0

    @property
    def is_closing(self) -> bool:
        """Whether the other side has said goodbye already, or we have, and writes would go nowhere."""
        tls = cast(Any, self.transport)
        return not self.is_open or bool(tls.disconnecting) or bool(tls.transport.disconnecting)

    @property
    def tls_connection(self) -> SSL.Connection:
        """The connection as OpenSSL has it, while it is there."""
        return cast(SSL.Connection, cast(Any, self.transport).getHandle())

    def handshakeCompleted(self) -> None:
        """Source: IHandshakeListener."""
        self.is_open = True
        if not self.ready.called:
            self.ready.callback(None)

    def attach(self, http: IProtocol) -> None:
        """Put HTTP on top, once, while the connection is there."""
        self._http = http
        http.makeConnection(cast(ITransport, self.transport))

    def expect(self, limit_bytes: int) -> None:
        """Let so many octets come until the next call."""
        self._allowance = limit_bytes

    def dataReceived(self, data: bytes) -> None:
        """Hand through; more than was expected ends the connection."""
        self._allowance -= len(data)
        if self._http is None or self._allowance < 0:
            self.overflowed = True
            self.abort()
        else:
            self._http.dataReceived(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Tell whoever waits."""
        self.is_open = False
        if not self.ready.called:
            self.ready.errback(reason)
        if self._http is not None:
            self._http.connectionLost(reason)
        self.gone.callback(None)

    def close(self) -> None:
        """End the connection, on which nothing is under way, with a goodbye."""
        cast(Any, self.transport).loseConnection()

    def abort(self) -> None:
        """End the connection at once, whatever is under way."""
        if self.transport is not None and not self.gone.called:
            cast(Any, self.transport).abortConnection()


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
        self._http = HTTPClient(_LinkAgent(link, authority), cookiejar=_NO_COOKIES, data_to_body_producer=_WholeBody)

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
        body = _Body()
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
            cookies=_NO_COOKIES,
            allow_redirects=False,
            unbuffered=True,
            reactor=self._reactor,
        )
        return cast("Deferred[IResponse]", began)

    def _url(self, request: SignedRequest) -> EncodedURL:
        """Give where a request goes; the few that all logins ask are read once, not each time."""
        url = self._base_url + request.target
        return _SentUrl.of(url) if request.body is None else _known_url(url)

    def _lost(self, fault: Exception) -> NotSent | Lost:
        """Put what HTTP reports into our words."""
        if isinstance(fault, _LinkGone):
            return NotSent(sentences.connection_lost())
        if self.link.overflowed or isinstance(fault, _TooLong):
            return Lost(sentences.answer_too_long(MAX_BODY_BYTES), again=False)
        causes = [reason.value for reason in getattr(fault, "reasons", [])] or [fault]
        if any(isinstance(cause, ConnectionClosed) for cause in causes):
            return Lost(sentences.connection_lost())
        return Lost(sentences.unexpected("the answer is no HTTP"), again=False)


class _LinkGone(Exception):
    """The link ended between two requests."""


class _TooLong(Exception):
    """A body passed its limit."""


class _SentUrl(EncodedURL):
    """A URL that is spelled already as it is sent."""

    __slots__ = ("spelled",)
    spelled: str

    @classmethod
    def of(cls, url: str) -> _SentUrl:
        """Read a URL once."""
        sent = EncodedURL.from_text(url).to_uri()
        made = cls(sent.scheme, sent.host, sent.path, sent.query, sent.fragment, sent.port, sent.rooted)
        made.spelled = sent.to_text()
        return made

    def to_uri(self) -> _SentUrl:
        return self

    def to_text(self, with_password: bool = False) -> str:
        return self.spelled


_known_url = lru_cache(maxsize=MAX_KNOWN_URLS)(_SentUrl.of)


class _NoCookies(CookieJar):
    """The jar of a service that sets no cookies: takes none, gives none, and is shared by all."""

    def add_cookie_header(self, request: Any) -> None:
        """Add nothing."""

    def extract_cookies(self, response: Any, request: Any) -> None:
        """Take nothing."""


_NO_COOKIES: Any = _NoCookies()


@implementer(IAgent)
class _LinkAgent:
    """Sends requests over one connection, and never over another one, nor twice.

    It keeps them plain: no compression, which could unfold beyond any limit, and no cookies. Twisted's `Agent` with its
    pool does the same for any number of hosts; for one connection that costs a fifth of a login.
    """

    __slots__ = ("_authority", "_http", "_link")

    def __init__(self, link: Link, authority: str) -> None:
        """Put HTTP on a link that is ready."""
        self._link = link
        self._authority = authority.encode("ascii")
        self._http = HTTP11ClientProtocol()
        link.attach(self._http)

    def request(
        self, method: bytes, uri: bytes, headers: Headers | None = None, bodyProducer: IBodyProducer | None = None
    ) -> Deferred[IResponse]:
        """Source: IAgent."""
        if self._link.is_closing or self._http.state != "QUIESCENT":
            return fail(_LinkGone())
        headers = headers if headers is not None else Headers()
        headers.removeHeader("accept-encoding")
        headers.setRawHeaders(b"host", [self._authority])
        target = uri[uri.index(b"/", len(b"https://")) :]
        request = Request(method, target, headers, bodyProducer, persistent=True)
        return self._http.request(request).addCallback(_without_encoding)


def _without_encoding(response: IResponse) -> IResponse:
    response.headers.removeHeader("content-encoding")
    response.headers.removeHeader("set-cookie")
    return response


@implementer(IBodyProducer)
@define
class _WholeBody:
    """A body that is written at once, so that the request leaves in one piece."""

    octets: bytes

    @property
    def length(self) -> int:
        """Source: IBodyProducer."""
        return len(self.octets)

    def startProducing(self, consumer: IConsumer) -> Deferred[None]:
        """Source: IBodyProducer."""
        consumer.write(self.octets)
        return succeed(None)

    def pauseProducing(self) -> None:
        """Nothing is left to be paused."""

    def resumeProducing(self) -> None:
        """Nothing is left to be resumed."""

    def stopProducing(self) -> None:
        """Nothing is left to be stopped."""


class _Body(Protocol):
    """Collects a body up to the limit."""

    def __init__(self) -> None:
        self.whole: Deferred[bytes] = Deferred()
        self._parts: list[bytes] = []
        self._size = 0

    def dataReceived(self, data: bytes) -> None:
        self._size += len(data)
        if self._size <= MAX_BODY_BYTES:
            self._parts.append(data)
        elif not self.whole.called:
            self._parts.clear()
            self.whole.errback(_TooLong())

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self.whole.called:
            return
        if reason.check(ResponseDone, PotentialDataLoss):
            self.whole.callback(b"".join(self._parts))
        else:
            self.whole.errback(reason)
