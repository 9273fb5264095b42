"""Plain HTTP over one link: no pool, no cookies, no compression, no second try; URLs that are read once.

Owns what Twisted and treq are told so that a request goes over this connection or none, and that an answer stays within
its limit. It must not know what is asked.

Source: RFC 9112.
"""

from __future__ import annotations

from functools import lru_cache
from http.cookiejar import CookieJar
from typing import Any

from attrs import define
from hyperlink import EncodedURL
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IConsumer
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web._newclient import HTTP11ClientProtocol, Request
from twisted.web.client import ResponseDone
from twisted.web.http import PotentialDataLoss
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent, IBodyProducer, IResponse
from zope.interface import implementer

from duoproxy.net.duo_link import Link

MAX_BODY_BYTES = 256 * 1024
MAX_KNOWN_URLS = 32


class LinkGone(Exception):
    """The link ended between two requests."""


class TooLong(Exception):
    """A body passed its limit."""


class SentUrl(EncodedURL):
    """A URL that is spelled already as it is sent."""

    __slots__ = ("spelled",)
    spelled: str

    @classmethod
    def of(cls, url: str) -> SentUrl:
        """Read a URL once."""
        sent = EncodedURL.from_text(url).to_uri()
        made = cls(sent.scheme, sent.host, sent.path, sent.query, sent.fragment, sent.port, sent.rooted)
        made.spelled = sent.to_text()
        return made

    def to_uri(self) -> SentUrl:
        """Give itself."""
        return self

    def to_text(self, with_password: bool = False) -> str:
        """Give the text that was read."""
        return self.spelled


known_url = lru_cache(maxsize=MAX_KNOWN_URLS)(SentUrl.of)
"""Reads a URL once, of the few that all logins ask."""


class _NoCookies(CookieJar):
    """The jar of a service that sets no cookies: takes none, gives none, and is shared by all."""

    def add_cookie_header(self, request: Any) -> None:
        """Add nothing."""

    def extract_cookies(self, response: Any, request: Any) -> None:
        """Take nothing."""


NO_COOKIES: Any = _NoCookies()


@implementer(IAgent)
class LinkAgent:
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
            return fail(LinkGone())
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
class WholeBody:
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


class CollectedBody(Protocol):
    """Collects a body up to the limit.

    Attributes:
        whole: fires with the octets; fails with `TooLong`, or with what HTTP reports.
    """

    def __init__(self) -> None:
        self.whole: Deferred[bytes] = Deferred()
        self._parts: list[bytes] = []
        self._size = 0

    def dataReceived(self, data: bytes) -> None:
        """Keep it, within the limit."""
        self._size += len(data)
        if self._size <= MAX_BODY_BYTES:
            self._parts.append(data)
        elif not self.whole.called:
            self._parts.clear()
            self.whole.errback(TooLong())

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Give the body, or say why there is none."""
        if self.whole.called:
            return
        if reason.check(ResponseDone, PotentialDataLoss):
            self.whole.callback(b"".join(self._parts))
        else:
            self.whole.errback(reason)
